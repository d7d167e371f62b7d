"""Replies and short cuts that the tests of this room share."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

from aiopenai._data.codec import Decoder, encode


def chunk(content: Any, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content, "reasoning": f"{content}!"}, "finish_reason": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice], **more}).encode()


BIG = json.dumps(
    {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": at, "delta": {"content": "a", "more": at}, "finish_reason": None} for at in range(9_000)],
    }
).encode()


def sent(body: Any, *replay: str) -> Any:
    return json.loads(encode(body, replay))


REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "I should look.",
                "reasoning_details": [{"type": "reasoning.text", "text": "I should look.", "signature": None}],
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                        "extra_content": {"google": {"thought_signature": "abc"}},
                    }
                ],
            },
        }
    ],
}


OUTPUT = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", "status": None},
    {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
    {"type": "a_new_kind", "id": "n_1", "payload": {"a": None}},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}],
    },
]


CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1730000000,
    "model": "m",
    "system_fingerprint": None,
    "provider": {"name": "x", "regions": [{"id": 1, "zone": None}, {"id": 2}]},
    "choices": [
        {
            "index": index,
            "finish_reason": "tool_calls",
            "logprobs": None,
            "native_finish_reason": "STOP",
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}", "n": index}}
                ],
            },
        }
        for index in range(3)
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "queue_time": 0.5},
}


def decode(kind: Any, value: Any) -> Any:
    return Decoder.of(kind)(json.dumps(value).encode())


def kept(make: Callable[[], bytes], kind: Any, use: Callable[[Any], object]) -> tuple[int, Any]:
    """The bytes that a reply holds after the client has dropped the document, before or after its use: the larger."""
    raw = make()
    decoder = Decoder.of(kind)
    decoder(raw)
    unkept = sys.getrefcount(raw)
    tracemalloc.start()
    try:
        reply = decoder(raw)
        held, _ = tracemalloc.get_traced_memory()
        # The bytes were there before: they count if the reply keeps them.
        held += len(raw) * (sys.getrefcount(raw) > unkept)
        use(reply)
        more, _ = tracemalloc.get_traced_memory()
        more += len(raw) * (sys.getrefcount(raw) > unkept)
        return max(held, more), reply
    finally:
        tracemalloc.stop()
