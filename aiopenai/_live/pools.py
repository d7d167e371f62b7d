"""The results of `responses.pool`: context managers that make the calls of their block over a pool of sockets."""

# A pooled client is a copy of the client, of which private attributes are set.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from inspect import CORO_CREATED, getcoroutinestate
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from aiopenai._calls.held_loop import items_of
from aiopenai._http.options import WebSocketOptions
from aiopenai._live.bridge import Bridge
from aiopenai._live.handshake import Route, shake_hands
from aiopenai._live.pool_attempts import PooledAttempts
from aiopenai._live.pool_sockets import SocketPool
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from types import TracebackType

    from aiopenai._http.websocket import WebSocket

__all__ = ["AsyncResponsePool", "ResponsePool", "pool"]

T = TypeVar("T")
ResourceT = TypeVar("ResourceT")

_ROUTE = Route("responses", "/responses")


def pool(resource: Any, *, size: Any = 8) -> Any:
    """Returns the manager of a pool. It checks the size and connects to nothing.

    Raises TypeError and ValueError for anything but a positive int.
    """
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"size must be a number of sockets, not {type(size).__name__}")
    if size < 1:
        raise ValueError(f"size must be at least 1, not {size}")
    kind: Any = ResponsePool if resource._blocking else AsyncResponsePool
    return kind(resource, size)


class _Pool(Generic[ResourceT]):
    """The part that both kinds of pools share."""

    def __init__(self, resource: Any, size: int) -> None:
        self._resource = resource
        self._size = size
        self._sockets: SocketPool | None = None

    async def _start(self, sessions: Any) -> ResourceT:
        """Returns the resource of a client that makes its calls over the sockets of the running loop."""
        client = self._resource._client
        # Without retries: a failed handshake leads to HTTP at once.
        shaking = client.copy(max_retries=0)
        _rewire(shaking, sessions)
        options = WebSocketOptions({"max_size": sessions.wiring["max_response_bytes"], "compression": None})

        async def handshake() -> WebSocket:
            return await shake_hands(shaking, _ROUTE, {}, {}, {}, options)

        sockets = SocketPool(handshake, self._size)
        twin = client.copy()
        _rewire(twin, sessions)
        twin._attempts = PooledAttempts(sessions, twin._attempts, twin._provider, sockets)
        self._sockets = sockets
        return cast("ResourceT", attrgetter(self._resource._path)(twin))

    def _check_unused(self) -> None:
        if self._sockets is not None:
            raise OpenAIError("This pool was entered before: make another one with client.responses.pool().")


def _rewire(client: Any, sessions: Any) -> None:
    """Makes a copy of a client use other sessions."""
    client._sessions = sessions
    client._reconfigure()


class AsyncResponsePool(_Pool[ResourceT]):
    """Responses over a pool of sockets: `async with client.responses.pool() as responses`."""

    async def __aenter__(self) -> ResourceT:
        self._check_unused()
        return await self._start(self._resource._client._sessions)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sockets is not None:
            await self._sockets.close()


class ResponsePool(_Pool[ResourceT]):
    """Responses over a pool of sockets: `with client.responses.pool() as responses`.

    The sockets run on an event loop in a thread of its own, which answers pings between the calls. Any number of
    threads may make calls.
    """

    _bridge: Bridge
    _sessions: Any

    def __enter__(self) -> ResourceT:
        self._check_unused()
        self._bridge = bridge = Bridge()
        bridge.hold(self)
        try:
            shared = self._resource._client._sessions
            self._sessions = sessions = type(shared)(shared.wiring)
            sessions.runners = _BridgeLoops(bridge)
            return bridge.run(lambda _: self._start(sessions))
        except BaseException:
            bridge.release(self)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._bridge.run(lambda _: self._end())
        finally:
            self._bridge.release(self)

    async def _end(self) -> None:
        assert self._sockets is not None
        await self._sockets.close()
        await self._sessions.close()


class _BridgeLoops:
    """The loop of a bridge in place of the loops of a blocking client: for calls, and as the loop of a stream."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end. Raises OpenAIError after the end of the pool."""
        try:
            return self._bridge.run(lambda _: coroutine)
        except asyncio.CancelledError:
            raise OpenAIError("The pool of sockets was closed during the call.") from None
        except OpenAIError:
            if getcoroutinestate(coroutine) == CORO_CREATED:
                coroutine.close()
                raise OpenAIError("The pool of sockets is closed: make the call inside its block.") from None
            raise

    share = run

    def lease(self) -> _BridgeLoops:
        """Returns the loop for a stream. Streams share it."""
        return self

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator, and closes it when the iteration ends, also early."""
        try:
            yield from items_of(pieces, self.run)
        finally:
            with contextlib.suppress(OpenAIError):
                self.run(_close(pieces))

    def release(self) -> None:
        """Does nothing: the loop ends with the pool."""

    def close(self) -> None:
        """Does nothing: the loop ends with the pool."""


async def _close(pieces: Any) -> None:
    # A coroutine, as `run` needs it: the result of `aclose` is another kind of awaitable.
    await pieces.aclose()
