"""The methods of a client, found by looking: what they are called, what they take, what they ask."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import typing
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from aiopenai import AsyncOpenAI
from aiopenai.endpoint import Resource


class Parameter(NamedTuple):
    name: str
    kind: Any
    required: bool
    in_path: bool


class Method(NamedTuple):
    """One HTTP method: `name` is dotted from the client on, `path` its template, `reply` the type of what it gives."""

    name: str
    parameters: tuple[Parameter, ...]
    verb: str
    path: str
    reply: Any
    streams: bool

    def of(self, client: Any) -> Any:
        """The method on a client, ours or the reference's."""
        return resolve(client, self.name)


def resolve(client: Any, name: str) -> Any:
    found = client
    for part in name.split("."):
        found = getattr(found, part)
    return found


# What the tests here know arguments and replies for; tests/codegen compares the interface of all.
NAMESPACES = ("chat", "completions", "embeddings", "files", "models", "moderations", "responses")


def methods() -> list[Method]:
    """Every method of these resources of our client, in the order of their names."""
    client = AsyncOpenAI(api_key="test", base_url="http://127.0.0.1")
    found = (method for name in NAMESPACES for method in _below(getattr(client, name), f"{name}."))
    return sorted(found, key=lambda method: method.name)


def _below(resource: Resource[Any], prefix: str) -> Iterator[Method]:
    for name in dir(type(resource)):
        found = inspect.getattr_static(type(resource), name)
        if isinstance(found, cached_property) and not name.startswith("_"):
            below = getattr(resource, name)
            if isinstance(below, Resource):
                yield from _below(below, f"{prefix}{name}.")
        elif callable(getattr(found, "request", None)):
            yield _method(prefix + name, found)


def _method(name: str, function: Any) -> Method:
    signature = inspect.unwrap(function)
    hints = typing.get_type_hints(signature, _namespace(signature.__module__), include_extras=False)
    parameters = [
        Parameter(
            parameter.name,
            hints[parameter.name],
            parameter.default is inspect.Parameter.empty,
            parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    request = function.request(**{parameter.name: "x" for parameter in parameters if parameter.required})
    endpoint = request.endpoint
    return Method(name, tuple(parameters), endpoint.method, endpoint.path, endpoint.reply, endpoint.event is not None)


_namespaces: dict[str, dict[str, Any]] = {}


def _namespace(module: str) -> dict[str, Any]:
    """A module's names, those included that it imports for type checkers only."""
    found = _namespaces.get(module)
    if found is None:
        # `PathLike` is quoted in an alias of values.py, so it is looked up where the alias is used.
        found = _namespaces[module] = {"PathLike": os.PathLike, **vars(sys.modules[module])}
        file = sys.modules[module].__file__
        assert file is not None
        for statement in ast.parse(Path(file).read_text()).body:
            if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
                exec(compile(ast.Module(statement.body, []), file, "exec"), found)
    return found
