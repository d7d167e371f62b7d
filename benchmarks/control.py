"""What the measured process asks of the server besides its calls: how busy it is, what it holds back."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit


class Control:
    """A connection of its own, blocking: it is used outside of what is timed."""

    def __init__(self, base_url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=60)

    def _ask(self, name: str) -> float:
        self._connection.request("GET", f"/{name}")
        value: float = json.loads(self._connection.getresponse().read())[name]
        return value

    def cpu(self) -> float:
        """Seconds of CPU that the server has used."""
        return self._ask("cpu")

    def held(self) -> int:
        """How many answers the server holds back."""
        return int(self._ask("held"))

    def release(self) -> None:
        """Have those answers sent."""
        self._connection.request("GET", "/release")
        self._connection.getresponse().read()

    def close(self) -> None:
        self._connection.close()
