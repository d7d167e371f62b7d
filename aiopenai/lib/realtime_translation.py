"""Sessions of realtime translation, over a connection that is never replaced and sends nothing twice.

A session ends in order: the program sends `session.close`, receives what is left, and the server's `session.closed`
closes the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import msgspec

from aiopenai._base.sentinels import omit
from aiopenai._calls.replies import response_of
from aiopenai._calls.resources import AsyncAPIResource, SyncAPIResource
from aiopenai._data.codec import Decoder
from aiopenai._data.leaves import importing
from aiopenai._live.connections import frame_of
from aiopenai._live.query import joined_query, pairs_of
from aiopenai.errors import APIResponseValidationError, OpenAIError

if TYPE_CHECKING:
    from types import TracebackType

    from aiopenai._base.aliases import Headers, Query
    from aiopenai._base.websocket_types import WebSocketConnectionOptions
    from aiopenai.types.realtime import (
        RealtimeTranslationClientEvent,
        RealtimeTranslationClientEventParam,
        RealtimeTranslationServerEvent,
    )

__all__ = ["AsyncTranslationConnection", "AsyncTranslationSession", "TranslationConnection", "TranslationSession"]

ResourceT = TypeVar("ResourceT")

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)


class _Connection:
    """The part that both kinds of connections share."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._state: Literal["open", "finishing", "closed"] = "open"

    def _frame(self, event: Any) -> str | None:
        """Returns an event as it is sent; None for a second `session.close`, which is not. Raises OpenAIError later.

        An event that cannot be encoded raises TypeError or ValueError here, and changes nothing.
        """
        kind = cast("Any", event).get("type") if isinstance(event, Mapping) else getattr(event, "type", None)
        ends = kind == "session.close"
        if ends and self._state == "finishing":
            return None
        if self._state != "open":
            reason = "session.close was sent" if self._state == "finishing" else "the connection is closed"
            raise OpenAIError(f"The translation takes no more input: {reason}.")
        frame = frame_of(event).decode()
        if ends:
            self._state = "finishing"
        return frame

    def _read(self, raw: bytes) -> tuple[Any, bool]:
        """Returns a message as an event, and whether the session is over: only by a complete `session.closed`."""
        event = self._connection.parse_event(raw)
        if getattr(event, "type", None) != "session.closed":
            return event, False
        from aiopenai.types.realtime import RealtimeTranslationSessionClosedEvent

        try:
            return Decoder.of(RealtimeTranslationSessionClosedEvent).validate(raw), True
        except msgspec.DecodeError as error:
            response = response_of(self._connection._connection.response, raw)
            message = f"The event session.closed is malformed, and does not end the session: {error}"
            raise APIResponseValidationError(response, None, message=message) from error


class TranslationConnection(_Connection):
    """An open session of the blocking client. One thread may receive while another sends."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._sending = threading.Lock()
        self._closing = threading.Lock()
        self._closed: Future[None] | None = None

    def send(self, event: RealtimeTranslationClientEvent | RealtimeTranslationClientEventParam) -> None:
        """Sends an event. `session.close` is the last one, and is sent once.

        Raises OpenAIError for later events. A send that fails closes the connection, because the server may have
        received a part.
        """
        with self._sending:
            frame = self._frame(event)
            if frame is None:
                return
            try:
                self._connection.send_raw(frame)
            except BaseException as error:
                with _yielding_to(error):
                    self.close()
                raise

    def recv(self, *, timeout: float | None = None) -> RealtimeTranslationServerEvent:
        """Returns the next event. Raises TimeoutError if none arrives within `timeout` seconds, and loses none.

        `session.closed` closes the connection. Raises WebSocketConnectionClosedError for an end without it, and
        APIResponseValidationError for a malformed message.
        """
        event, is_over = self._read(self._connection.recv_bytes(timeout))
        if is_over:
            # A caller with a timeout does not wait for the server's close frame.
            self._close(wait=timeout is None)
        return cast("RealtimeTranslationServerEvent", event)

    def close(self) -> None:
        """Closes the connection. Later calls wait for the first one."""
        self._close(wait=True)

    def _close(self, *, wait: bool) -> None:
        # Without the lock of senders, so that a send that hangs is ended.
        with self._closing:
            self._state = "closed"
            is_first = self._closed is None
            closed: Future[None] = self._closed or Future()
            self._closed = closed
        if is_first and wait:
            self._finish(closed)
        elif is_first:
            threading.Thread(target=self._finish, args=(closed,), name="aiopenai-translation", daemon=True).start()
        if wait:
            closed.result()

    def _finish(self, closed: Future[None]) -> None:
        try:
            self._connection.close()
        except BaseException as error:
            closed.set_exception(error)
        else:
            closed.set_result(None)


class AsyncTranslationConnection(_Connection):
    """An open session of the asynchronous client."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._sending = asyncio.Lock()

    async def send(self, event: RealtimeTranslationClientEvent | RealtimeTranslationClientEventParam) -> None:
        """Sends an event. `session.close` is the last one, and is sent once.

        Raises OpenAIError for later events. A send that fails or is cancelled closes the connection, because the server
        may have received a part.
        """
        async with self._sending:
            frame = self._frame(event)
            if frame is None:
                return
            try:
                await self._connection.send_raw(frame)
            except BaseException as error:
                with _yielding_to(error):
                    await self.close()
                raise

    async def recv(self) -> RealtimeTranslationServerEvent:
        """Returns the next event. `session.closed` closes the connection. Cancelling it loses none.

        Raises WebSocketConnectionClosedError for an end without `session.closed`, and APIResponseValidationError for a
        malformed message.
        """
        event, is_over = self._read(await self._connection.recv_bytes())
        if is_over:
            await self.close()
        return cast("RealtimeTranslationServerEvent", event)

    async def close(self) -> None:
        """Closes the connection."""
        self._state = "closed"
        await self._connection.close()


class _Session(Generic[ResourceT]):
    """The part that both kinds of sessions share."""

    _blocking: bool

    def __init__(
        self,
        resource: ResourceT,
        *,
        model: str,
        extra_query: Query = {},  # noqa: B006  (the default of `connect`)
        extra_headers: Headers = {},  # noqa: B006
        websocket_connection_options: WebSocketConnectionOptions = {},  # noqa: B006
    ) -> None:
        given: Any = resource
        origin: type[Any] = getattr(given, "_origin", None) or given.__class__
        if origin.__name__ != "Translations" or given._blocking is not self._blocking:
            kind = "OpenAI" if self._blocking else "AsyncOpenAI"
            raise TypeError(f"{type(self).__name__} takes `client.realtime.translations` of {kind}, not {resource!r}")
        self._resource = given
        self._model = model
        self._extra_query = extra_query
        self._extra_headers = extra_headers
        self._options = websocket_connection_options
        self._entered = False

    def _manager(self) -> Any:
        """Returns the manager of the only connection, after the checks of the arguments and of the client."""
        if self._entered:
            raise RuntimeError("A translation session can be entered once: make another one.")
        self._entered = True
        if not self._model:
            raise ValueError("model must be the name of a translation model, not empty")
        client = self._resource._client
        _require_openai(client)
        return self._resource.connect(
            model=self._model,
            extra_query=_query(client._configuration, self._model, self._extra_query or {}),
            extra_headers=self._extra_headers,
            websocket_connection_options=self._options,
        )


class TranslationSession(_Session[SyncAPIResource]):
    """A translation session of the blocking client: `with TranslationSession(...) as connection`, or `enter()`.

    `resource` is `client.realtime.translations`. Entering raises ValueError for an empty model and for a query
    parameter `intent`, RuntimeError the second time, and OpenAIError for clients of Azure and of other services.
    """

    _blocking = True
    _connection: TranslationConnection | None = None

    def __enter__(self) -> TranslationConnection:
        self._connection = TranslationConnection(self._manager().enter())
        return self._connection

    enter = __enter__
    """Opens the session without a block; close it with `connection.close()`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection is not None:
            with _yielding_to(error):
                self._connection.close()


class AsyncTranslationSession(_Session[AsyncAPIResource]):
    """A translation session of the asynchronous client: `async with AsyncTranslationSession(...) as connection`.

    It has the rules of `TranslationSession`.
    """

    _blocking = False
    _connection: AsyncTranslationConnection | None = None

    async def __aenter__(self) -> AsyncTranslationConnection:
        self._connection = AsyncTranslationConnection(await self._manager().enter())
        return self._connection

    enter = __aenter__
    """Opens the session without a block; close it with `await connection.close()`."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection is not None:
            with _yielding_to(error):
                await self._connection.close()


@contextlib.contextmanager
def _yielding_to(error: BaseException | None) -> Generator[None]:
    """Makes an exception of closing the cause of `error`, which wins. Without `error` it is raised."""
    try:
        yield
    except Exception as closing:
        if error is None:
            raise
        error.__cause__ = closing


def _require_openai(client: Any) -> None:
    """Raises OpenAIError for a client of another service."""
    from aiopenai._client.azure import BaseAzureClient

    service = client._configuration.service
    if isinstance(client, BaseAzureClient) or (service is not None and service.is_cloud):
        raise OpenAIError("Translation sessions exist only in OpenAI's own API, not at this client's service.")


def _query(configuration: Any, model: str, extra: Any) -> dict[str, Any]:
    """Returns the whole query of the connection as an `extra_query`, which wins over all other places.

    Of one name the last place counts: the base URL, the client's defaults, the websocket's URL, the model, `extra`.
    The base URL counts even if there is a websocket's URL. Raises ValueError for a parameter `intent` in any place.
    """
    of_base = parse_qs(configuration.base_url.query, keep_blank_values=True)
    of_socket = parse_qs(urlsplit(str(configuration.websocket_base_url or "")).query, keep_blank_values=True)
    defaults = configuration.default_query
    for place, names in (
        ("base_url", of_base),
        ("websocket_base_url", of_socket),
        ("default_query", defaults),
        ("extra_query", dict(pairs_of(extra))),
    ):
        if "intent" in names:
            raise ValueError(f"A translation session takes no query parameter `intent`: remove it from {place}.")
    inherited = joined_query({}, configuration.base_url.query, defaults, of_socket, {})
    found = parse_qs(joined_query({}, inherited, {"model": model}, extra, {}), keep_blank_values=True)
    # `omit` keeps away parameters that `extra` left out.
    removed = dict.fromkeys([*of_base, *of_socket, *defaults, "model"], omit)
    return {**removed, **found}
