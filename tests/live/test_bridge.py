"""Blocking connections: threads, time limits, Ctrl-C, and their own thread."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from aiopenai import OpenAI, OpenAIError
from aiopenai._live.bridge import Bridge

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


# The bridge alone


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    bridge = Bridge()
    bridge.hold(bridge)
    yield bridge
    bridge.release(bridge)
    for thread in threading.enumerate():
        if thread.name == "aiopenai-websockets":
            thread.join(30)


async def returned(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def raised(error: BaseException) -> None:
    raise error


def test_results_errors_and_context_variables_pass(bridge: Bridge) -> None:
    assert bridge.run(lambda _: returned(3)) == 3
    with pytest.raises(KeyError, match="mine"):
        bridge.run(lambda _: raised(KeyError("mine")))
    variable: ContextVar[int] = ContextVar("variable", default=0)
    variable.set(7)

    async def look() -> tuple[int, str]:
        return variable.get(), threading.current_thread().name

    assert bridge.run(lambda _: look()) == (7, "aiopenai-websockets")


def test_functions_of_the_program_run_in_its_thread(bridge: Bridge) -> None:
    mine = threading.current_thread()

    def divide(number: int) -> tuple[float, bool]:
        return 6 / number, threading.current_thread() is mine

    async def work(here: Any) -> Any:
        found = [await here(divide, 2)]
        with pytest.raises(ZeroDivisionError):
            await here(divide, 0)
        return [*found, await here(divide, 3)]

    assert bridge.run(work) == [(3.0, True), (2.0, True)]


def test_a_function_whose_call_was_given_up_disturbs_nothing(bridge: Bridge) -> None:
    reports: list[Any] = []
    cancelled, go_on = threading.Event(), threading.Event()

    def slow(fail: bool) -> None:
        cancelled.wait(30)
        if fail:
            raise ValueError("late")

    async def work(here: Any) -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reports.append(context))
        for fail in (False, True):
            future = here(slow, fail)
            future.cancel()
            cancelled.set()
            await here(go_on.set)
        return "done"

    assert bridge.run(work) == "done"
    assert reports == []


def test_a_time_limit_cancels_the_call(bridge: Bridge) -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with pytest.raises(TimeoutError, match=r"nothing was received within 0.02 s"):
        bridge.run(lambda _: wait(), 0.02)
    assert ended == ["cancelled"]


def test_a_result_that_comes_with_the_end_of_the_time_counts(bridge: Bridge) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "in time"
        raise AssertionError

    assert bridge.run(lambda _: stubborn(), 0.02) == "in time"


def test_a_call_that_does_not_end_is_left_alone(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiopenai._live.bridge._GRACE_SECONDS", 0.02)
    go_on = asyncio.Event()

    async def stubborn() -> str:
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()
        return "too late"

    with pytest.raises(TimeoutError):
        bridge.run(lambda _: stubborn(), 0.02)

    async def let_go() -> int:
        go_on.set()
        return 1

    assert bridge.run(lambda _: let_go()) == 1


@pytest.mark.parametrize("result", ["kept", None, KeyError], ids=["result", "cancelled", "error"])
def test_an_interrupted_call_hands_its_result_to_the_next_one(bridge: Bridge, result: Any) -> None:
    late: list[Any] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def work(here: Any) -> Any:
        try:
            await here(interrupt)
        except asyncio.CancelledError:
            if result is None:
                raise
            if result is KeyError:
                raise KeyError("mine") from None
        return result

    with pytest.raises(KeyboardInterrupt):
        bridge.run(work, late=late.append)
    assert late == (["kept"] if result == "kept" else [])
    with pytest.raises(KeyboardInterrupt):
        bridge.run(work)
    assert bridge.run(lambda _: returned(2)) == 2


def test_an_error_of_a_call_is_raised_once_and_stops_nothing(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_stop", lambda *_: pytest.fail("the call has ended"))
    with pytest.raises(ValueError, match="mine"):
        bridge.run(lambda _: raised(ValueError("mine")))


def test_users_are_counted_once_and_the_loop_ends_clean() -> None:
    before = loop_threads()
    bridge, ended = Bridge(), []
    with pytest.raises(OpenAIError, match="connection is closed"):
        bridge.run(lambda _: returned(1))
    first, second = object(), object()
    for user in (first, first, second):
        bridge.hold(user)
    assert loop_threads() == before + 1
    thread = next(each for each in threading.enumerate() if each.name == "aiopenai-websockets")

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            ended.append("generator")

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def leave() -> tuple[Any, ...]:
        pieces = generate()
        task = asyncio.ensure_future(forever())
        await pieces.__anext__()
        return pieces, task, asyncio.get_running_loop()

    kept = bridge.run(lambda _: leave())
    bridge.release(first)
    bridge.release(object())
    assert bridge.run(lambda _: returned(1)) == 1
    bridge.release(second)
    bridge.release(second)
    thread.join(30)
    assert (ended, kept[2].is_closed(), kept[1].cancelled()) == (["task", "generator"], True, True)
    with pytest.raises(OpenAIError, match="connection is closed"):
        bridge.run(lambda _: returned(1))
    bridge.hold(first)
    assert bridge.run(lambda _: returned(4)) == 4
    bridge.release(first)
