"""The replay of a websocket: the recorded messages of the server, each after those of the client that came before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from aiopenai.testing.engine.passing import Passing
from aiopenai.testing.engine.values import encode
from aiopenai.testing.recording.bodies import canonical, without
from aiopenai.testing.recording.cleaning import Cleaner
from aiopenai.testing.recording.folder import Closing, Message
from aiopenai.testing.recording.nearest import differences, shown

__all__ = ["SocketPlayer"]


class SocketPlayer:
    """One replayed websocket.

    The messages of the client may come in another order than recorded, as those of several tasks do. A message of
    the server is sent when all messages of the client that were recorded before it have come.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        messages: list[Message | Closing],
        passing: Passing,
        cleaner: Cleaner,
        ignored: frozenset[str],
        speed: float | None,
        name: str,
    ) -> None:
        self._socket = socket
        self._passing = passing
        self._cleaner = cleaner
        self._ignored = ignored
        self._speed = speed
        self._name = name
        self._steps = messages
        own = (each for each in messages if isinstance(each, Message) and each.by_client)
        self._expected = [(self._key(each.data), each) for each in own]
        self._came: set[int] = set()
        self._wake = asyncio.Event()

    async def run(self, report: Callable[[str], None] | None) -> None:
        """Serves the socket until it closes.

        report: called with the description of an unknown message, which is an error and ends the socket. None lets
            unknown messages pass.
        """
        speaker = asyncio.ensure_future(self._speak())
        try:
            while (message := await self._socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._passing.received.note_message(message.data)
                if not self._take(message.data) and report is not None:
                    await self._refuse(message.data, report)
                    break
        finally:
            speaker.cancel()
            await asyncio.wait([speaker])
        if not speaker.cancelled() and (error := speaker.exception()) and not isinstance(error, ConnectionError):
            raise error

    def _take(self, data: str | bytes) -> bool:
        """Notes a message of the client. Returns whether it is in the recording."""
        key = self._key(data)
        for number, (expected, each) in enumerate(self._expected):
            if expected == key:
                del self._expected[number]
                self._came.add(id(each))
                self._wake.set()
                return True
        return False

    async def _speak(self) -> None:
        before = 0.0
        for step in self._steps:
            if isinstance(step, Message) and step.by_client:
                while id(step) not in self._came:
                    self._wake.clear()
                    await self._wake.wait()
            elif not step.by_client:
                # Times count from the step before, because the client has a pace of its own.
                pause = 0.0 if self._speed is None else (step.at - before) / self._speed
                await (self._passing.sleep(pause) if pause > 0 else asyncio.sleep(0))
                await self._send(step)
            before = step.at

    async def _send(self, step: Message | Closing) -> None:
        if isinstance(step, Closing):
            if step.code is None:
                self._passing.drop()
            else:
                await self._socket.close(code=step.code, message=step.reason.encode())
        elif isinstance(step.data, bytes):
            await self._socket.send_bytes(step.data)
        else:
            await self._socket.send_str(step.data)

    async def _refuse(self, data: str | bytes, report: Callable[[str], None]) -> None:
        """Sends an error event that shows the nearest recorded message, and closes the socket."""
        received = self._passing.received
        message = f"a message on {received.path} is not in the recording {self._name}"
        sent = self._counted(data)
        if self._expected:
            others = [self._counted(each.data) for _, each in self._expected]
            near = min(others, key=lambda other: sum(1 for _ in differences(sent, other)))
            message = "\n  ".join([f"{message}; it differs from the next ones:", *differences(sent, near, "message")])
        else:
            message = f"{message}, which has no further message of the client: {shown(sent)}"
        report(message)
        error = {"type": "invalid_request_error", "code": "not_recorded", "message": message, "param": None}
        await self._socket.send_str(encode({"type": "error", "event_id": "event_unknown", "error": error}).decode())
        await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"the message is not recorded")

    def _counted(self, data: str | bytes) -> Any:
        """Returns the parts of a message that count, as a JSON value."""
        return without(self._value(data), self._ignored)

    def _value(self, data: str | bytes) -> Any:
        if isinstance(data, bytes):
            return {"binary": self._cleaner.binary(data).hex()}
        try:
            return self._cleaner.value(json.loads(data))
        except (ValueError, RecursionError):
            return self._cleaner.text(data)

    def _key(self, data: str | bytes) -> str:
        return canonical(self._counted(data))
