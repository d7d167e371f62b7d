"""The differences between two states of the generated files, as lines of text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aiopenai._codegen.facts import OPTION_NAMES

# The docstrings of resources and of connections.
_RESOURCE = re.compile(r"`client\.([\w.]+)`")
_CONNECTION = re.compile(r"A connection of `client\.([\w.]+)`\.")


@dataclass
class Surface:
    """An interface by names. Methods and types map their parameters and fields to types as text.

    The key `()` of a method holds its HTTP call. The key `=` of an alias holds its type.
    """

    resources: set[str] = field(default_factory=set[str])
    methods: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    types: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    values: dict[str, set[str]] = field(default_factory=dict[str, set[str]])


def drift(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Returns the differences: `+` for an added name, `-` for a removed one, `~` for a changed type."""
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
    """Reads the interface from generated files: calls from modules, parameters and types from stubs."""
    found = Surface()
    connections = _connections(files)
    for path, text in files.items():
        folder, *rest = path.split("/")
        stem, _, kind = rest[-1].rpartition(".")
        if folder == "resources" and kind != "txt":
            for node in ast.parse(text).body:
                if isinstance(node, ast.ClassDef):
                    client = connections.get((path.rpartition(".")[0], node.name)) or _client_path(node)
                    if client is not None:
                        (_calls if kind == "py" else _signatures)(node, client, found)
        elif kind == "py" and stem in ("replies", "params"):
            for node in ast.parse(text).body:
                _type(".".join(rest[:-1]), node, found)
    return found


def _client_path(node: ast.ClassDef) -> str | None:
    """Returns the path of a resource below the client; None for other classes."""
    match = _RESOURCE.fullmatch(ast.get_docstring(node) or "")
    return match and match[1]


def _connections(files: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Returns the paths of connections and their parts, such as `live.connect.session`, by module and class.

    The parts have no path of their own: their connection names them.
    """
    found: dict[tuple[str, str], str] = {}
    for file, text in files.items():
        if not file.endswith("/_connections.py"):
            continue
        classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
        pending = [
            (name, match[1])
            for name, node in classes.items()
            if (match := _CONNECTION.fullmatch(ast.get_docstring(node) or ""))
        ]
        while pending:
            name, path = pending.pop()
            for each in (name, f"Async{name}"):
                found[file.removesuffix(".py"), each] = path
            pending += [(child, f"{path}.{attribute}") for attribute, child in _children(classes[name])]
    return found


def _children(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yields the attributes of a class that are other resources or parts, each with the name of its class."""
    for item in node.body:
        if isinstance(item, ast.Assign) and isinstance(item.value, ast.Call):
            yield ast.unparse(item.targets[0]), str(ast.literal_eval(item.value.args[0]))


def _calls(node: ast.ClassDef, client: str, found: Surface) -> None:
    """The resources below one, and the calls that its methods make."""
    found.resources |= {f"{client}.{name}" for name, _ in _children(node)}
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            call = next(each for each in item.decorator_list if isinstance(each, ast.Call))
            found.methods.setdefault(f"{client}.{item.name}", {})["()"] = ast.unparse(call).removeprefix("api.")


def _signatures(node: ast.ClassDef, client: str, found: Surface) -> None:
    """The parameters of the methods of an asynchronous class, with the types that its signatures give them."""
    if not (node.name.startswith("Async") and node.bases):
        return
    kinds: dict[str, dict[str, list[str]]] = {}
    for item in node.body:
        if (
            not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
            or len(item.args.args + item.args.kwonlyargs) < 2
        ):
            continue
        method = kinds.setdefault(f"{client}.{item.name}", {})
        for each in (*item.args.args[1:], *item.args.kwonlyargs):
            if each.arg not in OPTION_NAMES:
                kind, literals = _known(each.annotation)
                method.setdefault(each.arg, []).append(kind)
                if literals:
                    key = f"{client}.{item.name}.{each.arg}"
                    found.values[key] = found.values.get(key, set()) | literals
    for name, parameters in kinds.items():
        texts = {part: " or ".join(dict.fromkeys(each)) for part, each in parameters.items()}
        found.methods.setdefault(name, {}).update(texts)


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
    """Removes the values from the literals of a type, because they are compared one by one."""

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
