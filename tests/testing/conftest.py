from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from aiopenai.testing import Server

from .http import Api


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer test"}) as session:
        yield Api(server, session)
