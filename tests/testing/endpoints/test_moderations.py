from __future__ import annotations

from typing import Any

import pytest

from tests.testing.http import Api


async def moderate(api: Api, given: Any) -> Any:
    return (await api.ok("POST", "/moderations", {"input": given}))["results"]


async def test_texts(api: Api) -> None:
    (good,) = await moderate(api, "a nice day")
    assert good["flagged"] is False
    assert not any(good["categories"].values())
    first, second = await moderate(api, ["a nice day", "I will KILL them"])
    assert first == good
    assert second["flagged"] is True
    assert [name for name, flag in second["categories"].items() if flag] == ["violence"]
    assert second["category_scores"]["violence"] > 0.9 > second["category_scores"]["hate"]
    assert set(second["categories"]) == set(second["category_scores"]) == set(second["category_applied_input_types"])


async def test_parts_make_one_result(api: Api) -> None:
    parts = [{"type": "text", "text": "kill"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    (result,) = await moderate(api, parts)
    assert result["category_applied_input_types"]["violence"] == ["text", "image"]
    assert result["category_applied_input_types"]["hate"] == ["text"]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": [1]}, 400, "input"),
        ({"input": [{"type": "text"}]}, 400, "input[0]"),
        ({"input": "x", "model": "none"}, 404, "model"),
    ],
)
async def test_bad_input(api: Api, body: dict[str, Any], status: int, param: str) -> None:
    assert (await api.fails(status, "POST", "/moderations", body))["param"] == param
