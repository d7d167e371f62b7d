"""The module client of Azure and of Amazon Bedrock: it follows the package's attributes before each call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import aiopenai
from aiopenai import AzureOpenAI, BedrockOpenAI
from aiopenai._client import module as module_client
from aiopenai._client import module_clouds
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}

pytestmark = pytest.mark.usefixtures("fresh_module")


@pytest.fixture
def server() -> Iterator[Server]:  # type: ignore[override]
    with Server() as server:
        server.fault(status=200, body=b'{"choices": []}', times=None)
        yield server


@pytest.fixture
def azure(server: Server) -> Server:
    """The package is set up for this server as Azure."""
    aiopenai.api_type = "azure"
    aiopenai.api_key = "sk-module"
    aiopenai.api_version = "v-1"
    aiopenai.azure_endpoint = server.base_url.removesuffix("/v1")
    return server


@pytest.fixture
def bedrock(server: Server) -> Server:
    """The package is set up for this server as Bedrock."""
    aiopenai.api_type = "amazon-bedrock"
    aiopenai.base_url = server.base_url
    aiopenai.bedrock_token_provider = lambda: "bearer"
    return server


class TestAzure:
    def test_calls(self, azure: Server) -> None:
        assert aiopenai.chat.completions.create(**CHAT).choices == []
        assert isinstance(module_client.load(), AzureOpenAI)
        assert azure.journal[-1].headers["api-key"] == "sk-module"
        assert azure.journal[-1].raw_path == "/openai/deployments/gpt-4o/chat/completions?api-version=v-1"

    def test_changes_count_from_the_next_call_on(self, azure: Server) -> None:
        completions = aiopenai.chat.completions
        completions.create(**CHAT)
        aiopenai.api_key = None
        aiopenai.azure_ad_token = "token"
        aiopenai.api_version = "v-2"
        aiopenai.default_headers = {"x-mine": "1"}
        completions.create(**CHAT)
        sent = azure.journal[-1]
        assert (sent.headers["authorization"], sent.headers["x-mine"]) == ("Bearer token", "1")
        assert "api-key" not in sent.headers
        assert sent.raw_path.endswith("?api-version=v-2")
        assert azure.connections == 1

    def test_without_changes_no_client_is_made(self, azure: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        aiopenai.chat.completions.create(**CHAT)
        monkeypatch.setattr(module_clouds._AzureModuleClient, "_make", None)
        aiopenai.chat.completions.create(**CHAT)
        assert azure.request_count == 2

    def test_the_endpoint_of_the_environment(self, azure: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", str(aiopenai.azure_endpoint))
        aiopenai.azure_endpoint = None
        aiopenai.chat.completions.create(**CHAT)
        # A change comes after it: the client made in its place finds the endpoint as well.
        aiopenai.api_key = "sk-other"
        aiopenai.chat.completions.create(**CHAT)
        assert [request.headers["api-key"] for request in azure.journal] == ["sk-module", "sk-other"]

    def test_an_endpoint_of_the_program_wins(self, azure: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://elsewhere.example")
        aiopenai.chat.completions.create(**CHAT)
        assert azure.request_count == 1

    def test_a_base_url_replaces_the_endpoint(self, azure: Server) -> None:
        aiopenai.azure_endpoint = "https://elsewhere.example"
        aiopenai.base_url = azure.base_url
        aiopenai.chat.completions.create(**CHAT)
        assert azure.journal[-1].raw_path == "/v1/deployments/gpt-4o/chat/completions?api-version=v-1"

    def test_wrong_attributes_stay_wrong_and_are_mended(self, azure: Server) -> None:
        aiopenai.chat.completions.create(**CHAT)
        aiopenai.api_version = None
        for _ in range(2):
            with pytest.raises(ValueError, match="api_version"):
                aiopenai.chat.completions.create(**CHAT)
        aiopenai.api_version = "v-3"
        aiopenai.chat.completions.create(**CHAT)
        assert [request.query["api-version"] for request in azure.journal] == ["v-1", "v-3"]


class TestBedrock:
    def test_calls(self, bedrock: Server) -> None:
        assert aiopenai.chat.completions.create(**CHAT).choices == []
        assert isinstance(module_client.load(), BedrockOpenAI)
        assert bedrock.journal[-1].headers["authorization"] == "Bearer bearer"

    def test_changes_count_from_the_next_call_on(self, bedrock: Server) -> None:
        completions = aiopenai.chat.completions
        completions.create(**CHAT)
        aiopenai.bedrock_token_provider = lambda: "another"
        completions.create(**CHAT)
        aiopenai.bedrock_token_provider, aiopenai.api_key = None, "key"
        completions.create(**CHAT)
        found = [request.headers["authorization"] for request in bedrock.journal]
        assert found == ["Bearer bearer", "Bearer another", "Bearer key"]
        assert bedrock.connections == 1
        client: Any = module_client.load()
        assert client.api_key == "key"

    def test_another_url(self, bedrock: Server) -> None:
        aiopenai.chat.completions.create(**CHAT)
        with Server() as other:
            other.fault(status=200, body=b'{"choices": []}', times=None)
            aiopenai.base_url = other.base_url
            aiopenai.chat.completions.create(**CHAT)
            assert (bedrock.request_count, other.request_count) == (1, 1)

    def test_without_a_base_url_it_follows_from_the_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        aiopenai.api_type = "amazon-bedrock"
        aiopenai.api_key = "key"
        assert module_client.load().base_url == "https://bedrock-mantle.us-east-1.api.aws/openai/v1/"
        # The variable counts, too, as for a client that is given no URL at all.
        monkeypatch.setenv("AWS_BEDROCK_BASE_URL", "https://proxy.example/v1")
        aiopenai.max_retries = 1
        assert module_client.load().base_url == "https://proxy.example/v1/"
