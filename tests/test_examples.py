"""Every example runs, against the local server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiopenai.testing import Server

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def run(example: Path, server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "test",
        "PYTHONPATH": str(example.parents[1]),
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(example), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, server: Server) -> None:
    done = run(example, server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""
    assert server.request_count


def example(name: str) -> Path:
    return next(path for path in EXAMPLES if path.stem == name)


def test_chat_prints_the_answer(server: Server) -> None:
    server.answer = "Water takes the easy way."
    done = run(example("chat"), server, "Why?")
    assert done.stdout.startswith("Water takes the easy way.\n")
    (request,) = server.requests_for("/chat/completions")
    assert request.json()["messages"][-1] == {"role": "user", "content": "Why?"}


def test_streaming_says_how_far_it_came(server: Server) -> None:
    server.answer = "A long story."
    server.fault(cut_after=2500, match="/responses")
    done = run(example("streaming"), server)
    assert done.returncode == 1
    assert "APIConnectionError after" in done.stderr
    assert "Traceback" not in done.stderr


def test_fan_out_goes_on_after_a_failure(server: Server) -> None:
    server.answer = "7"
    server.fault(status=400, times=1)
    done = run(example("fan_out"), server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": 7\n") == 9
    assert done.stdout.count("Error code: 400") == 1
