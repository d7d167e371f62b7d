"""`python -m aiopenai demo` and `serve`, as a shell runs them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from aiopenai import __version__
from aiopenai.__main__ import main
from aiopenai._cli import demo
from aiopenai._cli.target import CommandTarget, target
from aiopenai.testing import Server

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
WITHOUT_RICH = "import sys, runpy; sys.modules['rich'] = None; runpy.run_module('aiopenai', run_name='__main__')"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def environment(**more: str) -> dict[str, str]:
    """This process's environment without variables that lead the demo to another server."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return {**plain, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8", **more}


def run(*arguments: str, python: tuple[str, ...] = ("-m", "aiopenai"), **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, *arguments],
        env=environment(**env),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "aiopenai", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert "Traceback" not in line
    return line


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refuses(base_url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(base_url).port or 0)) != 0


def address(line: str) -> str:
    """The base URL in the demo's second line."""
    return next(word for word in line.split() if word.startswith("http"))


class TestDemo:
    def test_without_a_key_it_starts_a_server(self) -> None:
        done = run("demo")
        assert done.returncode == 0, done.stderr
        assert "a local server" in done.stdout
        assert "You said: Say hello" in done.stdout
        assert "total_tokens" in done.stdout
        assert "2,000 chat calls with asyncio.gather, 100 at a time" in done.stdout
        *_, last = done.stdout.splitlines()
        for word in ("calls per second", "p50", "p99", "us of CPU per call"):
            assert word in last
        assert refuses(address(done.stdout.splitlines()[1]))

    def test_needs_no_library_for_the_progress(self, server: Server) -> None:
        done = run("demo", "--calls", "40", python=("-c", WITHOUT_RICH), OPENAI_BASE_URL=server.base_url)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        for number in (10, 20, 30, 40):
            assert f"{number} of 40 done" in done.stdout

    def test_talks_to_the_server_of_the_environment(self, server: Server) -> None:
        done = run("demo", "--calls", "5", "--model", "gpt-4o", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-x")
        assert done.returncode == 0, done.stderr
        assert f"{server.base_url} (as OPENAI_BASE_URL says)" in done.stdout
        requests = server.requests_for("/chat/completions")
        assert len(requests) == 2 + 5
        assert {request.json()["model"] for request in requests} == {"gpt-4o"}
        assert {request.headers["authorization"] for request in requests} == {"Bearer sk-x"}

    def test_option_wins_over_the_environment(self, server: Server) -> None:
        done = run("demo", "--calls", "1", "--base-url", server.base_url, OPENAI_BASE_URL="http://127.0.0.1:9/v1")
        assert done.returncode == 0, done.stderr
        assert server.request_count == 3

    def test_unreachable_server(self) -> None:
        base_url = f"http://127.0.0.1:{free_port()}/v1"
        done = run("demo", OPENAI_BASE_URL=base_url)
        assert done.returncode == 1
        line = one_line(done.stderr)
        assert line.startswith(f"aiopenai demo: {base_url}: APIConnectionError: Connection error")

    def test_wrong_key(self) -> None:
        with Server(api_key="right") as server:
            done = run("demo", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY="sk-wrong-canary")
        assert done.returncode == 1
        assert "AuthenticationError: Error code: 401" in one_line(done.stderr)
        assert "sk-wrong-canary" not in done.stdout + done.stderr

    def test_unknown_model(self) -> None:
        with Server(models=["llama"]) as server:
            done = run("demo", OPENAI_BASE_URL=server.base_url)
        assert done.returncode == 1
        assert "--model names another model" in one_line(done.stderr)

    def test_failure_in_the_fan_out(self, server: Server) -> None:
        chats = 0

        def fourth(request: Any) -> bool:
            nonlocal chats
            chats += 1
            return chats == 4

        server.fault(status=400, match=fourth)
        done = run(
            "demo", "--calls", "50", "--concurrency", "1", python=("-c", WITHOUT_RICH), OPENAI_BASE_URL=server.base_url
        )
        assert done.returncode == 1
        assert "BadRequestError" in one_line(done.stderr)
        assert server.request_count < 50

    @pytest.mark.parametrize("base_url", ["ftp://127.0.0.1", "nonsense", "http://[::1"])
    def test_impossible_base_url(self, base_url: str) -> None:
        done = run("demo", "--base-url", base_url)
        assert done.returncode == 1
        one_line(done.stderr)

    def test_password_in_the_base_url_is_not_shown(self) -> None:
        done = run("demo", "--base-url", f"http://me:canary@127.0.0.1:{free_port()}/v1")
        assert done.returncode == 1
        assert "canary" not in done.stdout + done.stderr

    @pytest.mark.parametrize("option", ["--calls=0", "--concurrency=-1", "--calls=many", "--nonsense"])
    def test_bad_usage(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["demo", option])
        assert stop.value.code == 2

    @POSIX
    def test_interrupt_ends_it_and_its_server(self) -> None:
        with start("demo", "--calls", "100000", start_new_session=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            base_url = address(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "aiopenai: interrupted" in errors
        assert "Traceback" not in errors
        assert refuses(base_url)

    @POSIX
    def test_its_server_does_not_outlive_it(self) -> None:
        with start("demo", "--calls", "100000", start_new_session=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            base_url = address(process.stdout.readline())
            # A connection of our own tells when the server ends, without asking again and again.
            port = urlsplit(base_url).port or 0
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                process.kill()
                # A kernel resets a connection whose bytes were not read.
                with contextlib.suppress(ConnectionResetError):
                    assert connection.recv(1) == b""
            process.communicate(timeout=30)
        assert refuses(base_url)

    @POSIX
    def test_reader_that_goes_away(self, server: Server) -> None:
        with start("demo", "--base-url", server.base_url, "--calls", "1") as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            errors = process.stderr.read()
        assert process.returncode == 1
        assert "Traceback" not in errors


class TestDemoParts:
    def test_calls_elsewhere_are_few(self) -> None:
        assert demo.default_calls("http://127.0.0.1:8000/v1") == 2_000
        assert demo.default_calls("http://[::1]:8000/v1") == 2_000
        assert demo.default_calls("http://localhost:8000/v1") == 2_000
        assert demo.default_calls("https://api.openai.com/v1") == 20
        assert demo.default_calls("http://10.0.0.1/v1") == 20

    def test_key_alone_means_the_api(self) -> None:
        with target(None, {"OPENAI_API_KEY": "sk-x"}) as whom:
            assert whom.base_url == "https://api.openai.com/v1"
            assert whom.api_key == "sk-x"
            assert not whom.local

    def test_base_url_needs_no_key(self) -> None:
        with target(None, {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": ""}) as whom:
            assert whom.base_url == "http://127.0.0.1:1/v1"
            assert whom.api_key

    def test_percentiles(self) -> None:
        figures = demo.Figures(4, 1.0, [4.0, 1.0, 3.0, 2.0], 0.1)
        assert [figures.percentile(share) for share in (0.0, 0.25, 0.5, 0.51, 0.99, 1.0)] == [1, 1, 2, 3, 4, 4]

    async def test_says_why_it_makes_few_calls(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(demo, "default_calls", lambda base_url: 3)
        said: list[str] = []
        whom = CommandTarget(server.base_url, "test", "a test", local=True)
        figures = await demo.show(whom, lambda *words, **options: said.append(" ".join(words)))
        assert figures.calls == 3
        assert "they may cost money: --calls 2000" in "".join(said)

    async def test_ends_in_time(self, server: Server) -> None:
        server.latency = 0.25
        said: list[str] = []
        whom = CommandTarget(server.base_url, "test", "a test", local=True)
        figures = await demo.show(
            whom, lambda *words, **options: said.append(" ".join(words)), concurrency=1, time_limit=3
        )
        # All 2,000 would take 500 s. A busy machine needs a part of the time for the first calls.
        assert 0 < figures.calls < 12
        assert figures.seconds < 60
        assert "Stopped after 3 s" in "".join(said)
        assert len(asyncio.all_tasks()) == 1

    async def test_silent_server(self, server: Server) -> None:
        server.fault(delay=30, times=None)
        whom = CommandTarget(server.base_url, "test", "a test", local=True)
        with pytest.raises(demo.DemoError, match=r"no answer to the first calls within 0\.2 s"):
            await demo.show(whom, lambda *words, **options: None, time_limit=0.2)

    async def test_server_that_tells_no_usage_and_has_no_choices(self, server: Server) -> None:
        server.reply_with("/chat/completions", {"id": "1", "choices": []}, times=1)
        server.reply_with("/chat/completions", "data: [DONE]\n\n", content_type="text/event-stream", times=1)
        said: list[str] = []
        whom = CommandTarget(server.base_url, "test", "a test", local=True)
        await demo.show(whom, lambda *words, **options: said.append(" ".join(words)), calls=1)
        assert "does not tell" in "".join(said)


class TestServe:
    def test_prints_its_base_url_and_answers(self) -> None:
        with start("serve", "--port", "0") as process:
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            request = urllib.request.Request(f"{base_url}/models", headers={"authorization": "Bearer x"})
            with urllib.request.urlopen(request, timeout=30) as reply:
                assert reply.status == 200
            process.terminate()
            process.communicate(timeout=30)

    def test_tells_how_to_use_it(self) -> None:
        with start("serve", "--port", "0") as process:
            assert process.stdout is not None
            base_url, *exports = (process.stdout.readline().strip() for _ in range(3))
            assert exports == [f"export OPENAI_BASE_URL={base_url}", "export OPENAI_API_KEY=local"]
            process.terminate()
            process.communicate(timeout=30)

    def test_shows_each_request(self) -> None:
        with start("serve", "--port", "0", "--verbose") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            base_url = process.stdout.readline().strip()
            for query in ("", "?limit=1"):
                request = urllib.request.Request(f"{base_url}/files{query}", headers={"authorization": "Bearer canary"})
                with urllib.request.urlopen(request, timeout=30) as reply:
                    assert reply.status == 200
            assert process.stderr.readline() == "GET /v1/files 0 bytes\n"
            assert process.stderr.readline() == "GET /v1/files?limit=1 0 bytes\n"
            process.terminate()
            assert "canary" not in "".join(process.communicate(timeout=30))

    def test_takes_the_port_that_it_is_given(self) -> None:
        port = free_port()
        with start("serve", "--port", str(port), "--latency", "0", "--token-delay", "0") as process:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}/v1"
            process.terminate()
            process.communicate(timeout=30)

    def test_stops_at_the_end_of_its_input(self) -> None:
        with start("serve", "--port", "0", "--until-eof", stdin=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("http://127.0.0.1:")
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert errors == ""

    @POSIX
    def test_interrupt(self) -> None:
        with start("serve", "--port", "0", start_new_session=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert errors.split() == ["aiopenai:", "interrupted"]

    def test_port_that_is_taken(self, server: Server) -> None:
        done = run("serve", "--port", str(server.port))
        assert done.returncode == 1
        assert "cannot listen on 127.0.0.1 port" in one_line(done.stderr)

    @pytest.mark.parametrize("option", ["--port=65536", "--latency=-1", "--token-delay=inf"])
    def test_bad_usage(self, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["serve", option])
        assert stop.value.code == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_no_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
