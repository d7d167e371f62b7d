"""Replies as values of their types."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import (
    APIResponseValidationError,
    AsyncOpenAI,
)
from aiopenai.testing import Server


def make(server: Server, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, **options})


def sent(server: Server) -> Any:
    return server.journal[-1].headers


def response_id(server: Server) -> str:
    return f"req_{server.request_count:032x}"


@pytest.mark.usefixtures("transport")
class TestReplies:
    @pytest.mark.parametrize(
        ("body", "kind", "why"),
        [
            (b"<!doctype html><title>Log in</title>", "text/html", "Log in"),
            (b"", "application/json", "begins"),
            (b'{"id": ', "application/json", "JSON"),
            (b"\xff\xfe\x00", "application/octet-stream", "octet-stream"),
            (b'"text"', "application/json", "JSON object"),
            (b"[" * 100_000, "application/json", "JSON"),
        ],
    )
    async def test_not_what_it_should_be(
        self, body: bytes, kind: str, why: str, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        server.reply_with("/chat/completions", body, content_type=kind)
        with pytest.raises(APIResponseValidationError, match=why) as caught:
            await client.chat.completions.create(**chat)
        error = caught.value
        assert f"{server.base_url}/chat/completions" in str(error)
        assert kind in str(error)
        assert len(str(error)) < 2_000
        assert (error.status_code, error.request_id) == (200, response_id(server))
        assert error.response.content == body
        assert len(server.journal) == 1

    async def test_request_id(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        completion = await client.chat.completions.create(**chat)
        assert completion._request_id == response_id(server)
        assert (await client.models.list())._request_id == response_id(server)

    async def test_strict_validation(self, server: Server) -> None:
        server.reply_with("/models/m", {"id": 7})
        async with make(server) as client:
            assert (await client.models.retrieve("m")).id == 7  # type: ignore[comparison-overlap]
        async with make(server, _strict_response_validation=True) as client:
            with pytest.raises(APIResponseValidationError):
                await client.models.retrieve("m")

    async def test_no_content(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/responses/r1", b"", status=204)
        assert await client.responses.delete("r1") is None
