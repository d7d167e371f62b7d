"""`python -m aiopenai serve --record` and `--replay`, as a shell runs them, and options that do not go together."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aiopenai.testing import Server
from tests.cli.test_main import start

Command = Callable[..., tuple[int, str, str]]


@contextmanager
def serving(*options: str | Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port of a server that runs in a process of its own until its input ends."""
    with start("serve", "--port", "0", "--until-eof", *map(str, options), stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline().rpartition(":")[2].removesuffix("/v1\n")), process
            process.stdin.close()
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


def ask(port: int, text: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})
    connection.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer a-key-that-is-secret"})
    reply = connection.getresponse()
    got = reply.status, reply.read()
    connection.close()
    return got


def test_record_and_replay(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    with Server() as upstream, serving("--record", folder, "--upstream", upstream.base_url) as (port, _):
        recorded = ask(port, "Hello")
    assert recorded[0] == 200
    assert all(b"a-key-that-is-secret" not in path.read_bytes() for path in folder.iterdir())
    with serving("--replay", folder, "--ignore", "user", "--speed", "100") as (port, process):
        assert ask(port, "Hello") == recorded
        status, message = ask(port, "Bye")
        assert status == 404
        assert process.stderr is not None
        shown = [process.stderr.readline() for _ in range(2)]
    assert shown[0].startswith("no recorded reply for POST /v1/chat/completions; the nearest recorded request is 0001")
    assert shown[1].strip() in json.loads(message)["error"]["message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--record a --replay b", "give one of --record and --replay"),
        ("--upstream http://x/v1", "--upstream needs --record FOLDER"),
        ("--replay a --upstream http://x/v1", "--upstream needs --record FOLDER, or --replay FOLDER --unknown record"),
        ("--replace --replay a", "--replace needs --record FOLDER"),
        ("--speed 1", "--ignore, --speed and --unknown need --replay FOLDER"),
        ("--record a --ignore user", "--ignore, --speed and --unknown need --replay FOLDER"),
        ("--unknown answer", "--ignore, --speed and --unknown need --replay FOLDER"),
    ],
)
def test_options_that_do_not_go_together(options: str, message: str, command: Command) -> None:
    code, _, err = command("serve", "--port", "0", *options.split())
    assert code == 2
    assert f"aiopenai serve: {message}" in err


def test_folders_that_cannot_be_used(tmp_path: Path, command: Command) -> None:
    code, _, err = command("serve", "--port", "0", "--replay", str(tmp_path))
    assert (code, "has no recording" in err) == (1, True)
    code, _, err = command("serve", "--port", "0", "--record", str(tmp_path), "--upstream", "nothing")
    assert (code, "is no base URL" in err) == (1, True)
    (tmp_path / "0001-x.json").write_text("{}")
    code, _, err = command("serve", "--port", "0", "--record", str(tmp_path))
    assert (code, "delete it, or give --replace" in err) == (1, True)
