"""The control requests of the measured process to the server: its CPU, and the answers that it holds back."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit


class Control:
    """A blocking connection for control requests, used while no clock runs."""

    def __init__(self, base_url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=60)

    def _ask(self, name: str) -> float:
        self._connection.request("GET", f"/{name}")
        value: float = json.loads(self._connection.getresponse().read())[name]
        return value

    def cpu(self) -> float:
        """Returns the seconds of CPU that the server has used."""
        return self._ask("cpu")

    def held(self) -> int:
        """Returns the number of answers that the server holds back."""
        return int(self._ask("held"))

    def release(self) -> None:
        """Makes the server send the answers that it holds back."""
        self._connection.request("GET", "/release")
        self._connection.getresponse().read()

    def close(self) -> None:
        self._connection.close()
