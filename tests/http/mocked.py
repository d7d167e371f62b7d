"""The replies of mocks of HTTP libraries: a chat completion as a whole and as events."""

from __future__ import annotations

import json

COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "mocked"}}],
}
CHUNK = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "mocked"}, "finish_reason": "stop"}],
}
EVENTS = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n"
