"""Calls over several lifetimes of tokens that the local server checks; `tests.auth.expiring` is the long form."""

from __future__ import annotations

import pytest

from tests.auth.expiring import run


@pytest.mark.parametrize("concurrency", [1, 50])
async def test_no_call_fails_and_each_token_is_exchanged_once(concurrency: int) -> None:
    found = await run(0, 0.4, concurrency=concurrency, seconds=1.5)
    assert found.calls >= concurrency
    # A token is refreshed at half its lifetime at the earliest; the first one comes before the first call.
    assert 2 <= found.exchanges <= 2 + found.seconds / 0.2
