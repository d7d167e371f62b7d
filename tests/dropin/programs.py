"""Programs in interpreters of their own, for tests of a switch that changes a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADER = """
import aiopenai.dropin, asyncio, openai, pydantic
from aiopenai.testing import Server
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion import Choice
MESSAGES = [{"role": "user", "content": "hi"}]
"""


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """Returns the output of Python with these arguments, which must succeed."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    found |= {"PYTHONPATH": str(ROOT), **(environment or {})}
    done = subprocess.run(
        [sys.executable, *command], env=found, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def script(body: str, **environment: str) -> str:
    """Returns the output of a program in drop-in mode, which begins with the lines of HEADER."""
    return run("-c", HEADER + textwrap.dedent(body), environment=environment)
