"""The reader of the reference's websocket connections: their namespaces and the methods that send an event."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from aiopenai._codegen.read_helpers import ABSENT
from aiopenai._codegen.shapes import Name, Parameter, Part, Sender, Socket, Type, without
from aiopenai._codegen.source import Source, SourceError

__all__ = ["read_socket"]


def read_socket(source: Source, owner: Name) -> Socket:
    """Returns the connection of a resource, which is in the module of its asynchronous class."""
    name = owner.name.removeprefix("Async")
    connection = source.class_of(Name(owner.module, f"{name}Connection"))
    receive = next(each for each in connection.body if isinstance(each, ast.FunctionDef) and each.name == "recv")
    send = next(each for each in connection.body if isinstance(each, ast.FunctionDef) and each.name == "send")
    sent = send.args.args[1].annotation
    if receive.returns is None or sent is None:
        raise SourceError(f"{owner.module}.{connection.name}: no annotation")
    parts: dict[str, Part] = {}
    names = dict(_attributes(connection))
    _read_parts(source, owner.module, names.values(), parts)
    return Socket(name, source.type(owner.module, receive.returns), source.type(owner.module, sent), names, parts)


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The namespaces of a connection, or of a namespace: attribute and class."""
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            kind = ast.unparse(item.annotation)
            if kind.endswith("Resource"):
                yield item.target.id, kind
        elif isinstance(item, ast.FunctionDef) and item.returns is not None and item.decorator_list:
            kind = ast.unparse(item.returns)
            if kind.endswith("Resource"):
                yield item.name, kind


def _read_parts(source: Source, module: str, names: Iterable[str], found: dict[str, Part]) -> None:
    for name in names:
        if name in found:
            continue
        node = source.class_of(Name(module, name))
        children = dict(_attributes(node))
        senders = tuple(
            _sender(source, module, item)
            for item in node.body
            if isinstance(item, ast.FunctionDef) and not item.decorator_list and item.name != "__init__"
        )
        found[name] = Part(name, children, senders)
        _read_parts(source, module, children.values(), found)


def _sender(source: Source, module: str, node: ast.FunctionDef) -> Sender:
    """Returns a method that sends the dict in its body."""
    sent = next((each for each in ast.walk(node) if isinstance(each, ast.Dict)), None)
    fields = (
        {}
        if sent is None
        else {
            str(ast.literal_eval(key)): value
            for key, value in zip(sent.keys, sent.values, strict=True)
            if key is not None
        }
    )
    event = fields.pop("type", None)
    if not isinstance(event, ast.Constant) or any(key != ast.unparse(value) for key, value in fields.items()):
        raise SourceError(f"{module}.{node.name}: the event that is sent is unknown")
    parameters: list[Parameter] = []
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if argument.annotation is None:
            raise SourceError(f"{module}.{node.name}: {argument.arg} has no annotation")
        type_: Type = without(source.type(module, argument.annotation), *ABSENT)
        parameters.append(Parameter(argument.arg, type_, default is not None))
    if {each.name for each in parameters} != fields.keys():
        raise SourceError(f"{module}.{node.name}: not all parameters are fields")
    return Sender(node.name, str(event.value), tuple(parameters))
