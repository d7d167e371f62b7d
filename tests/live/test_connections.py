"""Connections on real loopback servers, in both clients."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import deque
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any, cast

import pytest
from aiohttp import web
from aiopenai.resources.realtime.realtime import AsyncRealtimeConnection, RealtimeConnection

from aiopenai import APIResponseValidationError, OpenAIError, omit
from aiopenai._live.bridge import Bridge
from aiopenai._live.connections import fields_of_event, frame_of, twins
from aiopenai._live.handlers import EventHandlerRegistry
from aiopenai._live.link import Link, Reconnects
from aiopenai._live.queue import SendQueue
from aiopenai.errors import WebSocketConnectionClosedError
from aiopenai.types.realtime import SessionCreatedEvent

from .conftest import Both, Peer, Scripted
from .played import PlayedSocket

CREATED = '{"type":"session.created","event_id":"e1","session":{"type":"realtime"}}'


async def echo(peer: Peer) -> None:
    await peer.say(CREATED)
    async for message in peer.socket:
        await peer.say(f'{{"type":"echo","of":{message.data}}}')


async def test_events_in_and_out(both: Both) -> None:
    async with Scripted(echo) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        assert isinstance(connection, RealtimeConnection if both.blocking else AsyncRealtimeConnection)
        created = await both(connection.recv)
        assert isinstance(created, SessionCreatedEvent)
        await both(connection.session.update, session={"type": "realtime", "tools": iter(())})
        heard = await both(connection.recv)
        assert heard.of == {"type": "session.update", "session": {"type": "realtime", "tools": []}}
        assert heard.type == "echo"
    assert server.requests[0].path_qs == "/v1/realtime?model=m"


async def test_an_event_that_was_received_can_be_sent(both: Both) -> None:
    async with Scripted(echo) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        created = await both(connection.recv)
        await both(connection.send, created)
        assert (await both(connection.recv)).of == json.loads(CREATED)


async def test_raw_messages_keep_their_kind_and_bytes(both: Both) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.hear() == "text é"
        assert await peer.hear() == b"\x00\xff"
        await peer.say('{"type": "x" }', b"\x01\xfe")
        await peer.socket.receive()

    async with Scripted(script) as server, both.opened(both.client(server).live.connect()) as connection:
        await both(connection.send_raw, "text é")
        await both(connection.send_raw, b"\x00\xff")
        assert await both(connection.recv_bytes) == b'{"type": "x" }'
        assert await both(connection.recv_bytes) == b"\x01\xfe"
        with pytest.raises(TypeError, match="send_raw takes str or bytes"):
            await both(connection.send_raw, 5)


@pytest.mark.parametrize("message", ["not json", '{"type":', b"\xff\xfe"], ids=["text", "cut", "binary"])
async def test_a_message_that_is_no_json_raises_and_the_socket_goes_on(both: Both, message: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(message, CREATED, message, CREATED)
        await peer.end()

    async with Scripted(script) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        with pytest.raises(APIResponseValidationError, match="is not the JSON") as caught:
            await both(connection.recv)
        assert caught.value.status_code == 101
        assert (await both(connection.recv)).type == "session.created"
        with pytest.raises(APIResponseValidationError):
            await both.events(connection)
        assert [event.type for event in await both.events(connection)] == ["session.created"]


@pytest.mark.parametrize(
    "message", ["[1]", '"x"', '{"type":"new.kind","a":{"b":1}}', "{}"], ids=["list", "text", "new", "none"]
)
async def test_unknown_messages_lose_nothing(both: Both, message: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(message)
        await peer.socket.receive()

    async with Scripted(script) as server, both.opened(both.client(server).responses.connect()) as connection:
        event = await both(connection.recv)
        assert event == json.loads(message)
        assert type(event) is type(connection.parse_event(message))


async def test_the_end_of_a_connection(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(CREATED)
        await peer.socket.close(code=4001, message=b"bye")

    async with Scripted(script) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        assert (await both(connection.recv)).type == "session.created"
        for _ in range(2):
            with pytest.raises(WebSocketConnectionClosedError, match="received 4001 bye") as caught:
                await both(connection.recv)
            assert (caught.value.code, caught.value.reason, caught.value.unsent_frames) == (4001, "bye", [])
        with pytest.raises(WebSocketConnectionClosedError):
            await both.events(connection)
        with pytest.raises(WebSocketConnectionClosedError):
            await both(connection.send, {"type": "x"})


async def test_iteration_ends_quietly_after_a_clean_close(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(CREATED, CREATED)
        await peer.end(1000)

    async with Scripted(script) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        assert len(await both.events(connection)) == 2
        assert await both.events(connection) == []


async def test_closing(both: Both) -> None:
    ends: list[Any] = []

    async def script(peer: Peer) -> None:
        frame = await peer.socket.receive()
        ends.append((frame.type, frame.data, frame.extra))

    async with Scripted(script) as server:
        connection = await both(both.client(server).realtime.connect(model="m").enter)
        await both(connection.close, code=3000, reason="done")
        await both(connection.close)
        assert ends == [(web.WSMsgType.CLOSE, 3000, "done")]
        with pytest.raises(WebSocketConnectionClosedError):
            await both(connection.recv)
        with pytest.raises(WebSocketConnectionClosedError):
            await both(connection.send_raw, "late")


async def test_a_second_reader_is_refused() -> None:
    both = Both(blocking=False)
    async with Scripted(echo) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        await connection.recv()
        first = asyncio.ensure_future(connection.recv())
        await asyncio.sleep(0)
        with pytest.raises(OpenAIError, match="Another task is receiving"):
            await connection.recv()
        await connection.send({"type": "x"})
        assert (await first).type == "echo"
    await both.close()


async def test_a_cancelled_receive_loses_nothing() -> None:
    both = Both(blocking=False)
    async with Scripted(echo) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        await connection.recv()
        for number in range(50):
            waiting = asyncio.ensure_future(connection.recv())
            await connection.send({"type": "x", "number": number})
            for _ in range(number % 7):
                await asyncio.sleep(0)
            waiting.cancel()
            done = await asyncio.gather(waiting, return_exceptions=True)
            event = done[0] if not isinstance(done[0], BaseException) else await connection.recv()
            assert event.of["number"] == number  # type: ignore[union-attr]
    await both.close()


def test_a_replaced_method_is_not_in_the_class_that_is_made_later(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiopenai.resources.realtime import _connections as generated

    find = twins(generated.__name__)
    replaced = lambda self, **given: None  # noqa: E731
    monkeypatch.setattr(generated.RealtimeSessionResource, "update", replaced)
    monkeypatch.setitem(vars(generated), "AsyncRealtimeSessionResource", None)
    assert vars(find("AsyncRealtimeSessionResource"))["update"] is not replaced


async def test_messages_that_wait_are_decoded_together_and_stay_themselves(both: Both) -> None:
    """Bytes and events may be received in turn, and a message that is no event raises in its place."""
    said = [f'{{"type":"x.y","n":{number}}}' for number in range(100)]
    said[40], said[41], said[70] = "{", "", "[1]"

    async def script(peer: Peer) -> None:
        await peer.say(*said)
        await peer.hear()

    async with Scripted(script) as server, both.opened(both.client(server).responses.connect()) as connection:
        found: list[Any] = []
        for number in range(100):
            if number % 7 == 3:
                found.append((await both(connection.recv_bytes)).decode())
                continue
            try:
                event = await both(connection.recv)
            except APIResponseValidationError:
                found.append(said[number] if number in (40, 41) else "wrong")
            else:
                found.append("[1]" if event == [1] else f'{{"type":"x.y","n":{event.n}}}')
        assert found == said
        await both(connection.send, {"type": "over"})


async def test_iteration_over_a_burst(both: Both) -> None:
    def numbered(number: int) -> str:
        return f'{{"type":"response.output_text.delta","delta":"{number}","output_index":{number}}}'

    async def script(peer: Peer) -> None:
        await peer.say(*map(numbered, range(1_000)))

    async with Scripted(script) as server, both.opened(both.client(server).responses.connect()) as connection:
        events = await both.events(connection)
        assert [(event.delta, event.output_index) for event in events] == [(str(n), n) for n in range(1_000)]
        # Each knows its own document.
        assert {event.to_dict()["output_index"] for event in events} == {*range(1_000)}


async def test_handlers(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(CREATED, '{"type":"x"}', '{"type":"x"}', "[1]")
        await peer.end()

    seen: list[Any] = []
    async with Scripted(script) as server:
        manager = both.client(server).realtime.connect(model="m")
        manager.on("session.created", lambda event: seen.append(("first", event.type)))

        @manager.once("x")
        def once(event: Any) -> None:
            seen.append(("once", event.type))

        async with both.opened(manager) as connection:

            @connection.on("event")
            def every(event: Any) -> None:
                seen.append(("all", getattr(event, "type", event)))

            if not both.blocking:

                async def later(event: Any) -> None:
                    await asyncio.sleep(0)
                    seen.append(("async", event.type))

                connection.on("session.created", later)
            removed = seen.append
            connection.on("x", removed).off("x", removed)
            await both(connection.dispatch_events)
    wanted: list[Any] = [("first", "session.created"), ("all", "session.created"), ("once", "x")]
    if not both.blocking:
        wanted.insert(1, ("async", "session.created"))
    assert seen == [*wanted, ("all", "x"), ("all", "x"), ("all", [1])]


async def test_an_error_event_without_a_handler_raises_and_the_socket_stays_open(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say('{"type":"error","error":{"message":"m","type":"t"}}', CREATED)
        await peer.socket.receive()

    async with Scripted(script) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        with pytest.raises(OpenAIError, match="WebSocket error"):
            await both(connection.dispatch_events)
        assert (await both(connection.recv)).type == "session.created"


async def test_wrong_arguments_of_events_are_refused(both: Both) -> None:
    async with Scripted(echo) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        with pytest.raises(TypeError, match=r"append\(\) missing required keyword-only arguments: 'audio'"):
            await both(connection.input_audio_buffer.append)
        with pytest.raises(TypeError, match=r"update\(\) got an unexpected keyword argument 'x'"):
            await both(connection.session.update, session={}, x=1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'x'"):
            await both(connection.input_audio_buffer.append, x=1)
        with pytest.raises(TypeError, match="must be a dict or an event object, not int"):
            await both(connection.send, 5)
        # Nothing of these was sent, and arguments that are left out are not.
        await both(connection.recv)
        await both(connection.input_audio_buffer.append, audio="QQ==", event_id=omit)
        assert (await both(connection.recv)).of == {"type": "input_audio_buffer.append", "audio": "QQ=="}
        await both(connection.input_audio_buffer.append, audio="QQ==", event_id="e")
        assert (await both(connection.recv)).of["event_id"] == "e"


class Dumped:
    """An event as a class of pydantic."""

    def model_dump(self, **options: Any) -> Any:
        return {"type": "x", "options": options}


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ({"type": "x"}, {"type": "x"}),
        (MappingProxyType({"type": "x"}), {"type": "x"}),
        (SessionCreatedEvent.model_validate_json(CREATED), json.loads(CREATED)),
        (Dumped(), {"type": "x", "options": {"mode": "json", "by_alias": True, "exclude_unset": True}}),
    ],
    ids=["dict", "mapping", "event", "pydantic"],
)
def test_fields_of_events(event: Any, fields: dict[str, Any]) -> None:
    assert fields_of_event(event) == fields
    assert type(fields_of_event(event)) is dict
    assert json.loads(frame_of(event)) == fields


@pytest.mark.parametrize("event", [None, "text", [("type", "x")]], ids=["none", "text", "pairs"])
def test_other_objects_are_no_events(event: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(event).__name__}"):
        fields_of_event(event)


def played(both: Both, *frames: bytes, code: int | None = None) -> tuple[Any, PlayedSocket, Bridge]:
    """A connection of either kind over a websocket without a network."""
    socket, bridge = PlayedSocket(*frames, code=code), Bridge()
    link = Link(cast("Any", None), Reconnects(), SendQueue(100), {}, {})
    link.socket = cast("Any", socket)
    if both.blocking:
        return RealtimeConnection(link, EventHandlerRegistry(), bridge), socket, bridge
    return AsyncRealtimeConnection(link, EventHandlerRegistry()), socket, bridge


async def test_the_parts_that_programs_look_at(both: Both) -> None:
    connection, socket, _ = played(both)
    assert (connection._connection, connection._send_queue, connection._is_reconnecting) == (
        *(socket, connection._link.queue),
        False,
    )
    assert repr(connection) == f"<{type(connection).__name__} open>"
    socket.closed = True
    assert repr(connection) == f"<{type(connection).__name__} closed>"


async def test_a_connection_that_is_dropped_lets_its_websocket_go(both: Both) -> None:
    connection, socket, bridge = played(both)
    kind = type(connection)
    if both.blocking:
        bridge.hold(connection)
    del connection
    gc.collect()
    assert (socket.abandoned, bridge._loop) == (True, None)
    # A class whose construction failed has nothing to let go.
    kind.__new__(kind).__del__()


async def test_coroutines_of_handlers_are_awaited(both: Both) -> None:
    async def script(peer: Peer) -> None:
        await peer.say('{"type":"x"}', '{"type":"error"}', '{"no":"type"}', '{"type":"event"}')
        await peer.end()

    seen: list[Any] = []

    async def later(event: Any) -> None:
        await asyncio.sleep(0)
        seen.append(("later", event.type))

    async with Scripted(script) as server, both.opened(both.client(server).realtime.connect(model="m")) as connection:
        connection.on("x", lambda event: seen.append(("now", event.type)))
        connection.on("error", lambda event: seen.append(("error", event.type)))
        connection.on("event", lambda event: seen.append(("all", getattr(event, "type", None))))
        if not both.blocking:
            connection.on("x", later)
        await both(connection.dispatch_events)
    own = [("now", "x"), *([] if both.blocking else [("later", "x")]), ("all", "x")]
    # An event of the type "event" is no reason to call the handlers of all events twice.
    assert seen == [*own, ("error", "error"), ("all", "error"), ("all", None), ("all", "event")]


def test_a_blocking_connection_after_its_close() -> None:
    both = Both(blocking=True)
    for code, kind in ((1000, StopIteration), (1011, WebSocketConnectionClosedError)):
        connection, socket, bridge = played(both, b'{"type":"late"}', code=code)
        bridge.hold(connection)
        connection._keep([b'{"type":"kept"}', b'{"type":"also"}'])
        connection._keep(None)
        connection.close(code=3000, reason="bye")
        connection.close(code=3001)
        assert (socket.said, bridge._loop) == ((3000, "bye"), None)
        # Messages that were received before are still there.
        assert (next(connection).type, connection.recv().type) == ("kept", "also")
        with pytest.raises(kind):
            next(connection)
        for call in (connection.recv, connection.recv_bytes, lambda each=connection: each.send({"type": "x"})):
            with pytest.raises(WebSocketConnectionClosedError):
                call()


async def test_a_thread_that_receives_while_another_one_closes(until: Callable[..., Awaitable[None]]) -> None:
    both = Both(blocking=True)
    connection, socket, bridge = played(both)
    bridge.hold(connection)
    receiving = asyncio.ensure_future(asyncio.to_thread(connection.recv))
    await until(lambda: socket._news is not None)
    await asyncio.to_thread(connection.close)
    with pytest.raises(WebSocketConnectionClosedError):
        await receiving


@pytest.mark.parametrize("number", [31, 32, 33, 70], ids=str)
def test_events_are_decoded_some_at_a_time(number: int) -> None:
    both = Both(blocking=True)
    connection, _, _ = played(both)
    waiting = deque(b'{"type":"x","n":%d}' % at for at in range(1, number))
    assert connection._event_of(b'{"type":"x","n":0}', waiting).n == 0
    assert len(connection._ahead) == min(number, 32) - 1
    # The next messages come as events, and others are decoded anew.
    assert connection._event_of(waiting[0], deque()).n == 1
    assert connection._event_of(b'{"type":"x","n":99}', deque()).n == 99
    assert connection._ahead == []


def test_long_events_are_decoded_alone() -> None:
    both = Both(blocking=True)
    connection, _, _ = played(both)
    long = b'{"type":"x","text":"%b"}' % (b"x" * 2**15)
    connection._event_of(b'{"type":"x"}', deque([long, long, long]))
    assert len(connection._ahead) == 1
    connection._ahead.clear()
    connection._event_of(b'{"type":"x"}', deque([b"", b"{}"]))
    assert connection._ahead == []


def test_twins_have_the_names_of_their_module() -> None:
    from aiopenai.resources.realtime import _connections as generated

    find = twins(generated.__name__)
    for wrong in ("AsyncNothing", "BaseAsyncRealtimeConnection", "AsyncSyncConnection", "Any"):
        with pytest.raises(AttributeError, match=f"has no attribute '{wrong}'"):
            find(wrong)
