from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import APIConnectionError, APIError, APITimeoutError, AsyncOpenAI, Timeout
from aiopenai.testing import Server

# A certificate of localhost and 127.0.0.1, signed by itself, of no use to anybody; valid for a hundred years.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUWFCyYsOtGoqYbkI7Hv3hFbMHylAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwMzEyMVoYDzIxMjYxMDI4
MTAzMTIxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS30SaymxuhRNnrg51La3ke+OWIljcFP+lrdxbdlZ/jUkqoebvnPAAf
ywmKj221nGIKT+DYcYfJ6ql0yIZ3sbOto28wbTAdBgNVHQ4EFgQUYg7BqIh/D3c5
9itW9YjkM4TKEWEwHwYDVR0jBBgwFoAUYg7BqIh/D3c59itW9YjkM4TKEWEwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgQjBC97gWPW7f5uwRMJrjL2U/+N68lEk50Kqb9Vi0GIgCIQD9
ws4K+/pHTV5wxRaJFcYrvmoVm7Ai5ESeeNx/fwSO0g==
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE7iUfRv5jhZO4Qb6
h8/ucIWjZQAXmbGt69rAQ9o6YrahRANCAAS30SaymxuhRNnrg51La3ke+OWIljcF
P+lrdxbdlZ/jUkqoebvnPAAfywmKj221nGIKT+DYcYfJ6ql0yIZ3sbOt
-----END PRIVATE KEY-----
"""


def make(server: Any, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, "max_retries": 0, **options})


class Took:
    """The seconds that a block took: never less than a limit, and less than the other limits on a busy machine too."""

    def __enter__(self) -> Took:
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began

    def about(self, limit: float) -> bool:
        return limit - 0.015 <= self.seconds <= limit + 2.5


def client_sockets(port: int) -> list[socket.socket]:
    """The sockets of this process that are connected to a port, whoever holds them."""
    found: dict[int, Any] = {}
    for thing in gc.get_objects():
        if isinstance(thing, asyncio.Transport) and (peer := thing.get_extra_info("peername")) and peer[1] == port:
            found[id(thing)] = thing.get_extra_info("socket")
    return list(found.values())


@pytest.mark.usefixtures("transport")
class TestSockets:
    async def test_options(self, client: AsyncOpenAI, server: Server) -> None:
        await client.models.list()
        (sock,) = client_sockets(server.port)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 60

    async def test_one_connection_is_used_again(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        for _ in range(20):
            await client.chat.completions.create(**chat)
        assert server.connections == 1

    async def test_a_reply_that_ends_the_connection(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        server.fault(status=200, body={"id": "x"}, headers={"connection": "close"}, times=3)
        for _ in range(3):
            await client.chat.completions.create(**chat, max_retries=0)
        assert server.connections == 3

    async def test_a_connection_that_the_server_has_closed(
        self, client: AsyncOpenAI, chat: dict[str, Any], until: Any
    ) -> None:
        async with Server() as one:
            calls = client.with_options(base_url=one.base_url, max_retries=0)
            await calls.chat.completions.create(**chat)
            (sock,) = client_sockets(one.port)
            port = one.port
        await until(lambda: sock.fileno() < 0)
        async with Server(port=port) as again:
            assert (await calls.chat.completions.create(**chat)).choices
            assert again.request_count == 1

    def test_the_limit_is_below_that_of_files(self) -> None:
        resource = pytest.importorskip("resource")
        from aiopenai._http.connector import connection_limit

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        connection_limit.cache_clear()
        assert 16 <= connection_limit() <= 10_000
        if soft != resource.RLIM_INFINITY:
            # A server in the same process has the other ends.
            assert 2 * connection_limit() < soft


@pytest.mark.usefixtures("transport")
class TestTimeouts:
    async def test_connect(self, chat: dict[str, Any]) -> None:
        # A listener that accepts nothing, its backlog full: the kernel then drops what knocks.
        listener = socket.socket()
        knocking: list[socket.socket] = []
        try:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(4):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
                knocking.append(sock)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
                for timeout in (Timeout(30, connect=0.2), Timeout(connect=0.2), 0.2):
                    with Took() as took, pytest.raises(APITimeoutError) as caught:
                        await client.chat.completions.create(**chat, timeout=timeout)
                    assert took.about(0.2), took.seconds
                    assert "connect" in str(caught.value)
                    assert caught.value.__cause__ is not None
                    assert caught.value.request.url == f"{url}/chat/completions"
        finally:
            for sock in (listener, *knocking):
                sock.close()

    async def test_connect_includes_tls(self, raw_server: Any) -> None:
        async def mute(server: Any, reader: Any, writer: Any) -> None:
            await server.watch(reader)

        server = await raw_server(mute)
        url = server.base_url.replace("http:", "https:")
        async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0, timeout=Timeout(9, connect=0.2)) as client:
            with Took() as took, pytest.raises(APITimeoutError, match="connect"):
                await client.models.list()
        assert took.about(0.2), took.seconds

    @pytest.mark.parametrize("timeout", [0.2, Timeout(9, read=0.2)], ids=str)
    async def test_read_to_the_first_byte(self, timeout: Any, server: Server, chat: dict[str, Any]) -> None:
        server.fault(stall_after=0, times=None)
        async with make(server) as client:
            with Took() as took, pytest.raises(APITimeoutError, match="read") as caught:
                await client.chat.completions.create(**chat, timeout=timeout)
        assert took.about(0.2), took.seconds
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize("after", [50, 400])
    async def test_read_between_bytes(self, after: int, server: Server, chat: dict[str, Any]) -> None:
        server.reply_with("/chat/completions", {"id": "x" * 5000}, chunk_size=100)
        server.fault(stall_after=after, times=None)
        async with make(server, timeout=0.2) as client:
            with Took() as took, pytest.raises(APITimeoutError, match="read"):
                await client.chat.completions.create(**chat)
        assert took.about(0.2), took.seconds

    async def test_read_is_not_the_whole(self, raw_server: Any, chat: dict[str, Any]) -> None:
        async def slow(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(length=12))
            for byte in b'{"id": "xy"}':
                await asyncio.sleep(0.04)
                writer.write(bytes([byte]))

        server = await raw_server(slow)
        async with make(server, timeout=0.2) as client:
            assert (await client.chat.completions.create(**chat)).id == "xy"

    async def test_read_does_not_count_the_upload(self, raw_server: Any) -> None:
        size = 16 * 1024 * 1024

        async def slow(server: Any, reader: Any, writer: Any) -> None:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            await reader.readuntil(b"\r\n\r\n")
            left = size
            while left > 0:
                left -= len(await reader.readexactly(min(left, 256 * 1024)))
                await asyncio.sleep(0.012)
            writer.write(server.reply(b'{"id": "file"}'))

        server = await raw_server(slow, limit=256 * 1024)
        async with make(server, timeout=Timeout(9, read=0.5)) as client:
            with Took() as took:
                assert await client.post("/x", cast_to=dict, content=bytes(size)) == {"id": "file"}
        assert took.seconds > 0.6

    @pytest.mark.parametrize("kind", ["json", "content", "iterator", "file"])
    async def test_write(self, kind: str, raw_server: Any, tmp_path: Path) -> None:
        async def deaf(server: Any, reader: Any, writer: Any) -> None:
            await asyncio.Event().wait()

        size = 50 * 1024 * 1024
        server = await raw_server(deaf, limit=1024)

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield bytes(size // 50)

        path = tmp_path / "big"
        path.write_bytes(bytes(size))
        async with make(server, timeout=Timeout(30, write=0.3)) as client:
            content = bytes(size) if kind == "content" else pieces()
            call: Any = {
                "file": lambda: client.files.create(file=path, purpose="batch"),
                "json": lambda: client.embeddings.create(model="m", input="x" * size),
            }.get(kind, lambda: client.post("/x", cast_to=object, content=content))
            with Took() as took, pytest.raises(APITimeoutError) as caught:
                await call()
        # The encoding of the body, and what the kernel takes at first, come before the wait.
        assert 0.3 <= took.seconds < 10.0, took.seconds
        assert caught.value.__cause__ is not None

    @pytest.mark.parametrize("where", ["before the reply", "in the reply", "slowly"])
    async def test_total(self, where: str, raw_server: Any, chat: dict[str, Any]) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            if where == "before the reply":
                await server.watch(reader)
            writer.write(server.head(length=100))
            while where == "slowly":
                writer.write(b" ")
                await asyncio.sleep(0.03)
            await server.watch(reader)

        server = await raw_server(serve)
        async with make(server, timeout=Timeout(5, total=0.3)) as client:
            with Took() as took, pytest.raises(APITimeoutError, match=r"total limit of 0\.3 s") as caught:
                await client.chat.completions.create(**chat)
        assert took.about(0.3), took.seconds
        assert caught.value.__cause__ is not None

    async def test_total_of_what_is_in_time(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, timeout=Timeout(5, total=0.8)) as client:
            for _ in range(3):
                await client.chat.completions.create(**chat)
            # The clock of a call that is over must not strike in the next one on its connection.
            await asyncio.sleep(0.6)
            server.latency = 0.4
            await client.chat.completions.create(**chat)
        assert server.connections == 1

    async def test_pool(
        self, server: Server, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch, until: Any
    ) -> None:
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        server.latency = 1.5
        async with make(server) as client:
            first = asyncio.create_task(client.chat.completions.create(**chat))
            await until(lambda: server.request_count)
            for timeout in (Timeout(pool=0.2), Timeout(9, connect=5, pool=0.2, total=3)):
                with Took() as took, pytest.raises(APITimeoutError, match="pool") as caught:
                    await client.chat.completions.create(**chat, timeout=timeout)
                assert took.about(0.2), took.seconds
                assert caught.value.__cause__ is not None
            await first
            assert server.request_count == 1
            server.latency = 0
            await client.chat.completions.create(**chat, timeout=Timeout(pool=0.2))

    async def test_queueing_is_no_failure(
        self, server: Server, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        server.latency = 0.05
        async with make(server, timeout=Timeout(1.0, connect=0.5, total=1.0)) as client:
            await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(30)))
        assert server.connections == 1

    async def test_queueing_at_a_connector_of_the_users(self, server: Server, chat: dict[str, Any]) -> None:
        server.latency = 0.05
        connector = aiohttp.TCPConnector(limit=1)
        async with make(server, connector=connector, timeout=Timeout(1.0, connect=0.5)) as client:
            await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(30)))
            # Both count from the start there: aiohttp does not tell others when the queue is over.
            server.latency = 0.6
            for limits in (Timeout(total=0.2), Timeout(pool=0.2)):
                first = asyncio.create_task(client.chat.completions.create(**chat, timeout=None))
                await asyncio.sleep(0)
                with Took() as took, pytest.raises(APITimeoutError):
                    await client.chat.completions.create(**chat, timeout=limits)
                assert took.about(0.2), took.seconds
                await first
        await connector.close()


class TestConnectors:
    async def test_an_instance_is_borrowed(self, server: Server) -> None:
        connector = aiohttp.TCPConnector(limit=3)
        async with make(server, connector=connector) as client:
            await asyncio.gather(*(client.models.list() for _ in range(20)))
            assert server.connections <= 3
            assert not connector._acquired
        assert not connector.closed
        await connector.close()

    async def test_a_function_makes_one_for_each_loop(self, server: Server) -> None:
        made: list[aiohttp.BaseConnector] = []

        def factory() -> aiohttp.BaseConnector:
            made.append(aiohttp.TCPConnector())
            return made[-1]

        client = make(server, connector=factory)
        assert made == []
        await client.models.list()
        await client.models.list()
        assert len(made) == 1

        async def elsewhere() -> None:
            await client.models.list()

        await asyncio.to_thread(asyncio.run, elsewhere())
        assert len(made) == 2
        await client.close()
        assert all(connector.closed for connector in made)

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs unix sockets")
    async def test_a_unix_socket(self, tmp_path: Path) -> None:
        path = str(tmp_path / "s")

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n" + b'{"id": "xy"}')
            writer.close()

        listener = await asyncio.start_unix_server(serve, path)
        async with AsyncOpenAI(
            api_key="k", base_url="http://localhost/v1", connector=lambda: aiohttp.UnixConnector(path)
        ) as client:
            assert (await client.models.retrieve("m")).id == "xy"
        listener.close()


class TestBorrowedSessions:
    async def test_used_as_it_is_and_left_open(self, server: Server, chat: dict[str, Any]) -> None:
        async with aiohttp.ClientSession(headers={"X-Session": "theirs"}) as session:
            async with make(server, http_client=session) as client:
                await client.chat.completions.create(**chat)
                async for _ in await client.chat.completions.create(**chat, stream=True):
                    pass
                await client.with_options(timeout=3).models.list()
                assert all(r.headers["x-session"] == "theirs" for r in server.journal)
            assert client.is_closed()
            assert not session.closed
            async with session.get(f"{server.base_url}/models", headers={"authorization": "Bearer x"}) as reply:
                assert reply.status == 200
            assert server.connections == 1

    async def test_closed_by_its_owner(self, server: Server) -> None:
        session = aiohttp.ClientSession()
        client = make(server, http_client=session)
        await session.close()
        with pytest.raises(APIConnectionError, match="losed"):
            await client.models.list()

    async def test_dropped(self, server: Server) -> None:
        async with aiohttp.ClientSession() as session:
            client = make(server, http_client=session)
            await client.models.list()
            del client
            gc.collect()
            await asyncio.sleep(0)
            assert not session.closed

    @pytest.mark.parametrize("name", ["total", "read"])
    async def test_limits_hold_there_too(self, name: str, server: Server, chat: dict[str, Any]) -> None:
        server.fault(stall_after=0, times=None)
        async with aiohttp.ClientSession() as session, make(server, http_client=session) as client:
            with Took() as took, pytest.raises(APITimeoutError):
                await client.chat.completions.create(**chat, timeout=Timeout(**{name: 0.2}))
            assert took.about(0.2), took.seconds

    async def test_anything_else_is_refused(self) -> None:
        with pytest.raises(TypeError, match="ClientSession"):
            AsyncOpenAI(api_key="k", http_client=object())  # type: ignore[arg-type]


class Proxy:
    """An HTTP proxy: absolute-form requests are answered by itself, CONNECT is a tunnel."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    async def __call__(self, server: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            line, headers, _ = await server.request(reader)
            self.heads.append(f"{line} {headers.get('proxy-authorization', '')}".strip())
            if not line.startswith("CONNECT"):
                writer.write(server.reply(b'{"id": "by proxy"}'))
                continue
            host, _, port = line.split()[1].partition(":")
            upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

            async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)
                sink.close()

            await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer), return_exceptions=True)
            return


@pytest.fixture
async def proxy(raw_server: Any) -> Any:
    handler = Proxy()
    server = await raw_server(handler)
    handler.url = f"http://127.0.0.1:{server.port}"  # type: ignore[attr-defined]
    return handler


class TestProxies:
    async def test_given(self, proxy: Any) -> None:
        async with AsyncOpenAI(api_key="k", base_url="http://api.test:81/v1", proxy=proxy.url) as client:
            assert (await client.models.retrieve("a/b")).id == "by proxy"
        assert proxy.heads == ["GET http://api.test:81/v1/models/a%2Fb HTTP/1.1"]

    async def test_with_credentials(self, proxy: Any) -> None:
        url = proxy.url.replace("http://", "http://user:pass@")
        async with AsyncOpenAI(api_key="k", base_url="http://api.test/v1", proxy=url) as client:
            await client.models.retrieve("m")
        assert proxy.heads[0].endswith(" Basic dXNlcjpwYXNz")

    async def test_tunnel(self, proxy: Any, tls: Any) -> None:
        async with Server(ssl=tls.server) as server:
            async with make(server, proxy=proxy.url, ssl=tls.client) as client:
                await client.models.list()
                await client.models.list()
            assert server.request_count == 2
            assert proxy.heads == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]

    @pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
    async def test_of_the_environment(self, variable: str, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(variable, proxy.url)
        async with AsyncOpenAI(api_key="k", base_url="http://api.test/v1") as client:
            assert (await client.models.retrieve("m")).id == "by proxy"
            assert (await client.copy().models.retrieve("m")).id == "by proxy"

    async def test_no_proxy(self, proxy: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "other.test,127.0.0.1")
        async with make(server) as client:
            await client.models.list()
        assert server.request_count == 1
        assert proxy.heads == []

    @pytest.mark.parametrize(
        ("exempt", "direct"),
        [
            ("127.0.0.0/8", True),
            ("10.0.0.0/8, 127.0.0.1/32", True),
            ("127.0.0.1:{port}", True),
            ("*", True),
            ("10.0.0.0/8", False),
            ("127.0.0.1:1", False),
            ("::/0", False),
        ],
    )
    async def test_networks_and_ports_of_no_proxy(
        self, exempt: str, direct: bool, proxy: Any, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exempt.format(port=server.port))
        async with make(server) as client:
            if direct:
                await client.models.list()
            else:
                assert (await client.models.retrieve("m")).id == "by proxy"
        assert (server.request_count, len(proxy.heads)) == ((1, 0) if direct else (0, 1))

    async def test_the_environment_may_be_left_alone(
        self, proxy: Any, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with make(server, trust_env=False) as client:
            await client.models.list()
        assert proxy.heads == []

    async def test_the_given_one_wins(self, proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        async with AsyncOpenAI(api_key="k", base_url="http://api.test/v1", proxy=proxy.url) as client:
            assert (await client.models.retrieve("m")).id == "by proxy"

    async def test_out_of_reach(self) -> None:
        async with AsyncOpenAI(
            api_key="k", base_url="http://api.test/v1", proxy="http://user:hunter2@127.0.0.1:1", max_retries=0
        ) as client:
            with pytest.raises(APIConnectionError) as caught:
                await client.models.list()
        assert "hunter2" not in str(caught.value)


class Tls:
    def __init__(self, path: Path) -> None:
        path.write_text(CERTIFICATE)
        self.path = str(path)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(path)
        self.client = ssl.create_default_context(cafile=str(path))


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path / "cert.pem")


@pytest.mark.usefixtures("transport")
class TestTls:
    async def test_a_context(self, tls: Tls, chat: dict[str, Any]) -> None:
        async with Server(ssl=tls.server) as server, make(server, ssl=tls.client) as client:
            assert server.base_url.startswith("https:")
            await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(5)))
            async for _ in await client.chat.completions.create(**chat, stream=True):
                pass

    async def test_unknown_certificates_are_refused(self, tls: Tls) -> None:
        async with Server(ssl=tls.server) as server, make(server) as client:
            with pytest.raises(APIConnectionError, match=r"(?i)certificate") as caught:
                await client.models.list()
            assert isinstance(caught.value.__cause__, Exception)
            assert server.request_count == 0

    async def test_not_verified(self, tls: Tls) -> None:
        async with Server(ssl=tls.server) as server, make(server, ssl=False) as client:
            await client.models.list()

    async def test_a_reset_ends_the_call(self, tls: Tls) -> None:
        """A TLS transport that was closed meanwhile answers no questions about its connection."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        async with await asyncio.start_server(handle, "127.0.0.1", ssl=tls.server) as listening:
            url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
            async with AsyncOpenAI(api_key="k", base_url=url, ssl=tls.client, max_retries=0) as client:
                with pytest.raises(APIConnectionError):
                    await client.models.list()

    async def test_a_fingerprint(self, tls: Tls) -> None:
        import hashlib

        der = ssl.PEM_cert_to_DER_cert(CERTIFICATE[: CERTIFICATE.index("-----BEGIN PRIVATE")])
        right, wrong = (aiohttp.Fingerprint(hashlib.sha256(data).digest()) for data in (der, b""))
        async with Server(ssl=tls.server) as server:
            async with make(server, ssl=right) as client:
                await client.models.list()
            async with make(server, ssl=wrong) as client:
                with pytest.raises(APIConnectionError):
                    await client.models.list()

    async def test_plain_text_where_tls_is_due(self, server: Server) -> None:
        async with make(server, base_url=server.base_url.replace("http:", "https:")) as client:
            with pytest.raises(APIConnectionError):
                await client.models.list()

    def test_trust_from_the_environment(self, tls: Tls) -> None:
        script = """
import asyncio, sys
from aiopenai import AsyncOpenAI
async def main():
    async with AsyncOpenAI(api_key="k", base_url=sys.argv[1], max_retries=0) as client:
        await client.models.list()
asyncio.run(main())
"""
        with Server(ssl=tls.server) as server:
            subprocess.run(
                [sys.executable, "-c", script, server.base_url],
                env={**os.environ, "SSL_CERT_FILE": tls.path},
                check=True,
                timeout=30,
            )


def encodings() -> dict[str, bytes]:
    """A body in each encoding that is to be had here, by its name."""
    import gzip
    import zlib

    plain = b'{"id": "packed"}'
    raw = zlib.compressobj(wbits=-15)
    known = {
        "gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "deflate, raw": raw.compress(plain) + raw.flush(),
        "identity": plain,
    }
    for name, module in (("br", "brotli"), ("zstd", "compression.zstd"), ("zstd", "backports.zstd")):
        with contextlib.suppress(ImportError):
            known[name] = importlib.import_module(module).compress(plain)
    return known


def whole(body: bytes, *lines: str) -> bytes:
    """A reply with a length."""
    return "\r\n".join(["HTTP/1.1 200 OK", f"content-length: {len(body)}", *lines, "", ""]).encode() + body


HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b'{"id": "right"}'
CHUNKS = b"5\r\n" + BODY[:5] + b"\r\na;x=y\r\n" + BODY[5:] + b"\r\n"
# A reply's bytes, and whether its connection can be used again.
REPLIES: dict[str, tuple[bytes, bool]] = {
    "length": (whole(BODY), True),
    "chunks": (HEAD + CHUNKS + b"0\r\n\r\n", True),
    "trailers": (HEAD + CHUNKS + b"0\r\nx: y\r\n\r\n", True),
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\n" + BODY, False),
    "http 1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 15\r\n\r\n" + BODY, False),
    "close": (whole(BODY, "connection: close"), False),
    "continue first": (b"HTTP/1.1 100 Continue\r\n\r\n" + whole(BODY), True),
    "hints first": (b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 2 + whole(BODY), True),
}


@pytest.mark.usefixtures("transport")
class TestFraming:
    @pytest.mark.parametrize("name", REPLIES)
    @pytest.mark.parametrize("pieces", ["whole", "bytes"])
    async def test_replies(self, name: str, pieces: str, raw_server: Any) -> None:
        reply, kept = REPLIES[name]

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                for at in range(0, len(reply), 1 if pieces == "bytes" else len(reply)):
                    writer.write(reply[at : at + 1] if pieces == "bytes" else reply)
                    await asyncio.sleep(0)
                if not kept:
                    return

        server = await raw_server(serve)
        async with make(server) as client:
            for _ in range(3):
                assert (await client.models.retrieve("m")).id == "right"
        assert server.connections == (1 if kept else 3)

    @pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
    async def test_without_a_body(self, status: str, raw_server: Any) -> None:
        length = ["content-length: 0"] if status == "200 OK" else []

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write("\r\n".join([f"HTTP/1.1 {status}", *length, "", ""]).encode())

        server = await raw_server(serve)
        async with make(server) as client:
            for _ in range(3):
                if status.startswith("304"):
                    with pytest.raises(APIError):
                        await client.get("/x", cast_to=bytes)
                else:
                    assert not await client.get("/x", cast_to=bytes)
        assert server.connections == 1

    async def test_an_upgrade_that_nobody_wanted(self, raw_server: Any) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello")
            await server.watch(reader)

        server = await raw_server(serve)
        async with make(server) as client:
            for _ in range(2):
                with pytest.raises(APIError):
                    await client.models.retrieve("m")
        assert server.connections == 2

    @pytest.mark.parametrize("encoding", encodings())
    @pytest.mark.parametrize("framing", ["length", "chunks", "until the end"])
    async def test_encodings(self, encoding: str, framing: str, raw_server: Any) -> None:
        packed = encodings()[encoding]

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                line = f"content-encoding: {encoding.partition(',')[0]}"
                if framing == "length":
                    writer.write(server.reply(packed, line))
                elif framing == "chunks":
                    writer.write(server.head(line) + server.chunk(packed[:3]))
                    await asyncio.sleep(0)
                    writer.write(server.chunk(packed[3:]) + server.chunk(b""))
                else:
                    writer.write(f"HTTP/1.1 200 OK\r\n{line}\r\n\r\n".encode() + packed)
                    return

        server = await raw_server(serve)
        async with make(server) as client:
            for _ in range(2):
                assert (await client.models.retrieve("m")).id == "packed"
        assert server.connections == (2 if framing == "until the end" else 1)

    async def test_many_headers_and_a_body_that_tells_of_heads(self, raw_server: Any) -> None:
        body = b'{"id": "a\\r\\n", "x": "' + b"HTTP/1.1 200 OK\\r\\n" * 3000 + b'"}'

        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(body, *[f"x-{number}: {'y' * 100}" for number in range(100)]))

        server = await raw_server(serve)
        async with make(server) as client:
            for _ in range(5):
                assert (await client.models.retrieve("m")).id == "a\r\n"
        assert server.connections == 1


@pytest.mark.usefixtures("transport")
class TestBodiesOfRequests:
    @pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
    @pytest.mark.parametrize("kind", ["bytes", "bytearray", "iterator", "form"])
    async def test_arrive_as_they_are(self, size: int, kind: str, client: AsyncOpenAI, server: Server) -> None:
        content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        server.reply_with("/x", {"id": "done"})

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, size, 100_000):
                yield b""
                yield content[start : start + 100_000]

        for _ in range(2):
            if kind == "form":
                await client.files.create(file=content, purpose="batch")
                form = server.journal[-1].body
                assert content in form
                assert int(server.journal[-1].headers["content-length"]) == len(form)
                continue
            given: Any = (
                {"bytes": content, "bytearray": bytearray(content)}.get(kind) if kind != "iterator" else pieces()
            )
            assert await client.post("/x", cast_to=dict, content=given) == {"id": "done"}
            assert server.journal[-1].body == content
        assert server.connections == 1

    async def test_a_slow_source(self, server: Server) -> None:
        go = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"a"
            await go.wait()
            yield b"b"

        server.reply_with("/x", {"id": "done"})
        async with make(server, timeout=Timeout(5, read=0.2)) as client:
            task = asyncio.ensure_future(client.post("/x", cast_to=dict, content=slow()))
            # No limit runs while the caller's own source has nothing to send.
            await asyncio.sleep(0.3)
            go.set()
            assert await task == {"id": "done"}
            assert server.journal[-1].body == b"ab"

    async def test_a_source_that_gives_no_bytes(self, client: AsyncOpenAI) -> None:
        async def words() -> AsyncIterator[Any]:
            yield 5

        with pytest.raises(APIConnectionError) as caught:
            await client.post("/x", cast_to=object, content=words(), options={"max_retries": 0})
        assert isinstance(caught.value.__cause__, Exception)

    @pytest.mark.parametrize("given", ["text", {"a": "b"}], ids=str)
    async def test_of_other_kinds(self, given: Any, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/x", {"id": "done"})
        assert await client.post("/x", cast_to=dict, content=given) == {"id": "done"}
        assert server.journal[-1].body == (b"text" if given == "text" else b"a=b")

    async def test_headers_that_change_the_message(self, client: AsyncOpenAI, server: Server) -> None:
        extra = {"Connection": "close", "Host": "elsewhere.test"}
        for number in (1, 2):
            await client.models.list(extra_headers=extra)
            assert server.journal[-1].headers["host"] == "elsewhere.test"
            assert server.connections == number
        with pytest.raises(APIConnectionError, match="header"):
            await client.models.list(extra_headers={"x\r\ny": "z"}, max_retries=0)

    async def test_what_aiohttp_adds(self, server: Server) -> None:
        async with make(server) as client:
            await client.models.list()
            headers = server.journal[-1].headers
            assert "gzip" in headers["accept-encoding"]
            assert headers["host"] == server.base_url.split("/")[2]
            await client.models.list(extra_headers={"Accept-Encoding": "identity", "User-Agent": "mine"})
            headers = server.journal[-1].headers
            assert (headers["accept-encoding"], headers["user-agent"]) == ("identity", "mine")
            server.reply_with("/x", {"id": "done"})
            await client.post("/x", cast_to=object)
            assert server.journal[-1].headers["content-length"] == "0"

    async def test_targets(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/a/b", {"id": "x"})
        assert await client.get("/a%2Fb?q=%20&r=1", cast_to=dict) == {"id": "x"}
        assert server.journal[-1].query == {"q": " ", "r": "1"}


@pytest.mark.usefixtures("transport")
class TestErrorsOfBelow:
    @pytest.mark.parametrize(
        "reply",
        [
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
            b"\x00\xff\x15\x03\x01",
            b"",
        ],
        ids=range(8),
    )
    async def test_not_http(self, reply: bytes, raw_server: Any, chat: dict[str, Any]) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(reply)
            await writer.drain()

        server = await raw_server(serve)
        async with make(server) as client:
            for stream in (False, True):
                with pytest.raises(APIConnectionError) as caught:  # noqa: PT012 - at the one place or at the other
                    answer: Any = await client.chat.completions.create(**chat, stream=stream)
                    async for _ in answer:
                        pass
                assert caught.value.__cause__ is not None
                assert str(caught.value).startswith("Connection error")
                assert caught.value.request.method == "POST"

    async def test_a_missing_file_is_the_callers(self, client: AsyncOpenAI, server: Server, tmp_path: Path) -> None:
        for retries in (0, 2):
            with pytest.raises(FileNotFoundError):
                await client.files.create(file=tmp_path / "nope", purpose="batch", max_retries=retries)
        with pytest.raises(OSError, match=r"directory|Permission"):
            await client.files.create(file=tmp_path, purpose="batch")
        assert server.request_count == 0

    async def test_a_file_that_fails_on_the_way(self, client: AsyncOpenAI) -> None:
        class Broken:
            name = "b"

            def seekable(self) -> bool:
                return False

            def read(self, _: int = -1) -> bytes:
                raise OSError(5, "disk on fire")

        with pytest.raises((APIConnectionError, OSError)) as caught:
            await client.files.create(file=Broken(), purpose="batch", max_retries=0)  # type: ignore[arg-type]
        chain: list[str] = []
        error: BaseException | None = caught.value
        while error is not None:
            chain.append(str(error))
            error = error.__cause__
        assert "disk on fire" in " ".join(chain)

    async def test_an_early_answer_to_an_upload(self, raw_server: Any) -> None:
        async def refuse(server: Any, reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                server.reply(b'{"error": {"message": "Too big."}}', "connection: close", status="413 Too Large")
            )
            await writer.drain()
            await server.watch(reader)

        server = await raw_server(refuse)
        async with make(server) as client:
            with pytest.raises(Exception, match=r"Too big|Connection error"):
                await client.post("/x", cast_to=object, content=bytes(20_000_000))
