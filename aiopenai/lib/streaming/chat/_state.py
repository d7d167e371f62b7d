"""`ChatCompletionStreamState`: the logic of a streamed completion without any I/O, chunks in, events out.

The state notes the additions of each chunk. Completions (snapshots, parsed content, texts so far) are built on access,
as of the moment that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, cast

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._data.lenient import fitter
from aiopenai._data.structs import Model, fill_in
from aiopenai.errors import ContentFilterFinishReasonError, LengthFinishReasonError
from aiopenai.lib.streaming.chat._choices import GrowingChoice
from aiopenai.lib.streaming.chat._events import ChatCompletionStreamEvent, ResponseFormatT, new_chunk
from aiopenai.lib.streaming.chat._types import ParsedChatCompletionSnapshot
from aiopenai.lib.streaming.growing import MISSING, OnlyKnown, Value
from aiopenai.types import CompletionUsage
from aiopenai.types.chat import ChatCompletionChunk, ParsedChatCompletion

__all__ = ["ChatCompletionStreamState"]


# The fields of nearly all chunks: see `OnlyKnown`.
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


class ChatCompletionStreamState(Generic[ResponseFormatT]):
    """Accumulates the chunks of a chat stream, for programs that iterate over the stream themselves.

    `response_format` and `input_tools` are those of the request.
    """

    def __init__(self, *, input_tools: Any = omit, response_format: Any = omit) -> None:
        self._input_tools: list[Any] = [] if is_left_out(input_tools) or input_tools is None else [*input_tools]
        self._response_format = response_format
        self._rich = not (is_left_out(response_format) or response_format is None or is_mapping(response_format))
        self._plain = OnlyKnown(_PlainChunk)
        self._moment = 0
        self._head: dict[str, Any] = {}
        # Names that no chunk has had so far, and those that a later one brought.
        self._open_names: list[str] = []
        self._late_head: dict[str, Value] = {}
        self._choices: dict[int, GrowingChoice] = {}
        self._moderation: Value | None = None
        # Null in a later chunk erases neither of them.
        self._usage = Value(0, None)
        self._last_usage: Any = None
        self._fingerprint = Value(0, None)
        self._last_fingerprint: str | None = None
        self._snapshot: ParsedChatCompletionSnapshot | None = None
        self._parseable: bool | None = None

    def handle_chunk(self, chunk: ChatCompletionChunk) -> list[ChatCompletionStreamEvent[ResponseFormatT]]:
        """Takes a chunk, and returns the events that it causes.

        Raises LengthFinishReasonError and ContentFilterFinishReasonError if an answer that is to be parsed ends early,
        and a ValueError for content that does not fit its type. All of them carry the `completion` so far.
        """
        self._moment = moment = self._moment + 1
        self._snapshot = None
        # First of all: `_begin` asks the chunk for its JSON object, and then its batch drops the documents.
        plain = self._plain(chunk)
        if moment == 1:
            self._begin(chunk)
        elif self._open_names:
            self._fill_head(moment, chunk)
        if (usage := chunk.usage) is not self._last_usage and usage is not None:
            self._last_usage = usage
            self._usage.merge(moment, _usage_after(self._usage.last, usage))
        if (fingerprint := chunk.system_fingerprint) != self._last_fingerprint:
            self._last_fingerprint = fingerprint
            self._fingerprint.merge(moment, fingerprint)
        if chunk.moderation is not None:
            if self._moderation is None:
                self._moderation = Value(moment, None)
            self._moderation.merge(moment, chunk.moderation)
        events: list[Any] = [new_chunk(chunk, (self, moment))]
        parts = chunk.choices
        if not parts or parts.__class__ is not list:
            return events
        if plain and len(parts) == 1:
            # Nearly all chunks: a piece of the text of a known choice, and nothing else.
            part = parts[0]
            if (choice := self._choices.get(part.index)) is not None:
                event = choice.text_event(moment, part)
                if event is not None:
                    events.append(event)
                    return events
        self._take_parts(moment, parts, plain, events)
        return events

    def _take_parts(self, moment: int, parts: list[Any], plain: bool, events: list[Any]) -> None:
        """Takes the choices of a chunk, and adds the events that they cause."""
        taken: list[tuple[GrowingChoice, Any]] = []
        for part in parts:
            if not isinstance(part, Model):
                continue
            any_part: Any = part
            # Servers that make one choice only may leave out its number.
            index = any_part.index if isinstance(any_part.index, int) else 0
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = GrowingChoice(moment, part.to_dict(), self._input_tools, self._rich)
            choice.take(moment, any_part, plain)
            if (reason := any_part.finish_reason) == "length" or reason == "content_filter":
                self._check(reason)
            taken.append((choice, any_part))
        try:
            for choice, part in taken:
                events += choice.events(moment, part, self._response_format)
        except ValueError as error:
            # The reply is paid for: the error carries it.
            cast("Any", error).completion = self.current_completion_snapshot
            raise

    def _begin(self, chunk: ChatCompletionChunk) -> None:
        head = chunk.to_dict()
        for name in ("obfuscation", "choices", "moderation"):
            head.pop(name, None)
        self._head = {"system_fingerprint": None, **head, "object": "chat.completion"}
        self._open_names = [name for name in _HEAD_NAMES if not head.get(name)]

    def _fill_head(self, moment: int, chunk: ChatCompletionChunk) -> None:
        """Takes names that the first chunk has not: Azure's holds the results of content filters only."""
        for name in list(self._open_names):
            if value := getattr(chunk, name, None):
                self._late_head[name] = Value(moment, value)
                self._open_names.remove(name)

    def _check(self, reason: str) -> None:
        """Raises if an answer that is to be parsed ends early."""
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
                raise RuntimeError(
                    "There is no completion: no chunk has come. Iterate over the stream, unless it has ended."
                )
            self._snapshot = self.cut(self._moment)
        return self._snapshot

    def cut(self, size: int) -> ParsedChatCompletionSnapshot:
        """Returns the completion as it was after `size` chunks."""
        plain = dict(self._head)
        for name, late in self._late_head.items():
            if (value := late.upto(size)) is not MISSING:
                plain[name] = value
        begun = [index for index in sorted(self._choices) if self._choices[index].since <= size]
        plain["choices"] = [self._choices[index].upto(size) for index in begun]
        if size > 1:
            plain["usage"] = self._usage.upto(size)
            plain["system_fingerprint"] = self._fingerprint.upto(size)
        if self._moderation is not None and (moderation := self._moderation.upto(size)) is not MISSING:
            plain["moderation"] = moderation
        completion = cast("ParsedChatCompletionSnapshot", _fit_completion(plain))
        for index, choice in zip(begun, completion.choices, strict=True):
            if self._choices[index].is_merged(size):
                # As in the reference, which does so when it adds the second delta to the first.
                fill_in(choice.message, _MESSAGE_FIELDS)
        return completion

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """Returns the completion with its content and tool calls parsed, for a stream that has ended."""
        from aiopenai.lib.parsing import parse_chat_completion

        return parse_chat_completion(
            chat_completion=self.current_completion_snapshot,
            response_format=self._response_format if self._rich else omit,
            input_tools=self._input_tools,
        )


def _usage_after(earlier: Any, usage: Any) -> Any:
    """Returns the usage after that of a chunk: a usage without all counts adds its values to the earlier one."""
    whole = getattr(usage, "prompt_tokens", None) and getattr(usage, "completion_tokens", None) is not None
    if whole or not isinstance(earlier, Model):
        return usage
    added: Mapping[str, Any] = usage.to_dict() if isinstance(usage, Model) else {}
    return _fit_usage({**earlier.to_dict(), **{name: value for name, value in added.items() if value}})


_CUT_SHORT: dict[str, Any] = {
    "length": LengthFinishReasonError,
    "content_filter": ContentFilterFinishReasonError,
}
_HEAD_NAMES = ("id", "model", "created")
_fit_completion = fitter(ParsedChatCompletion)
_fit_usage = fitter(CompletionUsage)
_MESSAGE_FIELDS = ("content", "refusal", "role", "annotations", "audio", "function_call", "tool_calls")
