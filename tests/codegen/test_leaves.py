"""The files that the build makes of the tables: each a module with the names of its line."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import aiopenai
from aiopenai._data.leaves import offered, read_line

PACKAGE = Path(aiopenai.__file__).parent
ROOT = PACKAGE.parent


@pytest.fixture(scope="module")
def leaf_files() -> dict[str, str]:
    pytest.importorskip("hatchling", reason="needs hatchling: pip install 'aiopenai[dev]'")
    hook = ModuleType("hatch_build")
    exec(compile((ROOT / "hatch_build.py").read_text(), "hatch_build.py", "exec"), vars(hook))
    return dict(hook.leaf_files(PACKAGE))


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def test_each_file_offers_what_the_tree_does(leaf_files: dict[str, str]) -> None:
    assert len(leaf_files) > 1_700
    for path, text in leaf_files.items():
        names: dict[str, Any] = {}
        # A module's own lookup at run time; the imports below `if _TYPING` are for type checkers.
        names["__name__"] = module_of(path)
        exec(compile(text, path, "exec"), names)
        ours = import_module(module_of(path))
        assert names["__all__"]
        for name in names["__all__"]:
            found = names[name] if name in names else names["__getattr__"](name)
            assert found is getattr(ours, name), (path, name)


def test_packages(leaf_files: dict[str, str]) -> None:
    """A module with others below it is a package: no file has the name of a folder."""
    folders = {str(parent) for path in leaf_files for parent in Path(path).parents}
    assert [path for path in leaf_files if path.removesuffix(".py") in folders] == []
    assert "aiopenai/resources/chat/completions/__init__.py" in leaf_files
    assert "aiopenai/resources/chat/completions/completions.py" in leaf_files
    assert "aiopenai/types/chat/chat_completion.py" in leaf_files
    # These are files already.
    assert "aiopenai/resources/chat/__init__.py" not in leaf_files
    assert "aiopenai/resources/models.py" not in leaf_files


def test_classes_without_views(leaf_files: dict[str, str]) -> None:
    assert "ForksWithRawResponse" not in leaf_files["aiopenai/resources/live/forks.py"]
    assert '"Forks", "AsyncForks"' in leaf_files["aiopenai/resources/live/forks.py"]


def test_lines() -> None:
    assert read_line("chat A B=C D=audio:E F=audio.x:F") == {
        "A": ("chat", "A"),
        "B": ("chat", "C"),
        "D": ("audio", "E"),
        "F": ("audio.x", "F"),
    }


@pytest.mark.parametrize(
    ("module", "name", "is_"),
    [
        ("resources.chat.completions.completions", "AsyncCompletions", "resources.chat:AsyncCompletions"),
        ("resources.chat.completions", "MessagesWithRawResponse", "resources.chat:MessagesWithRawResponse"),
        ("resources", "AsyncChatWithStreamingResponse", "resources.chat:AsyncChatWithStreamingResponse"),
        ("resources.beta", "AsyncThreads", "resources.beta.threads:AsyncThreads"),
        ("resources.vector_stores.files", "Files", "resources.vector_stores:Files"),
        ("resources.containers.files.content", "AsyncContent", "resources.containers:AsyncContent"),
        ("types.chat.chat_completion", "Choice", "types.chat:ChatCompletionChoice"),
    ],
)
def test_names(module: str, name: str, is_: str) -> None:
    home, _, own = is_.partition(":")
    assert getattr(import_module(f"aiopenai.{module}"), name) is getattr(import_module(f"aiopenai.{home}"), own)
    assert name in dir(import_module(f"aiopenai.{module}")) or module.count(".") < 2


@pytest.mark.parametrize("module", ["resources.chat.completions.nothing", "resources.nothing", "types.chat.nothing"])
def test_modules_that_there_are_not(module: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module(f"aiopenai.{module}")
    assert f"aiopenai.{module}" not in sys.modules


def test_modules_elsewhere_have_no_line() -> None:
    assert offered("aiopenai.errors") is None
    assert offered("aiopenai_other.types.chat.chat_completion") is None
    assert offered("aiopenai.types.chat.chat_completion") is not None
