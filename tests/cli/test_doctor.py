"""`aiopenai doctor`: a line for each part, with the cure."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest

from aiopenai._cli import findings
from aiopenai.testing import Server

Command = Callable[..., tuple[int, str, str]]
CERTIFICATE = Path(__file__).parents[2] / "benchmarks" / "certificate.pem"


def lines(out: str) -> dict[str, tuple[str, str]]:
    """The state and the text of each subject."""
    found = (line.split(maxsplit=1) for line in out.splitlines())
    return {text.partition(":")[0]: (state, text) for state, text in found}


def test_all_is_well(local: Server, command: Command) -> None:
    code, out, err = command("doctor")
    found = lines(out)
    assert (code, err) == (0, "")
    assert list(found) == ["versions", "key", "base URL", "proxy", "DNS", "connection", "answer"]
    assert {state for state, _ in found.values()} == {"ok"}
    assert "(from OPENAI_BASE_URL)" in found["base URL"][1]


def test_json(local: Server, command: Command) -> None:
    values = [json.loads(line) for line in command("doctor", "--json")[1].splitlines()]
    assert [value["state"] for value in values] == ["ok"] * 7


@pytest.mark.parametrize(
    ("key", "state", "words"),
    [
        ("", "failed", "export OPENAI_API_KEY"),
        ("'sk-canary-canary'", "warning", "quotes"),
        ("sk-canary canary-c", "failed", "copy it again"),
        ("sk-canáry-canary-c", "failed", "copy it again"),
    ],
    ids=["none", "quotes", "space", "accent"],
)
def test_key(key: str, state: str, words: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    # Nothing listens on the discard port, so that the rest of the examination is short.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    code, out, _ = command("doctor")
    assert code == 1
    assert lines(out)["key"][0] == state
    assert words in lines(out)["key"][1]
    # The network is examined without a key, too.
    assert {"base URL", "proxy"} <= lines(out).keys()


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "does not accept the key"), (403, "rights of the key"), (404, "/v1"), (429, "quota"), (500, "try again")],
)
def test_refusals(status: int, words: str, local: Server, command: Command) -> None:
    local.fault(status=status, times=None)
    code, out, _ = command("doctor", "--max-retries", "0")
    assert words in lines(out)["answer"][1]
    assert code == (0 if status in (404, 429) else 1)


def test_login_page_instead_of_json(local: Server, command: Command) -> None:
    local.fault(body="<html>", content_type="text/html")
    code, out, _ = command("doctor")
    assert code == 1
    assert "no JSON" in lines(out)["answer"][1]


def test_proxy_that_is_down(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://me:canary@127.0.0.1:{probe.getsockname()[1]}")
        code, out, _ = command("doctor", "--base-url", "http://api.example/v1")
    assert code == 1
    assert "HTTP_PROXY" in lines(out)["proxy"][1]
    assert "unset or correct the proxy variable" in lines(out)["connection"][1]


def test_proxy_that_is_none(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "gopher://x")
    code, out, _ = command("doctor", "--base-url", "http://api.example/v1")
    assert code == 1
    assert "unknown scheme" in lines(out)["proxy"][1]


def test_unknown_name(command: Command) -> None:
    code, out, _ = command("doctor", "--base-url", "http://no-such-host.invalid/v1")
    assert code == 1
    assert lines(out)["DNS"][0] == "failed"


async def test_certificate_that_is_not_trusted() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    async with Server(ssl=context) as server:
        finding = await findings.tls_chain("127.0.0.1", server.port)
    assert finding.state == findings.BAD
    assert "SSL_CERT_FILE" in finding.cure


async def test_certificate_that_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with Server(ssl=context) as server:
        finding = await findings.tls_chain("localhost", server.port)
    assert "TLSv1" in finding.text
    assert "more days" in finding.text


async def test_silent_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(findings, "_SECONDS", 0.01)
    monkeypatch.setattr(asyncio, "open_connection", never)
    assert "no answer within" in (await findings.tls_chain("localhost", 1)).text
    assert "no answer within" in (await findings.reachability("localhost", 1, "server")).text


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://h/v1/chat/completions", "path of a method"),
        ("http://h", "need /v1"),
        ("http://me:canary@h/v1?api-key=canary", "http://h/v1"),
    ],
    ids=["method", "no path", "secrets"],
)
def test_addresses(base_url: str, words: str) -> None:
    finding = findings.address(base_url, "a test")
    assert words in finding.text + finding.cure
    assert "canary" not in finding.text


def test_clock() -> None:
    assert findings._clock(None) == findings._clock("no date") == []
    assert findings._clock(formatdate(time.time()))[0].state == findings.FINE
    assert "ahead of" in findings._clock(formatdate(time.time() - 3600))[0].text
    assert "behind" in findings._clock(formatdate(time.time() + 3600))[0].text
