"""What editors show: hover, signatures and completion, by pyright's language server and by jedi."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HEAD = """\
import aiopenai
from aiopenai import AsyncOpenAI, OpenAI
client, blocking = AsyncOpenAI(), OpenAI()
reply = blocking.chat.completions.create(model="gpt-4o", messages=[])
"""
# An expression, and pieces of what is shown where the pointer rests on its last name.
HOVER = {
    "client.chat.completions.create": ("def create(", "messages:", "POST /chat/completions", "temperature:"),
    "blocking.chat.completions.create": ("def create(", "-> ChatCompletion", "Generates a reply"),
    "client.responses.create": ("def create(", "POST /responses", "input:"),
    "client.models.retrieve": ("def retrieve(", "model: str", "timeout:", "GET /models/{model}"),
    "client.files.list": ("def list(", "AsyncPaginator[FileObject", "limit:"),
    "client.chat.completions.with_raw_response.create": ("def create(", "LegacyAPIResponse[ChatCompletion]"),
    "client.files.with_streaming_response.content": ("def content(", "AsyncResponseContextManager["),
    "blocking.embeddings.as_request.create": ("def create(", "Request[CreateEmbeddingResponse]"),
    "aiopenai.chat.completions.create": ("def create(", "Stream[ChatCompletionChunk]"),
    "client.videos.poll": ("def poll(", "Deprecated: The Sora API ends"),
    "reply.choices": ("choices: list[ChatCompletionChoice]",),
}
# The beginning of an expression, and names that complete it.
COMPLETION = {
    "client.": ("chat", "responses", "with_raw_response"),
    "client.chat.completions.": ("create", "parse", "stream", "messages"),
    "blocking.chat.completions.with_raw_response.": ("create", "parse"),
    "client.chat.completions.create(mod": ("model=", "modalities="),
    "client.responses.create(tim": ("timeout=",),
    "client.files.list(ord": ("order=",),
    "aiopenai.embeddings.create(dim": ("dimensions=",),
    "reply.": ("choices", "usage", "to_dict"),
    "reply.choices[0].message.": ("content", "tool_calls"),
    "blocking.models.": ("list", "retrieve", "delete"),
}


class LanguageServer:
    """A language server that answers one question at a time."""

    def __init__(self, folder: Path) -> None:
        command = shutil.which("pyright-langserver", path=str(Path(sys.executable).parent))
        if command is None:
            pytest.skip("needs pyright: pip install 'aiopenai[dev]'")
        self._process = subprocess.Popen([command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        self._count = 0
        self._version = 0
        self._root = folder
        settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "off"}
        (folder / "pyrightconfig.json").write_text(json.dumps(settings))
        hover = {"contentFormat": ["plaintext"]}
        capabilities = {"textDocument": {"hover": hover}, "workspace": {"configuration": True}}
        where = {"rootUri": folder.as_uri(), "workspaceFolders": [{"uri": folder.as_uri(), "name": "case"}]}
        self.ask("initialize", processId=None, capabilities=capabilities, **where)
        self._send({"method": "initialized", "params": {}})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while header := self._process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        if not length:
            pytest.skip("pyright's language server cannot run here")
        found: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return found

    def _handle(self, message: dict[str, Any]) -> None:
        """Answers a question of the server: it asks for settings, and finds most of them in the file."""
        if "method" in message and "id" in message:
            items = message["params"].get("items", ()) if message["method"] == "workspace/configuration" else ()
            # The packages that the types come from are those of this interpreter, wherever PATH leads.
            found = [{"pythonPath": sys.executable} if item.get("section") == "python" else {} for item in items]
            self._send({"id": message["id"], "result": found or None})

    def ask(self, method: str, **params: Any) -> Any:
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while "method" in (message := self._receive()) or message.get("id") != self._count:
            self._handle(message)
        return message.get("result")

    def at_the_end(self, method: str, text: str) -> Any:
        """The answer for the last character of a text."""
        self._version += 1
        uri = (self._root / "case.py").as_uri()
        document = {"uri": uri, "languageId": "python", "version": self._version, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        # The server publishes diagnostics when it has analyzed the document. Earlier answers may be empty.
        while (params := (message := self._receive()).get("params", {})).get("version") != self._version:
            self._handle(message)
        assert message["method"] == "textDocument/publishDiagnostics"
        assert params["uri"] == uri
        line = text.count("\n")
        column = len(text) - text.rfind("\n") - 1 - (method == "textDocument/hover")
        try:
            return self.ask(method, textDocument={"uri": uri}, position={"line": line, "character": column})
        finally:
            self._send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


# On a busy machine the first answer takes half a minute.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def pyright(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    server = LanguageServer(tmp_path_factory.mktemp("case"))
    yield server
    server.close()


@pytest.mark.parametrize("expression", HOVER)
def test_hover_in_pyright(pyright: LanguageServer, expression: str) -> None:
    shown = pyright.at_the_end("textDocument/hover", HEAD + expression)["contents"]["value"]
    assert [piece for piece in HOVER[expression] if piece not in shown] == [], shown


@pytest.mark.parametrize("start", COMPLETION)
def test_completion_in_pyright(pyright: LanguageServer, start: str) -> None:
    answer = pyright.at_the_end("textDocument/completion", HEAD + start)
    names = {item["label"] for item in answer["items"]}
    assert {*COMPLETION[start]} <= names
    assert not {"perform", "open_response"} & names or start == "client."


@pytest.fixture(scope="module")
def jedi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    jedi = pytest.importorskip("jedi", reason="needs jedi: pip install 'aiopenai[dev]'")
    with pytest.MonkeyPatch.context() as monkeypatch:
        # The usual directory belongs to all processes of the user, and a file there may be half written.
        monkeypatch.setattr(jedi.settings, "cache_directory", str(tmp_path_factory.mktemp("jedi")))
        yield jedi


@pytest.mark.parametrize("start", COMPLETION)
def test_completion_in_jedi(jedi: Any, start: str) -> None:
    script = jedi.Script(HEAD + start, path=ROOT / "case.py", project=jedi.Project(ROOT))
    assert {*COMPLETION[start]} <= {item.name for item in script.complete()}


@pytest.mark.parametrize("expression", [each for each in HOVER if "choices" not in each])
def test_signatures_in_jedi(jedi: Any, expression: str) -> None:
    script = jedi.Script(f"{HEAD}{expression}(", path=ROOT / "case.py", project=jedi.Project(ROOT))
    names = {parameter.name for found in script.get_signatures() for parameter in found.params}
    assert {"timeout", "extra_headers"} <= names
    assert len(names) > 9
    documented = script.get_signatures()[-1].docstring(raw=True)
    assert documented, expression
