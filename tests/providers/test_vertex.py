"""aiopenai.providers.vertex: URLs, tokens, and their refreshes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import APITimeoutError, AsyncOpenAI, OpenAI, OpenAIError, Timeout
from aiopenai.providers import vertex
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-oss", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def _no_google_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def api() -> Iterator[Server]:
    with Server() as server:
        server.fault(status=200, body=json.dumps({"choices": []}).encode(), times=None)
        yield server


class Credentials:
    """Credentials as google-auth's: valid until `expire`."""

    def __init__(self) -> None:
        self.valid = False
        self.refreshes = 0
        self.token: str | None = None

    def refresh(self, request: Any) -> None:
        self.refreshes += 1
        self.token = f"token-{self.refreshes}"
        self.valid = True


def test_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://us-central1-aiplatform.googleapis.com/v1/projects/p-1/locations/us-central1/publishers/openai/v1"
    assert vertex(project="p-1", location="us-central1").base_url == url
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p-1")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    assert vertex().base_url == url
    assert vertex(location="global").base_url == (
        "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global/publishers/openai/v1"
    )
    assert vertex(base_url="https://gateway.example/v1/").base_url == "https://gateway.example/v1"


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"project": None}, "GOOGLE_CLOUD_PROJECT"),
    ({"location": None}, "GOOGLE_CLOUD_LOCATION"),
    ({"project": "a/b"}, "project"),
    ({"location": "A"}, "location"),
    ({"base_url": "ftp://x"}, "http or https"),
    ({"base_url": "https://u@x"}, "no user"),
    ({"base_url": "https://x?a=b"}, "no query|no user"),
    ({"base_url": "http://aiplatform.googleapis.com"}, "https URL"),
    ({"token_provider": lambda: "t", "credentials": object()}, "exclude each other"),
]


@pytest.mark.parametrize(("options", "message"), FAULTS, ids=range(len(FAULTS)))
def test_faults(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OpenAIError, match=message):
        vertex(**{"project": "p", "location": "l", **options})


async def test_refreshes_are_single(api: Server) -> None:
    pytest.importorskip("google.auth")
    credentials = Credentials()
    async with AsyncOpenAI(provider=vertex(base_url=api.base_url, credentials=credentials)) as client:
        await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(50)))
        credentials.valid = False
        await client.chat.completions.create(**CHAT)
    assert credentials.refreshes == 2
    assert [r.headers["authorization"] for r in api.journal] == ["Bearer token-1"] * 50 + ["Bearer token-2"]


def test_refresh_does_not_block_the_loop(api: Server) -> None:
    pytest.importorskip("google.auth")
    refreshing, go_on = threading.Event(), threading.Event()

    class Slow(Credentials):
        def refresh(self, request: Any) -> None:
            refreshing.set()
            go_on.wait(30)
            super().refresh(request)

    async def main() -> None:
        async with AsyncOpenAI(provider=vertex(base_url=api.base_url, credentials=Slow())) as client:
            call = asyncio.ensure_future(client.chat.completions.create(**CHAT))
            await asyncio.get_running_loop().run_in_executor(None, refreshing.wait, 5)
            # The loop turns meanwhile.
            go_on.set()
            await call

    asyncio.run(main())
    assert api.request_count == 1


async def test_failed_refresh_hides_its_text(api: Server) -> None:
    pytest.importorskip("google.auth")

    class Broken(Credentials):
        def refresh(self, request: Any) -> None:
            raise RuntimeError("canary")

    async with AsyncOpenAI(provider=vertex(base_url=api.base_url, credentials=Broken())) as client:
        with pytest.raises(OpenAIError, match="RuntimeError") as caught:
            await client.chat.completions.create(**CHAT)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert api.request_count == 0


def test_token_provider_in_both_clients(api: Server) -> None:
    async def asynchronous() -> str:
        return "async"

    async def main() -> None:
        for ask in (lambda: "plain", asynchronous):
            async with AsyncOpenAI(provider=vertex(base_url=api.base_url, token_provider=ask)) as client:
                await client.chat.completions.create(**CHAT)

    asyncio.run(main())
    with OpenAI(provider=vertex(base_url=api.base_url, token_provider=lambda: "plain")) as client:
        client.chat.completions.create(**CHAT)
    assert [r.headers["authorization"] for r in api.journal] == ["Bearer plain", "Bearer async", "Bearer plain"]


@pytest.mark.parametrize("token", ["", "with space", "ü", None, 7])
async def test_tokens_that_are_none(api: Server, token: Any) -> None:
    async with AsyncOpenAI(provider=vertex(base_url=api.base_url, token_provider=lambda: token)) as client:
        with pytest.raises(OpenAIError, match="printable ASCII"):
            await client.chat.completions.create(**CHAT)
    assert api.request_count == 0


@pytest.mark.parametrize("name", ["Authorization", "api-key", "OpenAI-Organization", "openai-project"])
async def test_headers_that_are_refused(api: Server, name: str) -> None:
    async with AsyncOpenAI(provider=vertex(base_url=api.base_url, token_provider=lambda: "t")) as client:
        with pytest.raises(OpenAIError, match=f"takes no {name.lower()}"):
            await client.chat.completions.create(**CHAT, extra_headers={name: "mine"})
    assert api.request_count == 0


class TestWaits:
    """A token that takes longer than the call's timeouts allow."""

    async def test_token_provider(self, api: Server) -> None:
        async def never() -> str:
            await asyncio.Event().wait()
            raise AssertionError

        client = AsyncOpenAI(provider=vertex(base_url=api.base_url, token_provider=never), max_retries=0)
        async with client:
            with pytest.raises(APITimeoutError, match="access token"):
                await client.chat.completions.create(**CHAT, timeout=0.05)
        assert api.request_count == 0

    def test_refresh(self, api: Server) -> None:
        pytest.importorskip("google.auth")
        go_on = threading.Event()
        timeouts: list[Any] = []

        class Slow(Credentials):
            def refresh(self, request: Any) -> None:
                timeouts.append(request.keywords["timeout"])
                go_on.wait(30)
                super().refresh(request)

        with OpenAI(provider=vertex(base_url=api.base_url, credentials=Slow()), max_retries=0) as client:
            with pytest.raises(APITimeoutError, match="access token"):
                client.chat.completions.create(**CHAT, timeout=Timeout(0.05, connect=0.02))
            assert api.request_count == 0
            go_on.set()
            # The refresh that was given up ends by itself, and its token is used.
            client.chat.completions.create(**CHAT)
        assert timeouts == [(0.02, 0.05)]
