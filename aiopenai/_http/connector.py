"""The connector of our own sessions: socket options, the number of connections, and the limits of opening them."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from typing import Any

import aiohttp
from typing_extensions import override

from aiopenai._base.deadlines import time_limit, within
from aiopenai._http.framing import readable
from aiopenai._http.interface import Settings
from aiopenai._http.private.connector import ConnectorParts
from aiopenai._http.private.session import SessionProtocol

__all__ = [
    "IDLE_SECONDS",
    "AttemptClock",
    "ClockedTimeout",
    "Connector",
    "ExpectLimit",
    "connection_limit",
    "pool_limit",
]

# The most connections per event loop. File descriptors are the true limit: a process that may open 1,024 files gets two
# fifths of those, and a queue for the rest. Not half, because a local server in the same process, as in tests and in
# the demo, has a descriptor for the other end of each.
MAX_CONNECTIONS = 10_000
# The most connections being opened at a time. A thousand TLS handshakes at once take seconds of CPU, and as many SYNs
# overflow a server's backlog: both would turn a burst of calls into connect timeouts.
MAX_OPENING = 128
# TCP keep-alive: middleboxes forget idle connections after as little as 120 s, and a long generation is idle.
KEEPALIVE_SECONDS = 60
# Idle connections are closed before the limits of servers are reached.
IDLE_SECONDS = 15.0

pool_limit: ContextVar[float | None] = ContextVar("pool_limit", default=None)
"""The `pool` limit of the request of the running task: aiohttp does not hand it down to its queue."""


class Connector(ConnectorParts):
    """aiohttp's connector with a bounded number of handshakes, and the connect limit over DNS, TCP and TLS together.

    Waiting for a connection in the queue, or for the turn to open one, counts against no limit but `pool`.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - aiohttp's own annotation
            limit=connection_limit(),
            ssl=settings.ssl,
            keepalive_timeout=IDLE_SECONDS,
            socket_factory=functools.partial(_keepalive_socket, settings.socket_options),
        )
        self._slots = asyncio.Semaphore(MAX_OPENING)

    @override
    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol: Any = connection.protocol
            if isinstance(protocol, SessionProtocol) and protocol.used and readable(protocol.fileno):
                # The end of this connection, or bytes of no reply, arrived while it was idle.
                connection.close()
                continue
            if isinstance(timeout, ClockedTimeout):
                for clock in timeout.clocks:
                    clock.start(protocol)
            return connection

    @override
    async def opening(self, connect: Callable[[], Coroutine[Any, Any, Any]], limits: Any) -> Any:
        async with self._slots:
            return await within(limits.sock_connect, connect())

    @override
    async def queueing(self, turn: Coroutine[Any, Any, None]) -> None:
        seconds = pool_limit.get()
        try:
            await within(seconds, turn)
        except asyncio.TimeoutError as error:
            raise aiohttp.ServerTimeoutError(f"no free connection within the pool limit of {seconds} s") from error


class AttemptClock:
    """A limit of one attempt on a `ClientSession`. Its time begins when the attempt has its connection."""

    __slots__ = ("_error", "_handle", "_seconds", "reply")

    def __init__(self, seconds: float, error: aiohttp.ServerTimeoutError) -> None:
        self._seconds = seconds
        self._error = error
        self._handle: asyncio.TimerHandle | None = None
        self.reply: aiohttp.ClientResponse | None = None

    def start(self, protocol: Any) -> None:
        """Starts the clock; the protocol is that of the connection."""
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._expire, protocol)

    def _expire(self, protocol: Any) -> None:
        protocol.set_exception(self._error)
        if self.reply is not None:
            self.reply.content.set_exception(self._error)

    def cancel(self) -> None:
        """Stops the clock."""
        if self._handle is not None:
            self._handle.cancel()


class ExpectLimit:
    """The limit of the wait for `100 Continue` on a borrowed session, which tells nothing of its connections.

    It holds until the body's first piece is asked for.
    """

    __slots__ = ("_limit", "_over")

    def __init__(self, seconds: float) -> None:
        self._limit: Any = time_limit(seconds)
        self._over = False

    async def within(self, request: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """Returns the reply to a request. Raises aiohttp.SocketTimeoutError at the limit."""
        try:
            async with self._limit:
                try:
                    return await request
                finally:
                    self._over = True
        except aiohttp.ServerTimeoutError:
            raise
        except asyncio.TimeoutError as error:
            raise aiohttp.SocketTimeoutError("no answer to Expect") from error

    def cancel(self) -> None:
        """Takes the limit back."""
        if not self._over:
            self._limit.reschedule(None)


class ClockedTimeout(aiohttp.ClientTimeout):
    """aiohttp's limits, and clocks that our connector starts."""

    __slots__ = ("clocks",)
    clocks: tuple[AttemptClock, ...]

    @classmethod
    def of(cls, limits: aiohttp.ClientTimeout, clocks: tuple[AttemptClock, ...]) -> ClockedTimeout:
        """Returns limits with clocks."""
        clocked = cls(
            connect=limits.connect,
            sock_connect=limits.sock_connect,
            sock_read=limits.sock_read,
            ceil_threshold=limits.ceil_threshold,
        )
        # The base class is frozen.
        object.__setattr__(clocked, "clocks", clocks)
        return clocked


def _keepalive_socket(options: Iterable[tuple[Any, ...]], info: Any) -> socket.socket:
    """Returns a socket that notices a dead peer; `options` are those of the program, which win."""
    family, kind, proto, _, _ = info
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Names and presence differ between systems. Where they are absent the times of the system hold.
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE"):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEPALIVE_SECONDS)
            break
    if hasattr(socket, "TCP_KEEPINTVL"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS)
    if hasattr(socket, "TCP_KEEPCNT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 5)
    try:
        for option in options:
            sock.setsockopt(*option)
    except OSError:
        sock.close()
        raise
    return sock


@functools.cache
def connection_limit() -> int:
    """Returns how many connections a session may have, by the file limit of the process."""
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except (ImportError, OSError, ValueError):
        return 1_000
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(16, min(MAX_CONNECTIONS, soft * 2 // 5))
