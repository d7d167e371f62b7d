from __future__ import annotations

import array
import base64
import math
import sys
from typing import Any

import pytest

from tests.testing.http import Api

SMALL = "text-embedding-3-small"


async def embed(api: Api, given: Any, **params: Any) -> list[list[float]]:
    reply = await api.ok("POST", "/embeddings", {"model": SMALL, "input": given, **params})
    assert [item["index"] for item in reply["data"]] == list(range(len(reply["data"])))
    return [item["embedding"] for item in reply["data"]]


async def test_vectors_depend_on_the_text_only(api: Api) -> None:
    a, b, c = await embed(api, ["one", "two", "one"])
    assert a == c != b
    assert [a] == await embed(api, "one")
    assert len(a) == 1536
    assert math.isclose(sum(value * value for value in a), 1.0, rel_tol=1e-5)


async def test_tokens(api: Api) -> None:
    a, b = await embed(api, [[1, 2], [3]])
    assert a != b
    assert [a] == await embed(api, [1, 2])
    assert [a] != await embed(api, "[1, 2]")


@pytest.mark.parametrize(("model", "size"), [("text-embedding-3-large", 3072), ("text-embedding-ada-002", 1536)])
async def test_sizes(api: Api, model: str, size: int) -> None:
    assert [len(vector) for vector in await embed(api, "x", model=model)] == [size]


async def test_dimensions_are_the_beginning_scaled(api: Api) -> None:
    (whole,) = await embed(api, "x")
    (short,) = await embed(api, "x", dimensions=10)
    length = math.sqrt(sum(value * value for value in whole[:10]))
    assert short == pytest.approx([value / length for value in whole[:10]], rel=1e-5)


async def test_base64_is_the_same_vector(api: Api) -> None:
    (floats,) = await embed(api, "x", encoding_format="float")
    (text,) = await embed(api, "x", encoding_format="base64")
    decoded = array.array("f", base64.b64decode(text))  # type: ignore[arg-type]
    if sys.byteorder == "big":
        decoded.byteswap()
    assert decoded.tolist() == floats


async def test_usage(api: Api) -> None:
    reply = await api.ok("POST", "/embeddings", {"model": SMALL, "input": ["two words", "three more words"]})
    assert reply["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert (reply["object"], reply["model"]) == ("list", SMALL)


@pytest.mark.parametrize(
    ("params", "status", "param"),
    [
        ({"input": ...}, 400, "input"),
        ({"input": 5}, 400, "input"),
        ({"input": ""}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": ["a", ""]}, 400, "input"),
        ({"input": [[]]}, 400, "input"),
        ({"input": ["a", 5]}, 400, "input[1]"),
        ({"input": ["a"] * 2049}, 400, "input"),
        ({"model": ...}, 400, "model"),
        ({"model": "none"}, 404, "model"),
        ({"dimensions": 0}, 400, "dimensions"),
        ({"dimensions": 1537}, 400, "dimensions"),
        ({"dimensions": 8, "model": "text-embedding-ada-002"}, 400, "dimensions"),
        ({"encoding_format": "hex"}, 400, "encoding_format"),
    ],
)
async def test_bad_input(api: Api, params: dict[str, Any], status: int, param: str) -> None:
    body = {name: value for name, value in {"model": SMALL, "input": "x", **params}.items() if value is not ...}
    assert (await api.fails(status, "POST", "/embeddings", body))["param"] == param
