"""The bytes of a websocket: any split of frames gives the same messages; classes of `websockets` where imported."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import pickle
import sys
import types
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiopenai import AsyncOpenAI
from aiopenai.errors import Close, WebSocketConnectionClosedError, closed_error
from tests.conftest import RawServer

MESSAGES = st.lists(st.tuples(st.booleans(), st.binary(max_size=200), st.integers(1, 3)), min_size=1, max_size=6)


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
        key = headers["sec-websocket-key"].encode()
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        accept = base64.b64encode(digest).decode()
        reply = f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
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


def test_errors_are_those_of_websockets_too_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    class ConnectionClosed(Exception):
        pass

    class ConnectionClosedOK(ConnectionClosed):
        pass

    class ConnectionClosedError(ConnectionClosed):
        pass

    module: Any = types.ModuleType("websockets.exceptions")
    module.ConnectionClosedOK, module.ConnectionClosedError = ConnectionClosedOK, ConnectionClosedError
    monkeypatch.setitem(sys.modules, "websockets.exceptions", module)
    clean = closed_error(Close(1000), Close(1000))
    assert isinstance(clean, ConnectionClosedOK)
    assert isinstance(clean, WebSocketConnectionClosedError)
    lost = closed_error(None, None, unsent=["a", b"\xff"])
    assert isinstance(lost, ConnectionClosedError)
    again = pickle.loads(pickle.dumps(lost))
    assert type(again) is WebSocketConnectionClosedError
    assert (again.code, again.unsent_frames, str(again)) == (1006, ["a", b"\xff"], str(lost))
