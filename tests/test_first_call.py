"""The modules that a process imports for its first call."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from aiopenai.testing import Server

IMPORT = "import sys; from aiopenai import AsyncOpenAI"
CALL = """
import asyncio, gc, sys
from aiopenai import AsyncOpenAI
async def main():
    async with AsyncOpenAI(api_key="sk-test", base_url=sys.argv[1]) as client:
        reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        assert reply.choices[0].message.content
    assert gc.isenabled()
asyncio.run(main())
"""
# Each is for something else than a call that succeeds.
UNNEEDED = {
    "_base.logs",
    "_calls.hedging",
    "_calls.paging",
    "_calls.raw",
    "_calls.redirects",
    "_calls.streaming",
    "_calls.watching",
    "_data.dumping",
    "_data.lenient",
    "_data.notebook",
    "_data.pydantic_schema",
    "_data.sse",
    "_http.general",
    "_http.multipart",
    "_http.upload",
    "_http.websocket",
    "_jobs",
    "_live",
    "_reference",
    "lib",
    "limits",
    "retry",
    "testing",
    "types.chat.params",
}


def loaded(code: str, *arguments: str) -> set[str]:
    """Returns the modules that a new process has after some code."""
    print_all = "\nprint(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code + print_all, *arguments], check=False, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


@pytest.mark.once
async def test_the_first_call_imports_what_it_needs(server: Server) -> None:
    modules = await asyncio.to_thread(loaded, CALL, server.base_url)
    assert not modules & {f"aiopenai.{name}" for name in UNNEEDED}
    assert not modules & {"aiofiles", "tenacity", "concurrent.futures.process"}


@pytest.mark.once
def test_the_import_leaves_the_network_out() -> None:
    modules = loaded(IMPORT)
    assert not modules & {f"aiopenai.{name}" for name in UNNEEDED}
    assert not modules & {"aiohttp", "aiofiles", "tenacity", "yarl", "multidict"}
    assert not {name for name in modules if name.startswith(("aiopenai.types.", "aiopenai.resources."))}
