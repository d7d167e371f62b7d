"""The connections below sockets: TLS, proxies, connectors of the program, pings, and closing during a read."""

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


async def test_pings_keep_a_connection(both: Both) -> None:
    """A quiet connection is asked for a sign of life, and stays open while the server answers."""
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        # The server's own answers to pings.
        peer.socket._autoping = False
        for _ in range(3):
            message = await peer.socket.receive()
            assert message.type is aiohttp.WSMsgType.PING
            await peer.socket.pong(message.data)
        asked.set()
        await peer.say(TEXT)
        async for _ in peer.socket:
            pass

    options = {"websocket_connection_options": {"ping_interval": 0.02, "ping_timeout": 30}}
    async with Scripted(script) as server, both.opened(both.client(server).responses.connect(**options)) as connection:
        assert (await both(connection.recv)).type == "session.created"
        assert asked.is_set()


async def test_a_server_that_answers_no_ping_is_lost(both: Both) -> None:
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.socket._autoping = False
        await ended.wait()

    options = {"websocket_connection_options": {"ping_interval": 0.02, "ping_timeout": 0.05}}
    async with Scripted(script) as server:
        connection = await both(both.client(server).responses.connect(**options).enter)
        with pytest.raises(WebSocketConnectionClosedError) as caught:
            await both(connection.recv)
        assert caught.value.sent is not None
        assert (caught.value.sent.code, caught.value.sent.reason) == (1011, "keepalive ping timeout")
        ended.set()
        await both(connection.close)


async def test_closing_ends_the_iteration_of_another_task() -> None:
    """The reader receives the close frame and ends quietly, long before the timeout of the close."""

    async def script(peer: Peer) -> None:
        async for message in peer.socket:
            raise AssertionError(message)

    options: Any = {"websocket_connection_options": {"close_timeout": 300}}
    async with Scripted(script) as server, AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        connection = await client.responses.connect(**options).enter()
        reading = asyncio.create_task(_all_of(connection))
        # The reader waits.
        await asyncio.sleep(0)
        await asyncio.wait_for(connection.close(), 60)
        assert await asyncio.wait_for(reading, 60) == []


async def _all_of(connection: Any) -> list[Any]:
    return [event async for event in connection]


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


async def test_a_read_during_a_close_ends_with_it() -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.say(TEXT)
        await go_on.wait()
        await peer.socket.receive()

    async with Scripted(script) as server, AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        connection = await client.responses.connect().enter()
        await connection.recv()
        closing = asyncio.create_task(connection.close())
        await asyncio.sleep(0)
        reading = asyncio.create_task(connection.recv())
        await asyncio.sleep(0)
        go_on.set()
        await closing
        with pytest.raises(WebSocketConnectionClosedError):
            await reading
