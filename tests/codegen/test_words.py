"""The words of docstrings: complete, tied to names that exist, readable, and our own."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

import aiopenai._codegen
from aiopenai import AsyncOpenAI

WORDS = Path(aiopenai._codegen.__file__).parent / "words"
FILES = ("methods",)
WIDTH = 120
RIDDLES = re.compile(
    r"\b(what|who|whoever|whom|whose|nobody|somebody|anybody|everybody|everything)\b",
    re.IGNORECASE,
)

# Methods of the reference that have words before the package has the method.
AHEAD = frozenset({
    "beta.agents.environments.files.prepare",
    "beta.agents.environments.files.prepare_directory",
    "beta.agents.environments.files.upload",
    "beta.agents.sessions.artifacts.for_result",
    "beta.agents.sessions.stream",
    "beta.realtime.connect",
    "beta.responses.connect",
    "live.connect",
    "live.forks.connect",
    "live.sideband.connect",
    "realtime.connect",
    "realtime.translations.connect",
    "responses.connect",
})  # fmt: skip


def read(name: str) -> dict[str, str]:
    """Returns the entries of a file: key and text, continuation lines joined."""
    found: dict[str, str] = {}
    key = ""
    for line in (WORDS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            found[key] += f" {line[2:]}"
        else:
            key, _, found[key] = line.partition(": ")
    return found


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z`])", text)


def plain(text: str) -> str:
    """Returns a sentence in lower case without its punctuation, for comparisons."""
    return re.sub(r"[^a-z0-9 ]", "", " ".join(text.lower().split()))


def _methods(resource: Any, path: tuple[str, ...], parents: tuple[type, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dir(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        value = getattr(resource, name)
        if type(value).__module__.startswith("aiopenai.resources"):
            if type(value) not in parents:
                found |= _methods(value, (*path, name), (*parents, type(value)))
        elif path and callable(value):
            parameters = signature(value).parameters.values()
            found[".".join((*path, name))] = [p.name for p in parameters if p.kind is not Parameter.VAR_KEYWORD]
    return found


@pytest.fixture(scope="module")
def methods() -> dict[str, list[str]]:
    """All methods of the client: dotted path and parameter names."""
    return _methods(AsyncOpenAI(api_key="k", base_url="http://127.0.0.1/v1"), (), (AsyncOpenAI,))


@pytest.fixture(scope="module")
def reference() -> set[str]:
    """The sentences of the reference's docstrings, those of attributes included."""
    spec = find_spec("openai")
    if spec is None or spec.origin is None:
        pytest.skip("needs the package openai: pip install 'aiopenai[codegen]'")
    found: set[str] = set()
    for file in Path(spec.origin).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                found.update(plain(part) for part in re.split(r"(?<=[.:!?])\s|\n\s*\n", node.value.value))
    return found


@pytest.mark.parametrize("name", FILES)
def test_format(name: str) -> None:
    text = (WORDS / f"{name}.txt").read_text(encoding="utf-8")
    assert text.endswith("\n")
    lines = text.splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines if line != line.rstrip()] == []
    starts = [line for line in lines if not line.startswith("  ")]
    assert [line for line in starts if not re.match(r"[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*: \S", line)] == []
    assert [line for line in lines if line.startswith("   ")] == []
    keys = [line.partition(": ")[0] for line in starts]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("name", FILES)
def test_plain_english(name: str) -> None:
    for key, text in read(name).items():
        assert text.endswith("."), key
        assert not RIDDLES.search(text), key
        assert text.count("`") % 2 == 0, key
        assert [part for part in sentences(text) if len(part.split()) > 25] == [], key


@pytest.mark.parametrize("name", FILES)
def test_own_words(name: str, reference: set[str]) -> None:
    for key, text in read(name).items():
        for part in sentences(text):
            assert len(part.split()) < 8 or plain(part) not in reference, key


def test_methods(methods: dict[str, list[str]]) -> None:
    words = read("methods")
    assert methods.keys() - words.keys() == set()
    assert words.keys() - methods.keys() - AHEAD == set()
    for key, text in words.items():
        assert len(sentences(text)) == 1, key
        verb = text.split()[0]
        assert verb[0].isupper(), key
        assert verb.endswith("s"), key
