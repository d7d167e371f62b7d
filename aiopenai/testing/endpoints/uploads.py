"""The endpoints `/uploads`: big files in parts. A completed upload is a file like any other."""

from __future__ import annotations

import hashlib

from aiopenai.testing.endpoints.files import PURPOSES, keep
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import read_form
from aiopenai.testing.engine.params import ARRAY, INTEGER, OBJECT, STRING, check, expiry, stored
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, strings
from aiopenai.testing.memory.stored import StoredPart, StoredUpload

__all__ = ["cancel", "complete", "create", "create_part"]

_PARAMS = {
    "bytes": INTEGER.within(1, 8 * 1024**3),
    "filename": STRING,
    "mime_type": STRING,
    "purpose": STRING.one_of(*PURPOSES),
    "expires_after": OBJECT,
}
_PART_LIMIT = 64 * 1024 * 1024
_HOUR = 3_600


def create(call: Call) -> WholeReply:
    """POST /uploads."""
    body = call.body()
    check(body, _PARAMS, ("bytes", "filename", "mime_type", "purpose"))
    now = call.now()
    expiry(body.get("expires_after"), now)
    upload: Object = {
        "id": call.state.new_id("upload_"),
        "object": "upload",
        "bytes": body["bytes"],
        "created_at": now,
        "expires_at": now + _HOUR,
        "filename": body["filename"],
        "purpose": body["purpose"],
        "status": "pending",
        "file": None,
    }
    call.state.uploads.put(upload["id"], StoredUpload(upload, body.get("expires_after")))
    return WholeReply.json(upload)


def create_part(call: Call) -> WholeReply:
    """POST /uploads/{upload_id}/parts: multipart with `data`, at most 64 MB of it."""
    upload = _pending(call).upload
    data = read_form(call, {}).file("data").data
    if len(data) > _PART_LIMIT:
        message = f"The part is too large: {len(data)} bytes, but at most {_PART_LIMIT} are allowed."
        raise ApiError(400, message, param="data", code="invalid_value")
    identity = call.state.new_id("part_")
    part: Object = {"id": identity, "object": "upload.part", "created_at": call.now(), "upload_id": upload["id"]}
    call.state.parts.put(identity, StoredPart(part, data), len(data))
    return WholeReply.json(part)


def complete(call: Call) -> WholeReply:
    """POST /uploads/{upload_id}/complete: the parts in the order of their ids, with the announced size."""
    kept = _pending(call)
    upload = kept.upload
    body = call.body()
    check(body, {"part_ids": ARRAY, "md5": STRING}, ("part_ids",))
    chosen: list[bytes] = []
    for identity in strings(body["part_ids"]):
        part = call.state.parts.get(identity)
        if part is None or part.part["upload_id"] != upload["id"]:
            raise ApiError(400, f"No part with id '{identity}' in this upload.", param="part_ids", code="invalid_value")
        chosen.append(part.data)
    data = b"".join(chosen)
    if len(data) != upload["bytes"]:
        message = f"The parts have {len(data)} bytes together, but {upload['bytes']} were announced."
        raise ApiError(400, message, param="part_ids", code="invalid_value")
    if (md5 := body.get("md5")) and hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
        raise ApiError(400, "The checksum of the parts does not match.", param="md5", code="invalid_value")
    expires_at = expiry(kept.expires_after, call.now())
    upload["file"] = keep(call, upload["filename"], data, upload["purpose"], expires_at)
    return _end(call, upload, "completed")


def cancel(call: Call) -> WholeReply:
    """POST /uploads/{upload_id}/cancel."""
    return _end(call, _pending(call).upload, "cancelled")


def _pending(call: Call) -> StoredUpload:
    kept = stored(call.state.uploads, call.ids[0], "upload")
    if kept.upload["status"] != "pending":
        raise ApiError(400, f"The upload is {kept.upload['status']}.", param="upload_id", code="invalid_value")
    return kept


def _end(call: Call, upload: Object, status: str) -> WholeReply:
    upload["status"] = status
    for part in call.state.parts.values():
        if part.part["upload_id"] == upload["id"]:
            call.state.parts.pop(part.part["id"])
    return WholeReply.json(upload)
