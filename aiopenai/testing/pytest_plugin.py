"""The fixture `openai_server` for pytest, registered under the entry point group `pytest11`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aiopenai.testing.server import Server


@pytest.fixture
def openai_server() -> Iterator[Server]:
    """A running `aiopenai.testing.Server` on a free port, in a thread of its own; a new one for each test."""
    # Imported here, because pytest loads plugins at every start, and most runs do not use the server.
    from aiopenai.testing.server import Server

    with Server() as server:
        yield server
