"""The endpoints `/files`. Files are kept in memory."""

from __future__ import annotations

from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import read_form
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import OBJECT, STRING, expiry, file_of
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object
from aiopenai.testing.memory.stored import StoredFile

__all__ = ["PURPOSES", "attachment", "content", "create", "delete", "keep", "list_", "retrieve"]

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_PARAMS = {"purpose": STRING.one_of(*PURPOSES), "expires_after": OBJECT}
_PAGE = 10_000


def create(call: Call) -> WholeReply:
    """POST /files: multipart with `file`, `purpose`, and optional `expires_after[anchor]` and `[seconds]`."""
    form = read_form(call, _PARAMS, ("purpose",))
    upload = form.file("file")
    expires_at = expiry(form.fields.get("expires_after"), call.now())
    return WholeReply.json(keep(call, upload.filename or "upload", upload.data, form.fields["purpose"], expires_at))


def keep(call: Call, filename: str, data: bytes, purpose: str, expires_at: int | None = None) -> Object:
    """Stores a file, and returns the object that describes it."""
    identity = call.state.new_id("file-")
    file: Object = {
        "id": identity,
        "object": "file",
        "bytes": len(data),
        "created_at": call.now(),
        "expires_at": expires_at,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    call.state.files.put(identity, StoredFile(file, data), len(data))
    return file


def list_(call: Call) -> WholeReply:
    """GET /files: the newest first, by purpose."""
    query = call.request.query
    purpose = query.get("purpose")
    files = [
        stored.file for stored in call.state.files.values() if purpose is None or stored.file["purpose"] == purpose
    ]
    return page(files, query, order="desc", limit=_PAGE, max_limit=_PAGE)


def retrieve(call: Call) -> WholeReply:
    """GET /files/{file_id}."""
    return WholeReply.json(file_of(call.ids[0], call.state).file)


def delete(call: Call) -> WholeReply:
    """DELETE /files/{file_id}."""
    file_of(call.ids[0], call.state)
    call.state.files.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "file", "deleted": True})


def content(call: Call) -> WholeReply:
    """GET /files/{file_id}/content: the bytes as they were uploaded."""
    stored = file_of(call.ids[0], call.state)
    return attachment(stored.file["filename"], stored.data)


def attachment(filename: str, data: bytes) -> WholeReply:
    """Returns a reply that is a file to download."""
    # A header cannot hold every file name, so characters outside of plain ASCII are replaced.
    name = "".join(char if " " <= char <= "~" and char not in '"\\' else "_" for char in filename)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return WholeReply(data, content_type="application/octet-stream", headers=headers)
