from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server
from aiopenai.testing.content.catalogue import MODELS

from .http import Api


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that knows the listed models only."""
    async with Server(models=MODELS) as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer test"}) as session:
        yield Api(server, session)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="test", base_url=server.base_url, max_retries=0) as client:
        yield client
