"""Processes: which core each belongs to, their environment, and a child that answers JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

# The directory that holds this package, and in a checkout aiopenai beside it.
ROOT = Path(__file__).resolve().parent.parent

# Sockets wanted at most by one process: 1,000 calls at once, old ones still closing, and room.
_FILES = 8_192


class Cores(NamedTuple):
    """The cores of the client and of the server; None where processes are not pinned."""

    client: int | None
    server: int | None


def choose_cores() -> Cores:
    """The first and the last core allowed to us, which are unlikely to be hyper-threads of one core."""
    if sys.platform != "linux":
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1]) if len(allowed) > 1 else Cores(None, None)


def settle(core: int | None) -> None:
    """Pin this process to `core` (unless None) and raise its limit of open files as far as it needs and may."""
    if sys.platform == "linux" and core is not None:
        os.sched_setaffinity(0, {core})
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def environment(source: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A copy of `source` for children: this tree importable, no proxy and no OPENAI_ setting to tilt a client."""
    env = {
        name: value
        for name, value in source.items()
        if not name.upper().startswith("OPENAI_") and not name.lower().endswith("_proxy")
    }
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), source.get("PYTHONPATH", "")]))
    return env


class ChildError(Exception):
    """A child process ended, hung or reported an error; the text says which."""


class Child:
    """A module of this package run as a process that reads and writes JSON lines."""

    def __init__(self, name: str, proc: asyncio.subprocess.Process) -> None:
        self._name = name
        self._proc = proc

    @classmethod
    async def start(cls, module: str, *args: str) -> Child:
        """Start ``python -m module args``; its stderr stays ours."""
        proc = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(),
        )
        return cls(" ".join((module, *args)), proc)

    async def receive(self, timeout: float) -> dict[str, Any]:
        """The next line; `ChildError` after `timeout` seconds, at the child's end, or when it says ``error``."""
        assert self._proc.stdout is not None
        try:
            line = await asyncio.wait_for(self._proc.stdout.readline(), timeout)
        except asyncio.TimeoutError:
            self._proc.kill()
            raise ChildError(f"{self._name}: no answer within {timeout:g} s") from None
        if not line:
            raise ChildError(f"{self._name}: ended with exit code {await self._proc.wait()}")
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise ChildError(str(message["error"]))
        return message

    async def ask(self, request: Mapping[str, object], timeout: float) -> dict[str, Any]:
        """Send one line and await the next; raises as `receive` does."""
        assert self._proc.stdin is not None
        try:
            self._proc.stdin.write(json.dumps(request).encode() + b"\n")
            await self._proc.stdin.drain()
        except ConnectionError as exc:
            raise ChildError(f"{self._name}: ended with exit code {await self._proc.wait()}") from exc
        return await self.receive(timeout)

    async def stop(self) -> None:
        """Close its stdin, which ends it, and reap it."""
        assert self._proc.stdin is not None
        self._proc.stdin.close()
        try:
            await asyncio.wait_for(self._proc.wait(), 5)
        except asyncio.TimeoutError:
            self._proc.kill()
            await self._proc.wait()
