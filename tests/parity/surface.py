"""The methods of our clients, found by looking: what they are called, what they take, what they ask."""

from __future__ import annotations

import inspect
import os
import sys
import typing
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai._calls.arguments import ARRAYS

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
    """One public method: `name` is dotted from the client on, `returns` what it is annotated to give.

    Of an HTTP call `path` is the template, `reply` the type of what it gives and `page` that of a list's pages; what is
    more than one call, or none, has no `verb`.
    """

    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    verb: str = ""
    path: str = ""
    reply: Any = None
    page: Any = None
    streams: bool = False

    def of(self, client: Any) -> Any:
        """The method on a client, ours or the reference's."""
        return resolve(client, self.name)


def resolve(client: Any, name: str) -> Any:
    found = client
    for part in name.split("."):
        found = getattr(found, part)
    return found


def methods(kind: type[AsyncOpenAI] | type[OpenAI] = AsyncOpenAI) -> list[Method]:
    """Every public method of every resource of one of our clients, in the order of their names."""
    client = kind(api_key="test", base_url="http://127.0.0.1")
    return sorted((_method(*each) for each in _below(client, "")), key=lambda method: method.name)


def method_names() -> list[str]:
    """The dotted names of all methods of the async client, without a look at each."""
    return [name for name, _ in _below(AsyncOpenAI(api_key="test"), "")]


def calls() -> list[Method]:
    """Those that are one HTTP call each."""
    return [method for method in methods() if method.verb]


def _below(resource: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in dir(type(resource)):
        if name.startswith(("_", "with_", "as_request")):
            continue
        found = inspect.getattr_static(type(resource), name)
        if isinstance(found, cached_property):
            yield from _below(getattr(resource, name), f"{prefix}{name}.")
        elif inspect.isfunction(found) and prefix:
            yield prefix + name, found


def _method(name: str, function: Any) -> Method:
    owner, _, own = function.__qualname__.partition(".")
    declared = getattr(stub(function.__module__)[owner], own)
    hints = typing.get_type_hints(declared, stub(function.__module__))
    described = function.described
    shown = [each for each in inspect.signature(described.shown).parameters.values() if each.name != "self"]
    required = {parameter.name for parameter in shown if parameter.default is inspect.Parameter.empty}
    needed = required.union(NEEDS.get(name, ()))
    request = getattr(described, "request", None)
    # A str where a list is due is refused.
    arguments: dict[str, Any] = {each: ["x"] if each in ARRAYS else "x" for each in needed}
    endpoint = None if request is None else request(**arguments).endpoint
    in_path = set() if endpoint is None else {field for _, field, _, _ in Formatter().parse(endpoint.path)}
    parameters = tuple(
        Parameter(each.name, hints[each.name], each.name in required, each.name in needed, each.name in in_path)
        for each in shown
    )
    found = Method(name, parameters, str(inspect.signature(declared).return_annotation))
    if endpoint is None:
        return found
    return found._replace(
        verb=endpoint.method,
        path=endpoint.path,
        reply=endpoint.reply,
        page=endpoint.page,
        streams=endpoint.event is not None,
    )


@cache
def stub(module: str) -> dict[str, Any]:
    """The names of a module's stub, run as a module: the types of parameters are there and nowhere else.

    The empty name has the signatures of overloaded methods, by qualified name.
    """
    file = sys.modules[module].__file__
    assert file is not None
    # `PathLike` is quoted in an alias, so it is looked up where the alias is used.
    signatures: dict[str, list[Any]] = {}

    def overloaded(function: Any) -> Any:
        signatures.setdefault(function.__qualname__, []).append(function)
        return function

    found: dict[str, Any] = {"__name__": module, "PathLike": os.PathLike, "overloaded": overloaded, "": signatures}
    text = Path(file).with_suffix(".pyi").read_text().replace("    @overload\n", "    @overloaded\n")
    text = f"from __future__ import annotations\n{text}"
    exec(compile(text, file, "exec", dont_inherit=True), found)
    return found
