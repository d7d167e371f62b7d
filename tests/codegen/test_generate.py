"""The committed files are what the generator writes, every time."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any

import pytest

import aiopenai._codegen
from aiopenai._codegen.__main__ import main
from aiopenai._codegen.generate import generate
from aiopenai._codegen.output import FOLDERS, KINDS, OutputError, write
from aiopenai._codegen.source import Source, SourceError, at, installed
from aiopenai._codegen.words import Words

PACKAGE = Path(aiopenai._codegen.__file__).parents[1]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in KINDS and path.is_file()]


def differences(left: Path, right: Path) -> list[str]:
    found = []
    for path in sorted({*files(left), *(left / each.relative_to(right) for each in files(right))}):
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
    lines = {
        kind: sum(text.count("\n") for path, text in generated.items() if path.endswith(kind))
        for kind in (".py", ".pyi")
    }
    assert lines[".py"] <= 22_000
    assert lines[".pyi"] <= 60_000


def test_drift(generated: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # One namespace: to parse all of them takes seconds.
    same = {name: text for name, text in generated.items() if name.startswith("resources/webhooks")}
    other = {name: text.replace("def unwrap", "def open") for name, text in same.items()}
    monkeypatch.setattr("aiopenai._codegen.__main__.read", lambda _: same)
    for files, code, said in (
        (same, 0, "0 differences"),
        (other, 1, "+ method webhooks.open\n- method webhooks.unwrap\n2 differences"),
    ):
        monkeypatch.setattr("aiopenai._codegen.__main__.generate", lambda _, words, files=files: files)
        monkeypatch.setattr("aiopenai._codegen.__main__.read_words", Words)
        monkeypatch.setattr("sys.argv", ["_codegen", "--check"])
        assert main() == code
        assert capsys.readouterr().out.startswith(said)


def test_a_reference_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.argv", ["_codegen", "--reference", str(tmp_path)])
    assert main() == 1
    assert "there is no package of the reference" in capsys.readouterr().err
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
