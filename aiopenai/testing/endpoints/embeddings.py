"""The endpoint `/embeddings`: vectors that depend on nothing but the text."""

from __future__ import annotations

import hashlib
import sys
from array import array
from base64 import b64encode
from functools import lru_cache
from math import sqrt
from typing import Any

from aiopenai.testing.content.text import count_tokens
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.params import ARRAY, INTEGER, STRING, check, check_model, wrong_type
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, is_array

__all__ = ["create"]

_SIZES = {"text-embedding-3-large": 3072}
_SIZE = 1536
_MAX_INPUTS = 2048

_PARAMS = {
    "input": STRING | ARRAY,
    "model": STRING,
    "dimensions": INTEGER.within(1),
    "encoding_format": STRING.one_of("float", "base64"),
    "user": STRING,
}


def create(call: Call) -> WholeReply:
    """POST /embeddings."""
    body = call.body()
    check(body, _PARAMS, ("input", "model"))
    model: str = body["model"]
    check_model(model, call.state)
    size = _SIZES.get(model, _SIZE)
    dimensions: int | None = body.get("dimensions")
    if dimensions is not None:
        if model == "text-embedding-ada-002":
            raise ApiError(400, "This model does not support specifying dimensions.", param="dimensions")
        if dimensions > size:
            message = f"Invalid value for 'dimensions' = {dimensions}. Must be less than or equal to {size}."
            raise ApiError(400, message, param="dimensions", code="invalid_value")
        size = dimensions
    as_text = body.get("encoding_format") == "base64"
    data: list[Object] = []
    tokens = 0
    for index, (key, count) in enumerate(_inputs(body["input"])):
        tokens += count
        vector = _vector(key, size)
        data.append(
            {
                "object": "embedding",
                "index": index,
                "embedding": _vector_base64(vector) if as_text else vector.tolist(),
            }
        )
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return WholeReply.json({"object": "list", "data": data, "model": model, "usage": usage}, tokens=tokens)


def _inputs(given: Any) -> list[tuple[bytes, int]]:
    """Returns the inputs as pairs: bytes that identify the text, and its number of tokens."""
    if type(given) is str or (is_array(given) and given and all(type(item) is int for item in given)):
        given = [given]
    if not given:
        raise ApiError(400, "Invalid 'input': empty array.", param="input", code="empty_array")
    if len(given) > _MAX_INPUTS:
        message = (
            f"Invalid 'input': array too long. Expected at most {_MAX_INPUTS} items, but got {len(given)} instead."
        )
        raise ApiError(400, message, param="input", code="array_above_max_length")
    found: list[tuple[bytes, int]] = []
    for number, item in enumerate(given):
        if type(item) is str and item:
            found.append((item.encode(), count_tokens(item)))
        elif is_array(item) and item and all(type(token) is int for token in item):
            # No text in UTF-8 begins with this byte, so token arrays and texts never collide.
            found.append((b"\xff" + repr(item).encode(), len(item)))
        elif item in ("", []):
            raise ApiError(400, "Invalid 'input': input cannot be empty.", param="input", code="empty_string")
        else:
            raise wrong_type(f"input[{number}]", "one of a string or an array of integers", item)
    return found


@lru_cache(maxsize=256)
def _vector(key: bytes, size: int) -> array[float]:
    """Returns a unit vector of `size` single-precision floats, drawn from the hash of `key`.

    A shorter vector is the beginning of the longer one, scaled to length 1 again, as with `dimensions` of the API.
    """
    drawn = array("h")
    drawn.frombytes(hashlib.shake_128(key).digest(2 * size))
    if sys.byteorder == "big":
        drawn.byteswap()
    length = sqrt(sum(value * value for value in drawn)) or 1.0
    return array("f", [value / length for value in drawn])


def _vector_base64(vector: array[float]) -> str:
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return b64encode(vector.tobytes()).decode()
