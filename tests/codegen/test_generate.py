"""The committed files are what the generator writes, every time."""

from __future__ import annotations

import filecmp
from importlib.util import find_spec
from pathlib import Path

import pytest

import aiopenai._codegen
from aiopenai._codegen.generate import generate
from aiopenai._codegen.output import FOLDERS, OutputError, write
from aiopenai._codegen.source import SourceError, installed

PACKAGE = Path(aiopenai._codegen.__file__).parents[1]


def differences(left: Path, right: Path) -> list[str]:
    found = []
    for path in sorted({*left.rglob("*.py"), *(left / each.relative_to(right) for each in right.rglob("*.py"))}):
        other = right / path.relative_to(left)
        if not path.exists() or not other.exists() or not filecmp.cmp(path, other, shallow=False):
            found.append(str(path.relative_to(left)))
    return found


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return generate(installed())


@pytest.fixture
def _formatter() -> None:
    if find_spec("ruff") is None:
        pytest.skip("needs ruff")


def test_generating_twice_gives_the_same_text(generated: dict[str, str]) -> None:
    assert generate(installed()) == generated


@pytest.mark.usefixtures("_formatter")
def test_committed_files_are_up_to_date(generated: dict[str, str], tmp_path: Path) -> None:
    write(generated, tmp_path)
    for folder in FOLDERS:
        stale = differences(tmp_path / folder, PACKAGE / folder)
        assert not stale, f"run python -m aiopenai._codegen; not as generated in {folder}: {stale}"


def test_the_whole_reference_can_be_generated() -> None:
    files = generate(installed(), None)
    assert {"resources/images.py", "resources/admin/organization/projects.py", "types/realtime/replies.py"} <= set(
        files
    )
    for path, text in files.items():
        compile(text, path, "exec")


@pytest.mark.usefixtures("_formatter")
def test_stale_files_go(tmp_path: Path) -> None:
    old = tmp_path / "types" / "gone" / "gone.py"
    old.parent.mkdir(parents=True)
    old.write_text("gone = True\n")
    write({"types/kept.py": "kept   =  True\n"}, tmp_path)
    assert not old.parent.exists()
    assert (tmp_path / "types" / "kept.py").read_text() == "kept = True\n"


@pytest.mark.usefixtures("_formatter")
def test_text_that_is_no_python_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write({"types/broken.py": "class :\n"}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_namespaces_are_an_error() -> None:
    with pytest.raises(SourceError, match="nowhere"):
        generate(installed(), ("chat", "nowhere"))
