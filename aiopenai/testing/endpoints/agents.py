"""The endpoints `/agents`: stored agents, without their sessions."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.agent_settings import check_beta, settings_of
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import stored
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object, is_object

__all__ = ["create", "delete", "list_", "retrieve", "update"]


def create(call: Call) -> WholeReply:
    """POST /agents."""
    check_beta(call)
    body = call.body()
    agent: Object = {
        "object": "agent",
        "created_at": call.now(),
        "updated_at": call.now(),
        "metadata": body.get("metadata") or {},
        **_persisted(settings_of(call, body)),
    }
    agent["id"] = call.state.new_id("agent_")
    call.state.agents.put(agent["id"], agent)
    return WholeReply.json(agent)


def retrieve(call: Call) -> WholeReply:
    """GET /agents/{agent_id}."""
    return WholeReply.json(_agent(call))


def update(call: Call) -> WholeReply:
    """POST /agents/{agent_id}: sessions that have begun keep their settings."""
    agent = _agent(call)
    body = call.body()
    agent.update(_persisted(settings_of(call, body, agent)), updated_at=call.now())
    if "metadata" in body:
        agent["metadata"] = body["metadata"] or {}
    return WholeReply.json(agent)


def list_(call: Call) -> WholeReply:
    """GET /agents: the newest first."""
    check_beta(call)
    return page(call.state.agents.values(), call.request.query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /agents/{agent_id}: its sessions stay."""
    _agent(call)
    call.state.agents.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "agent.deleted", "deleted": True})


def _agent(call: Call) -> Object:
    check_beta(call)
    return stored(call.state.agents, call.ids[0], "agent")


def _persisted(settings: Object) -> Object:
    """Returns settings with the transports of MCP servers as stored agents have them."""
    tools: list[Object] = []
    for tool in settings["tools"]:
        transport: Any = tool.get("transport")
        if is_object(transport) and transport.get("type") == "http":
            tools.append({**tool, "transport": {"headers": {}, **transport}})
        else:
            tools.append(tool)
    return {**settings, "tools": tools}
