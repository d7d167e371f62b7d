"""The parts of raw replies that programs take from the reference: `http_response`, `http_version`, `close`."""

from __future__ import annotations

import asyncio

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.testing import Server


async def test_http_response(server: Server, client: AsyncOpenAI) -> None:
    raw = await client.models.with_raw_response.list()
    response = raw.http_response
    assert response.status_code == raw.status_code == 200
    assert response.content == raw.content == response.read() == await response.aread()
    assert response.headers["x-request-id"] == raw.request_id
    assert (response.is_success, response.is_error) == (True, False)
    assert raw.http_version == "HTTP/1.1"
    await response.aclose()
    response.close()
    await raw.aclose()
    raw.close()
    assert raw.is_closed
    assert raw.parse().data


async def test_http_response_of_a_streamed_reply(server: Server, client: AsyncOpenAI) -> None:
    async with client.models.with_streaming_response.list() as streamed:
        assert (streamed.http_response.status_code, streamed.http_response.content) == (200, b"")
        body = await streamed.read()
        assert streamed.http_response.content == body != b""

    def read() -> None:
        with (
            OpenAI(api_key="k", base_url=server.base_url) as blocking,
            blocking.models.with_streaming_response.list() as reply,
        ):
            assert reply.http_response.headers["x-request-id"] == reply.request_id
            assert reply.http_response.content == b""
            assert reply.read() == reply.http_response.content == body

    # The server runs in this loop.
    await asyncio.to_thread(read)


@pytest.mark.parametrize("value", ["", "."])
def test_path_arguments(value: str) -> None:
    words = {"": "Expected a non-empty value for `model` but received ''", ".": "`model` must not be '.'"}
    with OpenAI(api_key="k") as blocking, pytest.raises(ValueError, match=words[value]):
        blocking.models.retrieve(value)
