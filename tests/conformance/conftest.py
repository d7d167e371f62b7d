from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server
from tests.parity.conftest import KEYS, reference  # noqa: F401


@pytest.fixture
async def ours(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.base_url, **KEYS) as client:
        yield client


@pytest.fixture
async def theirs(server: Server, reference: Callable[..., Any]) -> AsyncIterator[Any]:  # noqa: F811
    import openai

    # Reading the certificates takes longer than most tests do.
    http_client = openai.DefaultAsyncHttpxClient(verify=False)
    async with reference(base_url=server.base_url, http_client=http_client, **KEYS) as client:
        yield client
