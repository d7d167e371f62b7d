"""The streams of one turn of an existing session: `sessions.stream`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import Self

from aiopenai._base.aliases import is_mapping
from aiopenai._base.cache import BoundedCache
from aiopenai._base.sentinels import is_left_out
from aiopenai.lib.beta.agents._dispatch import answer_call, answer_call_blocking
from aiopenai.lib.beta.agents._events import EventReading, TurnReader
from aiopenai.lib.beta.agents._results import AgentOutputT, AgentTurnResult
from aiopenai.lib.schema import check_type

if TYPE_CHECKING:
    from aiopenai.types.beta import AgentSessionEvent

__all__ = ["AgentSessionStream", "AsyncAgentSessionStream", "stream_session"]

# The service may repeat events. At least the last half of so many are remembered.
_REMEMBERED = 2_048


class _OneTurn(EventReading):
    """The part that the streams of both clients share: the requests that open them, and the events that they drop."""

    def __init__(
        self,
        sessions: Any,
        session_id: str,
        *,
        input: str | Iterable[Any],
        output_type: Any = None,
        tool_handlers: Mapping[str, Any] | None = None,
        on_tool_error: Any = None,
        **options: Any,
    ) -> None:
        if output_type is not None:
            check_type(output_type)
        self._session_id = session_id
        self._messages = _messages(input)
        key = options.pop("idempotency_key", None)
        headers: Any = options.get("extra_headers")
        # Other values are refused by the requests.
        if is_mapping(headers):
            options["extra_headers"] = headers = dict(headers)
            for name in [name for name in headers if str(name).lower() == "idempotency-key"]:
                key = headers.pop(name)
        self._key: str = str(uuid.uuid4()) if key is None or is_left_out(key) else key
        self._body = {"extra_body": options.pop("extra_body")} if "extra_body" in options else {}
        self._options = options
        reader = TurnReader(
            session_id=session_id,
            handlers=tool_handlers,
            on_error=on_tool_error,
            output_type=output_type,
            options=options,
        )
        self.follow(reader, sessions)
        self._entered = False
        self._closed = False
        self._raw: Any = None
        self._ids: BoundedCache[str, None] = BoundedCache(_REMEMBERED)

    def _enter(self) -> None:
        if self._entered or self._closed:
            raise RuntimeError("A stream of a session can be entered once: call `sessions.stream` again")
        self._entered = True

    def _check_idle(self, session: Any) -> None:
        if session.status != "idle":
            raise ValueError(
                f"The session {self._session_id} is {session.status}, and not idle: follow it with "
                "`sessions.events.stream`"
            )

    @property
    def _input(self) -> dict[str, Any]:
        event = {"type": "agent.session.input.message", "input": self._messages}
        return {"events": [event], "idempotency_key": self._key, **self._body, **self._options}

    def _check_entered(self) -> None:
        if not self._entered:
            raise RuntimeError("The stream of a session has to be entered first: use it in a `with` block")

    @property
    def _over(self) -> bool:
        return self._closed or self._reader.tracker.over

    def _is_new(self, event: Any) -> bool:
        """Returns whether an event is no repetition of one of the last ones."""
        identity: Any = getattr(event, "event_id", None)
        if not isinstance(identity, str):
            return True
        if identity in self._ids:
            return False
        self._ids[identity] = None
        return True


class AgentSessionStream(_OneTurn, Generic[AgentOutputT]):
    """The context manager that `sessions.stream` of the blocking client returns, and the iterator over its events.

    Entering it sends the input to the idle session. It ends with the turn that the input begins. Calls of functions
    with a handler are answered before the next event is read. Leaving it early does not cancel the turn.

    Entering raises ValueError for a session that is not idle, and RuntimeError the second time. Iteration raises
    RuntimeError outside of the block and for a connection that ends before the turn, and the errors of requests.
    """

    def __enter__(self) -> Self:
        self._enter()
        self._check_idle(self._sessions.retrieve(self._session_id, **self._options))
        self._raw = self._sessions.events.stream(self._session_id, **self._options)
        try:
            self._sessions.events.create(self._session_id, **self._input)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[AgentSessionEvent]:
        return self

    def __next__(self) -> AgentSessionEvent:
        self._check_entered()
        if self._over:
            self.close()
            raise StopIteration
        answer_call_blocking(self._reader.tools, self._sessions.events)
        while True:
            try:
                event = next(self._raw)
            except StopIteration:
                raise _ended_early() from None
            if self._is_new(event):
                self._reader.note(event)
                found: AgentSessionEvent = event
                return found

    def until_done(self) -> None:
        """Reads the events to their end. Handlers run."""
        for _ in self:
            pass

    def get_final_result(self) -> AgentTurnResult[AgentOutputT]:
        """Reads the events to their end, closes the stream, and returns the result of the turn. Handlers run.

        Raises AgentTurnResultError for a turn without a result, AgentOutputParseError for a text that does not fit,
        and RuntimeError if events were read without `with_result_collection`.
        """
        collection = self._reader.collect()
        try:
            return collection.read(self)
        finally:
            self.close()

    def close(self) -> None:
        """Drops the connection. The turn goes on."""
        self._closed = True
        if self._raw is not None:
            self._raw.close()


class AsyncAgentSessionStream(_OneTurn, Generic[AgentOutputT]):
    """The context manager that `sessions.stream` of the async client returns, and the iterator over its events.

    Entering it sends the input to the idle session. It ends with the turn that the input begins. Calls of functions
    with a handler are answered before the next event is read. Leaving it early does not cancel the turn.

    Entering raises ValueError for a session that is not idle, and RuntimeError the second time. Iteration raises
    RuntimeError outside of the block and for a connection that ends before the turn, and the errors of requests.
    """

    async def __aenter__(self) -> Self:
        self._enter()
        self._check_idle(await self._sessions.retrieve(self._session_id, **self._options))
        self._raw = await self._sessions.events.stream(self._session_id, **self._options)
        try:
            await self._sessions.events.create(self._session_id, **self._input)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[AgentSessionEvent]:
        return self

    async def __anext__(self) -> AgentSessionEvent:
        self._check_entered()
        if self._over:
            await self.close()
            raise StopAsyncIteration
        await answer_call(self._reader.tools, self._sessions.events)
        while True:
            try:
                event = await self._raw.__anext__()
            except StopAsyncIteration:
                raise _ended_early() from None
            if self._is_new(event):
                self._reader.note(event)
                found: AgentSessionEvent = event
                return found

    async def until_done(self) -> None:
        """Reads the events to their end. Handlers run."""
        async for _ in self:
            pass

    async def get_final_result(self) -> AgentTurnResult[AgentOutputT]:
        """Reads the events to their end, closes the stream, and returns the result of the turn. Handlers run.

        Raises AgentTurnResultError for a turn without a result, AgentOutputParseError for a text that does not fit,
        and RuntimeError if events were read without `with_result_collection`.
        """
        collection = self._reader.collect()
        try:
            return await collection.read_async(self)
        finally:
            await self.close()

    async def close(self) -> None:
        """Drops the connection. The turn goes on."""
        self._closed = True
        if self._raw is not None:
            await self._raw.close()

    aclose = close


def _messages(given: Any) -> list[Any]:
    """Returns the input as a list of messages. Raises ValueError for an empty one, TypeError for other values."""
    if isinstance(given, str):
        text = {"type": "input_text", "text": given}
        found: list[Any] = [{"role": "user", "content": [text]}] if given else []
    elif hasattr(given, "__iter__") and not (is_mapping(given) or isinstance(given, (bytes, bytearray))):
        found = list(given)
    else:
        raise TypeError(f"`input` is a str or a list of messages, not {type(given).__name__}")
    if not found:
        raise ValueError("`input` must not be empty")
    return found


def _ended_early() -> RuntimeError:
    return RuntimeError("The event stream of the session ended before its turn did; the turn may go on")


def stream_session(
    sessions: Any, /, session_id: str, **given: Any
) -> AgentSessionStream[Any] | AsyncAgentSessionStream[Any]:
    """`sessions.stream`: sends an input to an idle session, and follows the turn that it begins.

    Makes no request before its block is entered. Raises ValueError for an empty input, TypeError for wrong types.
    """
    kind: Any = AgentSessionStream if sessions._blocking else AsyncAgentSessionStream
    stream: AgentSessionStream[Any] | AsyncAgentSessionStream[Any] = kind(sessions, session_id, **given)
    return stream
