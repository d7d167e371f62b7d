"""The program that the migration guide shows as a diff: both of its sides run, and print the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiopenai.testing import Server

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[2]


def side(sign: str) -> str:
    """Returns the program of one side of the diff: `-` before, `+` after."""
    guide = (ROOT / "examples/guides/migrate.md").read_text("utf-8")
    diff = guide.partition("```diff\n")[2].partition("```")[0]
    return "\n".join(line[1:] for line in diff.splitlines() if not line or line[0] in (" ", sign))


def output(program: str, url: str) -> list[str]:
    found = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=found, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_after() -> None:
    with Server(answer="short") as server:
        assert output(side("+"), server.base_url) == ["short", "short"]
        assert len(server.requests_for("/responses")) == 2


def test_before_prints_the_same() -> None:
    pytest.importorskip("openai")
    pytest.importorskip("httpx2")
    with Server() as server:
        assert output(side("-"), server.base_url) == output(side("+"), server.base_url)
