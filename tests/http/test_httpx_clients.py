"""Clients of httpx and httpx2 as `http_client`: translated when plain, used as they are when not."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from types import ModuleType
from typing import Any

import pytest

import aiopenai
from aiopenai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAI, RateLimitError, Timeout
from aiopenai._http.general import GeneralSession
from aiopenai._http.httpx_clients import HttpxSession, _base_of, adopt, is_plain
from aiopenai._http.interface import Settings
from aiopenai._http.messages import HTTPRequest
from aiopenai._http.multipart import MultipartBody
from aiopenai.testing import Server
from tests.http.mocked import CHUNK, COMPLETION, EVENTS

httpx = pytest.importorskip("httpx2")
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def answer(request: Any) -> Any:
    assert request.headers["authorization"] == "Bearer k"
    if json.loads(request.content).get("stream"):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=EVENTS.encode())
    return httpx.Response(200, json=COMPLETION, headers={"x-request-id": "r1"})


async def test_a_mock_transport_answers_the_async_client() -> None:
    own = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with own, AsyncOpenAI(api_key="k", base_url="http://mock/v1", http_client=own) as client:
        reply = await client.chat.completions.create(model="m", messages=MESSAGES)
        assert reply.choices[0].message.content == "mocked"
        assert reply._request_id == "r1"
        chunks = [
            each async for each in await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        ]
        assert [each.choices[0].delta.content for each in chunks] == ["mocked"]
        await client.close()
        assert own.is_closed
        assert client.is_closed()


async def test_a_reply_is_closed_at_once() -> None:
    async def sent() -> AsyncIterator[bytes]:
        yield f"data: {json.dumps(CHUNK)}\n\n".encode()

    def answer_in_pieces(_: Any) -> Any:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=sent())

    own = httpx.AsyncClient(transport=httpx.MockTransport(answer_in_pieces))
    async with own, AsyncOpenAI(api_key="k", base_url="http://mock/v1", http_client=own) as client:
        streaming = client.chat.completions.with_streaming_response
        async with streaming.create(model="m", messages=MESSAGES, stream=True) as reply:
            stream: Any = await reply.parse()
            assert not reply.is_closed
            await stream.close()
            assert reply.is_closed
        assert reply.is_closed


def test_a_mock_transport_answers_the_blocking_client() -> None:
    own = httpx.Client(transport=httpx.MockTransport(answer))
    with own, OpenAI(api_key="k", base_url="http://mock/v1", http_client=own) as client:
        assert client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message.content == "mocked"
        stream = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        assert [each.choices[0].delta.content for each in stream] == ["mocked"]


async def test_errors_are_the_packages_own() -> None:
    def fail(request: Any) -> Any:
        if request.url.path.endswith("/slow"):
            raise httpx.ReadTimeout("slow", request=request)
        if request.url.path.endswith("/gone"):
            raise httpx.ConnectError("gone", request=request)
        return httpx.Response(429, json={"error": {"message": "later"}})

    own = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    async with own, AsyncOpenAI(api_key="k", base_url="http://mock", max_retries=0, http_client=own) as client:
        for path, kind in (("/slow", APITimeoutError), ("/gone", APIConnectionError), ("/busy", RateLimitError)):
            with pytest.raises(kind):
                await client.get(path, cast_to=dict)


async def test_hooks_of_the_client_see_requests(server: Server) -> None:
    seen: list[str] = []

    async def note(request: Any) -> None:
        seen.append(request.url.path)

    own = httpx.AsyncClient(event_hooks={"request": [note]})
    async with own, AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=own) as client:
        await client.chat.completions.create(model="m", messages=MESSAGES)
    assert seen == ["/v1/chat/completions"]


async def test_a_plain_client_is_translated(server: Server) -> None:
    own = httpx.AsyncClient()
    async with own, AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=own) as client:
        await client.chat.completions.create(model="m", messages=MESSAGES)
        assert not own._transport._pool.connections


def test_a_client_of_the_other_kind_is_refused() -> None:
    with pytest.raises(TypeError, match=r"http_client of OpenAI must be an httpx\.Client"):
        OpenAI(api_key="k", http_client=httpx.AsyncClient())
    with pytest.raises(TypeError, match=r"http_client of AsyncOpenAI must be an httpx\.AsyncClient"):
        AsyncOpenAI(api_key="k", http_client=httpx.Client())


@pytest.mark.parametrize("name", ["respx", "tests.respx2", "pytest_httpx", "vcr"])
async def test_a_program_with_a_mock_keeps_its_client(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # These reach below the transport, also after the client was made.
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    own = httpx.AsyncClient()
    async with own, AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=own) as client:
        await client.chat.completions.create(model="m", messages=MESSAGES)
        assert own._transport._pool.connections


@pytest.mark.parametrize(
    "options",
    [
        {"uds": "/nowhere"},
        {"local_address": "127.0.0.1"},
        {"retries": 2},
        {"limits": {"max_connections": 3}},
        {"proxy": "http://127.0.0.1:9"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_connections_of_the_programs_own_kind_are_kept(options: dict[str, Any]) -> None:
    if "limits" in options:
        options = {"limits": httpx.Limits(**options["limits"])}
    with httpx.Client(transport=httpx.HTTPTransport(**options)) as own:
        assert adopt(own, blocking=True) == {"http_client": own}
    with httpx.Client() as plain:
        assert adopt(plain, blocking=True)["http_client"] is None


async def test_hooks_that_are_added_after_the_client_was_handed_over(server: Server) -> None:
    seen: list[str] = []

    async def see(request: Any) -> None:
        seen.append(request.url.path)

    async with (
        httpx.AsyncClient() as own,
        AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=own) as client,
    ):
        own.event_hooks["request"].append(see)
        await client.chat.completions.create(model="m", messages=MESSAGES)
        assert seen == ["/v1/chat/completions"]


async def test_socket_options_of_a_plain_client_are_set_on_the_connections(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Any, ...]] = []

    class Socket(socket.socket):
        def setsockopt(self, *option: Any) -> None:
            given.append(option)
            super().setsockopt(*option)

    option = (socket.SOL_SOCKET, socket.SO_RCVBUF, 70_000)
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
    transport = httpx.AsyncHTTPTransport(socket_options=[option], limits=limits)
    monkeypatch.setattr("aiopenai._http.connector.socket.socket", Socket)
    async with (
        httpx.AsyncClient(transport=transport) as own,
        AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=own) as client,
    ):
        await client.chat.completions.create(model="m", messages=MESSAGES)
        assert option in given


async def test_socket_options_that_the_system_refuses(server: Server) -> None:
    limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
    transport = httpx.AsyncHTTPTransport(socket_options=[(socket.IPPROTO_TCP, 9999, 1)], limits=limits)
    async with (
        httpx.AsyncClient(transport=transport) as own,
        AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=own, max_retries=0) as client,
    ):
        with pytest.raises(APIConnectionError):
            await client.chat.completions.create(model="m", messages=MESSAGES)


KINDS = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])


def pair(blocking: bool, options: dict[str, Any], **own: Any) -> tuple[Any, Any]:
    """Returns a client of httpx, and a client of the API with it."""
    below = (httpx.Client if blocking else httpx.AsyncClient)(**own)
    return below, (OpenAI if blocking else AsyncOpenAI)(api_key="k", http_client=below, **options)


@KINDS
@pytest.mark.parametrize(
    ("own", "given", "seconds"),
    [
        ({}, {}, (5.0, 600)),
        ({"timeout": 5}, {}, (5.0, 600)),
        ({"timeout": 7}, {}, (7, 7)),
        ({"timeout": None}, {}, (None, None)),
        ({"timeout": httpx.Timeout(9, connect=1)}, {}, (1, 9)),
        ({"timeout": 7}, {"timeout": 3}, (3, 3)),
        ({"timeout": 7}, {"timeout": None}, (None, None)),
    ],
    ids=["none", "usual", "seconds", "unlimited", "parts", "ours", "ours unlimited"],
)
def test_its_timeout_is_that_of_a_client_without_one(
    blocking: bool, own: dict[str, Any], given: dict[str, Any], seconds: tuple[Any, Any]
) -> None:
    _, client = pair(blocking, given, **own)
    for each in (client, client.copy()):
        assert (each.timeout.connect, each.timeout.read) == seconds
    usual = (OpenAI if blocking else AsyncOpenAI)(api_key="k")
    assert usual.copy(http_client=client._sessions.httpx_client).timeout == usual.timeout


def sent_by(server: Server, blocking: bool, own: dict[str, Any], **options: Any) -> Any:
    """Returns the request that arrives from a client with a client of httpx. The server may refuse it."""
    below, client = pair(blocking, {"base_url": server.base_url, "max_retries": 0, **options}, **own)
    if blocking:
        with below, client, suppress(APIStatusError):
            client.models.list()
    else:

        async def call() -> None:
            async with below, client:
                with suppress(APIStatusError):
                    await client.models.list()

        asyncio.run(call())
    assert below.is_closed
    return server.journal[-1]


@KINDS
class TestOptionsOfTheClient:
    def test_headers(self, blocking: bool) -> None:
        with Server() as server:
            own = {"headers": {"X-Own": "1", "X-Both": "1", "Authorization": "Bearer other"}}
            found = sent_by(server, blocking, own, default_headers={"X-Both": "2"})
            assert [found.headers[name] for name in ("x-own", "x-both", "authorization")] == ["1", "2", "Bearer k"]

    def test_parameters(self, blocking: bool) -> None:
        with Server() as server:
            assert sent_by(server, blocking, {"params": {"a": "1"}}).query == {"a": "1"}
            both = sent_by(server, blocking, {"params": {"a": "1", "c": "4"}}, default_query={"b": "2", "a": "3"})
            assert both.query == {"a": "3", "b": "2", "c": "4"}

    def test_cookies_auth_and_base_url(self, blocking: bool) -> None:
        with Server() as server:
            assert sent_by(server, blocking, {"cookies": {"c": "1"}}).headers["cookie"] == "c=1"
            assert sent_by(server, blocking, {"auth": ("u", "p")}).headers["authorization"] == "Basic dTpw"
            assert sent_by(server, blocking, {"base_url": "http://elsewhere/x"}).path == "/v1/models"

    def test_the_environment(self, blocking: bool) -> None:
        below, client = pair(blocking, {}, trust_env=False)
        assert client._sessions.wiring["trust_env"] is False
        assert client._sessions.wiring["plain_client"] is below


@KINDS
def test_copies_with_another_client(blocking: bool) -> None:
    plain, client = pair(blocking, {})
    cls = type(plain)
    mocked, other = cls(transport=httpx.MockTransport(answer)), cls()
    for below, name in ((mocked, "http_client"), (other, "plain_client"), (mocked, "http_client")):
        client = client.copy(http_client=below)
        assert client._sessions.wiring[name] is client._sessions.httpx_client is below
    assert not plain.is_closed


def test_the_modules_own_client_follows_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    package: Any = aiopenai
    monkeypatch.setattr(package, "api_key", "k")
    package._reset_client()
    given = {"model": "m", "messages": MESSAGES}
    try:
        for text in ("one", "two"):
            reply = json.loads(json.dumps(COMPLETION).replace("mocked", text))
            transport = httpx.MockTransport(lambda _, reply=reply: httpx.Response(200, json=reply))
            monkeypatch.setattr(package, "http_client", httpx.Client(transport=transport))
            assert package.chat.completions.create(**given).choices[0].message.content == text
    finally:
        package._reset_client()


@KINDS
@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_replies_as_responses_of_the_library(blocking: bool, name: str) -> None:
    library: Any = pytest.importorskip(name)
    given: dict[str, Any] = {"cast_to": library.Response, "body": {"model": "m", "messages": MESSAGES}}

    async def call(url: str) -> Any:
        async with AsyncOpenAI(api_key="k", base_url=url) as client:
            return await client.post("/chat/completions", **given)

    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        found = client.post("/chat/completions", **given) if blocking else asyncio.run(call(server.base_url))
    assert type(found) is library.Response
    assert (found.status_code, found.json()["object"], found.is_success) == (200, "chat.completion", True)
    assert found.request.url.path == "/v1/chat/completions"
    assert found.headers["content-type"].startswith("application/json")
    assert "Bearer k" not in str(found.request.headers)


def transport_of(answer: Any) -> Any:
    return httpx.MockTransport(answer)


class TestSession:
    """The session itself, without a client above it."""

    async def test_parameters_of_the_client_and_of_the_url(self) -> None:
        urls: list[str] = []

        def note(request: Any) -> Any:
            urls.append(str(request.url))
            return httpx.Response(200, content=b"{}")

        for params in ({}, {"own": "1"}):
            async with httpx.AsyncClient(transport=transport_of(note), params=params) as own:
                session = HttpxSession(Settings(http_client=own))
                for url in ("http://h/x?q=2", "http://h/x"):
                    reply = await session.send("GET", url, {}, None, Timeout(5))
                    assert await reply.read() == b"{}"
        assert urls == ["http://h/x?q=2", "http://h/x", "http://h/x?own=1&q=2", "http://h/x?own=1"]

    @pytest.mark.parametrize("blocking", [False, True])
    async def test_a_reply(self, blocking: bool) -> None:
        headers = [("x-a", "1"), ("x-a", "2")]
        transport = transport_of(lambda _: httpx.Response(201, headers=headers, content=b"abc"))
        own = httpx.Client(transport=transport) if blocking else httpx.AsyncClient(transport=transport)
        session = HttpxSession(Settings(http_client=own))
        assert (session.blocking, session.closed) == (blocking, False)
        reply = await session.send("POST", "http://h/x", {"x-b": "3"}, b"body", Timeout(5))
        assert (reply.status, reply.reason, reply.loop) == (201, "Created", asyncio.get_running_loop())
        assert (reply.request.method, reply.request.headers["x-b"]) == ("POST", "3")
        assert [pair for pair in reply.items() if pair[0] == "x-a"] == headers
        assert [await reply.read_some(), await reply.read_some()] == [b"abc", b""]
        assert reply.at_end()
        reply.close()
        assert reply.closed
        if blocking:
            own.close()
        else:
            await own.aclose()
        assert session.closed

    @pytest.mark.parametrize("blocking", [False, True])
    async def test_empty_pieces_are_no_end(self, blocking: bool) -> None:
        class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[misc,name-defined]
            def __iter__(self) -> Any:
                return iter([b"", b"a", b"", b"b"])

            async def __aiter__(self) -> Any:
                for piece in self:
                    yield piece

        transport = transport_of(lambda _: httpx.Response(200, stream=Pieces()))
        own = httpx.Client(transport=transport) if blocking else httpx.AsyncClient(transport=transport)
        reply = await HttpxSession(Settings(http_client=own)).send("GET", "http://h/x", {}, None, Timeout(5))
        assert [await reply.read_some() for _ in range(3)] == [b"a", b"b", b""]

    async def test_errors_of_the_package_pass(self) -> None:
        error = APIConnectionError(message="own", request=HTTPRequest("GET", "http://h", {}))

        def fail(_: Any) -> Any:
            raise error

        async with httpx.AsyncClient(transport=transport_of(fail)) as own:
            with pytest.raises(APIConnectionError) as caught:
                await HttpxSession(Settings(http_client=own)).send("GET", "http://h/x", {}, None, Timeout(5))
            assert caught.value is error

    async def test_websockets_run_on_a_session_of_their_own(self) -> None:
        async with httpx.AsyncClient() as own:
            session = HttpxSession(Settings(http_client=own, max_response_bytes=77))
            # Nothing to close yet.
            await session.shut()
            general = session.general()
            assert isinstance(general, GeneralSession)
            assert session.general() is general
            assert general.settings.max_response_bytes == 77
            session.forget()
            await session.shut()
            assert general.closed
            assert not own.is_closed

    async def test_a_closed_loop_leaves_the_reply(self) -> None:
        async with httpx.AsyncClient(transport=transport_of(lambda _: httpx.Response(200, content=b"x"))) as own:
            session = HttpxSession(Settings(http_client=own))
            reply: Any = await session.send("GET", "http://h/x", {}, None, Timeout(5))
            session.loop = asyncio.new_event_loop()
            session.loop.close()
            reply.abandon()
            assert reply.closed
            await reply.aclose()

    def test_other_objects_are_no_clients(self) -> None:
        with pytest.raises(TypeError, match="Server, which is no client of httpx"):
            _base_of(object.__new__(Server))


class TestPlainClients:
    @pytest.mark.parametrize(
        ("options", "plain"),
        [
            ({}, True),
            ({"http2": False}, True),
            ({"auth": ("us", "pw")}, False),
            ({"params": {"a": "1"}}, False),
            ({"cookies": {"a": "1"}}, False),
            ({"headers": {"x-a": "1"}}, False),
            ({"headers": {"user-agent": "own"}}, True),
            ({"event_hooks": {"request": [print]}}, False),
            ({"limits": "own"}, False),
        ],
        ids=range(9),
    )
    def test_options(self, options: dict[str, Any], plain: bool) -> None:
        if options.get("limits"):
            options = {"limits": httpx.Limits(max_connections=3)}
        with httpx.Client(**options) as own:
            assert is_plain(own) == plain

    def test_classes_of_the_program(self) -> None:
        class Named(httpx.Client):  # type: ignore[misc,name-defined]
            pass

        class Sending(httpx.Client):  # type: ignore[misc,name-defined]
            def send(self, *arguments: Any, **options: Any) -> Any:
                return super().send(*arguments, **options)

        with Named() as named, Sending() as sending:
            assert (is_plain(named), is_plain(sending)) == (True, False)

    def test_a_replaced_method_of_the_transport(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with httpx.Client() as own:
            monkeypatch.setattr(type(own._transport), "handle_request", lambda *_: None)
            assert not is_plain(own)


class TestBodies:
    @pytest.mark.parametrize("size", [3, 3_000_000])
    async def test_forms_bytes_and_sources(self, size: int) -> None:
        seen: list[tuple[str, bytes]] = []

        def note(request: Any) -> Any:
            seen.append((request.headers.get("content-type", ""), request.content))
            return httpx.Response(200, content=b"{}")

        async def source() -> AsyncIterator[bytes]:
            yield b"a" * size
            yield b"b"

        form = MultipartBody({"purpose": "batch"}, {"file": ("a.txt", b"x" * size)})
        async with httpx.AsyncClient(transport=transport_of(note)) as own:
            session = HttpxSession(Settings(http_client=own))
            for body in (form, source(), bytearray(b"c"), None):
                await session.send("POST", "http://h/x", {"Content-Type": "text/plain"}, body, Timeout(5))
        assert seen[0][0] == form.content_type
        assert b"x" * size in seen[0][1]
        assert seen[1:] == [("text/plain", b"a" * size + b"b"), ("text/plain", b"c"), ("text/plain", b"")]
