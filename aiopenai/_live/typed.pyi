"""The static types of connections and managers, for checkers and editors: generated stubs derive from these."""

from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar, overload

from typing_extensions import Self

from aiopenai._live.handlers import EventHandlerRegistry
from aiopenai._live.queue import SendQueue

EventT_co = TypeVar("EventT_co", covariant=True)
SentT_contra = TypeVar("SentT_contra", contravariant=True)
ConnectionT_co = TypeVar("ConnectionT_co", covariant=True)
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])

class _Handling:
    _event_handler_registry: EventHandlerRegistry
    @overload
    def on(self, event_type: str, handler: Callable[..., Any]) -> Self:
        """Adds a handler for an event type, or for all with `"event"`."""
    @overload
    def on(self, event_type: str) -> Callable[[HandlerT], HandlerT]:
        """Returns a decorator that adds a handler."""
    @overload
    def once(self, event_type: str, handler: Callable[..., Any]) -> Self:
        """Adds a handler for the next event of a type."""
    @overload
    def once(self, event_type: str) -> Callable[[HandlerT], HandlerT]:
        """Returns a decorator that adds a handler for the next event of a type."""
    def off(self, event_type: str, handler: Callable[..., Any]) -> Self:
        """Removes the first registration of a handler."""

class AsyncTypedConnection(_Handling, Generic[EventT_co, SentT_contra]):
    _send_queue: SendQueue
    _is_reconnecting: bool
    async def recv(self) -> EventT_co:
        """Returns the next event. Cancelling it loses none."""
    async def recv_bytes(self) -> bytes:
        """Returns the next message as it was received."""
    def parse_event(self, data: str | bytes) -> EventT_co:
        """Returns a message as an event. Raises APIResponseValidationError for a message that is no JSON."""
    async def send(self, event: SentT_contra) -> None:
        """Sends an event: a dict, or an object of an event type."""
    async def send_raw(self, data: str | bytes) -> None:
        """Sends a message as it is: str as text, bytes as a binary message."""
    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Closes the connection; it does not reconnect any more."""
    async def dispatch_events(self) -> None:
        """Receives events until the end of the connection, and calls their handlers."""
    def __aiter__(self) -> AsyncIterator[EventT_co]: ...

class SyncTypedConnection(_Handling, Generic[EventT_co, SentT_contra]):
    _send_queue: SendQueue
    _is_reconnecting: bool
    def recv(self, timeout: float | None = None) -> EventT_co:
        """Returns the next event. Raises TimeoutError if none arrives within `timeout` seconds."""
    def recv_bytes(self, timeout: float | None = None) -> bytes:
        """Returns the next message as it was received."""
    def parse_event(self, data: str | bytes) -> EventT_co:
        """Returns a message as an event. Raises APIResponseValidationError for a message that is no JSON."""
    def send(self, event: SentT_contra) -> None:
        """Sends an event: a dict, or an object of an event type."""
    def send_raw(self, data: str | bytes) -> None:
        """Sends a message as it is: str as text, bytes as a binary message."""
    def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Closes the connection; it does not reconnect any more."""
    def dispatch_events(self) -> None:
        """Receives events until the end of the connection, and calls their handlers in this thread."""
    def __iter__(self) -> Iterator[EventT_co]: ...

class AsyncTypedManager(_Handling, Generic[ConnectionT_co, SentT_contra]):
    def send(self, event: SentT_contra) -> None:
        """Queues an event, which is sent when the connection is open."""
    async def enter(self) -> ConnectionT_co:
        """Opens the connection without a block."""
    async def __aenter__(self) -> ConnectionT_co: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

class SyncTypedManager(_Handling, Generic[ConnectionT_co, SentT_contra]):
    def send(self, event: SentT_contra) -> None:
        """Queues an event, which is sent when the connection is open."""
    def enter(self) -> ConnectionT_co:
        """Opens the connection without a block."""
    def __enter__(self) -> ConnectionT_co: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
