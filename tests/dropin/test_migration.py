"""The program that the migration guide shows as a diff: both of its sides run, and print the same."""

from __future__ import annotations

import pytest

from aiopenai.testing import Server
from tests.dropin.programs import ROOT, run

pytestmark = pytest.mark.once


def side(sign: str) -> str:
    """Returns the program of one side of the diff: `-` before, `+` after."""
    guide = (ROOT / "examples/guides/migrate.md").read_text("utf-8")
    diff = guide.partition("```diff\n")[2].partition("```")[0]
    return "\n".join(line[1:] for line in diff.splitlines() if not line or line[0] in (" ", sign))


def output(program: str, url: str) -> list[str]:
    return run("-c", program, environment={"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}).splitlines()


def test_after() -> None:
    with Server(answer="short") as server:
        assert output(side("+"), server.base_url) == ["short", "short"]
        assert len(server.requests_for("/responses")) == 2


def test_before_prints_the_same() -> None:
    pytest.importorskip("openai")
    pytest.importorskip("httpx2")
    with Server() as server:
        assert output(side("-"), server.base_url) == output(side("+"), server.base_url)
