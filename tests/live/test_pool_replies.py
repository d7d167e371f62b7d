"""Replies over a socket of a pool: bodies, streams, errors and lost sockets, in both clients."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    OpenAIError,
    RateLimitError,
    Timeout,
)
from aiopenai._http.messages import HTTPRequest
from aiopenai._live.pool_replies import Exchange, SocketReply
from aiopenai._live.pool_sockets import SocketPool
from aiopenai.testing import Server

from .conftest import Both, Peer
from .played import PlayedSocket
from .pooling import ASK, Answering, all_of, finished, pooled, sent


async def test_errors_are_the_usual_ones(both: Both, server: Server) -> None:
    async with pooled(both, server, size=1) as responses:
        with pytest.raises(BadRequestError) as caught:
            await both(responses.create, **ASK, previous_response_id="resp_none")
        assert caught.value.code == "previous_response_not_found"
        assert caught.value.request.method == "POST"
        with pytest.raises(BadRequestError):
            await both(responses.create, **ASK, previous_response_id="resp_none", stream=True)
        # The socket goes on.
        assert (await both(responses.create, **ASK)).output_text == "You said: Hi"
    assert sent(server) == [("GET", 3)]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"status": 429, "error": {"code": "rate_limit_exceeded", "message": "slow"}}, RateLimitError),
        ({"status": 401, "error": {"code": "invalid_api_key", "message": "no"}}, AuthenticationError),
        ({"error": {"type": "invalid_request_error", "message": "bad"}}, BadRequestError),
        ({"code": "server_error", "message": "down"}, OpenAIError),
    ],
    ids=["429", "401", "no-status", "flat"],
)
async def test_error_events(both: Both, event: dict[str, Any], kind: type[Exception]) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(json.dumps({"type": "error", **event}))
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server) as responses:
        with pytest.raises(kind, match=r"slow|no|bad|down"):
            await both(responses.create, **ASK)
        assert server.posted == []


async def test_the_limit_of_a_socket_leads_to_http(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        error = {"type": "invalid_request_error", "code": "websocket_connection_limit_reached", "message": "60 minutes"}
        await peer.say(json.dumps({"type": "error", "status": 400, "error": error}))
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server) as responses:
        assert (await both(responses.create, **ASK)).output_text == "by http"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_socket_lost_in_the_middle(both: Both, stream: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(finished(1)[0])
        await peer.end(1011)

    async with Answering(script) as server, pooled(both, server) as responses:
        with pytest.raises(APIConnectionError) as caught:
            await all_of(both, await both(responses.create, **ASK, stream=stream))
        assert server.posted == []
        if stream:
            assert caught.value.partial is not None


async def test_a_message_that_is_no_json(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(finished(1)[0], "no json")
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server) as responses:
        for stream in (False, True):
            with pytest.raises(APIResponseValidationError):
                await all_of(both, await both(responses.create, **ASK, stream=stream))
        # Its response might go on, so the socket carries no other.
        assert len(server.requests) == 2


async def test_line_breaks_in_events(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(*(json.dumps(json.loads(each), indent=1).replace("\n", "\r\n") for each in finished(1)))
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server) as responses:
        events = await all_of(both, await both(responses.create, **ASK, stream=True))
        assert [each.type for each in events] == ["response.created", "response.completed"]


async def test_a_read_timeout(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server, timeout=Timeout(read=0.05, connect=10)) as responses:
        for _ in range(2):
            with pytest.raises(APITimeoutError):
                await both(responses.create, **ASK)
        assert (len(server.requests), server.posted) == (2, [])


async def test_a_stream_that_is_left_early_frees_its_place(both: Both, server: Server) -> None:
    async with pooled(both, server, size=1) as responses:
        stream = await both(responses.create, **ASK, stream=True)
        await both(stream.close)
        assert (await both(responses.create, **ASK)).output_text == "You said: Hi"
    assert sent(server) == [("GET", 1), ("GET", 1)]


# Exchanges on websockets without a network


REQUEST = HTTPRequest("POST", "http://server/v1/responses")
CREATED = b'{"type":"response.created","response":{"id":"r1","status":"in_progress"}}'
DELTA = b'{"type":"response.output_text.delta","delta":"%d"}'
COMPLETED = b'{"type":"response.completed","response":{"id":"r1","status":"completed"}}'


async def exchanging(
    *frames: bytes, timeout: Timeout | None = None, code: int | None = None
) -> tuple[Exchange, PlayedSocket, SocketPool]:
    """An exchange on a socket of a pool of one."""
    websocket = PlayedSocket()

    async def shake_hands() -> Any:
        return websocket

    pool = SocketPool(shake_hands, 1)
    socket = await pool.take(None, None)
    assert socket is not None
    websocket.arrive(*frames, code=code)
    return Exchange(pool, socket, REQUEST, timeout or Timeout(10)), websocket, pool


async def test_a_socket_is_given_back_with_the_last_event() -> None:
    exchange, websocket, pool = await exchanging(CREATED, DELTA % 1, COMPLETED)
    reply = await exchange.reply(stream=False, limit=1_000)
    assert reply is not None
    assert (reply.status, reply.reason, reply.headers) == (200, "", {"content-type": "application/json"})
    assert json.loads(await reply.read()) == {"id": "r1", "status": "completed"}
    assert (exchange.ended, websocket.aborted, reply.request, reply.loop) == (True, False, REQUEST, pool.loop)
    # The context of the response is on this socket, which is free.
    assert await pool.take("r1", None) is exchange.socket


@pytest.mark.parametrize("ending", ["completed", "failed", "incomplete"])
async def test_events_that_end_a_response(ending: str) -> None:
    exchange, websocket, _ = await exchanging(CREATED, COMPLETED.replace(b"completed", ending.encode()))
    reply = await exchange.reply(stream=False, limit=1_000)
    assert reply is not None
    assert json.loads(await reply.read())["status"] == ending
    assert not websocket.aborted


async def test_a_stream_comes_in_batches() -> None:
    exchange, websocket, _ = await exchanging(CREATED, *(DELTA % number for number in range(3)))
    websocket.response.headers["x-request-id"] = "req_1"
    reply = await exchange.reply(stream=True, limit=10)
    assert reply is not None
    assert reply.headers == {"content-type": "text/event-stream", "x-request-id": "req_1"}
    assert not reply.closed
    assert not reply.at_end()
    assert await reply.read_some() == b"".join(
        b"data: %b\n\n" % event for event in (CREATED, *(DELTA % number for number in range(3)))
    )
    reading = asyncio.ensure_future(reply.read_some())
    await asyncio.sleep(0)
    assert not reading.done()
    websocket.arrive(COMPLETED)
    assert await reading == b"data: %b\n\n" % COMPLETED
    assert (reply.closed, reply.at_end(), await reply.read_some()) == (True, True, b"")
    assert not websocket.aborted


async def test_a_batch_of_a_stream_is_bounded() -> None:
    # Two of these are exactly as much as a batch takes.
    long = b'{"type":"x","text":"%b"}'.replace(b"%b", b"x" * (2**15 - 22))
    assert len(long) == 2**15
    exchange, websocket, _ = await exchanging(CREATED, long, long, long, COMPLETED)
    reply = await exchange.reply(stream=True, limit=10)
    assert reply is not None
    first = await reply.read_some()
    assert first.count(b"data: ") == 3
    assert websocket.waiting == 2
    assert (await reply.read_some()).count(b"data: ") == 2
    assert exchange.ended


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (b'{"a":\n1}', b'data: {"a": 1}\n\n'),
        (b'{"a":\r\n1}', b'data: {"a":  1}\n\n'),
        (b'{"a":\r1}', b'data: {"a": 1}\n\n'),
        (b'{"a":1}', b'data: {"a":1}\n\n'),
    ],
    ids=["lf", "crlf", "cr", "none"],
)
async def test_an_event_is_one_line(event: bytes, wanted: bytes) -> None:
    exchange, _, _ = await exchanging(event)
    reply = await exchange.reply(stream=True, limit=10)
    assert reply is not None
    assert await reply.read_some() == wanted


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"status": 400, "error": {"code": "c"}}, 400),
        ({"status": 599, "error": {"code": "c"}}, 599),
        ({"status": 600, "error": {"code": "c"}}, 500),
        ({"status": 399, "error": {"code": "c"}}, 500),
        ({"status": True, "error": {"code": "c"}}, 500),
        ({"status": "404", "error": {"code": "c", "type": "invalid_request_error"}}, 400),
        ({"error": {"code": "c", "type": "server_error"}}, 500),
        ({"code": "c", "message": "m", "param": None, "other": 1}, 500),
        ({"code": "c", "error": "text"}, 500),
    ],
    ids=["400", "599", "600", "399", "bool", "text", "server", "flat", "word"],
)
@pytest.mark.parametrize("later", [False, True], ids=["first", "later"])
async def test_statuses_of_error_events(event: dict[str, Any], status: int, later: bool) -> None:
    exchange, websocket, _ = await exchanging(
        *([CREATED] if later else []), json.dumps({"type": "error", **event}).encode()
    )
    reply = await exchange.reply(stream=False, limit=1_000)
    assert reply is not None
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    error = json.loads(await reply.read())["error"]
    assert error["code"] == "c"
    assert "other" not in error
    # The socket carries the next response.
    assert (exchange.ended, websocket.aborted) == (True, False)


@pytest.mark.parametrize(
    ("event", "useless"),
    [
        ({"status": 401, "error": {"code": "invalid_api_key"}}, True),
        ({"status": 400, "error": {"code": "websocket_connection_limit_reached"}}, True),
        ({"status": 403, "error": {"code": "no"}}, False),
    ],
    ids=["key", "age", "other"],
)
async def test_errors_that_end_a_socket(event: dict[str, Any], useless: bool) -> None:
    exchange, websocket, pool = await exchanging(json.dumps({"type": "error", **event}).encode())
    reply = await exchange.reply(stream=True, limit=1_000)
    assert (reply is None) == ("websocket_connection_limit_reached" in json.dumps(event))
    assert websocket.aborted == useless
    assert (await pool.take(None, 5) is exchange.socket) == (not useless)


async def test_a_body_above_the_limit_is_refused() -> None:
    size = len(json.dumps(json.loads(COMPLETED)["response"], separators=(",", ":")))
    for limit in (size, size - 1):
        exchange, _, _ = await exchanging(CREATED, COMPLETED)
        if limit == size:
            assert await exchange.reply(stream=False, limit=limit) is not None
        else:
            with pytest.raises(APIResponseValidationError, match=str(limit)):
                await exchange.reply(stream=False, limit=limit)


async def test_the_time_left_of_an_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("aiopenai._live.pool_replies.time", SimpleNamespace(perf_counter=lambda: now[0]))
    exchanges = {
        name: (await exchanging(timeout=timeout))[0]
        for name, timeout in {
            "none": Timeout(None),
            "read": Timeout(read=7),
            "total": Timeout(read=None, total=20),
            "both": Timeout(read=7, total=20),
        }.items()
    }
    for now[0], wanted in ((105.0, [None, 7, 15, 7]), (115.0, [None, 7, 5, 5]), (130.0, [None, 7, 0, 0])):
        assert [exchange._limit() for exchange in exchanges.values()] == wanted


@pytest.mark.parametrize("timeout", [Timeout(read=0.02), Timeout(read=None, total=0.02)], ids=["read", "total"])
async def test_a_silent_socket_is_dropped_at_the_time_limit(timeout: Timeout) -> None:
    exchange, websocket, _ = await exchanging(timeout=timeout)
    with pytest.raises(APITimeoutError, match="no event of the websocket") as caught:
        await exchange.reply(stream=True, limit=10)
    assert (websocket.aborted, exchange.ended, caught.value.request) == (True, True, REQUEST)


async def test_events_that_wait_need_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, _, _ = await exchanging(CREATED, COMPLETED, timeout=Timeout(read=0, total=0))
    monkeypatch.setattr(exchange, "_limit", lambda: pytest.fail("there is an event already"))
    assert await exchange.reply(stream=False, limit=1_000) is not None


async def test_a_send_that_takes_too_long() -> None:
    exchange, websocket, _ = await exchanging(timeout=Timeout(write=0.02))
    websocket.on_send = asyncio.get_running_loop().create_future
    with pytest.raises(APITimeoutError, match="the websocket takes no data"):
        await exchange.send(b"{}")
    assert (websocket.aborted, exchange.ended) == (True, True)


@pytest.mark.parametrize("step", ["send", "receive"])
async def test_a_cancelled_exchange_drops_its_socket(step: str) -> None:
    exchange, websocket, pool = await exchanging()
    websocket.on_send = asyncio.get_running_loop().create_future
    task = asyncio.ensure_future(exchange.send(b"{}") if step == "send" else exchange.receive())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (websocket.aborted, exchange.ended) == (True, True)
    assert await pool.take(None, 5) is not exchange.socket


async def test_a_frame_is_sent_as_text() -> None:
    exchange, websocket, _ = await exchanging()
    await exchange.send(b"{}")
    assert (websocket.texts, exchange.ended) == (["{}"], False)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_message_that_is_no_event_is_handed_on_and_ends_the_socket(stream: bool) -> None:
    exchange, websocket, _ = await exchanging(CREATED, b"\xff{")
    reply = await exchange.reply(stream=stream, limit=1_000)
    assert reply is not None
    body = await reply.read_some()
    assert body == (b"data: %b\n\ndata: \xff{\n\n" % CREATED if stream else b"\xff{")
    assert (websocket.aborted, reply.at_end()) == (True, True)


async def test_a_response_without_an_id_is_the_callers_to_judge() -> None:
    exchange, _, pool = await exchanging(b'{"type":"response.created","response":{"id":5}}', CREATED, COMPLETED)
    reply = await exchange.reply(stream=False, limit=1_000)
    assert reply is not None
    assert pool._homes == {"r1": exchange.socket}


@pytest.mark.parametrize("after", [0, 1], ids=["before the first event", "after it"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_socket_that_ends(after: int, stream: bool) -> None:
    exchange, _, _ = await exchanging(*[CREATED][:after], code=1006)
    if not after:
        assert await exchange.reply(stream=stream, limit=10) is None
    elif stream:
        reply = await exchange.reply(stream=True, limit=10)
        assert reply is not None
        assert await reply.read_some() == b"data: %b\n\n" % CREATED
        with pytest.raises(APIConnectionError, match="lost before the end") as caught:
            await reply.read_some()
        assert caught.value.request is REQUEST
    else:
        with pytest.raises(APIConnectionError, match="lost before the end"):
            await exchange.reply(stream=False, limit=10)


@pytest.mark.parametrize("way", ["close", "abandon", "del"])
async def test_a_stream_that_is_not_read_to_its_end_drops_its_socket(way: str) -> None:
    exchange, websocket, _ = await exchanging(CREATED)
    reply = await exchange.reply(stream=True, limit=10)
    assert reply is not None
    if way == "del":
        del reply
    else:
        getattr(reply, way)()
    await asyncio.sleep(0)
    assert (websocket.aborted, exchange.ended) == (True, True)


async def test_a_stream_at_its_end_keeps_its_socket() -> None:
    exchange, websocket, pool = await exchanging(CREATED, COMPLETED)
    reply = await exchange.reply(stream=True, limit=10)
    assert reply is not None
    await reply.read_some()
    reply.close()
    reply.abandon()
    await asyncio.sleep(0)
    assert not websocket.aborted
    assert await pool.take(None, 5) is exchange.socket


async def test_a_first_event_that_was_not_read_is_given_up_by_close() -> None:
    exchange, _, _ = await exchanging(b'{"type":"error","status":401}')
    exchange.ended = True
    reply = SocketReply(exchange, 200, 10, first=CREATED)
    assert (reply.at_end(), reply.closed) == (False, False)
    reply.close()
    assert (reply.at_end(), reply.closed) == (True, True)
    whole = SocketReply(exchange, 200, 10, body=b"{}")
    assert (whole.closed, whole.whole(), whole.closed, whole.whole()) == (False, b"{}", True, None)
