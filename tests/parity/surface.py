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
from string import Formatter
from typing import Any, NamedTuple

from aiopenai import AsyncOpenAI
from aiopenai.endpoint import Resource

# Of these methods' optional parameters some set must be given; here is the first of the sets.
NEEDS = {
    "admin.organization.external_keys.create": ("external_id", "kms_arn", "role_arn"),
    "audio.voices.create": ("audio_sample", "consent"),
    "beta.agents.automations.create": ("expression", "timezone"),
    "beta.agents.environments.files.create": ("file_id",),
}


class Parameter(NamedTuple):
    """`needed`: there is no call without it; `required`: nor a signature."""

    name: str
    kind: Any
    required: bool
    needed: bool
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


def methods() -> list[Method]:
    """Every method of every resource of our client, in the order of their names."""
    client = AsyncOpenAI(api_key="test", base_url="http://127.0.0.1")
    return sorted(_below(client, ""), key=lambda method: method.name)


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
    shown = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    required = {parameter.name for parameter in shown if parameter.default is inspect.Parameter.empty}
    needed = required.union(NEEDS.get(name, ()))
    endpoint = function.request(**dict.fromkeys(needed, "x")).endpoint
    in_path = {field for _, field, _, _ in Formatter().parse(endpoint.path)}
    parameters = tuple(
        Parameter(each.name, hints[each.name], each.name in required, each.name in needed, each.name in in_path)
        for each in shown
    )
    return Method(name, parameters, endpoint.method, endpoint.path, endpoint.reply, endpoint.event is not None)


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
