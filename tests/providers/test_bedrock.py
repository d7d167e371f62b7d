"""aiopenai.providers.bedrock: URLs, bearer keys, signatures, and the clients that are made of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, OpenAIError
from aiopenai.providers import bedrock
from aiopenai.providers.hosts import BedrockHost, base_url_of, default_base_url
from aiopenai.testing import Server
from tests.providers.verify import verify

CHAT: dict[str, Any] = {"model": "gpt-oss", "messages": [{"role": "user", "content": "hé"}]}
STATIC = {"access_key_id": "AKID", "secret_access_key": "s3cr3t/+"}
REPLY = json.dumps({"choices": []}).encode()


pytestmark = pytest.mark.usefixtures("no_aws")


@pytest.fixture
def api() -> Iterator[Server]:
    with Server() as server:
        server.fault(status=200, body=REPLY, times=None)
        yield server


class TestURLs:
    @pytest.mark.parametrize(
        ("endpoint", "region", "url"),
        [
            ("mantle", "us-east-1", "https://bedrock-mantle.us-east-1.api.aws/openai/v1"),
            ("runtime", "eu-west-1", "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"),
            ("runtime", "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/openai/v1"),
            ("runtime", "eusc-de-east-1", "https://bedrock-runtime.eusc-de-east-1.amazonaws.eu/openai/v1"),
            ("runtime", "us-iso-east-1", "https://bedrock-runtime.us-iso-east-1.c2s.ic.gov/openai/v1"),
            ("runtime", "us-isob-east-1", "https://bedrock-runtime.us-isob-east-1.sc2s.sgov.gov/openai/v1"),
        ],
    )
    def test_default(self, endpoint: Any, region: str, url: str) -> None:
        assert bedrock(endpoint=endpoint, region=region, api_key="k").base_url == url
        assert BedrockHost.of(default_base_url(endpoint, region)) == (endpoint, region)

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://h/v1/", "https://h/v1"),
            ("https://h/v1/responses", "https://h/v1"),
            ("https://h/v1/responses/r_1/cancel", "https://h/v1"),
            ("https://h", "https://h"),
            ("https://h/responses-x", "https://h/responses-x"),
        ],
    )
    def test_given(self, url: str, expected: str) -> None:
        assert base_url_of(url) == expected

    def test_host_decides_the_endpoint(self) -> None:
        service: Any = bedrock(base_url="https://bedrock-runtime-fips.us-east-1.amazonaws.com/openai/v1", api_key="k")
        assert (service.endpoint, service.region) == ("runtime", "us-east-1")

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_BEDROCK_BASE_URL", "https://proxy.example/v1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        assert bedrock(api_key="k").base_url == "https://proxy.example/v1"
        assert bedrock(api_key="k", base_url=None).base_url == "https://bedrock-mantle.us-west-2.api.aws/openai/v1"


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"endpoint": "other"}, "endpoint must be"),
    ({"region": "moon"}, "AWS region such as"),
    ({"region": ""}, "AWS region such as"),
    ({"region": None, "api_key": "k"}, "AWS_REGION"),
    ({"base_url": " "}, "must not be empty"),
    ({"base_url": "http://bedrock-mantle.us-east-1.api.aws/v1"}, "https"),
    ({"base_url": "https://bedrock-runtime.us-east-1.amazonaws.com/v1", "endpoint": "mantle"}, "endpoint='runtime'"),
    ({"base_url": "https://bedrock-mantle.eu-west-1.api.aws/v1"}, "region of base_url is eu-west-1"),
    ({"api_key": ""}, "non-empty"),
    ({"api_key": "k", "token_provider": lambda: "k"}, "exclude each other"),
    ({"access_key_id": "a"}, "together"),
    ({"session_token": "t"}, "together"),
    ({"access_key_id": "a", "secret_access_key": " "}, "non-empty"),
    ({**STATIC, "session_token": ""}, "non-empty"),
    ({"profile": ""}, "non-empty"),
    ({**STATIC, "profile": "p"}, "exclude each other"),
    ({"profile": "p", "credential_provider": lambda: None}, "exclude each other"),
    ({**STATIC, "api_key": "k"}, "exclude each other"),
]


@pytest.mark.parametrize(("options", "message"), FAULTS, ids=range(len(FAULTS)))
def test_faults(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OpenAIError, match=message):
        bedrock(**{"region": "us-east-1", **options})


class TestBearer:
    async def test_key(self, api: Server) -> None:
        async with AsyncOpenAI(provider=bedrock(base_url=api.base_url, api_key="bearer")) as client:
            assert (client.api_key, client.admin_api_key) == ("", None)
            await client.chat.completions.create(**CHAT)
        assert api.journal[0].headers["authorization"] == "Bearer bearer"

    @pytest.mark.parametrize("cls", [AsyncOpenAI, OpenAI])
    def test_function_is_asked_for_each_attempt(self, api: Server, cls: Any) -> None:
        api.clear_faults()
        api.fault(status=429, headers={"retry-after-ms": "1"}, times=1)
        api.fault(status=200, body=REPLY, times=None)
        keys = iter(["one", "two"])
        client = cls(provider=bedrock(base_url=api.base_url, token_provider=lambda: next(keys)))
        if cls is OpenAI:
            client.chat.completions.create(**CHAT)
            client.close()
        else:

            async def main() -> None:
                async with client:
                    await client.chat.completions.create(**CHAT)

            asyncio.run(main())
        assert [r.headers["authorization"] for r in api.journal] == ["Bearer one", "Bearer two"]

    async def test_variable_is_read_for_each_request(self, api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "one")
        async with AsyncOpenAI(provider=bedrock(base_url=api.base_url)) as client:
            await client.chat.completions.create(**CHAT)
            monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "two")
            await client.chat.completions.create(**CHAT)
        assert [r.headers["authorization"] for r in api.journal] == ["Bearer one", "Bearer two"]

    @pytest.mark.parametrize("answer", ["", None, 7])
    async def test_no_key(self, api: Server, answer: Any) -> None:
        async with AsyncOpenAI(provider=bedrock(base_url=api.base_url, token_provider=lambda: answer)) as client:
            with pytest.raises(OpenAIError, match="non-empty str"):
                await client.chat.completions.create(**CHAT)
        assert api.request_count == 0

    async def test_function_that_fails(self, api: Server) -> None:
        def ask() -> str:
            raise LookupError("vault")

        async with AsyncOpenAI(provider=bedrock(base_url=api.base_url, token_provider=ask)) as client:
            with pytest.raises(OpenAIError, match="token_provider of bedrock") as caught:
                await client.chat.completions.create(**CHAT)
        assert isinstance(caught.value.__cause__, LookupError)


class TestSigned:
    @pytest.mark.parametrize(("endpoint", "service"), [("mantle", "bedrock-mantle"), ("runtime", "bedrock")])
    async def test_signature(self, api: Server, endpoint: Any, service: str) -> None:
        pytest.importorskip("botocore")
        given = bedrock(endpoint=endpoint, region="us-east-1", base_url=api.base_url, session_token="st", **STATIC)
        async with AsyncOpenAI(provider=given) as client:
            await client.chat.completions.create(**CHAT)
            await client.responses.retrieve("r 1/ü", extra_query={"b": "2 +", "a": "1"})
            await client.files.create(file=("a.txt", b"text"), purpose="batch")
        for request in api.journal:
            facts = {"access_key": "AKID", "region": "us-east-1", "service": service}
            signed = verify(request, "s3cr3t/+", **facts)
            assert {"host", "x-amz-date", "x-amz-security-token"} <= signed
            assert "user-agent" not in signed
            assert request.headers["x-amz-security-token"] == "st"

    def test_blocking_and_retries_are_signed_anew(self, api: Server) -> None:
        pytest.importorskip("botocore")
        api.clear_faults()
        api.fault(status=500, headers={"retry-after-ms": "1"}, times=1)
        api.fault(status=200, body=REPLY, times=None)
        with OpenAI(provider=bedrock(region="us-east-1", base_url=api.base_url, **STATIC)) as client:
            client.chat.completions.create(**CHAT)
        assert len(api.journal) == 2
        for request in api.journal:
            verify(request, "s3cr3t/+", access_key="AKID", region="us-east-1", service="bedrock-mantle")

    async def test_credentials_of_a_function(self, api: Server) -> None:
        pytest.importorskip("botocore")

        class Keys:
            access_key = "AKID"
            secret_key = "s3cr3t/+"
            token = None

        asked: list[int] = []

        def provide() -> Any:
            asked.append(1)
            return Keys

        given = bedrock(region="us-east-1", base_url=api.base_url, credential_provider=provide)
        async with AsyncOpenAI(provider=given) as client:
            await client.chat.completions.create(**CHAT)
            await client.chat.completions.create(**CHAT)
        assert len(asked) == 2
        verify(api.journal[1], "s3cr3t/+", access_key="AKID", region="us-east-1", service="bedrock-mantle")

    async def test_default_chain(self, api: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        pytest.importorskip("botocore")
        (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t/+")
        async with AsyncOpenAI(provider=bedrock(base_url=api.base_url)) as client:
            await client.chat.completions.create(**CHAT)
        verify(api.journal[0], "s3cr3t/+", access_key="AKID", region="eu-west-1", service="bedrock-mantle")

    async def test_no_credentials(self, api: Server) -> None:
        pytest.importorskip("botocore")
        async with AsyncOpenAI(provider=bedrock(region="us-east-1", base_url=api.base_url)) as client:
            with pytest.raises(OpenAIError, match="no credentials for Bedrock"):
                await client.chat.completions.create(**CHAT)
        assert api.request_count == 0

    async def test_body_that_is_not_in_memory(self, api: Server) -> None:
        pytest.importorskip("botocore")

        async def pieces() -> Any:
            yield b"{}"

        async with AsyncOpenAI(provider=bedrock(region="us-east-1", base_url=api.base_url, **STATIC)) as client:
            with pytest.raises(OpenAIError, match="whole body in memory"):
                await client.post("/x", content=pieces(), cast_to=object)
        assert api.request_count == 0


class TestClient:
    async def test_refusals(self, api: Server) -> None:
        async with AsyncOpenAI(provider=bedrock(base_url=api.base_url, api_key="k"), max_retries=0) as client:
            with pytest.raises(OpenAIError, match="takes no Authorization"):
                await client.chat.completions.create(**CHAT, extra_headers={"authorization": "mine"})
            with pytest.raises(OpenAIError, match="origin"):
                await client.get("https://elsewhere.example/x", cast_to=object)
            assert api.request_count == 0
            api.clear_faults()
            api.fault(status=307, headers={"location": "/v1/elsewhere"}, times=None)
            with pytest.raises(OpenAIError, match="redirect"):
                await client.chat.completions.create(**CHAT)
        assert api.request_count == 1

    @pytest.mark.parametrize("name", ["api_key", "admin_api_key", "base_url", "data_residency", "workload_identity"])
    def test_options_beside_it(self, name: str) -> None:
        with pytest.raises(OpenAIError, match=name):
            AsyncOpenAI(**{"provider": bedrock(region="us-east-1", api_key="k"), name: "us"})

    def test_things_that_are_no_provider(self) -> None:
        with pytest.raises(OpenAIError, match=r"bedrock\(\.\.\.\)"):
            AsyncOpenAI(provider=object())  # type: ignore[arg-type]

    def test_environment_of_the_api_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("API_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL", "ADMIN_KEY"):
            monkeypatch.setenv(f"OPENAI_{name}", "http://of-the-environment")
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-mine: 1")
        client = AsyncOpenAI(provider=bedrock(region="us-east-1", api_key="k"))
        assert (client.api_key, client.admin_api_key, client.organization, client.project) == ("", None, None, None)
        assert client.base_url == "https://bedrock-mantle.us-east-1.api.aws/openai/v1/"
        assert "x-mine" not in client.default_headers

    def test_copies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
        one = bedrock(region="us-east-1", api_key="k")
        client = AsyncOpenAI(provider=one, organization="org", default_headers={"a": "1"})
        same = client.copy(max_retries=5)
        assert (same.base_url, same.organization, same.default_headers["a"]) == (client.base_url, "org", "1")
        other = client.copy(provider=bedrock(region="eu-west-1", api_key="k"))
        assert other.base_url == "https://bedrock-mantle.eu-west-1.api.aws/openai/v1/"
        assert (other.organization, "a" in other.default_headers) == (None, False)
        back = client.copy(provider=None)
        assert (back.api_key, back.base_url) == ("of the environment", "https://api.openai.com/v1/")
        with pytest.raises(OpenAIError, match="api_key"):
            client.copy(api_key="k")
