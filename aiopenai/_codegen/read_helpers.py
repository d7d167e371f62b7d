"""The reader of the methods with hand-written bodies: their names, parameters and defaults."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aiopenai._codegen.helpers import HELPERS
from aiopenai._codegen.shapes import ByHand, Name, Parameter, Text, Type, Value, without
from aiopenai._codegen.source import Source, SourceError

# Every method takes these; here they are `CallOptions`.
COMMON = frozenset({"self", "extra_headers", "extra_query", "extra_body", "timeout"})
ABSENT = (Value("Omit"), Value("NotGiven"))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def by_hand(source: Source, owner: Name, cls: ast.ClassDef, path: str) -> Iterator[ByHand]:
    """The methods whose bodies are written by hand, with all parameters that one of their signatures has."""
    nodes: dict[str, Function] = {}
    for item in cls.body:
        # The last one of a name is the one with a body.
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and f"{path}.{item.name}" in HELPERS:
            nodes[item.name] = item
    for key, added in HELPERS.items():
        if added.like and key.rpartition(".")[0] == path:
            nodes[key.rpartition(".")[2]] = nodes[added.like]
    for name, node in nodes.items():
        helper = HELPERS[f"{path}.{name}"]
        arguments = node.args
        required = len(arguments.args) - len(arguments.defaults)
        defaults: list[ast.expr | None] = [*[None] * required, *arguments.defaults, *arguments.kw_defaults]
        found: list[Parameter] = []
        for argument, default in zip([*arguments.args, *arguments.kwonlyargs], defaults, strict=True):
            if argument.arg == "self" or argument.arg in helper.less:
                continue
            if argument.arg in COMMON and helper.kind != "connect":
                continue
            if argument.arg in helper.required:
                default = None
            if argument.arg in helper.types:
                type_: Type = Text(helper.types[argument.arg])
            elif argument.annotation is None:
                raise SourceError(f"{path}.{name}: {argument.arg} has no annotation")
            else:
                type_ = without(source.type(owner.module, argument.annotation), *ABSENT)
            text = "" if default is None or ast.unparse(default) == "omit" else _default(source, owner.module, default)
            own = argument in arguments.args
            found.append(Parameter(argument.arg, type_, default is not None, own, "()" if text == "[]" else text))
        for extra, (annotation, text) in helper.extra.items():
            found.append(Parameter(extra, Text(annotation), True, False, text))
        if helper.streamed:
            found.append(Parameter("stream", Text("bool"), True, False, "False"))
        yield ByHand(name, tuple(found), is_deprecated(node))


def _default(source: Source, module: str, node: ast.expr) -> str:
    """Returns a default as source text; a constant of the reference's is its value."""
    if isinstance(node, ast.Name):
        symbol = source.resolve(module, node)
        if isinstance(symbol, Name):
            for item in source.tree(symbol.module).body:
                target = item.targets[0] if isinstance(item, ast.Assign) else getattr(item, "target", None)
                value = getattr(item, "value", None)
                if isinstance(target, ast.Name) and target.id == symbol.name and isinstance(value, ast.expr):
                    return str(eval(compile(ast.Expression(value), module, "eval"), {"__builtins__": {}}))
    return ast.unparse(node)


def is_deprecated(node: Function) -> bool:
    """Returns whether a method is marked as deprecated. Marks on a single overload do not count."""
    calls = (each.func for each in node.decorator_list if isinstance(each, ast.Call))
    return any(ast.unparse(each).rpartition(".")[2] == "deprecated" for each in calls)
