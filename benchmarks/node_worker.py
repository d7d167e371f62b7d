"""The measured process of the SDK for node: ``python -m benchmarks.node_worker node --base-url URL [--core N]``.

It becomes node with ``clients/node.cjs``, which has the protocol of `worker`. Node finds the package where
``npm install openai`` put it: in a folder that ``NODE_PATH`` names, or in ``node_modules`` above this file.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from . import answers, process

SCRIPT = Path(__file__).parent / "clients" / "node.cjs"


@functools.cache
def version() -> str | None:
    """Returns the version of the SDK for node; None if node or the SDK is missing."""
    node = shutil.which("node")
    if node is None:
        return None
    ask = f"console.log(require('module').createRequire({json.dumps(str(SCRIPT))})('openai/version').VERSION)"
    ran = subprocess.run([node, "-e", ask], check=False, capture_output=True, text=True)
    return ran.stdout.strip() if ran.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.node_worker")
    parser.add_argument("client", choices=["node"])
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--control")
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    # Kept by node, as the core of a process is.
    process.settle(arguments.core)
    node = shutil.which("node")
    if node is None:
        print(json.dumps({"error": "node is missing"}), flush=True)
        return
    task = {
        "baseURL": arguments.base_url,
        "question": answers.question(),
        "expected": {name: answers.expected(name, answers.MODEL) for name in ("chat", "stream")},
    }
    os.execv(node, [node, str(SCRIPT), json.dumps(task)])


if __name__ == "__main__":
    main()
