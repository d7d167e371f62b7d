"""The attempts of a pooled client: those of `responses.create` go over sockets, all others over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from typing_extensions import override

from aiopenai._base.timeouts import Timeout
from aiopenai._calls.attempts import Answer, Attempts
from aiopenai._calls.preparation import PreparedCall
from aiopenai._calls.provider import Provider
from aiopenai._calls.shared_sessions import SharedSessions
from aiopenai._http.interface import Reply, Session
from aiopenai._http.messages import HTTPRequest
from aiopenai._live.pool_replies import Exchange
from aiopenai._live.pool_sockets import SocketPool
from aiopenai.errors import APITimeoutError, WebSocketConnectionClosedError

__all__ = ["PooledAttempts"]

# Arguments that mean "no" for `stream` and `background`.
_OFF = (b"false", b"null")
_fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class PooledAttempts(Attempts):
    """Sends a call over a socket of the pool if a socket can carry it, else as `plain` does."""

    def __init__(self, sessions: SharedSessions, plain: Attempts, provider: Provider, pool: SocketPool) -> None:
        super().__init__(cast("SharedSessions", _PooledSessions(sessions, pool)), plain.blocks, provider)
        self._plain = plain
        self._pool = pool

    @override
    async def _attempt(self, call: PreparedCall, read: bool, taken: int, retries: bool) -> Answer:
        if self._pool.closed:
            raise self._pool.closed_error()
        if self._is_carried(call):
            return await super()._attempt(call, read, taken, retries)
        if retries:
            # Not by `plain`: each further attempt asks whether the pool is still open.
            return await self._with_retries(call, read, taken)
        return await self._plain._attempt(call, read, taken, False)

    def _is_carried(self, call: PreparedCall) -> bool:
        """Returns whether a socket can carry a call. Headers and queries of its own have no place in an event."""
        request = call.request
        if request.endpoint.method != "POST" or request.path != "/responses":
            return False
        if request.query or call.idempotency_key or asyncio.get_running_loop() is not self._pool.loop:
            return False
        return all(name.lower().startswith("x-stainless-") for name in request.headers or ())


class _PooledSessions:
    """The sessions of a client, as `Attempts` needs them."""

    def __init__(self, sessions: SharedSessions, pool: SocketPool) -> None:
        self._sessions = sessions
        self._pool = pool
        self.block = sessions.block
        self.closed_error = sessions.closed_error

    def current(self) -> Session | None:
        session = self._sessions.current()
        return None if session is None else _PooledSession(session, self._pool)

    async def open(self, method: str, url: str) -> Session:
        return _PooledSession(await self._sessions.open(method, url), self._pool)


class _Start(msgspec.Struct):
    """The event that begins a response."""

    frame: bytes
    context: str | None
    stream: bool


def _start_of(body: Any) -> _Start | None:
    """Returns the body of a call as an event; None if it is no JSON object, or asks for a background response."""
    if type(body) is not bytes:
        return None
    try:
        fields = _fields_of(body)
        previous = msgspec.json.decode(fields.get("previous_response_id", b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if bytes(fields.pop("background", b"null")) not in _OFF:
        return None
    stream = bytes(fields.pop("stream", b"null")) not in _OFF
    frame = msgspec.json.encode({**fields, "type": "response.create"})
    return _Start(frame, previous if isinstance(previous, str) else None, stream)


class _PooledSession(Session):
    """One loop's session: it sends over a socket, or over HTTP if there is none."""

    def __init__(self, session: Session, pool: SocketPool) -> None:
        super().__init__(session.settings)
        self._session = session
        self._pool = pool

    @override
    async def send(self, method: str, url: str, headers: Mapping[str, str], body: Any, timeout: Timeout) -> Reply:
        start = _start_of(body)
        reply = None if start is None else await self._over_socket(url, start, timeout)
        return reply or await self._session.send(method, url, headers, body, timeout)

    async def _over_socket(self, url: str, start: _Start, timeout: Timeout) -> Reply | None:
        """Returns the reply, or None if there is no socket or it was lost before the first event."""
        request = HTTPRequest("POST", url)
        try:
            socket = await self._pool.take(start.context, timeout.pool)
        except asyncio.TimeoutError as error:
            message = f"Request timed out: no socket of the pool was free within {timeout.pool} s."
            raise APITimeoutError(request, message=message) from error
        if socket is None:
            return None
        exchange = Exchange(self._pool, socket, request, timeout)
        try:
            await exchange.send(start.frame)
        except WebSocketConnectionClosedError:
            return None
        return await exchange.reply(stream=start.stream, limit=self.settings.max_response_bytes)

    @override
    def general(self) -> Session:
        return self._session.general()

    @property
    @override
    def closed(self) -> bool:
        return self._session.closed

    @override
    async def shut(self) -> None:
        await self._session.shut()

    @override
    def forget(self) -> None:
        self._session.forget()
