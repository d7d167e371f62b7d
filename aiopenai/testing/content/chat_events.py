"""The events of a streamed chat completion, made from the whole one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from aiopenai.testing.content.text import tokenize
from aiopenai.testing.engine.replies import DONE, data_event
from aiopenai.testing.engine.values import Object

__all__ = ["chat_events"]


def chat_events(completion: Object, *, include_usage: bool) -> Iterator[bytes]:
    """Yields the server-sent events of a completion. Choices alternate, and each event has one token."""
    base: Object = {
        "id": completion["id"],
        "object": "chat.completion.chunk",
        "created": completion["created"],
        "model": completion["model"],
        "service_tier": completion["service_tier"],
        "system_fingerprint": completion["system_fingerprint"],
    }
    closing: Object = {"usage": None} if include_usage else {}
    streams = [_choice_chunks(choice) for choice in completion["choices"]]
    for turn in zip_longest(*streams):
        for choice in turn:
            if choice is not None:
                yield data_event({**base, "choices": [choice], **closing})
    if include_usage:
        yield data_event({**base, "choices": [], "usage": completion["usage"]})
    yield DONE


def _choice_chunks(choice: Object) -> Iterator[Object]:
    index: int = choice["index"]
    message: Object = choice["message"]
    logprobs: list[Object] | None = choice["logprobs"] and choice["logprobs"]["content"]

    def chunk(delta: Object, position: int | None = None) -> Object:
        scores: Object | None = None
        if logprobs is not None and position is not None:
            scores = {"content": logprobs[position : position + 1], "refusal": None}
        return {"index": index, "delta": delta, "logprobs": scores, "finish_reason": None}

    if (function := message.get("function_call")) is not None:
        first = {"role": "assistant", "content": None, "function_call": {"name": function["name"], "arguments": ""}}
        yield chunk({**first, "refusal": None})
        for token in tokenize(function["arguments"]):
            yield chunk({"function_call": {"arguments": token}})
    elif (calls := message.get("tool_calls")) is not None:
        for number, tool_call in enumerate(calls):
            kind: str = tool_call["type"]
            field = "input" if kind == "custom" else "arguments"
            inner: Object = tool_call[kind]
            opening = {"index": number, "id": tool_call["id"], "type": kind, kind: {"name": inner["name"], field: ""}}
            lead: Object = {} if number else {"role": "assistant", "content": None, "refusal": None}
            yield chunk({**lead, "tool_calls": [opening]})
            for token in tokenize(inner[field]):
                yield chunk({"tool_calls": [{"index": number, kind: {field: token}}]})
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for position, token in enumerate(tokenize(message["content"])):
            yield chunk({"content": token}, position)
    yield {"index": index, "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}
