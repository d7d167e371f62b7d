"""The streams of `sessions.create(stream=True)`, which call the program's functions and collect the turn's result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, cast

from msgspec import structs
from typing_extensions import Self

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import is_left_out
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.streaming import AsyncStream, Stream
from aiopenai.lib.beta.agents._dispatch import ToolDispatch, answer_call, answer_call_blocking
from aiopenai.lib.beta.agents._results import AgentOutputT, AgentTurnResult, ResultCollection, TurnTracker
from aiopenai.lib.beta.agents._tools import agent_text_format

if TYPE_CHECKING:
    from aiopenai.types.beta import AgentSessionEvent
else:
    # The types of replies are imported at the first reply.
    AgentSessionEvent = Any

__all__ = ["AgentSessionEventStream", "AsyncAgentSessionEventStream", "EventReading", "TurnReader", "prepare_session"]


_OF_RESULTS = ("timeout", "max_retries", "retry")


class TurnReader:
    """The reading of one turn, which the streams of both clients share: its calls, its end, its result.

    Collection begins before the first event, so that the result lacks none.
    """

    def __init__(
        self,
        *,
        handlers: Mapping[str, Any] | None,
        output_type: Any,
        options: Mapping[str, Any],
        session_id: str | None = None,
        on_error: Any = None,
    ) -> None:
        self.tools = ToolDispatch(handlers, on_error, options)
        self.tracker = TurnTracker(session_id)
        self._collection: ResultCollection | None = None
        self._output_type = output_type
        self._began = False

    def collect(self) -> ResultCollection:
        """Returns the collection of the result, which the first call begins.

        Raises RuntimeError if events were read before.
        """
        if self._collection is None:
            if self._began:
                raise RuntimeError(
                    "Events of the stream were read before: call `with_result_collection` before the first event"
                )
            self._collection = ResultCollection(self.tracker, self.tools.handlers, self._output_type)
        return self._collection

    def note(self, event: Any) -> None:
        """Takes an event into account that is handed out next."""
        self._began = True
        self.tracker.note(event)
        if self._collection is not None:
            self._collection.note(event)
        self.tools.note(event)


class EventReading:
    """The part that the streams of both clients share."""

    _reader: TurnReader
    _sessions: Any
    """The resource to which results of calls are sent."""

    def follow(self, reader: TurnReader, sessions: Any) -> None:
        """Sets the reading of the turn, and the resource of the session."""
        self._reader = reader
        self._sessions = sessions

    def with_result_collection(self) -> Self:
        """Collects the result of the turn while the events are read. Returns the stream.

        Raises RuntimeError after the first event.
        """
        self._reader.collect()
        return self


class AgentSessionEventStream(EventReading, Stream[AgentSessionEvent], Generic[AgentOutputT]):
    """The events of a new session. Calls of functions with a handler are answered before the next event is read.

    The stream ends with its connection. Iteration raises the errors of a `Stream`, and those of the requests that send
    the results of calls.
    """

    def __iter__(self) -> Iterator[AgentSessionEvent]:
        return self

    def __next__(self) -> AgentSessionEvent:
        if self._reader.tools.due is not None:
            answer_call_blocking(self._reader.tools, self._sessions.events)
        event = super().__next__()
        self._reader.note(event)
        return event

    def get_final_result(self) -> AgentTurnResult[AgentOutputT]:
        """Reads to the end of the first turn, and returns its result. Handlers run.

        Raises AgentTurnResultError for a turn without a result, AgentOutputParseError for a text that does not fit.
        """
        return self._reader.collect().read(self)


class AsyncAgentSessionEventStream(EventReading, AsyncStream[AgentSessionEvent], Generic[AgentOutputT]):
    """The events of a new session. Calls of functions with a handler are answered before the next event is read.

    The stream ends with its connection. Iteration raises the errors of an `AsyncStream`, and those of the requests that
    send the results of calls.
    """

    blocking_class = AgentSessionEventStream
    """The class of the same stream in the blocking client."""

    def __aiter__(self) -> AsyncIterator[AgentSessionEvent]:
        return self

    async def __anext__(self) -> AgentSessionEvent:
        if self._reader.tools.due is not None:
            await answer_call(self._reader.tools, self._sessions.events)
        event = await super().__anext__()
        self._reader.note(event)
        return event

    async def get_final_result(self) -> AgentTurnResult[AgentOutputT]:
        """Reads to the end of the first turn, and returns its result. Handlers run.

        Raises AgentTurnResultError for a turn without a result, AgentOutputParseError for a text that does not fit.
        """
        return await self._reader.collect().read_async(self)


def prepare_session(request: Request[Any]) -> None:
    """Takes `output_type` and `tool_handlers` out of a request of `sessions.create`.

    Raises ValueError for handlers without a stream, and for an `output_type` beside `agent.text.format`; TypeError for
    an object that is no output type.
    """
    body: Any = request.body
    if not is_mapping(body):
        # `extra_body` can replace the arguments by any value.
        return
    left = dict(body)
    output_type = _taken(left, "output_type")
    handlers = _taken(left, "tool_handlers")
    if handlers is not None and not request.stream:
        raise ValueError("`tool_handlers` need `stream=True`: they run while the events are read")
    if output_type is not None:
        left["agent"] = _with_format(left.get("agent"), output_type)
    request.body = left
    if request.stream:
        request.endpoint = _streaming(request.endpoint)

        def follow(stream: Any, client: Any) -> None:
            if isinstance(stream, EventReading):
                reader = TurnReader(handlers=handlers, output_type=output_type, options=_of_results(request))
                stream.follow(reader, client.beta.agents.sessions)
            elif handlers is not None:
                raise TypeError(f"A {type(stream).__name__} runs no `tool_handlers`: leave its class out")

        request.opened = follow


def _of_results(request: Request[Any]) -> dict[str, Any]:
    """Returns the options of a request that hold for the results of its session's calls, too."""
    options = {name: request.options[name] for name in _OF_RESULTS if name in request.options}
    headers: Mapping[str, Any] = request.headers or {}
    own = {name: value for name, value in headers.items() if name.lower() != "idempotency-key"}
    return {**options, "extra_headers": own} if own else options


def _taken(arguments: dict[str, Any], name: str) -> Any:
    value = arguments.pop(name, None)
    return None if is_left_out(value) else value


def _with_format(agent: Any, output_type: Any) -> dict[str, Any]:
    given = dict(agent) if is_mapping(agent) else {}
    text: Any = given.get("text")
    text = dict(text) if is_mapping(text) else {}
    if not is_left_out(text.get("format")) and "format" in text:
        raise ValueError("`output_type` and `agent.text.format` exclude each other: pass only one of them")
    return {**given, "text": {**text, "format": agent_text_format(output_type)}}


@lru_cache(maxsize=64)
def _streaming(endpoint: Endpoint) -> Endpoint:
    """Returns an endpoint with the stream of a new session."""
    return structs.replace(endpoint, event=cast("Any", AsyncAgentSessionEventStream)[endpoint.event])
