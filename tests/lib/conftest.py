"""Both clients by one interface, for the helpers of websockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.live.conftest import Both


@pytest.fixture(params=[False, True], ids=["async", "blocking"])
async def both(request: pytest.FixtureRequest) -> AsyncIterator[Both]:
    both = Both(request.param)
    yield both
    await both.close()
