"""Every example runs, against the local server."""

from __future__ import annotations

import ast
import asyncio
import base64
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from aiopenai.testing import Server, sign_webhook, webhook_event
from aiopenai.testing.content.catalogue import MODELS
from tests.auth import certificates

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
# Those that wait for requests or keys: tests of their own make some.
SERVICES = {"django_view", "fastapi_service", "fastapi_sse", "push_to_talk", "webhooks"}
# Those that pytest runs.
TESTS = {"recorded_test"}
# Packages that examples need beside this one.
NEEDS = {
    "celery_worker": "celery",
    "django_view": "django",
    "fastapi_service": "fastapi",
    "fastapi_sse": "fastapi",
    "map_parquet": "pyarrow",
    "otel_costs": "opentelemetry.sdk",
    "prometheus_hooks": "prometheus_client",
    "push_to_talk": "numpy",
    "structured_pydantic": "pydantic",
    "tools_early": "pydantic",
}
# The warnings that examples of deprecated APIs give.
DEPRECATED = {"assistants": ("This method is deprecated", "The Assistants API is deprecated")}
# The variables of the example of Azure. Others would see a program that may mean both services.
AZURE = {"AZURE_OPENAI_API_KEY": "test", "OPENAI_API_VERSION": "2024-10-21"}
SECRET = "whsec_" + base64.b64encode(b"a secret of some length").decode()

# A module `sounddevice` for a computer without a sound card.
SOUND_CARD = """
import atexit, numpy, os
from tests.helpers.sound_card import SoundCard
card = SoundCard()
card.spoken = numpy.full((12_000, 1), 9_000, numpy.int16)
card.on_spoken = lambda: os.write(1, b"the card has spoken\\n")
CallbackStop, PortAudioError = card.CallbackStop, card.PortAudioError
InputStream, OutputStream = card.InputStream, card.OutputStream
atexit.register(lambda: print("the card has played" if card.played and card.heard.any() else "silence"))
"""


@pytest.fixture
def server() -> Iterator[Server]:
    # Its own list of models: without one, a server accepts any name.
    with Server(models=MODELS) as server:
        yield server


def needed(name: str) -> None:
    """Skip where an example cannot run."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])


def environment(example: Path, server: Server) -> dict[str, str]:
    return {
        **os.environ,
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_API_KEY": "test",
        "OPENAI_WEBHOOK_SECRET": SECRET,
        "PYTHONPATH": str(example.parents[1]),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        **(AZURE if example.stem == "azure" else {}),
        **({"AZURE_OPENAI_ENDPOINT": server.azure_endpoint} if example.stem == "azure" else {}),
    }


def run(
    example: Path, server: Server, *arguments: str, folder: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    ignored = [f"-Wignore:{text}:DeprecationWarning" for text in DEPRECATED.get(example.stem, ())]
    return subprocess.run(
        # Not in the development mode, in which asyncio complains of turns that take long on a busy machine.
        [sys.executable, "-W", "error", *ignored, str(example), *arguments],
        env={**environment(example, server), **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        cwd=folder,
    )


@pytest.mark.parametrize(
    "example", [path for path in EXAMPLES if path.stem not in SERVICES | TESTS], ids=lambda path: path.stem
)
def test_example_runs(example: Path, server: Server, tmp_path: Path) -> None:
    needed(example.stem)
    done = run(example, server, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""
    assert server.request_count


def test_recorded_test_needs_the_server_once(server: Server, tmp_path: Path) -> None:
    path = example("recorded_test")
    plugins = ["-p", "no:aiopenai", "-p", "aiopenai.testing.pytest_plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, str(path)]
    for variables in ({}, {"CI": "true"}):
        own = {name: value for name, value in environment(path, server).items() if not name.startswith("PYTEST_")}
        own.pop("CI", None)
        done = subprocess.run(
            command,
            env={**own, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout
        assert server.request_count == 1
    assert (tmp_path / "recordings" / "summary" / "0001-responses.reply.sse").exists()


def example(name: str) -> Path:
    return next(path for path in EXAMPLES if path.stem == name)


def test_chat_prints_the_answer(server: Server) -> None:
    server.answer = "Water takes the easy way."
    done = run(example("chat"), server, "Why?")
    assert done.stdout.startswith("Water takes the easy way.\n")
    (request,) = server.requests_for("/chat/completions")
    assert request.json()["messages"][-1] == {"role": "user", "content": "Why?"}


def test_streaming_says_how_far_it_came(server: Server) -> None:
    server.answer = "A long story."
    server.fault(cut_after=2500, match="/responses")
    done = run(example("streaming"), server)
    assert done.returncode == 1
    assert "APIConnectionError after" in done.stderr
    assert "Traceback" not in done.stderr


def test_fan_out_goes_on_after_a_failure(server: Server) -> None:
    server.answer = "7"
    server.fault(status=400, times=1)
    done = run(example("fan_out"), server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": 7\n") == 9
    assert done.stdout.count("Error code: 400") == 1


def test_tools_are_called_until_there_is_an_answer(server: Server) -> None:
    server.answer = "Quite high."
    done = run(example("tools"), server)
    assert done.stdout.splitlines() == ['water_level({"town":"Basel"}) = 6.21', "Quite high."]
    last = server.requests_for("/chat/completions")[-1].json()["messages"]
    assert [message["role"] for message in last] == ["user", "assistant", "tool"]


def test_vision_sends_a_file(server: Server, tmp_path: Path) -> None:
    images = run(example("images"), server, str(tmp_path), "A heron")
    assert images.stdout.split() == ["rough0.png", "rough1.png", "274", "tokens", "image.png"]
    done = run(example("vision"), server, str(tmp_path / "image.png"))
    assert done.stdout.endswith("[seen: png of 16 x 16]\n")


def test_audio_is_heard_as_it_was_said(server: Server) -> None:
    done = run(example("audio"), server, "Panta rhei,", "said nobody.")
    assert done.stdout.splitlines()[1:] == ["Panta rhei, said nobody."]


def test_errors_are_told_apart(server: Server) -> None:
    server.fault(status=429, headers={"retry-after-ms": "1", "retry-after": "7"}, times=4)
    done = run(example("errors"), server)
    first, second, third = done.stdout.splitlines()
    assert first == "too fast: 7 s to wait"
    assert second.startswith("model_not_found: no model 'gpt-none' (request req_")
    assert third.startswith("no connection: ")


def test_batches_have_failures_in_a_file_of_their_own(server: Server) -> None:
    def answer(text: str) -> str:
        if "Rhine" in text:
            raise ValueError("no rhyme")
        return "In the sea."

    server.answer = answer
    done = run(example("batches"), server)
    assert done.returncode == 0, done.stderr
    assert "Danube: In the sea." in done.stdout
    assert "Rhine: {'message': 'The server had an error" in done.stdout


async def test_webhooks_are_received_and_forgeries_refused(server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = example("webhooks")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(path), str(port)),
        env=environment(path, server),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        # Printed once it listens.
        assert b"Running on" in await asyncio.wait_for(process.stdout.readline(), 30)
        payload = webhook_event("batch.completed", {"id": "batch_1"})
        headers = sign_webhook(payload, SECRET)
        url = f"http://127.0.0.1:{port}/webhook"
        async with aiohttp.ClientSession() as session:
            async with session.post(url, data=payload, headers=headers) as reply:
                assert reply.status == 204
            async with session.post(url, data=payload.replace(b"batch_1", b"batch_2"), headers=headers) as reply:
                assert reply.status == 400
    finally:
        process.terminate()
        out, err = await process.communicate()
    assert b"batch.completed\n" in out
    assert b"refused: " in out
    assert err == b""


async def test_fastapi_passes_words_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("fastapi_service")
    module = loaded("fastapi_service", server, monkeypatch)
    server.answer = "All flows."
    async with module.lifespan(module.app):
        assert await get(module.app, "/ask", question="Why?") == (200, ["All", " flows", "."])
        server.fault(status=400)
        status, pieces = await get(module.app, "/ask", question="Why?")
        assert status == 502
        assert "the model refused" in "".join(pieces)
        server.fault(cut_after=2500)
        status, pieces = await get(module.app, "/ask", question="Why?")
        assert status == 200
        assert pieces[-1] == "\n[broken off: APIConnectionError]"


def enter(example: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives this process the environment of an example."""
    for variable, value in environment(example, server).items():
        monkeypatch.setenv(variable, value)


def loaded(name: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An example as a module, in an environment that names the server."""
    enter(example(name), server, monkeypatch)
    spec = importlib.util.spec_from_file_location(name, example(name))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Frameworks look a module up by its name.
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


async def test_fastapi_sends_events_to_a_browser(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    needed("fastapi_sse")
    module = loaded("fastapi_sse", server, monkeypatch)
    server.answer = "All\nflows."
    async with module.lifespan(module.app):
        status, pieces = await get(module.app, "/")
        assert (status, "EventSource" in "".join(pieces)) == (200, True)
        status, pieces = await get(module.app, "/events", question="Why?")
        blocks = [block.splitlines() for block in "".join(pieces).split("\n\n") if block]
        texts = [json.loads(data.removeprefix("data: ")) for name, data in blocks if name == "event: message"]
        assert ("".join(texts), blocks[-1][0]) == ("All\nflows.", "event: end")
        server.fault(status=400)
        status, pieces = await get(module.app, "/events", question="Why?")
        assert (status, pieces[-1].partition("\n")[0]) == (200, "event: failure")


DJANGO = """
import asyncio
from django.test import AsyncClient
import django_view

async def main():
    for question in ("Why?", "refuse"):
        reply = await AsyncClient().get("/ask", {"question": question})
        parts = [part async for part in reply] if reply.streaming else [reply.content]
        print(reply.status_code, b"".join(parts).decode())
    await django_view.client.close()

asyncio.run(main())
"""


def test_django_streams(server: Server) -> None:
    needed("django_view")
    server.answer = "All flows."
    server.fault(status=400, times=None, match=lambda request: b"refuse" in request.body)
    path = example("django_view")
    variables = environment(path, server)
    variables["PYTHONPATH"] += os.pathsep + str(path.parent)
    # In a process of its own: Django can be configured once.
    done = subprocess.run(
        [sys.executable, "-c", DJANGO], env=variables, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.splitlines() == ["200 All flows.", '502 {"error": "BadRequestError"}'], done.stderr


def test_celery_repeats_after_a_refusal(server: Server) -> None:
    needed("celery_worker")
    server.answer = "Wide."
    server.fault(status=429, headers={"retry-after-ms": "1", "retry-after": "0.01"}, times=1)
    done = run(example("celery_worker"), server)
    assert done.stdout.splitlines() == ["Danube: Wide.", "Nile: Wide."], done.stderr
    assert server.request_count == 3


def test_otel_shows_costs(server: Server) -> None:
    needed("otel_costs")
    done = run(example("otel_costs"), server)
    assert re.search(r"^chat gpt-4o: \d+ tokens read, \d+ written, \$0\.000\d*[1-9]", done.stdout, re.MULTILINE)
    assert "app.llm.cost 2 series" in done.stdout


def test_prometheus_counts(server: Server) -> None:
    needed("prometheus_hooks")
    server.fault(status=500, times=1)
    done = run(example("prometheus_hooks"), server)
    assert 'llm_calls_total{model="gpt-4o-mini",outcome="ok"} 2.0' in done.stdout
    assert 'llm_retries_total{model="gpt-4o-mini",reason="InternalServerError"} 1.0' in done.stdout
    assert 'llm_first_event_seconds_count{model="gpt-4o-mini"} 1.0' in done.stdout


class TestNotebook:
    PATH = EXAMPLES[0].parent / "notebook.ipynb"

    def test_each_cell_runs(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without Jupyter: cells are compiled as IPython does, and the last value of each is its output."""
        pytest.importorskip("rich")
        enter(self.PATH, server, monkeypatch)
        server.answer = "The <Danube>."
        shown = asyncio.run(run_cells(json.loads(self.PATH.read_text(encoding="utf-8"))["cells"]))
        html = [value._repr_html_() for value in shown if hasattr(value, "_repr_html_")]
        assert ["Response" in html[0], "The &lt;Danube&gt;." in html[0], "AsyncPage" in html[1]] == [True] * 3
        assert ["The <Danube>."] * 3 in shown

    def test_jupyter_executes_it(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        nbformat = pytest.importorskip("nbformat")
        nbclient = pytest.importorskip("nbclient")
        pytest.importorskip("ipykernel")
        enter(self.PATH, server, monkeypatch)
        with warnings.catch_warnings():
            # Jupyter's own.
            warnings.simplefilter("ignore")
            book = nbformat.read(self.PATH, as_version=4)
            nbclient.NotebookClient(book, timeout=60).execute()
        shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
        assert any("<b>Response</b>" in output.get("data", {}).get("text/html", "") for output in shown)


async def run_cells(cells: list[dict[str, Any]]) -> list[Any]:
    names: dict[str, Any] = {}
    shown = []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        if isinstance(last, ast.Expr):
            target = ast.copy_location(ast.Name("_", ast.Store()), last)
            tree.body[-1] = ast.copy_location(ast.Assign([target], last.value), last)
        code = compile(ast.fix_missing_locations(tree), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = types.FunctionType(code, names)()
        if waiting is not None:
            await waiting
        if isinstance(last, ast.Expr):
            shown.append(names["_"])
    return shown


async def get(app: Any, path: str, **query: str) -> tuple[int, list[str]]:
    """Returns the answer of an ASGI application, without a server in between: status and pieces of the body."""
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            # The client stays until it has read all.
            await asyncio.get_running_loop().create_future()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlencode(query).encode(),
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    await app(scope, receive, send)
    return sent[0]["status"], [message["body"].decode() for message in sent[1:] if message.get("body")]


def test_azure_tells_of_a_filtered_prompt(server: Server) -> None:
    server.azure_filter = "prompt"
    done = run(example("azure"), server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the prompt was filtered:")


def test_openrouter_shows_the_words_of_the_provider(server: Server) -> None:
    metadata = {"raw": '{"error": {"message": "too many tokens"}}', "provider_name": "Example"}
    server.fault(status=400, body={"error": {"message": "Provider returned error", "metadata": metadata}})
    done = run(example("server_openrouter"), server)
    assert "too many tokens" in done.stdout
    assert server.journal[0].headers["x-title"] == "Example"


def programs(guide: str) -> list[str]:
    """The Python of a guide, block by block."""
    text = (EXAMPLES[0].parent / "guides" / guide).read_text(encoding="utf-8")
    return [block.partition("```")[0] for block in text.split("```python\n")[1:]]


def printed(program: str) -> str:
    """What a program writes that needs no server: it has one of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES[0].parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_clouds_guide() -> None:
    first, *others = programs("clouds.md")
    assert printed(first).splitlines()[1::2] == ["filtered: content_filter", "tokens issued: 1"]
    # The others make clients, and send nothing.
    assert others
    for block in others:
        exec(compile(block, "clouds.md", "exec"), {})


def test_the_guide_to_realtime_begins_with_a_program_that_runs() -> None:
    assert printed(programs("realtime.md")[0]) == "It begins at Lake Toma.\n"


def test_mutual_tls_shows_its_certificate(tmp_path: Path) -> None:
    contexts = certificates.make(tmp_path)
    files = {"CA_BUNDLE": "authority.pem", "CERTIFICATE_CHAIN": "client.pem", "PRIVATE_KEY": "client.key"}
    variables = {f"OPENAI_MTLS_{name}": str(tmp_path / file) for name, file in files.items()}
    with Server(ssl=contexts.server) as server:
        done = run(example("mutual_tls"), server, **variables)
        assert done.returncode == 0, done.stderr
        assert server.request_count == 1
        # Without a certificate of its own, the program is not let in.
        del variables["OPENAI_MTLS_CERTIFICATE_CHAIN"]
        assert run(example("mutual_tls"), server, **variables).returncode == 1
        assert server.request_count == 1


def test_realtime_prints_each_answer(server: Server) -> None:
    done = run(example("realtime_text"), server, "one", "two")
    assert done.stdout.splitlines() == ["You said: one", "You said: two"]


def test_the_phone_presses_each_key(server: Server) -> None:
    done = run(example("realtime_phone"), server)
    assert done.stdout.splitlines() == ["pressed 4", "pressed 2", "pressed #", "closed: close_requested"]


def test_push_to_talk_with_a_sound_card_that_is_none(server: Server, tmp_path: Path) -> None:
    """The card speaks for half a second, and says so; the example sends it, and plays the answer."""
    needed("push_to_talk")
    (tmp_path / "sounddevice.py").write_text(SOUND_CARD)
    path = example("push_to_talk")
    places = os.pathsep.join([str(tmp_path), str(path.parents[1])])
    talking = subprocess.Popen(
        [sys.executable, "-W", "error", str(path)],
        env={**environment(path, server), "PYTHONPATH": places},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with talking:
        assert talking.stdin is not None
        assert talking.stdout is not None
        seen: list[str] = []
        try:
            for line in talking.stdout:
                seen.append(line.strip())
                key = {"Enter to speak, q to end.": "\n", "the card has spoken": "\n"}.get(seen[-1])
                if key is not None:
                    talking.stdin.write("q\n" if seen.count(seen[-1]) == 2 else key)
                    talking.stdin.flush()
        finally:
            talking.kill()
        assert talking.stderr is not None
        # The prompt and the card write at the same time.
        assert [seen[0], *sorted(seen[1:3]), *seen[3:]] == [
            "Enter to speak, q to end.",
            "Recording. Enter ends it.",
            "the card has spoken",
            "You said: 0.5 seconds of speech",
            "Enter to speak, q to end.",
            "the card has played",
        ], talking.stderr.read()
