"""The streams of `responses.stream` and their managers, for both clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic

from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._calls.arguments import OPTIONS
from aiopenai._data.leaves import importing
from aiopenai.lib.streaming.responses._events import ResponseStreamEvent, TextFormatT
from aiopenai.lib.streaming.responses._state import ResponseStreamState
from aiopenai.lib.streaming.wrappers import (
    AsyncEventIterator,
    AsyncStreamManager,
    EventIterator,
    StreamManager,
    managed_by,
)
from aiopenai.types.responses import ParsedResponse

__all__ = [
    "AsyncResponseStream",
    "AsyncResponseStreamManager",
    "ResponseStream",
    "ResponseStreamManager",
    "stream_response",
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)

# The arguments that go with an existing response, beside the options of every call.
_OF_EXISTING = frozenset(
    {"response_id", "starting_after", "text_format", "tools", "include", "include_obfuscation", "resume"}
)


def _response_handler(state: ResponseStreamState[Any], starting_after: int | None) -> Callable[[Any], Sequence[Any]]:
    if starting_after is None:
        return state.handle_event

    def events(event: Any) -> Sequence[Any]:
        number = getattr(event, "sequence_number", None)
        caused = state.handle_event(event)
        return () if isinstance(number, int) and number <= starting_after else caused

    return events


class ResponseStream(EventIterator[ResponseStreamEvent[TextFormatT]], Generic[TextFormatT]):
    """The events of a response after `starting_after`, and the response that all of them add up to."""

    def __init__(
        self, *, raw_stream: Any, text_format: Any = omit, input_tools: Any = omit, starting_after: int | None = None
    ) -> None:
        self._state: ResponseStreamState[TextFormatT] = ResponseStreamState(
            text_format=text_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _response_handler(self._state, starting_after))

    def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """Reads the stream to its end, and returns the response. Its status may be other than `completed`.

        Raises the errors of the state's `handle_event`, and RuntimeError for a stream without an end.
        """
        self.until_done()
        return self._state.final_response()


class AsyncResponseStream(AsyncEventIterator[ResponseStreamEvent[TextFormatT]], Generic[TextFormatT]):
    """The events of a response after `starting_after`, and the response that all of them add up to."""

    def __init__(
        self, *, raw_stream: Any, text_format: Any = omit, input_tools: Any = omit, starting_after: int | None = None
    ) -> None:
        self._state: ResponseStreamState[TextFormatT] = ResponseStreamState(
            text_format=text_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _response_handler(self._state, starting_after))

    async def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """Reads the stream to its end, and returns the response. Its status may be other than `completed`.

        Raises the errors of the state's `handle_event`, and RuntimeError for a stream without an end.
        """
        await self.until_done()
        return self._state.final_response()


class ResponseStreamManager(StreamManager[ResponseStream[TextFormatT]], Generic[TextFormatT]):
    """The context manager that `responses.stream` of the blocking client returns."""

    def __init__(
        self,
        api_request: Callable[[], Any],
        *,
        text_format: Any = omit,
        input_tools: Any = omit,
        starting_after: int | None = None,
    ) -> None:
        def wrap(raw: Any) -> ResponseStream[TextFormatT]:
            return ResponseStream(
                raw_stream=raw, text_format=text_format, input_tools=input_tools, starting_after=starting_after
            )

        super().__init__(api_request, wrap)


class AsyncResponseStreamManager(AsyncStreamManager[AsyncResponseStream[TextFormatT]], Generic[TextFormatT]):
    """The context manager that `responses.stream` of the async client returns."""

    def __init__(
        self,
        api_request: Awaitable[Any],
        *,
        text_format: Any = omit,
        input_tools: Any = omit,
        starting_after: int | None = None,
    ) -> None:
        def wrap(raw: Any) -> AsyncResponseStream[TextFormatT]:
            return AsyncResponseStream(
                raw_stream=raw, text_format=text_format, input_tools=input_tools, starting_after=starting_after
            )

        super().__init__(api_request, wrap)


def stream_response(resource: Any, /, **arguments: Any) -> AsyncResponseStreamManager[Any] | ResponseStreamManager[Any]:
    """`responses.stream`: a new response, or with `response_id` one that was created in the background.

    The stream of an existing response begins again at its beginning; `starting_after` is the number of the last known
    event. Raises ValueError for arguments of both kinds, and for missing ones.
    """
    from aiopenai.lib.parsing import make_tools

    given = {name: value for name, value in arguments.items() if not is_left_out(value)}
    creates = sorted(given.keys() - _OF_EXISTING - OPTIONS)
    tools = make_tools(given["tools"]) if given.get("tools") is not None else omit
    text_format = given.pop("text_format", omit)
    starting_after = given.pop("starting_after", None)
    if creates:
        if "response_id" in given or starting_after is not None:
            raise ValueError(f"response_id and starting_after cannot be given together with {', '.join(creates)}")
        name = "create"
        _fill_create(given, text_format, tools)
    else:
        if "response_id" not in given:
            raise ValueError("responses.stream needs model and input, or the response_id of an existing response")
        given.pop("tools", None)
        # All events are requested, because the texts begin at the beginning.
        name = "retrieve"
    managers = ResponseStreamManager[Any], AsyncResponseStreamManager[Any]
    parsing = {"text_format": text_format, "input_tools": tools, "starting_after": starting_after}
    manager: AsyncResponseStreamManager[Any] | ResponseStreamManager[Any] = managed_by(
        resource, name, given, {}, managers, **parsing
    )
    return manager


def _fill_create(given: dict[str, Any], text_format: Any, tools: Any) -> None:
    """Turns the arguments of the helper into those of `create`. Raises ValueError for a missing one."""
    from aiopenai.lib.parsing import type_to_text_format_param

    for name in ("input", "model"):
        if name not in given:
            raise ValueError(f"responses.stream needs {name} for a new response")
    if not is_left_out(text_format):
        text: dict[str, Any] = given.get("text") or {}
        if "format" in text:
            raise TypeError("text.format and text_format exclude each other: give one of them")
        given["text"] = {**text, "format": type_to_text_format_param(text_format)}
    if not is_left_out(tools):
        given["tools"] = tools
