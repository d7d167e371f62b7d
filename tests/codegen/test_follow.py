"""The trial of other releases of the reference. All of it runs on demand: `python -m pytest -m follow`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aiopenai._codegen import PIN
from aiopenai._codegen.follow import FollowError, Outcome, follow

# Releases of the last months, and lines of their drift.
RELEASES = {
    "3.40.0": "  - Removed methods: ",
    "3.52.0": "  - Removed ",
    "3.55.1": "  - Removed fields: `live.MediaSessionConfigParam` (`idle_timeout_s`, `wake_policy`)",
    "3.57.0": f"- Level with the reference {PIN}: its interface is that of {PIN}.",
}


@pytest.mark.follow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("version", RELEASES)
def test_releases(version: str, tmp_path: Path) -> None:
    outcome = follow(version, ["tests/parity/test_surface.py"], scratch=tmp_path / "scratch")
    print(outcome.report())
    assert outcome.version == version
    assert RELEASES[version] in outcome.notes
    # Whatever the release, its types and stubs are complete.
    assert outcome.typing == ""
    assert (outcome.differences == 0) == (version == PIN)
    # The hand-written part and the words follow the pin, so older releases leave work.
    assert outcome.fits == (version == PIN)
    assert int(outcome.tests.partition(" passed")[0].rpartition(" ")[2]) > 10
    assert (tmp_path / "scratch" / "tree" / "aiopenai" / "types").is_dir()


@pytest.mark.parametrize("version", ["", "latest", "3.58", "3.58.0; rm", "==3.58.0", "../3.58.0"])
def test_versions_that_are_none(version: str) -> None:
    with pytest.raises(FollowError, match=f"is no release: give one such as {PIN}"):
        follow(version)


def test_tests_that_are_none() -> None:
    with pytest.raises(FollowError, match="there is no tests/nothing in"):
        follow(PIN, ["tests/nothing"])


def test_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FollowError, match="is not empty: name a new one"):
        follow(PIN, scratch=tmp_path)


def test_the_command_tells_the_reason() -> None:
    command = [sys.executable, "-m", "aiopenai._codegen", "--follow", "next"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert done.stderr == f"aiopenai._codegen: 'next' is no release: give one such as {PIN}\n"


@pytest.mark.parametrize("typing", ["", "a.py:1: error: x\na.py:2: error: y"])
def test_the_report_ends_with_the_work(typing: str) -> None:
    work = ["no words: chat.pause"] if typing else []
    failed = ["tests/parity/test_surface.py::test_methods"] if typing else []
    outcome = Outcome("3.58.0", 1, "- Level.", work, "1 failed, 2 passed in 3.00s", failed, typing)
    assert outcome.fits == (not typing)
    lines = outcome.report().split("\n")
    assert lines[:3] == ["- Level.", "", "Tests: 1 failed, 2 passed in 3.00s"]
    assert lines[4:] == (
        []
        if not typing
        else [
            "",
            "To do:",
            "- no words: chat.pause",
            "- failed: tests/parity/test_surface.py::test_methods",
            "- a.py:1: error: x",
            "- a.py:2: error: y",
        ]
    )
