"""A long body on its way out: its framing, its limits, and the exchanges that end before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from aiopenai import Timeout
from aiopenai._http.upload import Upload


class Wire:
    """A connection in memory that notes what is written and how the exchange goes on."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport = self
        self.token: Any = self.loop.create_future()
        self.data: list[bytes] = []
        self.connected = True
        self.failures: list[BaseException] = []
        self.expected: list[float | None] = []
        self.limits: list[float | None] = []
        self.after: Any = lambda: None
        self.error: BaseException | None = None

    def write(self, data: bytes) -> None:
        self.data.append(data)

    def is_connected(self) -> bool:
        return self.connected

    async def drained(self, seconds: float | None) -> None:
        self.limits.append(seconds)
        self.after()
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error

    def expect_reply(self, token: Any, read: float | None) -> None:
        assert token is self.token
        self.expected.append(read)

    def fail(self, token: Any, error: BaseException) -> None:
        assert token is self.token or self.token is None
        self.failures.append(error)


class Pieces:
    """A body of some pieces; `closed` tells whether its source was closed."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self._pieces = pieces
        self._error = error
        self.closed = False

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self._pieces:
                yield piece
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


async def written(wire: Wire, pieces: Pieces, chunked: bool = False) -> Upload:
    upload = Upload(wire, wire.token, pieces(), chunked, Timeout(5, read=3, write=2))  # type: ignore[arg-type]
    await asyncio.wait([upload._task])
    await asyncio.sleep(0)
    assert pieces.closed
    return upload


class TestFraming:
    async def test_with_a_length(self) -> None:
        wire = Wire()
        upload = await written(wire, Pieces(b"abc", b"", b"d"))
        assert wire.data == [b"abc", b"", b"d"]
        assert not upload.sending
        assert wire.expected == [3]
        # After each piece, and after the last.
        assert wire.limits == [2] * 4
        assert wire.failures == []

    async def test_in_chunks(self) -> None:
        """An empty piece would end the body before its end."""
        wire = Wire()
        upload = await written(wire, Pieces(b"a" * 26, b"", b"d"), chunked=True)
        assert wire.data == [b"1a\r\n" + b"a" * 26 + b"\r\n", b"1\r\nd\r\n", b"0\r\n\r\n"]
        assert not upload.sending


class TestEarlyEnds:
    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("how", ["answered", "disconnected"])
    @pytest.mark.parametrize("after", [1, 2])
    async def test_nothing_more_is_written(self, how: str, after: int, chunked: bool) -> None:
        wire = Wire()

        def end() -> None:
            if len(wire.limits) == after:
                if how == "answered":
                    wire.token = None
                else:
                    wire.connected = False

        wire.after = end
        upload = Upload(wire, wire.token, (pieces := Pieces(b"a", b"b"))(), chunked, Timeout(5))  # type: ignore[arg-type]
        await asyncio.wait([upload._task])
        assert len(wire.data) == after
        assert pieces.closed
        assert upload.sending
        assert wire.expected == wire.failures == []

    async def test_cancelled(self) -> None:
        wire = Wire()
        pieces = Pieces(b"a", b"b")
        upload = Upload(wire, wire.token, pieces(), False, Timeout(5))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        upload.cancel()
        await asyncio.wait([upload._task])
        await asyncio.sleep(0)
        assert pieces.closed
        assert wire.failures == []


class TestFailures:
    async def test_of_the_source(self) -> None:
        wire = Wire()
        cause = OSError("no such device")
        upload = await written(wire, Pieces(b"a", error=cause))
        (failure,) = wire.failures
        assert isinstance(failure, aiohttp.ClientConnectionError)
        assert str(failure) == "the body could not be sent: no such device"
        assert failure.__cause__ is cause
        assert upload.sending

    @pytest.mark.parametrize("error", [asyncio.TimeoutError(), aiohttp.ClientOSError(5, "I/O")], ids=["limit", "OS"])
    async def test_of_the_transport(self, error: Exception) -> None:
        wire = Wire()
        wire.error = error
        await written(wire, Pieces(b"a"))
        assert wire.failures == [error]

    async def test_the_end_of_the_connection_is_told_by_itself(self) -> None:
        """The bytes that arrived before may be the answer."""
        wire = Wire()
        wire.error = aiohttp.ClientConnectionResetError("gone")
        await written(wire, Pieces(b"a"))
        assert wire.failures == []
