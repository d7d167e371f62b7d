from __future__ import annotations

import json
import time

import aiohttp
import pytest

from aiopenai.testing import ReceivedRequest, Server
from tests.testing.http import CHAT, Api

CHAT_BYTES = json.dumps(CHAT).encode()


async def test_the_journal(api: Api) -> None:
    before = time.monotonic()
    await api.ok("POST", "/chat/completions?a=1&b=&a=%20x", CHAT, headers={"X-One": "two"})
    await api("GET", "/chat/completions/a%2Fb")
    first, second = api.server.journal
    assert isinstance(first, ReceivedRequest)
    assert (first.method, first.path) == ("POST", "/v1/chat/completions")
    assert first.query_list == [("a", "1"), ("b", ""), ("a", " x")]
    assert first.query == {"a": " x", "b": ""}
    assert first.headers["x-one"] == first.headers["X-ONE"] == "two"
    assert first.json() == CHAT
    assert json.loads(first.body) == CHAT
    assert first.fault is None
    assert before <= first.arrived <= second.arrived <= time.monotonic()
    assert second.path == "/v1/chat/completions/a/b"
    assert "POST /v1/chat/completions" in repr(first)
    assert api.server.requests_for("/chat/completions") == [first]
    assert api.server.requests_for("/chat/completions", "post") == [first]
    assert api.server.requests_for("/chat/completions", "GET") == []
    api.server.clear()
    assert api.server.journal == []
    assert api.server.request_count == 2
    with pytest.raises(ValueError, match="Expecting value"):
        second.json()
    with pytest.raises(ValueError, match="multipart"):
        second.multipart()


async def test_the_journal_is_bounded() -> None:
    async with (
        Server(max_journal_entries=3, max_journal_bytes=100) as server,
        aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session,
    ):
        api = Api(server, session)
        for number in range(5):
            await api("GET", f"/models/{number}")
        assert [request.path[-1] for request in server.journal] == ["2", "3", "4"]
        for size in (60, 40, 30):
            await api("POST", "/files", data=b"x" * size)
        assert [len(request.body) for request in server.journal] == [40, 30]
        await api("POST", "/files", data=b"x" * 500)
        assert [len(request.body) for request in server.journal] == [500]


async def test_no_journal() -> None:
    async with Server(journal=False) as server, aiohttp.ClientSession() as session:
        await Api(server, session)("GET", "/models")
        server.clear()
        assert server.journal == []
        assert server.request_count == 1
