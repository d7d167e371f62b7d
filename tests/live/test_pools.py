"""Responses over a pool of sockets, in both clients, on the local server's response sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import CORO_CLOSED, getcoroutinestate
from typing import Any, cast
from unittest import mock

import msgspec
import pytest

from aiopenai import AsyncOpenAI, OpenAI, OpenAIError
from aiopenai._live import pool_sockets
from aiopenai._live.bridge import Bridge
from aiopenai._live.pools import _BridgeLoops
from aiopenai.testing import Server
from aiopenai.types.responses import Response

from .conftest import Both, Peer
from .pooling import ASK, Answering, all_of, finished, pooled, sent


async def test_each_form_of_a_call(both: Both, server: Server) -> None:
    class Answer(msgspec.Struct):
        word: str

    async with pooled(both, server, size=1) as responses:
        whole = await both(responses.create, **ASK)
        assert isinstance(whole, Response)
        assert whole.output_text == "You said: Hi"
        events = await all_of(both, await both(responses.create, **ASK, stream=True))
        assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
        assert events[-1].response.output_text == "You said: Hi"
        async with both.inside(responses.stream(**ASK)) as stream:
            assert (await both(stream.get_final_response)).output_text == "You said: Hi"
        server.answer = '{"word": "yes"}'
        parsed = await both(responses.parse, **ASK, text_format=Answer)
        assert parsed.output_parsed == Answer(word="yes")
        raw = await both(responses.with_raw_response.create, **ASK)
        assert (raw.status_code, json.loads(raw.text)["object"]) == (200, "response")
    assert sent(server) == [("GET", 5)]
    assert all("stream" not in json.loads(each) for each in server.journal[0].messages)


async def test_calls_at_once_share_the_sockets(both: Both, server: Server) -> None:
    async with pooled(both, server, size=3) as responses:
        made = await asyncio.gather(*(both(responses.create, model="m", input=str(n)) for n in range(20)))
    assert [each.output_text for each in made] == [f"You said: {n}" for n in range(20)]
    assert [method for method, _ in sent(server)] == ["GET"] * len(server.journal)
    assert 1 <= len(server.journal) <= 3
    assert sum(count for _, count in sent(server)) == 20


async def test_a_context_goes_to_its_socket(both: Both, server: Server) -> None:
    async with pooled(both, server, size=4) as responses:
        # The contexts of `store=False` exist on their own socket only.
        chains = await asyncio.gather(*(both(responses.create, **ASK, store=False) for _ in range(4)))
        for _ in range(3):
            calls = [both(responses.create, **ASK, previous_response_id=each.id, store=False) for each in chains]
            # Two branches of one context wait for the same socket.
            calls.append(both(responses.create, **ASK, previous_response_id=chains[0].id, store=False))
            *chains, _ = await asyncio.gather(*calls)
    assert {method for method, _ in sent(server)} == {"GET"}


async def test_known_contexts_cost_no_latency(both: Both, server: Server) -> None:
    async with pooled(both, server) as responses:
        last = await both(responses.create, **ASK)
        loaded: list[None] = []
        server.latency = lambda: loaded.append(None) or 0.0
        for _ in range(5):
            last = await both(responses.create, **ASK, previous_response_id=last.id)
        assert loaded == []
        await both(responses.create, **ASK, previous_response_id=last.id, extra_headers={"x-own": "1"})
        assert loaded != []


async def test_a_socket_that_was_closed_while_it_was_free_is_replaced(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say(*finished(1))
        await peer.end()

    async with Answering(script) as server, pooled(both, server, size=1) as responses:
        for _ in range(3):
            text = (await both(responses.create, **ASK)).output_text
            # The close frame may arrive during the next call, which goes over HTTP then.
            assert text in {"ok", "by http"}
        assert len(server.requests) >= 2


async def test_a_call_that_waits_for_a_lost_socket_goes_on(both: Both) -> None:
    heard, go_on = asyncio.Event(), asyncio.Event()

    async def lost(peer: Peer) -> None:
        await peer.hear()
        await peer.say(*finished(1))
        await peer.hear()
        heard.set()
        await go_on.wait()
        peer.cut()

    async def answering(peer: Peer) -> None:
        await peer.hear()
        await peer.say(*finished(2))
        await peer.socket.receive()

    async with Answering(lost, answering) as server, pooled(both, server, size=1) as responses:
        first = await both(responses.create, **ASK)
        running = asyncio.create_task(both(responses.create, **ASK, previous_response_id=first.id))
        await heard.wait()
        waiting = asyncio.create_task(both(responses.create, **ASK, previous_response_id=first.id))
        await asyncio.sleep(0.01)
        go_on.set()
        assert [each.output_text for each in await asyncio.gather(running, waiting)] == ["by http", "ok"]


async def test_sockets_are_replaced_when_they_are_old(
    both: Both, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pooled(both, server, size=1) as responses:
        first = await both(responses.create, **ASK)
        monkeypatch.setattr(pool_sockets, "MAX_AGE_SECONDS", 0.0)
        # Its context is stored, and is found by the new socket.
        await both(responses.create, **ASK, previous_response_id=first.id)
    assert sent(server) == [("GET", 1), ("GET", 1)]


async def test_a_call_that_is_cancelled_frees_its_place() -> None:
    heard = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.hear()
        heard.set()
        await peer.socket.receive()

    async def answering(peer: Peer) -> None:
        async for _ in peer.socket:
            await peer.say(*finished(1))

    both = Both(blocking=False)
    async with Answering(silent, answering) as server, pooled(both, server, size=1) as responses:
        running = asyncio.create_task(responses.create(**ASK))
        await heard.wait()
        waiting = [asyncio.create_task(responses.create(**ASK)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        running.cancel()
        done: list[Any] = await asyncio.gather(running, *waiting, return_exceptions=True)
        assert [type(each) for each in done[:2]] == [asyncio.CancelledError] * 2
        assert [each.output_text for each in done[2:]] == ["ok"] * 2
        assert server.posted == []
    await both.close()


async def test_after_the_block(both: Both, server: Server) -> None:
    async with pooled(both, server) as responses:
        await both(responses.create, **ASK)
    with pytest.raises(OpenAIError, match="pool of sockets is closed"):
        await both(responses.create, **ASK)


async def test_the_end_during_handshakes_and_calls(both: Both, server: Server, until: Any) -> None:
    """Calls of other tasks and threads end with the pool, whatever they wait for."""
    for delays in (True, False):
        server.clear()
        server.token_delay = 0.02
        if delays:
            server.fault(delay=3, times=None)
        pool = both.client(cast("Any", server)).responses.pool(size=2)
        responses = await both(pool.__enter__ if both.blocking else pool.__aenter__)
        calls = [asyncio.ensure_future(both(responses.create, **ASK)) for _ in range(4)]
        await until(lambda: server.request_count == 2)
        if not delays:
            await until(lambda: all(request.messages for request in server.journal))
        await both(pool.__exit__ if both.blocking else pool.__aexit__, None, None, None)
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, OpenAIError), repr(result)
            assert "pool of sockets" in str(result)
        server.clear_faults()


async def test_a_pool_is_entered_once(both: Both, server: Server) -> None:
    pool = both.client(cast("Any", server)).responses.pool()
    async with both.inside(pool):
        with pytest.raises(OpenAIError, match="entered before"):
            await both(pool.__enter__ if both.blocking else pool.__aenter__)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), ("8", TypeError), (True, TypeError)])
def test_sizes(size: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="size must be"):
        AsyncOpenAI(api_key="test").responses.pool(size=size)


async def add(a: int, b: int) -> int:
    """Returns the sum of two numbers."""
    return a + b


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_tool_loop_runs_over_the_pool(both: Both, server: Server, stream: bool) -> None:
    """`run_tools` sends each of its requests over a socket, and streams start the tools early."""
    given: dict[str, Any] = {**ASK, "tools": [add], "store": False}

    async def run(responses: Any) -> Any:
        if not stream:
            return await both(responses.run_tools, **given)
        events = await both(responses.run_tools, **given, stream=True)
        await all_of(both, events)
        return events.run

    async with pooled(both, server, size=1) as responses:
        done = await run(responses)
    assert [each.name for turn in done.turns for each in turn.executions] == ["add"]
    assert done.turns[0].executions[0].status == "completed"
    assert done.turns[-1].reply.output_text
    assert sent(server) == [("GET", 2)]


async def test_the_end_of_a_pool_closes_its_sockets_and_its_thread(
    both: Both, server: Server, until: Callable[..., Awaitable[None]]
) -> None:
    def threads() -> int:
        return sum(thread.name == "aiopenai-websockets" for thread in threading.enumerate())

    await until(lambda: not threads())
    client = both.client(cast("Any", server))
    pool = client.responses.pool(size=1)
    async with both.inside(pool) as responses:
        assert threads() == both.blocking
        await both(responses.create, **ASK)
        sockets = [*pool._sockets._open]
    assert [socket.websocket.closed for socket in sockets] == [True]
    await until(lambda: not threads())
    # The client itself goes on over HTTP.
    await both(client.responses.create, **ASK)
    assert [each.method for each in server.journal] == ["GET", "POST"]


async def test_an_async_pool_that_was_never_entered_ends() -> None:
    pool = AsyncOpenAI(api_key="test").responses.pool()
    assert await pool.__aexit__(None, None, None) is None


async def test_a_blocking_entry_that_fails_leaves_no_thread(
    own_server: Server, until: Callable[..., Awaitable[None]]
) -> None:
    before = {*threading.enumerate()}
    with OpenAI(api_key="test", base_url=own_server.base_url) as client:
        pool = client.responses.pool()
        with mock.patch.object(type(pool), "_start", side_effect=KeyError("mine")), pytest.raises(KeyError):
            await asyncio.to_thread(pool.__enter__)
    await until(lambda: not any(thread.name == "aiopenai-websockets" for thread in {*threading.enumerate()} - before))


def test_a_blocking_stream_over_a_pool_and_its_early_end(blocking: OpenAI, own_server: Server) -> None:
    with blocking.responses.pool(size=1) as responses:
        with responses.create(**ASK, stream=True) as stream:
            assert next(stream).type == "response.created"
        with responses.with_streaming_response.create(**ASK) as reply:
            lines = [*reply.iter_bytes(16)]
            assert json.loads(b"".join(lines))["object"] == "response"
        with responses.with_streaming_response.create(**ASK) as reply:
            assert len(next(iter(reply.iter_bytes(16)))) == 16
        pieces = responses.with_streaming_response.create(**ASK).__enter__().iter_bytes(16)
        next(pieces)
        pieces.close()
        assert responses.create(**ASK).output_text == "You said: Hi"


async def test_a_pool_that_ends_during_a_call(both: Both) -> None:
    heard = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.hear()
        heard.set()
        await peer.socket.receive()

    async with Answering(silent) as server:
        async with pooled(both, server, size=1) as responses:
            running = asyncio.ensure_future(both(responses.create, **ASK))
            await heard.wait()
        if both.blocking:
            # Its loop has ended with the pool.
            with pytest.raises(OpenAIError, match="closed"):
                await running
        else:
            assert (await running).output_text == "by http"
        assert len(server.posted) == (not both.blocking)


async def test_the_handshake_of_a_pool_is_not_retried_and_has_the_clients_limit(server: Server) -> None:
    both = Both(blocking=False)
    server.fault(status=503, match=lambda request: request.method == "GET", times=None)
    async with pooled(both, server, max_retries=4, max_response_bytes=123_456) as responses:
        assert (await both(responses.create, **ASK)).output_text == "You said: Hi"
    assert [each.method for each in server.journal] == ["GET", "POST"]
    await both.close()


def test_an_iteration_that_is_left_early_closes_its_generator() -> None:
    bridge, ended = Bridge(), []
    loops = _BridgeLoops(bridge)

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(3):
                yield number
        finally:
            ended.append("closed")

    bridge.hold(loops)
    assert [*loops.iterate(numbers())] == [0, 1, 2]
    assert ended == ["closed"]
    pieces = loops.iterate(numbers())
    assert (next(pieces), ended) == (0, ["closed"])
    pieces.close()
    assert ended == ["closed"] * 2
    late = loops.iterate(numbers())
    assert next(late) == 0
    bridge.release(loops)
    # The loop has closed the generator at its end, and there is nothing left to close.
    late.close()
    for thread in threading.enumerate():
        if thread.name == "aiopenai-websockets":
            thread.join(30)
    assert ended == ["closed"] * 3


def test_a_call_after_the_pool_leaves_no_coroutine() -> None:
    async def work() -> None:
        pytest.fail("the pool is closed")

    loops, coroutine = _BridgeLoops(Bridge()), work()
    with pytest.raises(OpenAIError, match="The pool of sockets is closed"):
        loops.run(coroutine)
    assert getcoroutinestate(coroutine) == CORO_CLOSED
    assert loops.lease() is loops
    loops.release()
    loops.close()
