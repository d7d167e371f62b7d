"""The measured process: ``python -m benchmarks.worker CLIENT --base-url URL --control URL [--core N]``.

Each line of stdin is a turn with the fields of `drivers.Turn`. The answer is a line ``{"error"}``, or ``{"calls",
"wall", "cpu", "more"}`` in seconds (`stats.Sample`). The first line of stdout, before any turn, says that the
worker is ready.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from . import process
from .clients import CLIENTS
from .control import Control
from .drivers import Turn, drive


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker")
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--control", required=True)
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    process.settle(arguments.core)
    # matplotlib installs numpy; some clients use it where they find it, and none requires it.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    # stdout belongs to the protocol: output of client libraries goes to stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    spec = CLIENTS[arguments.client]
    try:
        factory = spec.load()
    except ImportError as exc:
        reply({"error": f"{type(exc).__name__}: {exc}"})
        return
    make = functools.partial(factory, arguments.base_url)
    control = Control(arguments.control)
    reply({"ready": arguments.client})
    for line in sys.stdin:
        try:
            sample = drive(Turn(**json.loads(line)), make, control, blocking=spec.blocking)
        except Exception as exc:  # an error of a client is a result of the comparison and does not end it
            reply({"error": f"{type(exc).__name__}: {exc}"[:500]})
        else:
            reply(asdict(sample))
    control.close()


if __name__ == "__main__":
    main()
