"""The server to which requests are passed on: its addresses, and the sessions of aiohttp that reach it."""

from __future__ import annotations

import zlib
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from aiopenai._base.redaction import redacted_url
from aiopenai.testing.engine.exchange import PREFIX
from aiopenai.testing.engine.passing import SOCKET_CLOSE_TIME
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.recording.cleaning import HOP_BY_HOP, offered_protocols

__all__ = ["API", "RefusedSocketError", "Unpacked", "Upstream"]

API = "https://api.openai.com/v1"
_CONNECT_TIME = 30.0
# Written by this module: the address, the framing and, for websockets, the handshake.
_OWN = HOP_BY_HOP | {"accept-encoding", "content-encoding", "content-length", "expect", "host"}
_READABLE = ("gzip", "deflate")
# pyright does not see the fields of a class of attrs without the package.
_CLOSING = aiohttp.ClientWSTimeout(ws_close=SOCKET_CLOSE_TIME)  # pyright: ignore[reportCallIssue]


class RefusedSocketError(Exception):
    """The upstream server refused a handshake."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        super().__init__(f"the handshake was refused with status {status}")
        self.status = status
        self.headers = headers
        self.body = body


_refusal: ContextVar[RefusedSocketError | None] = ContextVar("aiopenai_testing_refusal", default=None)


class Upstream:
    """Another server that speaks the API.

    url: its base URL. A request below `/v1` goes below the path of this URL, any other one to its origin.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = URL(url)
        except (ValueError, TypeError):
            parsed = URL()
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
            raise ValueError(f"upstream {redacted_url(str(url))!r} is no base URL: give one such as {API}")
        if parsed.user is not None:
            raise ValueError(f"upstream {redacted_url(url)!r} has a user in it: let the client send its credentials")
        self._origin = str(parsed.origin())
        path = parsed.raw_path.rstrip("/")
        self._base = self._origin + (path or PREFIX)
        self._session: aiohttp.ClientSession | None = None

    def url_of(self, raw_path: str) -> str:
        """Returns the URL for a path and query as a client sent them."""
        rest = raw_path.removeprefix(PREFIX)
        below = raw_path.startswith(PREFIX) and rest[:1] in ("", "/", "?")
        return self._base + rest if below else self._origin + raw_path

    def local(self, location: str) -> str:
        """Returns the target of a redirect: a path on this server for a URL of the upstream server."""
        if location.startswith(self._base):
            return PREFIX + location[len(self._base) :]
        return location[len(self._origin) :] if location.startswith(f"{self._origin}/") else location

    def request(self, received: ReceivedRequest) -> Any:
        """Returns the context manager of the reply to a request."""
        headers = CIMultiDict((name, value) for name, value in received.headers.items() if name.lower() not in _OWN)
        accepted = received.headers.get("accept-encoding", "").lower()
        headers["Accept-Encoding"] = ", ".join(each for each in _READABLE if each in accepted) or "identity"
        return self._open().request(
            received.method,
            URL(self.url_of(received.raw_path), encoded=True),
            headers=headers,
            data=received.body or None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        )

    async def socket(self, received: ReceivedRequest) -> aiohttp.ClientWebSocketResponse[bool]:
        """Opens a websocket as a client asked for it. Raises `RefusedSocketError` for a handshake that fails."""
        headers = [
            (name, value)
            for name, value in received.headers.items()
            if name.lower() not in _OWN and not name.lower().startswith("sec-websocket-")
        ]
        _refusal.set(None)
        try:
            return await self._open().ws_connect(
                URL(self.url_of(received.raw_path), encoded=True),
                headers=CIMultiDict(headers),
                protocols=offered_protocols(received.headers),
                max_msg_size=0,
                compress=0,
                timeout=_CLOSING,
            )
        except aiohttp.WSServerHandshakeError:
            refusal = _refusal.get()
            if refusal is None:
                raise
            raise refusal from None

    async def close(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        """Returns the session of the running loop; it is created on first use."""
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_end.append(_note_refusal)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Bodies are passed on as they are, compressed or not.
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIME),
                trust_env=True,
                trace_configs=[trace],
            )
        return self._session


async def _note_refusal(_: aiohttp.ClientSession, __: SimpleNamespace, done: aiohttp.TraceRequestEndParams) -> None:
    """Keeps the reply to a refused handshake: the error of aiohttp has no body."""
    response = done.response
    if "Sec-WebSocket-Key" in done.headers and response.status != 101:
        _refusal.set(RefusedSocketError(response.status, list(response.headers.items()), await response.read()))


class Unpacked:
    """A body without its compression, piece by piece. `known` tells whether the encoding could be read."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        self.known = self._encoding in ("", "identity", "gzip", "x-gzip", "deflate")
        self._decoder: Any = zlib.decompressobj(wbits=31) if self._encoding.endswith("gzip") else None

    def piece(self, data: bytes) -> bytes:
        """Returns the content of the next piece. Raises `zlib.error` for bytes that are not compressed so."""
        if self._decoder is None and self._encoding == "deflate" and data:
            # The name stands for the zlib format, and some servers send bare deflate (RFC 9110, section 8.4.1.2).
            self._decoder = zlib.decompressobj(wbits=15 if data[0] & 15 == 8 else -15)
        return data if self._decoder is None else self._decoder.decompress(data)
