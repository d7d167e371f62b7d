"""Chaos in the suite: a small part of the rounds of `python -m tests.guards`.

`AIOPENAI_GUARDS=10` in the environment makes it ten times as long.
"""

from __future__ import annotations

import os
import sys

import pytest

from tests.guards.chaos import chaos
from tests.guards.residue import LOOPS

SCALE = float(os.environ.get("AIOPENAI_GUARDS", "1"))
CALLS = int(300 * SCALE)


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors and signals of POSIX")
@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_each_caller_gets_its_own_answer_or_a_typed_error(transport: str, loop: str) -> None:
    counts = chaos(1, CALLS, CALLS // 10, transport=transport, loop=loop)
    assert counts["cancelled"]
