"""The progress of a job in words."""

from __future__ import annotations

import pytest

from aiopenai._jobs.progress import JobProgress, Prices, reason_of
from aiopenai._jobs.usage import Tokens


def test_facts() -> None:
    progress = JobProgress(1_000, Prices(1.0, 2.0), done=100, failed=3)
    progress.begin()
    progress.done += 50
    progress.count(None)
    progress.count(Tokens(prompt_tokens=1_000, completion_tokens=500))
    progress.note = "all well"
    facts = progress.facts()
    for part in ("3 failed", "/s", "1,500 tokens", "$0.0020", "left", "all well"):
        assert part in facts
    assert progress.summary().startswith("150 of 1,000 done, 3 failed; 50 in ")


def test_reasons() -> None:
    progress = JobProgress(10)
    for number in range(3):
        progress.fail("BadRequestError 400", f"no {number}")
    progress.fail("InternalServerError 500", "broken")
    assert progress.failures() == ["3 x BadRequestError 400: no 0", "1 x InternalServerError 500: broken"]
    progress.trouble = "503: busy"
    progress.waits = lambda: "waiting 3 s for the token limit of m"
    facts = progress.facts()
    assert facts.startswith("4 failed (3 x BadRequestError 400), ")
    assert "waiting 3 s for the token limit of m" in facts
    assert "last error: 503: busy" in facts
    assert progress.summary() == "0 of 10 done, 4 failed; " + progress.summary().partition("; ")[2]


def test_a_total_that_is_not_known() -> None:
    progress = JobProgress(None)
    progress.begin()
    progress.done += 5
    assert progress.ended_of_total() == "5"
    assert "left" not in progress.facts()
    assert progress.summary().startswith("5 done, 0 failed; 5 in ")


def test_nothing_done() -> None:
    assert JobProgress(3, done=3).summary() == "3 of 3 done, 0 failed"


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ValueError("a\n  b"), "ValueError", "a b"),
        (ValueError("x" * 500), "ValueError", "x" * 160 + "..."),
    ],
)
def test_reason_of(error: Exception, kind: str, text: str) -> None:
    assert reason_of(error) == (kind, text)


def test_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = JobProgress(10_000)
    progress.begin()
    for _ in range(30):
        now += 1.0
        progress.done += 2
        facts = progress.facts()
    assert "2.0/s" in facts
    assert f"{'1:22:50'} left" in facts
    progress.done += 1_000
    now += 1.0
    assert "/s" in progress.facts()
