"""`BedrockOpenAI` and `AsyncBedrockOpenAI`, the older form of `provider=bedrock(...)`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import AsyncBedrockOpenAI, BedrockOpenAI, OpenAIError
from aiopenai.providers import bedrock
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-oss", "messages": [{"role": "user", "content": "hé"}]}
KEYS = {"aws_access_key_id": "AKID", "aws_secret_access_key": "s3cr3t/+"}


pytestmark = pytest.mark.usefixtures("no_aws")


@pytest.fixture
def api() -> Iterator[Server]:
    with Server() as server:
        server.fault(status=200, body=json.dumps({"choices": []}).encode(), times=None)
        yield server


@pytest.mark.parametrize("cls", [BedrockOpenAI, AsyncBedrockOpenAI])
class TestOptions:
    def test_region_and_key(self, cls: Any) -> None:
        client = cls(aws_region="us-east-1", api_key="bearer")
        assert client.base_url == "https://bedrock-mantle.us-east-1.api.aws/openai/v1/"
        assert (client.aws_region, client.api_key) == ("us-east-1", "bearer")

    def test_another_region_moves_a_url_that_follows_from_it(self, cls: Any) -> None:
        client = cls(aws_region="us-east-1", api_key="bearer")
        client.aws_region = "eu-west-1"
        assert client.base_url == "https://bedrock-mantle.eu-west-1.api.aws/openai/v1/"
        assert (client.aws_region, client.api_key) == ("eu-west-1", "bearer")
        fixed = cls(aws_region="us-east-1", api_key="bearer", base_url="https://proxy.example/v1")
        fixed.aws_region = "eu-west-1"
        assert (fixed.base_url, fixed.aws_region) == ("https://proxy.example/v1/", "eu-west-1")

    def test_a_wrong_region_changes_nothing(self, cls: Any) -> None:
        client = cls(aws_region="us-east-1", api_key="bearer")
        with pytest.raises(OpenAIError, match="AWS region such as"):
            client.aws_region = "moon"
        assert (client.aws_region, client.copy().aws_region) == ("us-east-1", "us-east-1")

    def test_a_key_replaces_credentials_of_any_kind(self, cls: Any) -> None:
        for given in (KEYS, {"aws_profile": "p"}, {"bedrock_token_provider": lambda: "t"}, {"api_key": "old"}):
            client = cls(aws_region="us-east-1", **given)
            client.api_key = "new"
            assert (client.api_key, client.aws_region) == ("new", "us-east-1")
            assert client.copy().api_key == "new"

    def test_a_function_as_key_is_refused(self, cls: Any) -> None:
        with pytest.raises(OpenAIError, match="pass the function as bedrock_token_provider"):
            cls(aws_region="us-east-1", api_key=lambda: "k")
        client = cls(aws_region="us-east-1", api_key="k")
        with pytest.raises(OpenAIError, match="bedrock_token_provider"):
            client.api_key = lambda: "k"
        assert client.api_key == "k"

    def test_options_that_exclude_each_other(self, cls: Any) -> None:
        with pytest.raises(OpenAIError, match="exclude each other"):
            cls(aws_region="us-east-1", api_key="k", **KEYS)
        with pytest.raises(OpenAIError, match="together"):
            cls(aws_region="us-east-1", aws_session_token="t")

    def test_a_misspelt_option(self, cls: Any) -> None:
        with pytest.raises(TypeError, match="did you mean 'max_retries'"):
            cls(aws_region="us-east-1", api_key="k", max_retrys=1)

    def test_the_environment_gives_the_url(self, cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_BEDROCK_BASE_URL", "https://proxy.example/v1")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        assert cls(api_key="k").base_url == "https://proxy.example/v1/"
        assert cls(api_key="k", base_url=None).base_url == "https://bedrock-mantle.us-east-1.api.aws/openai/v1/"


@pytest.mark.parametrize("cls", [BedrockOpenAI, AsyncBedrockOpenAI])
class TestCopies:
    def test_they_keep_all_options(self, cls: Any) -> None:
        client = cls(aws_region="us-east-1", api_key="k", max_retries=7)
        for twin in (client.copy(), client.with_options(timeout=3)):
            assert type(twin) is cls
            assert (twin.api_key, twin.aws_region, twin.max_retries) == ("k", "us-east-1", 7)

    def test_a_region(self, cls: Any) -> None:
        client = cls(aws_region="us-east-1", api_key="k")
        twin = client.copy(aws_region="us-west-2")
        assert (twin.api_key, twin.aws_region, client.aws_region) == ("k", "us-west-2", "us-east-1")

    def test_a_new_credential_replaces_the_present_one(self, cls: Any) -> None:
        client = cls(aws_region="us-east-1", api_key="bearer")
        twin = client.copy(**KEYS)
        assert (twin.api_key, twin.aws_region, client.api_key) == ("", "us-east-1", "bearer")
        assert twin.copy(api_key="again").api_key == "again"

    def test_a_base_url(self, cls: Any) -> None:
        twin = cls(aws_region="us-east-1", api_key="k").copy(base_url="https://proxy.example/v1")
        assert twin.base_url == "https://proxy.example/v1/"
        assert twin.copy(api_key="other").base_url == "https://proxy.example/v1/"

    @pytest.mark.parametrize("name", ["admin_api_key", "workload_identity", "provider", "data_residency"])
    def test_options_of_other_services(self, cls: Any, name: str) -> None:
        client = cls(aws_region="us-east-1", api_key="k")
        value = bedrock(region="us-east-1", api_key="k") if name == "provider" else "x"
        with pytest.raises(OpenAIError, match=f"takes no {name}"):
            client.copy(**{name: value})
        assert client.copy(**{name: None}).api_key == "k"


class TestCalls:
    def test_blocking(self, api: Server) -> None:
        with BedrockOpenAI(base_url=api.base_url, bedrock_token_provider=lambda: "bearer") as client:
            assert client.chat.completions.create(**CHAT).choices == []
            client.api_key = "later"
            client.chat.completions.create(**CHAT)
            client.copy(bedrock_token_provider=lambda: "copied").chat.completions.create(**CHAT)
        assert [r.headers["authorization"] for r in api.journal] == ["Bearer bearer", "Bearer later", "Bearer copied"]
        assert api.connections == 1

    async def test_async(self, api: Server) -> None:
        async def provide() -> str:
            return "awaited"

        async with AsyncBedrockOpenAI(base_url=api.base_url, bedrock_token_provider=provide) as client:
            await client.chat.completions.create(**CHAT)
            client.api_key = "later"
            await client.chat.completions.create(**CHAT)
        assert [r.headers["authorization"] for r in api.journal] == ["Bearer awaited", "Bearer later"]

    async def test_signatures(self, api: Server) -> None:
        pytest.importorskip("botocore")
        from tests.providers.verify import verify

        options: dict[str, Any] = {"aws_region": "us-east-1", "base_url": api.base_url, **KEYS}
        async with AsyncBedrockOpenAI(**options, aws_session_token="st") as client:
            await client.chat.completions.create(**CHAT)
            client.aws_region = "eu-west-1"
            await client.chat.completions.create(**CHAT)
        for request, region in zip(api.journal, ("us-east-1", "eu-west-1"), strict=True):
            verify(request, "s3cr3t/+", access_key="AKID", region=region, service="bedrock-mantle")
            assert request.headers["x-amz-security-token"] == "st"
