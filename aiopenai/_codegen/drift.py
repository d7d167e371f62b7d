"""What came and went between two states of the generated files, as lines for a person to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Surface:
    """An interface by names. Methods and types map their parameters and fields to types as text.

    The `()` of a method is the call that it makes, the `=` of a type what it is short for.
    """

    resources: set[str] = field(default_factory=set[str])
    methods: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    types: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    values: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


def drift(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The differences, `+` for what came, `-` for what went, `~` for what has another type now."""
    old, new = surface(before), surface(after)
    return [
        *(f"- resource {name}" for name in sorted(old.resources - new.resources)),
        *(f"+ resource {name}" for name in sorted(new.resources - old.resources)),
        *_members("method", "parameter", old.methods, new.methods),
        *_members("type", "field", old.types, new.types),
        *(
            f"{sign} value {name}: {value}"
            for name in sorted(old.values.keys() & new.values.keys())
            for sign, values in (
                ("-", old.values[name] - new.values[name]),
                ("+", new.values[name] - old.values[name]),
            )
            for value in sorted(values)
        ),
    ]


def _members(kind: str, part: str, old: dict[str, dict[str, str]], new: dict[str, dict[str, str]]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"- {kind} {name}"
        elif name not in old:
            yield f"+ {kind} {name}"
        else:
            was, is_ = old[name], new[name]
            for each in sorted(was.keys() | is_.keys()):
                if each not in is_:
                    yield f"- {part} {name}.{each}"
                elif each not in was:
                    yield f"+ {part} {name}.{each}: {is_[each]}"
                elif was[each] != is_[each]:
                    yield f"~ {part} {name}.{each}: {was[each]} -> {is_[each]}"


def surface(files: Mapping[str, str]) -> Surface:
    """Read the interface out of generated files."""
    found = Surface()
    for path, text in files.items():
        folder, *rest = path.removesuffix(".py").split("/")
        if folder == "resources":
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef):
                    _resource(node, found)
        elif rest[-1] in ("replies", "params"):
            for node in ast.parse(text).body:
                _type(".".join(rest[:-1]), node, found)
    return found


def _resource(node: ast.ClassDef, found: Surface) -> None:
    client = (ast.get_docstring(node) or "").strip("`").removeprefix("client.")
    signatures = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            call = next((each for each in item.decorator_list if isinstance(each, ast.Call)), None)
            if call is None:
                found.resources.add(f"{client}.{item.name}")
            else:
                _method(f"{client}.{item.name}", call, [item], found)
        elif isinstance(item, ast.Assign) and isinstance(item.value, ast.Call):
            # A method made of several signatures.
            used = [each.id for each in item.value.args if isinstance(each, ast.Name) and each.id in signatures]
            name = ast.unparse(item.targets[0])
            _method(f"{client}.{name}", item.value, [signatures[each] for each in dict.fromkeys(used)], found)


def _method(name: str, call: ast.Call, signatures: list[ast.FunctionDef], found: Surface) -> None:
    kinds: dict[str, list[str]] = {"()": [ast.unparse(call)]}
    for signature in signatures:
        for each in (*signature.args.args[1:], *signature.args.kwonlyargs):
            kind, literals = _known(each.annotation)
            kinds.setdefault(each.arg, []).append(kind)
            if literals:
                found.values[f"{name}.{each.arg}"] = found.values.get(f"{name}.{each.arg}", set()) | literals
    found.methods[name] = {part: " or ".join(dict.fromkeys(texts)) for part, texts in kinds.items()}


def _type(group: str, node: ast.stmt, found: Surface) -> None:
    fields: dict[str, ast.expr | None] = {}
    name = ""
    if isinstance(node, ast.ClassDef):
        name = node.name
        for item in node.body:
            if isinstance(item, ast.AnnAssign):
                fields[ast.unparse(item.target)] = item.annotation
    elif isinstance(node, ast.AnnAssign):
        name = ast.unparse(node.target)
        fields["="] = node.value
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.value.args) > 1:
        name = ast.unparse(node.targets[0])
        keys = node.value.args[1]
        if isinstance(keys, ast.Dict):
            fields = {
                str(ast.literal_eval(key)): value for key, value in zip(keys.keys, keys.values, strict=True) if key
            }
    if name:
        name = f"{group}.{name}"
        found.types[name] = {}
        for field_, annotation in fields.items():
            found.types[name][field_], literals = _known(annotation)
            if literals:
                found.values[f"{name}.{field_}".removesuffix(".=")] = literals


class _Blank(ast.NodeTransformer):
    """Empties the literals of a type: their values are compared one by one."""

    def __init__(self) -> None:
        self.values: set[str] = set()

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "Literal":
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            self.values |= {ast.unparse(part) for part in parts}
            return ast.Name("Literal")
        return self.generic_visit(node)


def _known(annotation: ast.expr | None) -> tuple[str, set[str]]:
    """A type as text without the values of its literals, and these."""
    if annotation is None:
        return "", set()
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    blank = _Blank()
    return ast.unparse(blank.visit(annotation)), blank.values
