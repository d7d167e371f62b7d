"""The server's prepared answers, and the questions to which they are given."""

from __future__ import annotations

import json
from typing import Any, Final

STREAM_CHUNKS: Final = 1_000

MODEL: Final = "gpt-4o"
MESSAGES: Final[list[dict[str, str]]] = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "How are you today? " * 10},
]
TEMPERATURE: Final = 0.5

CHAT_TEXT: Final = "Hello! " * 40

_HEAD: Final[dict[str, Any]] = {
    "id": "chatcmpl-abc123",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}


def question(*, stream: bool = False) -> dict[str, Any]:
    """The body that every client sends, as a new dict."""
    body: dict[str, Any] = {"model": MODEL, "messages": MESSAGES, "temperature": TEMPERATURE}
    if stream:
        body["stream"] = True
    return body


def chat_completion() -> dict[str, Any]:
    """A whole chat completion with every field that the API sends for a plain answer."""
    return {
        **_HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": CHAT_TEXT, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 63,
            "completion_tokens": 80,
            "total_tokens": 143,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def chunk(index: int) -> dict[str, Any]:
    """Chunk `index` of the stream; the last one carries the finish and no text."""
    last = index == STREAM_CHUNKS - 1
    return {
        **_HEAD,
        "object": "chat.completion.chunk",
        "choices": [
            {
                "index": 0,
                "delta": {} if last else {"content": f" tok{index}"},
                "logprobs": None,
                "finish_reason": "stop" if last else None,
            }
        ],
        "usage": None,
    }


STREAM_CHARACTERS: Final = sum(len(f" tok{index}") for index in range(STREAM_CHUNKS - 1))


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _framed(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nx-request-id: req_1\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def chat_answer() -> bytes:
    """The chat completion as a complete HTTP response."""
    return _framed("200 OK", _compact(chat_completion()))


def stream_answer() -> bytes:
    """The stream as a complete HTTP response: each event is an HTTP chunk of its own, as the API sends them."""
    events = [b"data: " + _compact(chunk(index)) + b"\n\n" for index in range(STREAM_CHUNKS)]
    events.append(b"data: [DONE]\n\n")
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"x-request-id: req_1\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"


def error_answer(status: str, message: str) -> bytes:
    """An error of the API's shape as a complete HTTP response."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return _framed(status, _compact({"error": error}))
