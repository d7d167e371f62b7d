"""The results of `connect`: context managers that open a connection."""

# The managers are parts of connections, of which they set private attributes.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiopenai._http.options import WebSocketOptions
from aiopenai._live.bridge import Bridge
from aiopenai._live.connections import AsyncConnection, SyncConnection, frame_of
from aiopenai._live.handlers import EventHandlerRegistry, Handling
from aiopenai._live.handshake import Route, shake_hands
from aiopenai._live.link import Link, Reconnects
from aiopenai._live.queue import SendQueue

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["AsyncConnectionManager", "SyncConnectionManager", "connect"]

# The parameters of all `connect`s, with the reference's defaults; all others are those of the route.
_COMMON: dict[str, Any] = {
    "extra_query": {},
    "extra_headers": {},
    "websocket_connection_options": {},
    "on_reconnecting": None,
    "max_retries": 5,
    "initial_delay": 0.5,
    "max_delay": 8.0,
}

# The threads of blocking connections, by the sessions that a client and its copies share.
_bridges: weakref.WeakKeyDictionary[Any, Bridge] = weakref.WeakKeyDictionary()


def connect(resource: Any, **given: Any) -> Any:
    """Returns the manager of a new connection. It checks the options and connects to nothing."""
    kind = cast("Any", type(resource))
    origin: Any = kind._origin or kind
    module = import_module(f"{origin.__module__}._connections")
    prefix = "" if resource._blocking else "Async"
    return getattr(module, f"{prefix}{origin.__name__}ConnectionManager")(resource._client, **given)


class _Manager(Handling):
    """The part that both kinds of managers share."""

    _route: ClassVar[Route]
    # The name of the connection's class in the manager's module, without `Async`.
    _opens: ClassVar[str] = ""
    # The default bound of the queue in bytes.
    _max_queue_size: ClassVar[int] = 1_048_576

    def __init__(self, client: Any, **given: Any) -> None:
        common = {name: given.pop(name, default) for name, default in _COMMON.items()}
        self._client = client
        self._query: Any = common["extra_query"] or {}
        self._headers: Mapping[str, Any] = common["extra_headers"] or {}
        self._options = WebSocketOptions(common["websocket_connection_options"] or {})
        self._rules = Reconnects(
            common["on_reconnecting"], common["max_retries"], common["initial_delay"], common["max_delay"]
        )
        self._queue = SendQueue(given.pop("max_queue_size", self._max_queue_size))
        self._own = given
        self._event_handler_registry = EventHandlerRegistry()
        # An impossible path argument is refused where it is written.
        self._route.request(given, {})

    def send(self, event: Any) -> None:
        """Queues an event, which is sent when the connection is open. Raises WebSocketQueueFullError."""
        self._queue.put(frame_of(event), text=True)

    def _link(self) -> Link:
        # Not `self`, which holds the connection: a dropped one would stay open until the garbage collector runs.
        client, route, own, options = self._client, self._route, self._own, self._options

        async def handshake(query: Any, headers: Mapping[str, Any]) -> Any:
            return await shake_hands(client, route, own, query, headers, options)

        sessions = client._sessions
        return Link(handshake, self._rules, self._queue, self._query, self._headers, lambda: sessions.closed)

    def _class(self, prefix: str) -> Any:
        return getattr(sys.modules[type(self).__module__], f"{prefix}{self._opens}")

    def _made(self, prefix: str, link: Link, *args: Any) -> Any:
        handlers = EventHandlerRegistry()
        strict = self._client._configuration.strict
        connection = self._class(prefix)(link, handlers, *args, strict=strict)
        self._event_handler_registry.merge_into(handlers)
        return connection


class AsyncConnectionManager(_Manager):
    """Opens a connection of the asynchronous client: `async with manager as connection`, or `await manager.enter()`."""

    _opened: Any = None

    async def __aenter__(self) -> Any:
        link = self._link()
        await link.open()
        self._opened = self._made("Async", link)
        return self._opened

    enter: Callable[..., Any] = __aenter__
    """Opens the connection without a block; close it with `connection.close()`."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened: AsyncConnection | None = self._opened
        if opened is None:
            return
        # The exception of the block wins over one of closing.
        with contextlib.suppress(*((Exception,) if error is not None else ())):
            await opened.close()


class SyncConnectionManager(_Manager):
    """Opens a connection of the blocking client: `with manager as connection`, or `manager.enter()`."""

    _opened: Any = None

    def __enter__(self) -> Any:
        link = self._link()
        sessions = self._client._sessions
        bridge = _bridges.setdefault(sessions, Bridge())
        bridge.hold(link)
        try:
            bridge.run(lambda _: link.open())
            self._opened = connection = self._made("", link, bridge)
            bridge.hold(connection)
        finally:
            bridge.release(link)
        return connection

    enter: Callable[..., Any] = __enter__
    """Opens the connection without a block; close it with `connection.close()`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened: SyncConnection | None = self._opened
        if opened is None:
            return
        # The exception of the block wins over one of closing.
        with contextlib.suppress(*((Exception,) if error is not None else ())):
            opened.close()
