"""Subclasses of str and scalars of numpy in every place of a request, and as options: they count as their values."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, Timeout
from aiopenai.testing import Server


class Shown(str):
    """A text that shows itself in another way."""

    __slots__ = ()

    def __str__(self) -> str:
        return "shown"

    def __format__(self, _: str) -> str:
        return "shown"


class Scalar:
    """A scalar with the interface of numpy's."""

    dtype = SimpleNamespace(kind="?")

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value

    def __bool__(self) -> bool:
        return bool(self.value)


def scalars(value: Any) -> list[Any]:
    """Returns a value as numpy has it, if that is installed, and as a scalar of the same interface."""
    found = [Scalar(value)]
    try:
        import numpy
    except ImportError:
        return found
    return [*found, numpy.asarray(value)[()]]


TRUE, FALSE = scalars(True), scalars(False)
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture
def running() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def blocking(running: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key=Shown("key"), base_url=Shown(running.base_url), max_retries=0) as client:
        yield client


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("on", TRUE, ids=["like numpy", "numpy"][: len(TRUE)])
async def test_a_switch_of_numpy_means_a_stream(on: Any, server: Server, client: AsyncOpenAI) -> None:
    stream: Any = await client.chat.completions.create(**CHAT, stream=on)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert server.journal[-1].json()["stream"] is True
    events: Any = await client.responses.create(model="m", input="x", stream=on)
    assert [event.type async for event in events][-1] == "response.completed"
    legacy: Any = await client.completions.create(model="m", prompt="x", stream=on)
    assert [chunk async for chunk in legacy]
    raw = await client.chat.completions.with_raw_response.create(**CHAT, stream=on)
    assert [chunk async for chunk in raw.parse()]


@pytest.mark.parametrize("off", [*FALSE, None, False], ids=[*["like numpy", "numpy"][: len(FALSE)], "none", "false"])
async def test_a_switch_that_is_off_means_a_whole_reply(off: Any, server: Server, client: AsyncOpenAI) -> None:
    reply: Any = await client.chat.completions.create(**CHAT, stream=off)
    assert reply.choices[0].message.content


@pytest.mark.parametrize("on", TRUE, ids=["like numpy", "numpy"][: len(TRUE)])
def test_a_switch_in_the_blocking_client(on: Any, blocking: OpenAI) -> None:
    stream: Any = blocking.chat.completions.create(**CHAT, stream=on)
    assert len(list(stream)) > 1


@pytest.mark.parametrize("on", TRUE, ids=["like numpy", "numpy"][: len(TRUE)])
async def test_other_switches(on: Any, client: AsyncOpenAI) -> None:
    build = client.responses.create.request  # type: ignore[attr-defined]
    assert build(model="m", input="x", stream=on, background=on, resume=on).resumes
    assert not build(model="m", input="x", stream=on, background=on, resume=scalars(False)[-1]).resumes
    for off in FALSE:
        assert not build(model="m", input="x", stream=on, background=off).resumes


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("number", [0, 1])
async def test_options_that_are_numbers(number: int, server: Server, client: AsyncOpenAI) -> None:
    three, half = (scalars(value)[min(number, len(TRUE) - 1)] for value in (3, 50.5))
    limits = Timeout(half, connect=half, total=half, idle=half)
    assert limits == Timeout(50.5, connect=50.5, total=50.5, idle=50.5)
    chosen = client.with_options(timeout=half, max_retries=three)
    assert (chosen.max_retries, chosen.timeout) == (3, Timeout(50.5))
    for timeout in (half, limits):
        assert await client.models.list(timeout=timeout, max_retries=three, deadline=half)
    assert server.journal[-1].headers["x-stainless-read-timeout"] == "50.5"
    with pytest.raises(TypeError, match="max_retries"):
        await client.models.list(max_retries=scalars(True)[0])


TEXT: Any = Shown("own")


@pytest.mark.usefixtures("transport")
async def test_text_in_every_place(server: Server, client: AsyncOpenAI) -> None:
    await client.files.list(purpose=TEXT, extra_headers={Shown("x-a"): TEXT}, extra_query={"q": [TEXT]})
    sent = server.journal[-1]
    assert (sent.query["purpose"], sent.query["q[]"], sent.headers["x-a"]) == ("own", "own", "own")
    await client.chat.completions.create(**{**CHAT, "user": TEXT, "stop": TEXT}, idempotency_key=TEXT)
    sent = server.journal[-1]
    assert (sent.json()["user"], sent.json()["stop"], sent.headers["idempotency-key"]) == ("own", "own", "own")
    await client.files.create(file=("a", b"x"), purpose="batch", extra_body={"x": TEXT})
    assert b"\r\n\r\nown\r\n" in server.journal[-1].body
    await client.with_options(default_headers={"x-b": TEXT}, default_query={"d": TEXT}).models.retrieve(Shown("gpt-4o"))
    sent = server.journal[-1]
    assert (sent.path.rpartition("/")[2], sent.query["d"], sent.headers["x-b"]) == ("gpt-4o", "own", "own")


async def test_keys_and_names_of_the_account(server: Server) -> None:
    base: Any = Shown(server.base_url)
    for key in (TEXT, lambda: TEXT):
        async with AsyncOpenAI(api_key=key, base_url=base, organization=TEXT, project=TEXT) as client:
            await client.models.list()
        sent = server.journal[-1].headers
        assert sent["authorization"] == "Bearer own"
        assert (sent["openai-organization"], sent["openai-project"]) == ("own", "own")


def test_text_in_the_blocking_client(running: Server, blocking: OpenAI) -> None:
    blocking.files.list(purpose=TEXT, extra_headers={"x-a": TEXT})
    sent = running.journal[-1]
    assert (sent.query["purpose"], sent.headers["x-a"], sent.headers["authorization"]) == ("own", "own", "Bearer key")


@pytest.mark.parametrize(
    "number", [float("nan"), float("inf"), *scalars(float("nan"))], ids=lambda it: type(it).__name__
)
async def test_numbers_that_are_none_outside_of_json(number: Any, server: Server, client: AsyncOpenAI) -> None:
    before = server.request_count
    with pytest.raises(ValueError, match="limit"):
        await client.files.list(limit=number)
    with pytest.raises(ValueError, match="temperature"):
        await client.audio.transcriptions.create(file=("a.wav", b"x"), model="whisper-1", temperature=number)
    with pytest.raises(ValueError, match="q"):
        await client.models.list(extra_query={"q": {"x": [number]}})
    assert server.request_count == before


@pytest.mark.parametrize("on", TRUE, ids=["like numpy", "numpy"][: len(TRUE)])
async def test_switches_in_queries_and_forms(on: Any, server: Server, client: AsyncOpenAI) -> None:
    await client.files.list(extra_query={"flag": on, "flags": [on, False]})
    assert (server.journal[-1].query["flag"], server.journal[-1].query["flags[]"]) in (
        ("true", "true"),
        ("true", "false"),
    )
    await client.files.create(file=("a", b"x"), purpose="batch", extra_body={"flag": on})
    assert b"\r\n\r\ntrue\r\n" in server.journal[-1].body
