"""The compact set of ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiopenai._jobs.idset import IdSet


class TestIdSet:
    @given(st.lists(st.text()))
    def test_is_a_set(self, keys: list[str]) -> None:
        ids, plain = IdSet(), set[str]()
        for key in keys:
            assert ids.add(key) is (key not in plain)
            plain.add(key)
        assert len(ids) == len(plain)
        assert all(key in ids for key in plain)

    def test_grows(self) -> None:
        ids = IdSet(map(str, range(5_000)))
        assert len(ids) == 5_000
        assert all(str(number) in ids for number in range(5_000))
        assert not any(str(number) in ids for number in range(5_000, 10_000))
