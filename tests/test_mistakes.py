"""The usual mistakes: each gives one clear message, with the cure."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import aiopenai
from aiopenai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI
from aiopenai._base.suggestions import suggesting, suggestion
from aiopenai._client import runner as loop_runner
from aiopenai.testing import Server

MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(api_key="right") as server:
        yield server


Blocking = Callable[..., Any]


@pytest.fixture
def client(server: Server) -> Blocking:
    def make(**options: Any) -> Any:
        return OpenAI(**{"base_url": server.base_url, "api_key": "right", "max_retries": 0, **options})

    return make


def ask(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(**{"model": "m", "messages": MESSAGES, **options})


def closed(client: Any) -> Any:
    client.close()
    return ask(client)


def read_twice(client: Any) -> None:
    with client.models.with_streaming_response.list() as reply:
        assert list(reply.iter_bytes())
        list(reply.iter_bytes())


MISTAKES: dict[str, tuple[Callable[[Blocking], Any], type[Exception], str]] = {
    "no key": (lambda _: OpenAI(), aiopenai.OpenAIError, "set the environment variable OPENAI_API_KEY"),
    "wrong key": (lambda make: ask(make(api_key="wrong")), aiopenai.AuthenticationError, "Incorrect API key"),
    "misspelt parameter": (lambda make: ask(make(), temprature=1), TypeError, "did you mean 'temperature'"),
    "misspelt option": (lambda make: make(max_retrys=1), TypeError, r"OpenAI\(\) .*; did you mean 'max_retries'"),
    "misspelt option of a copy": (
        lambda make: make().with_options(tiemout=1),
        TypeError,
        r"copy\(\) .*; did you mean 'timeout'",
    ),
    "misspelt name": (lambda _: aiopenai.AsyncOpenAi, AttributeError, "did you mean 'AsyncOpenAI'"),  # type: ignore[attr-defined]
    "far from any option": (lambda make: make(xyzzy=1), TypeError, "the options are api_key, "),
    "object in messages": (
        lambda make: ask(make(), messages=[{"role": "user", "content": object()}]),
        TypeError,
        r"messages\[0\].content\): an object of type object cannot be sent as JSON",
    ),
    "text as messages": (lambda make: ask(make(), messages="hi"), TypeError, "put single items in a list"),
    "base URL without a scheme": (
        lambda make: make(base_url="localhost:8000/v1"),
        ValueError,
        "must be an http or https URL such as",
    ),
    "proxy that is down": (
        lambda make: ask(make(proxy=f"http://127.0.0.1:{closed_port()}")),
        aiopenai.APIConnectionError,
        "cannot connect to the proxy .*from the option `proxy`",
    ),
    "closed client": (lambda make: closed(make()), aiopenai.APIConnectionError, "closed: create another one"),
    "number as file": (
        lambda make: make().files.create(file=42, purpose="batch"),
        TypeError,
        "`file` must be bytes, an os.PathLike",
    ),
    "path as text": (
        lambda make: make().files.create(file="in.jsonl", purpose="batch"),
        TypeError,
        r"write pathlib.Path\(...\) for a path",
    ),
    "name of another API": (
        lambda make: make().responses.create(model="m", messages=MESSAGES),
        TypeError,
        "'messages'; did you mean 'input'",
    ),
    "name of before 1.0": (lambda make: make(api_base="x"), TypeError, "did you mean 'base_url'"),
    "arguments by position": (
        lambda make: make().chat.completions.create("m", MESSAGES),
        TypeError,
        "pass the others by name, such as messages=",
    ),
    "reply as a dict": (
        lambda make: ask(make())["choices"],
        TypeError,
        r"not subscriptable: write `.choices`; `to_dict\(\)` returns a dict",
    ),
    "page as a list": (lambda make: make().models.list()[0], TypeError, r"write `.data\[0\]`"),
    "key with a line break": (lambda make: ask(make(api_key="right\n")), ValueError, r"the key has it.*strip\(\)"),
    "headers as a list": (
        lambda make: ask(make(), extra_headers=["x"]),
        TypeError,
        "extra_headers must be a mapping of names to values, not list",
    ),
    "base URL with an endpoint": (
        lambda make: ask(make(base_url=f"{make().base_url}chat/completions")),
        aiopenai.NotFoundError,
        "remove /chat/completions from it",
    ),
    "base URL of no server": (
        lambda make: ask(make(base_url=f"http://127.0.0.1:{closed_port()}/v1")),
        aiopenai.APIConnectionError,
        "nothing listens there: start the server, or correct the base URL",
    ),
    "https for http": (
        lambda make: ask(make(base_url=str(make().base_url).replace("http:", "https:"))),
        aiopenai.APIConnectionError,
        "this port does not speak TLS",
    ),
    "unknown host": (
        lambda make: ask(make(base_url="http://nowhere.invalid/v1")),
        aiopenai.APIConnectionError,
        "check the host in the base URL",
    ),
    "calls for a job": (
        lambda make: next(iter(make().map([ask]))).unwrap(),
        TypeError,
        r"write client.responses.create.request\(...\)",
    ),
    "body streamed twice": (lambda make: read_twice(make()), aiopenai.OpenAIError, r"`read\(\)` keeps a body"),
    "API before 1.0": (
        lambda _: aiopenai.ChatCompletion.create(model="m"),  # type: ignore[attr-defined]
        aiopenai.OpenAIError,
        "use client.chat.completions instead",
    ),
}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("name", MISTAKES)
def test_message_names_the_cure(name: str, client: Blocking) -> None:
    mistake, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=words) as caught:
        mistake(client)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/api"])
def test_base_url_without_version(path: str, server: Server, client: Blocking) -> None:
    with pytest.raises(aiopenai.NotFoundError, match="the base URL of most servers ends in it"):
        ask(client(base_url=server.base_url.removesuffix("/v1") + path))


def test_unknown_model_is_not_a_wrong_base_url(client: Blocking) -> None:
    with pytest.raises(aiopenai.NotFoundError) as caught:
        client().models.retrieve("none")
    assert "/v1" not in str(caught.value)


def test_small_timeout(server: Server, client: Blocking) -> None:
    server.fault(delay=5)
    with pytest.raises(aiopenai.APITimeoutError, match="`timeout=` sets it"):
        ask(client(timeout=0.05))


async def test_forgotten_await(server: Server) -> None:
    async with AsyncOpenAI(base_url=server.base_url, api_key="right") as client:
        forgotten: Any = client.models.retrieve("gpt-4o")
        with pytest.raises(AttributeError, match="'coroutine' object"):
            _ = forgotten.id
        # Python's own warning names the call when it is collected.
        forgotten.close()


async def test_blocking_client_in_a_coroutine_still_answers(
    client: Blocking, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop_runner, "_told_of_the_running_loop", False)
    # The test of a notebook may have imported it: there, nothing is told.
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert ask(client()).choices
    assert ask(client()).choices
    (record,) = [each for each in caplog.records if "in a coroutine" in each.getMessage()]
    assert "use AsyncOpenAI with `await`" in record.getMessage()
    with pytest.raises(TypeError, match="await"):
        await ask(client())


async def test_pydantic_objects_are_sent(server: Server) -> None:
    pydantic = pytest.importorskip("pydantic")
    message = pydantic.create_model("Message", role=(str, ...), content=(str, ...))
    async with AsyncOpenAI(base_url=server.base_url, api_key="right") as client:
        await ask(client, messages=[message(role="user", content="hello")])
    assert server.journal[-1].json()["messages"] == [{"role": "user", "content": "hello"}]


def test_misspelt_options_of_clouds() -> None:
    options: Any = {"azure_endpoint": "https://x", "api_version": "1", "api_key": "x", "max_retrys": 1}
    with pytest.raises(TypeError, match=r"AsyncAzureOpenAI\(\) .*; did you mean 'max_retries'"):
        AsyncAzureOpenAI(**options)


def test_errors_from_deeper_down_stay_as_they_are() -> None:
    class Thing:
        @suggesting
        def __init__(self, *, size: int = 0) -> None:
            below(sise=size)  # type: ignore[call-arg]

    def below(*, size: int) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match=r"below\(\) got an unexpected keyword argument 'sise'") as caught:
        Thing(size=1)
    assert "Thing" not in str(caught.value)
    assert "the options are" not in str(caught.value)


def test_suggestions() -> None:
    assert suggestion("tiemout", ["timeout", "retry"]) == "; did you mean 'timeout'?"
    assert suggestion("zzz", ["timeout"]) == ""


def test_file_that_is_missing(client: Blocking, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        client().files.create(file=tmp_path / "nowhere", purpose="batch")


async def test_a_kept_body_is_streamed_again(server: Server) -> None:
    async with (
        AsyncOpenAI(base_url=server.base_url, api_key="right") as client,
        client.models.with_streaming_response.list() as reply,
    ):
        content = await reply.read()
        for _ in range(2):
            assert b"".join([piece async for piece in reply.iter_bytes(7)]) == content


async def test_a_stream_read_twice_is_told(client: Blocking, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    # No error: the reference says nothing, and programs may rely on that.
    stream = ask(client(), stream=True)
    assert list(stream)
    assert "was read again" not in caplog.text
    assert list(stream) == []
    async with AsyncOpenAI(base_url=server.base_url, api_key="right") as async_client:
        async_stream = await ask(async_client, stream=True)
        assert [event async for event in async_stream]
        assert [event async for event in async_stream] == []
    assert caplog.text.count("was read again") == 2
    assert "keep them in a list, or make the call again" in caplog.text


def test_the_old_name_of_the_base_url(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    aiopenai._reset_client()
    monkeypatch.setattr(aiopenai, "api_key", "right")
    monkeypatch.setattr(aiopenai, "api_base", server.base_url, raising=False)
    try:
        with pytest.raises(aiopenai.OpenAIError, match=r"set aiopenai\.base_url in its place"):
            aiopenai.models.list()
        monkeypatch.setattr(aiopenai, "base_url", server.base_url)
        assert aiopenai.models.list().data
    finally:
        aiopenai._reset_client()


async def test_abandoned_coroutines_do_not_reach_the_server(server: Server) -> None:
    before = server.request_count
    async with AsyncOpenAI(base_url=server.base_url, api_key="right") as client:
        call: Any = client.models.retrieve("gpt-4o")
        await asyncio.sleep(0)
        call.close()
        # By the time that this one has its reply, the other would have arrived.
        await client.models.list()
    assert server.request_count == before + 1
