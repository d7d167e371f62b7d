"""The reference's modules as syntax trees: the origins of names, and the types of annotations."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TypeAlias

from aiopenai._codegen.shapes import NONE, Builtin, Choice, Generic, Name, Ref, Type, Value, Variable, union


@dataclass(frozen=True)
class Module:
    """A module of the reference, by dotted name below the package."""

    name: str


@dataclass(frozen=True)
class Foreign:
    """A name from outside the reference: `typing.List`, `builtins.str`."""

    name: str


Symbol: TypeAlias = Name | Module | Foreign

BUILTINS = frozenset({"str", "int", "float", "bool", "bytes", "object", "bytearray"})
# pydantic forbids conversions with these; msgspec never converts.
STRICT = {"StrictStr": "str", "StrictInt": "int", "StrictFloat": "float", "StrictBool": "bool"}
GENERICS = {
    "List": "list",
    "Dict": "dict",
    "Tuple": "tuple",
    "Iterable": "Iterable",
    "Sequence": "Sequence",
    "Mapping": "Mapping",
    "SequenceNotStr": "SequenceNotStr",
    "IO": "IO",
    "list": "list",
    "dict": "dict",
    "tuple": "tuple",
}


class SourceError(Exception):
    """The reference has a form that the generator does not know. The message names the place."""


class Tree:
    """One module: its syntax tree and the names bound at its top level."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.is_package = path.name == "__init__.py"
        self.body = ast.parse(path.read_text(encoding="utf-8")).body

    @cached_property
    def bindings(self) -> dict[str, Symbol]:
        """The names that the module binds, each with its symbol. Imports are followed one step only."""
        found: dict[str, Symbol] = {}
        for node in flattened(self.body):
            if isinstance(node, ast.ImportFrom):
                origin = self._origin(node)
                for item in node.names:
                    found[item.asname or item.name] = (
                        Name(origin.name, item.name)
                        if isinstance(origin, Module)
                        else Foreign(f"{origin.name}.{item.name}")
                    )
            elif isinstance(node, ast.Import):
                for item in node.names:
                    found[item.asname or item.name.partition(".")[0]] = Foreign(item.name)
            else:
                for name in bound_names(node):
                    found[name] = Name(self.name, name)
        return found

    @cached_property
    def redirects(self) -> dict[str, ast.expr]:
        """`ChatModel = chat_model.ChatModel`: names kept for old imports, which are not definitions of their own."""
        found: dict[str, ast.expr] = {}
        for node in self.body:
            value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
            if isinstance(value, ast.Attribute) and bound_names(node) == [value.attr]:
                found[value.attr] = value
        return found

    @cached_property
    def variables(self) -> frozenset[str]:
        """The type variables that the module makes."""
        return frozenset(name for node in self.body if is_variable(node) for name in bound_names(node))

    @cached_property
    def public(self) -> list[str]:
        """The names that the module lists as its own."""
        for node in self.body:
            if isinstance(node, ast.Assign) and bound_names(node) == ["__all__"]:
                return list(ast.literal_eval(node.value))
        return []

    def _origin(self, node: ast.ImportFrom) -> Module | Foreign:
        if not node.level:
            module = node.module or ""
            if module == "openai" or module.startswith("openai."):
                return Module(module.removeprefix("openai").removeprefix("."))
            return Foreign(module)
        package = self.name.split(".") if self.name else []
        up = node.level - (1 if self.is_package else 0)
        package = package[: len(package) - up]
        return Module(".".join([*package, *(node.module.split(".") if node.module else [])]))


class Source:
    """The installed reference, read lazily module by module."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tree = cache(self._read)

    @property
    def version(self) -> str:
        """The release that was read."""
        for node in self.tree("_version").body:
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and bound_names(node) == ["__version__"] and node.value:
                return str(ast.literal_eval(node.value))
        raise SourceError("_version: no __version__")

    def modules(self, below: str) -> list[str]:
        """The dotted names of all modules below a package, sorted, packages included."""
        found: list[str] = []
        for path in sorted((self.root / below.replace(".", "/")).rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        return sorted(found)

    def exists(self, module: str) -> bool:
        """Returns whether the module or package exists."""
        path = self.root / module.replace(".", "/")
        return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()

    def _read(self, module: str) -> Tree:
        path = self.root / module.replace(".", "/") if module else self.root
        package = path / "__init__.py"
        return Tree(module, package if package.is_file() else path.with_suffix(".py"))

    def class_of(self, name: Name) -> ast.ClassDef:
        """The definition of a class. Raises `SourceError` if its module has no such class."""
        for node in self.tree(name.module).body:
            if isinstance(node, ast.ClassDef) and node.name == name.name:
                return node
        raise SourceError(f"{name}: no such class")

    def resolve(self, module: str, expression: ast.expr) -> Symbol:
        """Follows a name or a dotted name to its definition. Raises `SourceError` for an unknown name."""
        if isinstance(expression, ast.Attribute):
            base = self.resolve(module, expression.value)
            if isinstance(base, Foreign):
                return Foreign(f"{base.name}.{expression.attr}")
            if isinstance(base, Module):
                return self.follow(Name(base.name, expression.attr))
        if isinstance(expression, ast.Name):
            bound = self.tree(module).bindings.get(expression.id)
            if bound is None:
                return Foreign(f"builtins.{expression.id}")
            return self.follow(bound) if isinstance(bound, Name) else bound
        raise SourceError(f"{module}: cannot resolve {ast.unparse(expression)}")

    def follow(self, name: Name) -> Symbol:
        """Returns the place at which an imported name is defined."""
        while True:
            bound = self.tree(name.module).bindings.get(name.name) if self.exists(name.module) else None
            if bound == name and name.name in self.tree(name.module).redirects:
                return self.resolve(name.module, self.tree(name.module).redirects[name.name])
            if bound is None or bound == name:
                submodule = f"{name.module}.{name.name}".lstrip(".")
                return Module(submodule) if bound is None and self.exists(submodule) else name
            if not isinstance(bound, Name):
                return bound
            # `from .image import Image` in a package binds the module's attribute, not the submodule.
            name = bound

    def type(self, module: str, node: ast.expr) -> Type:
        """The type that an annotation means. Raises `SourceError` for a form it does not know."""
        if isinstance(node, ast.Constant):
            if node.value is None:
                return NONE
            if isinstance(node.value, str):
                return self.type(module, ast.parse(node.value, mode="eval").body)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return union((self.type(module, node.left), self.type(module, node.right)))
        if isinstance(node, ast.Subscript):
            return self._subscript(module, node)
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self._plain(module, self.resolve(module, node))
        raise SourceError(f"{module}: unknown annotation {ast.unparse(node)}")

    def _plain(self, module: str, symbol: Symbol) -> Type:
        if isinstance(symbol, Module):
            raise SourceError(f"{module}: a module as an annotation: {symbol.name}")
        if isinstance(symbol, Name):
            if not _is_type(symbol):
                return Value(symbol.name)
            return Variable(symbol.name) if symbol.name in self.tree(symbol.module).variables else Ref(symbol)
        name = symbol.name.rpartition(".")[2]
        name = STRICT.get(name, name)
        if name in BUILTINS or name in {"datetime", "date"}:
            return Builtin(name)
        if name == "Any":
            return Builtin("object")
        if name == "None":
            return NONE
        if name in GENERICS:
            return Generic(GENERICS[name], ())
        if symbol.name.startswith("builtins."):
            raise SourceError(f"{module}: unknown name {name}")
        return Value(name)

    def _subscript(self, module: str, node: ast.Subscript) -> Type:
        symbol = self.resolve(module, node.value)
        origin = symbol.name.rpartition(".")[2] if not isinstance(symbol, Name) else symbol.name
        arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if origin == "Literal":
            return Choice(tuple(literal(argument) for argument in arguments))
        if origin == "Annotated":
            discriminator = property_info(arguments[1:]).get("discriminator")
            inner = self.type(module, arguments[0])
            return union((inner,), discriminator) if discriminator else inner
        if origin == "Required":
            return self.type(module, arguments[0])
        types = tuple(self.type(module, argument) for argument in arguments)
        if origin == "Optional":
            return union((*types, NONE))
        if origin == "Union":
            return union(types)
        if origin in GENERICS:
            return Generic(GENERICS[origin], types)
        return Ref(symbol, types) if isinstance(symbol, Name) and _is_type(symbol) else Generic(origin, types)


def _is_type(name: Name) -> bool:
    return name.module.partition(".")[0] == "types"


def literal(node: ast.expr) -> str:
    """The source text of a literal value, strings in double quotes."""
    value = ast.literal_eval(node)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' if isinstance(value, str) else repr(value)


def property_info(nodes: list[ast.expr]) -> dict[str, str]:
    """The keyword arguments of the `PropertyInfo(...)` among an annotation's metadata."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "PropertyInfo":
            return {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg}
    return {}


def bound_names(node: ast.stmt) -> list[str]:
    """The names that a statement other than an import binds."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def is_variable(node: ast.stmt) -> bool:
    """Returns whether a statement is `X = TypeVar("X")`."""
    value = node.value if isinstance(node, ast.Assign) else None
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "TypeVar"


def flattened(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements with the branches of `if TYPE_CHECKING` in their place."""
    for node in body:
        if isinstance(node, ast.If):
            yield from flattened([*node.body, *node.orelse])
        else:
            yield node


def at(folder: Path) -> Source:
    """Returns the reference in a folder or its subfolder `openai`. Raises `SourceError` if there is none."""
    root = folder if (folder / "_client.py").is_file() else folder / "openai"
    if not (root / "_client.py").is_file():
        raise SourceError(f"{folder}: there is no package of the reference in this folder")
    return Source(root)


def installed() -> Source:
    """Returns the installed reference. Raises `SourceError` if there is none."""
    spec = importlib.util.find_spec("openai")
    if spec is None or spec.origin is None:
        raise SourceError("the reference is not installed: pip install 'aiopenai[codegen]'")
    return Source(Path(spec.origin).parent)
