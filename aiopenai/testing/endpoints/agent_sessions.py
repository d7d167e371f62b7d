"""The endpoints `/agents/sessions`: sessions of agents, their inputs and events.

A turn moves on while a stream of its session is read, and comes to its end or its next required action as soon as the
session, a turn or an item is retrieved or listed. The reply to the request that began it shows it in progress.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiopenai.testing.content.agent_environments import as_environment, new_environment
from aiopenai.testing.content.agent_settings import check_beta, of_session, settings_of
from aiopenai.testing.content.agent_turns import AgentTurn, Session, advance, publish, settle
from aiopenai.testing.content.pictures import seen
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.feeds import EventFeed
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    BOOLEAN,
    OBJECT,
    STRING,
    check,
    check_metadata,
    invalid_value,
    missing,
    query_boolean,
    stored,
    wrong_type,
)
from aiopenai.testing.engine.replies import ApiError, Outcome, WholeReply
from aiopenai.testing.engine.values import Object, is_array, is_object, section
from aiopenai.testing.memory.agents import StoredSession
from aiopenai.testing.memory.store import Store

__all__ = [
    "begin_turn",
    "create",
    "create_events",
    "delete",
    "list_",
    "messages_of",
    "new_session",
    "retrieve",
    "session_of",
    "stream",
    "update",
]

_PARAMS = {
    "agent": OBJECT,
    "agent_id": STRING,
    "environment": OBJECT,
    "input": STRING | ARRAY,
    "metadata": OBJECT,
    "prompt_cache_options": OBJECT,
    "review": STRING.one_of("none", "auto_review"),
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "vault_ids": ARRAY,
}
# The keys of stored agents that those of sessions do not have.
_OF_STORED_AGENTS = frozenset({"object", "created_at", "updated_at", "metadata"})
_INPUT = "agent.session.input."
_INPUTS = (
    f"{_INPUT}cancel",
    f"{_INPUT}computer_use_approval_request_result",
    f"{_INPUT}mcp_approval_request_result",
    f"{_INPUT}message",
    f"{_INPUT}tool_result",
)


def create(call: Call) -> Outcome:
    """POST /agents/sessions."""
    check_beta(call)
    body = call.body()
    kept = new_session(call, body)
    messages = messages_of(call, body.get("input"), "input")
    if kept.environment is not None and kept.environment.info["status"] == "failed":
        kept.progress = _failure(kept, kept.environment.info)
    elif messages:
        begin_turn(call, kept, messages)
    if body.get("stream") is not True:
        return WholeReply.json(kept.session)
    feed = _feed(kept)
    publish(kept, {"type": "agent.session.created", "session": kept.session})
    if kept.progress is None:
        feed.end()
    kept.first = feed
    return feed


def new_session(call: Call, body: Object) -> Session:
    """Makes and keeps a session without input."""
    check(body, _PARAMS, ("environment",))
    check_metadata(body.get("metadata"))
    given: Object = section(body, "environment")
    base = None
    if body.get("agent_id") is not None:
        base = stored(call.state.agents, body["agent_id"], "agent")
        base = {name: value for name, value in base.items() if name not in _OF_STORED_AGENTS}
    elif body.get("agent") is None:
        raise missing("agent")
    agent = settings_of(call, section(body, "agent"), base, where="agent.")
    agent["tools"] = of_session(agent["tools"])
    agent["id"] = body.get("agent_id") or call.state.new_id("agent_")
    kind = given.get("type")
    if kind not in ("none", "openai_hosted", "self_hosted"):
        raise invalid_value("environment.type", kind, ("none", "openai_hosted", "self_hosted"))
    if kind == "self_hosted" and type(given.get("workspace_directory")) is not str:
        raise missing("environment.workspace_directory")
    environment = None
    if kind != "none":
        known = given.get("environment_id")
        if known is None:
            environment = new_environment(call, given, kind)
        else:
            environment = stored(call.state.agent_environments, known, "environment")
    identity = call.state.new_id("session_")
    session: Object = {
        "id": identity,
        "object": "agent.session",
        "agent": agent,
        "created_at": call.now(),
        "environment": {"type": "none"} if environment is None else as_environment(environment, given),
        "error": None,
        "last_active_at": call.now(),
        "metadata": body.get("metadata") or {},
        "required_actions": [],
        "status": "idle",
        "usage": None,
        "vault_ids": body.get("vault_ids") or [],
    }
    for name in ("prompt_cache_options", "review"):
        if body.get(name) is not None:
            session[name] = body[name]
    limit = call.state.max_stored
    kept: Session = StoredSession(session, Store(limit), Store(limit), Store(limit), environment)
    call.state.agent_sessions.put(identity, kept)
    return kept


def _failure(kept: Session, info: Object) -> Iterator[Object]:
    """Yields the events of a session with an environment that could not be set up."""
    kept.session["status"] = "failed"
    kept.session["error"] = "A setup command of the environment has failed."
    error = {"type": "environment_error", "code": "setup_failed", "message": kept.session["error"]}
    state = {"id": info["id"], "type": info["type"], "status": info["status"], "error": error}
    identity = kept.session["id"]
    yield {"type": "agent.session.environment.failed", "session_id": identity, "turn_id": None, "environment": state}
    yield {"type": "agent.session.failed", "session": kept.session}


def begin_turn(call: Call, kept: Session, messages: list[Object]) -> None:
    """Begins a turn with messages of the user."""
    turn = AgentTurn(call, kept, messages)
    kept.turn = turn
    kept.progress = turn.run()
    _wake(kept)


def retrieve(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}."""
    return WholeReply.json(session_of(call).session)


def update(call: Call) -> WholeReply:
    """POST /agents/sessions/{session_id}: settings of the agent apply from the next turn on."""
    kept = session_of(call)
    body = call.body()
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    if is_object(agent := body.get("agent")):
        settings = settings_of(call, agent, kept.session["agent"], where="agent.")
        kept.session["agent"] = {**settings, "tools": of_session(settings["tools"])}
    for name in ("metadata", "prompt_cache_options", "review"):
        if name in body:
            kept.session[name] = body[name] or {}
    return WholeReply.json(kept.session)


def list_(call: Call) -> WholeReply:
    """GET /agents/sessions: the newest first, of all agents or of one."""
    check_beta(call)
    found: list[Object] = []
    agent = call.request.query.get("agent_id")
    for kept in call.state.agent_sessions.values():
        settle(kept)
        if agent is None or kept.session["agent"]["id"] == agent:
            found.append(kept.session)
    return page(found, call.request.query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /agents/sessions/{session_id}: not while a turn waits for an action."""
    kept = session_of(call)
    if kept.session["status"] == "requires_action":
        message = "The session has a turn in progress. Cancel the turn before you delete the session."
        raise ApiError(409, message, code="session_active")
    call.state.agent_sessions.pop(call.ids[0])
    for feed in list(kept.feeds):
        feed.end()
    return WholeReply.json({"id": call.ids[0], "object": "agent.session.deleted", "deleted": True})


def stream(call: Call) -> Outcome:
    """GET /agents/sessions/{session_id}/events: the events from now on. The stream has no end of its own."""
    check_beta(call)
    query_boolean(call.request.query, "include_obfuscation")
    return _feed(stored(call.state.agent_sessions, call.ids[0], "agent session"))


def create_events(call: Call) -> WholeReply:
    """POST /agents/sessions/{session_id}/events: inputs. The reply does not wait for the turn.

    A request with the idempotency key of an earlier one has no effect.
    """
    check_beta(call)
    kept = stored(call.state.agent_sessions, call.ids[0], "agent session")
    body = call.body()
    check(body, {"events": ARRAY}, ("events",))
    key = call.request.headers.get("idempotency-key")
    if key is None or key not in kept.keys:
        events: list[Any] = body["events"]
        for number, event in enumerate(events):
            _take(call, kept, event, f"events[{number}]")
        if key is not None:
            kept.keys.add(key)
    return WholeReply(b"", status=202)


def _take(call: Call, kept: Session, event: Any, where: str) -> None:
    if not is_object(event):
        raise wrong_type(where, "an object", event)
    kind = event.get("type")
    if kind not in _INPUTS:
        raise invalid_value(f"{where}.type", kind, _INPUTS)
    if kept.session["status"] == "failed":
        raise ApiError(409, "The session has failed and takes no input.", code="session_failed")
    name = kind.removeprefix(_INPUT)
    if name == "message":
        messages = messages_of(call, event.get("input"), f"{where}.input")
        if not messages:
            raise missing(f"{where}.input")
        if kept.session["status"] != "idle":
            settle(kept)
        if kept.session["status"] != "idle":
            raise ApiError(409, "The session waits for an action and takes no message.", code="active_turn")
        begin_turn(call, kept, messages)
    elif name == "cancel":
        if kept.session["status"] == "idle" or kept.turn is None:
            raise ApiError(400, "The session has no turn in progress.", code="no_active_turn")
        _cancel(kept)
    elif name == "tool_result":
        _take_result(kept, event, where)
    else:
        _take_decision(kept, event, where)


def _take_result(kept: Session, event: Object, where: str) -> None:
    for name in ("call_id", "turn_id", "success"):
        if name not in event:
            raise missing(f"{where}.{name}")
    identity = event["call_id"]
    call = kept.pending.get(identity)
    if call is None or call["type"] != "function_call" or call["turn_id"] != event["turn_id"]:
        raise ApiError(400, f"Unknown pending tool call: {identity}", code="invalid_request_error")
    kept.results[identity] = event
    del kept.pending[identity]
    _wake(kept)


def _take_decision(kept: Session, event: Object, where: str) -> None:
    identity = str(event.get("request_id"))
    if kept.pending.get(identity, {}).get("type") != "mcp_approval_request":
        raise ApiError(400, f"Unknown pending approval request: {identity}", code="invalid_request_error")
    decision = section(event, "response").get("decision")
    choices = ("approve", "cancel", "deny")
    if decision not in choices:
        raise invalid_value(f"{where}.response.decision", decision, choices)
    del kept.pending[identity]
    kept.results[identity] = {"decision": decision}
    if decision == "cancel":
        _cancel(kept)
    else:
        _wake(kept)


def _cancel(kept: Session) -> None:
    turn, kept.turn = kept.turn, None
    kept.progress = turn.cancel()
    _wake(kept)


def session_of(call: Call) -> Session:
    """Returns the session of the path, with its turn as far as it comes. Raises `ApiError` 404."""
    check_beta(call)
    kept = stored(call.state.agent_sessions, call.ids[0], "agent session")
    settle(kept)
    return kept


def _feed(kept: Session) -> EventFeed:
    feed = EventFeed(lambda: advance(kept))
    kept.feeds.add(feed)
    return feed


def _wake(kept: Session) -> None:
    for feed in list(kept.feeds):
        feed.notify()


def messages_of(call: Call, given: object, where: str) -> list[Object]:
    """Returns an input as items of the session. Raises `ApiError` 400 for an invalid one."""
    if given is None:
        return []
    if type(given) is str:
        given = [{"role": "user", "content": [{"type": "input_text", "text": given}]}]
    if not is_array(given):
        raise wrong_type(where, "one of a string or an array of objects", given)
    items: list[Object] = []
    for number, message in enumerate(given):
        here = f"{where}[{number}]"
        if not is_object(message):
            raise wrong_type(here, "an object", message)
        if message.get("role") != "user":
            raise invalid_value(f"{here}.role", message.get("role"), ("user",))
        content: Any = message.get("content")
        if type(content) is str:
            content = [{"type": "input_text", "text": content}]
        if not is_array(content) or not content:
            raise wrong_type(f"{here}.content", "an array of objects", content)
        seen(content, f"{here}.content")
        identity = call.state.new_id("msg_")
        item = {"id": identity, "type": "message", "role": "user", "status": "completed", "content": content}
        items.append({**item, "phase": None})
    return items
