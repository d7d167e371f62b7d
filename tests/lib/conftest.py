"""Both clients by one interface, for the helpers of websockets; clients of both packages, for runs of tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.lib.played_runs import Played
from tests.lib.scripted import both_packages, serving
from tests.live.conftest import Both


@pytest.fixture(params=[False, True], ids=["async", "blocking"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    both = Both(request.param)
    yield both
    await both.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def play() -> AsyncIterator[Played]:
    play = Played()
    async with serving(play.handle) as play.base_url:
        yield play


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["AsyncOpenAI", "OpenAI"])
async def pair(request: pytest.FixtureRequest, play: Played) -> AsyncIterator[tuple[Any, Any]]:
    pytest.importorskip("openai.lib.responses_tool_runner")
    async with both_packages(request.param, play.base_url) as clients:
        yield clients
