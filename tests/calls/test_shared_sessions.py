"""The sessions that a client and its copies share."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aiopenai import APIConnectionError, AsyncOpenAI
from aiopenai._base.secret import Secret
from aiopenai._calls.shared_sessions import SharedSessions
from aiopenai.testing import Server


def made(**wiring: Any) -> SharedSessions:
    options = {"http_client": None, "connector": None, "proxy": None, "ssl": True, "trust_env": True}
    return SharedSessions({**options, "max_response_bytes": 2**20, **wiring})


async def test_one_session_for_a_loop() -> None:
    sessions = made()
    assert sessions.current() is None
    opened = await asyncio.gather(*(sessions.open("GET", "http://h") for _ in range(20)))
    assert len(set(opened)) == 1
    assert sessions.current() is opened[0]
    await sessions.close()
    assert opened[0].closed


async def test_a_session_for_each_loop() -> None:
    sessions = made()

    async def opened() -> Any:
        return await sessions.open("GET", "http://h")

    mine = await opened()
    other = await asyncio.to_thread(asyncio.run, opened())
    assert other is not mine
    assert sessions.current() is mine
    await sessions.close()


async def test_closed_ones_open_nothing() -> None:
    sessions = made()
    await sessions.close()
    with pytest.raises(APIConnectionError, match="the client is closed") as caught:
        await sessions.open("GET", "http://user:hunter2@h/x")
    assert not caught.value.retryable
    assert caught.value.request.method == "GET"
    assert "hunter2" not in caught.value.request.url
    assert "http_client" in str(made().closed_error("GET", "http://h"))


async def test_blocks_show_no_value() -> None:
    sessions = made()
    await sessions.open("GET", "http://h")
    assert dict(sessions.block(Secret({"X-A": "1"}))) == {"X-A": "1"}
    for value, error in (("sesame\n", ValueError), (7, TypeError)):
        with pytest.raises(error, match="X-A") as caught:
            sessions.block(Secret({"X-A": value}))
        assert "sesame" not in str(caught.value)
    await sessions.close()


async def test_copies_share_them_unless_they_have_a_session(client: AsyncOpenAI, server: Server) -> None:
    import aiohttp

    assert client.copy()._sessions is client._sessions
    async with aiohttp.ClientSession() as session:
        other = client.copy(http_client=session)
        assert other._sessions is not client._sessions
        await other.models.list()
        await client.close()
        assert not other.is_closed()
        await other.models.list()
    assert server.request_count == 2
