"""The parts of `ClientSession` that the general transport needs: its protocol, the ends of bodies, its methods."""

from __future__ import annotations

import asyncio
from types import FunctionType
from typing import Any, NamedTuple, cast

import aiohttp
import aiohttp.client
from aiohttp.client_proto import ResponseHandler
from typing_extensions import override

from aiopenai._base.secret import without_frames
from aiopenai._http.framing import END_OF_HEAD, INTERIM, salvaged, without_conflict

__all__ = ["Maker", "SessionProtocol", "original_error_of", "pristine", "take_despite_failure"]

# How much of a head is held until it is whole.
MAX_HELD_HEAD = 2**20
_HTTP = b"HTTP/"


class SessionProtocol(ResponseHandler):
    """aiohttp's protocol, with one timer for the read limit per connection, and exact about the ends of replies.

    The end of the limit is noted and the timer compares when it fires: noting takes 0.1 us, a timer per request 2.
    """

    _deadline: float | None = None
    _watch: asyncio.TimerHandle | None = None
    _answered = True
    _head = b""
    used = False

    @property
    def fileno(self) -> int:
        """The descriptor of the socket."""
        transport: Any = self.transport
        return int(transport.get_extra_info("socket").fileno())

    @override
    def set_response_params(self, **parameters: Any) -> None:
        self.used = True
        self._answered = False
        self._head = b""
        super().set_response_params(**parameters)

    @override
    def feed_data(self, data: Any, size: int = 0) -> None:
        self._answered = not 100 <= data[0].code < 200
        super().feed_data(data, size)

    @override
    def data_received(self, data: bytes) -> None:
        if not data or self._upgraded or self._payload_parser is not None:
            super().data_received(data)
        elif not self._answered:
            self._feed_head(data)
        elif self._payload is not None and not self._payload.is_eof():
            super().data_received(data)
        else:
            # Bytes that no request asked for: the next request would take them for its reply.
            self._should_close = True
            if self.transport is not None:
                self.transport.close()

    def _feed_head(self, data: bytes) -> None:
        """Hands a head to the parser once it is whole: a contradiction in it is mended before."""
        self._reschedule_timeout()
        data, self._head = self._head + data, b""
        while data:
            end = data.find(END_OF_HEAD)
            if end < 0:
                if len(data) < MAX_HELD_HEAD and b"\n\n" not in data and data.startswith(_HTTP[: len(data)]):
                    self._head = data
                    return
            elif INTERIM.match(data):
                super().data_received(data[: end + 4])
                data = data[end + 4 :]
                continue
            elif (head := without_conflict(data[: end + 4])) is not None:
                self._should_close = True
                data = head + data[end + 4 :]
            super().data_received(data)
            return

    @override
    def _reschedule_timeout(self) -> None:
        seconds = self._read_timeout
        if not seconds or self.transport is None:
            # A timer would keep a connection that is lost, for as long as the limit.
            self._deadline = None
            return
        self._deadline = deadline = self._loop.time() + seconds
        watch = self._watch
        if watch is not None:
            if watch.when() <= deadline:
                return
            watch.cancel()
        self._watch = self._loop.call_at(deadline, self._look)

    @override
    def _drop_timeout(self) -> None:
        self._deadline = None

    def _look(self) -> None:
        self._watch = None
        if self._deadline is None:
            return
        if self._deadline > self._loop.time():
            self._watch = self._loop.call_at(self._deadline, self._look)
        else:
            self._on_read_timeout()

    @override
    def connection_lost(self, exc: BaseException | None) -> None:
        transport = self.transport
        if exc is not None and not self._answered:
            for piece in salvaged(transport):
                self.data_received(piece)
        if transport is not None:
            # TLS of Python 3.10 calls a transport unclosed that its other end has closed.
            transport.close()
        if self._head:
            head, self._head = self._head, b""
            super().data_received(head)
        body = self._payload
        super().connection_lost(exc)
        failure = None if body is None else body.exception()
        if isinstance(failure, BaseException):
            # Kept in the body: a frame of its traceback would keep all frames below it, and with them the reply.
            without_frames(failure)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


def original_error_of(response: aiohttp.ClientResponse) -> BaseException | None:
    """Returns the error that ended the connection of a reply; None if the server closed it in order.

    aiohttp takes a reset for the end of a body that only the end of its connection delimits.
    """
    protocol: Any = getattr(response, "_protocol", None)
    error = None if protocol is None else protocol.exception()
    return error if isinstance(error, aiohttp.ClientOSError) else None


def take_despite_failure(content: Any, error: BaseException) -> bytes:
    """Returns the bytes that arrived before a failure: aiohttp's stream raises at once and would keep them."""
    if content.exception() is not error or not getattr(content, "_buffer", None):
        return b""
    content._exception = None
    try:
        return cast("bytes", content.read_nowait())
    finally:
        content._exception = error


# Is `ClientSession` as aiohttp wrote it?

_Session: Any = aiohttp.client.ClientSession
_own_globals: Any = vars(aiohttp.client)
# The methods that were found to be aiohttp's own.
_init: Any = None
_request: Any = None
_inner: Any = None


def pristine() -> bool:
    """Returns whether `ClientSession` is neither replaced nor patched. Costs 0.1 us: each call asks.

    Mocks (aioresponses, vcrpy) and tracers (OpenTelemetry, Sentry) replace its methods, also between two calls.
    """
    if (
        _Session._request is _inner
        and _Session.__init__ is _init
        and _Session.request is _request
        and aiohttp.ClientSession is _Session
    ):
        return True
    return _verify()


def _verify() -> bool:
    global _init, _request, _inner
    if aiohttp.ClientSession is not _Session:
        return False
    members = cast("dict[str, Any]", vars(_Session))
    found: list[Any] = [members.get(name) for name in ("__init__", "request", "_request")]
    for function in found:
        # A wrapper has the globals of another module, or is no function; one of wrapt's claims to be one.
        if type(function) is not FunctionType or function.__globals__ is not _own_globals:
            return False
    _init, _request, _inner = found
    return True


class Maker(NamedTuple):
    """The class of sessions and its constructor: a session that others made lacks their instrumentation."""

    session: Any
    init: Any

    @classmethod
    def current(cls) -> Maker:
        """Returns those of now."""
        return cls(aiohttp.ClientSession, vars(aiohttp.ClientSession).get("__init__"))

    def is_current(self) -> bool:
        """Returns whether neither was replaced. Compares by identity: wrappers are equal to the functions inside."""
        return self.session is aiohttp.ClientSession and self.init is vars(aiohttp.ClientSession).get("__init__")
