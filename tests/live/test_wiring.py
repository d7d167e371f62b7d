"""The connections below sockets: TLS, proxies, connectors of the program, and closing with unread messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import APIConnectionError, AsyncOpenAI
from aiopenai.errors import WebSocketConnectionClosedError
from aiopenai.testing import Server
from tests.conftest import RawServer
from tests.http.test_transport import Proxy, Tls
from tests.http.test_websocket import KEY, accept

from .conftest import Both, Peer, Scripted

TEXT = '{"type":"session.created"}'


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path / "cert.pem")


async def first_event(both: Both, client: Any) -> str:
    """The type of the first event of a realtime session."""
    async with both.opened(client.realtime.connect(model="gpt-realtime")) as connection:
        return str((await both(connection.recv)).type)


async def test_tls(both: Both, tls: Tls) -> None:
    async with Server(ssl=tls.server) as server:
        assert await first_event(both, both.client(server, ssl=tls.client)) == "session.created"
        with pytest.raises(APIConnectionError, match=r"(?i)certificate"):
            await first_event(both, both.client(server))
        assert server.request_count == 1


async def test_tls_through_a_proxy(both: Both, tls: Tls, raw_server: Callable[..., Awaitable[RawServer]]) -> None:
    proxy = Proxy()
    listening = await raw_server(proxy)
    async with Server(ssl=tls.server) as server:
        url = f"http://user:pass@127.0.0.1:{listening.port}"
        client = both.client(server, ssl=tls.client, proxy=url)
        assert await first_event(both, client) == "session.created"
        assert proxy.heads == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1 Basic dXNlcjpwYXNz"]


async def test_a_proxy_out_of_reach(both: Both, server: Server) -> None:
    client = both.client(server, proxy="http://user:hunter2@127.0.0.1:1")
    with pytest.raises(APIConnectionError) as caught:
        await first_event(both, client)
    assert "hunter2" not in str(caught.value)
    assert server.request_count == 0


async def test_a_connector_of_the_program(server: Server) -> None:
    """Sockets of its connector take no place among its connections, and do not close it."""
    connector = aiohttp.TCPConnector(limit=1, force_close=True)
    async with (
        AsyncOpenAI(api_key="k", base_url=server.base_url, connector=connector) as client,
        client.realtime.connect(model="gpt-realtime") as one,
        client.realtime.connect(model="gpt-realtime") as two,
    ):
        assert [(await each.recv()).type for each in (one, two)] == ["session.created"] * 2
        assert (await client.models.list()).data
    assert not connector.closed
    await connector.close()


async def test_a_session_of_the_program(server: Server) -> None:
    async with aiohttp.ClientSession(headers={"x-own": "1"}) as session:
        client = AsyncOpenAI(api_key="k", base_url=server.base_url, http_client=session)
        async with client.realtime.connect(model="gpt-realtime") as connection:
            assert (await connection.recv()).type == "session.created"
        assert server.journal[0].headers["x-own"] == "1"
        assert not session.closed


async def test_closing_with_unread_messages_waits_for_the_servers_close_frame(both: Both) -> None:
    done: list[int | None] = []

    async def script(peer: Peer) -> None:
        await peer.say(*[TEXT] * 500)
        await peer.socket.receive()
        done.append(peer.socket.close_code)

    async with Scripted(script) as server:
        connection = await both(both.client(server).responses.connect().enter)
        assert (await both(connection.recv)).type == "session.created"
        await both(connection.close, code=4001, reason="enough")
        assert connection._connection.rcvd is not None
    assert done == [4001]


@pytest.mark.parametrize("queued", [False, True], ids=["sending", "flushing"])
async def test_a_server_that_closes_and_reads_no_more_holds_nothing_up(
    both: Both, raw_server: Callable[..., Awaitable[RawServer]], until: Any, queued: bool
) -> None:
    """The end comes with the close frame, and a send that waits fails as the connection is replaced."""
    served = 0

    async def serve(server: RawServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        _, headers, _ = await server.request(reader)
        lines = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept(headers[KEY])}")
        writer.write("\r\n".join(["HTTP/1.1 101 x", *lines, "", ""]).encode())
        if served == 1:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await stuck.wait()
            writer.write(b"\x88\x02" + (1012).to_bytes(2, "big"))
            # The connection stays open, and nothing is read.
            await held.wait()
        else:
            writer.write(b'\x81\x0e{"type":"now"}')
            await server.watch(reader)

    stuck, held = asyncio.Event(), asyncio.Event()
    server = await raw_server(serve)
    options: dict[str, Any] = {"on_reconnecting": lambda _: None, "initial_delay": 0.001, "max_queue_size": 10**9}
    # The second connection answers no close frame.
    options["websocket_connection_options"] = {"close_timeout": 0.1}
    connection = await both(both.client(server).realtime.connect(model="m", **options).enter)
    if queued:
        connection._send_queue.put(b"y" * 10_000_000, text=True)
    sending = asyncio.ensure_future(both(connection.send_raw, "x" * 30_000_000))
    await until(connection._connection._upgraded.transport.get_write_buffer_size)
    stuck.set()
    event = await asyncio.wait_for(both(lambda: next(iter(connection))) if both.blocking else anext(connection), 30)
    assert event.type == "now"
    with pytest.raises(WebSocketConnectionClosedError):
        await asyncio.wait_for(sending, 30)
    held.set()
    await both(connection.close)
