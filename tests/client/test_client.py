from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import subprocess
import sys
import weakref
from typing import Any

import pytest

from aiopenai import (
    APIConnectionError,
    AsyncOpenAI,
)
from aiopenai.testing import Server


def make(server: Server, **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(**{"api_key": "sk-test", "base_url": server.base_url, **options})


def sent(server: Server) -> Any:
    return server.journal[-1].headers


@pytest.mark.usefixtures("transport")
class TestLife:
    def test_repr(self) -> None:
        client = AsyncOpenAI(api_key="sk-canary", base_url="https://user:hunter2@host:8443/v1?token=sesame")
        assert repr(client) == "<AsyncOpenAI base_url='https://host:8443/v1/'>"

    def test_it_does_not_pickle(self) -> None:
        with pytest.raises(TypeError, match="holds a key"):
            pickle.dumps(AsyncOpenAI(api_key="k"))

    async def test_close(self, server: Server, until: Any) -> None:
        client = make(server)
        assert not client.is_closed()
        await client.close()  # never used
        assert client.is_closed()

        client = make(server)
        await client.models.list()
        assert server.open_connections == 1
        twin = client.copy()
        await client.close()
        await client.close()
        await until(lambda: server.open_connections == 0)
        for closed in (client, twin):
            assert closed.is_closed()
            with pytest.raises(APIConnectionError, match="client is closed"):
                await closed.with_options(max_retries=0).models.list()

    async def test_async_with(self, server: Server, until: Any) -> None:
        async with make(server) as client:
            assert isinstance(client, AsyncOpenAI)
            await client.models.list()
        assert client.is_closed()
        await until(lambda: server.open_connections == 0)

    async def test_dropped_without_close(self, server: Server, until: Any) -> None:
        client = make(server)
        await client.models.list()
        ref = weakref.ref(client)
        del client
        gc.collect()
        assert ref() is None
        # Unclosed sessions and transports would warn, and warnings are errors here.
        await until(lambda: server.open_connections == 0)
        gc.collect()

    async def test_closed_in_another_loop(self, server: Server, until: Any) -> None:
        client = make(server)
        await client.models.list()
        await asyncio.to_thread(asyncio.run, client.close())
        await until(lambda: server.open_connections == 0)

    @pytest.mark.parametrize("connector", ["None", "aiohttp.TCPConnector"], ids=["direct", "general"])
    @pytest.mark.parametrize("late", [False, True])
    def test_collected_while_the_loop_ends(self, late: bool, connector: str) -> None:
        """The end of a loop and the finaliser of a client close the same session, in either order."""
        program = """
import aiohttp, asyncio, gc, sys
from aiopenai import AsyncOpenAI

async def left_open(client):
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
        del client
        gc.collect()
        await asyncio.sleep(0.001)

async def main():
    client = AsyncOpenAI(api_key="k", base_url=sys.argv[1], connector=eval(sys.argv[3]))
    await client.models.list()
    client.itself = client
    if sys.argv[2] == "True":
        held.append(left_open(client))
        await held[0].__anext__()
    asyncio.get_running_loop().call_soon(gc.collect)

held = []
asyncio.run(main(), debug=False)
gc.collect()
"""
        with Server() as own:
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", program, own.base_url, str(late), connector],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
        assert (done.stdout, done.stderr) == ("", "")

    def test_nothing_is_imported_before_the_first_request(self) -> None:
        script = (
            "import sys, aiopenai; c = aiopenai.AsyncOpenAI(api_key='k')\n"
            "heavy = {'aiohttp', 'tenacity', 'aiofiles', 'pytest', 'hypothesis', 'aiopenai.testing'}\n"
            "print(sorted(heavy & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n"

    def test_no_file_is_read_on_the_loop(self) -> None:
        script = """
import asyncio, sys, threading
from aiopenai import AsyncOpenAI
from aiopenai.testing import Server

mine = []
def audit(event, args):
    if event == "open" and watching and threading.get_ident() == loop_thread:
        mine.append(args[0])

watching = False
sys.addaudithook(audit)

async def main(client, chat):
    global watching, loop_thread
    loop_thread = threading.get_ident()
    watching = True
    await chat.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    await chat.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    watching = False
    await client.close()

with Server() as server:
    server.fault(status=500, headers={"retry-after-ms": "1"})
    for name in [name for name in sys.modules if name.startswith(("aiohttp", "tenacity"))]:
        del sys.modules[name]  # the server imported it
    client = AsyncOpenAI(api_key="k", base_url=server.base_url)
    chat = client.chat.completions
    import concurrent.futures.thread  # what a loop's first use of a thread imports
    asyncio.run(main(client, chat))
print(mine)
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "[]\n", done.stdout

    def test_the_first_calls_come_all_at_once(self) -> None:
        script = """
import asyncio, sys
from aiopenai import AsyncOpenAI

async def main():
    client = AsyncOpenAI(api_key="k", base_url=sys.argv[1], max_retries=0)
    await asyncio.gather(*(client.models.list() for _ in range(300)))
    await asyncio.gather(*(client.models.list() for _ in range(300)))
    await client.close()

asyncio.run(main(), debug=False)
"""
        with Server() as server:
            subprocess.run([sys.executable, "-W", "error", "-c", script, server.base_url], check=True, timeout=60)
            # A session each would be connections that are never used again.
            assert server.connections <= 300
            assert server.request_count == 600


def response_id(server: Server) -> str:
    return f"req_{server.request_count:032x}"


class TestLogging:
    async def test_what_is_said(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="aiopenai")
        server.fault(status=500, headers={"retry-after-ms": "1"})
        await client.chat.completions.create(**chat)
        text = caplog.text
        assert "POST /chat/completions" in text
        assert "500" in text
        assert response_id(server) in text
        assert "Attempt 2" in text
        assert "sk-test" not in text

    @pytest.mark.parametrize(
        ("level", "expected"), [("info", 20), ("DEBUG", 10), ("warning", 30), ("critical", 50), ("loud", 0), ("", 0)]
    )
    def test_level_from_the_environment(self, level: str, expected: int) -> None:
        import os

        script = "import aiopenai, logging; print(logging.getLogger('aiopenai').level, len(logging.root.handlers))"
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OPENAI_LOG": level},
        )
        assert done.stdout.split() == [str(expected), "1" if expected else "0"]
