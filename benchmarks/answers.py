"""The request bodies, the prepared answers of the server, and the values that a client must read from each answer.

The name of the model selects special behaviour of the server (`SLOW`, `HELD` ...): every client can set a model, and
not every client can set a header.
"""

from __future__ import annotations

import base64
import functools
import json
import random
from array import array
from typing import Any, Final

MODEL: Final = "gpt-4o"
# The server answers after SLOW_SECONDS.
SLOW: Final = "bench-slow"
SLOW_SECONDS: Final = 0.05
# The server answers after GET /release (server.py).
HELD: Final = "bench-held"
# The server sends one event of the stream every PACE_SECONDS.
PACED: Final = "bench-paced"
PACE_SECONDS: Final = 0.05
PACED_CHUNKS: Final = 30
# An answer with the log probabilities of LOGPROBS tokens.
LONG: Final = "bench-long"
# REFUSED gets status 400; BROKEN gets half an answer or stream, then a closed connection.
REFUSED: Final = "bench-refused"
BROKEN: Final = "bench-broken"

STREAM_CHUNKS: Final = 1_000
SOCKET_EVENTS: Final = 1_000
APPENDS: Final = 1_000
# The calls of an agent, and the time that the server takes to load a context which a connection has not got.
AGENT_CALLS: Final = 20
CONTEXT_SECONDS: Final = 0.03
# 20 ms of PCM audio: 24,000 samples of two bytes per second.
AUDIO: Final = base64.b64encode(random.Random(4).randbytes(960)).decode()
VECTORS: Final = 64
DIMENSIONS: Final = 1_536
OUTPUT_ITEMS: Final = 20
FILES: Final = 100
LOGPROBS: Final = 32_000
IMAGES: Final = 3
IMAGE_BYTES: Final = 8 * 1024 * 1024

MESSAGES: Final[list[dict[str, str]]] = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "How are you today? " * 10},
]
TEMPERATURE: Final = 0.5
INPUTS: Final = [f"text number {number}" for number in range(VECTORS)]

CHAT_TEXT: Final = "Hello! " * 40


def _token(index: int) -> str:
    return f" tok{index}"


def characters(chunks: int) -> int:
    """Returns the number of characters in a stream of `chunks` chunks; the last chunk has no text."""
    return sum(len(_token(index)) for index in range(chunks - 1))


def expected(operation: str, model: str) -> object:
    """Returns the correct result of an operation (see `clients.Client`)."""
    if operation in ("chat", "upload"):
        return CHAT_TEXT
    if operation == "socket_appends":
        return APPENDS
    if operation == "socket_events" and model == SLOW:
        return characters(1)
    if operation in ("stream", "socket_events"):
        return characters(PACED_CHUNKS if model == PACED else STREAM_CHUNKS)
    if operation == "agent_loop":
        return AGENT_CALLS
    return {"respond": OUTPUT_ITEMS, "list_files": FILES, "logprobs": LOGPROBS}.get(operation, VECTORS * DIMENSIONS)


# Requests


def question(model: str = MODEL, *, stream: bool = False) -> dict[str, Any]:
    """Returns the body of a chat call as a new dict."""
    body: dict[str, Any] = {"model": model, "messages": MESSAGES, "temperature": TEMPERATURE}
    if stream:
        body["stream"] = True
    return body


@functools.cache
def images() -> list[dict[str, Any]]:
    """Returns messages with 24 MB of images as base64."""
    image = base64.b64encode(random.Random(1).randbytes(IMAGE_BYTES // 4 * 3)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, *[part] * IMAGES]}]


# Answers


_HEAD: Final[dict[str, Any]] = {
    "id": "chatcmpl-abc123",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "system_fingerprint": "fp_0123456789",
}


def chat_completion(logprobs: int = 0) -> dict[str, Any]:
    """Returns a whole chat completion with every field that the API sends for a plain answer."""
    tokens = [
        {"token": _token(index), "logprob": -index / 7_919, "bytes": list(_token(index).encode()), "top_logprobs": []}
        for index in range(logprobs)
    ]
    return {
        **_HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": CHAT_TEXT, "refusal": None, "annotations": []},
                "logprobs": {"content": tokens, "refusal": None} if tokens else None,
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


def chunk(index: int, chunks: int = STREAM_CHUNKS) -> dict[str, Any]:
    """Returns chunk `index` of a stream of `chunks`; the last one has a finish reason and no text."""
    last = index == chunks - 1
    return {
        **_HEAD,
        "object": "chat.completion.chunk",
        "choices": [
            {
                "index": 0,
                "delta": {} if last else {"content": _token(index)},
                "logprobs": None,
                "finish_reason": "stop" if last else None,
            }
        ],
        "usage": None,
    }


@functools.cache
def vectors() -> list[list[float]]:
    """Returns the embeddings, with as many decimals as the API sends."""
    numbers = random.Random(2)
    return [[round(numbers.uniform(-0.1, 0.1), 9) for _ in range(DIMENSIONS)] for _ in range(VECTORS)]


def embeddings(*, as_base64: bool) -> dict[str, Any]:
    """Returns the reply of POST /embeddings in either encoding."""
    data: list[dict[str, Any]] = []
    for index, vector in enumerate(vectors()):
        value = base64.b64encode(array("f", vector).tobytes()).decode() if as_base64 else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    usage = {"prompt_tokens": 256, "total_tokens": 256}
    return {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}


def _output_item(index: int) -> dict[str, Any]:
    kind = index % 4
    if kind == 0:
        summary = [{"type": "summary_text", "text": "I look at the question again. " * 4}]
        return {"id": f"rs_{index}", "type": "reasoning", "summary": summary}
    if kind == 1:
        arguments = json.dumps({"city": "Paris", "unit": "celsius", "days": index})
        return {
            "id": f"fc_{index}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{index}",
            "name": "get_weather",
            "arguments": arguments,
        }
    if kind == 2:
        action = {"type": "search", "query": "weather in Paris"}
        return {"id": f"ws_{index}", "type": "web_search_call", "status": "completed", "action": action}
    citation = {
        "type": "url_citation",
        "start_index": 0,
        "end_index": 12,
        "url": "https://example.com/weather",
        "title": "The weather",
    }
    text = {"type": "output_text", "text": CHAT_TEXT, "annotations": [citation] * 2, "logprobs": []}
    return {"id": f"msg_{index}", "type": "message", "status": "completed", "role": "assistant", "content": [text]}


def response() -> dict[str, Any]:
    """Returns the reply of POST /responses, with OUTPUT_ITEMS items of four kinds."""
    return {
        "id": "resp_abc123",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "gpt-4o-2024-08-06",
        "output": [_output_item(index) for index in range(OUTPUT_ITEMS)],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": TEMPERATURE,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 63,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 800,
            "output_tokens_details": {"reasoning_tokens": 200},
            "total_tokens": 863,
        },
        "user": None,
        "metadata": {},
    }


def files() -> dict[str, Any]:
    """Returns the reply of GET /files: the only page."""
    data = [
        {
            "id": f"file-{index:08}",
            "object": "file",
            "bytes": 120_000 + index,
            "created_at": 1_700_000_000 + index,
            "expires_at": None,
            "filename": f"batch-{index}.jsonl",
            "purpose": "batch",
            "status": "processed",
            "status_details": None,
        }
        for index in range(FILES)
    ]
    return {"object": "list", "data": data, "first_id": data[0]["id"], "last_id": data[-1]["id"], "has_more": False}


# Events of sockets


def text_delta(index: int) -> dict[str, Any]:
    """Returns event `index` of a realtime response."""
    return {
        "type": "response.output_text.delta",
        "event_id": f"event_{index:020}",
        "response_id": "resp_0123456789abcdef",
        "item_id": "item_0123456789abcdef",
        "output_index": 0,
        "content_index": 0,
        "delta": _token(index),
    }


def response_done(index: int) -> dict[str, Any]:
    """Returns the last event of a realtime response."""
    usage = {"total_tokens": 143, "input_tokens": 63, "output_tokens": 80}
    response = {
        "object": "realtime.response",
        "id": "resp_0123456789abcdef",
        "status": "completed",
        "output": [],
        "usage": usage,
    }
    return {"type": "response.done", "event_id": f"event_{index:020}", "response": response}


def committed(appends: int) -> dict[str, Any]:
    """Returns the event after a commit of audio. The id of its item is the number of appends."""
    event_id = f"event_{appends:020}"
    return {
        "type": "input_audio_buffer.committed",
        "event_id": event_id,
        "previous_item_id": None,
        "item_id": str(appends),
    }


def response_frames() -> bytes:
    """Returns a whole response as the frames of two events."""
    whole = response()
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    return frame({"type": "response.created", "sequence_number": 0, "response": begun}) + frame(
        {"type": "response.completed", "sequence_number": 1, "response": whole}
    )


@functools.cache
def socket_frames(events: int = SOCKET_EVENTS) -> tuple[bytes, ...]:
    """Returns a realtime response as frames: the last of `events` events ends it."""
    deltas = [text_delta(index) for index in range(events - 1)]
    return tuple(frame(event) for event in (*deltas, response_done(events)))


def frame(event: dict[str, Any]) -> bytes:
    """Returns an event as a text frame of a server (RFC 6455, section 5.2)."""
    payload = _compact(event)
    size = len(payload)
    return (bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


# On the wire


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def answer(value: object, status: str = "200 OK") -> bytes:
    """Returns a JSON value as a complete HTTP response."""
    body = _compact(value)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nx-request-id: req_1\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def error(status: str, message: str) -> bytes:
    """Returns an error in the form of the API as a complete HTTP response."""
    shape = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return answer({"error": shape}, status)


def stream_pieces(chunks: int = STREAM_CHUNKS) -> list[bytes]:
    """Returns a stream as pieces of an HTTP response: the head, one HTTP chunk per event as in the API, the end."""
    events = [b"data: " + _compact(chunk(index, chunks)) + b"\n\n" for index in range(chunks)]
    events.append(b"data: [DONE]\n\n")
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"x-request-id: req_1\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return [head, *(b"%x\r\n%b\r\n" % (len(event), event) for event in events), b"0\r\n\r\n"]
