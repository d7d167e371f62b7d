"""Websockets: handshakes and their limits, frames in any split, keepalive, and each way to end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import hashlib
import itertools
import sys
import types
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiopenai import APIResponseValidationError, APITimeoutError, AsyncOpenAI, OpenAIError, Timeout
from aiopenai._http.general import GeneralSession
from aiopenai._http.interface import Settings
from aiopenai._http.options import WebSocketOptions
from aiopenai._http.sessions import Sessions
from aiopenai._http.websocket import Handshakes, WebSocket, _Handshake, _handshake_limits
from aiopenai.errors import Close, WebSocketConnectionClosedError
from tests.conftest import RawServer
from tests.live.conftest import Peer, Scripted

MESSAGES = st.lists(st.tuples(st.booleans(), st.binary(max_size=200), st.integers(1, 3)), min_size=1, max_size=6)


KEY = "sec-websocket-key"
PATIENT = Timeout(connect=60, read=60, write=60, pool=60)


def accept(key: str) -> str:
    """The server's answer to a key: RFC 6455, section 1.3."""
    return base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


@contextlib.asynccontextmanager
async def shaken(server: Any, given: Any = None, **options: Any) -> AsyncIterator[Any]:
    """The reply to a handshake with these headers and options."""
    session = GeneralSession(Settings())
    handshake = _Handshake(session, WebSocketOptions(options))
    try:
        yield await handshake.send("GET", server.base_url, given or {}, None, PATIENT)
    finally:
        await session.shut()


@contextlib.asynccontextmanager
async def opened(server: Any, **options: Any) -> AsyncIterator[WebSocket]:
    """An open websocket, without keepalive unless options say so."""
    options = {"ping_interval": None, **options}
    async with shaken(server, **options) as reply:
        websocket = WebSocket(reply, WebSocketOptions(options))
        yield websocket
        websocket.abort()


def frame(opcode: int, payload: bytes, *, last: bool = True) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else bytes([126]) + size.to_bytes(2, "big")
    return bytes([opcode | (0x80 if last else 0)]) + length + payload


def frames(binary: bool, payload: bytes, parts: int) -> bytes:
    """A message in some fragments, with a ping between them."""
    opcode = 2 if binary else 1
    if parts == 1:
        return frame(opcode, payload)
    step = len(payload) // parts
    pieces = [payload[:step], *(payload[step * n : step * (n + 1)] for n in range(1, parts - 1))]
    pieces.append(payload[step * (parts - 1) :])
    found = frame(opcode, pieces[0], last=False)
    for at, piece in enumerate(pieces[1:], 2):
        found += frame(9, b"ping") + frame(0, piece, last=at == parts)
    return found


async def received(data: bytes, cuts: list[int]) -> tuple[list[bytes], WebSocketConnectionClosedError]:
    """The messages that a client gets from these bytes, and the end. The first piece comes with the handshake."""

    async def serve(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, headers, _ = await server.request(reader)
        lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept(headers[KEY])}")
        reply = "\r\n".join(["HTTP/1.1 101 x", *lines, "", ""])
        edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
        pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
        writer.write(reply.encode() + pieces[0])
        for piece in pieces[1:]:
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(piece)
        await server.watch(reader)

    server = RawServer(serve)
    await server.start()
    found: list[bytes] = []
    async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client, client.live.connect() as connection:
        try:
            while True:
                found.append(await connection.recv_bytes())
        except WebSocketConnectionClosedError as error:
            end = error
    await server.stop()
    return found, end


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 2000), max_size=6))
@settings(max_examples=40)
def test_any_split_gives_the_same_messages(messages: list[tuple[bool, bytes, int]], cuts: list[int]) -> None:
    data = b"".join(frames(*message) for message in messages) + frame(8, b"\x03\xe8")
    found, end = asyncio.run(received(data, cuts))
    assert found == [payload for _, payload, _ in messages]
    assert end.code == 1000


@pytest.mark.parametrize(
    "data",
    [b"\xf1\x00", frame(3, b""), frame(8, b"\x00"), b"\x89\x7e\x00\x80" + b"x" * 128],
    ids=["bits", "opcode", "close", "ping"],
)
def test_frames_that_break_the_protocol_close_the_connection(data: bytes) -> None:
    found, end = asyncio.run(received(frame(1, b"{}") + data + frame(1, b"lost"), []))
    assert found == [b"{}"]
    assert (end.rcvd, end.sent) == (None, Close(1002))


class TestHandshake:
    async def sent(self, given: Any = None, **options: Any) -> Any:
        """The headers of a handshake as the server gets them."""

        async def nothing(_: Peer) -> None:
            pass

        async with Scripted(nothing) as server, shaken(server, given, **options):
            return server.requests[0].headers

    async def test_headers(self) -> None:
        given = {"Authorization": "Bearer k", "X-Stainless-Lang": "python", "x-stainless-os": "Linux"}
        headers = await self.sent(given)
        assert (headers["Upgrade"], headers["Connection"]) == ("websocket", "Upgrade")
        assert headers["Sec-WebSocket-Version"] == "13"
        assert headers["Authorization"] == "Bearer k"
        names = {name.lower() for name in headers}
        assert not [name for name in names if name.startswith("x-stainless")]
        assert not names & {"origin", "sec-websocket-protocol", "sec-websocket-extensions"}

    async def test_each_has_a_key_of_its_own(self) -> None:
        keys = [(await self.sent())["Sec-WebSocket-Key"] for _ in range(2)]
        assert keys[0] != keys[1]
        assert [len(base64.b64decode(key)) for key in keys] == [16, 16]

    async def test_options(self) -> None:
        headers = await self.sent(origin="https://own.example", subprotocols=["realtime", "b"], max_size=1000)
        assert headers["Origin"] == "https://own.example"
        assert headers["Sec-WebSocket-Protocol"] == "realtime, b"
        assert headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
        headers = await self.sent(max_size=1000, compression=None)
        assert "Sec-WebSocket-Extensions" not in headers

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"Upgrade": ""}, "Upgrade is not websocket"),
            ({"Upgrade": "h2c"}, "Upgrade is not websocket"),
            ({"Sec-WebSocket-Accept": ""}, "does not fit the request"),
            ({"Sec-WebSocket-Accept": accept("another key")}, "does not fit the request"),
            ({"Sec-WebSocket-Protocol": "other"}, "the subprotocol 'other', which was not offered"),
            ({"Sec-WebSocket-Extensions": "permessage-deflate"}, "'permessage-deflate', which was not offered"),
        ],
        ids=["no-upgrade", "other-upgrade", "no-accept", "other-accept", "subprotocol", "extension"],
    )
    async def test_wrong_answers(self, raw_server: Any, changed: dict[str, str], problem: str) -> None:
        async def serve(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            _, headers, _ = await server.request(reader)
            answer = {"Upgrade": "websocket", "Sec-WebSocket-Accept": accept(headers[KEY]), **changed}
            lines = [f"{name}: {value}" for name, value in answer.items() if value]
            writer.write("\r\n".join(["HTTP/1.1 101 x", "Connection: Upgrade", *lines, "", ""]).encode())
            await server.watch(reader)

        server = await raw_server(serve)
        with pytest.raises(APIResponseValidationError, match=problem) as caught:
            async with opened(server, subprotocols=["mine"]):
                pass
        assert caught.value.response.status_code == 101
        await asyncio.wait_for(server.gone.wait(), 60)

    async def test_an_offered_subprotocol(self) -> None:
        async def nothing(_: Peer) -> None:
            pass

        async with Scripted(nothing) as server, opened(server, subprotocols=["b", "realtime"]) as websocket:
            assert websocket.response.headers["sec-websocket-protocol"] == "realtime"

    async def test_wrong_answers_are_errors_of_websockets_too(
        self, monkeypatch: pytest.MonkeyPatch, raw_server: Any
    ) -> None:
        class InvalidHandshake(Exception):
            pass

        module: Any = types.ModuleType("websockets.exceptions")
        module.InvalidHandshake = InvalidHandshake
        monkeypatch.setitem(sys.modules, "websockets.exceptions", module)

        async def serve(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            await server.watch(reader)

        with pytest.raises(InvalidHandshake):
            async with shaken(await raw_server(serve)):
                pass

    async def test_another_status_is_an_ordinary_reply(self, raw_server: Any) -> None:
        async def serve(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.request(reader)
            writer.write(server.reply(b'{"error": {}}', status="403 Forbidden"))
            await server.watch(reader)

        async with shaken(await raw_server(serve)) as reply:
            assert (reply.status, await reply.read()) == (403, b'{"error": {}}')

    @pytest.mark.parametrize(
        ("limit", "read", "expected"), [(None, 7, 7), (3, 7, 3), (7, 3, 3), (5, None, 5), (None, None, None)]
    )
    def test_the_wait_for_the_reply_is_cut(self, limit: Any, read: Any, expected: Any) -> None:
        timeout = Timeout(connect=1, read=read, write=2, pool=4, total=9)
        found = _handshake_limits(timeout, WebSocketOptions({"open_timeout": limit}))
        assert (found.connect, found.read, found.write, found.pool, found.total) == (1, expected, 2, 4, 9)

    async def test_a_silent_server(self, raw_server: Any) -> None:
        async def serve(server: RawServer, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await server.watch(reader)

        with pytest.raises(APITimeoutError):
            async with shaken(await raw_server(serve), open_timeout=0.05):
                pass

    async def test_the_sender_is_the_session_of_the_loop(self) -> None:
        options = WebSocketOptions({})
        sessions: Any = Sessions(Settings(), GeneralSession)
        made: list[Any] = []

        async def make(method: str, url: str) -> Any:
            made.append((method, url))
            return sessions.open()

        facade = types.SimpleNamespace(current=sessions.current, open=make, block=object(), closed_error=object())
        handshakes = Handshakes(facade, options)
        assert (handshakes.block, handshakes.closed_error) == (facade.block, facade.closed_error)
        assert handshakes.current() is None
        sender: Any = await handshakes.open("GET", "http://h")
        assert made == [("GET", "http://h")]
        session = sessions.current()
        again: Any = handshakes.current()
        for each in (sender, again):
            assert each.general() is session
            assert each.settings is session.settings
            assert not each.closed
        await sender.shut()
        assert sender.closed
        assert again.closed
        await sessions.close()

    async def test_forgetting_closes_the_session(self) -> None:
        session = GeneralSession(Settings())
        sender = _Handshake(session, WebSocketOptions({}))
        sender.forget()
        assert sender.closed
        await session.shut()


async def everything(peer: Peer) -> None:
    """Echoes each message."""
    async for message in peer.socket:
        await peer.say(message.data)


async def quiet(peer: Peer) -> None:
    """Answers control frames only."""
    async for message in peer.socket:
        raise AssertionError(message)


def talking(*messages: str | bytes) -> Any:
    """Sends these, then closes."""

    async def script(peer: Peer) -> None:
        await peer.say(*messages)

    return script


class TestMessages:
    async def test_there_and_back(self) -> None:
        async with Scripted(everything) as server, opened(server) as websocket:
            await websocket.send(b"text", text=True)
            await websocket.send(b"\x00\xff", text=False)
            assert [await websocket.read(), await websocket.read()] == [b"text", b"\x00\xff"]
            await websocket.close()

    async def test_text_and_bytes_keep_their_kind(self) -> None:
        kinds: list[Any] = []

        async def note(peer: Peer) -> None:
            kinds.extend([type(await peer.hear()), type(await peer.hear())])

        async with Scripted(note) as server, opened(server) as websocket:
            await websocket.send(b"a", text=True)
            await websocket.send(b"a", text=False)
            await websocket._ended
        assert kinds == [str, bytes]

    async def test_messages_that_arrived_are_read_after_the_end(self) -> None:
        async with Scripted(talking("a", "b")) as server, opened(server) as websocket:
            await websocket._ended
            assert (websocket.waiting, websocket.closed) == (2, True)
            assert [await websocket.read(), await websocket.read()] == [b"a", b"b"]
            assert websocket.waiting == 0
            for _ in range(2):
                with pytest.raises(WebSocketConnectionClosedError) as caught:
                    await websocket.read()
            assert (caught.value.rcvd, caught.value.sent) == (Close(1000), Close(1000))
            with pytest.raises(WebSocketConnectionClosedError):
                await websocket.send(b"x", text=True)

    async def test_a_message_beyond_the_size(self) -> None:
        codes: list[Any] = []

        async def big(peer: Peer) -> None:
            await peer.say("x" * 100, "y" * 101)
            await peer.socket.receive()
            codes.append(peer.socket.close_code)

        async with Scripted(big) as server, opened(server, max_size=100, compression=None) as websocket:
            assert await websocket.read() == b"x" * 100
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await websocket.read()
            assert caught.value.sent == Close(1009)
            assert isinstance(caught.value.__cause__, aiohttp.WebSocketError)
        assert codes == [1009]

    async def test_a_size_of_none_is_no_limit(self) -> None:
        async with Scripted(talking("x" * 5_000_000)) as server, opened(server, max_size=None) as websocket:
            assert len(await websocket.read()) == 5_000_000

    async def test_a_connection_that_breaks_off(self) -> None:
        async def cut(peer: Peer) -> None:
            await peer.hear()
            peer.cut()

        async with Scripted(cut) as server, opened(server) as websocket:
            await websocket.send(b"x", text=True)
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await websocket.read()
            assert (caught.value.code, caught.value.rcvd, caught.value.sent) == (1006, None, None)
            with pytest.raises(WebSocketConnectionClosedError):
                await websocket.send(b"x", text=True)

    async def test_a_send_during_the_loss_of_the_connection(self) -> None:
        async with Scripted(quiet) as server, opened(server) as websocket:
            websocket._upgraded.transport.abort()
            # The end of the connection is noted in a later turn of the loop.
            assert not websocket._ended.done()
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await websocket.send(b"x", text=True)
            assert isinstance(caught.value.__cause__, (aiohttp.ClientError, OSError))

    async def test_one_reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class ConcurrencyError(Exception):
            pass

        module: Any = types.ModuleType("websockets.exceptions")
        module.ConcurrencyError = ConcurrencyError
        monkeypatch.setitem(sys.modules, "websockets.exceptions", module)
        async with Scripted(everything) as server, opened(server) as websocket:
            reading = asyncio.ensure_future(websocket.read())
            await asyncio.sleep(0)
            with pytest.raises(OpenAIError, match="receive in one task only") as caught:
                await websocket.read()
            assert isinstance(caught.value, ConcurrencyError)
            await websocket.send(b"x", text=True)
            assert await reading == b"x"

    async def test_a_cancelled_read_loses_nothing(self) -> None:
        async with Scripted(everything) as server, opened(server) as websocket:
            reading = asyncio.ensure_future(websocket.read())
            await asyncio.sleep(0)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            await websocket.send(b"x", text=True)
            assert await websocket.read() == b"x"

    async def test_the_session_knows_its_open_websockets(self) -> None:
        async with Scripted(quiet) as server, opened(server) as websocket:
            session: Any = websocket._session
            assert websocket in session.upgraded
            websocket.abort()
            assert websocket not in session.upgraded
            assert websocket.closed

    async def test_an_unused_one_is_closed_from_any_thread(self, until: Any) -> None:
        async with Scripted(quiet) as server, opened(server) as websocket:
            await asyncio.to_thread(websocket.abandon)
            await until(lambda: websocket.closed)


class TestClosing:
    async def test_both_sides(self) -> None:
        ends: list[Any] = []

        async def note(peer: Peer) -> None:
            message = await peer.socket.receive()
            ends.append((message.data, message.extra))

        async with Scripted(note) as server, opened(server) as websocket:
            await websocket.close(4001, "enough")
            assert websocket.sent == Close(4001, "enough")
            assert websocket.rcvd == Close(1000)
            assert websocket.closed_error().rcvd_then_sent is False
            # Further calls do nothing.
            await websocket.close(1000)
            assert websocket.sent == Close(4001, "enough")
        assert ends == [(4001, "enough")]

    async def test_the_server_closes(self) -> None:
        async def end(peer: Peer) -> None:
            await peer.end(4002)

        async with Scripted(end) as server, opened(server) as websocket:
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await websocket.read()
            error = caught.value
            assert (error.rcvd, error.sent, error.rcvd_then_sent) == (Close(4002), Close(4002), True)

    def test_a_close_frame_without_a_code(self) -> None:
        """Its answer has no code, either: 1005 must not be in a frame (RFC 6455, section 7.4.1)."""
        found, end = asyncio.run(received(frame(1, b"{}") + frame(8, b""), []))
        assert found == [b"{}"]
        assert (end.rcvd, end.sent) == (Close(1005), Close(1005))

    async def test_a_code_of_1005_is_sent_as_none(self) -> None:
        ends: list[Any] = []

        async def note(peer: Peer) -> None:
            ends.append((await peer.socket.receive()).data)

        async with Scripted(note) as server, opened(server) as websocket:
            await websocket.close(1005)
        assert ends == [0]

    async def test_long_reasons(self) -> None:
        async with Scripted(quiet) as server:
            async with opened(server) as websocket:
                with pytest.raises(ValueError, match="at most 123 bytes, not 124"):
                    await websocket.close(1000, "é" * 62)
                assert websocket.sent is None
            async with opened(server) as websocket:
                await websocket.close(1000, "x" * 123)
                assert websocket.rcvd is not None

    async def test_a_server_that_does_not_answer(self) -> None:
        go_on = asyncio.Event()

        async def deaf(_: Peer) -> None:
            await go_on.wait()

        async with Scripted(deaf) as server, opened(server, close_timeout=0.05) as websocket:
            await websocket.close()
            assert (websocket.rcvd, websocket.closed) == (None, True)
            go_on.set()

    async def test_unread_messages_do_not_keep_the_close_frame_back(self) -> None:
        """More than the buffer holds: the server is held back until they are read."""
        async with Scripted(talking(*["x" * 60_000] * 20)) as server, opened(server) as websocket:
            assert await websocket.read() == b"x" * 60_000
            await websocket.close()
            assert websocket.rcvd == Close(1000)

    async def test_a_reader_goes_first(self) -> None:
        """The reader receives the close frame and ends, long before the timeout of the close."""
        async with Scripted(quiet) as server, opened(server, close_timeout=300) as websocket:
            reading = asyncio.ensure_future(websocket.read())
            await asyncio.sleep(0)
            await asyncio.wait_for(websocket.close(), 60)
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await asyncio.wait_for(reading, 60)
            assert caught.value.rcvd == Close(1000)

    async def test_a_reader_that_takes_a_message_first(self) -> None:
        async def late(peer: Peer) -> None:
            await peer.socket.receive()

        async def script(peer: Peer) -> None:
            await peer.hear()
            await peer.say("last")
            await late(peer)

        async with Scripted(script) as server, opened(server, close_timeout=300) as websocket:
            await websocket.send(b"go on", text=True)
            reading = asyncio.ensure_future(websocket.read())
            await asyncio.sleep(0)
            closing = asyncio.ensure_future(websocket.close())
            assert await asyncio.wait_for(reading, 60) == b"last"
            await asyncio.wait_for(closing, 60)
            assert websocket.rcvd == Close(1000)

    async def test_a_read_during_a_close_ends_with_it(self) -> None:
        go_on = asyncio.Event()

        async def script(peer: Peer) -> None:
            await go_on.wait()
            await peer.socket.receive()

        async with Scripted(script) as server, opened(server, close_timeout=300) as websocket:
            closing = asyncio.ensure_future(websocket.close())
            await asyncio.sleep(0)
            reading = asyncio.ensure_future(websocket.read())
            await asyncio.sleep(0)
            go_on.set()
            await closing
            with pytest.raises(WebSocketConnectionClosedError):
                await reading

    async def test_closing_a_lost_connection(self) -> None:
        async with Scripted(quiet) as server, opened(server, close_timeout=300) as websocket:
            websocket._upgraded.transport.abort()
            await asyncio.wait_for(websocket.close(), 60)
            assert websocket.closed
            assert websocket.rcvd is None


class TestKeepalive:
    async def test_pings_are_answered(self) -> None:
        answers: list[bytes] = []

        async def ask(peer: Peer) -> None:
            peer.socket._autoping = False
            await peer.socket.ping(b"there?")
            answers.append((await peer.socket.receive()).data)

        async with Scripted(ask) as server, opened(server) as websocket:
            await websocket._ended
        assert answers == [b"there?"]

    async def test_pings_of_a_connection_that_closes_are_not(self) -> None:
        async with Scripted(quiet) as server, opened(server) as websocket:
            written: list[int] = []
            websocket._upgraded = websocket._upgraded._replace(
                writer=types.SimpleNamespace(_write_websocket_frame=lambda _, opcode, __: written.append(opcode))
            )
            websocket.on_ping(b"a")
            websocket._upgraded.transport.close()
            websocket.on_ping(b"b")
            assert written == [10]

    async def test_a_quiet_server_that_answers_is_kept(self) -> None:
        payloads: list[bytes] = []

        async def script(peer: Peer) -> None:
            # The server's own answers to pings.
            peer.socket._autoping = False
            for _ in range(3):
                message = await peer.socket.receive()
                assert message.type is aiohttp.WSMsgType.PING
                payloads.append(bytes(message.data))
                await peer.socket.pong(message.data)
            await peer.say("alive")
            async for _ in peer.socket:
                pass

        options = {"ping_interval": 0.02, "ping_timeout": 30}
        async with Scripted(script) as server, opened(server, **options) as websocket:
            assert await websocket.read() == b"alive"
        assert len(set(payloads)) == 3
        assert {len(payload) for payload in payloads} == {4}

    async def test_a_server_that_answers_no_ping_is_lost(self) -> None:
        ended = asyncio.Event()

        async def script(peer: Peer) -> None:
            peer.socket._autoping = False
            await ended.wait()

        options = {"ping_interval": 0.02, "ping_timeout": 0.05}
        async with Scripted(script) as server, opened(server, **options) as websocket:
            with pytest.raises(WebSocketConnectionClosedError) as caught:
                await websocket.read()
            assert caught.value.sent == Close(1011, "keepalive ping timeout")
            ended.set()

    async def watched(self, monkeypatch: pytest.MonkeyPatch, server: Any, **options: Any) -> Any:
        """A websocket whose frames and timers are noted, and whose clock stands still."""
        session = GeneralSession(Settings())
        checked = WebSocketOptions(options)
        reply = await _Handshake(session, checked).send("GET", server.base_url, {}, None, PATIENT)
        websocket: Any = WebSocket(reply, checked)
        websocket._keepalive.cancel()
        found = types.SimpleNamespace(websocket=websocket, session=session, waits=[], frames=[], now=1000.0)

        def later(seconds: float, _: Any) -> Any:
            found.waits.append(seconds)
            return types.SimpleNamespace(cancel=lambda: None)

        def write(payload: bytes, opcode: int, _: int) -> None:
            found.frames.append((opcode, payload))

        websocket.loop = types.SimpleNamespace(call_later=later)
        websocket._upgraded = websocket._upgraded._replace(writer=types.SimpleNamespace(_write_websocket_frame=write))
        monkeypatch.setattr("aiopenai._http.websocket.time", types.SimpleNamespace(monotonic=lambda: found.now))
        return found

    async def test_the_clock_of_pings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with Scripted(quiet) as server:
            found = await self.watched(monkeypatch, server, ping_interval=20, ping_timeout=30)
            websocket = found.websocket
            websocket._ping()
            assert [opcode for opcode, _ in found.frames] == [9]
            # No answer yet, and no second ping meanwhile.
            found.now += 29.9
            websocket._ping()
            assert len(found.frames) == 1
            assert found.waits == [20, 20]
            websocket.on_pong()
            websocket._ping()
            assert len(found.frames) == 2
            found.now += 30
            websocket._ping()
            assert found.frames[-1] == (8, b"\x03\xf3keepalive ping timeout")
            assert found.waits == [20, 20, 20]
            assert websocket.closed
            # A timer that was due already does nothing any more.
            websocket._ping()
            assert len(found.frames) == 3
            await found.session.shut()

    async def test_a_short_timeout_is_looked_after(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with Scripted(quiet) as server:
            found = await self.watched(monkeypatch, server, ping_interval=20, ping_timeout=5)
            found.websocket._ping()
            assert found.waits == [5]
            await found.session.shut()

    async def test_without_a_timeout_silence_is_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with Scripted(quiet) as server:
            found = await self.watched(monkeypatch, server, ping_interval=20, ping_timeout=None)
            found.websocket._ping()
            found.now += 10_000
            found.websocket._ping()
            assert ([opcode for opcode, _ in found.frames], found.waits) == ([9], [20, 20])
            assert not found.websocket.closed
            await found.session.shut()

    async def test_a_reader_that_holds_the_server_back_hides_its_pongs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with Scripted(quiet) as server:
            found = await self.watched(monkeypatch, server, ping_interval=20, ping_timeout=20)
            websocket = found.websocket
            websocket._upgraded.protocol.pause_reading()
            websocket._ping()
            assert (found.frames, found.waits) == ([], [20])
            websocket._upgraded.protocol.resume_reading()
            websocket._ping()
            assert [opcode for opcode, _ in found.frames] == [9]
            await found.session.shut()

    async def test_a_closed_websocket_leaves_no_timer(self) -> None:
        async with Scripted(quiet) as server, opened(server, ping_interval=3600) as websocket:
            timer: Any = websocket._keepalive
            assert not timer.cancelled()
            websocket.abort()
            assert timer.cancelled()
            gc.collect()
