"""Websockets between a client and the upstream server: messages are passed on both ways, and noted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.recording.cleaning import Cleaner
from aiopenai.testing.recording.folder import Closing, Message

__all__ = ["SocketRecorder"]

_Side: TypeAlias = "web.WebSocketResponse | aiohttp.ClientWebSocketResponse[bool]"


class SocketRecorder:
    """One websocket that is passed on.

    drop: closes the connection to the client without a close frame.
    messages: the messages so far. Each is noted when it arrives, before the other side has it.
    """

    def __init__(
        self,
        client: web.WebSocketResponse,
        upstream: aiohttp.ClientWebSocketResponse[bool],
        received: ReceivedRequest,
        cleaner: Cleaner,
        started: float,
        drop: Callable[[], None],
    ) -> None:
        self.messages: list[Message | Closing] = []
        self._client = client
        self._upstream = upstream
        self._received = received
        self._cleaner = cleaner
        self._started = started
        self._drop = drop
        self._ended = False

    async def run(self) -> None:
        """Passes messages on until one side closes."""
        ways = [
            asyncio.ensure_future(self._forward(self._client, self._upstream, by_client=True)),
            asyncio.ensure_future(self._forward(self._upstream, self._client, by_client=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if not self._ended:
                # A message could not be sent: the side that vanished ends the other way.
                await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            await self._upstream.close()
        for way in ways:
            if not way.cancelled() and (error := way.exception()) and not isinstance(error, ConnectionError):
                raise error

    async def _forward(self, source: _Side, target: _Side, *, by_client: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await source.receive()
            at = loop.time() - self._started
            if message.type is WSMsgType.TEXT:
                self.messages.append(Message(at, by_client, self._cleaner.json_text(message.data)))
            elif message.type is WSMsgType.BINARY:
                self.messages.append(Message(at, by_client, self._cleaner.binary(message.data)))
            else:
                break
            if by_client:
                self._received.note_message(message.data)
            if message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
            else:
                await target.send_bytes(message.data)
        if self._ended:
            return
        self._ended = True
        if message.type is WSMsgType.CLOSE:
            # A close frame without a code has 0 here, which no frame can have.
            code, reason = int(message.data) or WSCloseCode.OK.value, str(message.extra or "")
            self.messages.append(Closing(at, by_client, code, self._cleaner.text(reason)))
            await target.close(code=code, message=reason.encode())
            return
        self.messages.append(Closing(at, by_client, None))
        if by_client:
            await self._upstream.close(code=WSCloseCode.GOING_AWAY)
        else:
            self._drop()
