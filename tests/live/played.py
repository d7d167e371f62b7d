"""Websockets without a network: what they receive is given, and what is sent is noted."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from aiopenai.errors import Close, WebSocketConnectionClosedError, closed_error


class PlayedSocket:
    """A websocket that receives `frames` and then the close `code`; without a code it waits for further `arrive`."""

    def __init__(self, *frames: bytes, code: int | None = None) -> None:
        self.frames: deque[bytes] = deque(frames)
        self.code = code
        self.sent: list[tuple[bytes, bool]] = []
        self.closed = False
        self.aborted = False
        self.abandoned = False
        self.said: tuple[int, str] | None = None
        self.on_send: Callable[[], Awaitable[None]] | None = None
        self.response = SimpleNamespace(headers={})
        self._news: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self.frames)

    def arrive(self, *frames: bytes, code: int | None = None) -> None:
        self.frames += frames
        self.code = code
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def read(self) -> bytes:
        while not self.frames:
            if self.code is not None:
                self.closed = True
                raise self.closed_error()
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return self.frames.popleft()

    async def send(self, frame: bytes, *, text: bool) -> None:
        if self.on_send is not None:
            await self.on_send()
        if self.closed:
            raise self.closed_error()
        self.sent.append((frame, text))

    def closed_error(self) -> WebSocketConnectionClosedError:
        code = 1006 if self.code is None else self.code
        return closed_error(None if code == 1006 else Close(code, ""), None if code == 1006 else Close(code, ""))

    def abort(self) -> None:
        self.closed = self.aborted = True

    def kill(self) -> None:
        """Does nothing beyond the loss that was received."""

    def abandon(self) -> None:
        self.abandoned = True

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = True
        self.said = (code, reason)

    @property
    def texts(self) -> list[Any]:
        return [frame.decode() if text else frame for frame, text in self.sent]
