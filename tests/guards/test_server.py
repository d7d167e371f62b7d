"""The server of the guards: it leaves nothing that a guard would take for the client's."""

from __future__ import annotations

import socket
import sys
from urllib.parse import urlsplit

import pytest

from tests.guards.residue import complaints
from tests.guards.server import ChaosServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="selectors of POSIX")


def test_connections_that_are_accepted_while_it_stops() -> None:
    with complaints() as found:
        with ChaosServer() as server:
            port = urlsplit(server.base_url).port
            peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        for peer in peers:
            peer.close()
    assert found == []
