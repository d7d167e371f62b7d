"""Work without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from aiopenai._base.collector import undisturbed


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was_before(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    assert undisturbed(lambda number: (number, gc.isenabled()), 3) == (3, False)
    assert gc.isenabled() is enabled
    with pytest.raises(ZeroDivisionError):
        undisturbed(lambda: 1 / 0)
    assert gc.isenabled() is enabled
