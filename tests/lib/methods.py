"""Replies to `parse`."""

from __future__ import annotations

import json
from typing import Any


def completion(*messages: dict[str, Any], finish: str = "stop", **more: Any) -> bytes:
    """A chat reply with these messages, one a choice."""
    choices = [
        {"index": index, "finish_reason": finish, "logprobs": None, "message": {"role": "assistant", **message}}
        for index, message in enumerate(messages)
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "usage": usage}
    return json.dumps({**head, "choices": choices, **more}).encode()


def said(text: str | None, refusal: str | None = None) -> dict[str, Any]:
    """A chat message of text."""
    return {"content": text, "refusal": refusal}


def called(*calls: tuple[str, str]) -> dict[str, Any]:
    """A chat message of tool calls: names and arguments."""
    tool_calls = [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(calls)
    ]
    return {"content": None, "refusal": None, "tool_calls": tool_calls}


def message(*texts: str, **more: Any) -> dict[str, Any]:
    """An output item of the responses API."""
    content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content, **more}


def call(name: str, arguments: str, **more: Any) -> dict[str, Any]:
    """A call of a tool, as an output item of the responses API."""
    return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": arguments, **more}


def response(*output: dict[str, Any], **more: Any) -> bytes:
    """A reply of the responses API."""
    head: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1.0,
        "model": "gpt-4o",
        "status": "completed",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    return json.dumps({**head, "output": output, **more}).encode()
