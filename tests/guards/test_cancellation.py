"""A cancellation at each turn of the loop, of each kind of call: it reaches the caller, and nothing is left."""

from __future__ import annotations

import asyncio
import io
import random
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
from tenacity import AsyncRetrying, wait_fixed

from aiopenai import AsyncOpenAI, HedgePolicy, RateLimitError
from tests.guards.chaos import UPLOAD, asked
from tests.guards.residue import LOOPS, clean, new_loop, on_transport
from tests.guards.server import ChaosServer, content_of, pieces_of
from tests.guards.sweep import sweep
from tests.http.test_transport import CERTIFICATE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="selectors of POSIX")


async def call(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(**asked("a"))
    assert reply.choices[0].message.content == content_of("a")


async def torn_call(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(**asked("a", "torn"))


async def new_connection(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(**asked("a", "whole_and_close"))


async def raw(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.with_raw_response.create(**asked("a", "chunks"))
    assert reply.parse().id == "a"


async def unread(client: AsyncOpenAI) -> None:
    async with client.chat.completions.with_streaming_response.create(**asked("a", "torn")) as reply:
        assert [piece async for piece in reply.iter_bytes(50)]


async def stream(client: AsyncOpenAI) -> None:
    chunks = await client.chat.completions.create(**asked("a", "torn_stream"), stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in chunks]) == "".join(pieces_of("a"))


async def stream_in_a_block(client: AsyncOpenAI) -> None:
    async with await client.chat.completions.create(**asked("a", "stream"), stream=True) as chunks:
        async for _ in chunks:
            pass


async def stream_left_early(client: AsyncOpenAI) -> None:
    async with await client.chat.completions.create(**asked("a", "stream"), stream=True) as chunks:
        async for _ in chunks:
            break


async def helper(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(**asked("a", "stream")) as chunks:
        assert (await chunks.get_final_completion()).choices[0].message.content == "".join(pieces_of("a"))


async def broken_stream(client: AsyncOpenAI) -> None:
    """A stream whose connection ends before its first event is opened again."""
    policy = AsyncRetrying(wait=wait_fixed(0.001))
    again = client.with_options(retry=policy)
    chunks = await again.chat.completions.create(**asked(next_name(), "stream_cut_at_once,stream"), stream=True)
    async for _ in chunks:
        pass


async def retries(client: AsyncOpenAI) -> None:
    await client.chat.completions.create(**asked(next_name(), "busy_429,busy_429,torn"))


async def refused(client: AsyncOpenAI) -> None:
    with pytest.raises(RateLimitError):
        await client.with_options(max_retries=0).chat.completions.create(**asked(next_name(), "busy_429"))


async def hedged(client: AsyncOpenAI) -> None:
    await client.with_options(hedge=HedgePolicy(after=0.0, max_extra=1.0)).chat.completions.create(
        **asked(next_name(), "torn,torn")
    )


async def with_deadline(client: AsyncOpenAI) -> None:
    await client.with_options(deadline=20.0).chat.completions.create(**asked(next_name(), "busy_429,torn"))


async def upload(client: AsyncOpenAI) -> None:
    await client.files.create(file=("a.txt", UPLOAD), purpose="batch", extra_headers=HEADERS)


async def upload_of_a_file(client: AsyncOpenAI) -> None:
    await client.files.create(file=("a.txt", io.BytesIO(UPLOAD)), purpose="batch", extra_headers=HEADERS)


async def upload_of_a_path(client: AsyncOpenAI) -> None:
    await client.files.create(file=Path(__file__), purpose="batch", extra_headers=HEADERS)


async def upload_answered_early(client: AsyncOpenAI) -> None:
    headers = {**HEADERS, "x-manners": "stored_early"}
    await client.files.create(file=("a.txt", UPLOAD), purpose="batch", extra_headers=headers)


async def mapped(client: AsyncOpenAI) -> None:
    requests = [client.chat.completions.create.request(**asked(f"{number}", "torn")) for number in range(4)]
    assert {result.unwrap().id async for result in client.map(requests, concurrency=2)} == {"0", "1", "2", "3"}


async def gathered(client: AsyncOpenAI) -> None:
    requests = [client.chat.completions.create.request(**asked(next_name(), "busy_429,whole")) for _ in range(3)]
    assert all(result.unwrap() for result in await client.gather(requests))


async def warmed_up(client: AsyncOpenAI) -> None:
    await client.warm_up(2)


HEADERS = {"x-name": "a", "x-manners": "stored"}
_names = iter(range(10**9))


def next_name() -> str:
    """A name of its own, so that the server counts the attempts of one use."""
    return f"use-{next(_names)}"


USES = {
    use.__name__: use
    for use in (
        call,
        torn_call,
        new_connection,
        raw,
        unread,
        stream,
        stream_in_a_block,
        stream_left_early,
        helper,
        broken_stream,
        retries,
        refused,
        hedged,
        with_deadline,
        upload,
        upload_of_a_file,
        upload_of_a_path,
        upload_answered_early,
        mapped,
        gathered,
        warmed_up,
    )
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_at_each_turn(transport: str, use: str) -> None:
    assert sweep(USES[use], transport=transport, most_open=4)


@pytest.mark.once
@pytest.mark.parametrize("use", ["call", "stream", "hedged", "retries", "upload_of_a_path", "mapped"])
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_a_second_cancellation_follows(transport: str, use: str) -> None:
    assert sweep(USES[use], transport=transport, most_open=4, again=1)


@pytest.mark.parametrize("use", ["call", "stream", "mapped"])
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_with_a_client_of_its_own(transport: str, use: str) -> None:
    """From the first session of a client to its end: the cancellation may hit `close` as well."""
    assert sweep(USES[use], transport=transport, fresh=True)


# Not TLS on uvloop, which logs an error of its own for each handshake that is broken off.
OPENINGS = [("tcp", loop) for loop in LOOPS] + [("tls", "asyncio")]


@pytest.mark.parametrize(("carrier", "loop"), OPENINGS)
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_while_connections_open(transport: str, carrier: str, loop: str, tmp_path: Path) -> None:
    """Of 300 calls that are cancelled while their connections open, none runs on."""
    rest = random.Random(len(transport + carrier))
    options: dict[str, Any] = {}
    context: ssl.SSLContext | None = None
    if carrier == "tls":
        path = tmp_path / "cert.pem"
        path.write_text(CERTIFICATE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        options["ssl"] = ssl.create_default_context(cafile=str(path))
    told: list[asyncio.Task[Any]] = []

    async def calls(server: ChaosServer) -> None:
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, **options) as client:
            tasks = [asyncio.ensure_future(new_connection(client)) for _ in range(300)]
            for task in tasks:
                running.call_later(rest.random() * 0.2, lambda task=task: told.append(task) if task.cancel() else None)
            done, _ = await asyncio.wait(tasks)
            for task in done:
                if not task.cancelled():
                    task.result()

    async def checked() -> None:
        async with clean():
            with ChaosServer(1, context) as server:
                await calls(server)
                # All that was to be cancelled has been.
                await asyncio.sleep(0.2)

    running: Any = new_loop(loop)
    try:
        with on_transport(transport):
            running.run_until_complete(checked())
            running.run_until_complete(running.shutdown_asyncgens())
            running.run_until_complete(running.shutdown_default_executor())
    finally:
        running.close()
    assert len(told) > 100
    assert [task for task in told if not task.cancelled()] == []
