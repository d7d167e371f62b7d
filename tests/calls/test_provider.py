"""The defaults of a provider: URLs of calls, websockets and batch lines, and no credentials of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, AuthenticationError, OpenAIError
from aiopenai._base.timeouts import DEFAULT_TIMEOUT
from aiopenai._calls.provider import Attempt, Provider, Service
from aiopenai._calls.request import Endpoint, Request
from aiopenai.testing import Server

ENDPOINT = Endpoint(method="GET", path="/x")


class Plain(Provider):
    """The least that a provider has."""

    def __init__(self, root: str = "http://h/v1") -> None:
        self.root = root

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        return {"Authorization": f"Bearer {endpoint.method}"}

    def require(self, endpoint: Endpoint) -> None:
        raise OpenAIError(f"{endpoint.path} needs nothing")


class Own(Service):
    """A service of a program."""

    is_cloud = True

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.base_url = provider.root

    def provider(self, configuration: Any, wiring: Mapping[str, Any]) -> Provider:
        return self._provider


class TestURLs:
    @pytest.mark.parametrize(
        ("path", "url"),
        [
            ("/x", "http://h/v1/x"),
            ("x", "http://h/v1/x"),
            ("http://other/x", "http://other/x"),
            ("https://other/x", "https://other/x"),
            ("httpx", "http://h/v1/httpx"),
        ],
    )
    def test_of_calls(self, path: str, url: str) -> None:
        assert Plain().url(Request(endpoint=ENDPOINT, path=path)) == url

    def test_of_websockets(self) -> None:
        query = {"model": "m"}
        found = Plain("https://h/v1").websocket_url("/realtime", None, query)
        assert found == ("wss://h/v1/realtime", {"model": "m"})
        assert found[1] is not query
        assert Plain().websocket_url("/realtime", "wss://own/base", {})[0] == "wss://own/base/realtime"

    def test_of_batch_lines(self) -> None:
        assert Plain("https://h/elsewhere").batch_url("/chat/completions") == "/v1/chat/completions"


class TestDefaults:
    def test_of_providers(self) -> None:
        plain = Plain()
        assert plain.credential_headers == ("authorization",)
        assert (plain.follows_redirects, plain.own_origin_only, plain.authorizes) == (True, False, False)

    def test_of_services(self) -> None:
        own = Own(Plain())
        assert (own.is_cloud, own.regions, own.needs_https) == (True, None, False)
        assert Service.base_url is None

    def test_of_attempts(self) -> None:
        headers = {"a": "1"}
        attempt = Attempt(ENDPOINT, "http://h/x", headers, b"body", frozenset({"b"}))
        assert (attempt.endpoint, attempt.url, attempt.body) == (ENDPOINT, "http://h/x", b"body")
        assert attempt.headers is headers
        assert attempt.chosen == {"b"}
        assert attempt.timeout is DEFAULT_TIMEOUT


class TestCalls:
    async def test_constant_headers(self, server: Server) -> None:
        async with AsyncOpenAI(provider=Own(Plain(server.base_url))) as client:
            await client.models.list()
        assert server.journal[0].headers["authorization"] == "Bearer GET"

    async def test_authorize_is_missing(self, server: Server) -> None:
        class Forgetful(Plain):
            authorizes = True

        async with AsyncOpenAI(provider=Own(Forgetful(server.base_url))) as client:
            with pytest.raises(NotImplementedError, match="Forgetful sets `authorizes`"):
                await client.models.list()
        assert server.request_count == 0

    async def test_a_refusal_is_not_tried_again_without_fresh_credentials(self, server: Server) -> None:
        server.fault(status=401, times=None)
        assert await Plain().renew({}) is False
        async with AsyncOpenAI(provider=Own(Plain(server.base_url))) as client:
            with pytest.raises(AuthenticationError):
                await client.models.list()
        assert server.request_count == 1

    async def test_fresh_credentials_are_tried_once_outside_of_the_retries(self, server: Server) -> None:
        class Renewing(Plain):
            authorizes = True
            refused: list[str] = []  # noqa: RUF012 - one test

            async def authorize(self, attempt: Attempt) -> None:
                attempt.headers["Authorization"] = f"Bearer {len(self.refused)}"

            async def renew(self, headers: Mapping[str, str]) -> bool:
                self.refused.append(headers["Authorization"])
                return True

        server.fault(status=401, times=None)
        async with AsyncOpenAI(provider=Own(Renewing(server.base_url)), max_retries=0) as client:
            with pytest.raises(AuthenticationError):
                await client.models.list()
        assert server.request_count == 2
        assert Renewing.refused == ["Bearer 0"]
        assert [request.headers["authorization"] for request in server.journal] == ["Bearer 0", "Bearer 1"]
