"""What came and went between two states of the generated files, as lines for a person to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass
class Surface:
    """An interface by names. Methods and types map their parameters and fields to types as text."""

    methods: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    types: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    values: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


def drift(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The differences, `+` for what came, `-` for what went, `~` for what has another type now."""
    old, new = surface(before), surface(after)
    return [
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
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("with_"):
            # Signatures that one method is put together from are told apart by their names.
            name = f"{client}.{item.name.removeprefix('_')}"
            arguments = [each for each in (*item.args.args[1:], *item.args.kwonlyargs) if each.annotation]
            kinds = {each.arg: _known(each.annotation, f"{name}({each.arg})", found) for each in arguments}
            found.methods[name] = {**kinds, "return": ast.unparse(item.returns) if item.returns else ""}


def _type(group: str, node: ast.stmt, found: Surface) -> None:
    if isinstance(node, ast.ClassDef):
        name = f"{group}.{node.name}"
        found.types[name] = {
            item.target.id: _known(item.annotation, f"{name}.{item.target.id}", found)
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        name = f"{group}.{node.target.id}"
        found.types[name] = {"=": _known(node.value, name, found)}
    elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.value.args) > 1:
        keys = node.value.args[1]
        if isinstance(keys, ast.Dict):
            name = f"{group}.{ast.unparse(node.targets[0])}"
            found.types[name] = {
                str(ast.literal_eval(key)): _known(value, f"{name}.{ast.literal_eval(key)}", found)
                for key, value in zip(keys.keys, keys.values, strict=True)
                if key is not None
            }


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


def _known(annotation: ast.expr | None, where: str, found: Surface) -> str:
    """A type as text without the values of its literals, which are noted."""
    if annotation is None:
        return ""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    blank = _Blank()
    text = ast.unparse(blank.visit(annotation))
    if blank.values:
        found.values[where] = blank.values
    return text
