"""The committed files are what the generator writes, every time."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any

import pytest

import aiopenai._codegen
from aiopenai._codegen.__main__ import main
from aiopenai._codegen.generate import generate
from aiopenai._codegen.output import FOLDERS, OutputError, write
from aiopenai._codegen.source import Source, SourceError, at, installed

PACKAGE = Path(aiopenai._codegen.__file__).parents[1]


def differences(left: Path, right: Path) -> list[str]:
    found = []
    for path in sorted({*left.rglob("*.py"), *(left / each.relative_to(right) for each in right.rglob("*.py"))}):
        other = right / path.relative_to(left)
        if not path.exists() or not other.exists() or not filecmp.cmp(path, other, shallow=False):
            found.append(str(path.relative_to(left)))
    return found


@pytest.fixture(scope="module")
def generated(source: Source) -> dict[str, str]:
    return generate(source)


def test_committed_files_are_up_to_date(generated: dict[str, str], tmp_path: Path) -> None:
    """Another process made them, with other hashes: the same text comes out every time."""
    write(generated, tmp_path)
    for folder in FOLDERS:
        stale = differences(tmp_path / folder, PACKAGE / folder)
        assert not stale, f"run python -m aiopenai._codegen; not as generated in {folder}: {stale}"


def test_size(generated: dict[str, str]) -> None:
    assert sum(text.count("\n") for text in generated.values()) <= 25_000


def test_drift(generated: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = generated["resources/webhooks.py"]
    other = generated | {"resources/webhooks.py": text.replace("def unwrap", "def open")}
    for files, code, said in (
        (generated, 0, "0 differences"),
        (other, 1, "+ method webhooks.open\n- method webhooks.unwrap\n2 differences"),
    ):
        monkeypatch.setattr("aiopenai._codegen.__main__.generate", lambda _, files=files: files)
        monkeypatch.setattr("sys.argv", ["_codegen", "--check"])
        assert main() == code
        assert capsys.readouterr().out.startswith(said)


def test_a_reference_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.argv", ["_codegen", "--reference", str(tmp_path)])
    assert main() == 1
    assert "the reference is not there" in capsys.readouterr().err
    root = installed().root
    assert at(root).root == at(root.parent).root == root


def test_stale_files_go(tmp_path: Path) -> None:
    old = tmp_path / "types" / "gone" / "gone.py"
    old.parent.mkdir(parents=True)
    old.write_text("gone = True\n")
    write({"types/kept.py": "kept = True\n"}, tmp_path)
    assert not old.parent.exists()
    assert (tmp_path / "types" / "kept.py").read_text() == "kept = True\n"


def test_text_that_is_no_python_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        write({"types/broken.py": "class :\n"}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_unknown_namespaces_are_an_error(source: Source) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        generate(source, ("chat", "nowhere"))
