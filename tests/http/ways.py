"""Clients on each transport, for tests whose result must not depend on it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from aiopenai import AsyncOpenAI

# The direct transport; the general one on a connector of its own (see the fixture `transport`), on a connector of the
# caller's, and on a session of the caller's.
WAYS = ("direct", "general", "connector", "session")


@contextlib.asynccontextmanager
async def client_by(way: str, monkeypatch: Any, base_url: str, **options: Any) -> AsyncIterator[AsyncOpenAI]:
    options = {"api_key": "sk-test", "base_url": base_url, "max_retries": 0, **options}
    session: aiohttp.ClientSession | None = None
    if way == "general":

        def unfit(_: Any) -> None:
            from aiopenai._http.direct import UnfitError

            raise UnfitError("the test wants the general transport")

        monkeypatch.setattr("aiopenai._http.direct.examine", unfit)
    elif way == "connector":
        options["connector"] = aiohttp.TCPConnector
    elif way == "session":
        session = options["http_client"] = aiohttp.ClientSession()
    try:
        async with AsyncOpenAI(**options) as client:
            yield client
    finally:
        if session is not None:
            await session.close()
