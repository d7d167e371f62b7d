"""API keys and X.509 workload identities over mutual TLS, with certificates made in the test."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import APIConnectionError, AsyncOpenAI, OpenAI, OpenAIError
from aiopenai.auth import x509_workload_identity
from aiopenai.testing import Server
from tests.auth.certificates import Contexts, make

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def tls(tmp_path: Path) -> Contexts:
    return make(tmp_path)


def identity(server: Server) -> Any:
    found = x509_workload_identity(identity_provider_id="i", service_account_id="s")
    return {**found, "token_exchange_url": server.token_exchange_url}


def test_key(tls: Contexts, transport: str) -> None:
    with Server(ssl=tls.server, api_key="key") as server:
        with OpenAI(api_key="key", base_url=server.base_url, ssl=tls.client) as client:
            assert client.chat.completions.create(**CHAT).choices
        stranger = OpenAI(api_key="key", base_url=server.base_url, ssl=tls.stranger, max_retries=0)
        with stranger, pytest.raises(APIConnectionError):
            stranger.chat.completions.create(**CHAT)


async def test_identity(tls: Contexts, transport: str) -> None:
    # In a thread: the exchange is on an event loop of its own.
    with Server(ssl=tls.server, api_key="key") as server:
        async with AsyncOpenAI(workload_identity=identity(server), base_url=server.base_url, ssl=tls.client) as client:
            await client.chat.completions.create(**CHAT)
            server.revoke_tokens()
            await client.chat.completions.create(**CHAT)
        assert server.tokens_issued == 2
        exchange = next(r for r in server.journal if r.path == "/oauth/token").json()
        assert exchange["subject_token_type"] == "urn:openai:params:oauth:token-type:x509"
        assert "subject_token" not in exchange


async def test_without_a_certificate(tls: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiopenai.auth.x509.delay", lambda *_: 0.0)
    with Server(ssl=tls.server) as server:
        stranger = AsyncOpenAI(workload_identity=identity(server), base_url=server.base_url, ssl=tls.stranger)
        async with stranger:
            with pytest.raises(APIConnectionError):
                await stranger.with_options(max_retries=0).chat.completions.create(**CHAT)
        assert server.tokens_issued == 0


async def test_borrowed_connections_are_refused() -> None:
    x509_identity = x509_workload_identity(identity_provider_id="i", service_account_id="s")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(OpenAIError, match=r"http_client.*pass the client certificate as ssl="):
            AsyncOpenAI(workload_identity=x509_identity, http_client=session)
        with pytest.raises(OpenAIError, match="http_client"):
            AsyncOpenAI(workload_identity=x509_identity).copy(http_client=session)
    with pytest.raises(OpenAIError, match="connector"):
        AsyncOpenAI(workload_identity=x509_identity, connector=aiohttp.TCPConnector)


def test_variables_of_the_guide(tls: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_MTLS_CA_BUNDLE", str(tls.folder / "authority.pem"))
    monkeypatch.setenv("OPENAI_MTLS_CERTIFICATE_CHAIN", str(tls.folder / "client.pem"))
    monkeypatch.setenv("OPENAI_MTLS_PRIVATE_KEY", str(tls.folder / "client.key"))
    example = Path(__file__).parents[2] / "examples" / "mutual_tls.py"
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example.read_text(), str(example), "exec"), names)
    context = names["context_of_environment"](os.environ)
    assert isinstance(context, ssl.SSLContext)
    with Server(ssl=tls.server) as server, OpenAI(api_key="k", base_url=server.base_url, ssl=context) as client:
        assert client.chat.completions.create(**CHAT).choices
