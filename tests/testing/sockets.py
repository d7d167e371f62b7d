"""A client of the local server's websockets, whose events are checked against the types of the API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from aiopenai.testing import Server
from aiopenai.types import live, realtime, responses

KEY = {"Authorization": "Bearer sk-test"}


class Talker:
    """One open websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, check: Callable[[bytes], Any]) -> None:
        self.socket = socket
        self._check = check

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **fields}))

    async def next(self) -> dict[str, Any]:
        message = await self.socket.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        self._check(message.data.encode())
        event: dict[str, Any] = json.loads(message.data)
        return event

    async def until(self, *kinds: str) -> list[dict[str, Any]]:
        """The events up to the first of these types."""
        events = [await self.next()]
        while events[-1]["type"] not in kinds:
            events.append(await self.next())
        return events

    async def end(self) -> aiohttp.WSMessage:
        """The message that ends the socket, after all events."""
        while (message := await self.socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        return message


def strictly(union: Any) -> Callable[[bytes], Any]:
    decoder = msgspec.json.Decoder(union)
    return decoder.decode


REALTIME = strictly(realtime.RealtimeServerEvent)
TRANSLATIONS = strictly(realtime.RealtimeTranslationServerEvent)
LIVE = strictly(live.ConnectServerEvent)
RESPONSES = strictly(responses.ResponsesServerEvent)


def unchecked(data: bytes) -> None:
    json.loads(data)


@asynccontextmanager
async def talk(
    server: Server, path: str, check: Callable[[bytes], Any] = unchecked, **headers: str
) -> AsyncIterator[Talker]:
    """A websocket at a path relative to the base URL."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.base_url + path, headers={**KEY, **headers}, max_msg_size=0) as socket,
    ):
        yield Talker(socket, check)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types of events, repeated ones once."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event["type"]:
            found.append(event["type"])
    return found
