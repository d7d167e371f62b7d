"""Every Python snippet of the README and the guides runs, against the local server; their links lead somewhere.

A snippet runs as what it is: a test module by pytest, one with `await` outside of functions as the inside of a
coroutine that has a `client`, any other as a program.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import contextlib
import importlib
import importlib.util
import inspect
import logging
import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import aiopenai
from aiopenai import AsyncOpenAI
from aiopenai.testing import Server, sign_webhook, webhook_event
from aiopenai.testing.content.pictures import picture
from tests.parity.surface import method_names

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = ROOT / "examples" / "guides"
RESOURCES = GUIDES / "api" / "resources.md"
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted(GUIDES.rglob("*.md"))]
SECRET = "whsec_" + base64.b64encode(b"a secret of some length").decode()
# What the snippets upload.
FILES = {
    "lines.jsonl": b'{"line": 1}\n',
    "locks.md": b"A lock lifts ships from one level of a canal to the next.",
    "river.png": picture("a river"),
}
# What snippets show and the package does without: where it is missing, they cannot run.
OPTIONAL = {"opentelemetry", "pydantic", "uvloop"}
AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Snippet(NamedTuple):
    page: Path
    line: int
    source: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT).with_suffix('')}-line{self.line}"

    @property
    def is_test_module(self) -> bool:
        return "\ndef test_" in self.source

    @property
    def sets_globals(self) -> bool:
        """Whether it changes the package, for all that would run after it."""
        return re.search(r"^aiopenai\.\w+ = ", self.source, re.MULTILINE) is not None

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        needed = set(re.findall(r"^(?:import|from) (\w+)", self.source, re.MULTILINE))
        return [name for name in sorted(needed & OPTIONAL) if importlib.util.find_spec(name) is None]


def snippets() -> Iterator[Snippet]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield Snippet(page, text.count("\n", 0, found.start()) + 2, found[1])


SNIPPETS = list(snippets())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that the environment names, and a directory with the files that the snippets upload."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", SECRET)
    # The vocabularies of the real one come from the network.
    monkeypatch.setitem(sys.modules, "tiktoken", a_tokenizer())
    with Server() as server, logs_restored():
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


def a_tokenizer() -> types.ModuleType:
    """A tiktoken with a token for each word."""
    module: Any = types.ModuleType("tiktoken")
    module.encoding_name_for_model = str
    module.get_encoding = lambda _: types.SimpleNamespace(encode_ordinary=str.split)
    return module


@contextlib.contextmanager
def logs_restored() -> Iterator[None]:
    """Logging as it was before."""
    root, own = logging.getLogger(), logging.getLogger("aiopenai")
    before = root.handlers[:], own.level
    yield
    root.handlers[:], own.level = before[0], before[1]


# Some snippets show APIs that OpenAI has deprecated.
@pytest.mark.filterwarnings(
    "ignore:The Assistants API:DeprecationWarning",
    "ignore:The Sora API:DeprecationWarning",
    "ignore:This method is deprecated:DeprecationWarning",
)
@pytest.mark.parametrize(
    "snippet", [each for each in SNIPPETS if not each.is_test_module], ids=lambda snippet: snippet.name
)
def test_snippet_runs(snippet: Snippet, server: Server) -> None:
    if snippet.missing:
        pytest.skip(f"not installed: {', '.join(snippet.missing)}")
    if snippet.sets_globals:
        in_a_process_of_its_own(snippet.source)
        assert server.request_count
        return
    # Line numbers of a traceback are those of the page.
    code = compile(
        "\n" * (snippet.line - 1) + snippet.source, str(snippet.page), "exec", flags=AWAIT, dont_inherit=True
    )
    names: dict[str, Any] = {"__name__": "__main__", "AsyncOpenAI": AsyncOpenAI}

    async def inside_main() -> None:
        async with AsyncOpenAI() as client:
            names["client"] = client
            await eval(code, names)

    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(inside_main())
    else:
        exec(code, names)
    if "receive" in names:
        asyncio.run(deliver(names["receive"]))
    else:
        sends = re.search(r"\bclient\.\w+[.(]", snippet.source) and not re.search(
            r"\bServer\(|verify_|unwrap\(|\.request\(", snippet.source
        )
        assert server.request_count or not sends


def in_a_process_of_its_own(program: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )


async def deliver(receive: Any) -> None:
    """A webhook of the API's, and a forged one."""
    from aiohttp import ClientSession, web
    from aiohttp.test_utils import TestServer

    app = web.Application()
    app.router.add_post("/", receive)
    payload = webhook_event()
    async with TestServer(app) as receiver, ClientSession() as session:
        for secret, status in ((SECRET, 200), ("whsec_Zm9yZ2Vk", 400)):
            async with session.post(receiver.make_url("/"), data=payload, headers=sign_webhook(payload, secret)) as got:
                assert got.status == status


@pytest.mark.parametrize(
    "snippet", [each for each in SNIPPETS if each.is_test_module], ids=lambda snippet: snippet.name
)
def test_test_module_passes(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "test_snippet.py").write_text(snippet.source, encoding="utf-8")
    # The plugin is named, so that this does not depend on how the package was installed.
    plugin = ["-p", "aiopenai.testing.pytest_plugin"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = {**own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
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
    assert len(SNIPPETS) == sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES) >= 60
    assert any(snippet.is_test_module for snippet in SNIPPETS)


@pytest.mark.parametrize("page", sorted(GUIDES.glob("*.md")), ids=lambda page: page.stem)
def test_each_guide_begins_with_a_complete_program(page: Path) -> None:
    first = next(each for each in SNIPPETS if each.page == page)
    before = "".join(page.read_text(encoding="utf-8").splitlines(keepends=True)[: first.line])
    assert "\n## " not in before
    code = compile(first.source, str(page), "exec", flags=AWAIT, dont_inherit=True)
    assert not code.co_flags & inspect.CO_COROUTINE
    assert "import " in first.source


def test_snippets_are_as_wide_as_the_code() -> None:
    wide = [line for snippet in SNIPPETS for line in snippet.source.splitlines() if len(line) > 120]
    assert wide == []


def test_readme_is_short() -> None:
    assert README.count("\n") <= 250


def test_two_commands_do_everything() -> None:
    commands = [line.strip() for line in README.splitlines() if line.startswith("    pip install")]
    assert commands == ["pip install . && python -m aiopenai demo", "pip install -e '.[test]' && python -m pytest"]


def headings(page: Path) -> set[str]:
    """The anchors of all headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?://)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        there = (page.parent / path) if path else page
        assert there.exists(), link
        assert not anchor or anchor in headings(there), link


def test_every_guide_is_listed() -> None:
    index = (GUIDES / "index.md").read_text(encoding="utf-8")
    for page in GUIDES.glob("*.md"):
        if page.stem != "index":
            assert f"]({page.name})" in index, page.name
            assert f"](examples/guides/{page.name})" in README, page.name


def test_every_example_is_listed() -> None:
    listed = set(
        re.findall(r"\]\(([\w.]+\.(?:py|ipynb|diff))\)", (ROOT / "examples" / "README.md").read_text(encoding="utf-8"))
    )
    kinds = {".py", ".ipynb", ".diff"}
    assert listed == {path.name for path in (ROOT / "examples").iterdir() if path.suffix in kinds}


# The doors of the package beside its own names. Not `dropin`: its import changes others.
DOORS = (
    *("hooks", "limits", "retry", "response", "pagination", "tokens", "otel", "distributed", "testing"),
    *("auth", "providers"),
)


def test_api_pages_have_every_public_name() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (GUIDES / "api").glob("*.md"))
    hidden = {"NoneType", "VERSION", "__title__", "__version__", "types"}
    public = {*aiopenai.__all__, "AzureOpenAI", "AsyncAzureOpenAI"} - hidden
    missing = [name for name in public if f"## `aiopenai.{name}`" not in pages]
    for door in DOORS:
        names = importlib.import_module(f"aiopenai.{door}").__all__
        missing += [f"{door}.{name}" for name in names if f"## `aiopenai.{door}.{name}`" not in pages]
    missing += [name for name in aiopenai.__annotations__ if name[0] != "_" and f"`aiopenai.{name}`" not in pages]
    assert missing == []


def test_api_pages_have_every_method() -> None:
    rows = re.findall(r"^\| `(client\.[\w.]+)` \| (.+) \|$", RESOURCES.read_text(encoding="utf-8"), re.MULTILINE)
    listed = [f"{path}.{name}" for path, methods in rows for name in re.findall(r"`(\w+)`", methods)]
    assert sorted(listed) == sorted(f"client.{name}" for name in method_names())


def test_the_site_lists_every_page() -> None:
    # Read as text: YAML needs a package.
    listed = re.findall(r"^ +- .+: ([\w/-]+\.md)$", (ROOT / ".mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(str(page.relative_to(GUIDES)) for page in GUIDES.rglob("*.md"))


def test_named_files_exist() -> None:
    tree = README.partition("## Contributing\n")[2]
    names: set[Any] = set(re.findall(r"[a-z_]+\.py\b|(?<!\S)[a-z_]+/(?=\s|$)", tree))
    assert {"retry.py", "benchmarks/", "testing/"} <= names
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "aiopenai" / name).exists() or (ROOT / "tests" / name).exists(), name
