"""A token endpoint on loopback, which counts its exchanges and answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Endpoint:
    """An HTTP server: `replies` are taken in turn, the last one again and again."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, bytes]] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.asked = threading.Event()
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with endpoint._lock:
                    endpoint.requests.append((self.command, self.path, headers, body))
                    at = min(len(endpoint.requests), len(endpoint.replies)) - 1
                endpoint.asked.set()
                endpoint.hold.wait(30)
                status, content = endpoint.replies[at]
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/oauth/token"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def say(self, status: int, body: Any) -> None:
        """Adds a reply."""
        self.replies.append((status, body if isinstance(body, bytes) else json.dumps(body).encode()))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()
    yield found
    found.hold.set()
    found.server.shutdown()
    found.server.server_close()
