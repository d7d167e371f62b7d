"""The endpoints `/agents/environments`: environments of agents, their files and their templates."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.agent_environments import check_file, described, new_environment, place_file
from aiopenai.testing.content.agent_settings import check_beta
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import OBJECT, check, invalid_value, query_integer, stored
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object
from aiopenai.testing.memory.agents import StoredEnvironment

__all__ = [
    "create",
    "create_file",
    "create_template",
    "delete_template",
    "list_",
    "list_files",
    "list_templates",
    "retrieve",
    "retrieve_template",
    "update_template",
]

_SHOWN = ("id", "files", "object", "plugins", "skills", "status", "type")
_OF_TEMPLATES = (
    "id",
    "object",
    "name",
    "created_at",
    "updated_at",
    "capability_directories",
    "desktop",
    "files",
    "network",
    "packages",
    "plugins",
    "skills",
)


def create(call: Call) -> WholeReply:
    """POST /agents/environments."""
    check_beta(call)
    body = call.body()
    check(body, {"environment": OBJECT}, ("environment",))
    given: Object = body["environment"]
    if given.get("type") != "openai_hosted":
        raise invalid_value("environment.type", given.get("type"), ("openai_hosted",))
    return _reply(new_environment(call, given, "openai_hosted"))


def retrieve(call: Call) -> WholeReply:
    """GET /agents/environments/{environment_id}."""
    return _reply(_environment(call))


def list_(call: Call) -> WholeReply:
    """GET /agents/environments: the newest first, by type."""
    check_beta(call)
    kind = call.request.query.get("type")
    found = [kept for kept in call.state.agent_environments.values() if kind in (None, kept.info["type"])]
    return page([_info(kept) for kept in found], call.request.query, order="desc")


def create_file(call: Call) -> WholeReply:
    """POST /agents/environments/{environment_id}/files: an uploaded file, or data in base64."""
    environment = _environment(call)
    return WholeReply.json(place_file(call, environment, call.body(), "file"))


def list_files(call: Call) -> WholeReply:
    """GET /agents/environments/{environment_id}/files: by path, below one directory or all."""
    environment = _environment(call)
    query = call.request.query
    limit = query_integer(query, "limit", 20, 1, 100)
    order = query.get("order", "asc")
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, ("asc", "desc"))
    root = query.get("path", "/workspace").rstrip("/") + "/"
    paths = sorted((path for path in environment.files if path.startswith(root)), reverse=order == "desc")
    start = query_integer(query, "page", 0, 0, max(len(paths), 1))
    end = start + limit
    data = [
        {
            "object": "agent.environment.file",
            "environment_id": environment.info["id"],
            "path": path,
            "size_bytes": len(environment.files[path]),
        }
        for path in paths[start:end]
    ]
    more = end < len(paths)
    return WholeReply.json({"object": "list", "data": data, "has_more": more, "next": str(end) if more else None})


def create_template(call: Call) -> WholeReply:
    """POST /agents/environments/templates."""
    check_beta(call)
    body = call.body()
    template: Object = {
        "id": call.state.new_id("envtmpl_"),
        "object": "agent.environment.template",
        "created_at": call.now(),
        "given_files": [],
    }
    _apply(call, template, body)
    call.state.agent_templates.put(template["id"], template)
    return _template_reply(template)


def retrieve_template(call: Call) -> WholeReply:
    """GET /agents/environments/templates/{environment_template_id}."""
    return _template_reply(_template(call))


def update_template(call: Call) -> WholeReply:
    """POST /agents/environments/templates/{environment_template_id}."""
    template = _template(call)
    _apply(call, template, call.body())
    return _template_reply(template)


def list_templates(call: Call) -> WholeReply:
    """GET /agents/environments/templates: the newest first."""
    check_beta(call)
    found = [_shown(template) for template in call.state.agent_templates.values()]
    return page(found, call.request.query, order="desc")


def delete_template(call: Call) -> WholeReply:
    """DELETE /agents/environments/templates/{environment_template_id}."""
    _template(call)
    call.state.agent_templates.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "agent.environment.template.deleted", "deleted": True})


def _apply(call: Call, template: Object, body: Object) -> None:
    known = {name: template[name] for name in _OF_TEMPLATES if name in template and name != "files"}
    parts = described(body, known)
    if "files" in body:
        given: list[Any] = body["files"] or []
        template["given_files"] = [check_file(call, file, f"files[{number}]") for number, file in enumerate(given)]
    files = [_template_file(file) for file in template["given_files"]]
    template.update(parts, files=files, updated_at=call.now(), name=body.get("name", template.get("name")))


def _template_file(given: Object) -> Object:
    if given["type"] == "file_id":
        return {name: given[name] for name in ("type", "file_id", "path")}
    return {"type": "inline", "path": given["path"], "size_bytes": len(given["data"]) * 3 // 4}


def _template(call: Call) -> Object:
    check_beta(call)
    return stored(call.state.agent_templates, call.ids[0], "environment template")


def _template_reply(template: Object) -> WholeReply:
    return WholeReply.json(_shown(template))


def _shown(template: Object) -> Object:
    return {name: template[name] for name in _OF_TEMPLATES if name in template}


def _environment(call: Call) -> StoredEnvironment:
    check_beta(call)
    return stored(call.state.agent_environments, call.ids[0], "environment")


def _reply(environment: StoredEnvironment) -> WholeReply:
    return WholeReply.json(_info(environment))


def _info(environment: StoredEnvironment) -> Object:
    return {name: environment.info[name] for name in _SHOWN}
