"""Websocket servers that play a script, and both clients by one interface."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from typing_extensions import Self

from aiopenai import AsyncOpenAI, OpenAI
from tests.conftest import RawServer

Script = Callable[["Peer"], Awaitable[Any]]


class Peer:
    """One connection of the server: its handshake and its socket."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.request = request
        self.socket = socket

    async def say(self, *events: str | bytes) -> None:
        for event in events:
            await (self.socket.send_str(event) if isinstance(event, str) else self.socket.send_bytes(event))

    async def hear(self) -> str | bytes:
        message = await self.socket.receive(timeout=10)
        assert message.type in (web.WSMsgType.TEXT, web.WSMsgType.BINARY), message
        return message.data  # type: ignore[no-any-return]

    async def end(self, code: int = 1000) -> None:
        await self.socket.close(code=code)

    def cut(self) -> None:
        assert self.request.transport is not None
        self.request.transport.abort()


class Scripted:
    """A server on loopback: request number n gets script n, the last one again and again, or one of `refusals`."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts
        self.requests: list[web.Request] = []
        self.errors: list[BaseException] = []
        self.refusals: list[web.Response] = []

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        served = len(self.requests)
        self.requests.append(request)
        if self.refusals:
            return self.refusals.pop(0)
        socket = web.WebSocketResponse(heartbeat=None, protocols=("realtime",))
        await socket.prepare(request)
        script = self.scripts[min(served, len(self.scripts) - 1)]
        try:
            await script(Peer(request, socket))
        except (ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            self.errors.append(error)
        return socket

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        assert self.errors == []


class Both:
    """Runs one test for either client: `await both(method, ...)` calls it in a thread if the client blocks."""

    def __init__(self, blocking: bool) -> None:
        self.blocking = blocking
        self._clients: list[Any] = []

    def client(self, server: Scripted | RawServer, **options: Any) -> Any:
        options = {"api_key": "sk-test", "base_url": server.base_url, "max_retries": 0, **options}
        made = OpenAI(**options) if self.blocking else AsyncOpenAI(**options)
        self._clients.append(made)
        return made

    async def __call__(self, method: Callable[..., Any], *args: Any, **given: Any) -> Any:
        if self.blocking:
            return await asyncio.to_thread(method, *args, **given)
        result = method(*args, **given)
        return await result if inspect.isawaitable(result) else result

    @contextlib.asynccontextmanager
    async def opened(self, manager: Any) -> AsyncIterator[Any]:
        connection = await self(manager.enter)
        try:
            yield connection
        finally:
            await self(connection.close)

    @contextlib.asynccontextmanager
    async def inside(self, manager: Any) -> AsyncIterator[Any]:
        """The block of a context manager of either client."""
        yielded = await self(manager.__enter__ if self.blocking else manager.__aenter__)
        try:
            yield yielded
        finally:
            await self(manager.__exit__ if self.blocking else manager.__aexit__, None, None, None)

    async def events(self, connection: Any) -> list[Any]:
        """All events until the end of the connection."""
        if self.blocking:
            return await asyncio.to_thread(list, connection)
        return [event async for event in connection]

    async def close(self) -> None:
        for client in self._clients:
            await self(client.close)


@pytest.fixture(params=[False, True], ids=["async", "blocking"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    both = Both(request.param)
    yield both
    await both.close()
