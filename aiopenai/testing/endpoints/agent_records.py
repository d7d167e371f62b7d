"""The records of the sessions of agents: turns, items, artifacts, subagents and traces."""

from __future__ import annotations

from aiopenai.testing.endpoints.agent_sessions import session_of
from aiopenai.testing.endpoints.files import attachment
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import not_found, stored
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.memory.stored import StoredFile

__all__ = [
    "artifact_content",
    "delete_artifact",
    "list_artifacts",
    "list_items",
    "list_subagents",
    "list_traces",
    "list_turn_items",
    "list_turns",
    "no_subagent",
    "retrieve_artifact",
    "retrieve_turn",
]


def list_turns(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/turns: the newest first."""
    return page(session_of(call).turns.values(), call.request.query, order="desc")


def retrieve_turn(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/turns/{turn_id}."""
    return WholeReply.json(stored(session_of(call).turns, call.ids[1], "turn"))


def list_turn_items(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/turns/{turn_id}/items: the oldest first."""
    kept = session_of(call)
    turn = stored(kept.turns, call.ids[1], "turn")
    return page(
        [item for item in kept.items.values() if item["turn_id"] == turn["id"]], call.request.query, order="asc"
    )


def list_items(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/items: the oldest first."""
    return page(session_of(call).items.values(), call.request.query, order="asc")


def list_artifacts(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/artifacts: the newest first, of all environments or of one."""
    wanted = call.request.query.get("environment_id")
    found = [kept.file for kept in session_of(call).artifacts.values()]
    listed = [file for file in found if wanted is None or file["environment_id"] == wanted]
    return page(listed, call.request.query, order="desc")


def retrieve_artifact(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/artifacts/{artifact_id}."""
    return WholeReply.json(_artifact(call).file)


def artifact_content(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/artifacts/{artifact_id}/content."""
    found = _artifact(call)
    return attachment(found.file["path"].rpartition("/")[2], found.data)


def delete_artifact(call: Call) -> WholeReply:
    """DELETE /agents/sessions/{session_id}/artifacts/{artifact_id}: the file of the environment stays."""
    _artifact(call)
    session_of(call).artifacts.pop(call.ids[1])
    return WholeReply.json({"id": call.ids[1], "object": "agent.session.artifact.deleted", "deleted": True})


def _artifact(call: Call) -> StoredFile:
    return stored(session_of(call).artifacts, call.ids[1], "artifact")


def list_subagents(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/subagents: the agents of this server have none."""
    session_of(call)
    return page([], call.request.query, order="desc")


def no_subagent(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/subagents/{subagent_id} and the paths below it."""
    session_of(call)
    raise not_found(call.ids[1], "subagent")


def list_traces(call: Call) -> WholeReply:
    """GET /agents/sessions/{session_id}/traces: the server records none."""
    session_of(call)
    return page([], call.request.query, order="asc")
