"""The result of one turn of an agent, collected from the events of its session."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, cast

import msgspec
from typing_extensions import TypeVar

from aiopenai._base.aliases import is_list
from aiopenai._data.codec import Decoder
from aiopenai.errors import OpenAIError
from aiopenai.lib.running._records import plain
from aiopenai.lib.schema import validate_json

if TYPE_CHECKING:
    from aiopenai.types.beta import AgentSessionMessage
    from aiopenai.types.beta.agents.sessions import Turn

__all__ = [
    "AgentOutputParseError",
    "AgentOutputT",
    "AgentTurnResult",
    "AgentTurnResultError",
    "ResultCollection",
    "ResultErrorReason",
    "TurnTracker",
]

AgentOutputT = TypeVar("AgentOutputT", default=None)
ParsedT = TypeVar("ParsedT")

ResultErrorReason: TypeAlias = Literal["failed", "cancelled", "requires_action", "incomplete", "observation_failed"]
"""The reason for which a turn has no result."""

_ENDS = {f"agent.session.turn.{status}": status for status in ("completed", "failed", "cancelled")}
_PLACE = re.compile(r"^(?P<told>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


@dataclass(frozen=True)
class AgentTurnResult(Generic[AgentOutputT]):
    """The result of a completed turn: the turn, its final messages, and the value of their text.

    `output_parsed` is None without an `output_type`.
    """

    turn: Turn
    messages: list[AgentSessionMessage]
    output_parsed: AgentOutputT | None = None

    @property
    def session_id(self) -> str:
        """The session of the turn."""
        return self.turn.session_id

    @property
    def turn_id(self) -> str:
        """The id of the turn."""
        return self.turn.id

    @property
    def output_text(self) -> str:
        """The texts of the messages, joined without separators."""
        return "".join(_texts(self.messages))

    def parse(self, output_type: type[ParsedT]) -> AgentTurnResult[ParsedT]:
        """Returns the result with its text as an object of a type. Every text part has to fit; the first one counts.

        Raises AgentOutputParseError for a text that does not fit, and for a result without text.
        """
        try:
            parsed = [validate_json(output_type, text) for text in _texts(self.messages)]
        except (TypeError, ValueError):
            # Their messages quote the text.
            parsed = []
        if not parsed:
            raise AgentOutputParseError(self) from None
        return cast("AgentTurnResult[ParsedT]", replace(self, output_parsed=parsed[0]))


class AgentOutputParseError(OpenAIError):
    """A turn that completed with a text that does not fit its `output_type`. `result` is the result without it."""

    def __init__(self, result: AgentTurnResult[Any]) -> None:
        super().__init__("The output of the completed turn does not fit the output type; see `result`")
        self.result = result

    def __reduce__(self) -> tuple[type[AgentOutputParseError], tuple[AgentTurnResult[Any]]]:
        return type(self), (self.result,)


class AgentTurnResultError(OpenAIError):
    """A turn without a result. `messages` holds the final messages that arrived.

    `reason` is `failed` (the turn or its session), `cancelled`, `requires_action` (`required_actions` has an action
    that no handler takes), `incomplete` (the stream ended without a completed turn), or `observation_failed` (reading
    failed with `__cause__`). A turn of the last three kinds may go on.
    """

    def __init__(
        self,
        reason: ResultErrorReason,
        *,
        turn: Turn | None,
        session_id: str | None,
        messages: list[AgentSessionMessage],
        required_actions: list[Any],
    ) -> None:
        super().__init__(f"The turn of the agent has no result: {reason}")
        self.reason = reason
        self.turn = turn
        self.turn_id = None if turn is None else turn.id
        self.session_id = session_id
        self.messages = messages
        self.required_actions = required_actions

    def __reduce__(self) -> Any:
        named = {name: getattr(self, name) for name in ("turn", "session_id", "messages", "required_actions")}
        return _rebuilt, (self.reason, named)


def _rebuilt(reason: ResultErrorReason, named: dict[str, Any]) -> AgentTurnResultError:
    return AgentTurnResultError(reason, **named)


class TurnTracker:
    """The own turn of a stream: the first that is no subagent's.

    `over` is true after the event that ends the stream of one turn: the failure of the session, its first idle event
    after the end of the own turn, or the end of its budget outside of a turn.
    """

    def __init__(self, session_id: str | None) -> None:
        self.session_id = session_id
        self.turn: Any = None
        self.ending: str | None = None
        """How the turn ended: `completed`, `failed` or `cancelled`. None before its end."""
        self.session_failed = False
        self.over = False

    def note(self, event: Any) -> None:
        """Takes an event into account."""
        kind: str = getattr(event, "type", None) or ""
        about: Any = getattr(event, "session", None)
        if self.session_id is None:
            self.session_id = getattr(about, "id", None) or getattr(event, "session_id", None)
        if kind == "agent.session.turn.created":
            if self.turn is None and getattr(event.turn, "subagent_id", None) is None:
                self.turn = event.turn
        elif kind in _ENDS:
            if self.turn is not None and event.turn.id == self.turn.id:
                self.turn = event.turn
                self.ending = _ENDS[kind]
        elif kind == "agent.session.failed":
            self.session_failed = self.over = True
        elif kind == "agent.session.idle":
            self.over = self.over or self.ending is not None
        elif kind == "agent.session.budget_reached" and getattr(about, "id", None) == self.session_id:
            self.over = self.over or self.turn is None or self.ending is not None


class ResultCollection:
    """The final messages of the own turn, and the actions that no handler takes.

    handled: the names of the functions that have handlers.
    output_type: the type of the text of the messages; None for plain text.
    """

    def __init__(self, tracker: TurnTracker, handled: Iterable[str], output_type: Any) -> None:
        self._tracker = tracker
        self._handled = frozenset(handled)
        self._output_type = output_type
        self._messages: dict[str, tuple[int, Any]] = {}
        self._result: AgentTurnResult[Any] | None = None
        self.actions: list[Any] = []
        """The required actions of the session, if one of them has no handler."""

    @property
    def complete(self) -> bool:
        """Whether no further event is needed."""
        return self._tracker.over or bool(self.actions)

    def note(self, event: Any) -> None:
        """Takes an event into account, after the tracker has done so."""
        kind = getattr(event, "type", None)
        if kind == "agent.session.turn.item.done":
            self._note_item(event)
        elif kind == "agent.session.requires_action":
            actions: Any = getattr(event.session, "required_actions", None)
            if is_list(actions) and not all(map(self._takes, actions)):
                self.actions = actions
        elif kind in ("agent.session.in_progress", "agent.session.idle"):
            # The program has taken the action itself.
            self.actions = []

    def _takes(self, action: Any) -> bool:
        return getattr(action, "type", None) == "function_call" and getattr(action, "name", None) in self._handled

    def _note_item(self, event: Any) -> None:
        item, own = event.item, self._tracker.turn
        if own is None or getattr(item, "turn_id", None) != own.id or getattr(item, "type", None) != "message":
            return
        if getattr(item, "status", None) != "completed" or getattr(item, "phase", None) == "commentary":
            return
        index: Any = getattr(event, "output_index", None)
        place = index if isinstance(index, int) else len(self._messages)
        self._messages[str(item.id)] = (place, _as_message(item))

    @property
    def messages(self) -> list[Any]:
        """The messages so far, in the order of the turn's output."""
        return [message for _, message in sorted(self._messages.values(), key=lambda each: each[0])]

    def read(self, events: Iterator[Any]) -> AgentTurnResult[Any]:
        """Reads a stream that notes its events here, until the result is complete, and returns it.

        Raises as `result`, and AgentTurnResultError for an exception of the stream.
        """
        try:
            while not self.complete:
                next(events)
        except StopIteration:
            pass
        except Exception as error:
            raise self.error("observation_failed") from error
        return self.result()

    async def read_async(self, events: AsyncIterator[Any]) -> AgentTurnResult[Any]:
        """Does the same as `read` for a stream of the async client."""
        try:
            while not self.complete:
                await events.__anext__()
        except StopAsyncIteration:
            pass
        except Exception as error:
            raise self.error("observation_failed") from error
        return self.result()

    def result(self) -> AgentTurnResult[Any]:
        """Returns the result. Raises AgentTurnResultError without one, AgentOutputParseError for a wrong text."""
        if self._result is not None:
            return self._result
        tracker = self._tracker
        if self.actions:
            raise self.error("requires_action")
        if tracker.session_failed or tracker.ending == "failed":
            raise self.error("failed")
        if tracker.ending == "cancelled":
            raise self.error("cancelled")
        if tracker.ending is None or not tracker.over:
            raise self.error("incomplete")
        found: AgentTurnResult[Any] = AgentTurnResult(tracker.turn, self.messages)
        self._result = found if self._output_type is None else found.parse(self._output_type)
        return self._result

    def error(self, reason: ResultErrorReason) -> AgentTurnResultError:
        """Returns the error for a turn without a result."""
        tracker = self._tracker
        return AgentTurnResultError(
            reason,
            turn=tracker.turn,
            session_id=tracker.session_id,
            messages=self.messages,
            required_actions=self.actions,
        )


def _as_message(item: Any) -> Any:
    """Returns an item as a message. One that does not fit is kept, with a warning that quotes no value."""
    from aiopenai.types.beta import AgentSessionMessage

    decoder = Decoder.of(AgentSessionMessage)
    raw = json.dumps(plain(item)).encode()
    try:
        return decoder.strict(raw)
    except msgspec.DecodeError as error:
        # Not only a ValidationError: msgspec refuses lone surrogates as malformed.
        warnings.warn(_misfit(error), UserWarning, stacklevel=2)
    return decoder.lenient(raw)


def _misfit(error: msgspec.DecodeError) -> str:
    found = _PLACE.match(str(error))
    assert found is not None
    # Only messages of this kind quote no values.
    told = found["told"] if found["told"].startswith(("Expected `", "Object missing")) else "a value of another type"
    return f"A message of the agent does not fit its type at {found['path'] or '$'}: {told}"


def _texts(messages: Iterable[Any]) -> list[str]:
    """Returns the texts of all parts of messages."""
    texts: list[str] = []
    for message in messages:
        parts: Any = getattr(message, "content", None)
        for part in parts if is_list(parts) else ():
            text: Any = getattr(part, "text", None)
            if getattr(part, "type", None) == "output_text" and isinstance(text, str):
                texts.append(text)
    return texts
