from __future__ import annotations

from typing import Any

import pytest

from tests.testing.http import Api

BASE = {"model": "gpt-3.5-turbo-instruct", "prompt": "hi there"}


async def create(api: Api, **params: Any) -> Any:
    return await api.ok("POST", "/completions", {**BASE, **params})


async def test_create(api: Api) -> None:
    reply = await create(api)
    assert reply["object"] == "text_completion"
    assert reply["choices"] == [
        {"text": "You said: hi there", "index": 0, "logprobs": None, "finish_reason": "stop"},
    ]
    assert reply["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}


async def test_sixteen_tokens_by_default(api: Api) -> None:
    api.server.answer = "word " * 40
    choice = (await create(api))["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (" ".join(["word"] * 16), "length")
    assert (await create(api, max_tokens=2))["choices"][0]["text"] == "word word"
    assert (await create(api, max_tokens=0))["choices"][0]["text"] == ""


@pytest.mark.parametrize(
    ("prompt", "texts", "tokens"),
    [
        (None, ["Hello! How can I help you today?"], 0),
        (["a", "b"], ["You said: a", "You said: b"], 2),
        ([1, 2], ["You said: <1><2>"], 2),
        ([[1], [2, 3]], ["You said: <1>", "You said: <2><3>"], 3),
    ],
)
async def test_prompts(api: Api, prompt: Any, texts: list[str], tokens: int) -> None:
    reply = await create(api, prompt=prompt)
    assert [choice["text"] for choice in reply["choices"]] == texts
    assert [choice["index"] for choice in reply["choices"]] == list(range(len(texts)))
    assert reply["usage"]["prompt_tokens"] == tokens


async def test_options(api: Api) -> None:
    reply = await create(api, prompt=["a", "b"], n=2, best_of=2, stop=[":"], echo=True)
    assert [choice["text"] for choice in reply["choices"]] == ["aYou said", "aYou said", "bYou said", "bYou said"]
    logprobs = (await create(api, logprobs=2))["choices"][0]["logprobs"]
    assert "".join(logprobs["tokens"]) == "You said: hi there"
    assert logprobs["text_offset"] == [0, 3, 8, 9, 12]
    assert [len(top) for top in logprobs["top_logprobs"]] == [2] * 5
    assert logprobs["top_logprobs"][0]["You"] == logprobs["token_logprobs"][0]


async def test_stream(api: Api) -> None:
    whole = await create(api, prompt=["a", "b"], logprobs=1)
    params = {"prompt": ["a", "b"], "logprobs": 1, "stream": True, "stream_options": {"include_usage": True}}
    events = (await api("POST", "/completions", {**BASE, **params})).events()
    assert events[-1] == "[DONE]"
    assert events[-2]["usage"] == whole["usage"]
    chunks = [event["choices"][0] for event in events[:-2]]
    for choice in whole["choices"]:
        mine = [chunk for chunk in chunks if chunk["index"] == choice["index"]]
        assert "".join(chunk["text"] for chunk in mine) == choice["text"]
        assert [chunk["finish_reason"] for chunk in mine] == [None] * (len(mine) - 1) + ["stop"]
        offsets = [chunk["logprobs"]["text_offset"][0] for chunk in mine[:-1]]
        assert offsets == choice["logprobs"]["text_offset"]


@pytest.mark.parametrize(
    ("params", "status", "param"),
    [
        ({"model": None}, 400, "model"),
        ({"model": "none"}, 404, "model"),
        ({"prompt": 5}, 400, "prompt"),
        ({"prompt": []}, 400, "prompt"),
        ({"prompt": [1, "a"]}, 400, "prompt[0]"),
        ({"prompt": [[1], ["a"]]}, 400, "prompt[1]"),
        ({"n": 3, "best_of": 2}, 400, "best_of"),
        ({"logprobs": 6}, 400, "logprobs"),
    ],
)
async def test_bad_input(api: Api, params: dict[str, Any], status: int, param: str) -> None:
    assert (await api.fails(status, "POST", "/completions", {**BASE, **params}))["param"] == param
