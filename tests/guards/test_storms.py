"""Ctrl-C at random times in the blocking client, against a server that stalls: see storms.py."""

from __future__ import annotations

import sys

import pytest

from tests.guards.storms import STORMS, storm

pytestmark = [pytest.mark.once, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]


@pytest.mark.parametrize("use", STORMS)
def test_each_interrupt_arrives_and_the_client_works_on(use: str) -> None:
    storm(use, 20)


@pytest.mark.parametrize("use", ["stalled call", "torn stream", "stream left early", "lines"])
def test_on_the_general_transport(use: str) -> None:
    storm(use, 10, transport="general")
