"""Every Python snippet of the README runs, against the local server."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Snippet(NamedTuple):
    line: int
    source: str

    @property
    def is_test_module(self) -> bool:
        return "\ndef test_" in self.source


def snippets() -> Iterator[Snippet]:
    for found in re.finditer(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        yield Snippet(README.count("\n", 0, found.start()) + 2, found[1])


SNIPPETS = list(snippets())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that the environment names, and a directory with the file that the snippets upload."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.jsonl").write_text('{"line": 1}\n')
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        yield server


@pytest.mark.parametrize(
    "snippet", [each for each in SNIPPETS if not each.is_test_module], ids=lambda snippet: f"line{snippet.line}"
)
def test_snippet_runs(snippet: Snippet, server: Server) -> None:
    # Line numbers of a traceback are those of the README.
    code = compile(
        "\n" * (snippet.line - 1) + snippet.source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )

    async def inside_main() -> None:
        async with AsyncOpenAI() as client:
            await eval(code, {"client": client, "AsyncOpenAI": AsyncOpenAI})

    if "asyncio.run(" in snippet.source:
        exec(code, {"__name__": "__main__"})
    else:
        asyncio.run(inside_main())
    assert server.request_count


@pytest.mark.parametrize(
    "snippet", [each for each in SNIPPETS if each.is_test_module], ids=lambda snippet: f"line{snippet.line}"
)
def test_test_module_passes(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "test_snippet.py").write_text(snippet.source, encoding="utf-8")
    # The plugin is named, so that this does not depend on how the package was installed.
    plugin = ["-p", "aiopenai.testing.pytest_plugin"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *plugin, "test_snippet.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_snippets_were_found() -> None:
    assert len(SNIPPETS) == README.count("```python") >= 10
    assert any(snippet.is_test_module for snippet in SNIPPETS)


def test_two_commands_do_everything() -> None:
    commands = [line.strip() for line in README.splitlines() if line.startswith("    pip install")]
    assert commands == ["pip install . && python -m aiopenai demo", "pip install -e '.[test]' && python -m pytest"]


def test_named_files_exist() -> None:
    tree = README.partition("## The project")[2]
    names: set[Any] = set(re.findall(r"[a-z_]+\.py\b|(?<!\S)[a-z_]+/(?=\s|$)", tree))
    assert {"client.py", "benchmarks/", "testing/"} <= names
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "aiopenai" / name).exists() or (ROOT / "tests" / name).exists(), name
