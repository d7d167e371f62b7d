"""Requests as they are sent, with extra headers, query and body."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

import pytest

import aiopenai
from aiopenai import APIConnectionError, AsyncOpenAI, AsyncStream, CallInfo, Hooks, not_given, omit
from aiopenai._client.sending import is_stream_class
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk

T = TypeVar("T")


def make(server: Server, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, **options})


def sent(server: Server) -> Any:
    return server.journal[-1].headers


@pytest.mark.usefixtures("transport")
class TestHeaders:
    async def test_usual(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, organization="org-1", project="proj-1") as client:
            await client.chat.completions.create(**chat)
            headers = sent(server)
            assert headers["authorization"] == "Bearer sk-test"
            assert headers["openai-organization"] == "org-1"
            assert headers["openai-project"] == "proj-1"
            assert headers["content-type"] == "application/json"
            assert headers["accept"] == "application/json"
            assert headers["user-agent"] == f"AsyncOpenAI/aiopenai {aiopenai.__version__}"
            assert headers["x-stainless-retry-count"] == "0"
            assert headers["x-stainless-read-timeout"] in ("600", "600.0")
            await client.models.list()
            assert "content-type" not in sent(server)

    async def test_the_environments(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-One: 1\nX-Two:two : halves\nnonsense\n X-Three : 3 \n: none")
        async with make(server, default_headers={"x-one": "given"}) as client:
            await client.models.list()
        headers = sent(server)
        assert [headers.getall(name) for name in ("x-one", "x-two", "x-three")] == [["given"], ["two : halves"], ["3"]]

    async def test_layers(self, server: Server) -> None:
        async with make(server, default_headers={"X-A": "client", "X-B": "client", "User-Agent": "mine"}) as client:
            await client.models.list(extra_headers={"x-a": "call", "X-C": "call"})
            headers = sent(server)
            assert [headers.getall(name) for name in ("x-a", "x-b", "x-c")] == [["call"], ["client"], ["call"]]
            assert headers.getall("user-agent") == ["mine"]
            await client.models.list()
            assert sent(server)["x-a"] == "client"

    async def test_omit_removes(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, default_headers={"X-A": "1", "user-agent": omit}) as client:  # type: ignore[dict-item]
            await client.chat.completions.create(**chat, extra_headers={"x-a": omit, "X-Stainless-Retry-Count": omit})
            headers = sent(server)
            assert "x-a" not in headers
            assert "x-stainless-retry-count" not in headers
            assert not headers.get("user-agent", "").startswith("AsyncOpenAI")
            # No credentials are sent where they are left out; the server then says so.
            with pytest.raises(aiopenai.AuthenticationError):
                await client.chat.completions.create(**chat, extra_headers={"Authorization": omit})
            assert "authorization" not in sent(server)
        async with AsyncOpenAI(
            admin_api_key="a", base_url=server.base_url, default_headers={"Authorization": "Basic x"}
        ) as client:
            server.reply_with("/models", {"object": "list", "data": []})
            await client.models.list()
            assert sent(server)["authorization"] == "Basic x"

    async def test_an_idempotency_key(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=2)
        await client.chat.completions.create(**chat, idempotency_key="once")
        await client.chat.completions.create(**chat)
        assert [r.headers.get("idempotency-key") for r in server.journal] == ["once"] * 3 + [None]

    @pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
    async def test_no_header_can_be_smuggled(self, value: str, client: AsyncOpenAI, server: Server) -> None:
        with pytest.raises((ValueError, APIConnectionError)):
            await client.with_options(max_retries=0).models.list(extra_headers={"X-A": value})
        assert server.request_count == 0


class TestExtras:
    async def test_query_and_body(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, default_query={"v": "1", "w": "2"}) as client:
            await client.chat.completions.create(
                **chat,
                temperature=1,
                extra_query={"w": "call", "n": [1, 2]},
                extra_body={"temperature": 0, "new": {"a": 1}},
            )
        request = server.journal[-1]
        assert request.query == {"v": "1", "w": "call", "n[]": "2"}
        assert request.json() == {**chat, "temperature": 0, "new": {"a": 1}}

    async def test_query_of_the_base_url(self, server: Server) -> None:
        async with make(server, base_url=server.base_url + "?api-version=7") as client:
            await client.models.list(extra_query={"a": "b c&d"})
            await client.copy().models.list()
        assert [r.query for r in server.journal] == [{"api-version": "7", "a": "b c&d"}, {"api-version": "7"}]

    async def test_extra_body_alone(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=200, body={}, times=2)
        await client.responses.cancel("r", extra_body={"a": 1})
        assert server.journal[-1].json() == {"a": 1}
        await client.models.list(extra_body={"a": 1})
        assert server.journal[-1].body == b""  # a GET has none

    async def test_extra_body_must_fit(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="extra_body"):
            await client.chat.completions.create(**chat, extra_body=[1])
        assert server.request_count == 0

    async def test_what_cannot_be_sent(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="metadata"):
            await client.chat.completions.create(**chat, metadata={"a": object()})  # type: ignore[dict-item]
        assert server.request_count == 0

    async def test_omitted_parameters_are_not_sent(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        await client.chat.completions.create(**chat, temperature=omit, stop=not_given, n=None)  # type: ignore[arg-type]
        assert server.journal[-1].json() == {**chat, "n": None}

    async def test_timeout_of_a_call(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        await client.chat.completions.create(**chat, timeout=12.5)
        assert sent(server)["x-stainless-read-timeout"] == "12.5"
        await client.chat.completions.create(**chat, timeout=None)
        assert "x-stainless-read-timeout" not in sent(server)
        await client.chat.completions.create(**chat, timeout=not_given)
        assert sent(server)["x-stainless-read-timeout"] in ("600", "600.0")
        with pytest.raises(TypeError, match="timeout"):
            await client.chat.completions.create(**chat, timeout="5")


class TestPages:
    """The next page of a list is asked for with the options of the first one."""

    async def test_options_are_kept(self, client: AsyncOpenAI, server: Server) -> None:
        item = {"id": "a", "object": "file"}
        server.reply_with("/files", {"data": [item], "has_more": True})
        options: dict[str, Any] = {"timeout": 12.5, "max_retries": 1, "extra_headers": {"X-A": "1"}}
        page = await client.files.list(limit=1, extra_query={"q": "1"}, **options)
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=2)
        with pytest.raises(aiopenai.InternalServerError):
            await page.get_next_page()
        first, second, third = server.journal
        for request in (first, second, third):
            assert request.headers["x-stainless-read-timeout"] == "12.5"
            assert request.headers["x-a"] == "1"
            assert (request.query["limit"], request.query["q"]) == ("1", "1")
        assert "after" not in first.query
        assert second.query["after"] == third.query["after"] == "a"

    def test_in_the_blocking_client(self) -> None:
        with Server() as server, aiopenai.OpenAI(api_key="k", base_url=server.base_url) as client:
            server.reply_with("/files", {"data": [{"id": "a"}], "has_more": True})
            page = client.files.list(timeout=12.5, extra_headers={"X-A": "1"})
            page.get_next_page()
            assert server.journal[-1].headers["x-stainless-read-timeout"] == "12.5"
            assert server.journal[-1].headers["x-a"] == "1"
            assert server.journal[-1].query["after"] == "a"


class Told(Hooks):
    """Hooks that note their names and the state of the call."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.errors: list[Any] = []

    def on_request(self, call: CallInfo) -> None:
        self.names.append("request")

    def on_response(self, call: CallInfo) -> None:
        self.names.append("response")

    def on_stream_end(self, call: CallInfo) -> None:
        self.names.append("end")

    def on_error(self, call: CallInfo) -> None:
        self.names.append("error")
        self.errors.append(call.error)


@pytest.mark.usefixtures("transport")
class TestForms:
    """The forms of a call: plain, raw, unread, once; with and without hooks."""

    @pytest.mark.parametrize("hooked", [False, True])
    async def test_replies(self, hooked: bool, server: Server, chat: dict[str, Any]) -> None:
        told = Told()
        async with make(server, hooks=told if hooked else None) as client:
            create = client.chat.completions
            assert (await create.create(**chat)).choices
            raw = await create.with_raw_response.create(**chat)
            assert raw.parse().choices
            assert raw.parse(to=dict)["choices"]
            async with create.with_streaming_response.create(**chat) as unread:
                assert (await unread.parse()).choices
            async with create.with_streaming_response.create(**chat) as unread:
                await unread.read()
                assert (await unread.parse(to=dict))["choices"]
            once = await client.attempt(create.create.request(**chat), taken=3)
            assert once.retries_taken == 3
            assert server.journal[-1].headers["x-stainless-retry-count"] == "3"
        assert told.names == ["request", "response"] * 5 * hooked

    @pytest.mark.parametrize("hooked", [False, True])
    async def test_streams(self, hooked: bool, server: Server, chat: dict[str, Any]) -> None:
        told = Told()
        async with make(server, hooks=told if hooked else None) as client:
            create = client.chat.completions
            assert len([event async for event in await create.create(**chat, stream=True)]) > 1
            raw = await create.with_raw_response.create(**chat, stream=True)
            stream: Any = raw.parse()
            assert type(stream) is AsyncStream
            assert len([event async for event in stream]) > 1
            raw = await create.with_raw_response.create(**chat, stream=True)
            assert all([isinstance(event, dict) async for event in cast("Any", raw.parse(to=dict))])
            raw = await create.with_raw_response.create(**chat, stream=True)
            mine: Any = raw.parse(to=Mine)
            assert type(mine) is Mine
            assert {type(event) async for event in mine} == {ChatCompletionChunk}
            raw = await create.with_raw_response.create(**chat, stream=True)
            assert {type(event) async for event in cast("Any", raw.parse(to=Mine[dict]))} == {dict}
            async with create.with_streaming_response.create(**chat, stream=True) as unread:
                assert len([event async for event in cast("Any", await unread.parse())]) > 1
        assert told.names.count("request") == 6 * hooked
        assert told.names.count("end") == 5 * hooked

    @pytest.mark.parametrize("hooked", [False, True])
    async def test_errors(self, hooked: bool, server: Server, chat: dict[str, Any]) -> None:
        told = Told()
        server.fault(status=400, times=None)
        async with make(server, hooks=told if hooked else None) as client:
            create = client.chat.completions
            with pytest.raises(aiopenai.BadRequestError):
                await create.create(**chat)
            with pytest.raises(aiopenai.BadRequestError):
                await create.with_raw_response.create(**chat)
            with pytest.raises(aiopenai.BadRequestError):
                await client.attempt(create.create.request(**chat))
            with pytest.raises(aiopenai.BadRequestError):
                async with create.with_streaming_response.create(**chat):
                    pass
        assert told.names == ["request", "error"] * 4 * hooked
        assert all(isinstance(error, aiopenai.BadRequestError) for error in told.errors)

    @pytest.mark.parametrize(("retries", "cuts", "ok"), [(2, 1, True), (2, 3, False), (0, 1, False)])
    async def test_a_stream_that_breaks_off_before_its_first_event(
        self, retries: int, cuts: int, ok: bool, server: Server, chat: dict[str, Any]
    ) -> None:
        async with make(server, max_retries=retries) as client:
            await client.models.list()
            server.clear()
            server.fault(cut_after=0, times=cuts, match="completions")
            stream = client.chat.completions.create(**chat, stream=True)
            if ok:
                assert len([event async for event in await stream]) > 1
            else:
                with pytest.raises(APIConnectionError):
                    _ = [event async for event in await stream]
        assert len(server.journal) == min(cuts, retries + 1) + ok


class Mine(AsyncStream[T], Generic[T]):
    """A stream class of the program."""


def test_stream_classes() -> None:
    assert is_stream_class(AsyncStream)
    assert is_stream_class(AsyncStream[dict])
    assert is_stream_class(Mine)
    for other in (dict, None, ChatCompletionChunk, list[int]):
        assert not is_stream_class(other)
