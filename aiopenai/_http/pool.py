"""The connections of the direct transport that wait for work.

The connector opens connections, counts them and has the queue for them. Between calls they lie here, in a dictionary
per origin, because its own pool makes a `Connection` and moves it between two sets, a queue and a clock for each call.
It counts them as taken until a request has to wait; then they are handed over, so that its queue is fair to all.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from itertools import islice
from typing import Any

import aiohttp
from typing_extensions import override
from yarl import URL

from aiopenai._base.cache import BoundedCache
from aiopenai._base.timeouts import Timeout
from aiopenai._http.connector import IDLE_SECONDS, Connector, pool_limit
from aiopenai._http.framing import readable_ones
from aiopenai._http.interface import Settings
from aiopenai._http.private.connector import UnfitError, origin_request, speak
from aiopenai._http.private.examine import examine
from aiopenai._http.proxies import proxy_for
from aiopenai._http.wire import Wire

__all__ = ["Origin", "Pool", "Target"]

log = logging.getLogger("aiopenai")

# A connection that was idle for longer is polled before it is used, and so is each that was idle while the loop was
# stopped: its end may have come unseen. A poll takes 0.8 us; the connections of a busy client are used sooner.
UNSEEN_SECONDS = 0.005
# In a burst of calls the connections that are used next are polled together: a system call for each call of a hundred
# at once takes a sixth of their CPU.
_TOGETHER = 64


class Origin:
    """A scheme, host and port: its idle connections, the oldest first."""

    __slots__ = ("free", "key", "request", "retired")

    def __init__(self, url: URL, loop: asyncio.AbstractEventLoop) -> None:
        # For the connector: all requests of an origin are alike.
        self.request, self.key = origin_request(url, loop)
        self.free: dict[Wire, None] = {}
        self.retired = False
        """Whether the pool has forgotten this origin: its connections are closed after their exchange."""


class Target:
    """A URL and a verb; without an origin, the general transport serves it."""

    __slots__ = ("line", "origin")

    def __init__(self, line: bytes, origin: Origin | None) -> None:
        self.line = line
        self.origin = origin


class OriginCache(BoundedCache[URL, "Origin | None"]):
    """The origins in use, and their URLs. An origin that is dropped closes its idle connections."""

    __slots__ = ("targets",)

    def __init__(self, targets: dict[Any, Any]) -> None:
        super().__init__()
        self.targets = targets

    @override
    def pop(self, key: URL, *default: Any) -> Any:
        """Removes an origin."""
        origin = super().pop(key, *default)
        if isinstance(origin, Origin):
            origin.retired = True
            self.targets.clear()
            for wire in list(origin.free):
                wire.leave()
        return origin


class Pool:
    """The connections of one direct session."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.connector = Connector(settings)
        self.closed = False
        # When the loop was last found to run again after a stop.
        self.resumed = 0.0
        # When a connection was last polled.
        self._polled = 0.0
        self._settings = settings
        self.targets: BoundedCache[tuple[str, str], Target] = BoundedCache()
        """The URLs and verbs of this session."""
        self._origins = OriginCache(self.targets)
        self._limits: BoundedCache[float | None, aiohttp.ClientTimeout] = BoundedCache()
        self._sweeping: asyncio.TimerHandle | None = None
        self._queue: Any = ()

    def prepare(self, check: Any = examine) -> None:
        """Checks that the installed aiohttp fits. Raises UnfitError."""
        try:
            speak(self.connector, functools.partial(Wire, self, self.loop))
            check(self.connector)
            self._queue = self.connector.queue
        except UnfitError:
            raise
        except Exception as error:
            raise UnfitError(f"{type(error).__name__}: {error}") from error

    def origin(self, url: URL) -> Origin | None:
        """Returns the origin of a URL; None where a proxy stands before it."""
        where = url.origin()
        if where not in self._origins:
            proxied = proxy_for(self._settings, where) is not None
            self._origins[where] = None if proxied else Origin(where, self.loop)
            if proxied:
                log.debug("A proxy stands before %s: general transport", where.raw_host)
        return self._origins[where]

    def idle(self, origin: Origin, now: float) -> Wire | None:
        """Returns an idle connection, the one used last, so that surplus ones reach their age; None without any."""
        free = origin.free
        while free:
            wire = free.popitem()[0]
            if self._fit(wire, now):
                return wire
            wire.leave()
        return None

    def _fit(self, wire: Wire, now: float) -> bool:
        if wire.transport is None or wire.transport.is_closing():
            return False
        since = wire.idle_since if wire.idle_since > wire.looked else wire.looked
        if since > self.resumed and now - since <= UNSEEN_SECONDS:
            return True
        return now - wire.idle_since <= IDLE_SECONDS and self._is_quiet(wire, now)

    def _is_quiet(self, wire: Wire, now: float) -> bool:
        """Polls a connection. In a burst, polls those that are used next too, and notes the time for the quiet ones."""
        if now - self._polled <= UNSEEN_SECONDS:
            following = {each.fileno: each for each in islice(reversed(wire.origin.free), _TOGETHER)}
            for fileno in following.keys() - readable_ones(following):
                following[fileno].looked = now
        self._polled = now
        return not wire.readable()

    async def connect(self, origin: Origin, timeout: Timeout) -> Wire:
        """Returns a connection from the connector: a new one, one handed over to it, or the next in its queue."""
        connector = self.connector
        limits = self._limits.get(timeout.connect)
        if limits is None:
            limits = aiohttp.ClientTimeout(sock_connect=timeout.connect, ceil_threshold=float("inf"))
            self._limits[timeout.connect] = limits
        pool = None if timeout.pool is None else pool_limit.set(timeout.pool)
        try:
            while True:
                if connector.is_full(origin.key):
                    self._hand_over()
                wire: Wire = await connector.take(origin.request, limits)
                wire.held = True
                new = wire.origin is None
                wire.origin = origin
                if wire.is_connected() if new else self._fit(wire, self.loop.time()):
                    return wire
                wire.leave()
                if new:
                    raise aiohttp.ServerDisconnectedError
        except asyncio.TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {origin.request.url}") from error
        finally:
            if pool is not None:
                pool_limit.reset(pool)

    def _hand_over(self) -> None:
        """Gives all idle connections to the connector: a request that waits in its queue must not wait in vain."""
        for origin in self._origins.values():
            while origin is not None and origin.free:
                wire = origin.free.popitem()[0]
                wire.held = False
                self.connector.give_back(origin.key, wire)

    def keep(self, wire: Wire) -> None:
        """Keeps a connection for the next request, here or, if requests wait there, in the connector."""
        origin = wire.origin
        if self._queue or self.closed or origin.retired:
            wire.held = False
            self.connector.give_back(origin.key, wire, close=origin.retired)
            return
        origin.free[wire] = None
        if self._sweeping is None:
            self._sweeping = self.loop.call_later(IDLE_SECONDS, self._sweep)

    def drop(self, wire: Wire) -> None:
        """Closes a connection. The connector may open another in its place."""
        origin = wire.origin
        origin.free.pop(wire, None)
        self.connector.give_back(origin.key, wire, close=True)
        wire.close()

    def _sweep(self) -> None:
        """Closes connections that were idle for too long."""
        self._sweeping = None
        oldest = self.loop.time() - IDLE_SECONDS
        for origin in self._origins.values():
            for wire in () if origin is None else list(origin.free):
                if wire.idle_since > oldest:
                    self._sweeping = self._sweeping or self.loop.call_later(IDLE_SECONDS, self._sweep)
                    break
                wire.leave()

    async def shut(self) -> None:
        """Closes all connections."""
        self.closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self.connector.close()
