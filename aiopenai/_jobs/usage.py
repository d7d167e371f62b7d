"""The tokens that a reply says were used, under the names of any server."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._data.codec import decode_json

__all__ = ["Tokens", "tokens_from", "tokens_of"]


class Tokens(msgspec.Struct, frozen=True, gc=False):
    """The tokens that a reply says were read and written."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None

    @property
    def read(self) -> int:
        """Tokens of the request."""
        read = self.prompt_tokens or self.input_tokens
        return read or max(0, (self.total_tokens or 0) - self.written)

    @property
    def written(self) -> int:
        """Tokens of the answer."""
        return self.completion_tokens or self.output_tokens or 0


class _WithUsage(msgspec.Struct, gc=False):
    usage: Tokens | None = None


# Not strict: some servers write 3.0 or "3".
_decode_usage = msgspec.json.Decoder(_WithUsage, strict=False).decode


def tokens_of(content: bytes) -> Tokens | None:
    """Returns the tokens of a reply; None where it names none."""
    try:
        return _decode_usage(content).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        reply = decode_json(content)
    except msgspec.DecodeError:
        return None
    usage = reply.get("usage") if is_mapping(reply) else None
    if not is_mapping(usage):
        return None
    return Tokens(**{name: _whole_number(usage.get(name)) for name in Tokens.__struct_fields__})


def tokens_from(usage: object) -> Tokens | None:
    """Returns the tokens of a reply's `usage` object; None for None."""
    if usage is None:
        return None
    return Tokens(**{name: _whole_number(getattr(usage, name, None)) for name in Tokens.__struct_fields__})


def _whole_number(value: Any) -> int | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if 0 <= number < math.inf else None
