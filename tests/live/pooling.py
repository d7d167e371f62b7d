"""Responses over pools of sockets in either client, and a scripted server that answers over HTTP too."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from aiohttp import web

from aiopenai.testing import Server

from .conftest import Both, Scripted

ASK: dict[str, Any] = {"model": "gpt-4o", "input": "Hi"}


@contextlib.asynccontextmanager
async def pooled(both: Both, server: Any, size: int = 2, **options: Any) -> AsyncGenerator[Any, None]:
    """The responses of a pool, in either client."""
    async with both.inside(both.client(server, **options).responses.pool(size=size)) as responses:
        yield responses


async def all_of(both: Both, stream: Any) -> list[Any]:
    return await asyncio.to_thread(list, stream) if both.blocking else [event async for event in stream]


def sent(server: Server) -> list[tuple[str, int]]:
    """The verb of each request, and the number of messages on its socket."""
    return [(each.method, len(each.messages)) for each in server.journal]


def finished(number: int, text: str = "ok") -> list[str]:
    """The events of a short response."""
    item: dict[str, Any] = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": []}
    item["content"] = [{"type": "output_text", "text": text, "annotations": []}]
    response: dict[str, Any] = {"id": f"resp_{number}", "object": "response", "status": "completed", "output": [item]}
    begun: dict[str, Any] = {**response, "status": "in_progress", "output": ()}
    return [
        json.dumps({"type": "response.created", "sequence_number": 0, "response": begun}),
        json.dumps({"type": "response.completed", "sequence_number": 1, "response": response}),
    ]


class Answering(Scripted):
    """A scripted server that answers POST requests over HTTP."""

    def __init__(self, *scripts: Any) -> None:
        super().__init__(*scripts)
        self.posted: list[Any] = []

    async def _handle(self, request: Any) -> Any:
        if request.method != "POST":
            return await super()._handle(request)
        self.posted.append(await request.json())
        return web.json_response(json.loads(finished(99, "by http")[1])["response"])
