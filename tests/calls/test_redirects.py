"""Redirects: a body that cannot be rebuilt is sent once, and credentials stay with their origin."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIResponseValidationError, AsyncOpenAI, OpenAI
from aiopenai._calls.redirects import MAX_REDIRECTS
from aiopenai.testing import Server

pytestmark = pytest.mark.usefixtures("transport")


async def pieces() -> AsyncIterator[bytes]:
    yield b'{"a":'
    yield b"1}"


class Unseekable(io.RawIOBase):
    """A file that can be read once."""

    def __init__(self) -> None:
        self._left = [b"data"]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._left.pop() if self._left else b""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("status", [307, 308, 301, 302])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_spent_body_is_not_sent_again(
    status: int, elsewhere: bool, client: AsyncOpenAI, server: Server
) -> None:
    async with Server() as other:
        target = other if elsewhere else server
        target.reply_with("/target", {"ok": True})
        server.fault(status=status, headers={"location": f"{target.base_url}/target"}, match="/x", times=None)
        # After 301 and 302, PUT stays PUT, with its body.
        verb = client.put if status in (301, 302) else client.post
        with pytest.raises(
            APIConnectionError, match=rf"redirected \(status {status}\).*cannot be sent again"
        ) as caught:
            await verb("/x", cast_to=object, content=pieces(), max_retries=3)
        assert not caught.value.replayable
        assert not caught.value.retryable
        assert [request.path for request in (*server.journal, *other.journal)] == ["/v1/x"]


async def test_a_spent_file_is_not_sent_again(client: AsyncOpenAI, server: Server) -> None:
    server.fault(status=307, headers={"location": "/v1/target"}, match="/files", times=None)
    with pytest.raises(APIConnectionError, match="cannot be sent again"):
        await client.files.create(file=("n.txt", Unseekable()), purpose="batch")  # type: ignore[arg-type]
    assert [request.path for request in server.journal] == ["/v1/files"]


async def test_a_get_follows_without_the_body(client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/target", {"ok": True})
    for status in (301, 302, 303):
        server.fault(status=status, headers={"location": "/v1/target"}, match="/x")
        assert await client.post("/x", cast_to=object, content=pieces()) == {"ok": True}
        assert (server.journal[-1].method, server.journal[-1].body) == ("GET", b"")


async def test_bodies_that_can_be_sent_again(client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/target", {"ok": True})
    for body in ({"content": b"raw"}, {"content": bytearray(b"raw")}, {"files": {"file": ("n.txt", b"raw")}}, {}):
        server.fault(status=308, headers={"location": "/v1/target"}, match="/x")
        assert await client.post("/x", cast_to=object, **body) == {"ok": True}
        first, second = server.journal[-2:]
        assert second.method == "POST"
        assert len(first.body) == len(second.body)


async def test_a_scheme_or_port_is_another_origin(server: Server) -> None:
    async with Server() as other:
        other.reply_with("/target", {"ok": True})
        server.fault(status=307, headers={"location": f"{other.base_url}/target"}, match="/x", times=None)
        key = "sk-" + "k" * 30
        headers = {"Api-Key": key, "X-Amz-Security-Token": key}
        async with AsyncOpenAI(api_key=lambda: key, base_url=server.base_url, default_headers=headers) as client:
            await client.get("/x", cast_to=object)
        assert key in server.journal[-1].headers["authorization"]
        assert key not in str(other.journal[-1].headers)


async def test_a_key_of_a_function_follows_to_the_same_origin(server: Server) -> None:
    server.reply_with("/target", {"ok": True})
    server.fault(status=307, headers={"location": "/v1/target"}, match="/x", times=None)
    async with AsyncOpenAI(api_key=lambda: "sk-new", base_url=server.base_url) as client:
        await client.post("/x", cast_to=object, body={"a": 1})
    assert [request.headers["authorization"] for request in server.journal] == ["Bearer sk-new"] * 2


async def test_too_many(client: AsyncOpenAI, server: Server) -> None:
    server.fault(status=307, headers={"location": "/v1/x"}, times=None)
    with pytest.raises(APIResponseValidationError, match="307"):
        await client.get("/x", cast_to=object)
    assert server.request_count == MAX_REDIRECTS + 1


@pytest.mark.parametrize("location", ["ftp://h/x", "http://user:hunter2@[bad", "javascript:alert(1)"])
async def test_a_location_that_is_none(location: str, client: AsyncOpenAI, server: Server) -> None:
    server.fault(status=302, headers={"location": location}, times=None)
    with pytest.raises(APIConnectionError, match="no http or https URL") as caught:
        await client.models.list(max_retries=2)
    assert "hunter2" not in str(caught.value)
    assert server.request_count == 1


async def test_an_error_at_its_end(client: AsyncOpenAI, server: Server) -> None:
    server.fault(status=307, headers={"location": "/v1/models/none"}, match="/x")
    with pytest.raises(Exception, match="404"):
        await client.get("/x", cast_to=object)


def test_in_the_blocking_client() -> None:
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        server.fault(status=307, headers={"location": "/v1/target"}, match="/x", times=None)
        with pytest.raises(APIConnectionError, match="cannot be sent again"):
            client.post("/x", cast_to=object, content=pieces())
        assert server.request_count == 1


def test_the_message_names_the_cure() -> Any:
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        server.fault(status=308, headers={"location": "/v1/target"}, match="/x")
        with pytest.raises(APIConnectionError, match="as bytes, or use the final URL as base_url"):
            client.post("/x", cast_to=object, content=pieces())


@pytest.mark.parametrize(("status", "bodiless"), [(303, True), (301, True), (302, True), (307, False), (308, False)])
async def test_the_type_of_the_body_goes_with_it(
    status: int, bodiless: bool, client: AsyncOpenAI, server: Server
) -> None:
    server.reply_with("/target", {})
    server.fault(status=status, headers={"location": "/v1/target"}, match="/x")
    await client.post("/x", cast_to=object, body={"a": 1})
    last = server.journal[-1]
    assert ("content-type" in last.headers, last.body) == (not bodiless, b"" if bodiless else b'{"a":1}')
    assert last.method == ("GET" if bodiless else "POST")
