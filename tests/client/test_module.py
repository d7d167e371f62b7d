from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import aiopenai
from aiopenai import OpenAI, OpenAIError
from aiopenai._client import module as module_client
from aiopenai.resources import Resources
from aiopenai.testing import Server
from tests.client.conftest import ATTRIBUTES

AZURE = ("azure_endpoint", "azure_ad_token", "azure_ad_token_provider")
VARIABLES = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT")

pytestmark = pytest.mark.usefixtures("fresh_module")


@pytest.fixture
def server() -> Iterator[Server]:  # type: ignore[override]
    """The server, in a thread of its own; the package is set up for it."""
    with Server() as server:
        aiopenai.base_url = server.base_url
        aiopenai.api_key = "sk-module"
        yield server


def sent(server: Server) -> Any:
    return server.journal[-1].headers


def test_calls(server: Server, chat: dict[str, Any]) -> None:
    assert aiopenai.chat.completions.create(**chat).choices
    assert sent(server)["authorization"] == "Bearer sk-module"
    assert list(aiopenai.chat.completions.create(**chat, stream=True))
    assert aiopenai.models.list().data
    assert aiopenai.embeddings.create(model="text-embedding-3-small", input="a").data[0].embedding
    assert aiopenai.responses.with_raw_response.create(model="gpt-4o", input="x").status_code == 200
    assert server.connections == 1


def test_namespaces() -> None:
    names = {name for name in vars(Resources) if not name.startswith("_")}
    assert names == aiopenai._NAMESPACES
    for name in names:
        space = getattr(aiopenai, name)
        assert getattr(aiopenai, name) is space
        assert repr(space) == f"<aiopenai.{name}>"
        assert repr(copy.copy(space)) == repr(space)
    assert module_client._client is None
    assert names <= set(dir(aiopenai))
    assert "completions" in dir(aiopenai.chat)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = aiopenai.chat.nonsense  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="nonsense"):
        _ = aiopenai.nonsense  # type: ignore[attr-defined]


def test_as_the_reference() -> None:
    pytest.importorskip("openai")
    # In a process of its own: other tests leave their marks on the reference's module.
    program = f"""
import openai, aiopenai
for name in aiopenai._NAMESPACES:
    assert hasattr(openai, name), name
for name in {[*ATTRIBUTES]}:
    theirs, ours = getattr(openai, name), getattr(aiopenai, name)
    assert ours == theirs or repr(ours) == repr(theirs) or isinstance(ours, aiopenai.Timeout), name
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_models_are_the_clients(server: Server) -> None:
    from aiopenai import models

    assert models is aiopenai.models
    assert models.retrieve("gpt-4o").id == "gpt-4o"


class TestSettings:
    def test_from_the_environment(self, server: Server, monkeypatch: pytest.MonkeyPatch, chat: dict[str, Any]) -> None:
        aiopenai.api_key = None
        monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
        monkeypatch.setenv("OPENAI_ORG_ID", "org-env")
        monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-env")
        monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", "whsec_env")
        aiopenai.chat.completions.create(**chat)
        assert sent(server)["authorization"] == "Bearer sk-env"
        assert sent(server)["openai-organization"] == "org-env"
        # They can be read from the module then.
        assert (aiopenai.api_key, aiopenai.organization, aiopenai.project, aiopenai.webhook_secret) == (
            "sk-env",
            "org-env",
            "proj-env",
            "whsec_env",
        )
        assert aiopenai.admin_api_key is None

    def test_changes_count_from_the_next_call_on(self, server: Server, chat: dict[str, Any]) -> None:
        # Resources that are kept follow too.
        completions = aiopenai.chat.completions
        completions.create(**chat)
        assert "openai-organization" not in sent(server)
        headers = {"x-mine": "1"}
        aiopenai.api_key, aiopenai.organization, aiopenai.project = "sk-other", "org", "proj"
        aiopenai.default_headers, aiopenai.default_query = headers, {"q": "1"}
        aiopenai.timeout = 7
        completions.create(**chat)
        found = sent(server)
        assert found["authorization"] == "Bearer sk-other"
        assert (found["openai-organization"], found["openai-project"], found["x-mine"]) == ("org", "proj", "1")
        assert found["x-stainless-read-timeout"].startswith("7")
        assert server.journal[-1].query == {"q": "1"}
        headers["x-mine"] = "2"
        aiopenai.organization = aiopenai.default_query = None
        completions.create(**chat)
        assert sent(server)["x-mine"] == "2"
        assert "openai-organization" not in sent(server)
        assert not server.journal[-1].query
        with Server() as other:
            aiopenai.base_url = other.base_url
            completions.create(**chat)
            assert other.request_count == 1
        aiopenai.base_url = None
        assert module_client.load().base_url.rstrip("/") == server.base_url

    def test_retries(self, server: Server, chat: dict[str, Any]) -> None:
        aiopenai.chat.completions.create(**chat)
        for retries in (0, 1):
            aiopenai.max_retries = retries
            before = server.request_count
            server.fault(status=500, headers={"retry-after-ms": "1"}, times=retries + 1)
            with pytest.raises(aiopenai.InternalServerError):
                aiopenai.chat.completions.create(**chat)
            assert server.request_count - before == retries + 1

    def test_a_key_that_is_asked_for(self, server: Server, chat: dict[str, Any]) -> None:
        keys = iter(["sk-1", "sk-2"])
        aiopenai.api_key = lambda: next(keys)
        for key in ("sk-1", "sk-2"):
            aiopenai.chat.completions.create(**chat)
            assert sent(server)["authorization"] == f"Bearer {key}"
        aiopenai.api_key = "sk-3"
        aiopenai.chat.completions.create(**chat)
        assert sent(server)["authorization"] == "Bearer sk-3"

    def test_no_key(self, server: Server, chat: dict[str, Any]) -> None:
        aiopenai.api_key = None
        with pytest.raises(OpenAIError, match="api_key"):
            aiopenai.chat.completions.create(**chat)
        assert server.request_count == 0
        aiopenai.api_key = "sk-late"
        assert aiopenai.chat.completions.create(**chat).choices
        aiopenai.api_key = None
        with pytest.raises(OpenAIError, match="api_key"):
            aiopenai.chat.completions.create(**chat)

    def test_a_session_cannot_be_used(self) -> None:
        aiopenai.api_key = "k"
        aiopenai.models.list.request()
        aiopenai.http_client = object()  # type: ignore[assignment]
        for _ in range(2):
            with pytest.raises(TypeError, match="http_client"):
                aiopenai.models.list()

    def test_what_cannot_be_stays_wrong(self, server: Server, chat: dict[str, Any]) -> None:
        aiopenai.base_url = "nonsense"
        for _ in range(2):
            with pytest.raises(ValueError, match="base_url"):
                aiopenai.chat.completions.create(**chat)
        aiopenai.base_url = server.base_url
        assert aiopenai.chat.completions.create(**chat).choices

    def test_webhooks_need_no_key(self) -> None:
        aiopenai.webhook_secret = "whsec_c2VjcmV0"
        with pytest.raises(ValueError, match="signature"):
            aiopenai.webhooks.verify_signature("{}", {})
        assert module_client.load().webhook_secret == "whsec_c2VjcmV0"


class TestMakingAndDropping:
    def test_without_a_client_there_is_nothing_to_drop(self) -> None:
        module_client.reset()
        assert module_client._client is None

    def test_a_client_that_is_dropped_is_closed(self, server: Server, chat: dict[str, Any]) -> None:
        aiopenai.chat.completions.create(**chat)
        client = module_client.load()
        module_client.reset()
        assert client.is_closed()
        assert module_client.load() is not client

    def test_the_old_name_of_the_base_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(aiopenai, "api_base", "https://elsewhere.example", raising=False)
        aiopenai.api_key = "k"
        with pytest.raises(OpenAIError, match=r"set aiopenai\.base_url in its place"):
            module_client.load()
        aiopenai.base_url = "https://h.example/v1"
        assert module_client.load().base_url == "https://h.example/v1/"

    def test_a_client_that_another_thread_has_made_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        aiopenai.api_key = "k"
        made: list[Any] = []

        class Lock:
            def __enter__(self) -> None:
                made.append(module_client._made())
                module_client._client = made[0]

            def __exit__(self, *_: object) -> None:
                pass

        monkeypatch.setattr(module_client, "_lock", Lock())
        assert module_client.load() is made[0]
        assert len(made) == 1


class TestServices:
    @pytest.mark.parametrize("name", [*AZURE, *VARIABLES])
    def test_signs_of_azure(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        aiopenai.api_version = "v-1"
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        if name.isupper():
            monkeypatch.setenv(name, "https://x")
        elif name == "azure_ad_token_provider":
            aiopenai.azure_ad_token_provider = lambda: "t"
        else:
            setattr(aiopenai, name, "https://x")
        if name.lower().removeprefix("azure_openai_") not in ("azure_endpoint", "endpoint"):
            aiopenai.azure_endpoint = "https://x"
        else:
            monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
        assert isinstance(module_client.load(), aiopenai.AzureOpenAI)
        assert aiopenai.api_type == "azure"

    def test_ambiguous(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
        with pytest.raises(OpenAIError, match="'openai' or 'azure'"):
            module_client.load()
        aiopenai.api_type = "openai"
        assert type(module_client.load()).__mro__[1] is OpenAI

    def test_unknown_kind_is_the_api(self) -> None:
        aiopenai.api_type = "another"
        aiopenai.api_key = "k"
        assert isinstance(aiopenai._load_client(), OpenAI)
        aiopenai._reset_client()
        assert module_client._client is None


def test_one_client_for_all_threads(server: Server, chat: dict[str, Any]) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: module_client.load(), range(64)))
        assert len(set(map(id, found))) == 1
        assert all(
            completion.choices
            for completion in threads.map(lambda _: aiopenai.chat.completions.create(**chat), range(16))
        )


def test_importing_the_package_imports_nothing() -> None:
    program = """
from __future__ import annotations
import json, os, sys, typing
before = set(sys.modules)
import aiopenai
aiopenai.api_key = "k"
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == ["aiopenai", "aiopenai.version"]
