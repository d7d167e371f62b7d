"""Stubs and run time are the same: names, parameters, their kinds and defaults."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


# Differences that are none, each with the reason.
ALLOWED = {
    # Modules whose names are made on first use have a `__dir__`, which no stub needs.
    r"aiopenai\.(types|resources)[\w.]*\.__dir__ is not present in stub",
    # msgspec makes the `__init__` of Structs in C, without a signature.
    r"aiopenai\.types\.[\w.]+\.__init__ is inconsistent, runtime does not have parameter .*",
    # TypedDicts of typing_extensions have attributes that its own stub does not name.
    r"aiopenai\.types\.[\w.]+\.__(readonly_keys|mutable_keys|extra_items|closed)__ is not present in stub",
    # Unions that msgspec cannot decode are objects of our decoder at run time.
    r"aiopenai\.types\.[\w.]+ is not a (Union|recognised type alias)",
    r"aiopenai\.types\.embeddings\.[\w.]+ variable differs from runtime type aiopenai\._data\.vectors\._Floats",
}


@pytest.mark.timeout(600)
def test_stubtest() -> None:
    if find_spec("mypy") is None:
        pytest.skip("needs mypy: pip install 'aiopenai[dev]'")
    command = [sys.executable, "-m", "mypy.stubtest", "aiopenai.resources", "aiopenai.types", "--concise"]
    options = ["--mypy-config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr == ""
    allowed = re.compile("|".join(ALLOWED))
    assert [line for line in done.stdout.splitlines() if not allowed.fullmatch(line)] == []
    assert "aiopenai.types.chat.replies.ChatCompletion.__init__" in done.stdout


def test_every_module_of_resources_has_a_stub() -> None:
    modules = sorted((ROOT / "aiopenai" / "resources").rglob("*.py"))
    assert len(modules) > 40
    assert [path for path in modules if not path.with_suffix(".pyi").is_file()] == []
    packages = sorted((ROOT / "aiopenai" / "types").rglob("__init__.py"))
    assert [path for path in packages if not path.with_suffix(".pyi").is_file()] == []
