from __future__ import annotations

import pytest

from aiopenai._base.cache import LIMIT, BoundedCache


def test_it_is_a_dict() -> None:
    cache: BoundedCache[str, int] = BoundedCache()
    cache["a"] = 1
    assert cache["a"] == cache.get("a") == 1
    assert cache.limit == LIMIT == 1_000
    # Lookups must not pass through Python code.
    assert BoundedCache.get is dict.get
    assert BoundedCache.__getitem__ is dict.__getitem__


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_never_more_than_its_limit_and_the_last_stay(limit: int) -> None:
    cache: BoundedCache[int, str] = BoundedCache(limit)
    for number in range(10 * limit):
        cache[number] = str(number)
        assert len(cache) <= limit
        assert cache[number] == str(number)
        assert list(cache) == sorted(cache)
        assert len(cache) >= min(number + 1, limit // 2)


def test_a_new_value_of_a_known_key_drops_nothing() -> None:
    cache: BoundedCache[int, int] = BoundedCache(3)
    for number in range(3):
        cache[number] = 0
    for _ in range(5):
        cache[1] = 7
    assert cache == {0: 0, 1: 7, 2: 0}
