"""The endpoints `/threads/{thread_id}/runs`: the answers of assistants.

Each retrieval moves a run on: `queued`, `in_progress`, then `completed`, or `requires_action` where the assistant calls
functions. Their outputs queue it again. A streamed run reaches its end, or its required action, before the server sends
the first event.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from aiopenai.testing.content.answers import PLAIN_TEXT, OutputFormat, format_of, formatted_answer
from aiopenai.testing.content.pictures import seen
from aiopenai.testing.content.text import count_tokens, cut
from aiopenai.testing.content.tools import Tool, choose_tools, named_tools
from aiopenai.testing.endpoints.threads import ACTIVE, add_message, new_thread, thread_of
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    check,
    check_metadata,
    check_model,
    stored,
)
from aiopenai.testing.engine.replies import ApiError, EventReply, Outcome, WholeReply
from aiopenai.testing.engine.values import Object, encode, is_object, section
from aiopenai.testing.memory.stored import StoredRun, StoredThread

__all__ = [
    "cancel",
    "create",
    "create_with_thread",
    "list_",
    "list_steps",
    "retrieve",
    "retrieve_step",
    "submit_tool_outputs",
    "update",
]

_RunEvent: TypeAlias = "tuple[str, Object]"

_PARAMS = {
    "additional_instructions": STRING,
    "additional_messages": ARRAY,
    "assistant_id": STRING,
    "instructions": STRING,
    "max_completion_tokens": INTEGER.within(1),
    "max_prompt_tokens": INTEGER.within(1),
    "metadata": OBJECT,
    "model": STRING,
    "parallel_tool_calls": BOOLEAN,
    "response_format": STRING | OBJECT,
    "stream": BOOLEAN,
    "temperature": NUMBER.within(0, 2),
    "thread": OBJECT,
    "tool_choice": STRING | OBJECT,
    "tools": ARRAY,
    "top_p": NUMBER.within(0, 1),
    "truncation_strategy": OBJECT,
}
_OUTPUTS = {"stream": BOOLEAN, "tool_outputs": ARRAY}
_TIME_LIMIT = 600
_DONE_EVENT = b"event: done\ndata: [DONE]\n\n"


def create(call: Call) -> Outcome:
    """POST /threads/{thread_id}/runs."""
    kept = thread_of(call)
    return _start(call, kept, call.body(), [])


def create_with_thread(call: Call) -> Outcome:
    """POST /threads/runs."""
    body = call.body()
    check(body, _PARAMS, ("assistant_id",))
    # Checked before there is a thread.
    stored(call.state.assistants, body["assistant_id"], "assistant")
    kept = new_thread(call, section(body, "thread"))
    return _start(call, kept, body, [("thread.created", kept.thread)])


def retrieve(call: Call) -> WholeReply:
    """GET /threads/{thread_id}/runs/{run_id}."""
    kept = _run_of(call)
    # Only a stream sends the events.
    list(_advance(call, thread_of(call), kept))
    return _reply(call, kept)


def update(call: Call) -> WholeReply:
    """POST /threads/{thread_id}/runs/{run_id}: only the metadata can be changed."""
    kept = _run_of(call)
    body = call.body()
    check_metadata(body.get("metadata"))
    if "metadata" in body:
        kept.run["metadata"] = body["metadata"] or {}
    return WholeReply.json(kept.run)


def list_(call: Call) -> WholeReply:
    """GET /threads/{thread_id}/runs: the newest first."""
    return page([kept.run for kept in thread_of(call).runs.values()], call.request.query, order="desc")


def cancel(call: Call) -> WholeReply:
    """POST /threads/{thread_id}/runs/{run_id}/cancel: the next retrieval finds it cancelled."""
    kept = _run_of(call)
    if kept.run["status"] not in ACTIVE:
        raise ApiError(400, f"Cannot cancel run with status '{kept.run['status']}'.", param="run_id")
    kept.run["status"] = "cancelling"
    return _reply(call, kept)


def submit_tool_outputs(call: Call) -> Outcome:
    """POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs: the outputs of all pending calls."""
    kept = _run_of(call)
    body = call.body()
    check(body, _OUTPUTS, ("tool_outputs",))
    run = kept.run
    if run["status"] != "requires_action":
        message = f"Runs in status '{run['status']}' do not accept tool outputs."
        raise ApiError(400, message, param="run_id", code="invalid_value")
    outputs: dict[str, Any] = {
        output.get("tool_call_id", ""): output.get("output") for output in body["tool_outputs"] if is_object(output)
    }
    step = kept.steps[-1]
    waiting: list[Object] = step["step_details"]["tool_calls"]
    expected = [tool_call["id"] for tool_call in waiting]
    if set(outputs) != set(expected):
        message = f"Expected tool outputs for call_ids {expected}, got {list(outputs)}."
        raise ApiError(400, message, param="tool_outputs", code="invalid_value")
    for tool_call in waiting:
        tool_call["function"]["output"] = outputs[tool_call["id"]]
    run.update(status="queued", required_action=None)
    kept.answered = True
    _end_step(call, step, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
    started: list[_RunEvent] = [("thread.run.step.completed", step), ("thread.run.queued", run)]
    return _run_outcome(call, thread_of(call), kept, body, started)


def list_steps(call: Call) -> WholeReply:
    """GET /threads/{thread_id}/runs/{run_id}/steps: the newest first."""
    return page(_run_of(call).steps, call.request.query, order="desc")


def retrieve_step(call: Call) -> WholeReply:
    """GET /threads/{thread_id}/runs/{run_id}/steps/{step_id}."""
    steps = {step["id"]: step for step in _run_of(call).steps}
    if call.ids[2] not in steps:
        raise ApiError(404, f"No run step found with id '{call.ids[2]}'.", param="id", code="not_found")
    return WholeReply.json(steps[call.ids[2]])


def _run_of(call: Call) -> StoredRun:
    return stored(thread_of(call).runs, call.ids[1], "run in this thread")


def _reply(call: Call, kept: StoredRun) -> WholeReply:
    return call.polled(kept.run, unfinished=kept.run["status"] in ("queued", "in_progress", "cancelling"))


def _start(call: Call, thread: StoredThread, body: Object, events: list[_RunEvent]) -> Outcome:
    check(body, _PARAMS, ("assistant_id",))
    check_metadata(body.get("metadata"))
    assistant = stored(call.state.assistants, body["assistant_id"], "assistant")
    identity = thread.thread["id"]
    for other in thread.runs.values():
        if other.run["status"] in ACTIVE:
            raise ApiError(400, f"Thread {identity} already has an active run {other.run['id']}.")
    for message in body.get("additional_messages") or ():
        add_message(call, thread, message)
    now = call.now()

    def chosen(name: str) -> Any:
        """Returns the setting of the run, or else of its assistant."""
        return assistant[name] if body.get(name) is None else body[name]

    check_model(chosen("model"), call.state)
    more: str | None = body.get("additional_instructions")
    run: Object = {
        "id": call.state.new_id("run_"),
        "object": "thread.run",
        "created_at": now,
        "assistant_id": assistant["id"],
        "thread_id": identity,
        "status": "queued",
        "started_at": None,
        "expires_at": now + _TIME_LIMIT,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": chosen("model"),
        "instructions": " ".join(part for part in (chosen("instructions"), more) if part),
        "tools": chosen("tools"),
        "metadata": body.get("metadata") or {},
        "temperature": chosen("temperature"),
        "top_p": chosen("top_p"),
        "max_completion_tokens": body.get("max_completion_tokens"),
        "max_prompt_tokens": body.get("max_prompt_tokens"),
        "truncation_strategy": body.get("truncation_strategy") or {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": None,
        "response_format": chosen("response_format"),
        "tool_choice": body.get("tool_choice") or "auto",
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
    }
    # Checked now: the reply of this call can report an error, later steps cannot.
    _tools(run)
    _wanted_format(run)
    kept = StoredRun(run)
    thread.runs.put(run["id"], kept)
    started: list[_RunEvent] = [*events, ("thread.run.created", run), ("thread.run.queued", run)]
    return _run_outcome(call, thread, kept, body, started)


def _run_outcome(call: Call, thread: StoredThread, kept: StoredRun, body: Object, started: list[_RunEvent]) -> Outcome:
    """Returns the run as it is, or the events until it ends or requires an action."""
    if not body.get("stream"):
        return _reply(call, kept)
    blocks = [_block(name, data) for name, data in started]
    while kept.run["status"] in ("queued", "in_progress"):
        # Each event is encoded before the next changes its object.
        blocks += [_block(name, data) for name, data in _advance(call, thread, kept)]
    return EventReply([*blocks, _DONE_EVENT])


def _block(name: str, data: Object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + encode(data) + b"\n\n"


def _advance(call: Call, thread: StoredThread, kept: StoredRun) -> Iterator[_RunEvent]:
    """Moves a run one step on, and yields the events. A run that has ended or waits stays as it is."""
    run = kept.run
    if run["status"] == "queued":
        run.update(status="in_progress", started_at=call.now())
        yield "thread.run.in_progress", run
    elif run["status"] == "cancelling":
        run.update(status="cancelled", cancelled_at=call.now(), required_action=None)
        for step in kept.steps:
            if step["status"] == "in_progress":
                step.update(status="cancelled", cancelled_at=call.now())
        yield "thread.run.cancelled", run
    elif run["status"] == "in_progress":
        messages = thread.messages.values()
        asked = next((one["content"] for one in reversed(messages) if one["role"] == "user"), list[Object]())
        prompt = _thread_text(asked)
        uses = choose_tools(
            _tools(run),
            run["tool_choice"],
            text=prompt,
            after_result=kept.answered,
            parallel=run["parallel_tool_calls"],
        )
        if uses and not kept.answered:
            calls = [{"name": use.name, "arguments": use.payload} for use in uses]
            yield from _ask(call, kept, calls)
        else:
            texts = [run["instructions"], *(_thread_text(one["content"]) for one in messages)]
            read = 3 * len(texts) + sum(map(count_tokens, texts))
            answer = formatted_answer(call, _wanted_format(run), prompt, seen(asked, "content"))
            yield from _say(call, thread, kept, answer, read)


def _tools(run: Object) -> list[Tool]:
    """Returns the functions among the tools of a run. The hosted ones have no effect in this server."""
    return named_tools(run["tools"], nested=True, hosted=True)


def _thread_text(content: list[Object]) -> str:
    return "\n".join(part["text"]["value"] for part in content if part["type"] == "text")


def _wanted_format(run: Object) -> OutputFormat:
    wanted = run["response_format"]
    return format_of(wanted, "response_format", nested=True) if is_object(wanted) else PLAIN_TEXT


def _step(call: Call, kept: StoredRun, details: Object) -> Object:
    """Begins a step of a run."""
    run = kept.run
    step: Object = {
        "id": call.state.new_id("step_"),
        "object": "thread.run.step",
        "created_at": call.now(),
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": None,
        "metadata": {},
    }
    kept.steps.append(step)
    return step


def _end_step(call: Call, step: Object, usage: Object) -> None:
    step.update(status="completed", completed_at=call.now(), usage=usage)


def _ask(call: Call, kept: StoredRun, functions: list[Object]) -> Iterator[_RunEvent]:
    """Adds a step that calls functions, and yields its events. The run waits for the outputs."""
    run = kept.run
    step = _step(call, kept, {"type": "tool_calls", "tool_calls": []})
    yield "thread.run.step.created", step
    yield "thread.run.step.in_progress", step
    made: list[Object] = []
    for index, function in enumerate(functions):
        identity = call.state.new_id("call_")
        head: Object = {"index": index, "id": identity, "type": "function"}
        opening = {**head, "function": {"name": function["name"], "arguments": "", "output": None}}
        yield _step_delta(step, opening)
        tokens, _ = cut(function["arguments"], None, None)
        for token in tokens:
            yield _step_delta(step, {"index": index, "type": "function", "function": {"arguments": token}})
        made.append({"id": identity, "type": "function", "function": function})
    # The required action has no outputs; the step has them.
    step["step_details"]["tool_calls"] = [
        {**tool_call, "function": {**tool_call["function"], "output": None}} for tool_call in made
    ]
    run.update(
        status="requires_action",
        required_action={"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": made}},
    )
    yield "thread.run.requires_action", run


def _step_delta(step: Object, tool_call: Object) -> _RunEvent:
    details = {"type": "tool_calls", "tool_calls": [tool_call]}
    delta = {"id": step["id"], "object": "thread.run.step.delta", "delta": {"step_details": details}}
    return "thread.run.step.delta", delta


def _say(call: Call, thread: StoredThread, kept: StoredRun, answer: str, read: int) -> Iterator[_RunEvent]:
    """Adds the last step of a run, in which the assistant writes its message, and yields its events."""
    run = kept.run
    identity = call.state.new_id("msg_")
    step = _step(call, kept, {"type": "message_creation", "message_creation": {"message_id": identity}})
    yield "thread.run.step.created", step
    yield "thread.run.step.in_progress", step
    message: Object = {
        "id": identity,
        "object": "thread.message",
        "created_at": call.now(),
        "thread_id": run["thread_id"],
        "status": "in_progress",
        "incomplete_details": None,
        "completed_at": None,
        "incomplete_at": None,
        "role": "assistant",
        "content": [],
        "assistant_id": run["assistant_id"],
        "run_id": run["id"],
        "attachments": [],
        "metadata": {},
    }
    yield "thread.message.created", message
    yield "thread.message.in_progress", message
    tokens, reason = cut(answer, None, run["max_completion_tokens"])
    for number, token in enumerate(tokens):
        text: Object = {"value": token, "annotations": []} if not number else {"value": token}
        delta = {"content": [{"index": 0, "type": "text", "text": text}]}
        yield "thread.message.delta", {"id": identity, "object": "thread.message.delta", "delta": delta}
    message["content"] = [{"type": "text", "text": {"value": "".join(tokens), "annotations": []}}]
    usage = {"prompt_tokens": read, "completion_tokens": len(tokens), "total_tokens": read + len(tokens)}
    thread.messages.put(identity, message)
    if reason == "stop":
        message.update(status="completed", completed_at=call.now())
        run.update(status="completed", completed_at=call.now())
    else:
        message.update(status="incomplete", incomplete_at=call.now(), incomplete_details={"reason": "max_tokens"})
        run.update(status="incomplete", incomplete_details={"reason": "max_completion_tokens"})
    run["usage"] = usage
    yield f"thread.message.{message['status']}", message
    _end_step(call, step, usage)
    yield "thread.run.step.completed", step
    yield f"thread.run.{run['status']}", run
