"""Sessions of response lanes on loopback servers, and the events that these say."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from aiopenai.lib.responses_websocket import (
    AsyncResponsesWebSocketSession,
    ResponsesWebSocketLimits,
    ResponsesWebSocketSession,
)
from tests.live.conftest import Both, Peer

LIMITS = {
    "max_lanes": 8,
    "max_events_per_lane": 100,
    "max_events": 400,
    "max_bytes_per_lane": 1_000_000,
    "max_bytes": 4_000_000,
}
CREATE = {"type": "response.create", "model": "gpt-4o", "input": "Hi"}


def session_of(both: Both, connection: Any, *, isolated: bool = False, **limits: int) -> Any:
    made: Any = ResponsesWebSocketSession if both.blocking else AsyncResponsesWebSocketSession
    return made(connection, limits=ResponsesWebSocketLimits(**{**LIMITS, **limits}), isolate_lane_overflow=isolated)


@contextlib.asynccontextmanager
async def lanes(both: Both, server: Any, options: dict[str, Any] | None = None, **given: Any) -> AsyncIterator[Any]:
    """An open session of either client."""
    connection = await both(both.client(server).responses.connect(**(options or {})).enter)
    async with both.inside(session_of(both, connection, **given)) as session:
        yield session


def event(kind: str, lane: str | None = None, **fields: Any) -> str:
    return json.dumps({"type": kind, "sequence_number": 0, **fields, **({} if lane is None else {"stream_id": lane})})


def created(lane: str | None = None, name: str = "r") -> str:
    return event("response.created", lane, response={"id": name, "status": "in_progress", "output": []})


def message(text: str = "ok") -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}


def ended(lane: str | None = None, name: str = "r", kind: str = "completed", **response: Any) -> str:
    given = {"id": name, "status": kind, "output": [message()], **response}
    return event(f"response.{kind}", lane, response=given)


async def until_end(peer: Peer) -> None:
    async for _ in peer.socket:
        pass


def saying(*events: str) -> Any:
    """A script that sends events, and waits for the end of the connection."""

    async def script(peer: Peer) -> None:
        await peer.say(*events)
        await until_end(peer)

    return script
