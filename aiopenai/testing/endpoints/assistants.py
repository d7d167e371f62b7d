"""The endpoints `/assistants`."""

from __future__ import annotations

from aiopenai.testing.content.answers import format_of
from aiopenai.testing.content.tools import named_tools
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import ARRAY, NUMBER, OBJECT, STRING, check, check_metadata, check_model, stored
from aiopenai.testing.engine.replies import WholeReply
from aiopenai.testing.engine.values import Object, is_object

__all__ = ["create", "delete", "list_", "retrieve", "update"]

_PARAMS = {
    "description": STRING,
    "instructions": STRING,
    "metadata": OBJECT,
    "model": STRING,
    "name": STRING,
    "reasoning_effort": STRING,
    "response_format": STRING | OBJECT,
    "temperature": NUMBER.within(0, 2),
    "tool_resources": OBJECT,
    "tools": ARRAY,
    "top_p": NUMBER.within(0, 1),
}
_ASSISTANT_DEFAULTS: Object = {
    "name": None,
    "description": None,
    "instructions": None,
    "tools": [],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "response_format": "auto",
}


def create(call: Call) -> WholeReply:
    """POST /assistants."""
    body = call.body()
    check(body, _PARAMS, ("model",))
    assistant: Object = {
        "id": call.state.new_id("asst_"),
        "object": "assistant",
        "created_at": call.now(),
        **_ASSISTANT_DEFAULTS,
    }
    _apply(call, assistant, body)
    call.state.assistants.put(assistant["id"], assistant)
    return WholeReply.json(assistant)


def retrieve(call: Call) -> WholeReply:
    """GET /assistants/{assistant_id}."""
    return WholeReply.json(stored(call.state.assistants, call.ids[0], "assistant"))


def update(call: Call) -> WholeReply:
    """POST /assistants/{assistant_id}."""
    assistant = stored(call.state.assistants, call.ids[0], "assistant")
    body = call.body()
    check(body, _PARAMS)
    _apply(call, assistant, body)
    return WholeReply.json(assistant)


def list_(call: Call) -> WholeReply:
    """GET /assistants: the newest first."""
    return page(call.state.assistants.values(), call.request.query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /assistants/{assistant_id}."""
    stored(call.state.assistants, call.ids[0], "assistant")
    call.state.assistants.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "assistant.deleted", "deleted": True})


def _apply(call: Call, assistant: Object, body: Object) -> None:
    check_metadata(body.get("metadata"))
    named_tools(body.get("tools"), nested=True, hosted=True)
    if is_object(wanted := body.get("response_format")):
        format_of(wanted, "response_format", nested=True)
    if body.get("model") is not None:
        check_model(body["model"], call.state)
        assistant["model"] = body["model"]
    for name, default in _ASSISTANT_DEFAULTS.items():
        if name in body:
            assistant[name] = default if body[name] is None else body[name]
