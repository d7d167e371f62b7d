"""The endpoint `/completions`, the older one for plain prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiopenai.testing.content.text import alternatives, count_tokens, cut, token_logprob, tokenize
from aiopenai.testing.endpoints.chat import FINGERPRINT
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    check,
    check_model,
    wrong_type,
)
from aiopenai.testing.engine.replies import DONE, ApiError, EventReply, Outcome, WholeReply, data_event
from aiopenai.testing.engine.values import Object, is_array, section

__all__ = ["create"]

# The default of the endpoint; chat has none.
_MAX_TOKENS = 16

_PARAMS = {
    "model": STRING,
    "prompt": STRING | ARRAY,
    "best_of": INTEGER.within(0, 20),
    "echo": BOOLEAN,
    "frequency_penalty": NUMBER.within(-2, 2),
    "logit_bias": OBJECT,
    "logprobs": INTEGER.within(0, 5),
    "max_tokens": INTEGER.within(0),
    "n": INTEGER.within(1, 128),
    "presence_penalty": NUMBER.within(-2, 2),
    "seed": INTEGER,
    "stop": STRING | ARRAY,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "suffix": STRING,
    "temperature": NUMBER.within(0, 2),
    "top_p": NUMBER.within(0, 1),
    "user": STRING,
}


def create(call: Call) -> Outcome:
    """POST /completions."""
    body = call.body()
    check(body, _PARAMS, ("model",))
    check_model(body["model"], call.state)
    count: int = body.get("n") or 1
    if body.get("best_of") is not None and body["best_of"] < count:
        raise ApiError(400, "'best_of' must be at least as large as 'n'.", param="best_of", code="invalid_value")
    limit: int = _MAX_TOKENS if body.get("max_tokens") is None else body["max_tokens"]
    choices: list[Object] = []
    prompt_tokens = completion_tokens = 0
    for prompt, size in _prompts(body.get("prompt")):
        prompt_tokens += size
        for number in range(count):
            text = call.state.reply_text(prompt) + (f" (choice {number + 1})" if number else "")
            tokens, reason = cut(text, body.get("stop"), limit)
            completion_tokens += len(tokens)
            if body.get("echo"):
                tokens = [*tokenize(prompt), *tokens]
            choices.append(
                {
                    "text": "".join(tokens),
                    "index": len(choices),
                    "logprobs": None if body.get("logprobs") is None else _token_scores(tokens, body["logprobs"], 0),
                    "finish_reason": reason,
                }
            )
    completion: Object = {
        "id": call.state.new_id("cmpl-"),
        "object": "text_completion",
        "created": call.now(),
        "model": body["model"],
        "system_fingerprint": FINGERPRINT,
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    if body.get("stream"):
        options = section(body, "stream_options")
        blocks = _completion_events(
            completion, body.get("logprobs"), include_usage=options.get("include_usage") is True
        )
        return EventReply(blocks, tokens=prompt_tokens + completion_tokens)
    return WholeReply.json(completion, tokens=prompt_tokens + completion_tokens)


def _prompts(prompt: object) -> list[tuple[str, int]]:
    """Returns every prompt as text with its number of tokens. Token ids have no text here, and become `<id>`."""
    if prompt is None:
        return [("", 0)]
    if type(prompt) is str:
        return [(prompt, count_tokens(prompt))]
    if not is_array(prompt) or not prompt:
        raise wrong_type("prompt", "one of a string or a non-empty array", prompt)
    if all(type(item) is str for item in prompt):
        return [(item, count_tokens(item)) for item in prompt]
    if all(type(item) is int for item in prompt):
        prompt = [prompt]
    found: list[tuple[str, int]] = []
    for number, item in enumerate(prompt):
        if not is_array(item) or not all(type(token) is int for token in item):
            raise wrong_type(f"prompt[{number}]", "an array of integers", item)
        found.append(("".join(f"<{token}>" for token in item), len(item)))
    return found


def _token_scores(tokens: list[str], top: int, offset: int) -> Object:
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token)
    scores = [token_logprob(token) for token in tokens]
    ranked: list[dict[str, float]] = [
        {other: score - 2.0 * rank for rank, other in enumerate(alternatives(token, top))}
        for token, score in zip(tokens, scores, strict=True)
    ]
    return {"tokens": tokens, "token_logprobs": scores, "top_logprobs": ranked, "text_offset": offsets}


def _completion_events(completion: Object, logprobs: int | None, *, include_usage: bool) -> Iterator[bytes]:
    base = {name: value for name, value in completion.items() if name not in ("choices", "usage")}
    closing: Object = {"usage": None} if include_usage else {}

    def chunk(choice: Object, text: str, scores: Any, reason: str | None) -> bytes:
        part = {"text": text, "index": choice["index"], "logprobs": scores, "finish_reason": reason}
        return data_event({**base, "choices": [part], **closing})

    for choice in completion["choices"]:
        offset = 0
        for token in tokenize(choice["text"]):
            yield chunk(choice, token, None if logprobs is None else _token_scores([token], logprobs, offset), None)
            offset += len(token)
        yield chunk(choice, "", None, choice["finish_reason"])
    if include_usage:
        yield data_event({**base, "choices": [], "usage": completion["usage"]})
    yield DONE
