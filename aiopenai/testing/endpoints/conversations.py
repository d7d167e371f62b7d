"""The endpoints `/conversations`: lists of items that responses continue."""

from __future__ import annotations

from aiopenai.testing.content.items import as_items
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import ARRAY, OBJECT, check, check_metadata, missing, stored
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredConversation

__all__ = [
    "conversation_of",
    "create",
    "create_items",
    "delete",
    "delete_item",
    "list_items",
    "retrieve",
    "retrieve_item",
    "update",
]

_PARAMS = {"items": ARRAY, "metadata": OBJECT}
_MAX_ITEMS = 20


def create(call: Call) -> WholeReply:
    """POST /conversations."""
    body = call.body()
    check(body, _PARAMS)
    check_metadata(body.get("metadata"))
    conversation: Object = {
        "id": call.state.new_id("conv_"),
        "object": "conversation",
        "created_at": call.now(),
        "metadata": body.get("metadata") or {},
    }
    kept = StoredConversation(conversation, Store(call.state.max_stored))
    _add_items(call, kept, body)
    call.state.conversations.put(conversation["id"], kept)
    return WholeReply.json(conversation)


def retrieve(call: Call) -> WholeReply:
    """GET /conversations/{conversation_id}."""
    return WholeReply.json(conversation_of(call, call.ids[0]).conversation)


def update(call: Call) -> WholeReply:
    """POST /conversations/{conversation_id}: only the metadata can be changed."""
    kept = conversation_of(call, call.ids[0])
    body = call.body()
    if "metadata" not in body:
        raise missing("metadata")
    check_metadata(body["metadata"])
    kept.conversation["metadata"] = body["metadata"] or {}
    return WholeReply.json(kept.conversation)


def delete(call: Call) -> WholeReply:
    """DELETE /conversations/{conversation_id}."""
    conversation_of(call, call.ids[0])
    call.state.conversations.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "conversation.deleted", "deleted": True})


def create_items(call: Call) -> WholeReply:
    """POST /conversations/{conversation_id}/items: up to 20 at once."""
    kept = conversation_of(call, call.ids[0])
    body = call.body()
    check(body, _PARAMS, ("items",))
    added = _add_items(call, kept, body)
    ids = [item["id"] for item in added] or [""]
    return WholeReply.json({"object": "list", "data": added, "first_id": ids[0], "last_id": ids[-1], "has_more": False})


def retrieve_item(call: Call) -> WholeReply:
    """GET /conversations/{conversation_id}/items/{item_id}."""
    return WholeReply.json(stored(conversation_of(call, call.ids[0]).items, call.ids[1], "item in this conversation"))


def list_items(call: Call) -> WholeReply:
    """GET /conversations/{conversation_id}/items: the newest first."""
    return page(conversation_of(call, call.ids[0]).items.values(), call.request.query, order="desc")


def delete_item(call: Call) -> WholeReply:
    """DELETE /conversations/{conversation_id}/items/{item_id}: replies with the conversation."""
    kept = conversation_of(call, call.ids[0])
    stored(kept.items, call.ids[1], "item in this conversation")
    kept.items.pop(call.ids[1])
    return WholeReply.json(kept.conversation)


def conversation_of(call: Call, identity: str) -> StoredConversation:
    """Returns the conversation with this id. Raises `ApiError` 404."""
    return stored(call.state.conversations, identity, "conversation")


def _add_items(call: Call, kept: StoredConversation, body: Object) -> list[Object]:
    given: list[Object] = body.get("items") or []
    if len(given) > _MAX_ITEMS:
        message = f"Invalid 'items': expected at most {_MAX_ITEMS} items, but got {len(given)} instead."
        raise ApiError(400, message, param="items", code="array_above_max_length")
    added = as_items(call, given, "items")
    for item in added:
        kept.items.put(item["id"], item)
    return added
