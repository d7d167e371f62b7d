"""Azure, Bedrock and Vertex beside the reference, in both clients: constructors, and requests on the wire."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from multidict import CIMultiDict

import aiopenai
from aiopenai import omit
from aiopenai.testing import Server
from aiopenai.testing.engine.received import ReceivedRequest
from tests.live.conftest import Peer, Scripted
from tests.parity.exchange import Sent, answer_anything, sent

openai: Any = pytest.importorskip("openai", reason="the reference SDK is not installed")

VERSION = "2024-10-21"
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
VARIABLES = (
    *("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"),
    *("AWS_BEARER_TOKEN_BEDROCK", "AWS_BEDROCK_BASE_URL", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
)


@pytest.fixture(autouse=True)
def _no_clouds_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def local() -> Iterator[Server]:
    # In a thread: both kinds of clients talk to it.
    with Server() as server:
        yield server


@pytest.fixture
def api(local: Server) -> Server:
    local.clear()
    answer_anything(local)
    return local


Use = Callable[[Any], Any]


async def recorded(api: Server, package: Any, name: str, options: Any, use: Use) -> list[ReceivedRequest]:
    """The requests of a client of one package."""
    before = len(api.journal)
    client = getattr(package, name)(**{"max_retries": 0, **options(package)})
    try:
        found = use(client)
        if inspect.isawaitable(found):
            await found
    finally:
        closing = client.close()
        if inspect.isawaitable(closing):
            await closing
    return api.journal[before:]


async def equal(api: Server, name: str, options: Any, use: Use) -> Sent:
    """The one request of a call, which both packages send alike."""
    (ours,) = await recorded(api, aiopenai, name, options, use)
    (theirs,) = await recorded(api, openai, name, options, use)
    assert sent(ours) == sent(theirs)
    return sent(ours)


FILE = ("a.wav", b"RIFF", "audio/wav")
CALLS: dict[str, Use] = {
    "chat": lambda c: c.chat.completions.create(**CHAT),
    "completions": lambda c: c.completions.create(model="gpt-4o", prompt="hi"),
    "embeddings": lambda c: c.embeddings.create(model="gpt-4o", input="hi", encoding_format="float"),
    "generations": lambda c: c.images.generate(model="gpt-4o", prompt="hi"),
    "edits": lambda c: c.images.edit(model="gpt-4o", prompt="hi", image=("a.png", b"png", "image/png")),
    "transcriptions": lambda c: c.audio.transcriptions.create(model="gpt-4o", file=FILE),
    "speech": lambda c: c.audio.speech.create(model="gpt-4o", input="hi", voice="alloy"),
    "responses": lambda c: c.responses.create(model="gpt-4o", input="hi"),
    "models": lambda c: c.models.retrieve("m/1"),
    "files": lambda c: c.files.create(file=("a.jsonl", b"{}"), purpose="batch"),
    "batches": lambda c: c.batches.retrieve("b"),
    "verb": lambda c: c.post("/chat/completions", body={"model": "a b", "n": 1}, cast_to=object),
    "without-slash": lambda c: c.post("chat/completions", body={"model": "m"}, cast_to=object),
}
BASES: dict[str, dict[str, Any]] = {
    "endpoint": {"azure_endpoint": ""},
    "slash": {"azure_endpoint": "/"},
    "path": {"azure_endpoint": "/resource"},
    "deployment": {"azure_endpoint": "", "azure_deployment": "dep-1"},
    "deployment-slash": {"azure_endpoint": "/", "azure_deployment": "dep-1"},
    "base": {"base_url": "/openai"},
    "base-slash": {"base_url": "/openai/"},
    "v1": {"base_url": "/openai/v1"},
    "below": {"base_url": "/openai/deployments/here"},
}
KINDS = ["AzureOpenAI", "AsyncAzureOpenAI"]


def azure(api: Server, **given: Any) -> Callable[[Any], dict[str, Any]]:
    found = {"api_version": VERSION, "api_key": "az-key", "azure_endpoint": "", **given}
    if "base_url" in given:
        del found["azure_endpoint"]
    for name in ("azure_endpoint", "base_url"):
        if found.get(name) is not None:
            found[name] = api.azure_endpoint + found[name]
    return lambda _: found


class TestAzure:
    @pytest.mark.parametrize("use", CALLS.values(), ids=CALLS)
    @pytest.mark.parametrize("base", BASES.values(), ids=BASES)
    async def test_urls(self, api: Server, base: dict[str, Any], use: Use) -> None:
        for name in KINDS:
            await equal(api, name, azure(api, **base), use)

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize(
        "given",
        [
            {"api_key": None, "azure_ad_token": "t"},
            {"api_key": None, "azure_ad_token_provider": lambda: "t"},
            {"default_headers": {"Authorization": "Bearer mine"}},
            {"default_headers": {"x-a": "1"}, "default_query": {"api-version": "other", "a": "b"}},
            {"organization": "org", "project": "proj"},
        ],
        ids=["token", "provider", "both", "defaults", "account"],
    )
    async def test_credentials(self, api: Server, name: str, given: dict[str, Any]) -> None:
        await equal(api, name, azure(api, **given), CALLS["chat"])

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize(
        "headers",
        [{"api-key": "mine"}, {"API-Key": "mine"}, {"authorization": "Bearer m"}, {"api-key": None}],
        ids=["key", "other-case", "token", "omitted"],
    )
    async def test_headers_of_a_call(self, api: Server, name: str, headers: dict[str, Any]) -> None:
        def use(client: Any) -> Any:
            left_out = omit if type(client).__module__.startswith("aiopenai") else openai.omit
            given = {key: left_out if value is None else value for key, value in headers.items()}
            return client.chat.completions.create(**CHAT, extra_headers=given)

        await equal(api, name, azure(api), use)

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize(
        "change",
        [
            {"api_version": "next"},
            {"azure_ad_token": "t"},
            {"api_key": "new"},
            {"max_retries": 1},
            {"base_url": "/openai/v1"},
            {"default_query": {"a": "1"}},
            {"set_default_query": {"a": "1"}},
            {"default_headers": {"x-a": "1"}},
        ],
        ids=lambda change: next(iter(change)),
    )
    async def test_copies(self, api: Server, name: str, change: dict[str, Any]) -> None:
        if "base_url" in change:
            change = {"base_url": api.azure_endpoint + change["base_url"]}
        options = azure(api, azure_deployment="dep-1", default_query={"q": "1"})
        for call in ("chat", "models"):
            await equal(api, name, options, lambda c, call=call: CALLS[call](c.with_options(**change)))

    @pytest.mark.parametrize("name", KINDS)
    async def test_fresh_token_for_a_retry(self, api: Server, name: str) -> None:
        tokens: dict[str, list[str | None]] = {}
        for package in (aiopenai, openai):
            api.clear()
            api.fault(status=429, headers={"retry-after-ms": "1"}, times=2)
            api.fault(status=200, body={"choices": []}, times=None)
            counted = iter(range(1, 9))
            given = {"api_key": None, "max_retries": 2, "azure_ad_token_provider": lambda c=counted: f"t-{next(c)}"}
            requests = await recorded(api, package, name, azure(api, **given), CALLS["chat"])
            tokens[package.__name__] = [r.headers.get("authorization") for r in requests]
        assert tokens["aiopenai"] == tokens["openai"] == ["Bearer t-1", "Bearer t-2", "Bearer t-3"]

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize(
        "given",
        [
            {"azure_ad_token": "t"},
            {"azure_ad_token_provider": lambda: "t"},
            {"api_key": None, "azure_ad_token": "t", "azure_ad_token_provider": lambda: "t"},
            {"api_key": None},
            {"api_key": ""},
            {"api_version": None},
            {"azure_endpoint": None},
            {"base_url": "https://y"},
            {"workload_identity": {"type": "x509", "identity_provider_id": "i", "service_account_id": "s"}},
            {"max_retries": None},
            {"max_retries": -1},
            {"data_residency": "us"},
        ],
        ids=range(12),
    )
    def test_faults(self, name: str, given: dict[str, Any]) -> None:
        options = {"api_version": VERSION, "api_key": "k", "azure_endpoint": "https://x", **given}
        with pytest.raises(Exception, match=r".") as theirs:
            getattr(openai, name)(**options)
        with pytest.raises(Exception, match=r".") as ours:
            getattr(aiopenai, name)(**options)
        assert type(ours.value).__name__ == type(theirs.value).__name__

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize("secret", ["api_key", "azure_ad_token"])
    async def test_no_secret_in_logs(
        self, api: Server, name: str, secret: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        given = {"api_key": None, secret: "canary-secret"}
        api.clear()
        api.fault(status=500, headers={"retry-after-ms": "1"}, times=1)
        api.fault(status=401, body={"error": {"message": "no"}}, times=1)
        with pytest.raises(aiopenai.AuthenticationError) as caught:
            await recorded(api, aiopenai, name, azure(api, max_retries=1, **given), CALLS["chat"])
        assert caplog.records
        assert "canary" not in caplog.text + repr(caught.value) + str(caught.value)
        assert "canary" not in repr(getattr(aiopenai, name)(**azure(api, **given)(aiopenai)))

    @pytest.mark.parametrize("name", KINDS)
    @pytest.mark.parametrize("secret", ["api_key", "azure_ad_token"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_redirects(self, api: Server, name: str, secret: str, status: int) -> None:
        with Server() as other:
            other.fault(status=200, body={"choices": []}, times=None)
            for target, kept in ((f"{api.azure_endpoint}/elsewhere", True), (f"{other.base_url}/x", False)):
                api.clear()
                api.fault(status=status, headers={"location": target}, times=1)
                api.fault(status=200, body={"choices": []}, times=None)
                given = {"api_key": None, secret: "canary"}
                await recorded(api, aiopenai, name, azure(api, **given), CALLS["chat"])
                last = api.journal[-1] if kept else other.journal[-1]
                found = {"api-key", "authorization"} & {header.lower() for header in last.headers}
                assert bool(found) is kept


CLIENTS = ["OpenAI", "AsyncOpenAI"]


def reference_has(module: str) -> Any:
    return pytest.importorskip(f"openai.{module}")


def provided(package: Any, kind: str, **given: Any) -> dict[str, Any]:
    import importlib

    return {"provider": getattr(importlib.import_module(f"{package.__name__}.providers"), kind)(**given)}


BEDROCK = "https://bedrock-mantle.us-east-1.api.aws/openai/v1"
IDENTITY = {"identity_provider_id": "i", "service_account_id": "s"}
X509 = {"type": "x509", **IDENTITY}
PROVIDER_FAULTS: list[tuple[str, dict[str, Any]]] = [
    *[
        ("bedrock", given)
        for given in (
            {},
            {"base_url": ""},
            {"region": "x"},
            {"region": "us-east-1", "api_key": "a", "token_provider": lambda: "t"},
            {"api_key": ""},
            {"region": "us-east-1", "access_key_id": "a"},
            {"region": "us-east-1", "secret_access_key": "a"},
            {"region": "us-east-1", "session_token": "a"},
            {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b", "profile": "p"},
            {"region": "us-east-1", "profile": "p", "credential_provider": lambda: None},
            {"region": "us-east-1", "api_key": "k", "profile": "p"},
            {"api_key": "k", "base_url": BEDROCK.replace("https", "http")},
            {"api_key": "k", "base_url": BEDROCK, "region": "us-west-2"},
            {"api_key": "k", "base_url": BEDROCK, "endpoint": "runtime"},
            {"api_key": "k", "region": "us-east-1", "endpoint": "other"},
        )
    ],
    *[
        ("vertex", given)
        for given in (
            {},
            {"project": "p"},
            {"location": "global"},
            {"project": "p/x", "location": "global"},
            {"project": "p", "location": "G!"},
            {"base_url": "http://aiplatform.googleapis.com"},
            {"base_url": "ftp://x"},
            {"base_url": "https://u@x/"},
            {"base_url": "https://x/?q"},
            {"base_url": "https://x/#f"},
            {"project": "p", "location": "global", "token_provider": lambda: "t", "credentials": object()},
        )
    ],
]
# Options of the plain client; those of the last four make a client of Amazon Bedrock.
CLIENT_FAULTS: list[dict[str, Any]] = [
    {"workload_identity": {**IDENTITY, "provider": {}}, "api_key": "k"},
    {"workload_identity": IDENTITY},
    {"workload_identity": {"type": "other", **IDENTITY}},
    {"workload_identity": X509, "base_url": "http://x"},
    {"workload_identity": X509, "data_residency": "in"},
    {"workload_identity": X509, "api_key": "k"},
    {"api_key": "k", "data_residency": "xx"},
    {"api_key": "k", "data_residency": "us", "base_url": None},
    {"api_key": "k", "data_residency": "us", "websocket_base_url": "wss://x"},
    {"provider": object()},
    {"aws_region": "bad"},
    {"aws_region": "us-east-1", "api_key": ""},
    {"aws_region": "us-east-1", "api_key": lambda: "k"},
    {"aws_region": "us-east-1", "aws_access_key_id": "a"},
]


def test_faults_of_providers_and_identities() -> None:
    """Each is refused with an error of the same name."""
    reference_has("providers")
    makers: dict[str, Callable[[Any, str], Any]] = {
        f"{kind} {given}": lambda package, name, kind=kind, given=given: getattr(package, name)(
            **provided(package, kind, **given)
        )
        for kind, given in PROVIDER_FAULTS
    }
    for given in CLIENT_FAULTS:
        prefix = "Bedrock" if "aws_region" in given else ""
        makers[str(given)] = lambda package, name, prefix=prefix, given=given: getattr(
            package, name.replace("OpenAI", f"{prefix}OpenAI")
        )(**given)
    for case, make in makers.items():
        for name in CLIENTS:
            errors: dict[str, str] = {}
            for package in (openai, aiopenai):
                with pytest.raises(Exception, match=r".") as caught:
                    make(package, name)
                errors[package.__name__] = type(caught.value).__name__
            assert errors["aiopenai"] == errors["openai"], (case, name)


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize(
    "given",
    [{}, {"base_url": "https://x/v1"}, {"data_residency": "us"}, {"websocket_base_url": "wss://y"}],
    ids=["default", "base", "region", "sockets"],
)
def test_urls_of_copies(name: str, given: dict[str, Any]) -> None:
    for change in (
        {"base_url": None},
        {"base_url": "https://z"},
        {"data_residency": "eu"},
        {"websocket_base_url": "wss://z"},
        {"websocket_base_url": None},
        {"max_retries": 1},
    ):
        found = [
            (str(copied.base_url).rstrip("/"), copied.websocket_base_url)
            for package in (openai, aiopenai)
            for copied in (getattr(package, name)(api_key="k", **given).copy(**change),)
        ]
        assert found[0] == found[1], change


class TestProviders:
    @pytest.mark.parametrize("name", CLIENTS)
    @pytest.mark.parametrize("call", ["chat", "responses", "models", "files", "verb"])
    async def test_bedrock_bearer(self, api: Server, name: str, call: str) -> None:
        reference_has("providers")

        def options(package: Any) -> dict[str, Any]:
            return provided(package, "bedrock", base_url=api.base_url, api_key="bearer")

        found = await equal(api, name, options, CALLS[call])
        assert found.headers["authorization"] == ["Bearer bearer"]

    @pytest.mark.parametrize("name", CLIENTS)
    @pytest.mark.parametrize("call", ["chat", "models"])
    async def test_vertex(self, api: Server, name: str, call: str) -> None:
        providers = reference_has("providers")
        if not hasattr(providers, "vertex"):
            pytest.skip("this release of the reference has no vertex")

        def options(package: Any) -> dict[str, Any]:
            return provided(package, "vertex", base_url=api.base_url, token_provider=lambda: "token")

        found = await equal(api, name, options, CALLS[call])
        assert found.headers["authorization"] == ["Bearer token"]

    @pytest.mark.parametrize("name", CLIENTS)
    async def test_signed_headers(self, api: Server, name: str) -> None:
        pytest.importorskip("botocore")
        reference_has("providers")
        keys = {"access_key_id": "AKID", "secret_access_key": "secret", "session_token": "st", "region": "us-east-1"}

        def options(package: Any) -> dict[str, Any]:
            return provided(package, "bedrock", base_url=api.base_url, **keys)

        (ours,) = await recorded(api, aiopenai, name, options, CALLS["chat"])
        (theirs,) = await recorded(api, openai, name, options, CALLS["chat"])
        assert ours.raw_path == theirs.raw_path
        assert ours.json() == theirs.json()
        for header in ("x-amz-security-token", "x-amz-date", "x-amz-content-sha256"):
            assert (header in ours.headers) is (header in theirs.headers)
        scopes = [r.headers["authorization"].partition(", ")[0].split("/")[2:] for r in (ours, theirs)]
        assert scopes[0] == scopes[1]


class TestWorkloadIdentity:
    @pytest.mark.parametrize("name", CLIENTS)
    @pytest.mark.parametrize("token_type", ["jwt", "id"])
    async def test_exchange_and_call(self, local: Server, name: str, token_type: str) -> None:
        """Both packages send one exchange and one call. Their tokens are the server's, which counts them."""
        local.clear()
        local.clear_faults()
        found: list[list[Sent]] = []
        for package in (aiopenai, openai):
            identity = {**IDENTITY, "provider": {"token_type": token_type, "get_token": lambda: "subject"}}
            before = len(local.journal)
            client = getattr(package, name)(workload_identity=identity, base_url=local.base_url, max_retries=0)
            if package is openai:
                client._workload_identity_auth.token_exchange_url = local.token_exchange_url
            else:
                identity = {**identity, "token_exchange_url": local.token_exchange_url}
                client = client.copy(workload_identity=identity)
            reply = client.chat.completions.create(**CHAT)
            if inspect.isawaitable(reply):
                await reply
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing
            found.append([sent(each) for each in local.journal[before:]])
        for request in (each for requests in found for each in requests):
            token = request.headers.get("authorization")
            assert token is None or token[0].startswith("Bearer local-token-")
            request.headers["authorization"] = ["Bearer"] if token else []
            # The reference accepts anything in reply to an exchange.
            if token is None:
                del request.headers["accept"]
        assert len(found[0]) == 2
        assert found[0] == found[1]


SOCKET_BASES: dict[str, dict[str, Any]] = {
    "endpoint": {"azure_endpoint": "/"},
    "deployment": {"azure_endpoint": "/", "azure_deployment": "d 1"},
    "base": {"base_url": "/openai"},
    "v1": {"base_url": "/openai/v1"},
    "below": {"base_url": "/openai/deployments/x"},
    "sockets": {"azure_endpoint": "/", "websocket_base_url": "/other"},
    "sockets-deployment": {"azure_endpoint": "/", "azure_deployment": "d", "websocket_base_url": "/other"},
}


class TestAzureSockets:
    @pytest.mark.parametrize("base", SOCKET_BASES.values(), ids=SOCKET_BASES)
    @pytest.mark.parametrize(
        "credential",
        [{"api_key": "k"}, {"azure_ad_token": "t"}, {"azure_ad_token_provider": lambda: "from-a-function"}],
        ids=lambda given: next(iter(given)),
    )
    async def test_handshakes(self, base: dict[str, Any], credential: dict[str, Any]) -> None:
        """The reference always uses TLS for sockets of Azure; its URL and headers are taken before it connects."""

        async def script(peer: Peer) -> None:
            await peer.socket.receive()

        async with Scripted(script) as server:
            root = f"http://127.0.0.1:{server.port}"
            options = {key: value if key == "azure_deployment" else root + value for key, value in base.items()}
            if "websocket_base_url" in options:
                options["websocket_base_url"] = options["websocket_base_url"].replace("http", "ws")
            for query in ({}, {"a": "b"}, {"deployment": "mine", "api-version": "other"}):
                ours, theirs = (
                    package.AsyncAzureOpenAI(api_version="v", max_retries=0, **credential, **options)
                    for package in (aiopenai, openai)
                )
                async with ours.realtime.connect(model="m /1", extra_query=query):
                    pass
                url, headers = await theirs._configure_realtime("m /1", query)
                await ours.close()
                await theirs.close()
                own = server.requests[-1]
                assert own.raw_path.partition("?")[0] == url.raw_path.decode().partition("?")[0]
                assert sorted(own.query.items()) == sorted(url.params.items())
                for name in ("api-key", "authorization"):
                    assert own.headers.get(name) == CIMultiDict(headers).get(name)
