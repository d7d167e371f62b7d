"""Stubs and run time are the same: names, parameters, their kinds and defaults."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.timeout(600)
def test_stubtest() -> None:
    if find_spec("mypy") is None:
        pytest.skip("needs mypy: pip install 'aiopenai[dev]'")
    command = [sys.executable, "-m", "mypy.stubtest", "aiopenai.resources", "aiopenai.types", "--concise"]
    options = ["--allowlist", str(HERE / "stubtest_allowlist.txt"), "--ignore-unused-allowlist"]
    options += ["--mypy-config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("", 0), done.stdout[:5_000] + done.stderr


def test_every_module_of_resources_has_a_stub() -> None:
    modules = sorted((ROOT / "aiopenai" / "resources").rglob("*.py"))
    assert len(modules) > 40
    assert [path for path in modules if not path.with_suffix(".pyi").is_file()] == []
    packages = sorted((ROOT / "aiopenai" / "types").rglob("__init__.py"))
    assert [path for path in packages if not path.with_suffix(".pyi").is_file()] == []
