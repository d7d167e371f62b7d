"""The socket side of a connection: open and closed, the flow control of writing, and the deadline with one timer."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from aiopenai._http.connection import READ_PIECE, Connection, fail_quietly
from aiopenai._http.states import CONNECTING, IDLE


class Transport:
    """A transport in memory."""

    max_size = 2**18

    def __init__(self) -> None:
        self.ends: list[str] = []

    def get_extra_info(self, name: str) -> Any:
        assert name == "socket"
        return self

    def fileno(self) -> int:
        return 77

    def is_closing(self) -> bool:
        return bool(self.ends)

    def close(self) -> None:
        self.ends.append("close")

    def abort(self) -> None:
        self.ends.append("abort")


class Late(Connection):
    """A connection that notes when its deadline has passed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.late: list[float] = []

    def _late(self) -> None:
        self.late.append(self.loop.time())


@pytest.fixture
async def connection() -> Late:
    return Late(asyncio.get_running_loop())


def opened(connection: Connection) -> Transport:
    transport: Any = Transport()
    connection.connection_made(transport)
    return transport


class TestLife:
    async def test_opening(self, connection: Late) -> None:
        assert connection.state is CONNECTING
        assert not connection.is_connected()
        transport = opened(connection)
        assert connection.state is IDLE
        assert connection.is_connected()
        assert connection.fileno == 77
        assert transport.max_size == READ_PIECE

    async def test_a_transport_of_another_loop_keeps_its_size(self, connection: Late) -> None:
        class Other(Transport):
            def __getattribute__(self, name: str) -> Any:
                if name == "max_size":
                    raise AttributeError(name)
                return super().__getattribute__(name)

        transport: Any = Other()
        connection.connection_made(transport)
        assert "max_size" not in vars(transport)

    @pytest.mark.parametrize("how", ["close", "abort"])
    async def test_ending(self, how: str, connection: Late) -> None:
        getattr(connection, how)()
        transport = opened(connection)
        getattr(connection, how)()
        assert transport.ends == [how]
        assert not connection.is_connected()
        connection.connection_lost(None)
        getattr(connection, how)()
        assert transport.ends == [how]

    async def test_the_future_of_the_end(self, connection: Late) -> None:
        end = connection.closed
        assert end is not None
        assert end is connection.closed
        opened(connection)
        assert not end.done()
        connection.connection_lost(None)
        assert end.result() is None
        # Cancelled by a reader that stops waiting.
        other = Late(connection.loop)
        opened(other)
        waiting = other.closed
        assert waiting is not None
        waiting.cancel()
        other.connection_lost(None)

    async def test_no_future_after_the_end(self, connection: Late) -> None:
        opened(connection)
        connection.connection_lost(None)
        assert connection.closed is None


class TestWriting:
    async def test_nothing_to_wait_for(self, connection: Late) -> None:
        opened(connection)
        await asyncio.wait_for(connection.drained(None), 30)

    async def test_it_goes_on_when_the_transport_takes_more(self, connection: Late) -> None:
        opened(connection)
        connection.pause_writing()
        waiting = asyncio.ensure_future(connection.drained(None))
        await asyncio.sleep(0)
        assert not waiting.done()
        connection.resume_writing()
        await asyncio.wait_for(waiting, 30)
        # Again, without a reader.
        connection.resume_writing()
        assert not connection.writing_paused

    async def test_a_limit(self, connection: Late) -> None:
        opened(connection)
        connection.pause_writing()
        with pytest.raises(asyncio.TimeoutError):
            await connection.drained(0.001)
        connection.resume_writing()

    async def test_the_end_of_the_connection(self, connection: Late) -> None:
        opened(connection)
        connection.pause_writing()
        waiting = asyncio.ensure_future(connection.drained(None))
        await asyncio.sleep(0)
        connection.connection_lost(None)
        with pytest.raises(aiohttp.ClientConnectionResetError):
            await waiting


class TestDeadline:
    async def test_it_passes_once(self, connection: Late, until: Any) -> None:
        due = connection.loop.time() + 0.01
        connection._expect(due)
        await until(lambda: connection.late)
        assert connection.late[0] >= due - 0.001
        assert len(connection.late) == 1
        assert connection._watch is None

    async def test_a_later_one_needs_no_new_timer(self, connection: Late, until: Any) -> None:
        now = connection.loop.time()
        connection._expect(now + 0.01)
        timer = connection._watch
        connection._expect(now + 0.03)
        assert connection._watch is timer
        await until(lambda: connection.late)
        assert connection.late[0] >= now + 0.029

    async def test_an_earlier_one_does(self, connection: Late, until: Any) -> None:
        now = connection.loop.time()
        connection._expect(now + 60)
        first: Any = connection._watch
        connection._expect(now + 0.01)
        assert first.cancelled()
        await until(lambda: connection.late)
        assert connection.late[0] < now + 30

    async def test_an_earlier_one_after_the_timer_was_set_anew(self, connection: Late, until: Any) -> None:
        now = connection.loop.time()
        connection._expect(now + 0.005)
        first = connection._watch
        connection._expect(now + 60)
        await until(lambda: connection._watch is not first)
        connection._expect(connection.loop.time() + 0.005)
        await until(lambda: connection.late)

    async def test_none_is_due(self, connection: Late, until: Any) -> None:
        connection._expect(connection.loop.time() + 0.005)
        connection._deadline = None
        await until(lambda: connection._watch is None)
        assert connection.late == []

    async def test_the_timer_ends_with_the_connection(self, connection: Late) -> None:
        opened(connection)
        connection._expect(connection.loop.time() + 60)
        timer: Any = connection._watch
        connection.connection_lost(None)
        assert timer.cancelled()
        assert connection._watch is None


async def test_a_quiet_failure(caplog: pytest.LogCaptureFixture) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    fail_quietly(future, OSError("gone"))
    with pytest.raises(OSError, match="gone"):
        future.result()
    other: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    fail_quietly(other, OSError("gone"))
    del other
    assert not caplog.records
