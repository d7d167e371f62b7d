"""The continuation of a background response's stream after its connection broke off.

The server keeps the events of a response that was created with `background=True`. `GET /responses/{id}` with `stream`
and `starting_after` returns those after the last one that arrived.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import structs

from aiopenai._base.aliases import is_mapping, python_value
from aiopenai._base.querystring import encode_path_segment
from aiopenai._base.sentinels import is_left_out
from aiopenai._calls.request import Endpoint, Request
from aiopenai._http.interface import Reply
from aiopenai.errors import APIError

__all__ = ["Resumption", "prepare"]

T = TypeVar("T")

SendAgain = Callable[[Request[Any], APIError], Awaitable[Reply]]


def prepare(request: Request[Any]) -> None:
    """Takes the argument `resume` out of a request of `responses.create` or `retrieve`.

    Raises TypeError for anything but a bool.
    """
    arguments: Any = request.body if request.endpoint.method == "POST" else request.query
    if not is_mapping(arguments):
        # A body that `extra_body` replaced is not a mapping, and there is no query without arguments.
        return
    resume: Any = True
    if "resume" in arguments:
        left = dict(arguments)
        resume = left.pop("resume")
        if request.endpoint.method == "POST":
            request.body = left
        else:
            request.query = left or None
        resume = True if is_left_out(resume) else python_value(resume)
        if not isinstance(resume, bool):
            raise TypeError(f"resume must be True or False, not {type(resume).__name__}")
    background = request.endpoint.method == "GET" or bool(arguments.get("background"))
    request.resumes = request.stream and resume and background


class Resumption:
    """The state of one stream that can be continued: the response's id, and the number of its last event.

    send_again: sends the request for the remaining events after an error, and returns the reply.
    """

    __slots__ = ("_number", "_numbered", "_request", "_response_id", "_resumed", "_send_again")

    def __init__(self, request: Request[Any], send_again: SendAgain) -> None:
        self._request = request
        self._send_again = send_again
        self._response_id: str | None = None
        self._number: int | None = None
        self._numbered = True
        self._resumed = False

    def note(self, events: list[T]) -> list[T]:
        """Notes a batch of events. Returns it without those that arrived before the stream was continued."""
        number = self._number
        fresh: list[T] = []
        for event in events:
            found: Any = getattr(event, "sequence_number", None)
            if found.__class__ is not int:
                # The place to continue from is unknown after an event without a number.
                self._numbered = False
            elif number is None or found > number:
                number = found
            elif self._resumed:
                continue
            if self._response_id is None:
                identity: Any = getattr(getattr(event, "response", None), "id", None)
                if isinstance(identity, str) and identity:
                    self._response_id = identity
            fresh.append(event)
        self._number = number
        return fresh

    async def reply_after(self, error: APIError) -> Reply | None:
        """Returns the reply with the remaining events; None if there is none, with the reason as the error's cause."""
        request = self._remaining()
        if request is None:
            return None
        replayable = error.replayable
        # The new request changes nothing on the server.
        error.replayable = True
        try:
            reply = await self._send_again(request, error)
        except APIError as failure:
            if failure is not error:
                error.__cause__ = failure.with_traceback(None)
            return None
        finally:
            error.replayable = replayable
            # The traceback refers to this frame, and the frame would refer to the error.
            del error
        self._resumed = True
        return reply

    def _remaining(self) -> Request[Any] | None:
        """Returns the request for the events after the last one."""
        request, number = self._request, self._number
        if number is None or not self._numbered:
            return None
        if request.endpoint.method == "GET":
            return structs.replace(request, query={**(request.query or {}), "starting_after": number})
        if self._response_id is None:
            return None
        endpoint = _retrieval(request.endpoint)
        options = {name: value for name, value in request.options.items() if name != "idempotency_key"}
        return structs.replace(
            request,
            endpoint=endpoint,
            path=endpoint.path.replace("{response_id}", encode_path_segment(self._response_id, "response_id")),
            query={**(request.query or {}), **_kept(request.body), "stream": True, "starting_after": number},
            body=None,
            options=options,
            finish=None,
        )


def _kept(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a creation that a retrieval has too."""
    kept: dict[str, Any] = {}
    if not is_left_out(include := body.get("include")) and include is not None:
        kept["include"] = include
    stream_options: Any = body.get("stream_options")
    if is_mapping(stream_options) and (hidden := stream_options.get("include_obfuscation")) is not None:
        kept["include_obfuscation"] = hidden
    return kept


@lru_cache(maxsize=64)
def _retrieval(creation: Endpoint) -> Endpoint:
    """Returns the endpoint that retrieves the responses of another one: `/responses?beta=true` has a query."""
    path, mark, query = creation.path.partition("?")
    return structs.replace(creation, method="GET", path=f"{path}/{{response_id}}{mark}{query}", replay=())
