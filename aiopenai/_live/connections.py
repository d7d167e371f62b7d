"""Connections for programs: events in and out, handlers, and the methods that send one event each."""

# The classes of generated modules name their parts at run time.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import inspect
import sys
from asyncio import CancelledError
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import msgspec
from typing_extensions import override

from aiopenai._base.sentinels import is_left_out
from aiopenai._calls.replies import response_of
from aiopenai._data.codec import Decoder, Node, encode_event
from aiopenai._data.dumping import as_sent
from aiopenai._live.handlers import EVERY, EventHandlerRegistry, Handling
from aiopenai._live.link import Link
from aiopenai._live.replaced import async_events, events, is_replaced
from aiopenai.errors import APIResponseValidationError, OpenAIError, WebSocketConnectionClosedError

if TYPE_CHECKING:
    from aiopenai._live.bridge import Bridge

__all__ = [
    "REPLAYED",
    "AsyncConnection",
    "ConnectionPart",
    "SyncConnection",
    "fields_of_event",
    "frame_of",
    "part",
    "sends",
    "twins",
]

T = TypeVar("T")

REPLAYED = ("input", "item", "response", "session")
"""The fields of client events that can hold objects of earlier events, which are sent as they were received."""
_SHOWN = 200
# The messages, and their bytes, that are decoded at a time.
_AHEAD = 32
_AHEAD_BYTES = 2**16


def fields_of_event(event: Any) -> dict[str, Any]:
    """Returns the fields of a client event. Raises TypeError for another object."""
    if type(event) is dict:
        return cast("dict[str, Any]", event)
    if isinstance(event, Node):
        event = as_sent(event)
    elif not isinstance(event, Mapping):
        dump = getattr(event, "model_dump", None)
        if dump is None:
            raise TypeError(f"the event must be a dict or an event object, not {type(event).__name__}")
        event = dump(mode="json", by_alias=True, exclude_unset=True)
    return dict(event)


def frame_of(event: Any) -> bytes:
    """Returns a client event as JSON. Raises TypeError and ValueError for one that cannot be sent."""
    return encode_event(event if type(event) is dict else fields_of_event(event), REPLAYED)


def _bytes_of(data: Any) -> tuple[bytes, bool]:
    """Returns a raw message as bytes, and whether it is text."""
    if isinstance(data, str):
        return data.encode(), True
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), False
    raise TypeError(f"send_raw takes str or bytes, not {type(data).__name__}")


class _Connection(Handling):
    """The part that both kinds of connections share."""

    _event: ClassVar[tuple[str, str]] = ("", "")

    def __init__(self, link: Link, handlers: EventHandlerRegistry, *, strict: bool = False) -> None:
        self._link = link
        self._event_handler_registry = handlers
        module, name = self._event
        decoder = Decoder.of(getattr(import_module(module), name) if name else object)
        self._decode: Callable[[bytes], Any] = decoder.validate if strict else decoder
        self._decode_many = None if strict else decoder.many
        # Messages that wait, with the events that they are; the next one is the last.
        self._ahead: list[tuple[bytes, Any]] = []

    @property
    def _connection(self) -> Any:
        """The present websocket."""
        return self._link.socket

    @property
    def _send_queue(self) -> Any:
        return self._link.queue

    @property
    def _is_reconnecting(self) -> bool:
        return self._link.reconnecting

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'closed' if self._link.socket.closed else 'open'}>"

    def parse_event(self, data: str | bytes) -> Any:
        """Returns a message as an event. Events of an unknown type become open objects.

        Raises APIResponseValidationError for a message that is no JSON.
        """
        return self._parsed(data.encode() if isinstance(data, str) else bytes(data))

    def _parsed(self, raw: bytes) -> Any:
        try:
            return self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            response = response_of(self._link.socket.response, raw)
            begin = raw[:_SHOWN].decode("utf-8", "replace")
            message = f"A message of the websocket is not the JSON that was expected ({error}); it begins: {begin!r}"
            raise APIResponseValidationError(response, None, message=message) from error

    def _event_of(self, raw: bytes, waiting: deque[bytes]) -> Any:
        """Returns a message as an event. Those that wait behind it are decoded with it, in a quarter of the time."""
        ahead = self._ahead
        if ahead:
            known, event = ahead.pop()
            # The program may have received the message as bytes.
            if known is raw:
                return event
            ahead.clear()
        if not waiting or self._decode_many is None:
            return self._parsed(raw)
        batch = [raw]
        size = len(raw)
        for message in waiting:
            size += len(message)
            if size > _AHEAD_BYTES or len(batch) == _AHEAD or not message:
                break
            batch.append(message)
        # An error is that of its own message, and is raised when that one is received.
        events, _ = self._decode_many(batch) if raw else ([], None)
        if not events:
            return self._parsed(raw)
        self._ahead = [*zip(batch, events, strict=False)][:0:-1]
        return events[0]

    def _handlers(self, event: Any) -> list[Callable[..., Any]]:
        """Returns the handlers of an event. Raises OpenAIError for an error event without any."""
        kind = getattr(event, "type", None)
        registry = self._event_handler_registry
        own = registry.get_handlers(kind) if isinstance(kind, str) and kind != EVERY else []
        found = own + registry.get_handlers(EVERY)
        if not found and kind == "error":
            raise OpenAIError(f"WebSocket error: {event!r}")
        return found


class AsyncConnection(_Connection):
    """An open connection of the asynchronous client. Iterate it for the server's events."""

    async def recv(self) -> Any:
        """Returns the next event. Cancelling it loses none.

        Raises WebSocketConnectionClosedError after the end, and APIResponseValidationError for a message that is no
        JSON, after which the next one can be received.
        """
        link = self._link
        return self._event_of(await link.read(), link.socket.inbox.messages)

    async def recv_bytes(self) -> bytes:
        """Returns the next message as it was received."""
        return await self._link.read()

    def __aiter__(self) -> Any:
        return async_events(self) if is_replaced(self, AsyncConnection.recv) else self

    async def __anext__(self) -> Any:
        link = self._link
        inbox = link.socket.inbox
        # One test in place of two coroutines for a message that is here.
        if inbox.messages and not link.used:
            return self._event_of(inbox.take(), inbox.messages)
        return self._event_of(await link.next(), link.socket.inbox.messages)

    async def send(self, event: Any) -> None:
        """Sends an event: a dict, or an object of an event type."""
        await self._link.send(frame_of(event), text=True)

    async def send_raw(self, data: str | bytes) -> None:
        """Sends a message as it is: str as text, bytes as a binary message."""
        raw, text = _bytes_of(data)
        await self._link.send(raw, text=text)

    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Closes the connection; it does not reconnect any more."""
        await self._link.close(code, reason)

    async def dispatch_events(self) -> None:
        """Receives events until the end of the connection, and calls their handlers. Coroutines are awaited.

        Raises OpenAIError for an error event without a handler, and the exceptions of handlers.
        """
        async for event in self:
            for handler in self._handlers(event):
                result = handler(event)
                if inspect.iscoroutine(result):
                    await result

    def __del__(self) -> None:
        if (link := getattr(self, "_link", None)) is not None:
            link.socket.abandon()


class SyncConnection(_Connection):
    """An open connection of the blocking client. Iterate it for the server's events.

    It runs on an event loop in a thread of its own, which answers pings while the program does not read. One thread may
    receive while others send.
    """

    def __init__(self, link: Link, handlers: EventHandlerRegistry, bridge: Bridge, *, strict: bool = False) -> None:
        super().__init__(link, handlers, strict=strict)
        self._bridge = bridge
        self._over = False
        # Messages that were received and not returned yet. A batch costs one change of threads.
        self._received: deque[bytes] = deque()

    def recv(self, timeout: float | None = None) -> Any:
        """Returns the next event. Raises TimeoutError if none arrives within `timeout` seconds, and loses none.

        Raises WebSocketConnectionClosedError after the end, and APIResponseValidationError for a message that is no
        JSON, after which the next one can be received.
        """
        return self._event_of(self._next_raw(timeout), self._received)

    def recv_bytes(self, timeout: float | None = None) -> bytes:
        """Returns the next message as it was received."""
        return self._next_raw(timeout)

    def _next_raw(self, timeout: float | None = None, *, reconnect: bool = False) -> bytes:
        try:
            return self._received.popleft()
        except IndexError:
            pass
        link = self._link
        if self._over:
            ended = link.socket.closed_error()
            raise StopIteration if reconnect and ended.clean else ended

        async def batch(ask: Any) -> list[bytes] | None:
            try:
                return await link.batch((lambda: link.next(ask)) if reconnect else link.read)
            except StopAsyncIteration:
                # No coroutine can raise it.
                return None

        try:
            frames = self._bridge.run(batch, timeout, late=self._keep)
        except CancelledError:
            # The last connection of the thread was closed while this one received.
            raise link.socket.closed_error() from None
        if frames is None:
            raise StopIteration
        self._received.extend(frames)
        return self._received.popleft()

    def _keep(self, frames: list[bytes] | None) -> None:
        """Keeps messages that arrived for a call which had just been interrupted."""
        self._received.extend(frames or ())

    def _recovered(self, lost: WebSocketConnectionClosedError) -> bool:
        """Replaces a lost websocket. Returns False after a clean end, and raises any other."""
        if self._over:
            if lost.clean:
                return False
            raise lost

        async def recover(ask: Any) -> bool:
            try:
                await self._link.recover(lost, ask)
            except StopAsyncIteration:
                return False
            return True

        return self._bridge.run(recover)

    def __iter__(self) -> Any:
        return events(self) if is_replaced(self, SyncConnection.recv) else self

    def __next__(self) -> Any:
        return self._event_of(self._next_raw(reconnect=True), self._received)

    def send(self, event: Any) -> None:
        """Sends an event: a dict, or an object of an event type."""
        self._send(frame_of(event), text=True)

    def send_raw(self, data: str | bytes) -> None:
        """Sends a message as it is: str as text, bytes as a binary message."""
        raw, text = _bytes_of(data)
        self._send(raw, text=text)

    def _send(self, raw: bytes, *, text: bool) -> None:
        self._run(lambda _: self._link.send(raw, text=text))

    def _run(self, make: Callable[[Any], Awaitable[None]]) -> None:
        """Runs a coroutine in the loop of the connection. Raises WebSocketConnectionClosedError after `close`."""
        if self._over:
            raise self._link.socket.closed_error()
        self._bridge.run(make)

    def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Closes the connection; it does not reconnect any more."""
        link = self._link
        if not self._over:
            try:
                self._bridge.run(lambda _: link.close(code, reason))
            finally:
                self._over = True
                self._bridge.release(self)

    def dispatch_events(self) -> None:
        """Receives events until the end of the connection, and calls their handlers in this thread.

        Raises OpenAIError for an error event without a handler, and the exceptions of handlers.
        """
        for event in self:
            for handler in self._handlers(event):
                handler(event)

    def __del__(self) -> None:
        if (link := getattr(self, "_link", None)) is not None:
            link.socket.abandon()
            self._bridge.release(self)


# The methods of generated modules


class ConnectionPart:
    """A namespace of a connection, such as `connection.session`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection


class part(cached_property[Any]):  # noqa: N801  (it stands where a property would)
    """The namespace `name` of a connection, made at its first use."""

    def __init__(self, name: str) -> None:
        super().__init__(self._make)
        self.name = name

    def _make(self, holder: Any) -> Any:
        connection: Any = getattr(holder, "_connection", holder) if isinstance(holder, ConnectionPart) else holder
        prefix = "Async" if isinstance(connection, AsyncConnection) else ""
        module = sys.modules[type(holder).__module__]
        return getattr(module, f"{prefix}{self.name}")(connection)


def sends(event: str) -> Callable[[Callable[..., Any]], Any]:
    """Makes a method that sends one event, with its arguments as fields."""

    def decorate(shown: Callable[..., Any]) -> Any:
        code: Any = cast("Any", shown).__code__
        known = frozenset(code.co_varnames[1 : 1 + code.co_kwonlyargcount])
        optional: Mapping[str, Any] = cast("Any", shown).__kwdefaults__ or {}
        needed = known - optional.keys()
        name = shown.__qualname__

        def method(self: Any, **given: Any) -> Any:
            names = given.keys()
            # The shortest way for audio: fifty calls a second with the required arguments alone.
            if names != needed:
                if not needed <= names <= known:
                    raise _wrong_arguments(name, needed - names, names - known)
                given = {field: value for field, value in given.items() if not is_left_out(value)}
            return self._connection.send({"type": event, **given})

        method.__name__, method.__qualname__, method.__doc__ = shown.__name__, name, shown.__doc__
        method.__module__ = shown.__module__
        vars(method)["__wrapped__"] = shown
        return method

    return decorate


def _wrong_arguments(name: str, missing: Any, unknown: Any) -> TypeError:
    if unknown:
        return TypeError(f"{name}() got an unexpected keyword argument {min(unknown)!r}")
    return TypeError(f"{name}() missing required keyword-only arguments: {', '.join(map(repr, sorted(missing)))}")


def twins(module: str) -> Callable[[str], Any]:
    """Returns `__getattr__` of a generated module: its asynchronous classes, made from the blocking ones."""
    namespace = vars(sys.modules[module])
    # As they are generated: a method that is replaced later, on one class, is not for the other.
    generated = {
        key: dict(vars(value))
        for key, value in namespace.items()
        if isinstance(value, type) and value.__module__ == module
    }

    def find(name: str) -> Any:
        key = name.removeprefix("Async").replace("BaseAsync", "Base")
        origin = namespace.get(key) if key in generated else None
        if origin is None or name not in (f"Async{origin.__name__}", origin.__name__.replace("Base", "BaseAsync", 1)):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        members = {key: value for key, value in generated[key].items() if key not in ("__dict__", "__weakref__")}
        members.update(__qualname__=name)
        for key, value in members.items():
            if isinstance(value, part):
                members[key] = part(value.name)
        namespace[name] = made = type(name, _async_bases(origin), members)
        return made

    return find


def _async_bases(origin: type) -> tuple[type, ...]:
    from aiopenai._live.managers import AsyncConnectionManager, SyncConnectionManager

    pairs: dict[type, type] = {SyncConnection: AsyncConnection, SyncConnectionManager: AsyncConnectionManager}
    return tuple(pairs.get(base, base) for base in origin.__bases__)
