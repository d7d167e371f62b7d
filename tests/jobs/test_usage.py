"""The tokens of a reply."""

from __future__ import annotations

from aiopenai._jobs.usage import Tokens


def test_tokens_by_any_name() -> None:
    assert Tokens(prompt_tokens=3, completion_tokens=4).read == 3
    assert Tokens(input_tokens=3, output_tokens=4).written == 4
    assert Tokens(total_tokens=9).read == 9
    assert Tokens().read == Tokens().written == 0
