"""aiopenai.testing.endpoints.identity and engine.access: tokens, metadata endpoints, signatures."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from aiopenai import (
    APIStatusError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    OAuthError,
    OpenAI,
    OpenAIError,
    PermissionDeniedError,
)
from aiopenai.auth import (
    SubjectTokenProvider,
    azure_managed_identity_token_provider,
    gcp_id_token_provider,
)
from aiopenai.errors import SubjectTokenProviderError
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def identity(server: Server, provider: SubjectTokenProvider | None = None, **more: Any) -> Any:
    source: Any = provider or {"token_type": "jwt", "get_token": lambda: "subject"}
    return {
        "identity_provider_id": "idp_1",
        "service_account_id": "svc_1",
        "provider": source,
        "token_exchange_url": server.token_exchange_url,
        **more,
    }


# What a client sends to get a token.
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "identity_provider_id": "idp_1",
    "service_account_id": "svc_1",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "subject_token": "subject",
}


def plain(server: Server) -> AsyncOpenAI:
    """A client of the paths beside the API."""
    return AsyncOpenAI(api_key="k", base_url=server.azure_endpoint, max_retries=0)


class TestExchange:
    async def test_token(self) -> None:
        async with Server(api_key="key") as server:
            async with AsyncOpenAI(workload_identity=identity(server), base_url=server.base_url) as client:
                await client.chat.completions.create(**CHAT)
                server.revoke_tokens()
                # A revoked token is replaced, without a retry.
                await client.with_options(max_retries=0).chat.completions.create(**CHAT)
            assert server.tokens_issued == 2
            async with AsyncOpenAI(api_key="local-token-9", base_url=server.base_url) as client:
                with pytest.raises(AuthenticationError, match="expired"):
                    await client.models.list()

    async def test_a_client_without_an_identity(self) -> None:
        async with Server() as server:
            with pytest.raises(OpenAIError, match="identity_provider_id"):
                AsyncOpenAI(workload_identity=identity(server, identity_provider_id=""), base_url=server.base_url)

    async def test_refusal(self) -> None:
        async with Server() as server:
            refusal = {"error": "invalid_request", "error_description": "not this one"}
            server.fault(status=400, body=refusal, match="/oauth/token")
            async with AsyncOpenAI(workload_identity=identity(server), base_url=server.base_url) as client:
                with pytest.raises(OAuthError, match="not this one") as caught:
                    await client.models.list()
            assert caught.value.error == "invalid_request"

    @pytest.mark.parametrize(
        ("body", "status", "error"),
        [
            (b"", 400, "unsupported_grant_type"),
            (b"[]", 400, "unsupported_grant_type"),
            (b'{"grant_type": "password"}', 400, "unsupported_grant_type"),
            ({"identity_provider_id": None}, 400, "invalid_request"),
            ({"service_account_id": ""}, 400, "invalid_request"),
            ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, 400, "invalid_request"),
            ({"subject_token": ""}, 401, "invalid_grant"),
        ],
        ids=["empty", "list", "grant", "provider", "account", "type", "token"],
    )
    async def test_malformed(self, body: Any, status: int, error: str) -> None:
        async with Server() as server, plain(server) as client:
            if not isinstance(body, bytes):
                # A sound request but for one field.
                await client.post("/oauth/token", content=json.dumps(EXCHANGE).encode(), cast_to=object)
                body = json.dumps({**EXCHANGE, **body}).encode()
            issued = server.tokens_issued
            with pytest.raises(APIStatusError) as caught:
                await client.post("/oauth/token", content=body, cast_to=object)
            assert (caught.value.status_code, caught.value.response.json()["error"]) == (status, error)
            assert server.tokens_issued == issued


class TestMetadata:
    def test_azure(self) -> None:
        with Server() as server:
            source = azure_managed_identity_token_provider("https://r/", http_client=server.metadata_client)
            assert source["get_token"]() == "azure-token-for-https://r/"
            assert server.journal[0].headers["metadata"] == "true"
            missing = azure_managed_identity_token_provider("", http_client=server.metadata_client)
            with pytest.raises(SubjectTokenProviderError, match="400"):
                missing["get_token"]()

    def test_google_cloud(self) -> None:
        with Server() as server:
            source = gcp_id_token_provider("https://aud/", http_client=server.metadata_client)
            assert source["get_token"]() == "google-token-for-https://aud/"
            with pytest.raises(SubjectTokenProviderError, match="400"):
                gcp_id_token_provider("", http_client=server.metadata_client)["get_token"]()

    @pytest.mark.parametrize("make", [azure_managed_identity_token_provider, gcp_id_token_provider])
    def test_in_a_client(self, make: Any) -> None:
        with Server(api_key="no key has it") as server:
            source = make(http_client=server.metadata_client)
            with OpenAI(workload_identity=identity(server, source), base_url=server.base_url) as client:
                assert client.chat.completions.create(**CHAT).choices
            exchange = next(r for r in server.journal if r.path == "/oauth/token")
            assert exchange.json()["subject_token"].endswith(
                "https://management.azure.com/" if "azure" in make.__name__ else "https://api.openai.com/v1"
            )

    async def test_headers_are_required(self) -> None:
        async with Server() as server, plain(server) as client:
            with pytest.raises(PermissionDeniedError):
                await client.get(
                    "/computeMetadata/v1/instance/service-accounts/default/identity?audience=a", cast_to=object
                )
            with pytest.raises(BadRequestError, match="400"):
                await client.get("/metadata/identity/oauth2/token?api-version=1&resource=r", cast_to=object)


def signed(url: str, body: bytes, *, secret: str, at: datetime | None = None, names: str = "host;x-amz-date") -> Any:
    """The headers of a signature that is made here, by AWS's description."""
    stamp = (at or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/us-east-1/bedrock-mantle/aws4_request"
    host, _, path = url.removeprefix("http://").partition("/")
    values = {"host": host, "x-amz-date": stamp}
    digest = hashlib.sha256(body).hexdigest()
    lines = [f"{name}:{values[name]}" for name in names.split(";")]
    canonical = "\n".join(["POST", f"/{path}", "", *lines, "", names, digest])
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}",
        "X-Amz-Date": stamp,
    }


class TestSignatures:
    BODY = b'{"input":"hi","model":"text-embedding-3-small"}'

    async def answered(self, server: Server, headers: Any, body: bytes = BODY) -> Any:
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            more = {"Content-Type": "application/json", **headers}
            return await client.post("/embeddings", content=body, cast_to=object, extra_headers=more)

    async def test_right(self) -> None:
        async with Server(aws_keys={"AKID": "secret"}) as server:
            headers = signed(f"{server.base_url}/embeddings", self.BODY, secret="secret")
            assert await self.answered(server, headers)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"secret": "other"}, "SignatureDoesNotMatch"),
            ({"at": datetime.now(timezone.utc) - timedelta(hours=1)}, "SignatureExpired"),
            ({"names": "host"}, "SignatureDoesNotMatch"),
            ({"names": "x-amz-date"}, "SignatureDoesNotMatch"),
        ],
        ids=["secret", "time", "date-unsigned", "host-unsigned"],
    )
    async def test_wrong(self, change: Any, code: str) -> None:
        async with Server(aws_keys={"AKID": "secret"}) as server:
            headers = signed(f"{server.base_url}/embeddings", self.BODY, **{"secret": "secret", **change})
            with pytest.raises(PermissionDeniedError) as caught:
                await self.answered(server, headers)
            assert caught.value.code == code

    async def test_tampered(self) -> None:
        async with Server(aws_keys={"AKID": "secret"}) as server:
            headers = signed(f"{server.base_url}/embeddings", self.BODY, secret="secret")
            with pytest.raises(PermissionDeniedError, match="does not match"):
                await self.answered(server, headers, b'{"input":"other","model":"text-embedding-3-small"}')
            other = {**headers, "X-Amz-Content-SHA256": "0" * 64}
            with pytest.raises(BadRequestError) as caught:
                await self.answered(server, other)
            assert caught.value.code == "XAmzContentSHA256Mismatch"
            malformed = {"Authorization": "AWS4-HMAC-SHA256 nonsense"}
            with pytest.raises(PermissionDeniedError, match="version 4"):
                await self.answered(server, malformed)

    async def test_unknown_key(self) -> None:
        async with Server() as server:
            with pytest.raises(PermissionDeniedError, match="security token"):
                await self.answered(server, signed(f"{server.base_url}/embeddings", self.BODY, secret="secret"))

    def test_bedrock(self) -> None:
        pytest.importorskip("botocore")
        from aiopenai.providers import bedrock

        keys = {"access_key_id": "AKID", "secret_access_key": "secret", "region": "us-east-1"}
        with Server(aws_keys={"AKID": "secret"}) as server:
            with OpenAI(provider=bedrock(base_url=server.base_url, **keys)) as client:
                assert client.chat.completions.create(**CHAT, extra_query={"empty": "", "a b": "ü/+ &"}).choices
                assert client.files.create(file=("ä.jsonl", b"{}\n"), purpose="batch").id
                assert list(client.chat.completions.create(**CHAT, stream=True))
                assert client.models.list().data
            wrong = {**keys, "secret_access_key": "other"}
            client = OpenAI(provider=bedrock(base_url=server.base_url, **wrong))
            with client, pytest.raises(PermissionDeniedError, match="does not match"):
                client.models.list()
