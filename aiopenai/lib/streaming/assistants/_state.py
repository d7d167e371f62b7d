"""The logic of a streamed run without any I/O: an event in, the callbacks to call out.

The callbacks come one at a time, so that the properties of a handler show the state at each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import msgspec
from typing_extensions import override

from aiopenai._base.aliases import is_list
from aiopenai._data.lenient import fitter
from aiopenai.lib.streaming.growing import EventMeta, OnlyKnown, Strings, Tree, late
from aiopenai.types.beta import AssistantStreamEvent
from aiopenai.types.beta.threads import (
    Message,
    MessageContent,
    Run,
    Text,
    TextContentBlock,
)
from aiopenai.types.beta.threads.runs import RunStep

__all__ = ["Callback", "RunState"]

# A callback that is due: its name and its arguments.
Callback = tuple[str, tuple[Any, ...]]

_RUN_ENDS = frozenset(
    f"thread.run.{end}" for end in ("completed", "cancelled", "expired", "failed", "requires_action", "incomplete")
)
_RUN_GOES_ON = frozenset(f"thread.run.{step}" for step in ("created", "in_progress", "cancelling", "queued"))
_STEP_ENDS = frozenset(f"thread.run.step.{end}" for end in ("completed", "cancelled", "expired", "failed"))


@late("value")
class _TextSoFar(Text, metaclass=EventMeta):
    """The text of a content block, joined on access."""

    __post_init__: ClassVar[Any] = id  # type: ignore[misc]

    @override
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        # A copy does not grow, so it is of the type that this class stands for.
        restore, (_, *state) = super().__reduce__()
        return restore, (Text, *state)


_text_so_far: Any = _TextSoFar
# In reprs it has the name of the type that it stands for.
_TextSoFar.__name__ = _TextSoFar.__qualname__ = "Text"


# The fields of nearly all deltas of a message: see `OnlyKnown`.
class _PlainText(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: str


class _PlainBlock(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    index: int
    type: str
    text: _PlainText


class _PlainMessageDelta(msgspec.Struct, gc=False):
    content: list[_PlainBlock] | None = None


class _PlainData(msgspec.Struct, gc=False):
    delta: _PlainMessageDelta | None = None


class _PlainEvent(msgspec.Struct, gc=False):
    data: _PlainData


class _GrowingBlock:
    """One content block of a message."""

    __slots__ = ("_plain", "_tree", "_value")

    def __init__(self, plain: dict[str, Any]) -> None:
        self._tree = Tree(0, plain)
        self._look()

    def _look(self) -> None:
        text = self._tree.nodes.get("text")
        self._value: Strings | None = text.strings("value") if isinstance(text, Tree) else None
        self._plain = isinstance(text, Tree) and text.nodes.keys() <= {"value", "annotations"}

    def merge(self, delta: dict[str, Any]) -> Any:
        """Takes any delta, and returns the block with it."""
        self._tree.merge(0, delta)
        self._look()
        return self.made()

    def made(self) -> Any:
        """Returns the block."""
        return _fit_content(self._tree.upto(0))

    def extend(self, block: Any, delta: Any) -> bool:
        """Takes a delta of text only, and updates the block. Returns False for other blocks."""
        value = self._value
        if value is None or not self._plain or not isinstance(block, TextContentBlock):
            return False
        value.append(delta.text.value)
        block.text = _text_so_far(annotations=block.text.annotations, value=(value, value.size))
        return True


_fit_content = fitter(MessageContent)


class _GrowingStep:
    """One step of a run."""

    __slots__ = ("_made", "_tree", "_whole")

    def __init__(self, step: RunStep) -> None:
        self._whole = step
        self._made: RunStep | None = step
        self._tree: Tree | None = None

    def merge(self, delta: dict[str, Any]) -> None:
        """Takes a delta."""
        if self._tree is None:
            self._tree = Tree(0, self._whole.to_dict())
        self._tree.merge(0, delta)
        self._made = None

    @property
    def now(self) -> RunStep:
        """The step with all that it has received."""
        if self._made is None:
            assert self._tree is not None
            self._made = _fit_step(self._tree.upto(0))
        assert self._made is not None
        return self._made

    def tool_call(self, index: int) -> Any:
        """Returns a tool call of the step; None without one."""
        calls: Any = getattr(self.now.step_details, "tool_calls", None)
        return calls[index] if is_list(calls) and 0 <= index < len(calls) else None


_fit_step = fitter(RunStep)


class RunState:
    """The state of a run, as its stream has told it so far."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        # Whether a program has given a callback something to do. Arguments for others are not made.
        self._wanted = wanted
        self._only_text = OnlyKnown(_PlainEvent)
        self.event: AssistantStreamEvent | None = None
        self.run: Run | None = None
        self.message: Message | None = None
        self.messages: dict[str, Message] = {}
        self.steps: dict[str, _GrowingStep] = {}
        self.step: str | None = None
        self._blocks: dict[int, _GrowingBlock] = {}
        # The content block of the message and the tool call of a step that are being received.
        self._content: int | None = None
        self._tool: tuple[_GrowingStep, int] | None = None

    def take(self, event: Any) -> Iterator[Callback]:
        """Yields the callbacks of an event, in their order."""
        self.event = event
        yield "on_event", (event,)
        takes = self._takes.get(event.event)
        if takes is not None:
            yield from takes(self, event)
        self.event = None

    def _run_goes_on(self, event: Any) -> Iterator[Callback]:
        self.run = event.data
        yield from ()

    def _run_ends(self, event: Any) -> Iterator[Callback]:
        self.run = event.data
        yield from self._tool_call_done()

    def _tool_call_done(self) -> Iterator[Callback]:
        if self._tool is not None and self._wanted("on_tool_call_done"):
            step, index = self._tool
            yield "on_tool_call_done", (step.tool_call(index),)

    def _message_created(self, event: Any) -> Iterator[Callback]:
        # The event stays as received; the copy grows.
        self.message = message = event.data.model_copy()
        message.content = [*message.content] if is_list(message.content) else []
        self.messages[message.id] = message
        self._blocks = {index: _GrowingBlock(block.to_dict()) for index, block in enumerate(message.content)}
        yield "on_message_created", (event.data,)

    def _message_delta(self, event: Any) -> Iterator[Callback]:
        message = self.message
        if message is None:
            raise RuntimeError(
                "A delta of a message came before thread.message.created: pass the stream from its beginning"
            )
        delta = event.data.delta
        content: list[Any] = delta.content or []
        for index in self._grow(message, content, self._only_text(event)):
            begun: Any = message.content[index]
            if begun.type == "text":
                yield "on_text_created", (begun.text,)
        for part in content:
            at: int = part.index
            block: Any = message.content[at]
            if part.type == "text" and part.text and self._wanted("on_text_delta"):
                yield "on_text_delta", (part.text, block.text)
            if at != self._content:
                if self._content is not None:
                    yield from _content_done(message, self._content)
                self._content = at
        yield "on_message_delta", (delta, message)

    def _grow(self, message: Message, content: list[Any], only_text: bool) -> list[int]:
        """Adds the parts of a delta to a message. Returns the numbers of the new blocks."""
        new: list[int] = []
        for part in content:
            index: int = part.index
            grown = self._blocks.get(index)
            if grown is None or index >= len(message.content):
                self._blocks[index] = grown = _GrowingBlock(part.to_dict())
                message.content.insert(index, grown.made())
                new.append(index)
            elif not (only_text and grown.extend(message.content[index], part)):
                message.content[index] = grown.merge(part.to_dict())
        return new

    def _message_ends(self, event: Any) -> Iterator[Callback]:
        self.message = event.data
        self.messages[event.data.id] = event.data
        if self._content is not None:
            yield from _content_done(event.data, self._content)
        yield "on_message_done", (event.data,)

    def _step_created(self, event: Any) -> Iterator[Callback]:
        self.step = event.data.id
        self.steps[event.data.id] = _GrowingStep(event.data)
        yield "on_run_step_created", (event.data,)

    def _step_in_progress(self, event: Any) -> Iterator[Callback]:
        self.step = event.data.id
        self.steps.setdefault(event.data.id, _GrowingStep(event.data))
        yield from ()

    def _step_delta(self, event: Any) -> Iterator[Callback]:
        step = self.steps.get(event.data.id)
        if step is None:
            raise RuntimeError(
                "A delta of a run step came before thread.run.step.created: pass the stream from its beginning"
            )
        delta = event.data.delta
        step.merge(delta.to_dict())
        calls: Any = getattr(delta.step_details, "tool_calls", None)
        for call in calls if is_list(calls) else ():
            if self._tool is not None and call.index == self._tool[1]:
                if self._wanted("on_tool_call_delta"):
                    yield "on_tool_call_delta", (call, step.tool_call(call.index))
            else:
                yield from self._tool_call_done()
                if self._wanted("on_tool_call_created"):
                    yield "on_tool_call_created", (step.tool_call(call.index),)
            self._tool = step, call.index
        if self._wanted("on_run_step_delta"):
            yield "on_run_step_delta", (delta, step.now)

    def _step_ends(self, event: Any) -> Iterator[Callback]:
        yield from self._tool_call_done()
        yield "on_run_step_done", (event.data,)
        self.step = None

    _takes: ClassVar[dict[str, Callable[[Any, Any], Iterator[Callback]]]] = {
        **dict.fromkeys(_RUN_ENDS, _run_ends),
        **dict.fromkeys(_RUN_GOES_ON, _run_goes_on),
        **dict.fromkeys(_STEP_ENDS, _step_ends),
        "thread.message.created": _message_created,
        "thread.message.delta": _message_delta,
        "thread.message.completed": _message_ends,
        "thread.message.incomplete": _message_ends,
        "thread.run.step.created": _step_created,
        "thread.run.step.in_progress": _step_in_progress,
        "thread.run.step.delta": _step_delta,
    }


def _content_done(message: Any, index: int) -> Iterator[Callback]:
    block: Any = message.content[index] if index < len(message.content) else None
    kind = getattr(block, "type", None)
    if kind == "text":
        yield "on_text_done", (block.text,)
    elif kind == "image_file":
        yield "on_image_file_done", (block.image_file,)
