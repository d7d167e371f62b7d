"""The endpoints `/containers`: sandboxes for code, with files."""

from __future__ import annotations

from aiopenai.testing.content.sandboxes import MEMORY, add_container_file, new_container
from aiopenai.testing.endpoints.files import attachment
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import read_form_or_json
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import ARRAY, OBJECT, STRING, check, file_of, missing, not_found, stored
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object
from aiopenai.testing.memory.stored import StoredFile

__all__ = [
    "create",
    "create_file",
    "delete",
    "delete_file",
    "file_content",
    "list_",
    "list_files",
    "retrieve",
    "retrieve_file",
]

_PARAMS = {
    "expires_after": OBJECT,
    "file_ids": ARRAY,
    "memory_limit": MEMORY,
    "name": STRING,
    "network_policy": OBJECT,
}


def create(call: Call) -> WholeReply:
    """POST /containers."""
    body = call.body()
    check(body, _PARAMS, ("name",))
    return WholeReply.json(new_container(call, body["name"], body))


def retrieve(call: Call) -> WholeReply:
    """GET /containers/{container_id}."""
    return WholeReply.json(stored(call.state.containers, call.ids[0], "container"))


def list_(call: Call) -> WholeReply:
    """GET /containers: the newest first, by name."""
    query = call.request.query
    name = query.get("name")
    found = [one for one in call.state.containers.values() if name is None or one["name"] == name]
    return page(found, query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /containers/{container_id}: its files go too."""
    stored(call.state.containers, call.ids[0], "container")
    call.state.containers.pop(call.ids[0])
    for file in _files(call):
        call.state.container_files.pop(file["id"])
    return WholeReply.json({"id": call.ids[0], "object": "container.deleted", "deleted": True})


def create_file(call: Call) -> WholeReply:
    """POST /containers/{container_id}/files: multipart with `file`, or the `file_id` of an uploaded one."""
    stored(call.state.containers, call.ids[0], "container")
    form = read_form_or_json(call, {"file_id": STRING})
    identity = form.fields.get("file_id")
    if form.files.get("file"):
        part = form.file("file")
        return WholeReply.json(add_container_file(call, call.ids[0], part.filename or "file", part.data))
    if identity is None:
        raise missing("file")
    source = file_of(identity, call.state, "file_id")
    return WholeReply.json(add_container_file(call, call.ids[0], source.file["filename"], source.data))


def retrieve_file(call: Call) -> WholeReply:
    """GET /containers/{container_id}/files/{file_id}."""
    return WholeReply.json(_container_file(call).file)


def list_files(call: Call) -> WholeReply:
    """GET /containers/{container_id}/files: the newest first."""
    stored(call.state.containers, call.ids[0], "container")
    return page(_files(call), call.request.query, order="desc")


def file_content(call: Call) -> WholeReply:
    """GET /containers/{container_id}/files/{file_id}/content."""
    found = _container_file(call)
    return attachment(found.file["path"].rpartition("/")[2], found.data)


def delete_file(call: Call) -> WholeReply:
    """DELETE /containers/{container_id}/files/{file_id}."""
    _container_file(call)
    call.state.container_files.pop(call.ids[1])
    return WholeReply.json({"id": call.ids[1], "object": "container.file.deleted", "deleted": True})


def _files(call: Call) -> list[Object]:
    return [one.file for one in call.state.container_files.values() if one.file["container_id"] == call.ids[0]]


def _container_file(call: Call) -> StoredFile:
    stored(call.state.containers, call.ids[0], "container")
    found = call.state.container_files.get(call.ids[1])
    if found is None or found.file["container_id"] != call.ids[0]:
        raise not_found(call.ids[1], "file in this container")
    return found
