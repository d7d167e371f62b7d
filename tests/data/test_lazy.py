"""aiopenai._data.lazy: the names of packages of types, and the modules of the reference, when they are first used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from aiopenai._data.lazy import lazily


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package of types with two modules and names from elsewhere."""
    made = ModuleType("aiopenai.types.made_up")
    made.__path__ = []
    for module, names in {
        "replies": {
            "Reply": 1,
            "Both": 2,
            "T": type("T", (), {}),
            "Own": type("Own", (), {"__module__": f"{made.__name__}.replies"}),
        },
        "params": {"ReplyParam": 3, "Both": 4},
    }.items():
        leaf = ModuleType(f"{made.__name__}.{module}")
        vars(leaf).update(names)
        monkeypatch.setitem(sys.modules, leaf.__name__, leaf)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    find, names = lazily(made.__name__, ("replies", "params"), {"chat": "ChatCompletion Renamed=ChatCompletionMessage"})
    vars(made).update(__getattr__=find, __dir__=names)
    return made


def test_names_of_own_modules(package: Any) -> None:
    assert (package.Reply, package.ReplyParam, package.Both) == (1, 3, 2)
    assert "Reply" in vars(package)
    assert package.replies is sys.modules[package.replies.__name__]
    for name in ("Nothing", "nothing", "_private"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(package, name)


def test_names_from_elsewhere(package: Any) -> None:
    from aiopenai.types.chat import ChatCompletion, ChatCompletionMessage

    assert package.ChatCompletion is ChatCompletion
    assert package.Renamed is ChatCompletionMessage
    # A class of another module is not listed, but the names that were asked for are.
    assert {"Own", "Reply", "ReplyParam", "Both", "ChatCompletion", "Renamed"} <= set(dir(package))
    assert "T" not in dir(package)


@pytest.mark.parametrize(
    ("module", "name", "own"),
    [
        ("chat.chat_completion", "ChatCompletion", "chat.ChatCompletion"),
        ("chat.chat_completion", "Choice", "chat.ChatCompletionChoice"),
        ("chat.chat_completion_message", "ChatCompletionMessage", "chat.ChatCompletionMessage"),
        ("responses.response", "Response", "responses.Response"),
        ("completion_usage", "CompletionUsage", "CompletionUsage"),
        ("embedding", "Embedding", "Embedding"),
        ("shared.response_format_text", "ResponseFormatText", "shared.ResponseFormatText"),
    ],
)
def test_modules_of_the_reference(module: str, name: str, own: str) -> None:
    package, _, attribute = f"aiopenai.types.{own}".rpartition(".")
    made = importlib.import_module(f"aiopenai.types.{module}")
    assert getattr(made, name) is getattr(importlib.import_module(package), attribute)
    assert name in vars(made)


def test_names_that_are_not_there() -> None:
    module = importlib.import_module("aiopenai.types.chat.chat_completion")
    for name in ("Chunk", "Nothing", "__nothing__"):
        with pytest.raises(AttributeError, match="has no attribute"):
            getattr(module, name)
    for name in ("chat.chat_completions", "nothing.at_all", "chat._chat_completion"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"aiopenai.types.{name}")


def test_modules_are_made_when_they_are_imported() -> None:
    script = "import sys, aiopenai.types; before = 'aiopenai.types.chat.replies' in sys.modules"
    script += "; from aiopenai.types.chat.chat_completion import Choice; assert not before"
    script += "; assert Choice.__name__ == 'ChatCompletionChoice'"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
