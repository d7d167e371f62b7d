"""The sessions of a client and its copies, made on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from aiopenai._base.imports import import_in_thread
from aiopenai._base.secret import Secret, without_frames
from aiopenai._http.messages import HTTPRequest
from aiopenai.errors import APIConnectionError

if TYPE_CHECKING:
    from types import ModuleType

    from aiopenai._http.interface import Session
    from aiopenai._http.sessions import Sessions

__all__ = ["SharedSessions", "is_httpx_client"]


def is_httpx_client(client: Any) -> bool:
    """Returns whether an object is a client of httpx: aiohttp's session has no `build_request`."""
    return client is not None and hasattr(client, "build_request")


class SharedSessions:
    """The sessions that a client and its copies share: one for each event loop.

    `wiring` are the keyword arguments of `open_sessions`.
    """

    def __init__(self, wiring: dict[str, Any]) -> None:
        self.wiring = wiring
        # Both are there after the first call.
        self._transport: ModuleType | None = None
        self._sessions: Sessions | None = None
        self.current: Callable[[], Session | None] = _no_session
        """Returns the running loop's session, or None before its first call."""
        self.closed = False

    async def open(self, method: str, url: str) -> Session:
        """Returns the running loop's session, made now. Raises APIConnectionError if the client is closed.

        aiohttp is imported in a thread the first time in a process.
        """
        if self.closed:
            raise self.closed_error(method, url)
        if self._transport is None:
            self._transport = await import_in_thread("aiopenai._http.sessions")
        if self._sessions is None:
            self._sessions = cast("Sessions", self._transport.open_sessions(**self.wiring))
            self.current = self._sessions.current
        # No `await` from here on: ten thousand first calls then share one session.
        return self._sessions.current() or self._sessions.open()

    def closed_error(self, method: str, url: str) -> APIConnectionError:
        """Returns the error of a call on a closed client, which is not retried."""
        why = (
            "the client is closed: create another one, or close it after its last call"
            if self.closed
            else "the session or client given as http_client is closed"
        )
        return APIConnectionError(
            message=f"Connection error: {why}.", request=HTTPRequest(method, url), retryable=False
        )

    def block(self, headers: Secret[dict[str, Any]]) -> Mapping[str, str]:
        """Returns headers in the form that the transport sends without conversion.

        Raises TypeError and ValueError for headers that cannot be sent.
        """
        assert self._transport is not None
        try:
            return cast("Mapping[str, str]", self._transport.header_block(headers.value))
        except (TypeError, ValueError) as error:
            raise without_frames(error)  # noqa: B904 - it is the same error

    @property
    def httpx_client(self) -> Any:
        """The client of httpx that the program gave, or that drop-in mode made; None if there is none."""
        given = (self.wiring.get("http_client"), self.wiring.get("plain_client"))
        return next(filter(is_httpx_client, given), None)

    async def close(self) -> None:
        """Closes all sessions of the package's own, and a client of httpx; further calls raise."""
        self.closed = True
        try:
            if self._sessions is not None:
                await self._sessions.close()
        finally:
            if (client := self.httpx_client) is not None:
                await client.aclose()


def _no_session() -> None:
    """The `current` of a client that has made no call."""
