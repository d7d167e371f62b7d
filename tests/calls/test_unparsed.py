"""The header that asks for an unparsed reply, and the context managers of open replies."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import omit
from aiopenai._calls.unparsed import AsyncResponseContextManager, ResponseContextManager, marked, take_mark


class Response:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class AsyncResponse(Response):
    async def close(self) -> None:  # type: ignore[override]
        self.closed += 1


@pytest.mark.parametrize("mark", ["raw", "stream"])
@pytest.mark.parametrize("given", [{}, {"extra_headers": None}, {"extra_headers": {"X-A": "1"}, "model": "m"}])
def test_a_mark_comes_back(given: dict[str, Any], mark: str) -> None:
    before = dict(given)
    call = marked(given, mark)
    assert given == before
    headers, found = take_mark(call.pop("extra_headers"))
    assert found == mark
    assert headers == (before.pop("extra_headers", None) or {})
    assert call == before


@pytest.mark.parametrize(
    ("value", "mark"), [("stream", "stream"), ("true", "raw"), ("raw", "raw"), (omit, ""), (None, "")]
)
@pytest.mark.parametrize("name", ["X-Stainless-Raw-Response", "x-stainless-raw-response"])
def test_the_header_of_a_program(name: str, value: Any, mark: str) -> None:
    assert take_mark({"X-A": "1", name: value, "X-B": "2"}) == ({"X-A": "1", "X-B": "2"}, mark)


def test_without_a_mark_the_headers_are_the_same_object() -> None:
    headers = {"X-A": "1"}
    assert take_mark(headers)[0] is headers
    assert take_mark(headers)[1] == ""


async def test_leaving_the_block_closes_the_reply() -> None:
    response = AsyncResponse()

    async def request() -> Any:
        return response

    async with AsyncResponseContextManager[Any](request()) as opened:
        assert opened is response
        assert not response.closed
    assert response.closed == 1


async def test_a_request_that_fails_leaves_nothing_to_close() -> None:
    async def request() -> Any:
        raise ValueError("refused")

    manager = AsyncResponseContextManager[Any](request())
    with pytest.raises(ValueError, match="refused"):
        await manager.__aenter__()
    await manager.__aexit__(None, None, None)


def test_blocking() -> None:
    response: Any = Response()
    manager = ResponseContextManager[Any](lambda: response)
    with manager as opened:
        assert opened is response
        assert not response.closed
    assert response.closed == 1
    # A block that was never entered has nothing to close.
    ResponseContextManager[Any](lambda: response).__exit__(None, None, None)
    assert response.closed == 1
