"""aiopenai._client.workload: clients with a workload identity, against a token endpoint on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, AuthenticationError, OAuthError, OpenAI, OpenAIError
from aiopenai.auth import exchange, x509, x509_workload_identity
from aiopenai.testing import Server
from tests.auth.conftest import Endpoint
from tests.auth.conftest import endpoint as endpoint  # noqa: PLC0414 - a fixture

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
REPLY = json.dumps({"choices": []}).encode()


@pytest.fixture(autouse=True)
def _token_endpoint(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        exchange.WorkloadIdentityAuth.__init__,
        "__kwdefaults__",
        {
            "token_exchange_url": endpoint.url,
            "_wiring": None,
        },
    )
    monkeypatch.setattr(x509, "X509_TOKEN_EXCHANGE_URL", endpoint.url)


def identity(**more: Any) -> Any:
    provider = {"token_type": "jwt", "get_token": lambda: "subject"}
    return {"identity_provider_id": "idp_1", "service_account_id": "svc_1", "provider": provider, **more}


@pytest.fixture
def api() -> Iterator[Server]:
    with Server() as server:
        server.fault(status=200, body=REPLY, times=None)
        yield server


def tokens(api: Server) -> list[str | None]:
    return [request.headers.get("authorization") for request in api.journal]


async def test_calls_carry_the_token(api: Server, endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "token", "expires_in": 3600})
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url) as client:
        assert client.api_key == "workload-identity-auth"
        await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(100)))
    assert set(tokens(api)) == {"Bearer token"}
    assert len(endpoint.requests) == 1


def test_blocking(api: Server, endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "token", "expires_in": 3600})
    with OpenAI(workload_identity=identity(), base_url=api.base_url) as client:
        client.chat.completions.create(**CHAT)
        client.with_raw_response.chat.completions.create(**CHAT)
    assert tokens(api) == ["Bearer token"] * 2
    assert len(endpoint.requests) == 1


async def test_refused_token_is_replaced_once(api: Server, endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": 3600})
    endpoint.say(200, {"access_token": "two", "expires_in": 3600})
    api.clear_faults()
    api.fault(status=401, body=b'{"error": {"message": "expired"}}', times=1)
    api.fault(status=200, body=REPLY, times=None)
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url, max_retries=0) as client:
        await client.chat.completions.create(**CHAT)
        assert tokens(api) == ["Bearer one", "Bearer two"]
        # A second 401 of the same attempt is an error.
        api.clear_faults()
        api.fault(status=401, body=b'{"error": {"message": "expired"}}', times=None)
        with pytest.raises(AuthenticationError, match="expired"):
            await client.chat.completions.create(**CHAT)
    assert len(api.journal) == 4


async def test_many_refused_at_once_cause_one_exchange(api: Server, endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": 3600})
    endpoint.say(200, {"access_token": "two", "expires_in": 3600})
    api.clear_faults()
    api.fault(
        status=401, body=b"{}", times=None, match=lambda request: request.headers["authorization"] == "Bearer one"
    )
    api.fault(status=200, body=REPLY, times=None)
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url, max_retries=0) as client:
        await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(50)))
    assert len(endpoint.requests) == 2


async def test_header_of_the_programs_own_asks_for_no_token(api: Server, endpoint: Endpoint) -> None:
    api.clear_faults()
    api.fault(status=401, body=b"{}", times=None)
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url) as client:
        with pytest.raises(AuthenticationError):
            await client.chat.completions.create(**CHAT, extra_headers={"Authorization": "Bearer mine"})
    assert tokens(api) == ["Bearer mine"]
    assert endpoint.requests == []


async def test_admin_endpoints_use_the_admin_key(api: Server, endpoint: Endpoint) -> None:
    client = AsyncOpenAI(workload_identity=identity(), admin_api_key="admin", base_url=api.base_url)
    async with client:
        await client.admin.organization.projects.retrieve("p")
    assert tokens(api) == ["Bearer admin"]
    assert endpoint.requests == []


async def test_failed_exchange_is_not_retried(api: Server, endpoint: Endpoint) -> None:
    endpoint.say(403, {"error": "unauthorized_client"})
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url) as client:
        with pytest.raises(OAuthError) as caught:
            await client.chat.completions.create(**CHAT)
    assert caught.value.error == "unauthorized_client"
    assert len(endpoint.requests) == 1
    assert api.request_count == 0


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OpenAIError, match="exclude each other"):
        AsyncOpenAI(workload_identity=identity(), api_key="k")
    with pytest.raises(OpenAIError, match="'provider'"):
        AsyncOpenAI(workload_identity={"identity_provider_id": "i", "service_account_id": "s"})
    with pytest.raises(OpenAIError, match="must be a dict"):
        AsyncOpenAI(workload_identity="idp_1")
    monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
    assert AsyncOpenAI(workload_identity=identity()).api_key == "workload-identity-auth"


async def test_copies(api: Server, endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": 3600})
    endpoint.say(200, {"access_token": "two", "expires_in": 3600})
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url) as client:
        await client.chat.completions.create(**CHAT)
        # A copy shares the token; another key or another identity ends that.
        await client.with_options(max_retries=1).chat.completions.create(**CHAT)
        await client.copy(api_key="key").chat.completions.create(**CHAT)
        await client.copy(workload_identity=identity(service_account_id="svc_2")).chat.completions.create(**CHAT)
        back = client.copy(api_key="key").copy(workload_identity=identity())
        assert back.api_key == "workload-identity-auth"
    assert tokens(api) == ["Bearer one", "Bearer one", "Bearer key", "Bearer two"]
    assert [json.loads(body)["service_account_id"] for _, _, _, body in endpoint.requests] == ["svc_1", "svc_2"]


class TestX509:
    def test_urls(self) -> None:
        x509_identity = x509_workload_identity(identity_provider_id="i", service_account_id="s")
        client = AsyncOpenAI(workload_identity=x509_identity)
        assert client.base_url == "https://mtls.api.openai.com/v1/"
        assert AsyncOpenAI(workload_identity=x509_identity, data_residency="eu").base_url == (
            "https://mtls-eu.api.openai.com/v1/"
        )
        with pytest.raises(OpenAIError, match="data_residency"):
            AsyncOpenAI(workload_identity=x509_identity, data_residency="jp")
        with pytest.raises(OpenAIError, match="https"):
            AsyncOpenAI(workload_identity=x509_identity, base_url="http://api.example/v1")
        # The default URL follows the kind of credentials.
        assert client.copy(api_key="k").base_url == "https://api.openai.com/v1/"
        assert AsyncOpenAI(api_key="k").copy(workload_identity=x509_identity).base_url == client.base_url

    def test_exchange(self, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        endpoint.say(503, {})
        endpoint.say(429, {})
        endpoint.say(200, {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"})
        auth = x509.X509Auth(
            workload_identity=x509_workload_identity(
                identity_provider_id="i", service_account_id="s", refresh_buffer_seconds=5
            ),
            _wiring={},
        )
        assert auth.get_token() == "token"
        assert len(endpoint.requests) == 3
        assert json.loads(endpoint.requests[0][3]) == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:openai:params:oauth:token-type:x509",
            "identity_provider_id": "i",
            "service_account_id": "s",
        }

    @pytest.mark.parametrize(("status", "requests"), [(401, 1), (400, 1), (500, 3), (404, 1)])
    def test_failures(self, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, status: int, requests: int) -> None:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        endpoint.say(status, {"error": "no"})
        auth = x509.X509Auth(
            workload_identity=x509_workload_identity(identity_provider_id="i", service_account_id="s"), _wiring={}
        )
        with pytest.raises(OpenAIError):
            auth.get_token()
        assert len(endpoint.requests) == requests

    @pytest.mark.parametrize("body", [{"token_type": "mac"}, {"access_token": "with space"}], ids=["type", "charset"])
    def test_tokens_that_are_none(self, endpoint: Endpoint, body: dict[str, Any]) -> None:
        endpoint.say(200, {"access_token": "token", "expires_in": 3600, **body})
        auth = x509.X509Auth(
            workload_identity=x509_workload_identity(identity_provider_id="i", service_account_id="s"), _wiring={}
        )
        with pytest.raises(OpenAIError, match="bearer token"):
            auth.get_token()


async def test_tokens_that_expire_each_second(api: Server, endpoint: Endpoint) -> None:
    """Calls over several lifetimes of a token: none fails, and each token is exchanged once."""
    for number in range(40):
        endpoint.say(200, {"access_token": f"t{number}", "expires_in": 0.2})
    end = time.monotonic() + 1.0
    calls = 0
    async with AsyncOpenAI(workload_identity=identity(), base_url=api.base_url, max_retries=0) as client:
        while time.monotonic() < end:
            await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(20)))
            calls += 20
    assert api.request_count == calls
    # A token is refreshed once half its lifetime is over.
    assert len(endpoint.requests) <= 1 + 1.2 / 0.1
    assert not [thread for thread in threading.enumerate() if thread.name == "aiopenai-fetch"]
