"""The turns of agents, as the events that they cause.

An agent calls each function that the text of the user names, else the first one, and waits for the results. It asks
for the approval of each MCP server that the text names. Then it answers. In an environment it writes its answer to each
path below `/workspace/outputs` that the text names, and the turn publishes these files as artifacts.

A turn is a generator: each event changes the session at the moment at which it is made, so an input can change a turn
that is under way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from aiopenai.testing.content.agent_settings import output_format
from aiopenai.testing.content.answers import formatted_answer
from aiopenai.testing.content.pictures import seen
from aiopenai.testing.content.text import count_tokens, tokenize, usage_of
from aiopenai.testing.content.tools import choose_tools, named_tools
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.feeds import EventFeed
from aiopenai.testing.engine.replies import ApiError, named_event
from aiopenai.testing.engine.values import Object, text_of
from aiopenai.testing.memory.agents import StoredSession
from aiopenai.testing.memory.stored import StoredFile

__all__ = ["AgentTurn", "Session", "advance", "publish", "settle"]

Session: TypeAlias = "StoredSession[EventFeed]"
_Steps: TypeAlias = "Iterator[Object | None]"

_OUTPUT_PATH = re.compile(r"/workspace/outputs/[\w./-]*\w")
_ENDS = frozenset({"agent.session.idle", "agent.session.failed"})


def publish(kept: Session, event: Object) -> None:
    """Sends an event to all open streams of a session."""
    kept.events += 1
    event["event_id"] = f"event_{kept.session['id'].rpartition('_')[2]}_{kept.events}"
    block = named_event(event)
    for feed in list(kept.feeds):
        feed.add(block)
        if feed is kept.first and event["type"] in _ENDS:
            feed.end()


def advance(kept: Session) -> bool:
    """Makes the next event of the turn under way. Returns False if there is none now."""
    event = None if kept.progress is None else next(kept.progress, None)
    if event is None:
        return False
    publish(kept, event)
    return True


def settle(kept: Session) -> None:
    """Makes all events of the turn under way, up to its end or its next required action."""
    while advance(kept):
        pass


class AgentTurn:
    """One turn of the agent of a session.

    messages: the input, as items of the session.
    """

    def __init__(self, call: Call, kept: Session, messages: list[Object]) -> None:
        self._call = call
        self._kept = kept
        self._messages = messages
        self._outputs = 0
        identity = call.state.new_id("turn_")
        self.turn: Object = {
            "id": identity,
            "object": "agent.session.turn",
            "agent_id": kept.session["agent"]["id"],
            "session_id": kept.session["id"],
            "subagent_id": None,
            "created_at": call.now(),
            "started_at": None,
            "completed_at": None,
            "status": "queued",
            "error": None,
            "usage": None,
        }
        for message in messages:
            message["turn_id"] = identity
        kept.turns.put(identity, self.turn)
        kept.session["status"] = "in_progress"
        kept.session["last_active_at"] = call.now()

    def run(self) -> _Steps:
        """Yields the events of the turn; None while it waits for an action."""
        turn = self.turn
        prompt = "\n".join(text_of(message["content"]) for message in self._messages)
        yield self._about_turn("created")
        turn["status"], turn["started_at"] = "in_progress", self._call.now()
        yield self._about_turn("in_progress")
        yield self._about_session("in_progress")
        for message in self._messages:
            yield self._added(message, None)
        yield from self._function_calls(prompt)
        yield from self._approvals(prompt)
        images = "".join(seen(message["content"], "input") for message in self._messages)
        try:
            text = formatted_answer(self._call, output_format(self._kept.session["agent"]["text"]), prompt, images)
        except ApiError as error:
            yield from self._end("failed", {"code": "invalid_request", "message": error.message})
            return
        except Exception as error:
            # The answer of a test has failed: the turn fails, as after a failure of the API.
            told = f"The server had an error while processing the turn: {type(error).__name__}."
            yield from self._end("failed", {"code": "server_error", "message": told})
            return
        yield from self._files(prompt, text)
        yield from self._message(text)
        usage = usage_of(count_tokens(prompt), count_tokens(text))
        turn["usage"] = usage
        self._kept.session["usage"] = _sum(self._kept.session["usage"], usage)
        yield from self._end("completed", None)

    def cancel(self) -> _Steps:
        """Yields the events that end the turn before its answer."""
        for item in self._kept.items.values():
            if item["turn_id"] == self.turn["id"] and item["status"] == "in_progress":
                item["status"] = "incomplete"
        yield from self._end("cancelled", None)

    def _end(self, status: str, error: Object | None) -> Iterator[Object]:
        session = self._kept.session
        self._kept.pending.clear()
        self._kept.results.clear()
        self.turn.update(status=status, error=error, completed_at=self._call.now())
        session["required_actions"] = []
        session["status"] = "idle"
        yield {**self._about_turn(status), "usage": self.turn["usage"]}
        yield self._about_session("idle")

    def _function_calls(self, prompt: str) -> _Steps:
        tools = named_tools(self._kept.session["agent"]["tools"], nested=False, hosted=True)
        uses = choose_tools(tools, "auto", text=prompt, after_result=False, parallel=True)
        actions: list[Object] = []
        items: list[tuple[Object, int]] = []
        for use in uses:
            item = self._item("function_call", "fc_", name=use.name, arguments=msgspec.json.decode(use.payload))
            item["call_id"] = self._call.state.new_id("call_")
            action = {key: item[key] for key in ("arguments", "call_id", "name", "turn_id")}
            actions.append({"type": "function_call", **action})
            self._kept.pending[item["call_id"]] = actions[-1]
            items.append((item, self._next_index()))
            yield self._added(*items[-1])
        yield from self._wait()
        for item, index in items:
            result = self._kept.results.pop(item["call_id"])
            item["status"] = "completed" if result["success"] else "failed"
            yield self._done(item, index)
            output = self._item("function_call_output", "fco_", call_id=item["call_id"])
            output.update(output=result.get("output"), error=result.get("error"), status=item["status"])
            yield self._added(output, None)

    def _approvals(self, prompt: str) -> _Steps:
        for tool in self._kept.session["agent"]["tools"]:
            label = tool.get("server_label")
            if tool["type"] != "mcp" or label not in prompt:
                continue
            identity = self._call.state.new_id("mcpr_")
            names: list[str] = tool.get("allowed_tools") or ["search"]
            request: Object = {
                "type": "mcp_tool_call",
                "arguments": {},
                "message": f"The agent wants to call {names[0]} of {label}.",
                "name": names[0],
                "server_label": label,
            }
            self._kept.pending[identity] = {
                "type": "mcp_approval_request",
                "request_id": identity,
                "turn_id": self.turn["id"],
                "request": request,
            }
            yield from self._wait()
            approved = self._kept.results.pop(identity)["decision"] == "approve"
            item = self._item("mcp_call", "mcp_", name=names[0], arguments={}, server_label=label)
            item.update(output=None, error=None)
            index = self._next_index()
            yield self._added(item, index)
            item["status"] = "completed" if approved else "failed"
            item["output" if approved else "error"] = f"{names[0]} of {label}" if approved else "The call was denied."
            yield self._done(item, index)

    def _wait(self) -> _Steps:
        """Waits for all pending actions."""
        kept = self._kept
        if not kept.pending:
            return
        self.turn["status"] = "waiting"
        kept.session["status"] = "requires_action"
        kept.session["required_actions"] = list(kept.pending.values())
        yield self._about_session("requires_action")
        while kept.pending:
            yield None
        self.turn["status"] = "in_progress"
        kept.session["status"] = "in_progress"
        kept.session["required_actions"] = []
        yield self._about_session("in_progress")

    def _files(self, prompt: str, text: str) -> _Steps:
        environment = self._kept.environment
        if environment is None:
            return
        for path in dict.fromkeys(_OUTPUT_PATH.findall(prompt)):
            item = self._item("command_execution", "cmd_", command=f"tee {path}", cwd="/workspace")
            item.update(duration_ms=None, exit_code=None, output=None)
            index = self._next_index()
            yield self._added(item, index)
            data = text.encode()
            environment.files[path] = data
            item.update(status="completed", duration_ms=1, exit_code=0, output=text)
            yield self._done(item, index)
            identity = self._call.state.new_id("artifact_")
            artifact: Object = {
                "id": identity,
                "object": "agent.session.artifact",
                "created_at": self._call.now(),
                "environment_id": environment.info["id"],
                "path": path,
                "session_id": self._kept.session["id"],
                "size_bytes": len(data),
                "turn_id": self.turn["id"],
            }
            self._kept.artifacts.put(identity, StoredFile(artifact, data))

    def _message(self, text: str) -> _Steps:
        item = self._item("message", "msg_", role="assistant", content=[], phase="final_answer")
        index = self._next_index()
        yield self._added(item, index)
        here = {"item_id": item["id"], "output_index": index, "content_index": 0}
        part = {"type": "output_text", "text": text}
        yield self._in_turn("content_part.added", **here, part={**part, "text": ""})
        for token in tokenize(text):
            yield self._in_turn("output_text.delta", **here, delta=token)
        yield self._in_turn("output_text.done", **here, text=text)
        yield self._in_turn("content_part.done", **here, part=part)
        item.update(status="completed", content=[part])
        yield self._done(item, index)

    def _next_index(self) -> int:
        self._outputs += 1
        return self._outputs - 1

    def _item(self, kind: str, prefix: str, **more: Any) -> Object:
        identity = self._call.state.new_id(prefix)
        return {"id": identity, "type": kind, "status": "in_progress", **more, "turn_id": self.turn["id"]}

    def _added(self, item: Object, index: int | None) -> Object:
        self._kept.items.put(item["id"], item)
        return self._in_turn("item.added", output_index=index, item=item)

    def _done(self, item: Object, index: int) -> Object:
        return self._in_turn("item.done", output_index=index, item=item)

    def _in_turn(self, name: str, **more: Any) -> Object:
        ids = {"session_id": self._kept.session["id"], "turn_id": self.turn["id"]}
        return {"type": f"agent.session.turn.{name}", **ids, **more}

    def _about_turn(self, name: str) -> Object:
        return self._in_turn(name, turn=self.turn)

    def _about_session(self, name: str) -> Object:
        return {"type": f"agent.session.{name}", "session": self._kept.session}


def _sum(total: Object | None, usage: Object) -> Object:
    if total is None:
        return usage
    return usage_of(total["input_tokens"] + usage["input_tokens"], total["output_tokens"] + usage["output_tokens"])
