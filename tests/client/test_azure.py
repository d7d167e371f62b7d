"""aiopenai._client.azure: the constructor's rules, URLs and credentials, beside the reference where it is installed."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import aiopenai
from aiopenai import OpenAIError, omit
from aiopenai._calls.provider import Attempt
from aiopenai._calls.request import Endpoint, Request
from aiopenai.lib.azure import API_KEY_SENTINEL, AsyncAzureOpenAI, AzureOpenAI, MutuallyExclusiveAuthError
from aiopenai.testing import Server
from tests.parity.exchange import Sent, answer_anything, record

VERSION = "2024-10-21"
CLIENTS = [AzureOpenAI, AsyncAzureOpenAI]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def _no_azure_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def endpoint(server: Server) -> str:
    answer_anything(server)
    return server.base_url.removesuffix("/v1")


def options(**more: Any) -> dict[str, Any]:
    return {"api_version": VERSION, "api_key": "az-key", "azure_endpoint": "https://x.openai.azure.com", **more}


async def sent(server: Server, given: dict[str, Any], call: Callable[[Any], Any] | None = None) -> Sent:
    """The request of a call; a chat call if none is given."""

    async def make() -> Any:
        async with AsyncAzureOpenAI(**{"max_retries": 0, **given}) as client:
            made = (call or (lambda client: client.chat.completions.create(**CHAT)))(client)
            return await made

    return await record(server, make)


class TestConstructor:
    @pytest.mark.parametrize("cls", CLIENTS)
    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            ({"azure_ad_token": "t"}, MutuallyExclusiveAuthError, "exclude each other"),
            ({"azure_ad_token_provider": lambda: "t"}, MutuallyExclusiveAuthError, "exclude each other"),
            (
                {"api_key": None, "azure_ad_token": "t", "azure_ad_token_provider": lambda: "t"},
                MutuallyExclusiveAuthError,
                "exclude each other",
            ),
            ({"api_key": None}, OpenAIError, "AZURE_OPENAI_AD_TOKEN"),
            ({"api_key": ""}, OpenAIError, "AZURE_OPENAI_API_KEY"),
            ({"api_version": None}, ValueError, "OPENAI_API_VERSION"),
            ({"api_version": ""}, ValueError, "OPENAI_API_VERSION"),
            ({"azure_endpoint": None}, ValueError, "AZURE_OPENAI_ENDPOINT"),
            ({"base_url": "https://y"}, ValueError, "exclude each other"),
            (
                {"azure_endpoint": None, "base_url": "https://y", "azure_deployment": "d"},
                ValueError,
                "azure_deployment needs azure_endpoint",
            ),
            ({"workload_identity": {"type": "x509"}}, OpenAIError, "azure_ad_token_provider"),
            ({"max_retries": None}, TypeError, "max_retries"),
        ],
        ids=range(12),
    )
    def test_faults(self, cls: Any, given: dict[str, Any], error: type[Exception], message: str) -> None:
        with pytest.raises(error, match=message):
            cls(**options(**given))

    @pytest.mark.parametrize("cls", CLIENTS)
    def test_environment(self, cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
        monkeypatch.setenv("OPENAI_BASE_URL", "https://another.example/v1")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az-env")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://env.openai.azure.com/")
        monkeypatch.setenv("OPENAI_API_VERSION", VERSION)
        client = cls()
        assert client.api_key == "az-env"
        assert str(client.base_url) == "https://env.openai.azure.com/openai/"
        assert client._api_version == VERSION
        # The token's variable goes before the key's.
        monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token-env")
        client = cls()
        assert (client.api_key, client._azure_ad_token) == (API_KEY_SENTINEL, "token-env")
        # Neither is read if a credential is passed.
        assert cls(api_key="az-key")._azure_ad_token is None

    def test_kinds(self) -> None:
        assert issubclass(AzureOpenAI, aiopenai.OpenAI)
        assert issubclass(AsyncAzureOpenAI, aiopenai.AsyncOpenAI)
        assert aiopenai.AzureOpenAI is AzureOpenAI
        assert aiopenai.AsyncAzureOpenAI is AsyncAzureOpenAI
        assert not {"AzureOpenAI", "AsyncAzureOpenAI"} & set(aiopenai.__all__)

    @pytest.mark.parametrize("cls", CLIENTS)
    def test_attributes(self, cls: Any) -> None:
        client = cls(**options(azure_deployment="d"))
        assert client._azure_endpoint == "https://x.openai.azure.com"
        assert client._azure_deployment == "d"
        assert str(client.base_url) == "https://x.openai.azure.com/openai/deployments/d/"
        assert client.default_query == {"api-version": VERSION}


# The URL rules: the client's options, the method's path and model, and the path that is asked for.
BASES: list[tuple[str, dict[str, Any], str]] = [
    ("endpoint", {}, "/openai"),
    ("deployment", {"azure_deployment": "dep"}, "/openai"),
    ("base", {"base_url": "/openai"}, "/openai"),
    ("v1", {"base_url": "/openai/v1"}, "/openai/v1"),
    ("below", {"base_url": "/openai/deployments/here"}, "/openai/deployments/here"),
]


def of_base(endpoint: str, given: dict[str, Any]) -> dict[str, Any]:
    found = {"api_version": VERSION, "api_key": "az-key", **given}
    if "base_url" in given:
        return {**found, "base_url": endpoint + given["base_url"]}
    return {**found, "azure_endpoint": endpoint}


FILE = ("a.wav", b"RIFF", "audio/wav")
CALLS: list[tuple[str, Callable[[Any], Any]]] = [
    ("/chat/completions", lambda c: c.chat.completions.create(**CHAT)),
    ("/completions", lambda c: c.completions.create(model="gpt-4o", prompt="hi")),
    ("/embeddings", lambda c: c.embeddings.create(model="gpt-4o", input="hi", encoding_format="float")),
    ("/images/generations", lambda c: c.images.generate(model="gpt-4o", prompt="hi")),
    ("/images/edits", lambda c: c.images.edit(model="gpt-4o", prompt="hi", image=("a.png", b"png", "image/png"))),
    ("/audio/transcriptions", lambda c: c.audio.transcriptions.create(model="gpt-4o", file=FILE)),
    ("/audio/translations", lambda c: c.audio.translations.create(model="gpt-4o", file=FILE)),
    ("/audio/speech", lambda c: c.audio.speech.create(model="gpt-4o", input="hi", voice="alloy")),
]
PLAIN: list[tuple[str, Callable[[Any], Any]]] = [
    ("/responses", lambda c: c.responses.create(model="gpt-4o", input="hi")),
    ("/models/m", lambda c: c.models.retrieve("m")),
    ("/files/f", lambda c: c.files.retrieve("f")),
    ("/images/variations", lambda c: c.images.create_variation(image=("a.png", b"png", "image/png"), model="gpt-4o")),
]


def path_of(request: Sent) -> str:
    return request.path.decode()


class TestURLs:
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize(("path", "call"), CALLS, ids=[path for path, _ in CALLS])
    @pytest.mark.parametrize(("name", "given", "root"), BASES, ids=[name for name, _, _ in BASES])
    async def test_deployment_paths(
        self, server: Server, endpoint: str, name: str, given: Any, root: str, path: str, call: Any
    ) -> None:
        request = await sent(server, of_base(endpoint, given), call)
        deployment = {"deployment": "/deployments/dep", "below": ""}.get(name, "/deployments/gpt-4o")
        assert path_of(request) == f"{root}{deployment}{path}"
        assert ("api-version", VERSION) in request.query

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize(("path", "call"), PLAIN, ids=[path for path, _ in PLAIN])
    @pytest.mark.parametrize(("name", "given", "root"), BASES, ids=[name for name, _, _ in BASES])
    async def test_other_paths(
        self, server: Server, endpoint: str, name: str, given: Any, root: str, path: str, call: Any
    ) -> None:
        assert path_of(await sent(server, of_base(endpoint, given), call)) == f"{root}{path}"

    async def test_model_is_one_segment(self, server: Server, endpoint: str) -> None:
        request = await sent(server, of_base(endpoint, {}), lambda c: c.embeddings.create(model="gpt 4/ü?", input="hi"))
        assert request.path == "/openai/deployments/gpt 4%2Fü?/embeddings".encode()
        assert request.body["model"] == "gpt 4/ü?"

    async def test_low_level_verbs(self, server: Server, endpoint: str) -> None:
        given = of_base(endpoint, {})
        body = {"model": "m", "messages": []}
        request = await sent(server, given, lambda c: c.post("/chat/completions", body=body, cast_to=object))
        assert path_of(request) == "/openai/deployments/m/chat/completions"
        request = await sent(server, given, lambda c: c.post("chat/completions", body=body, cast_to=object))
        assert path_of(request) == "/openai/chat/completions"
        request = await sent(server, given, lambda c: c.post(f"{endpoint}/elsewhere", body=body, cast_to=object))
        assert path_of(request) == "/elsewhere"

    async def test_without_a_model(self, server: Server, endpoint: str) -> None:
        request = await sent(
            server, of_base(endpoint, {}), lambda c: c.post("/embeddings", body={"input": "hi"}, cast_to=object)
        )
        assert path_of(request) == "/openai/embeddings"

    async def test_version_of_a_call_and_of_the_user(self, server: Server, endpoint: str) -> None:
        given = {**of_base(endpoint, {}), "default_query": {"api-version": "mine", "more": "1"}}
        request = await sent(server, given)
        assert sorted(request.query) == [("api-version", VERSION), ("more", "1")]
        request = await sent(
            server, given, lambda c: c.chat.completions.create(**CHAT, extra_query={"api-version": "of the call"})
        )
        assert ("api-version", "of the call") in request.query

    async def test_retries_go_to_the_same_url(self, server: Server, endpoint: str) -> None:
        server.clear_faults()
        server.fault(status=429, headers={"retry-after-ms": "1"}, times=2)
        server.fault(status=200, body=b'{"choices": []}', times=1)
        async with AsyncAzureOpenAI(**of_base(endpoint, {})) as client:
            await client.chat.completions.create(**CHAT)
        paths = [request.raw_path.split("?")[0] for request in server.journal]
        assert paths == ["/openai/deployments/gpt-4o/chat/completions"] * 3


class TestCredentials:
    async def test_key(self, server: Server, endpoint: str) -> None:
        request = await sent(server, of_base(endpoint, {}))
        assert request.headers["api-key"] == ["az-key"]
        assert "authorization" not in request.headers

    async def test_token(self, server: Server, endpoint: str) -> None:
        request = await sent(server, of_base(endpoint, {"api_key": None, "azure_ad_token": "t-1"}))
        assert request.headers["authorization"] == ["Bearer t-1"]
        assert "api-key" not in request.headers

    @pytest.mark.parametrize("kind", ["plain", "async"])
    @pytest.mark.parametrize("option", ["azure_ad_token_provider", "api_key"])
    async def test_functions_are_asked_for_each_attempt(
        self, server: Server, endpoint: str, kind: str, option: str
    ) -> None:
        server.clear_faults()
        server.fault(status=429, headers={"retry-after-ms": "1"}, times=1)
        server.fault(status=200, body=b'{"choices": []}', times=1)
        asked = 0

        def plain() -> str:
            nonlocal asked
            asked += 1
            return f"secret-{asked}"

        async def asynchronous() -> str:
            return plain()

        given = {**of_base(endpoint, {}), "api_key": None, option: plain if kind == "plain" else asynchronous}
        async with AsyncAzureOpenAI(**given) as client:
            await client.chat.completions.create(**CHAT)
        name, form = ("api-key", "{}") if option == "api_key" else ("authorization", "Bearer {}")
        assert [r.headers[name] for r in server.journal] == [form.format("secret-1"), form.format("secret-2")]

    @pytest.mark.parametrize("option", ["azure_ad_token_provider", "api_key"])
    @pytest.mark.parametrize("answer", ["", None, 7])
    async def test_functions_that_return_no_credential(
        self, server: Server, endpoint: str, option: str, answer: Any
    ) -> None:
        given = {**of_base(endpoint, {}), "api_key": None, option: lambda: answer}
        async with AsyncAzureOpenAI(**given) as client:
            with pytest.raises(ValueError, match=f"{option} must return a non-empty str"):
                await client.chat.completions.create(**CHAT)
        assert server.request_count == 0

    async def test_error_of_a_function_passes(self, server: Server, endpoint: str) -> None:
        def provider() -> str:
            raise LookupError("no card")

        given = {**of_base(endpoint, {}), "api_key": None, "azure_ad_token_provider": provider}
        async with AsyncAzureOpenAI(**given) as client:
            with pytest.raises(LookupError, match="no card"):
                await client.chat.completions.create(**CHAT)
        assert server.request_count == 0

    async def test_headers_of_a_call(self, server: Server, endpoint: str) -> None:
        def calling(**headers: Any) -> Callable[[Any], Any]:
            return lambda c: c.chat.completions.create(**CHAT, extra_headers=headers)

        token = {**of_base(endpoint, {}), "api_key": None, "azure_ad_token": "t-1"}
        request = await sent(server, token, calling(authorization="Bearer mine"))
        assert request.headers["authorization"] == ["Bearer mine"]
        request = await sent(server, of_base(endpoint, {}), calling(**{"API-Key": "mine"}))
        assert request.headers["api-key"] == ["mine"]
        request = await sent(server, of_base(endpoint, {}), calling(**{"api-key": omit}))
        assert not {"api-key", "authorization"} & set(request.headers)

    async def test_without_credentials(self, server: Server, endpoint: str) -> None:
        given = {**of_base(endpoint, {}), "api_key": None, "_enforce_credentials": False}
        async with AsyncAzureOpenAI(**given) as client:
            with pytest.raises(ValueError, match="has no credentials"):
                await client.chat.completions.create(**CHAT)
            assert server.request_count == 0
            await client.chat.completions.create(**CHAT, extra_headers={"api-key": "mine"})
        assert server.journal[0].headers["api-key"] == "mine"

    def test_blocking(self) -> None:
        with Server() as server:
            answer_anything(server)
            with AzureOpenAI(**of_base(server.base_url.removesuffix("/v1"), {})) as client:
                client.chat.completions.create(**CHAT)
            (request,) = server.journal
        assert request.raw_path.split("?")[0] == "/openai/deployments/gpt-4o/chat/completions"
        assert request.headers["api-key"] == "az-key"

    def test_no_key_in_reprs_and_pickles(self) -> None:
        for cls in CLIENTS:
            client = cls(**options(api_key="canary"))
            assert "canary" not in repr(client)
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(client)

    async def test_key_never_follows_a_redirect_to_another_origin(self, server: Server, endpoint: str) -> None:
        async with Server() as other:
            answer_anything(other)
            server.clear_faults()
            server.fault(status=307, headers={"location": f"{other.base_url}/chat/completions"}, times=1)
            async with AsyncAzureOpenAI(**of_base(endpoint, {})) as client:
                await client.chat.completions.create(**CHAT)
            assert not {"api-key", "authorization"} & {name.lower() for name in other.journal[0].headers}


class TestCopies:
    @pytest.mark.parametrize("cls", CLIENTS)
    def test_all_is_inherited(self, cls: Any) -> None:
        client = cls(**options(azure_deployment="d", default_query={"a": "1"}))
        twin = client.copy(max_retries=7)
        assert (twin.max_retries, twin.api_key, twin._azure_deployment) == (7, "az-key", "d")
        assert str(twin.base_url) == str(client.base_url)
        assert twin.default_query == {"a": "1", "api-version": VERSION}

    @pytest.mark.parametrize("cls", CLIENTS)
    def test_credentials_replace_each_other(self, cls: Any) -> None:
        client = cls(**options())
        token = client.with_options(azure_ad_token="t-1")
        assert (token.api_key, token._azure_ad_token) == (API_KEY_SENTINEL, "t-1")
        provider = token.copy(azure_ad_token_provider=lambda: "t-2")
        assert (provider.api_key, provider._azure_ad_token) == (API_KEY_SENTINEL, None)
        again = provider.copy(api_key="new")
        assert (again.api_key, again._azure_ad_token_provider) == ("new", None)
        with pytest.raises(MutuallyExclusiveAuthError):
            client.copy(api_key="a", azure_ad_token="b")

    @pytest.mark.parametrize("cls", CLIENTS)
    def test_options_that_azure_does_not_have(self, cls: Any) -> None:
        client = cls(**options())
        for name in ("data_residency", "workload_identity", "provider"):
            with pytest.raises(OpenAIError, match=name):
                client.copy(**{name: "us"})

    async def test_version_and_base_url(self, server: Server, endpoint: str) -> None:
        async with AsyncAzureOpenAI(**of_base(endpoint, {"azure_deployment": "d"})) as client:
            twin = client.copy(api_version="next", base_url=f"{endpoint}/openai/v1")
            assert (twin._azure_endpoint, twin._azure_deployment) == (None, None)
            await twin.models.retrieve("m")
        (request,) = server.journal
        assert request.raw_path == "/openai/v1/models/m?api-version=next"

    async def test_switch_is_seen_on_the_wire(self, server: Server, endpoint: str) -> None:
        async with AsyncAzureOpenAI(**of_base(endpoint, {})) as client:
            await client.copy(azure_ad_token="t-1").chat.completions.create(**CHAT)
            await client.chat.completions.create(**CHAT)
        first, second = ({name.lower() for name in request.headers} for request in server.journal)
        assert "authorization" in first
        assert "api-key" not in first
        assert "api-key" in second


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestReference:
    """The same calls by the reference."""

    @pytest.mark.parametrize(("path", "call"), CALLS + PLAIN, ids=[path for path, _ in CALLS + PLAIN])
    @pytest.mark.parametrize(("name", "given", "root"), BASES, ids=[name for name, _, _ in BASES])
    async def test_requests_are_equal(
        self, server: Server, endpoint: str, name: str, given: Any, root: str, path: str, call: Any
    ) -> None:
        openai = pytest.importorskip("openai")
        found = of_base(endpoint, given)
        ours = await sent(server, found, call)

        async def theirs() -> Any:
            async with openai.AsyncAzureOpenAI(**found, max_retries=0) as client:
                return await call(client)

        assert ours == await record(server, theirs)


async def test_many_at_once_share_one_client(server: Server, endpoint: str) -> None:
    async with AsyncAzureOpenAI(**of_base(endpoint, {})) as client:
        calls: list[Awaitable[Any]] = [client.chat.completions.create(**CHAT) for _ in range(50)]
        await asyncio.gather(*calls)
    assert server.request_count == 50


class TestWebsocketURLs:
    def made(self, **options: Any) -> Any:
        given = {"azure_endpoint": "https://h.test", "api_version": "v-1", "api_key": "k", **options}
        return AzureOpenAI(**given)._provider

    def test_realtime_names_the_deployment_in_the_query(self) -> None:
        query = {"model": "gpt-realtime", "call_id": "c"}
        url, parameters = self.made().websocket_url("/realtime", None, query)
        assert url == "wss://h.test/openai/realtime"
        assert parameters == {"api-version": "v-1", "deployment": "gpt-realtime", "call_id": "c"}
        _, parameters = self.made(azure_deployment="own").websocket_url("/realtime", None, query)
        assert parameters["deployment"] == "own"

    def test_realtime_needs_a_deployment(self) -> None:
        with pytest.raises(OpenAIError, match="needs model, the name of the deployment"):
            self.made().websocket_url("/realtime", None, {"call_id": "c"})

    def test_other_paths(self) -> None:
        assert self.made().websocket_url("/responses", None, {"a": 1}) == ("wss://h.test/openai/responses", {"a": 1})
        found = self.made(azure_deployment="own").websocket_url("/responses", None, {})
        assert found[0] == "wss://h.test/openai/deployments/own/responses"
        assert self.made(azure_deployment="own").websocket_url("/responses", "wss://b", {})[0] == "wss://b/responses"


class TestModelsInPaths:
    @pytest.mark.parametrize(
        ("request_", "path"),
        [
            ({"body": {"model": "a/b"}}, "/deployments/a%2Fb/chat/completions"),
            ({"content": b'{"model": "m"}'}, "/deployments/m/chat/completions"),
            ({"content": bytearray(b'{"model": "m"}')}, "/deployments/m/chat/completions"),
            ({"content": b'{"model": 3}'}, "/chat/completions"),
            ({"content": b"no json"}, "/chat/completions"),
            ({"content": b"\xff"}, "/chat/completions"),
            ({"body": {"model": ""}}, "/chat/completions"),
            ({"body": [1]}, "/chat/completions"),
            ({}, "/chat/completions"),
        ],
        ids=range(9),
    )
    def test_kinds_of_bodies(self, request_: dict[str, Any], path: str) -> None:
        provider = AzureOpenAI(azure_endpoint="https://h.test", api_version="v", api_key="k")._provider
        endpoint = Endpoint(method="POST", path="/chat/completions")
        assert (
            provider.url(Request(endpoint=endpoint, path=endpoint.path, **request_)) == f"https://h.test/openai{path}"
        )


class TestFunctionsForCredentials:
    @pytest.mark.parametrize(
        ("option", "header", "sent"),
        [("azure_ad_token_provider", "authorization", "Bearer own"), ("api_key", "api-key", "own")],
    )
    async def test_a_header_of_the_program_wins(self, option: str, header: str, sent: str) -> None:
        given: Any = {"azure_endpoint": "https://h.test", "api_version": "v", option: lambda: "own"}
        provider = AsyncAzureOpenAI(**given)._provider
        assert provider.authorizes
        endpoint = Endpoint(method="GET", path="/models")
        assert provider.headers(endpoint) == {}
        attempt = Attempt(endpoint, "https://h.test", {}, b"", frozenset())
        await provider.authorize(attempt)
        assert {name.lower(): value for name, value in attempt.headers.items()} == {header: sent}
        attempt = Attempt(endpoint, "https://h.test", {}, b"", frozenset({header}))
        await provider.authorize(attempt)
        assert attempt.headers == {}

    @pytest.mark.parametrize("name", ["data_residency", "provider", "workload_identity"])
    def test_options_of_other_services(self, name: str) -> None:
        with pytest.raises((TypeError, OpenAIError), match=name):
            AzureOpenAI(azure_endpoint="https://h.test", api_version="v", api_key="k", **{name: "x"})  # type: ignore[arg-type]
