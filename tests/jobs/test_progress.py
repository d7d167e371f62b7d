"""The progress of a job in words."""

from __future__ import annotations

from aiopenai._jobs.progress import JobProgress, Prices
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
