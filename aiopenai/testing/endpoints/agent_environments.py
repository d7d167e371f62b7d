"""The endpoints `/agents/environments`: environments of agents, their files and their templates."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from aiopenai.testing.content.agent_environments import check_file, described, file_info, new_environment, place_file
from aiopenai.testing.content.agent_settings import check_beta
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page, query_order
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

_OF_ENVIRONMENTS = ("id", "files", "object", "plugins", "skills", "status", "type")
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
    return WholeReply.json(_shown(new_environment(call, given, "openai_hosted").info, _OF_ENVIRONMENTS))


def retrieve(call: Call) -> WholeReply:
    """GET /agents/environments/{environment_id}."""
    return WholeReply.json(_shown(_environment(call).info, _OF_ENVIRONMENTS))


def list_(call: Call) -> WholeReply:
    """GET /agents/environments: the newest first, by type."""
    check_beta(call)
    kind = call.request.query.get("type")
    found = [kept.info for kept in call.state.agent_environments.values() if kind in (None, kept.info["type"])]
    return page([_shown(info, _OF_ENVIRONMENTS) for info in found], call.request.query, order="desc")


def create_file(call: Call) -> WholeReply:
    """POST /agents/environments/{environment_id}/files: an uploaded file, or data in base64."""
    environment = _environment(call)
    return WholeReply.json(place_file(call, environment, call.body(), "file"))


def list_files(call: Call) -> WholeReply:
    """GET /agents/environments/{environment_id}/files: by path, below one directory or all."""
    environment = _environment(call)
    query = call.request.query
    limit = query_integer(query, "limit", 20, 1, 100)
    order = query_order(query, "asc")
    root = query.get("path", "/workspace").rstrip("/") + "/"
    paths = sorted((path for path in environment.files if path.startswith(root)), reverse=order == "desc")
    start = query_integer(query, "page", 0, 0, max(len(paths), 1))
    end = start + limit
    data = [file_info(environment, path) for path in paths[start:end]]
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
    return WholeReply.json(_shown(template, _OF_TEMPLATES))


def retrieve_template(call: Call) -> WholeReply:
    """GET /agents/environments/templates/{environment_template_id}."""
    return WholeReply.json(_shown(_template(call), _OF_TEMPLATES))


def update_template(call: Call) -> WholeReply:
    """POST /agents/environments/templates/{environment_template_id}."""
    template = _template(call)
    _apply(call, template, call.body())
    return WholeReply.json(_shown(template, _OF_TEMPLATES))


def list_templates(call: Call) -> WholeReply:
    """GET /agents/environments/templates: the newest first."""
    check_beta(call)
    found = [_shown(template, _OF_TEMPLATES) for template in call.state.agent_templates.values()]
    return page(found, call.request.query, order="desc")


def delete_template(call: Call) -> WholeReply:
    """DELETE /agents/environments/templates/{environment_template_id}."""
    _template(call)
    call.state.agent_templates.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "agent.environment.template.deleted", "deleted": True})


def _apply(call: Call, template: Object, body: Object) -> None:
    changed = described(body, template)
    if "files" in body:
        given: list[Any] = body["files"] or []
        changed["given_files"] = [check_file(call, file, f"files[{number}]")[0] for number, file in enumerate(given)]
    changed["files"] = [_template_file(file) for file in changed["given_files"]]
    template.update(changed, updated_at=call.now(), name=body.get("name", template.get("name")))


def _template_file(given: Object) -> Object:
    if given["type"] == "file_id":
        return {name: given[name] for name in ("type", "file_id", "path")}
    return {"type": "inline", "path": given["path"], "size_bytes": len(b64decode(given["data"]))}


def _template(call: Call) -> Object:
    check_beta(call)
    return stored(call.state.agent_templates, call.ids[0], "environment template")


def _environment(call: Call) -> StoredEnvironment:
    check_beta(call)
    return stored(call.state.agent_environments, call.ids[0], "environment")


def _shown(info: Object, names: tuple[str, ...]) -> Object:
    return {name: info[name] for name in names if name in info}
