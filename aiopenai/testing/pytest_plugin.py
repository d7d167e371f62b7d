"""The fixture `openai_server` for pytest, registered under the entry point group `pytest11`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aiopenai.testing.server import Server


@pytest.fixture
def openai_server() -> Iterator[Server]:
    """A running `aiopenai.testing.Server` on a free port, in a thread of its own; a new one for each test.

    After a test that made requests which its `replay` refused, the test fails with their description.
    """
    # Imported here, because pytest loads plugins at every start, and most runs do not use the server.
    from aiopenai.testing.server import Server

    with Server() as server:
        yield server
    # The code under test may have caught the error of the reply.
    if server.unknown_requests:
        pytest.fail("\n".join(server.unknown_requests), pytrace=False)
