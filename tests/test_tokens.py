"""aiopenai.tokens: the counting rules, with small encodings made here; what is said where one is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAIError
from aiopenai.testing import Server
from aiopenai.tokens import PER_MESSAGE, PER_NAME, PRIMING, count


class Letters:
    """A token for each character, so that counts can be read off."""

    def encode_ordinary(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]


def letters(messages: Any) -> int:
    return count(messages, "gpt-4o", encoding=Letters())


def test_a_text_is_its_tokens() -> None:
    assert letters("hello") == 5
    assert letters("") == 0


def test_messages_cost_more_than_their_texts() -> None:
    assert (PER_MESSAGE, PER_NAME, PRIMING) == (3, 1, 3)
    assert letters([]) == 3
    assert letters([{"role": "user", "content": "hello"}]) == 3 + (3 + 4 + 5)
    assert letters([{"role": "user", "content": "hello", "name": "ann"}]) == 3 + (3 + 4 + 5 + 3 + 1)
    assert letters(iter([{"role": "user", "content": ""}, {"role": "assistant", "content": "hi"}])) == 3 + 7 + 14


def test_parts_of_text_are_counted() -> None:
    parts = [
        {"type": "text", "text": "hello"},
        {"type": "refusal", "refusal": "no"},
        {"type": "input_text", "text": "a"},
    ]
    assert letters([{"role": "user", "content": parts}]) == 3 + (3 + 4 + 5 + 2 + 1)
    assert letters([{"role": "user", "content": iter(parts)}]) == 3 + (3 + 4 + 5 + 2 + 1)


def test_calls_and_their_results_are_counted_by_their_texts() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "ls"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call, custom]}
    answered = {"role": "tool", "tool_call_id": "call_1", "content": "4"}
    assert letters([asked]) == 3 + (3 + 9 + 3 + 7 + 3 + 2)
    assert letters([answered]) == 3 + (3 + 4 + 6 + 1)
    assert letters([{"role": "assistant", "function_call": call["function"]}]) == 3 + (3 + 9 + 3 + 7)


async def test_messages_of_replies() -> None:
    async with Server() as server, AsyncOpenAI(api_key="sk-test", base_url=server.base_url) as client:
        reply = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    message = reply.choices[0].message
    assert message.content
    assert letters([message]) == 3 + (3 + len("assistant") + len(message.content))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": [{"type": "image_url", "image_url": {"url": "secret"}}]}, "image_url"),
        ({"content": [{"type": "text", "text": 7}]}, "'text'"),
        ({"content": ["hello"]}, "None"),
        ({"content": {"text": "hello"}}, "'content'"),
        ({"content": 7}, "'content'"),
        ({"audio": {"id": "audio_1"}}, "'audio'"),
        ({"tool_calls": [{"type": "function"}]}, "'tool_calls'"),
        ({"tool_calls": [None]}, "'tool_calls'"),
        ({"tool_calls": 7}, "'tool_calls'"),
    ],
)
def test_what_cannot_be_counted_is_named(message: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"messages\[1\]") as caught:
        letters([{"role": "user", "content": "hi"}, {"role": "user", **message}])
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("messages", [["hello"], {"role": "user", "content": "hello"}, [None]])
def test_what_is_no_message(messages: Any) -> None:
    with pytest.raises(TypeError, match=r"messages\[0\]"):
        letters(messages)


def test_without_tiktoken_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(OpenAIError, match=r"aiopenai\[tokens\]") as caught:
        count("hello", "gpt-4o")
    assert isinstance(caught.value.__cause__, ImportError)


# With tiktoken, which never gets to its network here.


@pytest.fixture
def tiktoken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """tiktoken with one small vocabulary in the place of the large ones; the others cannot be loaded."""
    found: Any = pytest.importorskip("tiktoken", reason="the extra `tokens` is not installed")
    import tiktoken.registry as registry

    ranks = {bytes([byte]): byte for byte in range(256)} | {b"he": 256, b"ll": 257, b"hell": 258}
    small = found.Encoding(
        "o200k_base", pat_str=r"\w+|\W", mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 300}
    )

    def unreachable() -> dict[str, Any]:
        raise ConnectionError("no route to a host with a long name")

    monkeypatch.setattr(registry, "ENCODINGS", {"o200k_base": small})
    monkeypatch.setattr(registry, "ENCODING_CONSTRUCTORS", {"cl100k_base": unreachable})
    return found


def test_the_models_encoding(tiktoken: Any) -> None:
    assert count("hello", "gpt-4o") == 2
    assert count("hello", "ft:gpt-4o:org::1") == 2
    assert count([{"role": "user", "content": "hello"}], "gpt-4o") == 3 + (3 + 4 + 2)
    assert count("hello", "somebodys-own", encoding="o200k_base") == 2
    assert count("hello", "somebodys-own", encoding=tiktoken.get_encoding("o200k_base")) == 2


def test_text_that_looks_like_a_special_token_is_text(tiktoken: Any) -> None:
    assert count("<|endoftext|>", "gpt-4o") == 13


def test_a_model_that_nobody_knows(tiktoken: Any) -> None:
    with pytest.raises(OpenAIError, match="somebodys-own") as caught:
        count("hello", "somebodys-own")
    assert "o200k_base" in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("name", ["cl100k_base", "no such thing"])
def test_a_vocabulary_that_cannot_be_loaded(name: str, tiktoken: Any) -> None:
    with pytest.raises(OpenAIError, match=name) as caught:
        count("hello", "gpt-4o", encoding=name)
    assert "TIKTOKEN_CACHE_DIR" in str(caught.value)
    assert isinstance(caught.value.__cause__, (ConnectionError, ValueError))
