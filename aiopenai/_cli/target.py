"""The server of a command: the one that the options or the environment name, or a local one started for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from typing import NamedTuple

from aiopenai._client.configuration import DEFAULT_BASE_URL

__all__ = ["CommandTarget", "TargetError", "target"]

_START_SECONDS = 10.0
# Slow enough to be seen arriving.
_TOKEN_DELAY = 0.02


class TargetError(Exception):
    """The local server did not start."""


class CommandTarget(NamedTuple):
    """The server of a command, and the reason for it. `local` says that it was started for the command."""

    base_url: str
    api_key: str
    why: str
    local: bool


@contextlib.contextmanager
def target(base_url: str | None, environment: Mapping[str, str] = os.environ) -> Generator[CommandTarget, None, None]:
    """Gives the server: `base_url`, the one that the environment names, or a local one that ends with the block.

    Raises TargetError.
    """
    key = environment.get("OPENAI_API_KEY")
    named = base_url or environment.get("OPENAI_BASE_URL")
    if named:
        why = "as --base-url says" if base_url else "as OPENAI_BASE_URL says"
        # Most servers other than the API's ask for no key. The others say so.
        yield CommandTarget(named, key or "none", why, local=False)
    elif key:
        yield CommandTarget(DEFAULT_BASE_URL, key, "with the key in OPENAI_API_KEY", local=False)
    else:
        with _local_server() as url:
            why = "a local server, as neither OPENAI_API_KEY nor OPENAI_BASE_URL is set"
            yield CommandTarget(url, "local", why, local=True)


@contextlib.contextmanager
def _local_server() -> Generator[str, None, None]:
    command = [sys.executable, "-m", "aiopenai", "serve", "--port", "0", "--token-delay", str(_TOKEN_DELAY)]
    # It ends with the block, or with its standard input when this process is killed. It has a session of its own, so
    # that Ctrl-C reaches this process only.
    with subprocess.Popen(
        [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stdout is not None
        impatience = threading.Timer(_START_SECONDS, child.kill)
        impatience.daemon = True
        impatience.start()
        try:
            url = child.stdout.readline().strip()
            impatience.cancel()
            if not url:
                raise TargetError(f"the local server did not start within {_START_SECONDS:g} s")
            yield url
        finally:
            impatience.cancel()
            child.kill()
