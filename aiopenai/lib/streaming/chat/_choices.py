"""One choice of a streamed completion: its deltas, its state at any moment, and the events that a chunk causes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.lenient import fitter
from aiopenai._data.structs import Model
from aiopenai.lib.streaming.chat._content import GrowingContent, text_of_delta
from aiopenai.lib.streaming.chat._events import (
    new_arguments_delta,
    new_arguments_done,
    new_content_delta,
    new_content_done,
    new_logprobs_delta,
    new_logprobs_done,
    new_refusal_delta,
    new_refusal_done,
)
from aiopenai.lib.streaming.chat._tool_calls import GrowingToolCall, GrowingToolCalls
from aiopenai.lib.streaming.growing import MISSING, Entries, Strings, Tree, Value
from aiopenai.lib.streaming.partial_json import parse_partial
from aiopenai.types.chat import ParsedChatCompletionMessage

__all__ = ["GrowingChoice"]


class GrowingChoice:
    """One choice of a completion."""

    __slots__ = (
        "_calls",
        "_content",
        "_done",
        "_done_calls",
        "_extra",
        "_finish_reason",
        "_flow",
        "_head",
        "_logprobs",
        "_logprobs_since",
        "_merged_since",
        "_message",
        "_open_call",
        "_parsed",
        "_parsed_since",
        "_partly",
        "_refusal",
        "_taken",
        "_tools",
        "since",
    )

    def __init__(self, moment: int, head: dict[str, Any], tools: list[Any], partly: bool) -> None:
        self.since = moment
        self._tools = tools
        # Whether events show the values in the JSON so far.
        self._partly = partly
        for name in ("delta", "message", "logprobs", "finish_reason"):
            head.pop(name, None)
        self._head = head
        self._extra: dict[str, Value] = {}
        self._finish_reason = Value(moment, None)
        self._message = Tree(moment, {})
        # The moment of the second delta.
        self._merged_since: int | None = None
        self._content: GrowingContent | None = None
        # The same while the next piece of plain text can be added to it without further questions.
        self._flow: GrowingContent | None = None
        self._refusal: Strings | None = None
        self._calls = GrowingToolCalls(tools)
        self._logprobs_since: int | None = None
        self._logprobs: dict[str, Entries] = {}
        # The calls that the deltas of the current chunk belong to, and the call that is being received.
        self._taken: list[tuple[GrowingToolCall, Any]] = []
        self._open_call: GrowingToolCall | None = None
        # The parts and calls announced as complete.
        self._done: set[str] = set()
        self._done_calls: set[int] = set()
        # The value of the complete content, and the moment at which it was complete.
        self._parsed: Any = None
        self._parsed_since: int | None = None

    def take(self, moment: int, part: Any, plain: bool) -> None:
        """Takes the choice of a chunk; `plain` if it has the usual fields only."""
        delta = part.delta
        self._taken = []
        if self._merged_since is None and moment != self.since:
            self._merged_since = moment
        # Of the first delta, null is kept too: it is sent back as it came.
        if plain and moment != self.since:
            self._take_plain(moment, delta)
        elif isinstance(delta, Model):
            self._take_any(moment, delta.to_dict(), delta)
        elif is_mapping(message := part.to_dict().get("message")) and self._content is None:
            # A whole message in place of a delta.
            self._take_any(moment, dict(message), None)
        self._finish_reason.merge(moment, part.finish_reason)
        if moment != self.since and (extra := part.model_extra):
            self._take_extra(moment, extra)
        if part.logprobs is not None:
            self._take_logprobs(moment, part.logprobs)
        content = self._content
        flows = not (moment == self.since or content is None or content.has_parts or self._finish_reason.last)
        self._flow = content if flows else None

    def _take_extra(self, moment: int, extra: Mapping[str, Any]) -> None:
        """Takes fields that the API does not have, such as results of Azure's content filters. The last one counts."""
        for name, value in extra.items():
            if value not in (None, "", {}, []) and name != "message":
                self._extra.setdefault(name, Value(0, self._head.get(name))).merge(moment, value)

    def text_event(self, moment: int, part: Any) -> Any:
        """Takes a plain choice that adds text only, to a text that has begun, and returns its event; else None."""
        content = self._flow
        if content is None:
            return None
        delta = part.delta
        text = delta.content
        if (
            text is None
            or part.finish_reason is not None
            or part.logprobs is not None
            or delta.tool_calls is not None
            or delta.role is not None
            or delta.refusal is not None
        ):
            return None
        size = content.add(moment, text)
        return new_content_delta(text, (content, size), (self, size) if self._partly else None)

    def _take_plain(self, moment: int, delta: Any) -> None:
        if (text := delta.content) is not None:
            self._content_node().add_text(moment, text)
        if delta.role:
            self._message.merge(moment, {"role": delta.role})
        if (text := delta.refusal) is not None:
            if self._refusal is None:
                self._message.nodes["refusal"] = self._refusal = Strings()
            self._refusal.add(moment, text)
        for call_delta in delta.tool_calls or ():
            function = call_delta.function
            call = self._calls.known(call_delta.index)
            if (
                call is not None
                and call.arguments is not None
                and function is not None
                and function.name is None
                and call_delta.id is None
                and call_delta.type is None
            ):
                # Nearly all deltas of calls: a piece of the arguments.
                if function.arguments is not None:
                    call.arguments.add(moment, function.arguments)
            else:
                call = self._calls.take(moment, _plain_call(call_delta))
            self._taken.append((call, call_delta))

    def _take_any(self, moment: int, delta: dict[str, Any], typed: Any) -> None:
        # Null is kept with the other fields: it is sent back as it came.
        calls: Any = delta.pop("tool_calls") if delta.get("tool_calls") is not None else None
        content = delta.get("content")
        if isinstance(content, str) or is_list(content):
            self._content_node()
        self._message.merge(moment, delta)
        self._refusal = self._message.strings("refusal")
        if not is_list(calls):
            return
        deltas: Any = getattr(typed, "tool_calls", calls)
        for plain, call_delta in zip(calls, deltas, strict=True):
            if is_mapping(plain):
                self._taken.append((self._calls.take(moment, plain), call_delta))

    def _content_node(self) -> GrowingContent:
        if self._content is None:
            self._message.nodes["content"] = self._content = GrowingContent()
        return self._content

    def _take_logprobs(self, moment: int, logprobs: Any) -> None:
        first = self._logprobs_since is None
        if first:
            self._logprobs_since = moment
        for name in ("content", "refusal"):
            entries = getattr(logprobs, name, None)
            if is_list(entries) and (entries or first):
                self._logprobs.setdefault(name, Entries()).add(moment, entries)

    def cut(self, size: int) -> Any:
        """Returns the values in the first `size` characters of the content."""
        if not self._partly or self._content is None or self._refusal is not None:
            return None
        content = self._content.cut(size)
        return parse_partial(content) if content.lstrip() else None

    def is_merged(self, moment: int) -> bool:
        """Whether the choice had more than one delta at a moment."""
        return self._merged_since is not None and self._merged_since <= moment

    def upto(self, moment: int) -> dict[str, Any]:
        """Returns the choice as it was at a moment, as plain values."""
        message: dict[str, Any] = self._message.upto(moment)
        if message.get("role") == "":
            # Some servers send no other role, and APIs refuse this one.
            message["role"] = "assistant"
        if calls := self._calls.upto(moment):
            message["tool_calls"] = calls
        if self._parsed_since is not None and self._parsed_since <= moment:
            message["parsed"] = self._parsed
        elif self._partly and self._content is not None and (size := self._content.size_at(moment)) > 0:
            message["parsed"] = self.cut(size)
        extra = {name: found.upto(moment) for name, found in self._extra.items()}
        plain = {**self._head, **{name: value for name, value in extra.items() if value is not None}}
        plain |= {"finish_reason": self._finish_reason.upto(moment), "message": message, "logprobs": None}
        if self._logprobs_since is not None and self._logprobs_since <= moment:
            plain["logprobs"] = {
                name: None if (log := self._logprobs.get(name)) is None or (now := log.upto(moment)) is MISSING else now
                for name in ("content", "refusal")
            }
        return plain

    def events(self, moment: int, part: Any, response_format: Any) -> Iterator[Any]:
        """Yields the events that the choice of a chunk causes, after it was taken."""
        delta = part.delta
        content = self._content
        if content is not None and (text := text_of_delta(getattr(delta, "content", None))) is not None:
            yield new_content_delta(text, (content, content.size), (self, content.size) if self._partly else None)
        refusal = self._refusal
        if refusal is not None and isinstance(text := getattr(delta, "refusal", None), str):
            yield new_refusal_delta(text, (refusal, refusal.size))
        for call, call_delta in self._taken:
            function: Any = getattr(call_delta, "function", None)
            if call.is_function and function is not None:
                size = -1 if call.arguments is None else call.arguments.size
                arguments = "" if call.arguments is None else (call.arguments, size)
                piece: Any = getattr(function, "arguments", None) or ""
                yield new_arguments_delta(call.function_name, call.index, arguments, (call, size), piece)
        if part.logprobs is not None:
            for name, log in self._logprobs.items():
                if entries := getattr(part.logprobs, name, None):
                    yield new_logprobs_delta[name](entries, (log, log.size))
        yield from self._done_events(moment, response_format)

    def _done_events(self, moment: int, response_format: Any) -> Iterator[Any]:
        """Yields the events of parts that are complete: another part has begun, or the choice has finished."""
        for call, _ in self._taken:
            if call is not self._open_call:
                yield from self._content_done(moment, response_format)
                # Incomplete arguments go on later: some servers send the pieces of several calls in turn.
                if self._open_call is not None and self._open_call.is_complete:
                    yield from self._call_done(moment, self._open_call)
                self._open_call = call
        if self._finish_reason.last:
            yield from self._content_done(moment, response_format)
            for call in self._calls.all():
                yield from self._call_done(moment, call)

    def _content_done(self, moment: int, response_format: Any) -> Iterable[Any]:
        if "content" not in self._done and self._content is not None and self._content.size:
            self._done.add("content")
            if self._partly:
                from aiopenai.lib.parsing import maybe_parse_content

                message = fitter(ParsedChatCompletionMessage)(self._message.upto(moment))
                self._parsed = maybe_parse_content(response_format=response_format, message=message)
            self._parsed_since = moment
            yield new_content_done(self._content.cut(self._content.size), self._parsed)
        if "refusal" not in self._done and self._refusal is not None:
            self._done.add("refusal")
            yield new_refusal_done(self._refusal.cut(self._refusal.size))
        for name, log in self._logprobs.items():
            if f"logprobs.{name}" not in self._done:
                self._done.add(f"logprobs.{name}")
                yield new_logprobs_done[name](log.cut(log.size))

    def _call_done(self, moment: int, call: GrowingToolCall) -> Iterable[Any]:
        if call.index in self._done_calls or not call.is_function:
            return
        self._done_calls.add(call.index)
        arguments = call.whole_arguments
        parsed: Any = None
        if self._tools:
            from aiopenai.lib.parsing import parse_function_tool_arguments
            from aiopenai.types.chat import ParsedFunction

            function = ParsedFunction(name=call.function_name, arguments=arguments)
            parsed = parse_function_tool_arguments(input_tools=self._tools, function=function)
        call.finish(moment, parsed)
        yield new_arguments_done(call.function_name, call.index, arguments, parsed)


def _plain_call(delta: Any) -> dict[str, Any]:
    """Returns the values of a usual delta of a call. `to_dict` of the delta takes several times its decoding."""
    plain: dict[str, Any] = {"index": delta.index}
    if delta.id is not None:
        plain["id"] = delta.id
    if delta.type is not None:
        plain["type"] = delta.type
    if (function := delta.function) is not None:
        values = {"name": function.name, "arguments": function.arguments}
        plain["function"] = {name: value for name, value in values.items() if value is not None}
    return plain
