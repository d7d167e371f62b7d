"""The items of responses and conversations."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.pictures import seen
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import missing, wrong_type
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, is_array, is_object

__all__ = ["as_items"]

_PREFIXES = {
    "compaction": "cmp_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "reasoning": "rs_",
}


def as_items(call: Call, given: object, where: str = "input") -> list[Object]:
    """Returns input items as the API keeps them: each has its type and an id, and contents are lists of parts.

    where: the parameter that holds them. Raises `ApiError` 400 for a value that is no item.
    """
    if given is None:
        return []
    if type(given) is str:
        given = [{"role": "user", "content": given}]
    items: list[Object] = []
    found: list[Any] = given if is_array(given) else []
    for number, item in enumerate(found):
        if not is_object(item):
            raise wrong_type(f"{where}[{number}]", "an object", item)
        kind = item.get("type")
        if kind is None and "id" in item and "role" not in item:
            kind = "item_reference"
        if kind is None or kind == "message":
            items.append(_message(call, item, f"{where}[{number}]"))
        else:
            items.append(
                {**item, "type": kind, "id": item.get("id") or call.state.new_id(_PREFIXES.get(kind, "item_"))}
            )
            if kind in ("function_call", "function_call_output"):
                items[-1].setdefault("status", "completed")
    return items


def _message(call: Call, item: Object, where: str) -> Object:
    role = item.get("role")
    if role is None:
        raise missing(f"{where}.role")
    if role not in ("user", "assistant", "system", "developer"):
        text = f"Invalid value: '{role}'. Supported values are: 'assistant', 'system', 'developer', and 'user'."
        raise ApiError(400, text, param=f"{where}.role", code="invalid_value")
    content: Any = item.get("content")
    if type(content) is str:
        if role == "assistant":
            content = [{"type": "output_text", "text": content, "annotations": [], "logprobs": []}]
        else:
            content = [{"type": "input_text", "text": content}]
    elif not is_array(content):
        raise wrong_type(f"{where}.content", "one of a string or an array of objects", content)
    # Raises for an image that the API refuses.
    seen(content, f"{where}.content")
    return {
        **item,
        "id": item.get("id") or call.state.new_id("msg_"),
        "type": "message",
        "status": item.get("status") or "completed",
        "role": role,
        "content": content,
    }
