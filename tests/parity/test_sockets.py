"""Connections: each method sends the message that the reference's sends, and each event is decoded equally."""

from __future__ import annotations

import importlib
import inspect
import json
import typing
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai._base.sentinels import is_left_out
from aiopenai._data.codec import Decoder

SOCKETS = {
    "responses": ("responses.responses", "Responses"),
    "beta.responses": ("beta.responses.responses", "Responses"),
    "realtime": ("realtime.realtime", "Realtime"),
    "realtime.translations": ("realtime.translations.translations", "Translations"),
    "live": ("live.live", "Live"),
    "live.forks": ("live.forks", "Forks"),
    "live.sideband": ("live.sideband", "Sideband"),
    "beta.realtime": ("beta.realtime.realtime", "Realtime"),
}
SENDERS = {
    "responses": 2,
    "beta.responses": 3,
    "realtime": 11,
    "realtime.translations": 3,
    "live": 15,
    "live.forks": 15,
    "live.sideband": 14,
    "beta.realtime": 12,
}


class Recorder:
    """Stands where a connection does."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, event: Any) -> None:
        self.sent.append(event)


def senders(part: Any, prefix: str = "") -> dict[str, Any]:
    """The methods of a connection's namespace and of those below it, by path."""
    found: dict[str, Any] = {}
    for name in dir(type(part)):
        if name.startswith("_"):
            continue
        declared = inspect.getattr_static(part, name)
        if inspect.isfunction(declared):
            found[prefix + name] = getattr(part, name)
        else:
            found |= senders(getattr(part, name), f"{prefix}{name}.")
    return found


def both(module: str, name: str) -> tuple[dict[str, Any], dict[str, Any], Recorder, Recorder]:
    ours = importlib.import_module(f"aiopenai.resources.{module}")
    theirs = importlib.import_module(f"openai.resources.{module}")
    recorders = Recorder(), Recorder()
    found: list[dict[str, Any]] = []
    for package, recorder in zip((ours, theirs), recorders, strict=True):
        methods: dict[str, Any] = {}
        for attribute, kind in theirs.__dict__[f"{name}Connection"].__annotations__.items():
            if kind.endswith("Resource"):
                methods |= senders(getattr(package, kind)(recorder), f"{attribute}.")
        found.append(methods)
    return found[0], found[1], *recorders


@pytest.mark.parametrize("path", SOCKETS)
def test_each_method_sends_the_message_of_the_reference(path: str) -> None:
    pytest.importorskip("openai")
    ours, theirs, own, due = both(*SOCKETS[path])
    assert ours.keys() == theirs.keys()
    assert len(ours) == SENDERS[path]
    for name, method in theirs.items():
        parameters = inspect.signature(method).parameters
        assert inspect.signature(ours[name]).parameters.keys() == parameters.keys(), name
        needed = {each: f"the {each}" for each, found in parameters.items() if found.default is found.empty}
        everything = {each: {"key": [each, None, 1]} for each in parameters}
        for arguments in (needed, everything):
            method(**arguments)
            ours[name](**arguments)
            sent, wanted = own.sent.pop(), due.sent.pop()
            # The reference keeps `omit` in a few messages; it is left out when they are encoded.
            assert sent == {key: value for key, value in wanted.items() if type(value).__name__ != "Omit"}, name


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("kind", [AsyncOpenAI, OpenAI], ids=["async", "blocking"])
def test_connects_have_the_defaults_of_the_reference(path: str, kind: Any) -> None:
    openai = pytest.importorskip("openai")

    def found(client: Any) -> dict[str, Any]:
        resource = client
        for name in path.split("."):
            resource = getattr(resource, name)
        parameters = inspect.signature(resource.connect).parameters.values()
        # Each package has an `omit` of its own.
        return {each.name: (each.kind, "omit" if is_left_out(each.default) else each.default) for each in parameters}

    assert found(kind(api_key="k")) == found(getattr(openai, kind.__name__)(api_key="k"))


@pytest.mark.parametrize("path", SOCKETS)
def test_each_event_is_decoded_as_the_references(path: str) -> None:
    """An object for each class of the union, by its `type`, with a field that no class has."""
    pytest.importorskip("openai")
    module, name = SOCKETS[path]
    ours = importlib.import_module(f"aiopenai.resources.{module}")
    connection = getattr(ours, f"{name}Connection")
    package, union = connection._event
    decode = Decoder.of(getattr(importlib.import_module(package), union))
    theirs = getattr(importlib.import_module(f"openai.resources.{module}"), f"{name}Connection")(Recorder())
    kinds = event_types(theirs)
    assert len(kinds) > 5
    for kind in kinds:
        raw = json.dumps({"type": kind, "event_id": "e", "delta": "d", "item_id": "i", "brand_new": {"a": [1]}})
        own, due = decode(raw.encode()), theirs.parse_event(raw)
        assert own.model_dump(mode="json", exclude_unset=True) == due.model_dump(
            mode="json", exclude_unset=True, warnings=False
        ), kind
        assert type(own).__name__ != "OpenObject", kind


def event_types(connection: Any) -> list[str]:
    """The values of `type` of the events of one of the reference's connections."""
    function = type(connection).recv
    annotation = typing.get_type_hints(function)["return"]
    found: list[str] = []

    def visit(node: Any) -> None:
        if typing.get_origin(node) is typing.Annotated or (typing.get_args(node) and not hasattr(node, "model_fields")):
            for each in typing.get_args(node):
                visit(each)
        elif hasattr(node, "model_fields") and "type" in node.model_fields:
            found.extend(typing.get_args(node.model_fields["type"].annotation))

    visit(annotation)
    return [each for each in found if isinstance(each, str)]
