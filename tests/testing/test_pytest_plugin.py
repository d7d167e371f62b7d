from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import aiopenai.testing

ROOT = Path(aiopenai.testing.__file__).parents[2]

TESTS = """
import http.client

def ask(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", "/v1/models/gpt-4o", headers={"Authorization": "Bearer x"})
    status = connection.getresponse().status
    connection.close()
    return status

def test_sync(openai_server):
    assert ask(openai_server) == 200
    assert [request.path for request in openai_server.journal] == ["/v1/models/gpt-4o"]

def test_each_test_has_its_own(openai_server):
    assert openai_server.journal == []

def test_async(openai_server):
    import asyncio

    async def main():
        reader, writer = await asyncio.open_connection("127.0.0.1", openai_server.port)
        head = ["GET /v1/models HTTP/1.1", "host: x", "authorization: Bearer x", "connection: close", "", ""]
        writer.write("\\r\\n".join(head).encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()

    asyncio.run(main())
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The plugin by its module, whether or not the package is installed; no plugin for asyncio.
    plugins = ["-p", "no:aiopenai", "-p", "no:asyncio", "-p", "aiopenai.testing.pytest_plugin"]
    code = f"import sys, pytest; sys.path.insert(0, {str(ROOT)!r}); sys.exit(pytest.main())"
    return subprocess.run(
        [sys.executable, "-c", code, *plugins, "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=folder,
        # The options of the suite around it are not its own.
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    done = run(tmp_path, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_loading_the_plugin_loads_no_server() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import aiopenai.testing.pytest_plugin; "
        "sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


RECORDED = """
import http.client

def ask(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path, headers={"Authorization": "Bearer x"})
    status = connection.getresponse().status
    connection.close()
    return status

def test_record(openai_server, tmp_path_factory):
    from aiopenai.testing import Server

    with Server() as upstream:
        openai_server.record("calls", upstream=upstream.base_url)
        assert ask(openai_server, "/v1/models") == 200

def test_replay(openai_server):
    openai_server.replay("calls")
    assert ask(openai_server, "/v1/models") == 200

def test_unknown_request_whose_error_is_swallowed(openai_server):
    openai_server.replay("calls")
    ask(openai_server, "/v1/files")

def test_own_answers(openai_server):
    openai_server.replay("calls", unknown="answer")
    assert ask(openai_server, "/v1/files") == 200
"""


def test_a_replay_fails_the_test_of_an_unknown_request(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(RECORDED)
    done = run(tmp_path, "-q")
    assert "4 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "ERROR test_it.py::test_unknown_request_whose_error_is_swallowed" in done.stdout
    assert "no recorded reply for GET /v1/files; the nearest recorded request is 0001-models.json" in done.stdout
