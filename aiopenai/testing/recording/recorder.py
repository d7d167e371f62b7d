"""The recorder: passes requests on to another server, and writes them and the replies into a folder."""

from __future__ import annotations

import asyncio
import os
import zlib

import aiohttp
from aiohttp import web

from aiopenai._base.redaction import redacted
from aiopenai.testing.engine.passing import Passing, ReplySource, Work
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.values import error_body
from aiopenai.testing.recording.bodies import described
from aiopenai.testing.recording.cleaning import HOP_BY_HOP, Cleaner, kept_reply_headers, kept_request_headers
from aiopenai.testing.recording.folder import Exchange, Folder
from aiopenai.testing.recording.pieces import joined, retimed
from aiopenai.testing.recording.socket_recorder import SocketRecorder
from aiopenai.testing.recording.upstream import API, RefusedSocketError, Unpacked, Upstream

__all__ = ["API", "Recorder", "recorded_request"]

# What aiohttp and the system raise for a server that cannot be reached, or ends its reply too early.
_BROKEN = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class Recorder(ReplySource):
    """A source of replies that passes requests on and writes them down. `Server.record` makes it.

    folder: numbers go on after those that it has.
    recorded: the number of requests that were written.
    """

    def __init__(self, folder: Folder, upstream: str) -> None:
        super().__init__()
        self.recorded = 0
        self._upstream = Upstream(upstream)
        self._folder = folder
        self._number = folder.last_number()
        self._cleaner = Cleaner()

    @classmethod
    def anew(cls, path: str | os.PathLike[str], upstream: str, *, replace: bool) -> Recorder:
        """Returns a recorder for a folder without a recording. Raises `FileExistsError` unless it may be replaced."""
        # A wrong URL is refused before the earlier recording is deleted.
        Upstream(upstream)
        folder = Folder(path)
        if replace:
            folder.empty()
        elif folder.last_number():
            raise FileExistsError(f"{folder.path} has a recording already: delete it, or replace it (replace=True)")
        return cls(folder, upstream)

    def answer_to(self, request: ReceivedRequest) -> Work:
        """Returns the function that passes the request on. Recordings are numbered in the order of these calls."""
        self._number += 1
        number = self._number
        exchange = recorded_request(request, self._cleaner)

        async def work(passing: Passing) -> web.WebSocketResponse | None:
            if request.opens_socket:
                return await self._pass_socket(passing, exchange, number)
            await passing.until_gone(self._pass(passing, exchange, number))
            return None

        return work

    async def close(self) -> None:
        """Closes the connections to the upstream server."""
        await self._upstream.close()

    async def _pass(self, passing: Passing, exchange: Exchange, number: int) -> None:
        started = asyncio.get_running_loop().time()
        try:
            response: aiohttp.ClientResponse = await self._upstream.request(passing.received)
        except _BROKEN as error:
            await self._unreachable(passing, error)
            return
        async with response:
            await self._pass_reply(passing, exchange, number, response, started)

    async def _pass_reply(
        self, passing: Passing, exchange: Exchange, number: int, response: aiohttp.ClientResponse, started: float
    ) -> None:
        """Sends a reply as it arrives. It is written before its last byte is sent, where its length is known."""
        loop = asyncio.get_running_loop()
        headers = list(response.headers.items())
        exchange.status = response.status
        left = response.content_length
        whole = left is not None
        arrived: list[tuple[float, bytes]] = []
        saved = False
        exchange.cut = True
        await passing.begin(response.status, response.reason, self._passed_on(headers), left)
        try:
            while True:
                try:
                    data = await response.content.readany()
                except _BROKEN:
                    await passing.cut()
                if not data:
                    break
                arrived.append((loop.time() - started, data))
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        exchange.cut = False
                        self._save(number, exchange, headers, arrived, whole=whole)
                        saved = True
                await passing.write(data)
            exchange.cut = False
        finally:
            if not saved:
                arrived = arrived or [(loop.time() - started, b"")]
                self._save(number, exchange, headers, arrived, whole=whole)
        await passing.finish()

    def _passed_on(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Returns the headers of a reply for the client. Redirects lead to this server."""
        own = HOP_BY_HOP | {"content-length"}
        return [
            (name, self._upstream.local(value) if name.lower() == "location" else value)
            for name, value in headers
            if name.lower() not in own
        ]

    def _save(
        self,
        number: int,
        exchange: Exchange,
        headers: list[tuple[str, str]],
        arrived: list[tuple[float, bytes]],
        *,
        whole: bool,
    ) -> None:
        """Writes an exchange without compression and credentials."""
        kept = kept_reply_headers(self._passed_on(headers))
        encoding = next((value for name, value in headers if name.lower() == "content-encoding"), "")
        unpacked = Unpacked(encoding)
        pieces = arrived
        try:
            pieces = [(at, unpacked.piece(data)) for at, data in arrived]
        except zlib.error:
            unpacked.known = False
        if not unpacked.known:
            # An encoding that the standard library does not read is replayed as it is.
            kept.append(("content-encoding", encoding))
        exchange.reply_headers = kept
        body = joined(pieces)
        kind = exchange.content_type()
        exchange.body = self._cleaner.body(body, kind) if unpacked.known else body
        exchange.pieces = retimed(pieces, exchange.body, whole=whole)
        self._write(number, exchange)

    def _write(self, number: int, exchange: Exchange) -> None:
        self._folder.write(number, exchange)
        self.recorded += 1

    async def _pass_socket(self, passing: Passing, exchange: Exchange, number: int) -> web.WebSocketResponse | None:
        started = asyncio.get_running_loop().time()
        try:
            upstream = await passing.until_gone(self._upstream.socket(passing.received))
        except RefusedSocketError as refusal:
            exchange.status = refusal.status
            arrived = [(asyncio.get_running_loop().time() - started, refusal.body)]
            self._save(number, exchange, refusal.headers, arrived, whole=True)
            await passing.whole(refusal.status, self._passed_on(refusal.headers), refusal.body)
            return None
        except aiohttp.ClientError as error:
            await self._unreachable(passing, error)
            return None
        exchange.status = 101
        if upstream.protocol is not None:
            exchange.reply_headers.append(("sec-websocket-protocol", upstream.protocol))
        socket = await passing.accept(upstream.protocol)
        recorder = SocketRecorder(socket, upstream, passing.received, self._cleaner, started, passing.drop)
        exchange.messages = recorder.messages
        try:
            await recorder.run()
        finally:
            self._write(number, exchange)
        return socket

    async def _unreachable(self, passing: Passing, error: BaseException) -> None:
        """Sends a 502 that tells why there is no reply. It is not recorded."""
        reason = self._cleaner.text(redacted(str(error) or type(error).__name__))
        message = f"The recording server cannot reach its upstream server: {reason}. Check the URL and the network."
        headers = [("content-type", "application/json"), ("x-should-retry", "false")]
        await passing.whole(502, headers, error_body(message, type="server_error", code="upstream_unreachable"))


def recorded_request(request: ReceivedRequest, cleaner: Cleaner) -> Exchange:
    """Returns an exchange with the request, without credentials, and without a reply."""
    cleaner.learn(request.headers, request.query_list)
    return Exchange(
        method=request.method,
        path=cleaner.text(request.raw_path.partition("?")[0]),
        query=cleaner.query(request.query_list),
        headers=kept_request_headers(request.headers.items()),
        websocket=request.opens_socket,
        content=described(request.body, request.headers.get("content-type", ""), cleaner),
    )
