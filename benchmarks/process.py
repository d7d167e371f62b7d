"""Processes: their cores, their environment, and a child that answers JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# The directory of this package; in a checkout aiopenai lies beside it.
ROOT = Path(__file__).resolve().parent.parent

# Self-signed certificate for localhost and 127.0.0.1, valid for a hundred years.
CERTIFICATE = Path(__file__).with_name("certificate.pem")

# Most sockets of one process: 10,000 calls at once, old ones that are still closing, and a margin.
_FILES = 32_768


class Cores(NamedTuple):
    """The cores of the client and of the server; None where processes are not pinned."""

    client: int | None
    server: int | None


def choose_cores() -> Cores:
    """Returns the first and the last allowed core, which are unlikely to be hyper-threads of one core."""
    if sys.platform != "linux":
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1]) if len(allowed) > 1 else Cores(None, None)


def settle(core: int | None) -> None:
    """Pins this process to `core` (unless None) and raises its limit of open files as far as allowed."""
    if sys.platform == "linux" and core is not None:
        os.sched_setaffinity(0, {core})
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def environment(source: Mapping[str, str] = os.environ, *, trusting: Path | None = None) -> dict[str, str]:
    """Returns a copy of `source` for children: this tree is importable; proxies and OPENAI_ settings are removed.

    `trusting` is a file of certificates that TLS clients of the child trust instead of those of the system.
    """
    env = {
        name: value
        for name, value in source.items()
        if not name.upper().startswith("OPENAI_") and not name.lower().endswith("_proxy")
    }
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), source.get("PYTHONPATH", "")]))
    if trusting is not None:
        env["SSL_CERT_FILE"] = str(trusting)
    return env


def loop_runner(name: str) -> Callable[[Coroutine[Any, Any, T]], T]:
    """Returns `asyncio.run` or `uvloop.run`. Raises ImportError if uvloop is not installed."""
    if name == "asyncio":
        return asyncio.run
    run: Callable[[Coroutine[Any, Any, T]], T] = importlib.import_module(name).run
    return run


def resident_bytes() -> int | None:
    """Returns the resident memory of this process in bytes; None if the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def resident_megabytes() -> float:
    """Returns the resident memory of this process in megabytes; 0 if the system has no /proc."""
    return (resident_bytes() or 0) / 1e6


def open_sockets() -> int | None:
    """Returns the number of open sockets of this process; None if the system has no /proc."""
    count = 0
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return None
    for name in names:
        with contextlib.suppress(OSError):  # the descriptor of the listing itself is closed by now
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return count


class ChildError(Exception):
    """A child process ended, hung or reported an error."""


class Child:
    """A module of this package run as a process that reads and writes JSON lines."""

    def __init__(self, name: str, proc: asyncio.subprocess.Process) -> None:
        self._name = name
        self._proc = proc
        self.lost = False
        """Whether it has ended or hung, so that nothing can be asked any more."""

    @classmethod
    async def start(cls, module: str, *args: str, core: int | None = None, trusting: Path | None = None) -> Child:
        """Starts ``python -m module args --core core`` with the stderr of this process. `trusting`: see `environment`.

        As a context manager the child is stopped at the end of the block.
        """
        if core is not None:
            args = (*args, "--core", str(core))
        proc = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment(trusting=trusting),
        )
        return cls(" ".join((module, *args)), proc)

    async def receive(self, timeout: float) -> dict[str, Any]:
        """Returns the next line. Raises `ChildError` after `timeout` seconds, for ``error`` and if the child ended."""
        assert self._proc.stdout is not None
        try:
            line = await asyncio.wait_for(self._proc.stdout.readline(), timeout)
        except asyncio.TimeoutError:
            self.lost = True
            self._proc.kill()
            raise ChildError(f"{self._name}: no answer within {timeout:g} s") from None
        if not line:
            self.lost = True
            raise ChildError(f"{self._name}: ended with exit code {await self._proc.wait()}")
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise ChildError(str(message["error"]))
        return message

    async def ask(self, request: Mapping[str, object], timeout: float) -> dict[str, Any]:
        """Sends one line and returns the next. Raises the errors of `receive`."""
        assert self._proc.stdin is not None
        try:
            self._proc.stdin.write(json.dumps(request).encode() + b"\n")
            await self._proc.stdin.drain()
        except ConnectionError as exc:
            self.lost = True
            raise ChildError(f"{self._name}: ended with exit code {await self._proc.wait()}") from exc
        return await self.receive(timeout)

    async def __aenter__(self) -> Child:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Closes stdin of the child, which ends it, and reaps it."""
        assert self._proc.stdin is not None
        self._proc.stdin.close()
        try:
            await asyncio.wait_for(self._proc.wait(), 5)
        except asyncio.TimeoutError:
            self._proc.kill()
            await self._proc.wait()
