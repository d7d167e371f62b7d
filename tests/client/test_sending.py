"""Requests as they are sent, with extra headers, query and body."""

from __future__ import annotations

from typing import Any

import pytest

import aiopenai
from aiopenai import (
    APIConnectionError,
    AsyncOpenAI,
    not_given,
    omit,
)
from aiopenai.testing import Server


def make(server: Server, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, **options})


def sent(server: Server) -> Any:
    return server.journal[-1].headers


@pytest.mark.usefixtures("transport")
class TestHeaders:
    async def test_usual(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, organization="org-1", project="proj-1") as client:
            await client.chat.completions.create(**chat)
            headers = sent(server)
            assert headers["authorization"] == "Bearer sk-test"
            assert headers["openai-organization"] == "org-1"
            assert headers["openai-project"] == "proj-1"
            assert headers["content-type"] == "application/json"
            assert headers["accept"] == "application/json"
            assert headers["user-agent"] == f"AsyncOpenAI/aiopenai {aiopenai.__version__}"
            assert headers["x-stainless-retry-count"] == "0"
            assert headers["x-stainless-read-timeout"] in ("600", "600.0")
            await client.models.list()
            assert "content-type" not in sent(server)

    async def test_the_environments(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-One: 1\nX-Two:two : halves\nnonsense\n X-Three : 3 \n: none")
        async with make(server, default_headers={"x-one": "given"}) as client:
            await client.models.list()
        headers = sent(server)
        assert [headers.getall(name) for name in ("x-one", "x-two", "x-three")] == [["given"], ["two : halves"], ["3"]]

    async def test_layers(self, server: Server) -> None:
        async with make(server, default_headers={"X-A": "client", "X-B": "client", "User-Agent": "mine"}) as client:
            await client.models.list(extra_headers={"x-a": "call", "X-C": "call"})
            headers = sent(server)
            assert [headers.getall(name) for name in ("x-a", "x-b", "x-c")] == [["call"], ["client"], ["call"]]
            assert headers.getall("user-agent") == ["mine"]
            await client.models.list()
            assert sent(server)["x-a"] == "client"

    async def test_omit_removes(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, default_headers={"X-A": "1", "user-agent": omit}) as client:  # type: ignore[dict-item]
            await client.chat.completions.create(**chat, extra_headers={"x-a": omit, "X-Stainless-Retry-Count": omit})
            headers = sent(server)
            assert "x-a" not in headers
            assert "x-stainless-retry-count" not in headers
            assert not headers.get("user-agent", "").startswith("AsyncOpenAI")
            # No credentials are sent where they are left out; the server then says so.
            with pytest.raises(aiopenai.AuthenticationError):
                await client.chat.completions.create(**chat, extra_headers={"Authorization": omit})
            assert "authorization" not in sent(server)
        async with AsyncOpenAI(
            admin_api_key="a", base_url=server.base_url, default_headers={"Authorization": "Basic x"}
        ) as client:
            server.reply_with("/models", {"object": "list", "data": []})
            await client.models.list()
            assert sent(server)["authorization"] == "Basic x"

    async def test_an_idempotency_key(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=2)
        await client.chat.completions.create(**chat, idempotency_key="once")
        await client.chat.completions.create(**chat)
        assert [r.headers.get("idempotency-key") for r in server.journal] == ["once"] * 3 + [None]

    @pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
    async def test_no_header_can_be_smuggled(self, value: str, client: AsyncOpenAI, server: Server) -> None:
        with pytest.raises((ValueError, APIConnectionError)):
            await client.with_options(max_retries=0).models.list(extra_headers={"X-A": value})
        assert server.request_count == 0


class TestExtras:
    async def test_query_and_body(self, server: Server, chat: dict[str, Any]) -> None:
        async with make(server, default_query={"v": "1", "w": "2"}) as client:
            await client.chat.completions.create(
                **chat,
                temperature=1,
                extra_query={"w": "call", "n": [1, 2]},
                extra_body={"temperature": 0, "new": {"a": 1}},
            )
        request = server.journal[-1]
        assert request.query == {"v": "1", "w": "call", "n[]": "2"}
        assert request.json() == {**chat, "temperature": 0, "new": {"a": 1}}

    async def test_query_of_the_base_url(self, server: Server) -> None:
        async with make(server, base_url=server.base_url + "?api-version=7") as client:
            await client.models.list(extra_query={"a": "b c&d"})
            await client.copy().models.list()
        assert [r.query for r in server.journal] == [{"api-version": "7", "a": "b c&d"}, {"api-version": "7"}]

    async def test_extra_body_alone(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=200, body={}, times=2)
        await client.responses.cancel("r", extra_body={"a": 1})
        assert server.journal[-1].json() == {"a": 1}
        await client.models.list(extra_body={"a": 1})
        assert server.journal[-1].body == b""  # a GET has none

    async def test_extra_body_must_fit(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="extra_body"):
            await client.chat.completions.create(**chat, extra_body=[1])
        assert server.request_count == 0

    async def test_what_cannot_be_sent(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="metadata"):
            await client.chat.completions.create(**chat, metadata={"a": object()})  # type: ignore[dict-item]
        assert server.request_count == 0

    async def test_omitted_parameters_are_not_sent(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        await client.chat.completions.create(**chat, temperature=omit, stop=not_given, n=None)  # type: ignore[arg-type]
        assert server.journal[-1].json() == {**chat, "n": None}

    async def test_timeout_of_a_call(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        await client.chat.completions.create(**chat, timeout=12.5)
        assert sent(server)["x-stainless-read-timeout"] == "12.5"
        await client.chat.completions.create(**chat, timeout=None)
        assert "x-stainless-read-timeout" not in sent(server)
        await client.chat.completions.create(**chat, timeout=not_given)
        assert sent(server)["x-stainless-read-timeout"] in ("600", "600.0")
        with pytest.raises(TypeError, match="timeout"):
            await client.chat.completions.create(**chat, timeout="5")


class TestPages:
    """The next page of a list is asked for with the options of the first one."""

    async def test_options_are_kept(self, client: AsyncOpenAI, server: Server) -> None:
        item = {"id": "a", "object": "file"}
        server.reply_with("/files", {"data": [item], "has_more": True})
        options: dict[str, Any] = {"timeout": 12.5, "max_retries": 1, "extra_headers": {"X-A": "1"}}
        page = await client.files.list(limit=1, extra_query={"q": "1"}, **options)
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=2)
        with pytest.raises(aiopenai.InternalServerError):
            await page.get_next_page()
        first, second, third = server.journal
        for request in (first, second, third):
            assert request.headers["x-stainless-read-timeout"] == "12.5"
            assert request.headers["x-a"] == "1"
            assert (request.query["limit"], request.query["q"]) == ("1", "1")
        assert "after" not in first.query
        assert second.query["after"] == third.query["after"] == "a"

    def test_in_the_blocking_client(self) -> None:
        with Server() as server, aiopenai.OpenAI(api_key="k", base_url=server.base_url) as client:
            server.reply_with("/files", {"data": [{"id": "a"}], "has_more": True})
            page = client.files.list(timeout=12.5, extra_headers={"X-A": "1"})
            page.get_next_page()
            assert server.journal[-1].headers["x-stainless-read-timeout"] == "12.5"
            assert server.journal[-1].headers["x-a"] == "1"
            assert server.journal[-1].query["after"] == "a"
