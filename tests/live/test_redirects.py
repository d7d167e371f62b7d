"""Handshakes that are redirected, and messages of the largest size, in both clients."""

from __future__ import annotations

import sys
import types

import pytest
from aiohttp import web

from aiopenai import APIConnectionError, omit
from aiopenai.errors import WebSocketConnectionClosedError

from .conftest import Both, Peer, Scripted


async def quiet(peer: Peer) -> None:
    """Reads one message, or the end."""
    await peer.socket.receive(timeout=10)


@pytest.mark.parametrize("scheme", ["", "ws", "http"])
async def test_redirects_of_one_origin_are_followed(both: Both, scheme: str) -> None:
    async with Scripted(quiet) as server:
        place = f"{scheme}://127.0.0.1:{server.port}/v1/moved?a=b" if scheme else "/v1/moved?a=b"
        server.refusals = [web.Response(status=status, headers={"Location": place}) for status in (307, 302)]
        async with both.opened(both.client(server).realtime.connect(model="m")) as connection:
            await both(connection.send, {"type": "x"})
    assert [request.path_qs for request in server.requests[1:]] == ["/v1/moved?a=b"] * 2
    keys = [request.headers["Sec-WebSocket-Key"] for request in server.requests]
    assert len(set(keys)) == 3
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer sk-test"}


@pytest.mark.parametrize(
    "place", ["ws://localhost:{port}/v1", "wss://127.0.0.1:{port}/v1", "//other.test/v1", "ftp://x"]
)
async def test_redirects_to_another_origin_are_refused(both: Both, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All messages of the connection would go there."""

    class SecurityError(Exception):
        pass

    module = types.ModuleType("websockets.exceptions")
    module.SecurityError = SecurityError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "websockets.exceptions", module)
    async with Scripted(quiet) as server:
        location = place.format(port=server.port)
        server.refusals = [web.Response(status=302, headers={"Location": location})]
        manager = both.client(server, max_retries=2).realtime.connect(model="m")
        with pytest.raises(APIConnectionError, match="another origin") as caught:
            await both(manager.enter)
    assert isinstance(caught.value, SecurityError)
    assert len(server.requests) == 1


async def test_a_chain_of_redirects_ends(both: Both) -> None:
    async with Scripted(quiet) as server:
        server.refusals = [web.Response(status=302, headers={"Location": "/again"}) for _ in range(50)]
        with pytest.raises(APIConnectionError, match="redirected 10 times"):
            await both(both.client(server, max_retries=2).realtime.connect(model="m").enter)
    assert len(server.requests) == 10


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize(("size", "arrives"), [(98, False), (100, True), (0, False)])
async def test_a_message_of_the_largest_size(both: Both, compression: str | None, size: int, arrives: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.say("x" * 100)
        await peer.socket.receive(timeout=10)

    async with Scripted(script) as server:
        options = {"max_size": size, "compression": compression}
        manager = both.client(server).live.connect(websocket_connection_options=options)
        async with both.opened(manager) as connection:
            if arrives:
                assert await both(connection.recv_bytes) == b"x" * 100
            else:
                with pytest.raises(WebSocketConnectionClosedError) as caught:
                    await both(connection.recv_bytes)
                assert caught.value.sent is not None
                assert caught.value.sent.code == 1009


async def test_an_omitted_user_agent_is_not_that_of_aiohttp(both: Both) -> None:
    async with Scripted(quiet) as server:
        manager = both.client(server).realtime.connect(model="m", extra_headers={"User-Agent": omit})
        async with both.opened(manager):
            pass
    assert "User-Agent" not in server.requests[0].headers
