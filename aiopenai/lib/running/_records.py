"""The records of a tool loop: calls, turns, the whole run, its events and its errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias

from typing_extensions import TypeVar

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.dumping import as_sent
from aiopenai.errors import OpenAIError

__all__ = [
    "MaxTurnsError",
    "ToolCallError",
    "ToolExecution",
    "ToolFinishedEvent",
    "ToolRun",
    "ToolRunError",
    "ToolRunEvent",
    "ToolStartedEvent",
    "ToolStatus",
    "ToolTurn",
    "TurnFinishedEvent",
]

ReplyT = TypeVar("ReplyT", default=Any)
UsageT = TypeVar("UsageT", default=Any)

ToolStatus: TypeAlias = Literal[
    "waiting", "running", "completed", "failed", "invalid", "timed_out", "cancelled", "pending"
]


@dataclass
class ToolExecution:
    """One call of a tool by the model, and its result."""

    name: str
    call_id: str
    arguments_json: str
    """The arguments as the model wrote them."""
    item: Any = field(default=None, repr=False)
    """The output item or tool call of the reply."""
    status: ToolStatus = "waiting"
    """`invalid`: the tool is unknown, or the arguments do not fit. `pending`: the program has to answer the call."""
    arguments: Any = None
    """The validated arguments: an object of the tool's type. None for invalid ones and for tools without a type."""
    result: Any = None
    """The value that the tool returned."""
    output: Any = None
    """The text, or the list of content parts, that the model gets."""
    error: BaseException | None = None
    seconds: float = 0.0
    """The time that the tool took, without the wait for a free place."""
    _stop: Callable[[], object] | None = field(default=None, repr=False, compare=False)

    @property
    def is_finished(self) -> bool:
        """Whether the call will not change any more."""
        return self.status not in ("waiting", "running")

    def cancel(self) -> None:
        """Cancels the call alone. The model is told so, and the run goes on. Has no effect on a finished call."""
        if self._stop is not None and not self.is_finished:
            self._stop()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stop": None}


@dataclass
class ToolTurn(Generic[ReplyT]):
    """One request of a run: the reply, and the calls of tools in it."""

    reply: ReplyT
    executions: list[ToolExecution] = field(default_factory=list[ToolExecution])


@dataclass
class ToolRun(Generic[ReplyT, UsageT]):
    """A tool loop as far as it has come."""

    transcript: list[Any]
    """The whole conversation as plain values, for `input` or `messages` of another request."""
    turns: list[ToolTurn[ReplyT]] = field(default_factory=list[ToolTurn[ReplyT]])
    usage: UsageT | None = None
    """The sum of the usage of all turns; None if no reply had any."""

    @property
    def reply(self) -> ReplyT:
        """The last reply. Raises LookupError before the first one."""
        if not self.turns:
            raise LookupError("The run has no reply yet.")
        return self.turns[-1].reply

    @property
    def executions(self) -> list[ToolExecution]:
        """The calls of all turns, in the order of the model."""
        return [execution for turn in self.turns for execution in turn.executions]

    @property
    def pending(self) -> list[ToolExecution]:
        """The calls that the program has to answer itself, which ended the run."""
        return [execution for execution in self.executions if execution.status == "pending"]

    @property
    def output_text(self) -> str:
        """The text of the last reply; empty if it has none."""
        reply: Any = self.turns[-1].reply if self.turns else None
        if (text := getattr(reply, "output_text", None)) is not None:
            return str(text)
        content = getattr(_message(reply), "content", None)
        return content if isinstance(content, str) else ""

    @property
    def output_parsed(self) -> Any:
        """The text of the last reply as an object of the requested format; None without a format."""
        reply: Any = self.turns[-1].reply if self.turns else None
        parsed = getattr(reply, "output_parsed", None)
        return parsed if parsed is not None else getattr(_message(reply), "parsed", None)


def first_choice(reply: Any) -> Any:
    """Returns the first choice of a chat completion; None if there is none."""
    choices: Any = getattr(reply, "choices", None)
    return choices[0] if is_list(choices) and choices else None


def _message(reply: Any) -> Any:
    return getattr(first_choice(reply), "message", None)


def plain(item: Any) -> Any:
    """Returns an item of a reply as plain values, as it goes back to the API."""
    sent = as_sent(item)
    dump: Any = getattr(sent, "model_dump", None)
    return dump(mode="json", by_alias=True, exclude_unset=True) if callable(dump) else sent


def input_item(item: Any) -> Any:
    """Returns an output item as the input item of the next request, without the keys that requests do not take."""
    sent = plain(item)
    if not is_mapping(sent):
        return sent
    return {key: value for key, value in sent.items() if key not in ("created_by", "parsed_arguments")}


class ToolRunError(OpenAIError):
    """A tool loop that ended early; `run` is the run so far. Other errors of a run carry it as `run` too."""

    run: ToolRun[Any, Any]

    def __init__(self, message: str, *, run: ToolRun[Any, Any]) -> None:
        super().__init__(message)
        self.run = run


class MaxTurnsError(ToolRunError):
    """The model asked for tools in each of `max_turns` turns. `run.transcript` has all results and can be continued."""


class ToolCallError(ToolRunError):
    """A call of a tool failed and `raise_errors` is set; `execution` is the call, `__cause__` the error of the tool."""

    def __init__(self, message: str, *, run: ToolRun[Any, Any], execution: ToolExecution) -> None:
        super().__init__(message, run=run)
        self.execution = execution


@dataclass
class ToolStartedEvent:
    """A tool began to run. `execution.cancel()` cancels it."""

    execution: ToolExecution
    type: Literal["tool.started"] = "tool.started"


@dataclass
class ToolFinishedEvent:
    """A call of a tool ended: its status tells how."""

    execution: ToolExecution
    type: Literal["tool.finished"] = "tool.finished"


@dataclass
class TurnFinishedEvent:
    """A turn ended: its reply arrived and all of its calls ended."""

    turn: ToolTurn[Any]
    type: Literal["turn.finished"] = "turn.finished"


ToolRunEvent: TypeAlias = ToolStartedEvent | ToolFinishedEvent | TurnFinishedEvent
"""The events of a streamed run beside those of the API."""
