"""The reference's own tests of its resources, run on aiopenai in drop-in mode: each that passes there passes here.

They are in the source distribution of `openai` and need a server that answers every endpoint by the API's schema:

    REFERENCE_SDIST=openai-3.57.0 TEST_API_BASE_URL=http://127.0.0.1:4010 pytest tests/dropin/test_reference_suite.py

The run takes some minutes, so it is skipped without these two variables.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
NEEDS = ("pydantic", "httpx2", "pytest_asyncio", "rich")
CONFIGURATION = """[pytest]
addopts = --tb=line
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
filterwarnings =
    error
    ignore::pytest.PytestUnraisableExceptionWarning
"""


def passed(folder: Path, *options: str) -> set[str]:
    """Runs the tests, and returns the ids of those that pass."""
    report = folder / f"report{len(options)}.xml"
    command = ["-m", "pytest", *options, "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "tests/api_resources"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, check=False)
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}" for case in cases if not len(case)}


@pytest.mark.timeout(3600)
def test_resources(tmp_path: Path) -> None:
    # Not OPENAI_...: tests run without the variables of these names.
    source = os.environ.get("REFERENCE_SDIST", "")
    if not (Path(source, "tests", "api_resources").is_dir() and os.environ.get("TEST_API_BASE_URL")):
        pytest.skip(
            "needs REFERENCE_SDIST, the unpacked source distribution of openai, and TEST_API_BASE_URL, a server"
        )
    for name in ("openai", *NEEDS):
        pytest.importorskip(name)
    (tmp_path / "tests").symlink_to(Path(source, "tests").resolve())
    (tmp_path / "pytest.ini").write_text(CONFIGURATION)
    theirs = passed(tmp_path)
    ours = passed(tmp_path, "-p", "aiopenai.dropin")
    assert len(theirs) > 2_000
    assert sorted(theirs - ours) == []
