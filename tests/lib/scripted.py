"""A server that plays back replies by request, and a client of the reference beside ours, for the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiohttp import web

import aiopenai

Reply = dict[str, Any] | web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]

# What each client says of itself and of the connection, and the reference to itself (that its reply is to be raw).
_OF_THE_CLIENT = re.compile(
    "connection|content-length|host|user-agent|accept-encoding|x-stainless-(arch|async|lang|os|package|raw-response|runtime).*"
)


class Sent(NamedTuple):
    """A request in a form in which those of two clients can be compared."""

    line: str
    headers: dict[str, str]
    body: Any


class Scripted:
    """`replies` by "VERB /path": each is used once, the last one again and again."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.sent: list[Sent] = []
        self.base_url = ""
        self._used: dict[str, int] = {}

    def lines(self) -> list[str]:
        return [sent.line for sent in self.sent]

    def rewind(self) -> list[Sent]:
        """What was asked since the last time; the replies begin from the first one again."""
        sent, self.sent, self._used = self.sent, [], {}
        return sent

    async def handle(self, request: web.Request) -> web.StreamResponse:
        line = f"{request.method} {request.path.removeprefix('/v1')}"
        script = self.replies[line]
        number = self._used.get(line, 0)
        self._used[line] = number + 1
        reply = script[min(number, len(script) - 1)]
        if callable(reply):
            self.sent.append(Sent(line, {}, None))
            return await reply(request)
        body: Any = await request.read()
        headers = {
            name.lower(): value for name, value in request.headers.items() if not _OF_THE_CLIENT.fullmatch(name.lower())
        }
        kind, _, boundary = headers.get("content-type", "").partition("; boundary=")
        if boundary:
            headers["content-type"] = kind
            body = body.replace(boundary.encode(), b"BOUNDARY")
        elif body:
            body = json.loads(body)
        else:
            # Departs: the reference declares a type for no content.
            headers.pop("content-type", None)
        # 600 and 600.0 are the same limit.
        headers["x-stainless-read-timeout"] = str(float(headers["x-stainless-read-timeout"]))
        self.sent.append(Sent(line + (f"?{request.query_string}" if request.query_string else ""), headers, body))
        if isinstance(reply, web.Response):
            return reply
        reply = dict(reply)
        extra = reply.pop("_headers", {})
        return web.json_response(reply, headers=extra)


@asynccontextmanager
async def serving(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """The base URL of a server on loopback with one handler for all requests."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    server = Scripted()
    async with serving(server.handle) as server.base_url:
        yield server


@asynccontextmanager
async def reference(server: Scripted, **options: Any) -> AsyncIterator[Any]:
    """The reference's client of this server; the test is skipped where it is not installed."""
    openai: Any = pytest.importorskip("openai", reason="the reference SDK is not installed")
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=server.base_url, **options) as client:
        yield client


@asynccontextmanager
async def both_packages(kind: str, base_url: str) -> AsyncIterator[tuple[Any, Any]]:
    """A client of each package, ours first. `kind` is the name of their class. Tests share them to save time."""
    theirs: Any = pytest.importorskip("openai", reason="the reference SDK is not installed")
    options = {"api_key": "k", "base_url": base_url, "max_retries": 0}
    name = {"AsyncOpenAI": "DefaultAsyncHttpxClient", "OpenAI": "DefaultHttpxClient"}[kind]
    # Reading the certificates takes longer than a test.
    clients = (
        getattr(aiopenai, kind)(**options),
        getattr(theirs, kind)(http_client=getattr(theirs, name)(verify=False), **options),
    )
    yield clients
    for client in clients:
        if (closing := client.close()) is not None:
            await closing
