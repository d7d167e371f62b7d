"""The open sockets of a pool: which are free, which keeps which context, and when each is replaced.

All methods belong to one event loop, so none needs a lock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiopenai._base.cache import BoundedCache
from aiopenai._base.deadlines import within
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from aiopenai._http.websocket import WebSocket

__all__ = ["PooledSocket", "SocketPool"]

log = logging.getLogger("aiopenai")

# The API closes a socket after 60 minutes. The rest is for the response that begins last.
MAX_AGE_SECONDS = 50 * 60.0
# The time without handshakes after one that failed: each would delay a call that goes over HTTP then.
_PAUSE_SECONDS = 5.0
_MAX_CONTEXTS = 10_000


class PooledSocket:
    """One socket of a pool. It carries one response at a time."""

    __slots__ = ("opened", "waiting", "websocket")

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.opened = time.monotonic()
        self.waiting: _Queue = deque()
        """The calls that need the contexts of this socket."""

    @property
    def usable(self) -> bool:
        """Whether another response may begin here. A message that no response has asked for makes it doubtful."""
        websocket = self.websocket
        young = time.monotonic() - self.opened < MAX_AGE_SECONDS
        return young and not websocket.closed and not websocket.waiting


# Each call that waits gets a socket, or None if it has to look again.
_Queue = deque["asyncio.Future[PooledSocket | None]"]


class SocketPool:
    """At most `size` sockets, opened on demand by `handshake`."""

    def __init__(self, handshake: Callable[[], Awaitable[WebSocket]], size: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self._handshake = handshake
        self._size = size
        self._opening = 0
        self._open: set[PooledSocket] = set()
        # In the order of their last use.
        self._free: dict[PooledSocket, None] = {}
        self._waiting: _Queue = deque()
        # The sockets that keep the contexts of responses, by the id of the response.
        self._homes: BoundedCache[str, PooledSocket] = BoundedCache(_MAX_CONTEXTS)
        self._paused_until = 0.0

    async def take(self, context: str | None, limit: float | None) -> PooledSocket | None:
        """Returns the socket that keeps a context, or else a free one; the caller gives it back or drops it.

        Returns None if no socket can be opened. Raises asyncio.TimeoutError after `limit` seconds without a free one.
        """
        while True:
            if self.closed:
                raise self.closed_error()
            home = None if context is None else self._homes.get(context)
            if home is not None and home not in self._free:
                found = await self._turn(home.waiting, limit)
            elif home is not None or self._free:
                found = home or next(reversed(self._free))
                del self._free[found]
                if not found.usable:
                    self.drop(found)
                    continue
            elif len(self._open) + self._opening < self._size:
                return await self._connect()
            else:
                found = await self._turn(self._waiting, limit)
            if found is not None:
                return found

    async def _turn(self, queue: _Queue, limit: float | None) -> PooledSocket | None:
        """Waits for a socket, which is handed over as it is given back."""
        turn: asyncio.Future[PooledSocket | None] = self.loop.create_future()
        queue.append(turn)
        try:
            return await within(limit, turn)
        except BaseException:
            # A turn that came together with the cancellation goes to the next call.
            if turn.done() and not turn.cancelled():
                found = turn.result()
                if found is not None:
                    self.give(found)
                else:
                    _wake(self._waiting, None)
            raise

    async def _connect(self) -> PooledSocket | None:
        if time.monotonic() < self._paused_until:
            return None
        self._opening += 1
        made = None
        try:
            websocket = await self._handshake()
            if self.closed:
                websocket.abort()
                raise self.closed_error()
            made = PooledSocket(websocket)
            self._open.add(made)
        except OpenAIError as error:
            if self.closed:
                raise self.closed_error() from error
            log.info("A socket of the pool could not be opened, and calls go over HTTP: %r", error)
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
        finally:
            self._opening -= 1
            if made is None:
                _wake_all(self._waiting)
        return made

    def keep(self, context: str, socket: PooledSocket) -> None:
        """Notes the socket that keeps the context of a response."""
        if socket in self._open:
            self._homes[context] = socket

    def give(self, socket: PooledSocket) -> None:
        """Takes a socket back after the end of a response."""
        if not socket.usable:
            self.drop(socket)
        elif not (_wake(socket.waiting, socket) or _wake(self._waiting, socket)):
            self._free[socket] = None

    def drop(self, socket: PooledSocket) -> None:
        """Closes a socket; its contexts are lost. Further calls do nothing."""
        if socket not in self._open:
            return
        self._open.discard(socket)
        self._free.pop(socket, None)
        for context in [each for each, home in self._homes.items() if home is socket]:
            del self._homes[context]
        socket.websocket.abort()
        _wake_all(socket.waiting)
        _wake(self._waiting, None)

    def closed_error(self) -> OpenAIError:
        """Returns the error of a call after the end of the pool."""
        return OpenAIError("The pool of sockets is closed: make the call inside its block, or by client.responses.")

    async def close(self) -> None:
        """Closes all sockets, also those with a response that has not ended."""
        self.closed = True
        sockets = list(self._open)
        _wake_all(self._waiting)
        for socket in sockets:
            _wake_all(socket.waiting)
        await asyncio.gather(*(socket.websocket.close() for socket in sockets))
        for socket in sockets:
            self.drop(socket)


def _wake(queue: _Queue, socket: PooledSocket | None) -> bool:
    """Hands a socket to the first call of a queue. Returns False if none waits."""
    while queue:
        turn = queue.popleft()
        if not turn.done():
            turn.set_result(socket)
            return True
    return False


def _wake_all(queue: _Queue) -> None:
    while _wake(queue, None):
        pass
