"""Clients of httpx and httpx2 given as `http_client`.

A plain one is translated: its TLS context is taken over, and aiopenai's own transport sends the requests. One with a
transport, hooks, mounts or auth of its own sends the requests itself, behind the transport interface. Mocks and
recorders of httpx therefore intercept. Neither library is imported here: a program that has a client has imported it.
"""

# The libraries are optional, so type checkers know nothing about their objects.
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from aiopenai._base.timeouts import Timeout
from aiopenai._http.interface import Reply, Session, Settings
from aiopenai._http.messages import Headers, HTTPRequest
from aiopenai._http.multipart import MultipartBody
from aiopenai._http.outgoing import pieces_of
from aiopenai.errors import APIConnectionError, APIError, APITimeoutError

__all__ = ["HttpxSession", "adopt", "is_plain", "own_timeout"]

_LIBRARIES = ("httpx", "httpx2")
_TRANSPORTS = ("HTTPTransport", "AsyncHTTPTransport")
# The timeout of a client of httpx without options, which is none of the program's own.
_USUAL_SECONDS = 5.0
# The most connections, and those kept alive: of httpx and of the reference's clients.
_USUAL_LIMITS = ((100, 20), (1000, 100))
# Mocks and recorders that reach below the transport, also after the client was made. A program that has imported one
# expects its requests there. `tests.respx2` is that of the reference's own tests.
_MOCKS = ("respx", "tests.respx2", "pytest_httpx", "vcr")
_closing: set[asyncio.Task[None]] = set()


def own_timeout(client: Any) -> Timeout | None:
    """Returns the timeout that a program has set in a client; None for that of a client without options."""
    parts = {getattr(client.timeout, name) for name in ("connect", "read", "write", "pool")}
    return None if parts == {_USUAL_SECONDS} else Timeout.of(client.timeout)


def adopt(client: Any, *, blocking: bool) -> dict[str, Any]:
    """Returns the wiring for a client of httpx. Raises TypeError for one of the wrong kind."""
    if inspect.iscoroutinefunction(client.send) is blocking:
        kind, wanted = ("OpenAI", "Client") if blocking else ("AsyncOpenAI", "AsyncClient")
        name = f"{type(client).__module__}.{type(client).__name__}"
        raise TypeError(f"http_client of {kind} must be an httpx.{wanted}, not {name}")
    if not is_plain(client):
        return {"http_client": client}
    pool = client._transport._pool
    context = getattr(pool, "_ssl_context", None)
    options = getattr(pool, "_socket_options", None)
    wiring = {
        "http_client": None,
        "plain_client": client,
        "socket_options": tuple(options or ()),
        "trust_env": bool(client.trust_env),
    }
    return wiring if context is None else {**wiring, "ssl": context}


def is_plain(client: Any) -> bool:
    """Returns whether a client does nothing that aiopenai's transport would not do."""
    transport = type(client._transport)
    base = _base_of(client)
    replaced = any(getattr(type(client), name) is not getattr(base, name) for name in ("send", "build_request"))
    return (
        transport.__name__ in _TRANSPORTS
        and _library_name(transport) in _LIBRARIES
        and not any(name in sys.modules for name in _MOCKS)
        # Other mocks replace the method of the class.
        and _origin(transport) in _LIBRARIES
        and not (replaced or client._mounts or client.auth or client.params or len(client.cookies.jar))
        and not any(client.event_hooks.values())
        and not _own_headers(client)
        and _has_usual_connections(client)
    )


def _has_usual_connections(client: Any) -> bool:
    """Returns whether a client opens connections as one without options of its own does, or as the reference's."""
    pool = getattr(client._transport, "_pool", None)
    own = [getattr(pool, f"_{name}", "unknown") for name in ("uds", "local_address")]
    limits = (getattr(pool, "_max_connections", 0), getattr(pool, "_max_keepalive_connections", 0))
    other_protocol = getattr(pool, "_http2", True) or getattr(pool, "_retries", 1)
    # That of a proxy is of another class.
    is_direct = type(pool).__name__ in ("ConnectionPool", "AsyncConnectionPool")
    return is_direct and own == [None] * len(own) and limits in _USUAL_LIMITS and not other_protocol


def _library_name(cls: type[Any]) -> str:
    return cls.__module__.partition(".")[0]


def _base_of(client: Any) -> type[Any]:
    """Returns the library's own class of a client. Raises TypeError for an object that is none."""
    for cls in type(client).__mro__:
        if _library_name(cls) in _LIBRARIES:
            return cls
    raise TypeError(f"http_client is a {type(client).__name__}, which is no client of httpx")


def _origin(transport: type[Any]) -> str:
    """Returns the package in which the transport's method is written: another one if a mock has replaced it."""
    for name in ("handle_request", "handle_async_request"):
        if (method := vars(transport).get(name)) is not None:
            return str(method.__module__ or "").partition(".")[0]
    return ""


def _own_headers(client: Any) -> bool:
    usual = {"accept", "accept-encoding", "connection", "user-agent"}
    return any(name.lower() not in usual for name in client.headers)


class _HttpxReply(Reply):
    """A reply of an httpx client."""

    __slots__ = ("_dropped", "_pieces", "_sent", "_session", "raw")

    def __init__(self, session: HttpxSession, raw: Any, started: float, sent: HTTPRequest) -> None:
        limit = session.settings.max_response_bytes
        super().__init__(raw.status_code, Headers(raw.headers.multi_items()), time.perf_counter() - started, limit)
        self.raw = raw
        self._session = session
        self._sent = sent
        self._pieces: Any = None
        # The asynchronous library closes a reply in a task of its own, later than `close` returns.
        self._dropped = False

    @property
    @override
    def request(self) -> HTTPRequest:
        return self._sent

    @property
    @override
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._session.loop

    @property
    @override
    def reason(self) -> str:
        return str(self.raw.reason_phrase)

    @property
    @override
    def closed(self) -> bool:
        return self._dropped or bool(self.raw.is_closed)

    @override
    def at_end(self) -> bool:
        return bool(self.raw.is_stream_consumed and self.raw.is_closed)

    @override
    async def read_some(self) -> bytes:
        blocking = self._session.blocking
        try:
            if self._pieces is None:
                self._pieces = self.raw.iter_bytes() if blocking else self.raw.aiter_bytes()
            while True:
                piece: bytes = next(self._pieces) if blocking else await self._pieces.__anext__()
                if piece:
                    return piece
        except (StopIteration, StopAsyncIteration):
            return b""
        except Exception as error:
            raise _failure(error, self._sent) from error

    @override
    def items(self) -> Iterable[tuple[str, str]]:
        return [(name, value) for name, value in self.raw.headers.multi_items() if name.lower() != "content-encoding"]

    @override
    def close(self) -> None:
        self._dropped = True
        if self._session.blocking:
            self.raw.close()
        elif not self.raw.is_closed:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._session.loop.call_soon_threadsafe(_close_soon, self.raw)

    async def aclose(self) -> None:
        """Closes the reply of an async client, and waits for that."""
        if not self._session.blocking:
            self._dropped = True
            await self.raw.aclose()

    @override
    def abandon(self) -> None:
        self.close()


def _close_soon(raw: Any) -> None:
    task = asyncio.get_running_loop().create_task(raw.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)


class HttpxSession(Session):
    """The transport that sends through an httpx client of the program, which the API client closes at its own end."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._client = settings.http_client or settings.plain_client
        self._sockets: Session | None = None
        self._library: Any = sys.modules[_library_name(_base_of(self._client))]
        self.blocking = not inspect.iscoroutinefunction(self._client.send)

    @override
    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout) -> Reply:
        sent = HTTPRequest(method, url, headers.items())
        started = time.perf_counter()
        content, more = await _content(body)
        given = {name: value for name, value in headers.items() if name.lower() not in more}
        # The library drops the query of a URL if its client has parameters of its own.
        address, _, query = url.partition("?")
        more_query = {"params": self._library.QueryParams(query)} if query and self._client.params else {}
        limits = {"connect": timeout.connect, "read": timeout.read, "write": timeout.write, "pool": timeout.pool}
        try:
            request = self._client.build_request(
                method,
                address if more_query else url,
                headers={**given, **more},
                content=content,
                timeout=self._library.Timeout(**limits),
                **more_query,
            )
            # Redirects are followed above, so that credentials stay with their host.
            options = {"stream": True, "follow_redirects": False}
            raw = (
                self._client.send(request, **options) if self.blocking else await self._client.send(request, **options)
            )
        except APIError:
            raise
        except Exception as error:
            raise _failure(error, sent) from error
        return _HttpxReply(self, raw, started, sent)

    @override
    def general(self) -> Session:
        # Websockets are not httpx's: they run on a session of their own.
        from aiopenai._http.general import GeneralSession

        if self._sockets is None:
            self._sockets = GeneralSession(Settings(max_response_bytes=self.settings.max_response_bytes))
        return self._sockets

    @property
    @override
    def closed(self) -> bool:
        return bool(self._client.is_closed)

    @override
    async def shut(self) -> None:
        """Closes the connections of websockets. The client of httpx serves other loops too."""
        if self._sockets is not None:
            await self._sockets.shut()

    @override
    def forget(self) -> None:
        """Leaves the client open: it belongs to the program."""


async def _content(body: Any) -> tuple[bytes | None, dict[str, str]]:
    """Returns a body as bytes, and the headers that belong to it."""
    if body is None or isinstance(body, (bytes, bytearray)):
        return None if body is None else bytes(body), {}
    more: dict[str, str] = {}
    if isinstance(body, MultipartBody):
        more["content-type"] = body.content_type
        ready = body.as_bytes()
        if ready is not None:
            return ready, more
        body, _ = await body.open()
    return b"".join([piece async for piece in pieces_of(body)]), more


def _failure(error: Exception, sent: HTTPRequest) -> APIConnectionError:
    """Returns the error of a request that httpx could not send or finish."""
    if "Timeout" in type(error).__name__:
        return APITimeoutError(sent)
    return APIConnectionError(message=f"Connection error: {error}", request=sent)
