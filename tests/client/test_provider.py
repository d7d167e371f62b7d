"""OpenAI's own keys as a provider."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AzureOpenAI, OpenAI, OpenAIError
from aiopenai._base.secret import Secret
from aiopenai._calls.provider import Attempt, Provider
from aiopenai._calls.request import Endpoint, Request
from aiopenai._client.configuration import BaseURL, Configuration
from aiopenai._client.provider import OpenAIProvider


def provider(**options: Any) -> OpenAIProvider:
    return OpenAIProvider(Configuration(**options))


def endpoint(security: Any = "bearer", path: str = "/x") -> Endpoint:
    return Endpoint(method="GET", path=path, security=security)


def test_credentials_go_to_the_origin_of_the_base_url() -> None:
    own = provider(base_url=BaseURL.of("http://user:pw@h/v1/"))
    assert own.root == "http://h/v1"
    assert own.url(Request(endpoint=endpoint(), path="/x")) == "http://h/v1/x"


class TestHeaders:
    @pytest.mark.parametrize(
        ("security", "key", "admin", "sent"),
        [
            ("bearer", "k", "a", "Bearer k"),
            ("admin", "k", "a", "Bearer a"),
            ("any", "k", "a", "Bearer k"),
            ("any", "", "a", "Bearer a"),
            ("bearer", "", "a", None),
            ("admin", "k", None, None),
            ("any", "", None, None),
        ],
    )
    def test_keys(self, security: Any, key: str, admin: str | None, sent: str | None) -> None:
        own = provider(api_key=Secret(key), admin_api_key=None if admin is None else Secret(admin))
        assert own.headers(endpoint(security)).get("Authorization") == sent
        assert not own.authorizes

    def test_a_login_comes_first(self) -> None:
        own = provider(api_key=Secret("k"), base_url=BaseURL.of("http://us%40er:pw@h"))
        assert own.headers(endpoint())["Authorization"] == "Basic dXNAZXI6cHc="

    def test_a_key_of_a_function_comes_later(self) -> None:
        own = provider(api_key=lambda: "k", admin_api_key=Secret("a"))
        assert own.authorizes
        assert own.headers(endpoint()) == {}
        assert own.headers(endpoint("any")) == {"Authorization": "Bearer a"}


class TestRequire:
    def test_the_missing_key_is_named(self) -> None:
        for security, name in (("bearer", "OPENAI_API_KEY"), ("any", "OPENAI_API_KEY"), ("admin", "OPENAI_ADMIN_KEY")):
            with pytest.raises(OpenAIError, match=rf"GET /x needs .*{name}"):
                provider().require(endpoint(security))
        provider(enforce_credentials=False).require(endpoint())


class TestAuthorize:
    async def authorized(self, own: OpenAIProvider, security: Any = "bearer", chosen: Any = ()) -> dict[str, str]:
        attempt = Attempt(endpoint(security), "http://h/x", {}, None, frozenset(chosen))
        await own.authorize(attempt)
        return attempt.headers

    async def test_functions(self) -> None:
        async def later() -> str:
            return "later"

        assert await self.authorized(provider(api_key=lambda: "now")) == {"Authorization": "Bearer now"}
        own = provider(api_key=later)
        assert await self.authorized(own) == {"Authorization": "Bearer later"}
        assert own.key == Secret("later")

    async def test_it_leaves_other_credentials_alone(self) -> None:
        own = provider(api_key=lambda: "k")
        assert await self.authorized(own, "admin") == {}
        assert await self.authorized(own, chosen=["authorization"]) == {}
        login = provider(api_key=lambda: "k", base_url=BaseURL.of("http://u:p@h"))
        assert await self.authorized(login) == {}

    @pytest.mark.parametrize("bad", ["", None, 7, b"key"])
    async def test_other_results(self, bad: Any) -> None:
        with pytest.raises(OpenAIError, match="must return a non-empty str"):
            await self.authorized(provider(api_key=lambda: bad))

    async def test_its_errors_pass(self) -> None:
        def broken() -> str:
            raise LookupError("no vault")

        with pytest.raises(LookupError, match="no vault"):
            await self.authorized(provider(api_key=broken))


async def test_a_provider_that_only_says_so() -> None:
    class Half(Provider):
        authorizes = True

        def url(self, request: Request[Any]) -> str:
            return request.path

        def headers(self, endpoint: Endpoint) -> dict[str, str]:
            return {}

        def require(self, endpoint: Endpoint) -> None:
            pass

    with pytest.raises(NotImplementedError, match="Half"):
        await Half().authorize(Attempt(endpoint(), "", {}, None, frozenset()))
    assert not await Half().renew({})


class TestWebsocketURLs:
    @pytest.mark.parametrize(
        ("options", "url"),
        [
            ({"base_url": "https://host/v1"}, "wss://host/v1/realtime"),
            ({"base_url": "http://host:81/v1/"}, "ws://host:81/v1/realtime"),
            ({"websocket_base_url": "wss://other/x/"}, "wss://other/x/realtime"),
            ({"websocket_base_url": "https://other/x?a=1"}, "wss://other/x/realtime?a=1"),
            ({"websocket_base_url": "ws://other"}, "ws://other/realtime"),
        ],
        ids=["https", "http", "own", "own-https", "own-ws"],
    )
    def test_api(self, options: dict[str, str], url: str) -> None:
        client = OpenAI(api_key="k", **options)
        found = client._provider.websocket_url("/realtime", client.websocket_base_url, {"model": "m"})
        assert found == (url, {"model": "m"})

    @pytest.mark.parametrize(
        ("options", "path", "url"),
        [
            ({"azure_endpoint": "https://x"}, "/realtime", "wss://x/openai/realtime"),
            ({"azure_endpoint": "https://x", "azure_deployment": "d"}, "/realtime", "wss://x/openai/realtime"),
            ({"base_url": "https://x/openai/v1"}, "/realtime", "wss://x/openai/v1/realtime"),
            ({"base_url": "https://x/a", "websocket_base_url": "ws://w/b"}, "/realtime", "ws://w/b/realtime"),
            ({"azure_endpoint": "https://x"}, "/responses", "wss://x/openai/responses"),
            (
                {"azure_endpoint": "https://x", "azure_deployment": "d"},
                "/responses",
                "wss://x/openai/deployments/d/responses",
            ),
            (
                {"azure_endpoint": "https://x", "azure_deployment": "d", "websocket_base_url": "wss://w"},
                "/responses",
                "wss://w/responses",
            ),
        ],
        ids=range(7),
    )
    def test_azure(self, options: dict[str, str], path: str, url: str) -> None:
        client = AzureOpenAI(api_key="k", api_version="v", **options)
        found = client._provider.websocket_url(path, client.websocket_base_url, {"model": "m", "call_id": "c"})
        query = {"call_id": "c", "model": "m"}
        if path == "/realtime":
            query = {"call_id": "c", "api-version": "v", "deployment": options.get("azure_deployment", "m")}
        assert found == (url, query)

    def test_azure_needs_a_deployment(self) -> None:
        client = AzureOpenAI(api_key="k", api_version="v", azure_endpoint="https://x")
        with pytest.raises(OpenAIError, match="needs model"):
            client._provider.websocket_url("/realtime", None, {})
