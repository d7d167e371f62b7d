"""The sources of streams: an open reply of a client, or a response that a program gives to a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiopenai._base.timeouts import Timeout
from aiopenai._data.sizes import MAX_EVENT_BYTES
from aiopenai._http.interface import Reply
from aiopenai.errors import APIError

__all__ = ["Reopen", "StreamSource"]

Reopen = Callable[[APIError], Awaitable[Reply]]


class StreamSource:
    """An open reply, and the rules by which a stream reads it. Clients pass it as the stream's `response`."""

    __slots__ = ("decoder", "events", "given", "max_event_bytes", "reopen", "reply", "timeout")

    def __init__(
        self,
        reply: Reply,
        decoder: Any,
        *,
        timeout: Timeout,
        reopen: Reopen | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        events: Literal["", "bare", "named"] = "",
        given: Any = None,
    ) -> None:
        self.reply = reply
        self.decoder = decoder
        self.timeout = timeout
        # Sends the request again, while no event was handed out.
        self.reopen = reopen
        self.max_event_bytes = max_event_bytes
        # The treatment of event names and errors, see `request.Endpoint`.
        self.events = events
        # The response of the program, if it gave one.
        self.given = given
