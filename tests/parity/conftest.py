from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server

HERE = Path(__file__).parent
KEYS = {
    "api_key": "key-for-tests",
    "admin_api_key": "admin-key-for-tests",
    "organization": "org-test",
    "project": "proj_test",
    "max_retries": 0,
}


# One loop, one server and one client of each kind for all calls of a module; what a test leaves in it is cleared.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.clear()
    return running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ours(running: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=running.base_url, **KEYS) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(running: Server, reference: Callable[..., Any]) -> AsyncIterator[Any]:
    import openai

    # Reading the certificates takes longer than most tests do.
    http_client = openai.DefaultAsyncHttpxClient(verify=False)
    async with reference(base_url=running.base_url, http_client=http_client, **KEYS) as client:
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
