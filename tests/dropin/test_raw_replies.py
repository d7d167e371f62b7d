"""The parts of raw replies that programs take from the reference: `http_response`, `http_version`, `close`."""

from __future__ import annotations

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


@pytest.mark.parametrize("value", ["", "."])
def test_path_arguments(value: str) -> None:
    words = {"": "Expected a non-empty value for `model` but received ''", ".": "`model` must not be '.'"}
    with OpenAI(api_key="k") as blocking, pytest.raises(ValueError, match=words[value]):
        blocking.models.retrieve(value)
