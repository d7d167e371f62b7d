"""The argument of an endpoint: one request with the memory of the server. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError, Outcome, WholeReply
from aiopenai.testing.engine.sessions import SocketReply
from aiopenai.testing.engine.values import Object, is_object
from aiopenai.testing.memory.state import State

__all__ = ["PREFIX", "Call", "Dispatch", "Handler"]

PREFIX = "/v1"
"""The path of the base URL."""

Dispatch: TypeAlias = Callable[[State, ReceivedRequest, str], "Outcome | SocketReply"]
"""A function from the memory, a request and its id to the reply."""


class Call:
    """One request on its way to an endpoint.

    ids: the values of the path's parameters, in order.
    request_id: the value of `x-request-id` in the reply.
    dispatch: answers another request by its path, for endpoints that make requests themselves.
    """

    __slots__ = ("dispatch", "ids", "request", "request_id", "state")

    def __init__(
        self, state: State, request: ReceivedRequest, ids: tuple[str, ...], request_id: str, dispatch: Dispatch
    ) -> None:
        self.state = state
        self.request = request
        self.ids = ids
        self.request_id = request_id
        self.dispatch = dispatch

    def body(self) -> Object:
        """Returns the JSON object in the body. An empty body is an empty object. Raises `ApiError` 400 for others."""
        raw = self.request.body
        if not raw:
            return {}
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ApiError(
                400,
                f"We could not parse the JSON body of your request: {exc}. The API expects a JSON payload.",
            ) from exc
        except RecursionError:
            raise ApiError(400, "We could not parse the JSON body of your request: it nests too deeply.") from None
        if not is_object(value):
            raise ApiError(400, "The body of your request must be a JSON object.")
        return value

    def now(self) -> int:
        """Returns the seconds since the epoch, by the clock of the server."""
        return int(self.state.clock())

    def polled(self, value: Object, *, unfinished: bool) -> WholeReply:
        """Returns a reply about a job of the server. An unfinished one has a header with the time of the next poll."""
        headers = {"openai-poll-after-ms": str(self.state.poll_after_ms)} if unfinished else None
        return WholeReply.json(value, headers=headers)


Handler: TypeAlias = Callable[[Call], "Outcome | SocketReply"]
"""An endpoint."""
