"""Mocks and recorders of HTTP libraries: aioresponses and vcrpy stand in for aiohttp, respx for httpx."""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import APIConnectionError, AsyncOpenAI, NotFoundError, OpenAI
from aiopenai._http.private.session import pristine
from aiopenai.testing import Server
from tests.http.mocked import COMPLETION, EVENTS

URL = "http://mock.test/v1"
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def unpatched() -> Iterator[None]:
    """Checks that a mock has left aiohttp as it was."""
    yield
    assert pristine()


def aioresponses() -> Any:
    """The mock of aiohttp, from the distribution that knows the installed aiohttp."""
    module = pytest.importorskip("aioresponses")
    needed = "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters
    if needed and not list(importlib.metadata.distributions(name="aioresponses-ng")):
        pytest.skip("aioresponses does not know this aiohttp: pip install aioresponses-ng")
    return module.aioresponses()


class TestAioresponses:
    @pytest.fixture
    def mocked(self) -> Iterator[Any]:
        with aioresponses() as mocked:
            yield mocked

    @pytest.mark.parametrize("begun", [False, True], ids=["new", "used"])
    async def test_async(self, mocked: Any, begun: bool) -> None:
        mocked.post(f"{URL}/chat/completions", payload=COMPLETION, headers={"x-request-id": "r1"})
        mocked.get(f"{URL}/models/none", status=404, payload={"error": {"message": "no such model"}})
        mocked.post(f"{URL}/chat/completions", body=EVENTS, content_type="text/event-stream")
        mocked.post(f"{URL}/chat/completions", exception=OSError("cut"))
        async with AsyncOpenAI(api_key="k", base_url=URL, max_retries=0) as client:
            if begun:
                # A client that has a session from before is intercepted too.
                with pytest.raises(NotFoundError, match="no such model"):
                    await client.models.retrieve("none")
            reply = await client.chat.completions.create(**CHAT)
            assert reply.choices[0].message.content == "mocked"
            assert reply._request_id == "r1"
            stream = await client.chat.completions.create(**CHAT, stream=True)
            assert [each.choices[0].delta.content async for each in stream] == ["mocked"]
            with pytest.raises(APIConnectionError):
                await client.chat.completions.create(**CHAT)
        sent = next(calls for (verb, _), calls in mocked.requests.items() if verb == "POST")
        assert sent[0].kwargs["headers"]["Authorization"].startswith("Bearer")

    def test_blocking(self, mocked: Any) -> None:
        mocked.post(f"{URL}/chat/completions", payload=COMPLETION)
        with OpenAI(api_key="k", base_url=URL, max_retries=0) as client:
            assert client.chat.completions.create(**CHAT).choices[0].message.content == "mocked"
            with pytest.raises(APIConnectionError):
                client.models.list()

    async def test_calls_after_the_mock_are_real(self, server: Server, client: AsyncOpenAI) -> None:
        with aioresponses() as mocked:
            mocked.get(f"{server.base_url}/models/x", payload={"id": "mocked", "object": "model"})
            assert (await client.models.retrieve("x")).id == "mocked"
            assert server.request_count == 0
        assert (await client.models.list()).data
        assert server.request_count == 1


class TestVcr:
    @pytest.fixture
    def recorder(self) -> Any:
        return pytest.importorskip("vcr").VCR(filter_headers=["authorization"])

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    async def test_a_recorded_call_is_played(self, recorder: Any, stream: bool, tmp_path: Path) -> None:
        cassette = str(tmp_path / "cassette.yaml")
        texts: list[str] = []
        async with Server() as server:
            for _ in range(2):
                async with AsyncOpenAI(api_key="sk-test", base_url=server.base_url, max_retries=0) as client:
                    with recorder.use_cassette(cassette):
                        texts.append(await self.asked(client, stream))
            assert server.request_count == 1
        assert texts[0]
        assert texts[1] == texts[0]
        recorded = (tmp_path / "cassette.yaml").read_text()
        assert "/v1/chat/completions" in recorded
        assert "sk-test" not in recorded

    async def asked(self, client: AsyncOpenAI, stream: bool) -> str:
        if not stream:
            return (await client.chat.completions.create(**CHAT)).choices[0].message.content or ""
        chunks = [each async for each in await client.chat.completions.create(**CHAT, stream=True)]
        return "".join(choice.delta.content or "" for each in chunks for choice in each.choices)

    def test_blocking(self, recorder: Any, tmp_path: Path) -> None:
        cassette = str(tmp_path / "cassette.yaml")
        with Server() as server:
            for _ in range(2):
                with OpenAI(api_key="k", base_url=server.base_url) as client, recorder.use_cassette(cassette):
                    assert client.models.list().data
            assert server.request_count == 1


class TestRespx:
    @pytest.fixture
    def router(self) -> Iterator[Any]:
        respx = pytest.importorskip("respx")
        with respx.mock(base_url=URL) as router:
            yield router

    async def test_async(self, router: Any) -> None:
        httpx = pytest.importorskip("httpx")
        route = router.post("/chat/completions").mock(return_value=httpx.Response(200, json=COMPLETION))
        router.get("/models/none").mock(return_value=httpx.Response(404, json={"error": {"message": "none"}}))
        router.get("/files").mock(side_effect=httpx.ConnectError("refused"))
        async with (
            httpx.AsyncClient() as own,
            AsyncOpenAI(api_key="k", base_url=URL, http_client=own, max_retries=0) as client,  # type: ignore[arg-type,unused-ignore]
        ):
            assert (await client.chat.completions.create(**CHAT)).choices[0].message.content == "mocked"
            with pytest.raises(NotFoundError):
                await client.models.retrieve("none")
            with pytest.raises(APIConnectionError):
                await client.files.list()
        assert json.loads(route.calls.last.request.content) == CHAT
        assert route.calls.last.request.headers["authorization"] == "Bearer k"

    def test_blocking(self, router: Any) -> None:
        httpx = pytest.importorskip("httpx")
        events = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=EVENTS.encode())
        router.post("/chat/completions").mock(return_value=events)
        with contextlib.ExitStack() as stack:
            own = stack.enter_context(httpx.Client())
            client = stack.enter_context(OpenAI(api_key="k", base_url=URL, http_client=own))
            stream = client.chat.completions.create(**CHAT, stream=True)
            assert [each.choices[0].delta.content for each in stream] == ["mocked"]
