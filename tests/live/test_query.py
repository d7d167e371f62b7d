"""The query of a websocket's URL: the last of five places counts, name by name."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import not_given, omit
from aiopenai._live.query import joined_query, pairs_of


class Items:
    """Parameters as httpx has them."""

    def multi_items(self) -> list[tuple[str, Any]]:
        return [("a", 1), ("a", "2"), ("b", None)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"a": 1, "b": True, "c": "x"}, [("a", "1"), ("b", "true"), ("c", "x")]),
        ({"a": None, "b": [1, None, "z"], "c": ()}, [("a", ""), ("b", "1"), ("b", ""), ("b", "z")]),
        ({"a": omit, "b": not_given}, []),
        ({"a": {"b": 1}}, [("a[b]", "1")]),
        (Items(), [("a", "1"), ("a", "2"), ("b", "None")]),
    ],
    ids=["none", "values", "lists", "left out", "nested", "items"],
)
def test_pairs(given: Any, expected: list[tuple[str, str]]) -> None:
    assert pairs_of(given) == expected


def test_the_last_place_counts() -> None:
    defaults = dict.fromkeys("abcde", "1")
    query = joined_query(defaults, "b=2&c=2&d=2&e=2", {"c": 3, "d": 3, "e": 3}, {"d": 4, "e": 4}, {"e": 5})
    assert query == "a=1&b=2&c=3&d=4&e=5"


def test_all_values_of_a_name_are_replaced() -> None:
    assert joined_query({"a": "0"}, "a=1&a=2&b=&a[c]=3", {}, {"a": [4, 5]}, {}) == "b=&a=4&a=5"
    assert joined_query({}, "a=1", {"a": {"b": 2}}, {}, {}) == "a%5Bb%5D=2"


def test_what_is_left_out() -> None:
    # `omit` and an empty list in `extra_query` remove inherited parameters; among the others they say nothing.
    assert joined_query({"a": "1", "b": "1"}, "", {"a": omit, "c": not_given}, {"b": omit}, {"d": omit}) == "a=1"
    assert joined_query({"a": "1"}, "", {}, {"a": []}, {}) == ""
    assert joined_query({"a": "1"}, "", {}, Items(), {}) == "a=1&a=2&b=None"
