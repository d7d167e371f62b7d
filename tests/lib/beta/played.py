"""A server that plays back the events of a session of an agent, and the runs of both packages against it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.lib.scripted import serving

SESSION: dict[str, Any] = {
    "id": "session_1",
    "object": "agent.session",
    "agent": {
        "id": "agent_1",
        "model": "gpt-4o",
        "multi_agent": {"enabled": False},
        "reasoning": {},
        "service_tier": "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tools": [],
    },
    "created_at": 1,
    "environment": {"type": "none"},
    "last_active_at": 1,
    "metadata": {},
    "required_actions": [],
    "status": "idle",
    "vault_ids": [],
}


def session(**more: Any) -> dict[str, Any]:
    return {**SESSION, **more}


def turn(identity: str = "turn_1", **more: Any) -> dict[str, Any]:
    own = {"id": identity, "agent_id": "agent_1", "created_at": 1, "object": "agent.session.turn"}
    return {**own, "session_id": "session_1", "status": "in_progress", **more}


class Events:
    """A list of events of a session, with one method for each kind."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, **more: Any) -> Events:
        number = len(self.events)
        self.events.append({"type": kind, "event_id": f"event_{number}", "session_id": "session_1", **more})
        return self

    def of_session(self, name: str, **more: Any) -> Events:
        return self.add(f"agent.session.{name}", session=session(**more))

    def of_turn(self, name: str, identity: str = "turn_1", **more: Any) -> Events:
        about = turn(identity, status={"created": "queued"}.get(name, name), **more)
        return self.add(f"agent.session.turn.{name}", turn=about, turn_id=identity)

    def call(self, name: str = "look", call_id: str = "call_1", arguments: Any = None, of: str = "turn_1") -> Events:
        item = {"id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name, "turn_id": of}
        item |= {"arguments": {"a": 1} if arguments is None else arguments, "status": "in_progress"}
        return self.add("agent.session.turn.item.added", item=item, turn_id=of, output_index=0)

    def message(self, text: str = "Hello", *, of: str = "turn_1", index: int = 0, **more: Any) -> Events:
        item = {"id": f"msg_{index}", "type": "message", "role": "assistant", "turn_id": of, "status": "completed"}
        item |= {"content": [{"type": "output_text", "text": text}], **more}
        return self.add("agent.session.turn.item.done", item=item, turn_id=of, output_index=index)

    def whole(self, text: str = "Hello") -> Events:
        """A turn that answers."""
        return self.of_turn("created").message(text).of_turn("completed").of_session("idle")


class Played:
    """The replies of the server, and the requests that it got.

    session: the session of retrievals. events: those of streams. posts: the replies to inputs, each used once: an error
    body with its status, or None. artifacts: the pages of the list of artifacts.
    """

    def __init__(self) -> None:
        self.base_url = ""
        self.session = SESSION
        self.events: list[dict[str, Any]] = []
        self.posts: list[tuple[int, Any] | None] = []
        self.artifacts: list[dict[str, Any]] = []
        self.sent: list[tuple[Any, ...]] = []
        self.keys: list[str | None] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        line = f"{request.method} {request.path.removeprefix('/v1')}"
        if request.query_string:
            line += f"?{request.query_string}"
        given = json.loads(body) if body else None
        headers = request.headers
        limit = float(headers.get("x-stainless-read-timeout", 0))
        self.sent.append((line, given, headers.get("openai-beta"), headers.get("x-own"), limit))
        self.keys.append(headers.get("idempotency-key"))
        if line == "GET /agents/sessions/session_1":
            return web.json_response(self.session)
        if line == "POST /agents/sessions/session_1/events":
            reply = self.posts.pop(0) if self.posts else None
            return web.Response(status=202) if reply is None else web.json_response(reply[1], status=reply[0])
        if line.partition("?")[0] == "GET /agents/sessions/session_1/artifacts":
            after = request.query.get("after")
            start = next((n for n, each in enumerate(self.artifacts, 1) if each["id"] == after), 0)
            data = self.artifacts[start : start + 2]
            more = start + 2 < len(self.artifacts)
            return web.json_response({"object": "list", "data": data, "has_more": more})
        if line.endswith("/content"):
            return web.Response(body=b"content", content_type="application/octet-stream")
        if given is not None and given.get("stream") is not True and "events" not in line:
            return web.json_response(self.session)
        # One write: after the result, the reference reads on only if the rest of the stream has arrived by then.
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in self.events)
        return web.Response(text=text, content_type="text/event-stream")

    def rewind(self) -> list[Any]:
        """The requests since the last time, with the keys in the order of their first use."""
        names: dict[str | None, str | None] = {None: None}
        for key in self.keys:
            names.setdefault(key, key if key is not None and len(key) < 20 else f"key {len(names)}")
        found = [(*sent, names[key]) for sent, key in zip(self.sent, self.keys, strict=True)]
        self.sent, self.keys = [], []
        return found


@asynccontextmanager
async def played() -> AsyncIterator[Played]:
    play = Played()
    async with serving(play.handle) as play.base_url:
        yield play
