"""Frameworks written for `openai`: with the switch their results and requests are those with the reference.

Each framework runs twice, in a process with aiopenai and in one with the reference. Those that are not installed are
skipped: `pip install -e '.[dropin-test]'` installs some.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from aiopenai.version import REFERENCE_VERSION
from benchmarks.frameworks import is_installed
from tests.dropin.loops import LOOPS
from tests.dropin.pairs import names_in

pytestmark = [pytest.mark.once, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
FOLDERS = ("frameworks", "tracers")


def _cases() -> list[Any]:
    """One case per scenario; those of one framework belong to one worker, which runs its processes once."""
    found: list[Any] = []
    for path in sorted(each for folder in FOLDERS for each in (ROOT / "tests/dropin" / folder).glob("[!_]*.py")):
        needs, names = names_in(path)
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for name in names:
            found.append(pytest.param(module, needs, name, id=f"{path.parent.name}-{path.stem}-{name}"))
    return found


@lru_cache(maxsize=2)
def _outcomes(mode: str, module: str) -> dict[str, Any]:
    found = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "COV_"))}
    # The order of sets is part of some results.
    found |= {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.dropin.pairs", mode, module]
    done = subprocess.run(command, env=found, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    outcomes: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    assert outcomes["version"] in (REFERENCE_VERSION, None)
    return dict(outcomes["scenarios"])


@pytest.mark.parametrize(("module", "needs", "name"), _cases())
def test_scenarios(module: str, needs: str, name: str) -> None:
    if not is_installed(needs):
        pytest.skip(f"{needs} is not installed")
    try:
        version = importlib.metadata.version("openai")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    if version != REFERENCE_VERSION:
        pytest.skip(f"the reference {REFERENCE_VERSION} is needed for comparison, and {version} is installed")
    wanted, found = (_outcomes(mode, module)[name] for mode in ("reference", "dropin"))
    assert "error" not in wanted, wanted["error"]
    assert "error" not in found, found["error"]
    assert found == wanted


_IN_LOOPS = {
    "langchain": "langchain_openai",
    "agents": "agents",
    "instructor": "instructor",
    "pydantic_ai": "pydantic_ai",
    "llama_index": "llama_index.llms.openai",
}


@pytest.mark.parametrize("name", _IN_LOOPS)
def test_one_client_in_event_loops_in_turn(name: str) -> None:
    if not is_installed(_IN_LOOPS[name]):
        pytest.skip(f"{_IN_LOOPS[name]} is not installed")
    command = [sys.executable, "-W", "ignore", "-m", "tests.dropin.loops", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    answers = json.loads(done.stdout.strip().splitlines()[-1])
    assert len(answers) == LOOPS
    assert answers == [answers[0]] * LOOPS
    assert answers[0]
