"""Replies as values of their types."""

from __future__ import annotations

from typing import Any

import pytest

import aiopenai
from aiopenai import APIResponseValidationError, AsyncOpenAI
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.paging import AsyncPage
from aiopenai._calls.replies import parse, status_error
from aiopenai._calls.request import Endpoint, Request
from aiopenai._http.messages import HTTPRequest, HTTPResponse
from aiopenai.testing import Server
from aiopenai.types import Model


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


class Reply:
    """A reply with the parts that `parse` looks at."""

    reason, elapsed = "OK", 0.5

    def __init__(self, status: int = 200, kind: str = "application/json") -> None:
        self.status = status
        self.headers = {"content-type": kind, "x-request-id": "req_1"}
        self.request = HTTPRequest("POST", "http://h/v1/x")
        self.content = b""

    def items(self) -> Any:
        return self.headers.items()

    async def read(self) -> bytes:
        return self.content


def parsed(raw: bytes, kind: Any, *, strict: bool = False, reply: Any = None, **facts: Any) -> Any:
    finish = facts.pop("finish", None)
    request: Any = Request(endpoint=Endpoint(method="POST", path="/x", reply=kind, **facts), path="/x", finish=finish)
    return parse("client", request, reply or Reply(), raw, kind, strict=strict)


class TestParse:
    def test_nothing(self) -> None:
        assert parsed(b"{}", None) is None
        assert parsed(b"{}", type(None)) is None
        assert parsed(b"", Model, reply=Reply(204)) is None
        assert parsed(b"", Model, reply=Reply(205)) is None
        with pytest.raises(APIResponseValidationError):
            parsed(b"", Model)

    def test_bodies(self) -> None:
        assert parsed("ä".encode("latin-1"), str, reply=Reply(kind="text/plain; charset=latin-1")) == "ä"
        assert parsed(b"\xff", bytes) == b"\xff"
        assert parsed(b"\xff", HttpxBinaryResponseContent).content == b"\xff"
        assert parsed(b"\xff", HTTPResponse).status_code == 200

    def test_a_model_of_the_program(self) -> None:
        class Mine:
            @classmethod
            def model_validate(cls, value: Any) -> Any:
                if "id" not in value:
                    raise ValueError("no id")
                return value["id"]

        assert parsed(b'{"id": 7}', Mine) == 7
        for raw in (b"{}", b"{"):
            with pytest.raises(APIResponseValidationError):
                parsed(raw, Mine)

    def test_reply_types(self) -> None:
        raw = b'{"id":"m","object":"model","created":1,"owned_by":"me"}'
        assert parsed(raw, Model)._request_id == "req_1"
        assert parsed(raw, Model, strict=True).id == "m"
        assert parsed(b'{"id":7}', Model).id == 7
        with pytest.raises(APIResponseValidationError):
            parsed(b'{"id":7}', Model, strict=True)
        for other in (b"7", b"[]", b"null", b'"x"'):
            with pytest.raises(APIResponseValidationError, match="JSON object"):
                parsed(other, Model)

    def test_pages(self) -> None:
        page = parsed(b'[{"id":"m"}]', AsyncPage[Model], page=AsyncPage)
        assert [item.id for item in page.data] == ["m"]
        assert vars(page)["_client"] == "client"
        with pytest.raises(APIResponseValidationError):
            parsed(b"7", AsyncPage[Model], page=AsyncPage)

    def test_the_result_of_a_method(self) -> None:
        assert parsed(b'{"id":"m"}', Model, finish=lambda value: value.id) == "m"

    async def test_errors_by_status(self) -> None:
        reply: Any = Reply(429)
        reply.headers["retry-after"] = "7"
        reply.content = b'{"error": {"message": "slow down"}}'
        request: Any = Request(endpoint=Endpoint(method="POST", path="/x"), path="/x")
        error = await status_error(request, reply, 2)
        assert isinstance(error, aiopenai.RateLimitError)
        assert (error.retry_after, error.response.retries_taken) == (7, 2)
        reply.status = 304
        assert isinstance(await status_error(request, reply, 0), APIResponseValidationError)
