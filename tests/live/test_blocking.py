"""Blocking connections: threads, time limits, Ctrl-C, and their own thread."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

from aiopenai import OpenAI

from .conftest import Peer, Scripted
from .test_connections import CREATED


async def numbered(peer: Peer) -> None:
    async for message in peer.socket:
        await peer.say(message.data)


def loop_threads() -> int:
    return sum(thread.name == "aiopenai-websockets" for thread in threading.enumerate())


async def test_several_threads_send_while_one_receives() -> None:
    async with Scripted(numbered) as server:

        def work() -> list[int]:
            with OpenAI(api_key="k", base_url=server.base_url) as client, client.responses.connect() as connection:

                def send(start: int) -> None:
                    for number in range(start, start + 100):
                        connection.send({"type": "response.x", "number": number})  # type: ignore[arg-type]

                threads = [threading.Thread(target=send, args=(start * 100,)) for start in range(4)]
                for thread in threads:
                    thread.start()
                found: Any = [connection.recv(timeout=10) for _ in range(400)]
                for thread in threads:
                    thread.join()
                return [event.number for event in found]

        found = await asyncio.to_thread(work)
        assert sorted(found) == list(range(400))
        for start in range(0, 400, 100):
            mine = [number for number in found if start <= number < start + 100]
            assert mine == sorted(mine)


async def test_a_time_limit_loses_nothing() -> None:
    async def script(peer: Peer) -> None:
        for number in range(20):
            await asyncio.sleep(0.002 * (number % 3))
            await peer.say(f'{{"type":"n","number":{number}}}')
        await peer.socket.receive()

    async with Scripted(script) as server:

        def work() -> list[int]:
            found: list[int] = []
            with OpenAI(api_key="k", base_url=server.base_url) as client, client.live.connect() as connection:
                while len(found) < 20:
                    try:
                        event: Any = connection.recv(timeout=0.001)
                    except TimeoutError:
                        continue
                    found.append(event.number)
            return found

        assert await asyncio.to_thread(work) == list(range(20))


async def test_the_thread_ends_with_the_last_connection() -> None:
    async with Scripted(numbered) as server:

        def work() -> None:
            before = loop_threads()
            with OpenAI(api_key="k", base_url=server.base_url) as client:
                with client.live.connect(), client.copy().live.connect():
                    assert loop_threads() == before + 1
                connection: Any = client.live.connect().enter()
                del connection
                with client.live.connect() as again:
                    again.send_raw('{"type":"x"}')
                    assert again.recv().type == "x"
            for thread in threading.enumerate():
                if thread.name == "aiopenai-websockets":
                    thread.join(30)
            assert loop_threads() == before

        await asyncio.to_thread(work)


async def test_a_slow_reader_holds_the_server_back() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        text = '{"type":"n","text":"' + "x" * 10_000 + '"}'
        while sent < 10_000:
            await peer.say(text)
            sent += 1

    async with Scripted(script) as server:

        def work() -> int:
            with OpenAI(api_key="k", base_url=server.base_url) as client, client.live.connect() as connection:
                connection.recv()
                last = -1
                # The server stops when the buffers of both sides are full: 100 MB would not fit.
                while last != sent:
                    last = sent
                    threading.Event().wait(0.2)
                held = sent
                for _ in range(500):
                    connection.recv()
                connection._link.socket.abandon()
                return held

        assert await asyncio.to_thread(work) < 5_000


PROGRAM = """
import sys, threading, time
from aiopenai import OpenAI

def tell():
    # Once the main thread waits for the event loop's.
    main = threading.main_thread().ident
    while sys._current_frames()[main].f_code.co_name != "_wait":
        time.sleep(0.001)
    print("waiting", flush=True)

client = OpenAI(api_key="k", base_url=sys.argv[1])
with client.live.connect() as connection:
    print(connection.recv().type, flush=True)
    try:
        threading.Thread(target=tell).start()
        connection.recv()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    connection.send_raw('{"type":"after"}')
    print(connection.recv().type, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_control_c_interrupts_a_receive_and_the_connection_goes_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.say(CREATED)
        await numbered(peer)

    async with Scripted(script) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(PROGRAM), server.base_url, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"session.created\n"
        assert await process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGINT)
        assert await process.stdout.readline() == b"interrupted\n"
        assert await process.stdout.readline() == b"after\n"
        assert await process.wait() == 0
