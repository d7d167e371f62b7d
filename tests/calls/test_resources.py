"""The classes of resources: each of their methods can be replaced, and replacements are seen by all calls."""

from __future__ import annotations

import functools
import inspect
import pydoc
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

import aiopenai
from aiopenai import AsyncOpenAI, OpenAI, Request
from aiopenai._calls.raw import AsyncAPIResponse, LegacyAPIResponse
from aiopenai.resources import chat, files
from aiopenai.resources.chat import AsyncCompletions, Completions
from aiopenai.testing import Server

FORMS = [
    *("X", "AsyncX", "XWithRawResponse", "AsyncXWithRawResponse"),
    *("XWithStreamingResponse", "AsyncXWithStreamingResponse", "XAsRequest", "AsyncXAsRequest"),
]


class Tracer:
    """Replaces a method as tracers do: the replacement notes the arguments and calls the original."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.calls: list[dict[str, Any]] = []
        self.original = original

        @functools.wraps(original)
        def traced(resource: Any, *args: Any, **given: Any) -> Any:
            self.calls.append(given)
            return original(resource, *args, **given)

        self.traced = traced


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Any], str], Tracer]:
    def replace(owner: type[Any], name: str) -> Tracer:
        tracer = Tracer(getattr(owner, name))
        monkeypatch.setattr(owner, name, tracer.traced)
        return tracer

    return replace


class TestClasses:
    @pytest.mark.parametrize("form", FORMS)
    def test_names(self, form: str) -> None:
        for module, name in ((chat, "Completions"), (chat, "Chat"), (files, "Files")):
            own = form.replace("X", name, 1)
            made = getattr(module, own)
            assert (made.__name__, made.__qualname__, made.__module__) == (own, own, module.__name__)
            assert getattr(module, own) is made
            assert own in dir(module)
            assert "client." in made.__doc__

    def test_each_has_functions_of_its_own(self) -> None:
        assert not issubclass(AsyncCompletions, Completions)
        functions = {vars(getattr(chat, form.replace("X", "Completions", 1)))["create"] for form in FORMS}
        assert len(functions) == len(FORMS)
        assert all(inspect.isfunction(each) for each in functions)
        assert {each.__qualname__ for each in functions} == {
            f"{f.replace('X', 'Completions', 1)}.create" for f in FORMS
        }

    def test_helpers_are_in_no_view(self) -> None:
        for form in FORMS[2:]:
            assert "stream" not in vars(getattr(chat, form.replace("X", "Completions", 1)))
        with pytest.raises(AttributeError, match="nothing"):
            chat.nothing  # type: ignore[attr-defined]  # noqa: B018

    def test_names_that_there_are_not(self) -> None:
        for name in ("AsyncNothing", "ChatWithNothing", "AsyncAsyncChat", "AsyncSyncAPIResource", "WithRawResponse"):
            with pytest.raises(AttributeError, match=name):
                getattr(chat, name)

    async def test_made_with_a_client(self, client: AsyncOpenAI, blocking: OpenAI, messages: dict[str, Any]) -> None:
        assert (await AsyncCompletions(client).create(**messages)).object == "chat.completion"
        assert Completions(blocking).create(**messages).object == "chat.completion"

    def test_signatures(self, client: AsyncOpenAI, blocking: OpenAI) -> None:
        for each in (client, blocking):
            for holder in (each.chat.completions, each.chat.completions.with_raw_response, type(each.chat.completions)):
                parameters = inspect.signature(holder.create).parameters
                assert parameters["messages"].kind is inspect.Parameter.KEYWORD_ONLY
                assert list(parameters)[-9:] == [
                    *("extra_headers", "extra_query", "extra_body", "timeout", "max_retries"),
                    *("retry", "idempotency_key", "deadline", "hedge"),
                ]
        text = pydoc.plain(pydoc.render_doc(AsyncCompletions))
        for part in ("timeout=NOT_GIVEN", "extra_headers=None", "POST /chat/completions", "temperature="):
            assert part in text

    def test_completion_shows_public_names_only(self, client: AsyncOpenAI, blocking: OpenAI) -> None:
        for each in (client, blocking, client.chat.completions, client.with_raw_response.chat):
            names = [name for name in dir(each) if not name.startswith("__")]
            assert not [name for name in names if name.startswith("_")]
            assert not {"perform", "perform_raw", "open_response", "run", "resources", "send_raw"} & {*names}
        assert {"chat", "files", "with_raw_response", "close", "copy", "map"} <= {*dir(client)}
        assert {"create", "parse", "stream", "messages"} <= {*dir(client.chat.completions)}


@pytest.fixture
def messages() -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


class TestReplacing:
    """A method replaced on a class, a subclass or an instance is in the way of every call."""

    async def test_on_a_class(self, client: AsyncOpenAI, messages: dict[str, Any], traced: Any, server: Server) -> None:
        kept = client.chat.completions
        tracer = traced(AsyncCompletions, "create")
        assert (await kept.create(**messages)).object == "chat.completion"
        raw = await kept.with_raw_response.create(**messages, extra_headers={"X-Mine": "1"})
        assert isinstance(raw, LegacyAPIResponse)
        assert raw.parse().object == "chat.completion"
        async with client.with_streaming_response.chat.completions.create(**messages) as reply:
            assert isinstance(reply, AsyncAPIResponse)
            assert (await reply.parse()).object == "chat.completion"
        assert [set(call) - set(messages) for call in tracer.calls] == [set(), {"extra_headers"}, {"extra_headers"}]
        assert server.journal[1].headers["x-mine"] == "1"
        assert [name for each in server.journal for name in each.headers if "raw-response" in name.lower()] == []

    def test_on_the_blocking_class(self, blocking: OpenAI, messages: dict[str, Any], traced: Any) -> None:
        other = traced(AsyncCompletions, "create")
        tracer = traced(Completions, "create")
        assert blocking.chat.completions.create(**messages).object == "chat.completion"
        assert blocking.chat.completions.with_raw_response.create(**messages).parse().object == "chat.completion"
        with blocking.chat.completions.with_streaming_response.create(**messages) as reply:
            assert reply.parse().object == "chat.completion"
        with blocking.chat.completions.create(**messages, stream=True) as stream:
            assert next(iter(stream)).object == "chat.completion.chunk"
        assert (len(tracer.calls), other.calls) == (4, [])

    async def test_by_the_reference_path(self, client: AsyncOpenAI, messages: dict[str, Any]) -> None:
        path = "aiopenai.resources.chat.completions.AsyncCompletions.create"
        with mock.patch(path, autospec=True, return_value="patched") as patched:
            # `mock` finds a coroutine function, and makes one.
            assert await client.chat.completions.create(**messages) == "patched"  # type: ignore[comparison-overlap]
            raw = await client.with_raw_response.chat.completions.create(**messages)
            assert raw == "patched"  # type: ignore[comparison-overlap]
        assert patched.call_count == 2
        assert (await client.chat.completions.create(**messages)).object == "chat.completion"

    async def test_on_an_instance(self, client: AsyncOpenAI, messages: dict[str, Any]) -> None:
        seen: list[Any] = []
        original = client.chat.completions.create

        def create(**given: Any) -> Any:
            seen.append(given)
            return original(**given)

        client.chat.completions.create = create  # type: ignore[method-assign]
        await client.chat.completions.create(**messages)
        await client.chat.completions.with_raw_response.create(**messages)
        async with client.chat.completions.with_streaming_response.create(**messages):
            pass
        assert len(seen) == 3
        await client.copy().chat.completions.create(**messages)
        assert len(seen) == 3

    async def test_on_a_subclass(self, client: AsyncOpenAI, blocking: OpenAI, messages: dict[str, Any]) -> None:
        class Mine(AsyncCompletions):
            async def create(self, *args: Any, **given: Any) -> Any:
                return await super().create(*args, **{**given, "user": "me"})

        class MineBlocking(Completions):
            def create(self, *args: Any, **given: Any) -> Any:
                return super().create(*args, **{**given, "user": "me"})

        raw = await Mine(client).with_raw_response.create(**messages)
        assert raw.parse().object == "chat.completion"
        assert MineBlocking(blocking).with_raw_response.create(**messages).parse().object == "chat.completion"
        assert Mine(client).as_request.create(**messages).path == "/chat/completions"

    def test_the_modules_client(
        self, own_server: Server, messages: dict[str, Any], traced: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aiopenai._client.module._client", None)
        monkeypatch.setattr(aiopenai, "api_key", "sk")
        monkeypatch.setattr(aiopenai, "base_url", own_server.base_url)
        tracer = traced(Completions, "create")
        aiopenai.chat.completions.create(**messages)
        aiopenai.chat.completions.with_raw_response.create(**messages)
        assert len(tracer.calls) == 2
        aiopenai._client.module._client.close()

    def test_helpers_of_the_blocking_client(self, blocking: OpenAI, own_server: Server, traced: Any) -> None:
        """They are coroutines of the asynchronous resource, and still see the blocking class's methods."""
        own_server.reply_with("/files/f", {"id": "f", "object": "file", "status": "processed"})
        tracer = traced(files.Files, "retrieve")
        assert blocking.files.wait_for_processing("f").id == "f"
        assert len(tracer.calls) == 1

    @pytest.mark.parametrize("form", FORMS)
    def test_before_the_other_classes_are_made(self, form: str, traced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Classes are made at their first use; a replaced method of the blocking class is in none of the others."""
        monkeypatch.setattr(files.Files, "_variants", {})
        monkeypatch.setattr(files.Files, "create", None)
        tracer = traced(files.Files, "retrieve")
        made = getattr(files, form.replace("X", "Files", 1))
        assert {"create", "retrieve"} <= {*dir(made)}
        assert (vars(made)["retrieve"] is tracer.traced) == (made is files.Files)

    def test_on_both_classes(self, blocking: OpenAI, own_server: Server, traced: Any) -> None:
        """A helper of the blocking client calls the blocking class's method, also where both are replaced."""
        own_server.reply_with("/files/f", {"id": "f", "object": "file", "status": "processed"})
        tracer, other = traced(files.Files, "retrieve"), traced(files.AsyncFiles, "retrieve")
        assert blocking.files.wait_for_processing("f").id == "f"
        assert (len(tracer.calls), other.calls) == (1, [])

    async def test_headers_by_hand(self, client: AsyncOpenAI, messages: dict[str, Any]) -> None:
        for value, kind in (("true", LegacyAPIResponse), ("stream", AsyncAPIResponse)):
            headers = {"x-stainless-raw-response": value}
            reply: Any = await client.chat.completions.create(**messages, extra_headers=headers)
            assert isinstance(reply, kind)
            assert headers == {"x-stainless-raw-response": value}
        await reply.close()


class TestAsRequest:
    async def test_requests(self, client: AsyncOpenAI, messages: dict[str, Any], server: Server) -> None:
        for request in (
            client.chat.completions.as_request.create(**messages),
            client.as_request.chat.completions.create(**messages),
            client.chat.completions.create.request(**messages),  # type: ignore[attr-defined]
        ):
            assert isinstance(request, Request)
            assert request.body == messages
        assert server.request_count == 0
        assert (await client.send(request)).object == "chat.completion"

    def test_mistakes(self, client: AsyncOpenAI) -> None:
        with pytest.raises(TypeError, match="missing required arguments"):
            client.chat.completions.as_request.create(model="m")  # type: ignore[call-overload]
        with pytest.raises(AttributeError, match=r"stream\(\) makes several calls or none"):
            client.chat.completions.as_request.stream  # type: ignore[attr-defined]  # noqa: B018
