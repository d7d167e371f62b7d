"""A long body on its way out, piece by piece, while the reply may arrive already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import aiohttp

from aiopenai._base.timeouts import Timeout

if TYPE_CHECKING:
    from aiopenai._http.wire import Wire

__all__ = ["Upload"]


class Upload:
    """The task that writes a body to a connection. A failure of the body's source fails the exchange."""

    __slots__ = ("_chunked", "_pieces", "_task", "_timeout", "_token", "_wire", "sending")

    def __init__(
        self,
        wire: Wire,
        token: asyncio.Future[Any],
        pieces: AsyncGenerator[bytes, None],
        chunked: bool,
        timeout: Timeout,
    ) -> None:
        self._wire = wire
        self._token = token
        self._pieces = pieces
        self._chunked = chunked
        self._timeout = timeout
        self.sending = True
        """Whether some of the body has still to be handed to the transport."""
        self._task = wire.loop.create_task(self._write())
        self._task.add_done_callback(self._written)

    def cancel(self) -> None:
        """Stops writing."""
        self._task.cancel()

    async def _write(self) -> None:
        wire = self._wire
        try:
            async for piece in self._pieces:
                if self._is_over():
                    return
                if not self._chunked:
                    wire.transport.write(piece)
                elif piece:
                    wire.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await wire.drained(self._timeout.write)
            if self._is_over():
                return
            if self._chunked:
                wire.transport.write(b"0\r\n\r\n")
            self.sending = False
            await wire.drained(self._timeout.write)
        finally:
            await self._pieces.aclose()
        wire.expect_reply(self._token, self._timeout.read)

    def _is_over(self) -> bool:
        # A transport that is closing logs a warning at the fifth write. Its end ends the exchange.
        return self._wire.token is not self._token or not self._wire.is_connected()

    def _written(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, aiohttp.ClientConnectionResetError):
            # The end of the connection ends the exchange by itself, after the bytes that arrived before.
            return
        failure: BaseException = error
        if not isinstance(error, (aiohttp.ClientError, asyncio.TimeoutError)):
            failure = aiohttp.ClientConnectionError(f"the body could not be sent: {error}")
            failure.__cause__ = error
        self._wire.fail(self._token, failure)
