"""`Watch`: reports the progress of one call to its hooks."""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from aiopenai._base.aliases import is_list
from aiopenai._calls.call_info import CallInfo, has_field, read_field
from aiopenai._calls.hooking import Hook, Hooked, Hooks
from aiopenai._calls.request import Request
from aiopenai._data.codec import Decoder, Node

__all__ = ["CallInfo", "Hooked", "Hooks", "Watch"]

# The statuses of a response that goes on.
_UNFINISHED = ("queued", "in_progress", None)

log = logging.getLogger("aiopenai")


class Watch:
    """The hooks of one call. The client and the stream report to it."""

    __slots__ = ("_hooks", "_over", "_reasons", "_started", "call")

    def __init__(self, hooks: Mapping[str, tuple[Hook, ...]], request: Request[Any], base_url: str) -> None:
        self._hooks = hooks
        self._over = False
        self._reasons: dict[int, str] = {}
        self._started = time.perf_counter()
        self.call = CallInfo(request, base_url)

    def attempt(self, number: int) -> None:
        """An attempt begins."""
        call = self.call
        call.attempt = number
        call.error = call.wait = call.status = call.request_id = None
        self._tell("on_request")

    def head(self, status: int, request_id: str | None) -> None:
        """An attempt has succeeded."""
        self.call.status = status
        self.call.request_id = request_id

    def before_sleep(self, own: Callable[[Any], object] | None) -> Callable[[Any], Awaitable[None]]:
        """Returns the function that a tenacity policy calls between attempts; it calls `own` afterwards."""

        async def told(state: Any) -> None:
            self._lost(state.outcome.exception())
            self.call.wait = state.next_action.sleep
            self._tell("on_retry")
            if own is not None and inspect.isawaitable(waiting := own(state)):
                await waiting

        return told

    def answered(self, reply: Any = None) -> None:
        """A reply arrived, parsed or not."""
        if not self.call.stream:
            self._end()
            self._note(reply)
        self._tell("on_response")

    def answered_raw(self, raw: bytes | None, kind: Any) -> None:
        """A reply arrived that the program parses itself, if at all."""
        reply = None
        if raw is not None and isinstance(kind, type) and issubclass(kind, Node):
            with contextlib.suppress(msgspec.DecodeError):
                reply = Decoder.of(kind)(raw)
        self.answered(reply)

    def events(self, events: Iterable[Any]) -> None:
        """Events of the stream arrived."""
        call = self.call
        for event in events:
            self._note(event)
        if call.first_event_after is None:
            call.first_event_after = time.perf_counter() - self._started
            self._tell("on_stream_first_event")

    def ended(self) -> None:
        """The stream has ended; reported once."""
        if self._end():
            self._tell("on_stream_end")

    def failed(self, error: BaseException) -> None:
        """The call has failed; reported once."""
        if self._end():
            self._lost(error)
            self._note(getattr(error, "completion", None))
            self._tell("on_error")

    def _end(self) -> bool:
        first = not self._over
        self._over = True
        return first

    def _lost(self, error: BaseException) -> None:
        self.call.error = error
        for name, attribute in (("status", "status_code"), ("request_id", "request_id")):
            value = getattr(error, attribute, None)
            if value is not None:
                setattr(self.call, name, value)

    def _note(self, value: Any) -> None:
        """Takes the common facts from a reply or from an event of a stream: id, model, usage, finish reasons."""
        call = self.call
        # The first and the last event of a response hold the response; those of an assistant's run hold the run.
        node = read_field(value, "response") or value
        if not has_field(node, "usage") and has_field(data := read_field(value, "data"), "usage"):
            node = data
        if call.response_id is None and isinstance(found := read_field(node, "id"), str):
            call.response_id = found
        if isinstance(found := read_field(node, "model"), str):
            call.response_model = found
        if (usage := read_field(node, "usage")) is not None:
            call.usage = usage
        if is_list(choices := read_field(node, "choices")):
            for position, choice in enumerate(choices):
                if isinstance(reason := read_field(choice, "finish_reason"), str):
                    index = read_field(choice, "index")
                    self._reasons[index if isinstance(index, int) else position] = reason
        elif has_field(node, "incomplete_details") and (status := read_field(node, "status")) not in _UNFINISHED:
            self._reasons[0] = str(read_field(read_field(node, "incomplete_details"), "reason") or status)
        call.finish_reasons = [reason for _, reason in sorted(self._reasons.items())]

    def _tell(self, name: str) -> None:
        self.call.elapsed = time.perf_counter() - self._started
        for hook in self._hooks[name]:
            try:
                hook(self.call)
            except Exception:
                log.exception("The hook %s failed: %r", name, hook)
