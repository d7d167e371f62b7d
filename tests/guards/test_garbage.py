"""Streams and replies that are left unread, in programs of their own: no crash, no message, no descriptor held."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.guards.residue import LOOPS
from tests.guards.server import ChaosServer

pytestmark = [pytest.mark.once, pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")]
ROOT = Path(__file__).parents[2]
COMMON = """
    import asyncio, gc, os, sys, threading
    from aiopenai import APIError, AsyncOpenAI, OpenAI, Stream
    from tests.guards.residue import new_loop, on_transport

    def asked(name, manner):
        return {"model": "m", "messages": [{"role": "user", "content": name}], "user": manner}

    class Cycle:
        def __init__(self, what):
            self.what, self.me = what, self
"""
# A thread collects all the time, so that finalisers run there, amid any code of the loop.
IN_ANOTHER_THREAD = """
    def collect():
        while not over.wait(0.001):
            gc.collect()

    async def leave(client, number):
        completions = client.chat.completions
        kind = number % 6
        if kind == 0:
            stream = await completions.create(**asked("a", "stream"), stream=True)
            await stream.__anext__()
            Cycle(stream)
        elif kind == 1:
            stream = await completions.create(**asked("a", "stream_stall"), stream=True)
            iterator = stream.__aiter__()
            Cycle((stream, iterator))
        elif kind == 2:
            manager = completions.with_streaming_response.create(**asked("a", "stall_in_the_body"))
            Cycle((manager, await manager.__aenter__()))
        elif kind == 3:
            manager = completions.stream(**asked("a", "stream"))
            stream = await manager.__aenter__()
            await stream.__anext__()
            Cycle((manager, stream))
        elif kind == 4:
            reply = await completions.with_raw_response.create(**asked("a", "stream"), stream=True)
            Cycle(reply.parse())
        else:
            try:
                await completions.create(**asked("a", "cut_with_a_length"))
            except APIError as error:
                Cycle(error)

    async def main():
        async with AsyncOpenAI(max_retries=0) as client:
            for _ in range(ROUNDS):
                await asyncio.gather(*(leave(client, number) for number in range(60)))
            await client.models.list()

    over = threading.Event()
    thread = threading.Thread(target=collect)
    thread.start()
    sys.setswitchinterval(1e-4)
    loop = new_loop("LOOP")
    try:
        with on_transport("TRANSPORT"):
            loop.run_until_complete(main())
    finally:
        over.set()
        thread.join()
    gc.collect()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    print("done")
"""
# Without a cyclic collector: reference counts alone free each loop and connection.
LEFT_EARLY = """
    gc.disable()

    def descriptors():
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def streams():
        return sum(isinstance(each, Stream) for each in gc.get_objects())

    def leave(client, manner, read):
        try:
            stream = client.chat.completions.create(**asked("a", manner), stream=True)
            for _ in range(read):
                next(stream)
            USE
        except (APIError, StopIteration) as error:
            # As the error of an API call is often kept, and shown later.
            last.append(error)

    last = []
    with on_transport("TRANSPORT"), OpenAI(max_retries=0, timeout=5) as client:
        client.models.list()
        before = descriptors()
        for read in (0, 1, 3, 9):
            for manner in ("stream", "torn_stream", "whole_stream", "stream_cut", "stream_cut_in_order", "stream_reset",
                           "stream_error", "stream_of_no_json", "stream_until_the_end"):
                for _ in range(3):
                    leave(client, manner, read)
                last.clear()
                # Two idle loops, each with a connection: a selector, two ends of a pair, a socket.
                if descriptors() > before + 8:
                    print(manner, read, descriptors() - before)
                if streams():
                    # The end of a connection may wait in an idle loop, with frames in its traceback; a call runs it.
                    client.models.list()
                if streams():
                    print(manner, read, "streams in cycles:", streams())
    print("done")
"""
USES = {
    "dropped": "del stream",
    "iterator": "each = iter(stream); next(each); del each, stream",
    "closed": "stream.close(); del stream",
    "block": "with stream: pass\n            del stream",
}


def run(program: str, server: ChaosServer) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error::RuntimeWarning", "-c", textwrap.dedent(COMMON + program)],
        cwd=ROOT,
        env={**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_collected_by_another_thread(transport: str, loop: str) -> None:
    program = IN_ANOTHER_THREAD.replace("TRANSPORT", transport).replace("LOOP", loop).replace("ROUNDS", "5")
    with ChaosServer(1) as server:
        run(program, server)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("transport", ["direct", "general"])
def test_blocking_streams_left_early(transport: str, use: str) -> None:
    with ChaosServer(1) as server:
        run(LEFT_EARLY.replace("TRANSPORT", transport).replace("USE", USES[use]), server)
