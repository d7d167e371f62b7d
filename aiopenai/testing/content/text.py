"""Tokens, log probabilities and the cutting of texts.

The tokeniser needs no vocabulary. A token is up to eight letters, digits or underscores, or one other character, each
with the white space before it. White space at the end of the text is a token of its own. The joined tokens are the
text. Texts of more than `COUNT_LIMIT` characters count one token for every four characters.
"""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from aiopenai.testing.engine.values import strings

__all__ = ["count_tokens", "cut", "token_logprobs", "tokenize", "usage_of"]

COUNT_LIMIT = 16_384

tokenize = re.compile(r"\s*(?:\w{1,8}|[^\w\s])|\s+").findall
"""Splits a text into its tokens."""


def count_tokens(text: str) -> int:
    """Returns the number of tokens of a text; see the documentation of the module."""
    if len(text) > COUNT_LIMIT:
        return -(-len(text) // 4)
    return len(tokenize(text))


def usage_of(read: int, made: int) -> dict[str, Any]:
    """Returns the usage of agents and batches: the tokens that a model read, and those that it made."""
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + made,
    }


def cut(text: str, stop: object, limit: int | None) -> tuple[list[str], str]:
    """Cuts a text at the first stop sequence and at the token limit.

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
    """Returns the log probability of a token, between -0.9999 and 0. It is always the same."""
    return -(crc32(token.encode()) % 10_000) / 10_000


def token_logprobs(tokens: list[str], top: int) -> list[dict[str, Any]]:
    """Returns the log probabilities of tokens as in chat and responses, with `top` alternatives for each."""
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
    """Returns `top` tokens that a model might have chosen, the given one first."""
    return [token if rank == 0 else f"{token}{rank}" for rank in range(top)]
