from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server

KEYS = {
    "api_key": "key-for-tests",
    "admin_api_key": "admin-key-for-tests",
    "organization": "org-test",
    "project": "proj_test",
    "max_retries": 0,
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def ours(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.base_url, **KEYS) as client:
        yield client


@pytest.fixture
async def theirs(server: Server, reference: Callable[..., Any]) -> AsyncIterator[Any]:
    import openai

    # Reading the certificates for each client takes longer than most tests do.
    http_client = openai.DefaultAsyncHttpxClient(verify=False)
    async with reference(base_url=server.base_url, http_client=http_client, **KEYS) as client:
        yield client


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print in spite of the capture: the counts are what the run is for."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end=" ")

    return say


@pytest.fixture(scope="session")
def reference() -> Any:
    """The reference's AsyncOpenAI; tests that compare with it are skipped where it is not installed."""
    return pytest.importorskip("openai", reason="the reference SDK is not installed").AsyncOpenAI
