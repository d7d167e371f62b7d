"""Steady, a server of others that checks requests against the OpenAPI document: started and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "shared" / "steady.sh"
START_SECONDS = 120.0
STOP_SECONDS = 10.0


def unavailable() -> str | None:
    """Why it cannot be run here, or None."""
    if not SCRIPT.exists():
        return "there is no ../shared/steady.sh"
    missing = [tool for tool in ("bash", "node", "npm") if shutil.which(tool) is None]
    return f"{' and '.join(missing)} not installed" if missing else None


@contextmanager
def running() -> Iterator[str]:
    """Its base URL while it runs. Raises RuntimeError with its output where it does not start (it installs itself)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["bash", str(SCRIPT), str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # With CI set it writes for a machine that reads annotations, and never says that it is ready.
        env={name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS")},
        # A group of its own, so that what it starts can be ended with it.
        start_new_session=True,
    )
    lines: list[str] = []
    settled = threading.Event()
    ready = False

    def read() -> None:
        # To the end, or the pipe would fill up and stop it.
        nonlocal ready
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ready to accept requests"):
                ready = True
                settled.set()
        settled.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        settled.wait(START_SECONDS)
        if not ready:
            raise RuntimeError("Steady did not start:\n" + "".join(lines))
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(process)
        reader.join(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(STOP_SECONDS)
            return
        except subprocess.TimeoutExpired:
            continue
