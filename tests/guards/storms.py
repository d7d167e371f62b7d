"""Storms of interrupts: `storm(use, count, seed)` presses Ctrl-C at random times in a program of the blocking client.

The server behind it is the misbehaving one, in a process of its own, so that interrupts also meet replies that stall,
retries that wait and streams that break off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.guards.server import ChaosServer

__all__ = ["STORMS", "storm"]

ROOT = Path(__file__).parents[2]
# Each is one use of the client.
STORMS = {
    "stalled call": "client.chat.completions.create(**asked('a', 'stall_before'))",
    "stalled body": "client.chat.completions.create(**asked('a', 'stall_in_the_body'))",
    "stalled stream": "list(client.chat.completions.create(**asked('a', 'stream_stall'), stream=True))",
    "retries": "client.with_options(max_retries=9_999).chat.completions.create(**asked('a', 'busy_429'))",
    "connections": "client.chat.completions.create(**asked('a', 'whole_and_close'))",
    "torn stream": "list(client.chat.completions.create(**asked('a', 'torn_stream'), stream=True))",
    "stream left early": "with create(**asked('a', 'stream'), stream=True) as stream: next(stream)",
    "upload": "client.files.create(file=('a', UPLOAD), purpose='batch', extra_headers=HEADERS)",
    "map": "list(client.map([create.request(**asked(str(n), 'torn')) for n in range(4)]))",
    "lines": "with unread(**asked('a', 'stream'), stream=True) as reply: list(reply.iter_lines())",
    "bytes": "with unread(**asked('a', 'torn')) as reply: list(reply.iter_bytes(5))",
}
PROGRAM = """
    import aiohttp, gc, os, random, signal, sys, threading, time
    # Python's own import of a module leaves its file open when an interrupt hits it.
    import aiopenai._jobs.job
    from aiopenai import OpenAI
    signal.signal(signal.SIGINT, signal.default_int_handler)
    HEADERS, UPLOAD = {"x-name": "a", "x-manners": "stored"}, b"u" * 300_000

    def asked(name, manner="whole"):
        return {"model": "m", "messages": [{"role": "user", "content": name}], "user": manner}

    def use():
        USE

    class Storm(threading.Thread):
        def __init__(self):
            super().__init__()
            self.kick, self.over = threading.Event(), False

        def run(self):
            rest = random.Random(SEED)
            while self.kick.wait() and not self.over:
                self.kick.clear()
                time.sleep(rest.random() ** 2 * 0.04)
                # Not `os.kill`: the system may then hand it to this thread, and the main thread sleeps on.
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    client = OpenAI(max_retries=0, timeout=30, connector=CONNECTOR)
    create = client.chat.completions.create
    unread = client.chat.completions.with_streaming_response.create
    for name in ("one", "two", "three"):
        create(**asked(name))
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    hit, wrong, storm = 0, [], Storm()
    storm.start()
    for number in range(COUNT):
        try:
            storm.kick.set()
            use()
            time.sleep(20)
        except KeyboardInterrupt:
            hit += 1
        except BaseException as error:
            wrong.append(repr(error))
            try:
                time.sleep(20)
            except KeyboardInterrupt:
                pass
        if create(**asked(f"next-{number}")).id != f"next-{number}":
            wrong.append("the answer to another call")
    storm.over = True
    storm.kick.set()
    storm.join()
    gc.collect()
    create(**asked("last"))
    left = len(os.listdir("/proc/self/fd")) - descriptors if descriptors else 0
    client.close()
    print(hit, wrong, left if left > 2 else "clean")
"""


def storm(use: str, count: int, seed: int = 1, transport: str = "direct") -> None:
    """Interrupts a use so many times and asserts: KeyboardInterrupt each time, no message, no descriptor more."""
    program = textwrap.dedent(PROGRAM).replace("USE", STORMS[use]).replace("SEED", str(seed))
    program = program.replace("CONNECTOR", "aiohttp.TCPConnector" if transport == "general" else "None")
    with ChaosServer(seed) as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program.replace("COUNT", str(count))],
            cwd=ROOT,
            env={**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k"},
            capture_output=True,
            text=True,
            timeout=60 + count,
            check=False,
        )
    assert (done.stdout, done.stderr) == (f"{count} [] clean\n", ""), f"{use}: {done.stdout}{done.stderr}"
    assert not server.faults, server.faults[:3]
