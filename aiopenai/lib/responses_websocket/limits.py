"""The limits of a session, and the errors of sessions, lanes and accumulators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from aiopenai.types.responses import ResponsesServerEvent

__all__ = ["ResponsesWebSocketBufferError", "ResponsesWebSocketError", "ResponsesWebSocketLimits"]


@dataclass(frozen=True)
class ResponsesWebSocketLimits:
    """The events that a session keeps for its lanes at most. They are limits of the program, not of the API.

    The default lane counts as a lane. Bytes are those of the messages as they were received. `max_response_bytes`
    bounds the events from which one final response is built.

    Raises ValueError for a limit that is no positive int.
    """

    max_lanes: int
    max_events_per_lane: int
    max_events: int
    max_bytes_per_lane: int
    max_bytes: int
    max_response_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit in vars(self).items():
            if limit is None and name == "max_response_bytes":
                continue
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise ValueError(f"{name} must be a positive int, not {limit!r}")


class ResponsesWebSocketBufferError(OpenAIError, RuntimeError):
    """A limit of the session is exceeded."""


class ResponsesWebSocketError(OpenAIError, RuntimeError):
    """The API answered with an error event. The message shows nothing of the event, which is `event`."""

    def __init__(self, event: ResponsesServerEvent) -> None:
        super().__init__("The API answered with an error event: see `event`.")
        self.event = event
