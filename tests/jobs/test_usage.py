"""The tokens of a reply."""

from __future__ import annotations

import types

import pytest

from aiopenai._jobs.usage import Tokens, tokens_from, tokens_of


def test_tokens_by_any_name() -> None:
    assert Tokens(prompt_tokens=3, completion_tokens=4).read == 3
    assert Tokens(input_tokens=3, output_tokens=4).written == 4
    assert Tokens(total_tokens=9).read == 9
    assert Tokens().read == Tokens().written == 0


@pytest.mark.parametrize(
    ("content", "read", "written"),
    [
        (b'{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}', 3, 4),
        (b'{"usage": {"prompt_tokens": 3.0, "completion_tokens": "4"}}', 3, 4),
        (b'{"usage": {"prompt_tokens": 3.5, "completion_tokens": 4}}', 3, 4),
        (b'\xef\xbb\xbf{"usage": {"input_tokens": 3, "output_tokens": 4}}', 3, 4),
        (b'{"x": NaN, "usage": {"prompt_tokens": "3.0", "completion_tokens": null}}', 3, 0),
        (b'{"x": "\\ud800", "usage": {"total_tokens": 9}}', 9, 0),
        (b'{"x": "\xe9", "usage": {"prompt_tokens": 3, "completion_tokens": {}}}', 3, 0),
        (b'{"usage": {"prompt_tokens": -3, "completion_tokens": "many", "total_tokens": true}}', 1, 0),
    ],
)
def test_of_a_reply(content: bytes, read: int, written: int) -> None:
    tokens = tokens_of(content)
    assert tokens is not None
    assert (max(tokens.read, 0), tokens.written) == (read, written)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"usage": null}', b'{"usage": 3}', b'{"usage": []}', b"<html>", b"[" * 5_000]
)
def test_of_a_reply_without_any(content: bytes) -> None:
    assert tokens_of(content) is None


def test_tokens_of_usage_objects() -> None:
    assert tokens_from(None) is None
    chat = types.SimpleNamespace(prompt_tokens=5, completion_tokens=3)
    assert tokens_from(chat) == Tokens(prompt_tokens=5, completion_tokens=3)
    odd = types.SimpleNamespace(input_tokens="7", output_tokens=None, total_tokens=float("nan"))
    assert tokens_from(odd) == Tokens(input_tokens=7)
    edges = types.SimpleNamespace(input_tokens=0, output_tokens=-1, total_tokens=float("inf"))
    assert tokens_from(edges) == Tokens(input_tokens=0)
