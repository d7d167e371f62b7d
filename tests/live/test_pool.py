"""Responses over a pool of sockets, in both clients, on the local server's response sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any, cast

import msgspec
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
from aiopenai._live import pool_sockets
from aiopenai.testing import Server
from aiopenai.types.responses import Response

from .conftest import Both, Peer, Scripted

ASK: dict[str, Any] = {"model": "gpt-4o", "input": "Hi"}


@contextlib.asynccontextmanager
async def pooled(both: Both, server: Any, size: int = 2, **options: Any) -> AsyncGenerator[Any, None]:
    """The responses of a pool, in either client."""
    async with both.inside(both.client(server, **options).responses.pool(size=size)) as responses:
        yield responses


async def all_of(both: Both, stream: Any) -> list[Any]:
    return await asyncio.to_thread(list, stream) if both.blocking else [event async for event in stream]


def sent(server: Server) -> list[tuple[str, int]]:
    """The verb of each request, and the number of messages on its socket."""
    return [(each.method, len(each.messages)) for each in server.journal]


def finished(number: int, text: str = "ok") -> list[str]:
    """The events of a short response."""
    item: dict[str, Any] = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": []}
    item["content"] = [{"type": "output_text", "text": text, "annotations": []}]
    response: dict[str, Any] = {"id": f"resp_{number}", "object": "response", "status": "completed", "output": [item]}
    begun: dict[str, Any] = {**response, "status": "in_progress", "output": ()}
    return [
        json.dumps({"type": "response.created", "sequence_number": 0, "response": begun}),
        json.dumps({"type": "response.completed", "sequence_number": 1, "response": response}),
    ]


class Answering(Scripted):
    """A scripted server that answers POST requests over HTTP."""

    def __init__(self, *scripts: Any) -> None:
        super().__init__(*scripts)
        self.posted: list[Any] = []

    async def _handle(self, request: Any) -> Any:
        from aiohttp import web

        if request.method != "POST":
            return await super()._handle(request)
        self.posted.append(await request.json())
        return web.json_response(json.loads(finished(99, "by http")[1])["response"])


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


async def test_other_methods_and_calls_with_headers_of_their_own_go_over_http(both: Both, server: Server) -> None:
    async with pooled(both, server) as responses:
        made = await both(responses.create, **ASK, extra_headers={"x-own": "1"})
        assert (await both(responses.retrieve, made.id)).id == made.id
        await both(responses.create, **ASK, extra_query={"a": "b"})
        await both(responses.create, **ASK, background=True)
        await both(responses.create, **ASK, idempotency_key="k")
    assert [each.method for each in server.journal] == ["POST", "GET", "POST", "POST", "POST"]
    assert server.journal[0].headers["x-own"] == "1"


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


async def test_an_error_is_retried_as_a_call_is(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        await peer.say('{"type": "error", "status": 503, "error": {"message": "busy"}}')
        await peer.hear()
        await peer.say(*finished(1))
        await peer.socket.receive()

    async with Answering(script) as server, pooled(both, server, max_retries=1) as responses:
        assert (await both(responses.create, **ASK)).output_text == "ok"
        assert (len(server.requests), server.posted) == (1, [])


async def test_a_failed_handshake_leads_to_http(both: Both, server: Server) -> None:
    server.fault(status=503, match=lambda request: request.method == "GET", times=None)
    async with pooled(both, server) as responses:
        made = await asyncio.gather(*(both(responses.create, **ASK) for _ in range(9)))
        events = await all_of(both, await both(responses.create, **ASK, stream=True))
    assert {each.output_text for each in made} == {"You said: Hi"}
    assert events[-1].type == "response.completed"
    methods = [each.method for each in server.journal]
    assert methods.count("POST") == 10
    # After the first failures no call waits for another handshake.
    assert methods.count("GET") <= 2


async def test_a_socket_lost_before_the_first_event_leads_to_http(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.hear()
        peer.cut()

    async with Answering(script) as server, pooled(both, server) as responses:
        assert (await both(responses.create, **ASK)).output_text == "by http"
        assert server.posted == [ASK]


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


async def test_sockets_are_replaced_when_they_are_old(
    both: Both, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pooled(both, server, size=1) as responses:
        first = await both(responses.create, **ASK)
        monkeypatch.setattr(pool_sockets, "MAX_AGE_SECONDS", 0.0)
        # Its context is stored, and is found by the new socket.
        await both(responses.create, **ASK, previous_response_id=first.id)
    assert sent(server) == [("GET", 1), ("GET", 1)]


async def test_a_stream_that_is_left_early_frees_its_place(both: Both, server: Server) -> None:
    async with pooled(both, server, size=1) as responses:
        stream = await both(responses.create, **ASK, stream=True)
        await both(stream.close)
        assert (await both(responses.create, **ASK)).output_text == "You said: Hi"
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


async def test_the_wait_for_a_socket_has_a_limit() -> None:
    heard = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.hear()
        heard.set()
        await peer.socket.receive()

    both = Both(blocking=False)
    async with Answering(silent) as server, pooled(both, server, size=1) as responses:
        running = asyncio.create_task(responses.create(**ASK))
        await heard.wait()
        with pytest.raises(APITimeoutError, match="no socket of the pool"):
            await responses.create(**ASK, timeout=Timeout(read=10, connect=10, pool=0.05))
        running.cancel()
    await both.close()


async def test_after_the_block(both: Both, server: Server) -> None:
    async with pooled(both, server) as responses:
        await both(responses.create, **ASK)
    with pytest.raises(OpenAIError, match="pool of sockets is closed"):
        await both(responses.create, **ASK)


async def test_a_pool_is_entered_once(both: Both, server: Server) -> None:
    pool = both.client(cast("Any", server)).responses.pool()
    async with both.inside(pool):
        with pytest.raises(OpenAIError, match="entered before"):
            await both(pool.__enter__ if both.blocking else pool.__aenter__)


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-1, ValueError), ("8", TypeError), (True, TypeError)])
def test_sizes(size: Any, error: type[Exception]) -> None:
    from aiopenai import AsyncOpenAI

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
