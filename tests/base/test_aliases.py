"""The guards of types that JSON is made of."""

from __future__ import annotations

from collections import OrderedDict, UserDict, UserList
from types import MappingProxyType
from typing import Any

import pytest

from aiopenai._base.aliases import SequenceNotStr, is_list, is_mapping


@pytest.mark.parametrize("value", [{}, OrderedDict(), UserDict(), MappingProxyType({})], ids=repr)
def test_mappings(value: Any) -> None:
    assert is_mapping(value)
    assert not is_list(value)


@pytest.mark.parametrize("value", [[], [1]])
def test_lists(value: Any) -> None:
    assert is_list(value)
    assert not is_mapping(value)


@pytest.mark.parametrize("value", [(), "", None, UserList(), {1}, 5], ids=repr)
def test_others(value: Any) -> None:
    assert not is_list(value)
    assert not is_mapping(value)


def test_a_sequence_at_run_time() -> None:
    assert isinstance([], SequenceNotStr)  # type: ignore[misc]
