"""The reference's own module paths: made when they are imported, exact, and free for who does not use them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

from aiopenai._codegen.layout import lay_out
from aiopenai._codegen.read_resources import read_resources
from aiopenai._codegen.read_types import SKIPPED, read_types
from aiopenai._codegen.source import Source

openai_types = pytest.importorskip("openai.types")


def modules() -> list[str]:
    names = [each.name for each in pkgutil.walk_packages(openai_types.__path__, "openai.types.")]
    return [name.removeprefix("openai.") for name in names if name.removeprefix("openai.") not in SKIPPED]


def test_every_name_of_every_module_is_there(source: Source) -> None:
    types = read_types(source)
    layout = lay_out(source, types, read_resources(source, None), True)
    assert len(types.definitions) > 5_000
    for name in types.definitions:
        if not name.name.startswith("_"):
            place = layout.place(name)
            deep = importlib.import_module(f"aiopenai.{name.module}")
            assert getattr(deep, name.name) is getattr(importlib.import_module(place.module), place.name), name
    assert types.redirects
    for name, target in types.redirects.items():
        place = layout.place(target)
        deep = importlib.import_module(f"aiopenai.{name.module}")
        assert getattr(deep, name.name) is getattr(importlib.import_module(place.module), place.name), name


def test_every_module_of_the_reference_can_be_imported() -> None:
    for name in modules():
        theirs = importlib.import_module(f"openai.{name}")
        ours = importlib.import_module(f"aiopenai.{name}")
        for own, value in vars(theirs).items():
            if inspect.isclass(value) and value.__module__ == theirs.__name__ and not own.startswith("_"):
                assert getattr(ours, own) is not None


def test_as_programs_write_it() -> None:
    from aiopenai.types.chat.chat_completion import ChatCompletion as Same
    from aiopenai.types.chat.chat_completion import Choice
    from aiopenai.types.responses.response_function_web_search import ActionSearch

    from aiopenai.types import chat
    from aiopenai.types.chat import ChatCompletion

    assert Same is ChatCompletion
    assert Choice.__name__ == "ChatCompletionChoice"
    assert ActionSearch.type == "search"
    module: Any = chat
    assert module.chat_completion.Choice is Choice


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("chat.chat_completion", "Chunk"),  # ChatCompletionChunk, but not of this module
        ("chat.chat_completion", "NoSuchThing"),
        ("chat.chat_completion", "__path__"),
    ],
)
def test_names_that_there_are_not(module: str, name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(importlib.import_module(f"aiopenai.types.{module}"), name)


@pytest.mark.parametrize("module", ["nothing", "chat.nothing", "nothing.chat_completion", "chat._hidden", "chat."])
def test_modules_that_there_are_not(module: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"aiopenai.types.{module}")


def test_who_does_not_use_them_does_not_pay() -> None:
    code = (
        "import sys, aiopenai; client = aiopenai.AsyncOpenAI(api_key='k')\n"
        "def loaded(): return [each for each in sys.modules if each.startswith('aiopenai.types')]\n"
        "print(loaded()); client.chat; print('aiopenai.types._modules' in loaded())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]
