"""The endpoints `/agents/automations`: inputs for sessions of agents by a schedule.

The server keeps schedules and follows none: `invocations.create` delivers at once.
"""

from __future__ import annotations

from aiopenai.testing.content.agent_settings import check_beta, of_session, settings_of
from aiopenai.testing.endpoints.agent_sessions import begin_turn, messages_of, new_session
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    INTEGER,
    OBJECT,
    STRING,
    check,
    check_metadata,
    invalid_value,
    missing,
    not_found,
    stored,
)
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object, section

__all__ = [
    "create",
    "delete",
    "invocations",
    "invoke",
    "list_",
    "pause",
    "resume",
    "retrieve",
    "retrieve_invocation",
    "update",
]

_PARAMS = {
    "expression": STRING,
    "metadata": OBJECT,
    "name": STRING,
    "run_at": INTEGER,
    "target": OBJECT,
    "timezone": STRING,
    "type": STRING.one_of("once", "periodic"),
}
_SCHEDULES = {"once": ("run_at",), "periodic": ("expression", "timezone")}


def create(call: Call) -> WholeReply:
    """POST /agents/automations."""
    check_beta(call)
    body = call.body()
    check(body, _PARAMS, ("name", "target", "type"))
    automation: Object = {
        "id": call.state.new_id("automation_"),
        "object": "agent.automation",
        "created_at": call.now(),
        "created_by": {"type": "developer"},
        "metadata": {},
        "pause_reason": None,
        "status": "active",
        "type": body["type"],
    }
    for name in _SCHEDULES[body["type"]]:
        if name not in body:
            raise missing(name)
    _apply(call, automation, body)
    call.state.automations.put(automation["id"], automation)
    return WholeReply.json(automation)


def retrieve(call: Call) -> WholeReply:
    """GET /agents/automations/{automation_id}."""
    return WholeReply.json(_automation(call))


def update(call: Call) -> WholeReply:
    """POST /agents/automations/{automation_id}."""
    automation = _automation(call)
    body = call.body()
    check(body, _PARAMS)
    _apply(call, automation, body)
    return WholeReply.json(automation)


def list_(call: Call) -> WholeReply:
    """GET /agents/automations: the newest first, of all sessions or of one."""
    check_beta(call)
    session = call.request.query.get("session_id")
    found = call.state.automations.values()
    return page(
        [each for each in found if session is None or each["target"].get("session_id") == session],
        call.request.query,
        order="desc",
    )


def delete(call: Call) -> WholeReply:
    """DELETE /agents/automations/{automation_id}."""
    _automation(call)
    call.state.automations.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "agent.automation.deleted", "deleted": True})


def pause(call: Call) -> WholeReply:
    """POST /agents/automations/{automation_id}/pause."""
    automation = _automation(call)
    automation["status"] = "paused"
    return WholeReply.json(automation)


def resume(call: Call) -> WholeReply:
    """POST /agents/automations/{automation_id}/resume."""
    automation = _automation(call)
    automation["status"] = "active"
    return WholeReply.json(automation)


def invoke(call: Call) -> WholeReply:
    """POST /agents/automations/{automation_id}/invocations: delivers the input of the automation."""
    automation = _automation(call)
    invocation: Object = {
        "id": call.state.new_id("invocation_"),
        "object": "agent.automation.invocation",
        "automation_id": automation["id"],
        "created_at": call.now(),
        "error": None,
        "scheduled_at": None,
        "session_id": None,
        "skip_reason": None,
        "source": {"type": "manual"},
        "status": "completed",
    }
    _deliver(call, automation["target"], invocation)
    call.state.invocations.put(invocation["id"], invocation)
    return WholeReply.json(invocation)


def retrieve_invocation(call: Call) -> WholeReply:
    """GET /agents/automations/{automation_id}/invocations/{invocation_id}."""
    _automation(call)
    found = stored(call.state.invocations, call.ids[1], "invocation")
    if found["automation_id"] != call.ids[0]:
        raise not_found(call.ids[1], "invocation")
    return WholeReply.json(found)


def invocations(call: Call) -> WholeReply:
    """GET /agents/automations/{automation_id}/invocations: the newest first."""
    _automation(call)
    found = [each for each in call.state.invocations.values() if each["automation_id"] == call.ids[0]]
    return page(found, call.request.query, order="desc")


def _deliver(call: Call, target: Object, invocation: Object) -> None:
    if target["type"] == "new_session":
        given: Object = {
            name: target[name] for name in ("agent", "agent_id", "environment", "metadata") if name in target
        }
        kept = new_session(call, given)
        messages = messages_of(call, target["input"], "input")
    else:
        found = call.state.agent_sessions.get(target["session_id"])
        if found is None:
            invocation["status"] = "failed"
            invocation["error"] = {"code": "session_not_found", "message": "The session of the automation is gone."}
            return
        kept = found
        messages = messages_of(call, target["instructions"], "instructions")
    invocation["session_id"] = kept.session["id"]
    if kept.session["status"] != "idle":
        invocation.update(status="skipped", skip_reason="pending_delivery")
        return
    begin_turn(call, kept, messages)


def _apply(call: Call, automation: Object, body: Object) -> None:
    check_metadata(body.get("metadata"))
    names = ("name", "metadata", *_SCHEDULES[automation["type"]])
    changed: Object = {name: body[name] for name in names if body.get(name) is not None}
    if "target" in body:
        changed["target"] = _target(call, section(body, "target"))
    automation.update(changed)


def _target(call: Call, given: Object) -> Object:
    kind = given.get("type")
    if kind == "existing_session":
        for name in ("instructions", "session_id"):
            if type(given.get(name)) is not str:
                raise missing(f"target.{name}")
        stored(call.state.agent_sessions, given["session_id"], "agent session")
        return {name: given[name] for name in ("type", "instructions", "session_id")}
    if kind != "new_session":
        raise invalid_value("target.type", kind, ("existing_session", "new_session"))
    target: Object = {"type": kind, "metadata": given.get("metadata") or {}, "vault_ids": given.get("vault_ids") or []}
    if given.get("agent_id") is not None:
        target["agent_id"] = stored(call.state.agents, given["agent_id"], "agent")["id"]
    elif given.get("agent") is not None:
        settings = settings_of(call, given["agent"], where="target.agent.")
        del settings["name"]
        target["agent"] = {**settings, "tools": of_session(settings["tools"])}
    else:
        raise missing("target.agent")
    if not section(given, "environment"):
        raise missing("target.environment")
    target["environment"] = given["environment"]
    messages = messages_of(call, given.get("input"), "target.input")
    if not messages:
        raise missing("target.input")
    target["input"] = [{name: item[name] for name in ("type", "role", "content")} for item in messages]
    return target


def _automation(call: Call) -> Object:
    check_beta(call)
    return stored(call.state.automations, call.ids[0], "automation")
