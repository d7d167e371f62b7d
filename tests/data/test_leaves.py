"""The reference's module paths: their tables, the modules that are made of them, and the names in those."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

import aiopenai
from aiopenai._data import leaves
from aiopenai._data.leaves import defines, fill, find_imported, importing, named, offered, read_line, spec_of, table


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


@pytest.mark.parametrize("root", ["aiopenai.types", "aiopenai.resources", "aiopenai"])
def test_tables_list_the_modules_of_one_home(root: str) -> None:
    homes = {"aiopenai.types": "batches", "aiopenai.resources": "audio", "aiopenai": "_calls.paging"}
    home = homes[root]
    found = dict(table(root, home))
    assert found
    assert "." not in found
    for path, names in found.items():
        assert names
        assert any(place[0] == home for place in names.values()), path
        # The names of the table are those of the module.
        assert all(defines(f"{root}.{path}", name) for name in names)
    assert dict(table(root, home[:-1])) == {}


def test_names_that_a_module_defines() -> None:
    assert defines("aiopenai.types.chat.chat_completion", "Choice") is True
    assert defines("aiopenai.types.chat.chat_completion", "Metadata") is False
    assert defines("aiopenai.errors", "APIError") is None
    assert defines("json", "loads") is None


@pytest.mark.parametrize("suffix", ["", "WithRawResponse", "WithStreamingResponse", "AsRequest"])
@pytest.mark.parametrize("prefix", ["", "Async"])
def test_resources_are_offered_in_every_form(prefix: str, suffix: str) -> None:
    find = offered("aiopenai.resources.audio.speech")
    assert find is not None
    name = f"{prefix}Speech{suffix}"
    assert find(name) is getattr(import_module("aiopenai.resources.audio"), name)
    assert find(name).__name__ == name
    for wrong in (f"{prefix}Speeches{suffix}", f"{prefix}Speech{suffix}X", f"X{name}"):
        with pytest.raises(
            AttributeError, match=f"module 'aiopenai.resources.audio.speech' has no attribute '{wrong}'"
        ):
            find(wrong)


def test_types_have_one_form() -> None:
    find = offered("aiopenai.types.chat.chat_completion")
    assert find is not None
    for wrong in ("AsyncChoice", "ChoiceWithRawResponse"):
        with pytest.raises(AttributeError):
            find(wrong)


def test_a_name_is_defined_or_imported_by_the_references_module() -> None:
    module = "aiopenai.types.batch"
    assert named(module, "Batch") is import_module("aiopenai.types.batches").Batch
    assert named(module, "Metadata") is find_imported(module, "Metadata")
    with pytest.raises(AttributeError, match="no_such_name"):
        named(module, "no_such_name")
    # A module without a table has imported names only.
    with pytest.raises(AttributeError):
        named("aiopenai.errors", "no_such_name")


@pytest.mark.parametrize("name", ["__path__", "__wrapped__"])
def test_names_that_python_looks_up_are_not_searched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves, "import_module", lambda path: pytest.fail(f"imported {path}"))
    with pytest.raises(AttributeError, match=f"module 'aiopenai.types.batch' has no attribute '{name}'"):
        find_imported("aiopenai.types.batch", name)


def test_a_name_that_was_found_is_kept_in_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("aiopenai.types.batch")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    find = importing(module.__name__)
    assert find("Batch") is vars(module)["Batch"]
    with pytest.raises(AttributeError):
        find("nothing")
    assert "nothing" not in vars(module)


@pytest.mark.parametrize(
    ("name", "is_package"),
    [
        ("aiopenai.types.chat.chat_completion", False),
        ("aiopenai.resources.chat.completions", True),
        ("aiopenai.resources.chat.completions.messages", False),
        ("aiopenai._base_client", False),
        ("aiopenai._utils", True),
    ],
)
def test_specifications(name: str, is_package: bool) -> None:
    spec = spec_of(name)
    assert spec is not None
    assert (spec.name, spec.submodule_search_locations is not None) == (name, is_package)
    assert spec.loader is not None
    # The import system makes the module, and the loader gives it its names.
    assert spec.loader.create_module(spec) is None
    module: Any = ModuleType(name)
    spec.loader.exec_module(module)
    names = [each for each in dir(module) if not each.startswith("__")]
    assert names
    assert names == sorted(names)
    made = import_module(name)
    assert getattr(module, names[0]) is getattr(made, names[0])


@pytest.mark.parametrize("name", ["aiopenai", "aiopenai.errors", "aiopenai.types.chat.nothing", "json", "aiopenaix.a"])
def test_no_specification_without_a_line(name: str) -> None:
    assert spec_of(name) is None


def test_filling_keeps_the_names_that_a_module_has() -> None:
    module: Any = ModuleType("aiopenai.types.batch")
    module.own = 1
    fill(module)
    assert {"own", "Batch"} <= {*dir(module)}
    assert (module.own, module.Batch) == (1, import_module("aiopenai.types.batches").Batch)


def test_modules_are_made_when_they_are_imported() -> None:
    program = """
import sys
import aiopenai
assert "aiopenai._data.leaves" not in sys.modules
import aiopenai.types.chat.chat_completion as module
assert sys.modules["aiopenai.types.chat.chat_completion"] is module
assert "Choice" not in vars(module)
assert module.Choice is aiopenai.types.chat.ChatCompletionChoice
assert "Choice" in vars(module)
from aiopenai.types.chat.chat_completion import *
assert Choice is module.Choice
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert vars(aiopenai)["__name__"] == "aiopenai"
