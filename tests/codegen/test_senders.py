"""The words of methods that send an event: complete for all sockets, and read as one socket takes them from another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from inspect import getdoc, signature
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai._codegen.routes import ROUTES
from aiopenai._codegen.words import Words, read_words

COUNT = 75


def connection_class(socket: str, client: Any) -> type:
    """Returns the class of the connections of a socket, such as `live.forks`, in one of the clients."""
    resource = client
    for name in socket.split("."):
        resource = getattr(resource, name)
    kind: Any = type(resource.connect(**dict.fromkeys(required(resource.connect), "x")))
    name = kind.__name__.removesuffix("Manager")
    found = getattr(import_module(kind.__module__), name)
    assert isinstance(found, type)
    return found


def required(connect: Any) -> list[str]:
    return [each.name for each in signature(connect).parameters.values() if each.default is each.empty]


def methods(kind: type, module: Any, prefix: str, path: str = "") -> Iterator[tuple[str, Any]]:
    """The methods of a connection's namespaces, by path."""
    for name, member in vars(kind).items():
        if isinstance(member, cached_property):
            below = getattr(module, prefix + member.name)  # type: ignore[attr-defined]
            yield from methods(below, module, prefix, f"{path}{name}.")
        elif path and callable(member) and not name.startswith("_"):
            yield path + name, member


def senders(client: Any) -> dict[tuple[str, str], Any]:
    """All methods that send an event, by socket and event."""
    prefix = "Async" if isinstance(client, AsyncOpenAI) else ""
    found: dict[tuple[str, str], Any] = {}
    for socket in ROUTES:
        kind = connection_class(socket, client)
        module = import_module(kind.__module__)
        found |= {(socket, event): method for event, method in methods(kind, module, prefix)}
    return found


@pytest.mark.parametrize("client", [AsyncOpenAI, OpenAI], ids=["async", "blocking"])
def test_each_sender_has_its_sentences_at_run_time(client: Any) -> None:
    words = read_words()
    found = senders(client(api_key="k"))
    assert len(found) == COUNT
    for (socket, event), method in found.items():
        wanted = words.sender(tuple(socket.split(".")), event)
        assert " ".join((getdoc(method) or "").split()) == wanted, (socket, event)
        for name in list(signature(method).parameters)[1:]:
            assert words.sent(tuple(socket.split(".")), event, name), (socket, event, name)
    assert words.silent == set()
    assert [key for key in words.unknown() if key.startswith("senders")] == []


def test_an_answer_is_an_event_of_the_same_socket() -> None:
    """Events that the sentences name are events that the connections receive or send."""
    words = read_words()
    for socket, event in senders(OpenAI(api_key="k")):
        kind = connection_class(socket, OpenAI(api_key="k"))
        module, name = kind._event  # type: ignore[attr-defined]
        members = {each.__struct_config__.tag for each in getattr(import_module(module), name).__args__}
        members |= {known for where, known in senders(OpenAI(api_key="k")) if where == socket}
        text = words.sender(tuple(socket.split(".")), event)
        named = {part for part in text.split("`")[1::2] if "." in part and " " not in part}
        assert named - members == set(), (socket, event)


def test_a_socket_has_the_words_of_the_one_that_it_extends() -> None:
    words = Words(
        senders={
            "live.session.close": "Ends.",
            "live.forks.session.start": "Starts a copy.",
            "live.session.start": "Starts.",
            "gone.session.close": "Of no socket.",
            "responses.response.create.stream": "Always.",
        },
        parameters={"responses.create.input": "The input.", "responses.create.stream": "Not here."},
        dictionary={"event_id": "The id.", "model": "The model."},
    )
    assert words.sender(("live",), "session.close") == "Ends."
    assert words.sender(("live", "forks"), "session.close") == "Ends."
    assert words.sender(("live", "forks"), "session.start") == "Starts a copy."
    assert words.sender(("live", "sideband"), "session.start") == "Starts."
    assert words.sender(("realtime",), "session.close") == ""
    assert words.silent == {"realtime.session.close"}
    for socket in (("responses",), ("beta", "responses")):
        # The fields of an event are the parameters of the method with the same name, as long as nothing else is said.
        assert words.sent(socket, "response.create", "input") == "The input."
        assert words.sent(socket, "response.create", "stream") == "Always."
        assert words.sent(socket, "response.create", "model") == "The model."
        assert words.sent(socket, "response.create", "unknown") == ""
    assert words.sent(("live",), "session.close", "event_id") == "The id."
    assert words.unknown() == ["parameters.txt: responses.create.stream", "senders.txt: gone.session.close"]


@pytest.mark.parametrize("name", ["realtime", "live", "responses", "beta/realtime", "beta/responses"])
def test_stubs_describe_each_parameter(name: str) -> None:
    root = Path(import_module("aiopenai").__file__ or "").parent
    tree = ast.parse((root / "resources" / name / "_connections.pyi").read_text(encoding="utf-8"))
    found = 0
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for method in kind.body:
            if not isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) or method.name.startswith("_"):
                continue
            if method.decorator_list:
                continue
            doc = ast.get_docstring(method) or ""
            assert "\n\nSends `" in doc, (kind.name, method.name)
            for argument in method.args.kwonlyargs:
                assert f"\n    {argument.arg}: " in doc, (kind.name, method.name)
            found += 1
    assert found > 0
