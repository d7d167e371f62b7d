"""A plain client for the tests of the server: aiohttp and nothing of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import aiohttp

from aiopenai.testing import Server

USER = [{"role": "user", "content": "hi there"}]
CHAT = {"model": "gpt-4o", "messages": USER}


class Got(NamedTuple):
    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/json"
        error = self.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error

    def events(self) -> list[Any]:
        """The data of all events, decoded; `[DONE]` as it is."""
        assert self.headers["content-type"].startswith("text/event-stream")
        found = []
        assert self.body.endswith(b"\n\n")
        for block in self.body.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            data = fields["data"] if fields["data"] == "[DONE]" else json.loads(fields["data"])
            if "event" in fields:
                assert fields["event"] == data["type"]
            found.append(data)
        return found


class Api:
    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Got:
        if body is not None:
            options["json"] = body
        async with self.session.request(method, self.server.base_url + path, **options) as response:
            return Got(response.status, response.headers, await response.read())

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        got = await self(method, path, body, **options)
        assert got.status == 200, got.body
        return got.json()

    async def fails(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        got = await self(method, path, body, **options)
        assert got.status == status, got.body
        return got.error()


async def raw(server: Server, data: bytes) -> bytes:
    """What comes back for raw bytes until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    """Let other tasks run until something is so."""
    while not condition():  # noqa: ASYNC110 - an event would have to be set by what is under test
        await asyncio.sleep(0)


def raw_request(path: str, body: bytes, *lines: str, verb: str = "POST") -> bytes:
    head = [f"{verb} /v1{path} HTTP/1.1", "host: test", "authorization: Bearer test", f"content-length: {len(body)}"]
    return "\r\n".join([*head, *lines, "", ""]).encode() + body
