"""The collector of commands whose times matter."""

from __future__ import annotations

import gc

from aiopenai._cli.collector import rare_collections


def test_collections_are_rare_during_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()
    # The objects of earlier modules are frozen by the fixture of all tests.
    gc.unfreeze()
    with rare_collections():
        assert gc.get_threshold()[0] > 10 * before[0]
        assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
