from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    """A server in a thread of its own, for clients that use other loops than the test's."""
    with Server() as server:
        yield server


def make(server: Server, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "k", "base_url": server.base_url, "max_retries": 0, **options})


@pytest.mark.usefixtures("transport")
class TestLoops:
    def test_a_hundred_runs(self, elsewhere: Server, chat: dict[str, Any]) -> None:
        client = make(elsewhere)

        async def main() -> None:
            await client.chat.completions.create(**chat)
            async for _ in await client.chat.completions.create(**chat, stream=True):
                pass

        for _ in range(100):
            asyncio.run(main())
        assert elsewhere.request_count == 200
        # Each loop took its connection with it.
        assert elsewhere.connections == 100
        gc.collect()

    def test_the_runs_close_what_they_opened(self, elsewhere: Server) -> None:
        client = make(elsewhere)
        for _ in range(3):
            asyncio.run(use(client))
        asyncio.run(wait_until(lambda: elsewhere.open_connections == 0))

    def test_threads(self, elsewhere: Server, chat: dict[str, Any]) -> None:
        client = make(elsewhere)
        failures: list[BaseException] = []
        start = threading.Barrier(8)

        async def main() -> None:
            await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(20)))

        def run() -> None:
            try:
                start.wait()
                for _ in range(3):
                    asyncio.run(main())
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert elsewhere.request_count == 8 * 3 * 20
        gc.collect()

    def test_threads_whose_first_call_is_the_first_of_all(self, elsewhere: Server) -> None:
        script = """
import asyncio, sys, threading
from aiopenai import AsyncOpenAI
client = AsyncOpenAI(api_key="k", base_url=sys.argv[1], max_retries=0)
start = threading.Barrier(8)
done = []
def run():
    start.wait()
    async def main():
        await asyncio.gather(*(client.models.list() for _ in range(10)))
        done.append(1)
    asyncio.run(main())
threads = [threading.Thread(target=run) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert len(done) == 8
"""
        subprocess.run([sys.executable, "-W", "error", "-c", script, elsewhere.base_url], check=True, timeout=60)

    def test_a_loop_closed_without_ceremony(self, elsewhere: Server) -> None:
        client = make(elsewhere)
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(use(client))
            # What `asyncio.run` does at the end, closing asynchronous generators above all, is left out.
            loop.close()
        asyncio.run(use(client))
        del client
        gc.collect()
        asyncio.run(wait_until(lambda: elsewhere.open_connections == 0))

    @pytest.mark.parametrize("how", ["kept", "deleted", "exit", "run"])
    def test_nothing_is_said_at_the_end_of_a_program(self, how: str, elsewhere: Server) -> None:
        script = """
import asyncio, gc, sys
from aiopenai import AsyncOpenAI
how = sys.argv[2]
client = AsyncOpenAI(api_key="k", base_url=sys.argv[1], max_retries=0)
async def main():
    await client.models.list()
    if how == "exit":
        sys.exit(0)
if how == "run":
    asyncio.run(main())
else:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
if how == "deleted":
    del client
    gc.collect()
"""
        command = [sys.executable, "-X", "dev", "-c", script, elsewhere.base_url, how]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        # Of the loop that `sys.exit` leaves open, Python itself complains.
        said = [line for line in done.stderr.splitlines() if "unclosed" in line.lower() or "aiopenai" in line]
        assert not [line for line in said if "event loop" not in line and not (how == "exit" and "socket" in line)], (
            said
        )
        assert done.returncode == 0

    def test_the_first_loop_may_be_gone(self, elsewhere: Server) -> None:
        client = make(elsewhere)
        asyncio.run(use(client))

        async def later() -> None:
            await use(client)
            await client.close()

        asyncio.run(later())
        assert client.is_closed()

    def test_closed_after_all_loops(self, elsewhere: Server) -> None:
        client = make(elsewhere)
        asyncio.run(use(client))
        asyncio.run(client.close())
        gc.collect()

    def test_loops_are_not_kept(self, elsewhere: Server) -> None:
        client = make(elsewhere)
        refs: list[weakref.ref[Any]] = []

        async def main() -> None:
            refs.append(weakref.ref(asyncio.get_running_loop()))
            await use(client)

        for _ in range(5):
            asyncio.run(main())
        gc.collect()
        # The last may be held until the next call looks around.
        assert sum(ref() is not None for ref in refs) <= 1

    async def test_dropped_while_in_use(self, server: Server, chat: dict[str, Any], until: Any) -> None:
        server.latency = 0.05
        assert (await make(server).chat.completions.create(**chat)).choices
        stream = await make(server).chat.completions.create(**chat, stream=True)
        gc.collect()
        # A stream holds its client, and nothing holds it then.
        assert [chunk async for chunk in stream]
        del stream
        await until(lambda: (gc.collect(), server.open_connections == 0)[1])

    async def test_uvloop(self, elsewhere: Server, chat: dict[str, Any]) -> None:
        uvloop = pytest.importorskip("uvloop")
        client = make(elsewhere)

        async def main() -> None:
            await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(20)))
            async for _ in await client.chat.completions.create(**chat, stream=True):
                pass

        def run() -> None:
            for _ in range(3):
                loop = uvloop.new_event_loop()
                try:
                    loop.run_until_complete(main())
                    loop.run_until_complete(loop.shutdown_asyncgens())
                finally:
                    loop.close()

        await asyncio.to_thread(run)
        gc.collect()


async def use(client: AsyncOpenAI) -> None:
    await client.models.list()


async def wait_until(condition: Any) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to be")


@contextlib.contextmanager
def server_process(**options: Any) -> Iterator[str]:
    """A server with files and a core of its own; gives its base URL."""
    script = f"""
import asyncio, sys
from aiopenai.testing import Server

async def main():
    async with Server(journal=False, **{options!r}) as server:
        print(server.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


class TestFanOut:
    @pytest.mark.once
    async def test_ten_thousand_at_once(self, chat: dict[str, Any]) -> None:
        with server_process(latency=0.05) as url:
            # A busy machine takes more than the usual five seconds to open so many connections.
            async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0, timeout=100) as client:
                replies = await asyncio.gather(
                    *(client.chat.completions.create(**chat) for _ in range(10_000)), return_exceptions=True
                )
        assert [reply for reply in replies if isinstance(reply, BaseException)] == []

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX limits")
    def test_with_few_files(self) -> None:
        script = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from aiopenai import AsyncOpenAI
async def main():
    async with AsyncOpenAI(api_key="k", base_url=sys.argv[1], max_retries=0) as client:
        await asyncio.gather(*(client.models.list() for _ in range(1000)))
asyncio.run(main())
"""
        with Server(latency=0.01) as server:
            subprocess.run([sys.executable, "-c", script, server.base_url], check=True, timeout=60)
            assert server.connections < 256


async def cancel_at_random(client: AsyncOpenAI, chat: dict[str, Any], count: int, spread: float) -> int:
    """Start calls and cancel them at some time, some twice; how many were cancelled in the end."""
    dice = random.Random(4)
    loop = asyncio.get_running_loop()

    async def stream() -> None:
        async for _ in await client.chat.completions.create(**chat, stream=True):
            pass

    tasks: list[asyncio.Task[Any]] = []
    for number in range(count):
        call: Any = stream() if number % 5 == 0 else client.chat.completions.create(**chat)
        task = asyncio.ensure_future(call)
        tasks.append(task)
        for _ in range(1 + (number % 3 == 0)):
            loop.call_later(dice.random() * spread, task.cancel)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [r for r in results if isinstance(r, BaseException) and not isinstance(r, asyncio.CancelledError)]
    assert failed == []
    return sum(isinstance(result, asyncio.CancelledError) for result in results)


@pytest.mark.usefixtures("transport")
class TestCancellation:
    async def test_no_connection_is_lost(self, elsewhere: Server, chat: dict[str, Any], until: Any) -> None:
        elsewhere.latency = 0.02
        # Far fewer than there are calls, so that calls are cancelled in the queue, on their way out of it, while they
        # connect and while they wait.
        connector = aiohttp.TCPConnector(limit=50)
        async with make(elsewhere, connector=connector) as client:
            assert await cancel_at_random(client, chat, 2000, 0.7) > 500
            await asyncio.wait_for(
                asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(1000))), timeout=30
            )
            await until(lambda: not connector._acquired)
            assert not connector._waiters
            assert elsewhere.open_connections <= 50
        await connector.close()

    async def test_on_defaults(self, elsewhere: Server, chat: dict[str, Any]) -> None:
        elsewhere.latency = 0.02
        async with make(elsewhere) as client:
            assert await cancel_at_random(client, chat, 2000, 0.7) > 500
            await asyncio.wait_for(
                asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(1000))), timeout=30
            )

    async def test_woken_and_cancelled_at_once(
        self, elsewhere: Server, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Those in the queue are cancelled in the very turn in which a connection becomes free: whoever was woken for
        # it must wake the next.
        monkeypatch.setattr("aiopenai._http.connector.connection_limit", lambda: 1)
        async with make(elsewhere) as client:
            for _ in range(20):
                first = asyncio.ensure_future(client.chat.completions.create(**chat))
                queue = [asyncio.ensure_future(client.chat.completions.create(**chat)) for _ in range(5)]
                first.add_done_callback(lambda _, next_in_line=queue[0]: next_in_line.cancel())
                await asyncio.wait_for(asyncio.gather(*queue, return_exceptions=True), 30)

    async def test_swallowed_nowhere(self, server: Server, chat: dict[str, Any], until: Any) -> None:
        server.fault(stall_after=0, times=None)
        async with make(server, max_retries=5) as client:
            task = asyncio.ensure_future(client.chat.completions.create(**chat))
            await until(lambda: server.request_count)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert server.request_count == 1

    async def test_by_wait_for(self, server: Server, chat: dict[str, Any], until: Any) -> None:
        server.fault(stall_after=0, times=3)
        async with make(server) as client:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.chat.completions.create(**chat), 0.05)
            await until(lambda: server.open_connections == 0)
            await client.chat.completions.create(**chat)


@pytest.mark.parametrize("transport", ["direct", "general"], indirect=True)
class TestCancelledWhileConnecting:
    """A cancellation ends a call also if it arrives in the turn in which its connection is open."""

    async def test_no_call_runs_on(self, transport: str, raw_server: Any, chat: dict[str, Any]) -> None:
        async def mute(server: Any, reader: Any, writer: Any) -> None:
            await server.watch(reader)

        server = await raw_server(mute, backlog=1_000)
        for turn in range(3):
            # A client of its own: all connections are new.
            async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0, timeout=5) as client:
                calls = [asyncio.ensure_future(client.chat.completions.create(**chat)) for _ in range(300)]
                before = server.connections
                while server.connections < before + 100 + 50 * turn:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                for call in calls:
                    call.cancel()
                done, running = await asyncio.wait(calls, timeout=1)
                assert not running
                assert all(call.cancelled() for call in done)
