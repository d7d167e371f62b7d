"""The reader of the definitions below the reference's `types` package."""

from __future__ import annotations

import ast
from typing import Literal

from aiopenai._codegen.shapes import Alias, Class, Definition, Field, Name, Types, Variable, needs, parts
from aiopenai._codegen.source import (
    Foreign,
    Source,
    SourceError,
    Symbol,
    bound_names,
    flattened,
    is_variable,
    property_info,
)

# Modules of websocket settings, which have hand-written counterparts.
SKIPPED = frozenset({"types.websocket_connection_options", "types.websocket_reconnection"})
MODEL = Name("_models", "BaseModel")
# The bases that make a class generic. Its type variables come from `Generic[...]`.
GENERIC_MODEL = Name("_models", "GenericModel")


def read_types(source: Source) -> Types:
    """Returns all classes, aliases and exports. Raises `SourceError` for an unknown form."""
    types = Types()
    for module in source.modules("types"):
        tree = source.tree(module)
        if tree.is_package:
            types.exports[module] = _exports(source, module)
        elif module not in SKIPPED:
            for node in tree.body:
                definition = _definition(source, module, node)
                if definition is not None:
                    types.definitions[definition.name] = definition
            for name, value in tree.redirects.items():
                target = source.resolve(module, value)
                if isinstance(target, Name):
                    types.redirects[Name(module, name)] = target
            # Names that a module lists as its own and imports from another, where they may be called otherwise.
            for name in tree.public:
                target = source.resolve(module, ast.Name(name))
                if isinstance(target, Name) and target.module != module:
                    types.redirects[Name(module, name)] = target
    for definition in types.definitions.values():
        for used in needs(definition):
            if used not in types.definitions:
                raise SourceError(f"{definition.name}: refers to {used}, which was not read")
            if used.module != definition.name.module:
                types.importers.setdefault(used.module, set()).add(definition.name.module)
    return types


def _exports(source: Source, package: str) -> dict[str, Name]:
    found: dict[str, Name] = {}
    for node in source.tree(package).body:
        if isinstance(node, ast.ImportFrom):
            for item in node.names:
                symbol = source.resolve(package, ast.Name(item.asname or item.name))
                if isinstance(symbol, Name) and symbol.module not in SKIPPED:
                    found[item.asname or item.name] = symbol
    return found


def _definition(source: Source, module: str, node: ast.stmt) -> Definition | None:
    if isinstance(node, ast.ClassDef):
        return _class(source, module, node)
    if is_variable(node) or any(name in source.tree(module).redirects for name in bound_names(node)):
        return None
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return Alias(Name(module, node.target.id), source.type(module, node.value))
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id != "__all__":
        name = Name(module, node.targets[0].id)
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypedDict":
            return _functional(source, name, node.value)
        return Alias(name, source.type(module, node.value))
    return None


def _functional(source: Source, name: Name, call: ast.Call) -> Class:
    """`TypedDict("X", {"async": bool}, total=False)`: keys that no class body can spell."""
    if not isinstance(call.args[1], ast.Dict):
        raise SourceError(f"{name}: unknown TypedDict form")
    fields: list[Field] = []
    for key, value in zip(call.args[1].keys, call.args[1].values, strict=True):
        wire = ast.literal_eval(key) if key is not None else ""
        fields.append(_params_field(source, name.module, wire, value))
    return Class(name, "params", (), tuple(fields))


def _class(source: Source, module: str, node: ast.ClassDef) -> Class:
    symbols = [source.resolve(module, base) for base in node.bases if not isinstance(base, ast.Subscript)]
    generics = [source.type(module, base) for base in node.bases if isinstance(base, ast.Subscript)]
    variables = tuple(part for generic in generics for part in parts(generic) if isinstance(part, Variable))
    kind = _kind(source, symbols[0])
    fields: dict[str, Field] = {}
    for item in flattened(node.body):
        # Names like `__pydantic_extra__` are settings.
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id[:2] != "__":
            if kind == "model":
                field = _model_field(source, module, item)
            else:
                field = _params_field(source, module, item.target.id, item.annotation)
            # The definition for type checkers comes before the one for run time.
            fields.setdefault(field.name, field)
    bases = tuple(symbol for symbol in symbols if isinstance(symbol, Name) and symbol not in (MODEL, GENERIC_MODEL))
    properties = tuple(item.name for item in node.body if isinstance(item, ast.FunctionDef))
    return Class(Name(module, node.name), kind, bases, tuple(fields.values()), properties, variables)


def _kind(source: Source, base: Symbol) -> Literal["model", "params"]:
    """Returns the kind of a class with this base. The base may be defined anywhere, so the source is searched."""
    if base in (MODEL, GENERIC_MODEL):
        return "model"
    if isinstance(base, Foreign) and base.name.endswith(".TypedDict"):
        return "params"
    if not isinstance(base, Name):
        raise SourceError(f"unknown base {base}")
    for node in source.tree(base.module).body:
        if bound_names(node) == [base.name]:
            if isinstance(node, ast.ClassDef):
                return _kind(source, source.resolve(base.module, node.bases[0]))
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                value = node.value.func if isinstance(node.value, ast.Call) else node.value
                return _kind(source, source.resolve(base.module, value))
    raise SourceError(f"unknown base {base}")


def _model_field(source: Source, module: str, node: ast.AnnAssign) -> Field:
    name = ast.unparse(node.target)
    wire, default = name, None
    if isinstance(node.value, ast.Call):
        for keyword in node.value.keywords:
            if keyword.arg == "alias":
                wire = ast.literal_eval(keyword.value)
            elif keyword.arg == "default":
                default = ast.unparse(keyword.value)
            elif keyword.arg == "default_factory":
                default = f"field(default_factory={ast.unparse(keyword.value)})"
    elif node.value is not None:
        default = ast.unparse(node.value)
    return Field(name, source.type(module, node.annotation), wire, default, default is None)


def _params_field(source: Source, module: str, name: str, annotation: ast.expr) -> Field:
    required = False
    wire = name
    node = annotation
    while isinstance(node, ast.Subscript):
        wrapper = ast.unparse(node.value).rpartition(".")[2]
        if wrapper == "Required":
            required = True
            node = node.slice
        elif wrapper == "Annotated" and isinstance(node.slice, ast.Tuple):
            wire = property_info(node.slice.elts[1:]).get("alias", wire)
            node = node.slice.elts[0]
        else:
            break
    return Field(name, source.type(module, annotation), wire, None, required)
