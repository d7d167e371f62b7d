"""The garbage collector of commands that measure times, or whose times are measured."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator

__all__ = ["rare_collections"]

# New containers, less those that are freed, between two collections. Python's own 700 (2,000 from 3.13) let 500 streams
# that begin cause a collection of 2 to 11 ms every 60 ms. 500 streams hold 30,000 containers.
_YOUNG = 100_000


@contextlib.contextmanager
def rare_collections() -> Generator[None, None, None]:
    """Collects garbage rarely during the block, because a collection stops all streams of the process.

    Objects that exist before the block, such as those of all imports, are not examined. Both are restored at the end.
    """
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
