"""Tokens, log probabilities and the cutting of texts.

The tokeniser is a simple one that needs no vocabulary: a token is up to eight letters, digits or underscores, or one
other character, each together with the white space before it; white space at the very end is a token of its own.
Tokens joined give the text back. Texts of more than `COUNT_LIMIT` characters are not split for counting: they count
one token for every four characters.
"""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from aiopenai.testing.engine.values import strings

__all__ = ["count_tokens", "cut", "token_logprobs", "tokenize"]

COUNT_LIMIT = 16_384

tokenize = re.compile(r"\s*(?:\w{1,8}|[^\w\s])|\s+").findall
"""Split a text into its tokens."""


def count_tokens(text: str) -> int:
    """The number of tokens of a text (see the module's documentation)."""
    if len(text) > COUNT_LIMIT:
        return -(-len(text) // 4)
    return len(tokenize(text))


def cut(text: str, stop: object, limit: int | None) -> tuple[list[str], str]:
    """Cut a model's text at the first stop sequence and at the limit of tokens.

    Returns the tokens and the finish reason: `stop` or `length`.
    """
    stops = [stop] if isinstance(stop, str) else strings(stop)
    ends = [end for end in (text.find(item) for item in stops if item) if end >= 0]
    if ends:
        text = text[: min(ends)]
    tokens: list[str] = tokenize(text)
    if limit is not None and len(tokens) > limit:
        return tokens[:limit], "length"
    return tokens, "stop"


def token_logprob(token: str) -> float:
    """A probability for a token, always the same: between -0.9999 and 0."""
    return -(crc32(token.encode()) % 10_000) / 10_000


def token_logprobs(tokens: list[str], top: int) -> list[dict[str, Any]]:
    """Log probabilities of tokens as chat and responses give them, with `top` alternatives for each."""
    return [
        {
            "token": token,
            "logprob": (logprob := token_logprob(token)),
            "bytes": list(token.encode()),
            "top_logprobs": [
                {"token": other, "logprob": logprob - 2.0 * rank, "bytes": list(other.encode())}
                for rank, other in enumerate(alternatives(token, top))
            ],
        }
        for token in tokens
    ]


def alternatives(token: str, top: int) -> list[str]:
    """The token and others that a model might have chosen, `top` of them."""
    return [token if rank == 0 else f"{token}{rank}" for rank in range(top)]
