"""The endpoints `/threads`, with their messages."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.pictures import seen
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import ARRAY, OBJECT, STRING, check, check_metadata, missing, stored, wrong_type
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, is_array, is_object
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredThread

__all__ = [
    "add_message",
    "create",
    "create_message",
    "delete",
    "delete_message",
    "list_messages",
    "new_thread",
    "retrieve",
    "retrieve_message",
    "thread_of",
    "update",
    "update_message",
]

_PARAMS = {"messages": ARRAY, "metadata": OBJECT, "tool_resources": OBJECT}
_MESSAGE = {
    "attachments": ARRAY,
    "content": STRING | ARRAY,
    "metadata": OBJECT,
    "role": STRING.one_of("user", "assistant"),
}
ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")


def create(call: Call) -> WholeReply:
    """POST /threads."""
    return WholeReply.json(new_thread(call, call.body()).thread)


def new_thread(call: Call, body: Object) -> StoredThread:
    """Makes and stores a thread from the parameters of `POST /threads`. Raises `ApiError` 400 for invalid ones."""
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    thread: Object = {
        "id": call.state.new_id("thread_"),
        "object": "thread",
        "created_at": call.now(),
        "metadata": body.get("metadata") or {},
        "tool_resources": body.get("tool_resources") or {},
    }
    limit = call.state.max_stored
    kept = StoredThread(thread, Store(limit), Store(limit))
    for message in body.get("messages") or ():
        add_message(call, kept, message)
    call.state.threads.put(thread["id"], kept)
    return kept


def retrieve(call: Call) -> WholeReply:
    """GET /threads/{thread_id}."""
    return WholeReply.json(thread_of(call).thread)


def update(call: Call) -> WholeReply:
    """POST /threads/{thread_id}."""
    thread = thread_of(call).thread
    body = call.body()
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    for name in ("metadata", "tool_resources"):
        if name in body:
            thread[name] = body[name] or {}
    return WholeReply.json(thread)


def delete(call: Call) -> WholeReply:
    """DELETE /threads/{thread_id}."""
    thread_of(call)
    call.state.threads.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "thread.deleted", "deleted": True})


def create_message(call: Call) -> WholeReply:
    """POST /threads/{thread_id}/messages: not while a run is active."""
    kept = thread_of(call)
    for run in kept.runs.values():
        if run.run["status"] in ACTIVE:
            identity, active = kept.thread["id"], run.run["id"]
            raise ApiError(400, f"Can't add messages to {identity} while a run {active} is active.")
    return WholeReply.json(add_message(call, kept, call.body()))


def add_message(call: Call, kept: StoredThread, given: object) -> Object:
    """Adds a message to a thread, from the parameters of its endpoint. Raises `ApiError` 400 for invalid ones."""
    if not is_object(given):
        raise wrong_type("messages", "an array of objects", given)
    check(given, _MESSAGE, ("role", "content"))
    check_metadata(given.get("metadata"))
    message: Object = {
        "id": call.state.new_id("msg_"),
        "object": "thread.message",
        "created_at": call.now(),
        "thread_id": kept.thread["id"],
        "status": "completed",
        "incomplete_details": None,
        "completed_at": call.now(),
        "incomplete_at": None,
        "role": given["role"],
        "content": _content_parts(given["content"]),
        "assistant_id": None,
        "run_id": None,
        "attachments": given.get("attachments") or [],
        "metadata": given.get("metadata") or {},
    }
    kept.messages.put(message["id"], message)
    return message


def retrieve_message(call: Call) -> WholeReply:
    """GET /threads/{thread_id}/messages/{message_id}."""
    return WholeReply.json(_thread_message(call))


def update_message(call: Call) -> WholeReply:
    """POST /threads/{thread_id}/messages/{message_id}: only the metadata can be changed."""
    message = _thread_message(call)
    body = call.body()
    check_metadata(body.get("metadata"))
    if "metadata" in body:
        message["metadata"] = body["metadata"] or {}
    return WholeReply.json(message)


def list_messages(call: Call) -> WholeReply:
    """GET /threads/{thread_id}/messages: the newest first, by run."""
    query = call.request.query
    run = query.get("run_id")
    found = [one for one in thread_of(call).messages.values() if run is None or one["run_id"] == run]
    return page(found, query, order="desc")


def delete_message(call: Call) -> WholeReply:
    """DELETE /threads/{thread_id}/messages/{message_id}."""
    _thread_message(call)
    thread_of(call).messages.pop(call.ids[1])
    return WholeReply.json({"id": call.ids[1], "object": "thread.message.deleted", "deleted": True})


def thread_of(call: Call) -> StoredThread:
    """Returns the thread that the path names. Raises `ApiError` 404."""
    return stored(call.state.threads, call.ids[0], "thread")


def _thread_message(call: Call) -> Object:
    return stored(thread_of(call).messages, call.ids[1], "message in this thread")


def _content_parts(given: Any) -> list[Object]:
    """Returns the parts of a message: texts with a list of annotations, images unchanged."""
    if not given:
        raise ApiError(400, "Message content must be non-empty.", param="content", code="empty_array")
    if type(given) is str:
        given = [{"type": "text", "text": given}]
    # Raises for an image that the API refuses.
    seen(given, "content")
    parts: list[Object] = []
    for number, part in enumerate(given if is_array(given) else ()):
        kind = part.get("type") if is_object(part) else None
        if kind not in ("text", "image_url", "image_file") or not is_object(part):
            message = f"Invalid 'content[{number}].type': expected 'text', 'image_url' or 'image_file'."
            raise ApiError(400, message, param=f"content[{number}].type", code="invalid_value")
        inner = part.get(kind)
        if inner is None:
            raise missing(f"content[{number}].{kind}")
        parts.append({"type": kind, kind: {"value": inner, "annotations": []} if kind == "text" else inner})
    return parts
