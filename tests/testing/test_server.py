from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import testing
from aiopenai.testing import Server, serve_forever

from .http import CHAT, Api, raw_request, until

CHAT_BYTES = json.dumps(CHAT).encode()


async def test_starts_on_a_free_port_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    assert "not running" in repr(server)
    with pytest.raises(RuntimeError, match="not been started"):
        _ = server.base_url
    assert server.connections == server.open_connections == 0
    await server.close()
    async with server:
        assert server.base_url == f"http://127.0.0.1:{server.port}/v1"
        assert server.base_url in repr(server)
        with pytest.raises(RuntimeError, match="already running"):
            await server.start()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    await server.close()
    async with server:
        pass
    assert not caplog.records


async def test_names_hosts_that_clients_can_reach() -> None:
    async with Server(host="0.0.0.0") as server:
        assert server.base_url == f"http://127.0.0.1:{server.port}/v1"


async def test_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    async with Server(host="::1") as server:
        assert server.base_url == f"http://[::1]:{server.port}/v1"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, "req", *kind, *name, *files], check=True, capture_output=True)
    return certificate, key


async def test_https(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    trust = ssl.create_default_context(cafile=certificate[0])
    connector = aiohttp.TCPConnector(ssl=trust)
    async with Server(ssl=context) as server, aiohttp.ClientSession(connector=connector) as session:
        assert server.base_url.startswith("https://127.0.0.1:")
        api = Api(server, session)
        headers = {"authorization": "Bearer x"}
        got = await api("POST", "/chat/completions", {**CHAT, "stream": True}, headers=headers)
        assert got.events()[-1] == "[DONE]"
        server.fault(cut_after=700)
        # Not by aiohttp's client: on Python 3.10 it leaves a TLS transport unclosed that the server has closed.
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=trust)
        writer.write(raw_request("/chat/completions", CHAT_BYTES))
        assert len(await reader.read()) == 700
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_handshake_that_never_ends_keeps_no_server_from_closing(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    started = time.monotonic()
    async with Server(ssl=context) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert time.monotonic() - started < 10.0
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_the_repr_holds_no_key() -> None:
    async with Server(api_key="sk-canary") as server, aiohttp.ClientSession() as session:
        async with session.get(server.base_url + "/models", headers={"authorization": "Bearer sk-canary"}) as response:
            assert response.status == 200
        assert "canary" not in repr(server)
        assert "canary" not in repr(server.journal)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="latency"):
        Server(latency=-1)
    with pytest.raises(ValueError, match="journal"):
        Server(max_journal_entries=0)


def test_runs_in_a_thread() -> None:
    with Server() as server:
        for number in range(1, 4):
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            connection.request("POST", "/v1/chat/completions", CHAT_BYTES, {"Authorization": "Bearer x"})
            reply = json.loads(connection.getresponse().read())
            connection.close()
            assert reply["choices"][0]["message"]["content"] == "You said: hi there"
            assert server.connections == number
        assert len(server.journal) == 3
        with pytest.raises(RuntimeError, match="already running"):
            server.__enter__()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_thread_reports_why_it_cannot_start() -> None:
    with Server() as server, pytest.raises(OSError, match="in use"), Server(port=server.port):
        pass


async def test_serve_forever_until_cancelled() -> None:
    ready: asyncio.Queue[Server] = asyncio.Queue()
    task = asyncio.create_task(serve_forever(port=0, on_ready=ready.put_nowait, answer="x"))
    server = await ready.get()
    async with aiohttp.ClientSession() as session:
        assert (await Api(server, session)("GET", "/models", headers={"authorization": "Bearer x"})).status == 200
    assert server.journal == []
    assert server.request_count == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.parametrize("trouble", ["stream", "stall", "delay", "upload", "slow reader", "idle"])
async def test_closes_at_once_whatever_is_going_on(trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with Server(token_delay=60.0 if trouble == "stream" else 0.0) as server:
        if trouble == "stall":
            server.fault(stall_after=10)
        if trouble == "delay":
            server.fault(delay=60)
        if trouble == "slow reader":
            server.reply_with("/chat/completions", b"x" * 64_000_000)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        if trouble == "upload":
            writer.write(
                raw_request("/files", b"")[:-4].replace(b"content-length: 0", b"content-length: 99") + b"\r\n\r\nx"
            )
        elif trouble != "idle":
            writer.write(raw_request("/chat/completions", json.dumps({**CHAT, "stream": trouble == "stream"}).encode()))
        if trouble in ("stream", "stall", "slow reader"):
            assert await reader.readexactly(10) == b"HTTP/1.1 2"
        else:
            await until(lambda: server.journal if trouble == "delay" else server.connections)
        started = time.monotonic()
    assert time.monotonic() - started < 5.0
    assert server.open_connections == 0
    writer.close()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(100_000_000)
    assert not caplog.records
    assert all(task is asyncio.current_task() for task in asyncio.all_tasks())


async def test_clear_forgets_what_was_stored(api: Api) -> None:
    stored = await api.ok("POST", "/chat/completions", {**CHAT, "store": True})
    await api.ok("DELETE", "/models/ft:gpt-4o-mini-2024-07-18:local::test")
    api.server.fault(status=500, times=None)
    api.server.reply_with("/models", "x")
    api.server.clear()
    await api.fails(404, "GET", f"/chat/completions/{stored['id']}")
    await api.ok("GET", "/models/ft:gpt-4o-mini-2024-07-18:local::test")
    assert (await api.ok("GET", "/models"))["object"] == "list"


async def test_same_input_same_output() -> None:
    outputs: list[Any] = []
    for _ in range(2):
        async with Server() as server, aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session:
            api = Api(server, session)
            outputs.append(
                [
                    (await api("POST", "/chat/completions", CHAT)).body,
                    (await api("POST", "/chat/completions", {**CHAT, "stream": True})).body,
                    (await api("POST", "/responses", {"model": "gpt-4o", "input": "x", "stream": True})).body,
                    (await api("POST", "/embeddings", {"model": "text-embedding-3-small", "input": "x"})).body,
                ]
            )
    assert outputs[0] == outputs[1]


async def test_a_clock_and_models_of_ones_own() -> None:
    async with Server(clock=lambda: 12.9, models=["mine"]) as server, aiohttp.ClientSession() as session:
        api = Api(server, session)
        headers = {"authorization": "Bearer x"}
        reply = await api.ok("POST", "/chat/completions", {**CHAT, "model": "mine"}, headers=headers)
        assert (reply["created"], reply["model"]) == (12, "mine")
        assert [model["id"] for model in (await api.ok("GET", "/models", headers=headers))["data"]] == ["mine"]
        await api.fails(404, "POST", "/chat/completions", CHAT, headers=headers)


def test_public_names() -> None:
    assert set(testing.__all__) <= set(dir(testing))
    for name in testing.__all__:
        assert getattr(testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = testing.no_such_name
