"""Ctrl-C in the blocking client: KeyboardInterrupt always; no messages, descriptors or broken loops remain."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aiopenai import AsyncOpenAI, OpenAI, Stream
from aiopenai._client.interrupts import Interrupts
from aiopenai._client.loops import Lease
from aiopenai._client.runner import Runner
from aiopenai._http.direct import OpenReply
from aiopenai._http.general import GeneralReply
from aiopenai.errors import OpenAIError
from aiopenai.testing import Server

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

# Each statement is one use of the client that an interrupt may hit anywhere.
USES = {
    "call": "client.models.list()",
    "chat": "client.chat.completions.create(**CHAT)",
    "raw": "client.chat.completions.with_raw_response.create(**CHAT).parse()",
    "stream": "list(client.chat.completions.create(**CHAT, stream=True))",
    "lines": "with create(**CHAT, stream=True) as reply: list(reply.iter_lines())",
    "bytes": "with create(**CHAT) as reply: list(reply.iter_bytes(5))",
    "map": "list(client.map([client.models.list.request() for _ in range(4)]))",
    "gather": "client.gather([{'url': '/v1/chat/completions', 'body': CHAT}] * 3)",
    "helper": "client.chat.completions.stream(**CHAT).__enter__().get_final_completion()",
}
PROGRAM = """
    import gc, os, random, signal, threading, time
    import aiohttp
    from aiopenai import OpenAI
    signal.signal(signal.SIGINT, signal.default_int_handler)
    CHAT = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": "hi " * 50}}]}}
    client = OpenAI(max_retries=0{options})
    create = client.chat.completions.with_streaming_response.create
    rest, hit, wrong = random.Random({seed}), 0, []
    for _ in range(3):
        {use}
    begun = time.perf_counter()
    for _ in range(5):
        {use}
    usual = (time.perf_counter() - begun) / 5
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    kick = threading.Event()
    def interrupt():
        while True:
            kick.wait()
            kick.clear()
            if over:
                return
            time.sleep(rest.random() * usual)
            os.kill(os.getpid(), signal.SIGINT)
    over = False
    thread = threading.Thread(target=interrupt)
    thread.start()
    for _ in range({count}):
        try:
            kick.set()
            {use}
            time.sleep(5)
        except KeyboardInterrupt:
            hit += 1
        except BaseException as error:
            wrong.append(repr(error))
            try:
                time.sleep(5)
            except KeyboardInterrupt:
                pass
        client.models.list()
    over = True
    kick.set()
    thread.join()
    gc.collect()
    client.models.list()
    left = len(os.listdir("/proc/self/fd")) - descriptors if descriptors else 0
    client.close()
    print(hit, wrong, left <= 2)
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        server.answer = "word " * 40
        yield server


# A connector of the program's has the general transport. Its finalisers are other ones.
GENERAL = ", connector=aiohttp.TCPConnector"
AT_ANY_TIME = [*((use, "") for use in USES), *((use, GENERAL) for use in ("call", "raw", "stream", "lines", "helper"))]


@pytest.mark.parametrize(
    ("use", "options"), AT_ANY_TIME, ids=[f"{use}{'-general' if options else ''}" for use, options in AT_ANY_TIME]
)
def test_at_any_time(use: str, options: str, running: Server) -> None:
    count = 20 if options else 40
    program = textwrap.dedent(PROGRAM).format(use=USES[use], options=options, count=count, seed=len(use))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={**os.environ, "OPENAI_BASE_URL": running.base_url, "OPENAI_API_KEY": "k"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{count} [] True\n", "")


class TestFinalisers:
    """Python drops the exceptions of a finaliser, so Ctrl-C in one comes again after it."""

    @pytest.mark.parametrize(
        ("kind", "name"),
        [(GeneralReply, "abandon"), (OpenReply, "abandon"), (Stream, "_abandon"), (Lease, "release")],
        ids=lambda value: value if isinstance(value, str) else value.__name__,
    )
    def test_an_interrupt_is_not_lost(self, kind: Any, name: str) -> None:
        done: list[str] = []

        def broken(_: object) -> None:
            done.append("again" if done else "interrupted")
            if len(done) == 1:
                raise KeyboardInterrupt

        broken_kind = type("Broken", (kind,), {"__slots__": (), name: broken, "_over": False})
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                finalised(broken_kind)
        finally:
            signal.signal(signal.SIGINT, before)
        assert done == ["interrupted", "again"]

    async def test_a_stream_that_has_ended_leaves_no_work_to_its_finaliser(
        self, running: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left: list[Any] = []
        monkeypatch.setattr("aiopenai._http.general.later", lambda *arguments: left.append(arguments))
        options: Any = {"api_key": "k", "base_url": running.base_url, "connector": aiohttp.TCPConnector}
        async with AsyncOpenAI(**options) as client:
            stream: Any = await client.chat.completions.create(**CHAT, stream=True)
            assert [chunk async for chunk in stream]
            del stream

        def blocking() -> int:
            with OpenAI(**options) as client:
                return len(list(client.chat.completions.create(**CHAT, stream=True)))

        assert await asyncio.to_thread(blocking)
        assert left == []


def finalised(kind: Any) -> None:
    """Makes an object without its constructor, drops it, and waits in the main thread for Ctrl-C."""
    kind.__new__(kind)
    threading.Event().wait(10)


class TestInterrupts:
    def test_only_pythons_own_handler_is_replaced(self) -> None:
        runner = Runner()
        before = signal.signal(signal.SIGINT, mine := lambda *_: None)
        try:

            async def handler() -> object:
                return signal.getsignal(signal.SIGINT)

            assert runner.run(handler()) is mine
            signal.signal(signal.SIGINT, signal.default_int_handler)
            assert isinstance(getattr(runner.run(handler()), "__self__", None), Interrupts)
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGINT, before)
            runner.close()

    def test_only_in_the_main_thread(self) -> None:
        runner = Runner()
        found: list[object] = []

        async def handler() -> None:
            found.append(signal.getsignal(signal.SIGINT))

        thread = threading.Thread(target=lambda: runner.run(handler()))
        thread.start()
        thread.join()
        runner.close()
        assert found == [signal.getsignal(signal.SIGINT)]

    def test_the_loop_is_used_again(self) -> None:
        runner = Runner()

        async def interrupted() -> None:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(30)

        with pytest.raises(KeyboardInterrupt):
            runner.run(interrupted())
        assert runner.run(asyncio.sleep(0, "next")) == "next"
        runner.close()

    def test_an_error_while_it_is_cancelled_is_no_answer(self) -> None:
        runner = Runner()

        async def translates() -> None:
            signal.raise_signal(signal.SIGINT)
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                raise ValueError("translated") from None

        async def finishes() -> str:
            signal.raise_signal(signal.SIGINT)
            return "an answer"

        for each in (translates, finishes):
            with pytest.raises(KeyboardInterrupt):
                runner.run(each())
        assert runner.run(asyncio.sleep(0, "next")) == "next"
        runner.close()

    def test_the_second_one_does_not_wait(self) -> None:
        runner = Runner()

        async def stubborn() -> None:
            signal.raise_signal(signal.SIGINT)
            while True:
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    asyncio.get_running_loop().call_later(0.01, signal.raise_signal, signal.SIGINT)
                    await asyncio.sleep(30)

        with pytest.raises(KeyboardInterrupt):
            runner.run(stubborn())
        assert runner.closed
        with pytest.raises(OpenAIError, match="interrupted"):
            runner.run(asyncio.sleep(0))

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, TimeoutError])
    def test_a_handler_of_the_program_that_raises(
        self, error: type[BaseException], caplog: pytest.LogCaptureFixture
    ) -> None:
        runner = Runner()

        def handler(*_: object) -> None:
            raise error

        async def waits() -> None:
            # From another thread, so that it comes while the loop waits and not in a callback.
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            await asyncio.sleep(30)

        before = signal.signal(signal.SIGUSR1, handler)
        try:
            with pytest.raises(error):
                runner.run(waits())
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert not caplog.records
        runner.close()


@pytest.mark.parametrize("use", ["stream", "unread"])
def test_connections_are_dropped_by_their_loop(use: str) -> None:
    """Ctrl-C waits for the step of a loop, and never breaks in while a transport closes."""
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        if use == "stream":
            opened: Any = client.chat.completions.create(**CHAT, stream=True)
            next(opened)
            left = opened
        else:
            opened = client.chat.completions.with_streaming_response.create(**CHAT, stream=True)
            left = opened.__enter__()
        reply = left._reply
        close = reply.close
        loops: list[Any] = []

        def watched() -> None:
            if not reply.closed:
                loops.append(asyncio._get_running_loop())
            close()

        reply_class = type("Watched", (), {"__getattr__": lambda _, name: getattr(reply, name)})
        stand_in = reply_class()
        stand_in.close = watched
        left._reply = stand_in
        left.close()
        assert len(loops) == 1
        assert loops[0] is not None
        assert reply.closed


class TestTurns:
    def test_before_the_task_is_there(self) -> None:
        """Ctrl-C between the handler and the task: the turn of the loop finds nothing to cancel."""
        loop = asyncio.new_event_loop()
        interrupts = Interrupts(loop)
        try:
            interrupts._interrupted(signal.SIGINT, None)
            loop.run_until_complete(asyncio.sleep(0))
            assert interrupts.count == 1
            with pytest.raises(KeyboardInterrupt):
                interrupts._interrupted(signal.SIGINT, None)
        finally:
            interrupts.end()
            loop.close()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        # Again, without effect.
        interrupts.end()

    def test_a_task_is_cancelled_in_a_turn_of_the_loop(self) -> None:
        loop = asyncio.new_event_loop()
        interrupts = Interrupts(loop)
        task = interrupts.task = loop.create_task(asyncio.sleep(3600))
        try:
            interrupts._interrupted(signal.SIGINT, None)
            assert not task.cancelling() if hasattr(task, "cancelling") else not task.cancelled()
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(task)
        finally:
            interrupts.end()
            loop.close()
