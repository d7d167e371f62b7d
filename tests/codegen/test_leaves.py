"""The stubs that the build makes of the tables: each offers the names of its line."""

from __future__ import annotations

import contextlib
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import aiopenai

PACKAGE = Path(aiopenai.__file__).parent
ROOT = PACKAGE.parent


@pytest.fixture(scope="module")
def leaf_files() -> dict[str, str]:
    pytest.importorskip("hatchling", reason="needs hatchling: pip install 'aiopenai[dev]'")
    hook = ModuleType("hatch_build")
    exec(compile((ROOT / "hatch_build.py").read_text(), "hatch_build.py", "exec"), vars(hook))
    return dict(hook.leaf_files(PACKAGE))


def module_of(path: str) -> str:
    return path.removesuffix(".pyi").removesuffix("/__init__").replace("/", ".")


def test_each_stub_offers_what_the_module_does(leaf_files: dict[str, str]) -> None:
    stubs = {path: text for path, text in leaf_files.items() if path.endswith(".pyi")}
    assert len(stubs) > 1_700
    for path, text in stubs.items():
        module = import_module(module_of(path))
        names: dict[str, Any] = {"__package__": path.rpartition("/")[0].replace("/", ".")}
        # Some names need packages that are optional.
        with contextlib.suppress(ImportError):
            exec(compile(text, path, "exec"), names)
        offered = re.findall(r" as (\w+)", text) if "__all__" not in text else names["__all__"]
        assert offered
        for name in offered:
            if name in names:
                assert names[name] is getattr(module, name), (path, name)


def test_packages(leaf_files: dict[str, str]) -> None:
    """A module with others below it is a package: no file has the name of a folder, and each folder is no namespace."""
    folders = {str(parent) for path in leaf_files for parent in Path(path).parents}
    assert [path for path in leaf_files if path.removesuffix(".pyi") in folders] == []
    for path in leaf_files:
        if path.endswith("/__init__.pyi"):
            assert path.removesuffix("i") in leaf_files
    assert "aiopenai/resources/chat/completions/__init__.pyi" in leaf_files
    assert "aiopenai/resources/chat/completions/completions.pyi" in leaf_files
    assert "aiopenai/types/chat/chat_completion.pyi" in leaf_files
    # These are files already.
    assert "aiopenai/resources/chat/__init__.pyi" not in leaf_files
    assert "aiopenai/resources/models.pyi" not in leaf_files


def test_classes_without_views(leaf_files: dict[str, str]) -> None:
    stub = leaf_files["aiopenai/resources/live/forks.pyi"]
    assert "ForksWithRawResponse" not in stub
    assert "Forks as Forks, AsyncForks as AsyncForks" in stub
