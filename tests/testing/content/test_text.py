from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiopenai.testing.content.text import COUNT_LIMIT, count_tokens, cut, tokenize


@given(st.text())
def test_tokens_joined_give_the_text(text: str) -> None:
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert all(tokens)
    assert count_tokens(text) == len(tokens)


def test_tokens() -> None:
    assert tokenize("One, two  three!\n") == ["One", ",", " two", "  three", "!", "\n"]
    assert tokenize("incomprehensible") == ["incompre", "hensible"]


def test_long_texts_are_estimated() -> None:
    assert count_tokens("x" * (COUNT_LIMIT + 1)) == COUNT_LIMIT // 4 + 1


@given(st.text(), st.lists(st.text(max_size=3)), st.one_of(st.none(), st.integers(0, 20)))
def test_cut(text: str, stops: list[str], limit: int | None) -> None:
    tokens, reason = cut(text, stops, limit)
    got = "".join(tokens)
    assert text.startswith(got)
    assert not any(stop in got for stop in stops if stop)
    assert limit is None or len(tokens) <= limit
    assert reason in ("stop", "length")
    if reason == "length":
        assert len(tokens) == limit
