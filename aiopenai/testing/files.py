"""`/files`: kept in memory."""

from __future__ import annotations

from .paging import page
from .params import invalid_value, missing
from .stored import StoredFile
from .values import ApiError, Call, Object, Reply

__all__ = ["content", "create", "delete", "list_", "retrieve"]

_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_EXPIRY = (3_600, 2_592_000)
_PAGE = 10_000


def create(call: Call) -> Reply:
    """POST /files: multipart with `file`, `purpose` and perhaps `expires_after[anchor]` and `[seconds]`."""
    try:
        parts = call.request.multipart()
    except ValueError as exc:
        raise ApiError(400, f"We could not parse the multipart body of your request: {exc}.") from exc
    fields = {part.name: part for part in parts}
    for name in ("file", "purpose"):
        if name not in fields:
            raise missing(name)
    upload = fields["file"]
    if upload.filename is None:
        raise ApiError(400, "Expected file to be a file upload with a filename.", param="file", code="invalid_type")
    purpose = fields["purpose"].data.decode("utf-8", "replace")
    if purpose not in _PURPOSES:
        raise invalid_value("purpose", purpose, _PURPOSES)
    created = call.now()
    seconds = fields.get("expires_after[seconds]")
    expires_at: int | None = None
    if seconds is not None:
        anchor = fields.get("expires_after[anchor]")
        if anchor is None:
            raise missing("expires_after[anchor]")
        if anchor.data != b"created_at":
            raise invalid_value("expires_after[anchor]", anchor.data.decode("utf-8", "replace"), ("created_at",))
        if not seconds.data.isdigit() or not _EXPIRY[0] <= int(seconds.data) <= _EXPIRY[1]:
            message = f"Invalid 'expires_after[seconds]': expected an integer from {_EXPIRY[0]} to {_EXPIRY[1]}."
            raise ApiError(400, message, param="expires_after[seconds]", code="invalid_value")
        expires_at = created + int(seconds.data)
    identity = call.state.new_id("file-")
    file: Object = {
        "id": identity,
        "object": "file",
        "bytes": len(upload.data),
        "created_at": created,
        "expires_at": expires_at,
        "filename": upload.filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": None,
    }
    call.state.files.put(identity, StoredFile(file, upload.data), len(upload.data))
    return Reply.json(file)


def list_(call: Call) -> Reply:
    """GET /files: the newest first, by purpose."""
    query = call.request.query
    purpose = query.get("purpose")
    files = [
        stored.file for stored in call.state.files.values() if purpose is None or stored.file["purpose"] == purpose
    ]
    return page(files, query, order="desc", limit=_PAGE, max_limit=_PAGE)


def retrieve(call: Call) -> Reply:
    """GET /files/{file_id}."""
    return Reply.json(_stored(call).file)


def delete(call: Call) -> Reply:
    """DELETE /files/{file_id}."""
    _stored(call)
    call.state.files.pop(call.ids[0])
    return Reply.json({"id": call.ids[0], "object": "file", "deleted": True})


def content(call: Call) -> Reply:
    """GET /files/{file_id}/content: the bytes as they were uploaded."""
    stored = _stored(call)
    # A header cannot hold every file name: what is not plain ASCII is replaced.
    name = "".join(char if " " <= char <= "~" and char not in '"\\' else "_" for char in stored.file["filename"])
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Reply(stored.data, content_type="application/octet-stream", headers=headers)


def _stored(call: Call) -> StoredFile:
    stored = call.state.files.get(call.ids[0])
    if stored is None:
        raise ApiError(404, f"No such File object: {call.ids[0]}", param="id")
    return stored
