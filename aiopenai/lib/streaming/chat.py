"""`chat.completions.stream`: a chat stream's chunks, as events that say what they mean and with all that came so far.

`ChatCompletionStreamState` is the logic, without any I/O: chunks in, events out. It notes what each chunk adds;
completions (snapshots, parsed content, texts so far) are built when somebody looks, as of the moment that is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeAlias, cast

import msgspec
from typing_extensions import TypeVar

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.lenient import fitter
from aiopenai._data.structs import Model
from aiopenai.errors import ContentFilterFinishReasonError, LengthFinishReasonError
from aiopenai.lib.streaming.growing import (
    MISSING,
    Entries,
    Event,
    OnlyKnown,
    Strings,
    Tree,
    Value,
    late,
)
from aiopenai.lib.streaming.partial_json import parse_partial
from aiopenai.lib.streaming.wrappers import AsyncEvents, AsyncManager, Events, Manager, with_headers
from aiopenai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionTokenLogprob,
    ParsedChatCompletion,
    ParsedChatCompletionMessage,
    ParsedChoice,
)

__all__ = [
    "AsyncChatCompletionStream",
    "AsyncChatCompletionStreamManager",
    "ChatCompletionStream",
    "ChatCompletionStreamEvent",
    "ChatCompletionStreamManager",
    "ChatCompletionStreamState",
    "ChunkEvent",
    "ContentDeltaEvent",
    "ContentDoneEvent",
    "FunctionToolCallArgumentsDeltaEvent",
    "FunctionToolCallArgumentsDoneEvent",
    "LogprobsContentDeltaEvent",
    "LogprobsContentDoneEvent",
    "LogprobsRefusalDeltaEvent",
    "LogprobsRefusalDoneEvent",
    "ParsedChatCompletionMessageSnapshot",
    "ParsedChatCompletionSnapshot",
    "ParsedChoiceSnapshot",
    "RefusalDeltaEvent",
    "RefusalDoneEvent",
    "stream",
]

ResponseFormatT = TypeVar("ResponseFormatT", default=None)

ParsedChatCompletionSnapshot: TypeAlias = ParsedChatCompletion[object]
ParsedChatCompletionMessageSnapshot: TypeAlias = ParsedChatCompletionMessage[object]
ParsedChoiceSnapshot: TypeAlias = ParsedChoice[object]


class _Event(Model, metaclass=Event, kw_only=False):
    # A C function that does nothing: nobody decodes these, so there is nothing to remember of them.
    __post_init__: ClassVar[Any] = id  # type: ignore[misc]


@late("snapshot")
class ChunkEvent(_Event, tag_field="type", tag="chunk", kw_only=False):
    """Comes first for every chunk; `snapshot` is the completion up to it."""

    type: Literal["chunk"]
    chunk: ChatCompletionChunk
    snapshot: ParsedChatCompletionSnapshot


@late("snapshot", "parsed")
class ContentDeltaEvent(_Event, tag_field="type", tag="content.delta", kw_only=False):
    """More content; `snapshot` is all of it so far, `parsed` what the JSON so far holds (with a response format)."""

    type: Literal["content.delta"]
    delta: str
    snapshot: str
    parsed: object | None


class ContentDoneEvent(_Event, Generic[ResponseFormatT], tag_field="type", tag="content.done", kw_only=False):
    """The content is whole."""

    type: Literal["content.done"]
    content: str
    parsed: ResponseFormatT | None


@late("snapshot")
class RefusalDeltaEvent(_Event, tag_field="type", tag="refusal.delta", kw_only=False):
    """More of a refusal; `snapshot` is all of it so far."""

    type: Literal["refusal.delta"]
    delta: str
    snapshot: str


class RefusalDoneEvent(_Event, tag_field="type", tag="refusal.done", kw_only=False):
    """The refusal is whole."""

    type: Literal["refusal.done"]
    refusal: str


@late("arguments", "parsed_arguments")
class FunctionToolCallArgumentsDeltaEvent(
    _Event, tag_field="type", tag="tool_calls.function.arguments.delta", kw_only=False
):
    """More of a tool call's arguments; `arguments` is their JSON so far, `parsed_arguments` what that holds."""

    type: Literal["tool_calls.function.arguments.delta"]
    name: str
    index: int
    arguments: str
    parsed_arguments: object
    arguments_delta: str


class FunctionToolCallArgumentsDoneEvent(
    _Event, tag_field="type", tag="tool_calls.function.arguments.done", kw_only=False
):
    """A tool call's arguments are whole."""

    type: Literal["tool_calls.function.arguments.done"]
    name: str
    index: int
    arguments: str
    parsed_arguments: object


@late("snapshot")
class LogprobsContentDeltaEvent(_Event, tag_field="type", tag="logprobs.content.delta", kw_only=False):
    """Log probabilities of more content; `snapshot` has all of them so far."""

    type: Literal["logprobs.content.delta"]
    content: list[ChatCompletionTokenLogprob]
    snapshot: list[ChatCompletionTokenLogprob]


class LogprobsContentDoneEvent(_Event, tag_field="type", tag="logprobs.content.done", kw_only=False):
    """The content's log probabilities are whole."""

    type: Literal["logprobs.content.done"]
    content: list[ChatCompletionTokenLogprob]


@late("snapshot")
class LogprobsRefusalDeltaEvent(_Event, tag_field="type", tag="logprobs.refusal.delta", kw_only=False):
    """Log probabilities of more of a refusal; `snapshot` has all of them so far."""

    type: Literal["logprobs.refusal.delta"]
    refusal: list[ChatCompletionTokenLogprob]
    snapshot: list[ChatCompletionTokenLogprob]


class LogprobsRefusalDoneEvent(_Event, tag_field="type", tag="logprobs.refusal.done", kw_only=False):
    """The refusal's log probabilities are whole."""

    type: Literal["logprobs.refusal.done"]
    refusal: list[ChatCompletionTokenLogprob]


ChatCompletionStreamEvent: TypeAlias = (
    ChunkEvent
    | ContentDeltaEvent
    | ContentDoneEvent[ResponseFormatT]
    | RefusalDeltaEvent
    | RefusalDoneEvent
    | FunctionToolCallArgumentsDeltaEvent
    | FunctionToolCallArgumentsDoneEvent
    | LogprobsContentDeltaEvent
    | LogprobsContentDoneEvent
    | LogprobsRefusalDeltaEvent
    | LogprobsRefusalDoneEvent
)

# Events are made at C speed, and take their fields by position: the metaclass is not what type checkers think.
_chunk: Any = ChunkEvent
_content_delta: Any = ContentDeltaEvent
_content_done: Any = ContentDoneEvent
_refusal_delta: Any = RefusalDeltaEvent
_refusal_done: Any = RefusalDoneEvent
_arguments_delta: Any = FunctionToolCallArgumentsDeltaEvent
_arguments_done: Any = FunctionToolCallArgumentsDoneEvent
_logprobs_delta: dict[str, Any] = {"content": LogprobsContentDeltaEvent, "refusal": LogprobsRefusalDeltaEvent}
_logprobs_done: dict[str, Any] = {"content": LogprobsContentDoneEvent, "refusal": LogprobsRefusalDoneEvent}


# The part of a chunk that nearly all chunks consist of: see `OnlyKnown`.
class _PlainFunction(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str | None = None
    arguments: str | None = None


class _PlainToolCall(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    index: int
    id: str | None = None
    type: str | None = None
    function: _PlainFunction | None = None


class _PlainDelta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    content: str | None = None
    role: str | None = None
    refusal: str | None = None
    tool_calls: list[_PlainToolCall] | None = None


class _PlainChoice(msgspec.Struct, gc=False):
    index: int
    delta: _PlainDelta


class _PlainChunk(msgspec.Struct, gc=False):
    choices: list[_PlainChoice]


_MESSAGE_FIELDS = dict.fromkeys(("content", "refusal", "role", "annotations", "audio", "function_call"))


class _ToolCall:
    """One tool call of a choice."""

    __slots__ = ("_found", "_since", "_tools", "arguments", "index", "name", "parsed", "parsed_since", "tree")

    def __init__(self, index: int, moment: int, delta: Mapping[str, Any], tools: list[Any]) -> None:
        self.index = index
        self._since = moment
        self.tree = Tree(moment, delta)
        self._tools = tools
        # Not looked for yet.
        self._found: Any = MISSING
        # What the whole arguments were parsed into, and when.
        self.parsed: Any = None
        self.parsed_since: int | None = None
        self.arguments: Strings | None = None
        self.name: Strings | None = None
        self._look()

    def _look(self) -> None:
        function = self.tree.nodes.get("function")
        if isinstance(function, Tree):
            self.arguments = function.strings("arguments")
            self.name = function.strings("name")

    def merge(self, moment: int, delta: Mapping[str, Any]) -> None:
        """Take any delta."""
        self.tree.merge(moment, delta)
        self._look()

    @property
    def is_function(self) -> bool:
        """Whether it calls a function: servers that do not say of what kind it is mean that."""
        kind = self.tree.nodes.get("type")
        if isinstance(kind, Value) and kind.last is not None:
            return bool(kind.last == "function")
        return "function" in self.tree.nodes

    @property
    def function_name(self) -> str:
        """The function's name so far."""
        return self.name.cut(self.name.size) if self.name is not None else ""

    @property
    def _strict(self) -> bool:
        if self._found is MISSING:
            if self.name is None or not self._tools:
                return False
            from aiopenai.lib.parsing import get_input_tool_by_name

            self._found = get_input_tool_by_name(input_tools=self._tools, name=self.function_name)
        return bool(self._found and self._found.get("function", {}).get("strict"))

    def cut(self, size: int) -> Any:
        """What the first `size` characters of the arguments hold, if the tool is a strict one."""
        if size <= 0 or self.arguments is None or not self._strict:
            return None
        return parse_partial(self.arguments.cut(size))

    def upto(self, moment: int) -> Any:
        """The tool call as it was at a moment, as plain values."""
        plain = self.tree.upto(moment)
        if plain is not MISSING and self.is_function and is_mapping(function := plain.get("function")):
            whole = self.parsed_since is not None and self.parsed_since <= moment
            size = -1 if self.arguments is None else self.arguments.size_at(moment)
            parsed = self.parsed if whole else self.cut(size)
            if parsed is not None or moment > self._since:
                plain["function"] = {**function, "parsed_arguments": parsed}
            plain["type"] = plain.get("type") or "function"
        return plain


class _Choice:
    """One choice of a completion."""

    __slots__ = (
        "_done",
        "_done_tools",
        "_finish_reason",
        "_head",
        "_logprobs",
        "_logprobs_head",
        "_logprobs_since",
        "_merged_since",
        "_open",
        "_parsed",
        "_parsed_since",
        "_partly",
        "_tool",
        "_tools",
        "content",
        "index",
        "message",
        "refusal",
        "since",
        "tool_calls",
    )

    def __init__(self, index: int, moment: int, head: dict[str, Any], tools: list[Any], partly: bool) -> None:
        self.index = index
        self.since = moment
        self._tools = tools
        # Whether the JSON so far is shown.
        self._partly = partly
        for name in ("delta", "logprobs", "finish_reason"):
            head.pop(name, None)
        self._head = head
        # When the second delta came.
        self._merged_since: int | None = None
        self._finish_reason = Value(moment, None)
        self._open = True
        self.message = Tree(moment, {})
        self.content: Strings | None = None
        self.refusal: Strings | None = None
        self.tool_calls: dict[int, _ToolCall] = {}
        self._logprobs_head: dict[str, Any] = {}
        self._logprobs_since: int | None = None
        self._logprobs: dict[str, Entries] = {}
        # What was announced as whole; the tool call that is being received; what the content was parsed into, and when.
        self._done: set[str] = set()
        self._done_tools: set[int] = set()
        self._tool: int | None = None
        self._parsed: Any = None
        self._parsed_since: int | None = None

    def take(self, moment: int, part: Any, plain: bool) -> None:
        """Note what a chunk's choice adds; `plain` if it has nothing but the usual."""
        delta = part.delta
        # Of the first delta, what is null is kept too.
        first = moment == self.since
        if self._merged_since is None and not first:
            self._merged_since = moment
        if plain and not first:
            text = delta.content
            if text is not None:
                if self.content is None:
                    self.content = self._begin("content")
                self.content.add(moment, text)
            if delta.role is not None:
                self.message.merge(moment, {"role": delta.role})
            if (text := delta.refusal) is not None:
                if self.refusal is None:
                    self.refusal = self._begin("refusal")
                self.refusal.add(moment, text)
            if delta.tool_calls:
                for call in delta.tool_calls:
                    self._take_call(moment, call)
        elif isinstance(delta, Model):
            self._take_all(moment, delta.to_dict())
        if part.finish_reason:
            self._open = False
            self._finish_reason.merge(moment, part.finish_reason)
        if part.logprobs is not None:
            self._take_logprobs(moment, part.logprobs)

    def flows(self, part: Any) -> bool:
        """Whether a usual choice adds content only, to content that was begun."""
        delta = part.delta
        return (
            delta.content is not None
            and self.content is not None
            and self._merged_since is not None
            and part.finish_reason is None
            and part.logprobs is None
            and delta.tool_calls is None
            and delta.role is None
            and delta.refusal is None
            and self._open
        )

    def take_content(self, moment: int, text: str) -> Any:
        """Note such content; the event that it causes."""
        content = cast("Strings", self.content)
        size = content.add(moment, text)
        return _content_delta(text, (content, size), (self, size) if self._partly else None)

    def _begin(self, name: str) -> Strings:
        strings = Strings()
        self.message.nodes[name] = strings
        return strings

    def _take_call(self, moment: int, delta: Any) -> None:
        function = delta.function
        call = self.tool_calls.get(delta.index)
        if call is not None and call.arguments is not None and delta.id is None and delta.type is None:
            if function is None:
                return
            if function.name is None:
                if function.arguments is not None:
                    call.arguments.add(moment, function.arguments)
                return
        plain = {"index": delta.index, "id": delta.id, "function": None, "type": delta.type}
        if function is not None:
            plain["function"] = _given(name=function.name, arguments=function.arguments)
        self._merge_call(moment, delta.index, _given(**plain))

    def _merge_call(self, moment: int, index: int, plain: dict[str, Any]) -> None:
        call = self.tool_calls.get(index)
        if call is None:
            self.tool_calls[index] = _ToolCall(index, moment, plain, self._tools)
        else:
            call.merge(moment, plain)

    def _take_all(self, moment: int, delta: dict[str, Any]) -> None:
        calls = delta.pop("tool_calls", None)
        self.message.merge(moment, delta)
        self.content = self.message.strings("content")
        self.refusal = self.message.strings("refusal")
        for plain in calls if is_list(calls) else ():
            if is_mapping(plain):
                index = self._index_of(plain)
                self._merge_call(moment, index, {"index": index, **_given(**plain)})

    def _index_of(self, call: Mapping[str, Any]) -> int:
        """Which tool call a delta belongs to: some servers do not number them."""
        index = call.get("index")
        if isinstance(index, int):
            return index
        latest = max(self.tool_calls, default=-1)
        if (name := call.get("id")) is None:
            return max(latest, 0)
        for number, known in self.tool_calls.items():
            if (own := known.tree.strings("id")) is not None and own.cut(own.size) == name:
                return number
        return latest + 1

    def _take_logprobs(self, moment: int, logprobs: Any) -> None:
        first = self._logprobs_since is None
        if first:
            self._logprobs_since = moment
        for name in ("content", "refusal"):
            entries = getattr(logprobs, name, None)
            if is_list(entries) and (entries or first):
                if name not in self._logprobs:
                    self._logprobs[name] = Entries()
                self._logprobs[name].add(moment, entries)

    @property
    def finish_reason(self) -> str | None:
        """Why it ended, if it has."""
        reason: str | None = self._finish_reason.last
        return reason

    def cut(self, size: int) -> Any:
        """What the first `size` characters of the content hold."""
        if not self._partly or self.content is None or self.refusal is not None:
            return None
        content = self.content.cut(size)
        return parse_partial(content) if content.lstrip() else None

    def upto(self, moment: int) -> dict[str, Any]:
        """The choice as it was at a moment, as plain values."""
        message: dict[str, Any] = self.message.upto(moment)
        every = [self.tool_calls[index].upto(moment) for index in sorted(self.tool_calls)]
        calls = [call for call in every if call is not MISSING]
        if self._merged_since is not None and self._merged_since <= moment:
            # As in the reference, which fills in what the deltas do not have when it adds the second to the first.
            message = {**_MESSAGE_FIELDS, "tool_calls": None, **message}
        if calls:
            message["tool_calls"] = calls
        if self._parsed_since is not None and self._parsed_since <= moment:
            message["parsed"] = self._parsed
        elif self._partly and self.content is not None and (size := self.content.size_at(moment)) > 0:
            message["parsed"] = self.cut(size)
        plain = {**self._head, "finish_reason": self._finish_reason.upto(moment), "message": message, "logprobs": None}
        if self._logprobs_since is not None and self._logprobs_since <= moment:
            plain["logprobs"] = {
                name: None if (log := self._logprobs.get(name)) is None or (now := log.upto(moment)) is MISSING else now
                for name in ("content", "refusal")
            }
        return plain

    def events(self, moment: int, part: Any, response_format: Any) -> Iterable[Any]:
        """The events that a chunk's choice causes, after it was taken."""
        delta = part.delta
        if (text := getattr(delta, "content", None)) is not None and self.content is not None:
            size = self.content.size
            yield _content_delta(text, (self.content, size), (self, size) if self._partly else None)
        if (text := getattr(delta, "refusal", None)) is not None and self.refusal is not None:
            yield _refusal_delta(text, (self.refusal, self.refusal.size))
        calls: Any = getattr(delta, "tool_calls", None)
        if not is_list(calls):
            calls = ()
        for call_delta in calls:
            call = self._call_of(call_delta)
            function = getattr(call_delta, "function", None)
            if call is not None and call.is_function and function is not None:
                size = -1 if call.arguments is None else call.arguments.size
                arguments = "" if call.arguments is None else (call.arguments, size)
                piece = getattr(function, "arguments", None) or ""
                yield _arguments_delta(call.function_name, call.index, arguments, (call, size), piece)
        if part.logprobs is not None:
            for name, log in self._logprobs.items():
                if entries := getattr(part.logprobs, name, None):
                    yield _logprobs_delta[name](entries, (log, log.size))
        if self.finish_reason:
            yield from self._content_done(moment, response_format)
            if self._tool is not None:
                yield from self._tool_done(moment, self._tool)
        for call_delta in calls:
            call = self._call_of(call_delta)
            if call is None or call.index == self._tool:
                continue
            yield from self._content_done(moment, response_format)
            if self._tool is not None:
                yield from self._tool_done(moment, self._tool)
            self._tool = call.index

    def _call_of(self, delta: Any) -> _ToolCall | None:
        index: Any = getattr(delta, "index", None)
        if not isinstance(index, int):
            index = self._index_of({"id": getattr(delta, "id", None)})
        return self.tool_calls.get(index)

    def _content_done(self, moment: int, response_format: Any) -> Iterable[Any]:
        if "content" not in self._done and self.content is not None and self.content.size:
            self._done.add("content")
            content = self.content.cut(self.content.size)
            if self._partly:
                from aiopenai.lib.parsing import maybe_parse_content

                message = fitter(ParsedChatCompletionMessage)(self.message.upto(moment))
                self._parsed = maybe_parse_content(response_format=response_format, message=message)
            self._parsed_since = moment
            yield _content_done(content, self._parsed)
        if "refusal" not in self._done and self.refusal is not None:
            self._done.add("refusal")
            yield _refusal_done(self.refusal.cut(self.refusal.size))
        for name, log in self._logprobs.items():
            if f"logprobs.{name}" not in self._done:
                self._done.add(f"logprobs.{name}")
                yield _logprobs_done[name](log.cut(log.size))

    def _tool_done(self, moment: int, index: int) -> Iterable[Any]:
        call = self.tool_calls[index]
        if index in self._done_tools or not call.is_function:
            return
        self._done_tools.add(index)
        arguments = "" if call.arguments is None else call.arguments.cut(call.arguments.size)
        if self._tools:
            from aiopenai.lib.parsing import parse_function_tool_arguments
            from aiopenai.types.chat import ParsedFunction

            function = ParsedFunction(name=call.function_name, arguments=arguments)
            call.parsed = parse_function_tool_arguments(input_tools=self._tools, function=function)
        call.parsed_since = moment
        yield _arguments_done(call.function_name, index, arguments, call.parsed)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class ChatCompletionStreamState(Generic[ResponseFormatT]):
    """Accumulates the chunks of a chat stream, for those who iterate over the stream themselves.

    `response_format` and `input_tools` are those of the request.
    """

    def __init__(self, *, input_tools: Any = omit, response_format: Any = omit) -> None:
        self._input_tools: list[Any] = [] if is_left_out(input_tools) or input_tools is None else [*input_tools]
        self._response_format = response_format
        self._rich = not (is_left_out(response_format) or response_format is None or is_mapping(response_format))
        self._plain = OnlyKnown(_PlainChunk)
        self._moment = 0
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._moderation: Value | None = None
        # What each chunk that had any said of these; mostly it is the last one.
        self._usage = Value(0, None)
        self._last_usage: Any = None
        self._fingerprint = Value(0, None)
        self._last_fingerprint: str | None = None
        self._snapshot: ParsedChatCompletionSnapshot | None = None
        self._parseable: bool | None = None

    def handle_chunk(self, chunk: ChatCompletionChunk) -> list[ChatCompletionStreamEvent[ResponseFormatT]]:
        """Take a chunk; the events that it causes.

        Raises LengthFinishReasonError and ContentFilterFinishReasonError where an answer that was to be parsed ends
        early, and a ValueError for content that does not fit its type, all of them with the `completion` so far.
        """
        self._moment = moment = self._moment + 1
        self._snapshot = None
        if moment == 1:
            self._begin(chunk)
        if (usage := chunk.usage) is not self._last_usage:
            self._last_usage = usage
            self._usage.merge(moment, usage)
        if (fingerprint := chunk.system_fingerprint) != self._last_fingerprint:
            self._last_fingerprint = fingerprint
            self._fingerprint.merge(moment, fingerprint)
        if chunk.moderation is not None:
            if self._moderation is None:
                self._moderation = Value(moment, None)
            self._moderation.merge(moment, chunk.moderation)
        events: list[Any] = [_chunk(chunk, (self, moment))]
        parts = chunk.choices
        if not parts or not is_list(parts):
            return events
        plain = self._plain(chunk)
        if plain and len(parts) == 1:
            # Nearly all chunks: a piece of the content of a choice that is known, and nothing else.
            part = parts[0]
            if (choice := self._choices.get(part.index)) is not None and choice.flows(part):
                events.append(choice.take_content(moment, part.delta.content))
                return events
        taken: list[tuple[_Choice, Any]] = []
        for part in parts:
            if not isinstance(part, Model):
                continue
            # Servers that make one choice only may leave out its number.
            index = part.index if isinstance(part.index, int) else 0
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice(index, moment, part.to_dict(), self._input_tools, self._rich)
            choice.take(moment, part, plain)
            if (reason := part.finish_reason) == "length" or reason == "content_filter":
                self._check(reason)
            taken.append((choice, part))
        try:
            for choice, part in taken:
                events += choice.events(moment, part, self._response_format)
        except ValueError as error:
            # What came and does not fit is not lost.
            cast("Any", error).completion = self.current_completion_snapshot
            raise
        return events

    def _begin(self, chunk: ChatCompletionChunk) -> None:
        head = chunk.to_dict()
        for name in ("obfuscation", "choices", "moderation"):
            head.pop(name, None)
        self._head = {"system_fingerprint": None, **head, "object": "chat.completion"}

    def _check(self, reason: str) -> None:
        """Raise where what was to be parsed ends early."""
        if self._parseable is None:
            from aiopenai.lib.parsing import has_parseable_input

            self._parseable = has_parseable_input(
                response_format=self._response_format if self._rich else omit, input_tools=self._input_tools
            )
        if self._parseable:
            raise _CUT_SHORT[reason](completion=self.current_completion_snapshot)

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletionSnapshot:
        """The completion as far as it has come. Raises RuntimeError before the first chunk."""
        if self._snapshot is None:
            if not self._moment:
                raise RuntimeError("no chunk has come yet")
            self._snapshot = self.cut(self._moment)
        return self._snapshot

    def cut(self, size: int) -> ParsedChatCompletionSnapshot:
        """The completion as it was after `size` chunks."""
        plain = dict(self._head)
        plain["choices"] = [
            self._choices[index].upto(size) for index in sorted(self._choices) if self._choices[index].since <= size
        ]
        if size > 1:
            plain["usage"] = self._usage.upto(size)
            plain["system_fingerprint"] = self._fingerprint.upto(size)
        if self._moderation is not None and (moderation := self._moderation.upto(size)) is not MISSING:
            plain["moderation"] = moderation
        return cast("ParsedChatCompletionSnapshot", _fit_completion(plain))

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion, with what its content and tool calls were parsed into. For a stream that has ended."""
        from aiopenai.lib.parsing import parse_chat_completion

        return parse_chat_completion(
            chat_completion=self.current_completion_snapshot,
            response_format=self._response_format if self._rich else omit,
            input_tools=self._input_tools,
        )


_CUT_SHORT: dict[str, Any] = {
    "length": LengthFinishReasonError,
    "content_filter": ContentFilterFinishReasonError,
}
_fit_completion = fitter(ParsedChatCompletion)


def _handler(state: ChatCompletionStreamState[Any]) -> Callable[[Any], Sequence[Any]]:
    handle = state.handle_chunk

    def events(chunk: Any) -> Sequence[Any]:
        # Azure's asynchronous content filter sends objects that are no chunks, and says so here only.
        return handle(chunk) if getattr(chunk, "object", None) == "chat.completion.chunk" else ()

    return events


class ChatCompletionStream(Events[ChatCompletionStreamEvent[ResponseFormatT]], Generic[ResponseFormatT]):
    """The events of a chat stream, and the completion that they make."""

    def __init__(self, *, raw_stream: Any, response_format: Any = omit, input_tools: Any = omit) -> None:
        self._state: ChatCompletionStreamState[ResponseFormatT] = ChatCompletionStreamState(
            response_format=response_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _handler(self._state))

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletionSnapshot:
        """The completion as far as it has come."""
        return self._state.current_completion_snapshot

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Read the stream to its end; the completion. Raises what `handle_chunk` of the state raises."""
        self.until_done()
        return self._state.get_final_completion()


class AsyncChatCompletionStream(AsyncEvents[ChatCompletionStreamEvent[ResponseFormatT]], Generic[ResponseFormatT]):
    """The events of a chat stream, and the completion that they make."""

    def __init__(self, *, raw_stream: Any, response_format: Any = omit, input_tools: Any = omit) -> None:
        self._state: ChatCompletionStreamState[ResponseFormatT] = ChatCompletionStreamState(
            response_format=response_format, input_tools=input_tools
        )
        super().__init__(raw_stream, _handler(self._state))

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletionSnapshot:
        """The completion as far as it has come."""
        return self._state.current_completion_snapshot

    async def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Read the stream to its end; the completion. Raises what `handle_chunk` of the state raises."""
        await self.until_done()
        return self._state.get_final_completion()


class ChatCompletionStreamManager(Manager[ChatCompletionStream[ResponseFormatT]], Generic[ResponseFormatT]):
    """`with client.chat.completions.stream(...) as stream:`"""

    def __init__(self, api_request: Callable[[], Any], *, response_format: Any = omit, input_tools: Any = omit) -> None:
        def wrap(raw: Any) -> ChatCompletionStream[ResponseFormatT]:
            return ChatCompletionStream(raw_stream=raw, response_format=response_format, input_tools=input_tools)

        super().__init__(api_request, wrap)


class AsyncChatCompletionStreamManager(
    AsyncManager[AsyncChatCompletionStream[ResponseFormatT]], Generic[ResponseFormatT]
):
    """`async with client.chat.completions.stream(...) as stream:`"""

    def __init__(self, api_request: Awaitable[Any], *, response_format: Any = omit, input_tools: Any = omit) -> None:
        def wrap(raw: Any) -> AsyncChatCompletionStream[ResponseFormatT]:
            return AsyncChatCompletionStream(raw_stream=raw, response_format=response_format, input_tools=input_tools)

        super().__init__(api_request, wrap)


def stream(
    resource: Any, /, **arguments: Any
) -> AsyncChatCompletionStreamManager[Any] | ChatCompletionStreamManager[Any]:
    """`chat.completions.stream`: what `create` takes; `response_format` may be a type to parse the content into."""
    from aiopenai.lib.parsing import type_to_response_format_param

    response_format = arguments.get("response_format", omit)
    input_tools = arguments.get("tools", omit)
    if not is_left_out(input_tools) and input_tools is not None:
        # It may be an iterator, and is needed twice.
        arguments["tools"] = input_tools = [*input_tools]
    if not is_left_out(response_format):
        arguments["response_format"] = type_to_response_format_param(response_format)
    request = resource.create.request(**arguments, stream=True)
    with_headers(request, {"X-Stainless-Helper-Method": "chat.completions.stream"})
    if resource._mode.blocking:
        return ChatCompletionStreamManager(
            lambda: resource._call(request), response_format=response_format, input_tools=input_tools
        )
    return AsyncChatCompletionStreamManager(
        resource._call(request), response_format=response_format, input_tools=input_tools
    )
