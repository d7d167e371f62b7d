"""Watching calls: what is asked, tried again, answered, streamed and lost, told to functions of the program's.

    @client.on_retry
    def complain(call: CallInfo) -> None:
        log.warning("%s failed with %r, again in %.1f s", call.path, call.error, call.wait)

Several that belong together are methods of an object, `AsyncOpenAI(hooks=MyHooks())`. All get the same thing, the
`CallInfo`: one object for the whole life of a call, so that they can know it again. Every call ends with exactly one
of `on_response` (the reply is there), `on_stream_end` and `on_error`; before that, an `on_request` for each attempt.

Hooks are plain functions and are called where the call is made, so they should not take long; by several threads at
once where the client is. What they raise is logged and disturbs nobody. They see neither headers nor messages, so that
no key and no conversation gets into what they write by accident. A client without hooks pays a test per attempt.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.urls import shown
from aiopenai._calls.request import Request
from aiopenai._data.codec import Decoder, Node

__all__ = ["CallInfo", "Hooked", "Hooks", "Watch"]

# The states of a response that goes on.
_UNFINISHED = ("queued", "in_progress", None)

log = logging.getLogger("aiopenai")

# What hooks may see of the arguments: how something is to be made, never of what.
_PARAMETERS = frozenset(
    {
        "dimensions",
        "encoding_format",
        "frequency_penalty",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "n",
        "presence_penalty",
        "quality",
        "reasoning_effort",
        "response_format",
        "seed",
        "service_tier",
        "size",
        "stop",
        "temperature",
        "top_p",
        "voice",
    }
)


class CallInfo:
    """One call, as hooks see it: the same object from its first attempt to its end, filled in on the way."""

    def __init__(self, request: Request[Any], base_url: str) -> None:
        body: Any = request.body
        arguments: Mapping[str, Any] = body if is_mapping(body) else {}
        model = arguments.get("model")
        self.method = request.endpoint.method
        """The HTTP verb."""
        self.path = _shown(request.path)
        """Where it goes, below the base URL: `/threads/thread_1/runs`."""
        self.template = _shown(request.endpoint.path)
        """The same for all calls of the kind: `/threads/{thread_id}/runs`."""
        self.base_url = base_url
        self.model = model if isinstance(model, str) else None
        """The model that was asked for."""
        self.parameters: dict[str, Any] = {
            name: value
            for name in arguments.keys() & _PARAMETERS
            if isinstance(value := arguments[name], (str, int, float)) or (name == "stop" and is_list(value))
        }
        """The arguments that say how to answer: `temperature`, `max_tokens` and the like."""
        self.stream = request.stream
        """Whether the reply is a stream of events, to be read."""
        self.attempt = 0
        """The number of the attempt, from 1."""
        self.error: BaseException | None = None
        """Why the last attempt failed, or the call."""
        self.wait: float | None = None
        """Seconds until the next attempt."""
        self.status: int | None = None
        self.request_id: str | None = None
        """The server's `x-request-id`."""
        self.first_event_after: float | None = None
        """Seconds from the call's start to the first event of its stream."""
        self.response_id: str | None = None
        """The id that the reply has: `chatcmpl-...`."""
        self.response_model: str | None = None
        """The model that answered."""
        self.usage: Any = None
        """The reply's `usage`: of a stream, if it came."""
        self.finish_reasons: list[str] = []
        """Why the choices end, in their order; of a response, its status or why it is incomplete."""
        self.elapsed = 0.0
        """Seconds from the call's start to what the hook is told of."""
        self.state: dict[Any, Any] = {}
        """For hooks: what they want to find again when they see the call next. Keys of their own."""

    @property
    def input_tokens(self) -> int | None:
        """What `usage` says of the input, whatever it is called there."""
        return self._tokens("input_tokens", "prompt_tokens")

    @property
    def output_tokens(self) -> int | None:
        """What `usage` says of the output."""
        return self._tokens("output_tokens", "completion_tokens")

    def _tokens(self, *names: str) -> int | None:
        for name in names:
            if isinstance(count := _read(self.usage, name), int):
                return count
        return None

    def __repr__(self) -> str:
        return f"<CallInfo {self.method} {self.path} model={self.model!r} attempt={self.attempt} status={self.status}>"


class Hooks:
    """Several hooks in one object: derive from this and write those that are wanted."""

    def on_request(self, call: CallInfo) -> object:
        """An attempt begins: `attempt` says which."""

    def on_retry(self, call: CallInfo) -> object:
        """An attempt failed, with `error`; the next one begins in `wait` seconds."""

    def on_response(self, call: CallInfo) -> object:
        """The reply is there: `status`, `request_id`, `elapsed`, `usage`. The end of a call without a stream."""

    def on_stream_first_event(self, call: CallInfo) -> object:
        """The first event of a stream is there: `first_event_after`."""

    def on_stream_end(self, call: CallInfo) -> object:
        """A stream has come to its end, with `usage` if that came, or was closed before it."""

    def on_error(self, call: CallInfo) -> object:
        """The call failed for good, with `error`: a `CancelledError` too."""


Hook = Callable[[CallInfo], object]
HookT = TypeVar("HookT", bound=Hook)

_NAMES = ("on_request", "on_retry", "on_response", "on_stream_first_event", "on_stream_end", "on_error")


class Hooked:
    """What a client offers: `on_request(function)` and the like, also as decorators. Its copies have the same hooks."""

    # Of each name, all functions. The tables are never changed, so that calls under way need no lock.
    _hooks: Mapping[str, tuple[Hook, ...]] | None = None

    def on_request(self, hook: HookT) -> HookT:
        """Have a function called when an attempt begins."""
        return self._add_hook("on_request", hook)

    def on_retry(self, hook: HookT) -> HookT:
        """Have a function called when an attempt has failed and another one is due."""
        return self._add_hook("on_retry", hook)

    def on_response(self, hook: HookT) -> HookT:
        """Have a function called when a reply is there (of a stream, its head)."""
        return self._add_hook("on_response", hook)

    def on_stream_first_event(self, hook: HookT) -> HookT:
        """Have a function called when the first event of a stream is there."""
        return self._add_hook("on_stream_first_event", hook)

    def on_stream_end(self, hook: HookT) -> HookT:
        """Have a function called when a stream has ended or was closed."""
        return self._add_hook("on_stream_end", hook)

    def on_error(self, hook: HookT) -> HookT:
        """Have a function called when a call has failed for good."""
        return self._add_hook("on_error", hook)

    @property
    def hooks(self) -> tuple[Hooks, ...]:
        """The objects of hooks, without single functions."""
        owners = [getattr(hook, "__self__", None) for found in (self._hooks or {}).values() for hook in found]
        return tuple({id(owner): owner for owner in owners if isinstance(owner, Hooks)}.values())

    def add_hooks(self, hooks: Hooks) -> None:
        """Have the methods of `hooks` called that its class has of its own."""
        for name in _NAMES:
            if getattr(type(hooks), name) is not getattr(Hooks, name):
                self._add_hook(name, cast("Hook", getattr(hooks, name)))

    def remove_hooks(self, hooks: Hooks) -> None:
        """Have the methods of `hooks` called no more, by calls that begin from now on."""
        left = {
            name: tuple(hook for hook in found if getattr(hook, "__self__", None) is not hooks)
            for name, found in (self._hooks or {}).items()
        }
        self._hooks = left if any(left.values()) else None

    def _add_hook(self, name: str, hook: HookT) -> HookT:
        if not callable(hook) or inspect.iscoroutinefunction(hook):
            raise TypeError(f"{name} takes a plain function, not {hook!r}: nobody would await a coroutine")
        found = self._hooks or dict.fromkeys(_NAMES, ())
        self._hooks = {**found, name: (*found[name], hook)}
        return hook


class Watch:
    """One call's hooks, told by the client and the stream."""

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
        """What a tenacity policy calls between attempts, after which it calls `own`."""

        async def told(state: Any) -> None:
            self._lost(state.outcome.exception())
            self.call.wait = state.next_action.sleep
            self._tell("on_retry")
            if own is not None and inspect.isawaitable(waiting := own(state)):
                await waiting

        return told

    def answered(self, reply: Any = None) -> None:
        """The reply is there, parsed or not."""
        if not self.call.stream:
            self._end()
            self._note(reply)
        self._tell("on_response")

    def answered_raw(self, raw: bytes | None, kind: Any) -> None:
        """The reply is there, and is to be parsed by the caller, if at all."""
        reply = None
        if raw is not None and isinstance(kind, type) and issubclass(kind, Node):
            with contextlib.suppress(msgspec.DecodeError):
                reply = Decoder.of(kind)(raw)
        self.answered(reply)

    def events(self, events: Iterable[Any]) -> None:
        """Events of the stream are there."""
        call = self.call
        for event in events:
            self._note(event)
        if call.first_event_after is None:
            call.first_event_after = time.perf_counter() - self._started
            self._tell("on_stream_first_event")

    def ended(self) -> None:
        """The stream is over; told once."""
        if self._end():
            self._tell("on_stream_end")

    def failed(self, error: BaseException) -> None:
        """The call is lost; told once."""
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
        """Take from a reply, or from an event of a stream, what is the same for all kinds of them."""
        call = self.call
        # The events of a response have it in them at its beginning and at its end, those of an assistant's run that.
        node = _read(value, "response") or value
        if not _has(node, "usage") and _has(data := _read(value, "data"), "usage"):
            node = data
        if call.response_id is None and isinstance(found := _read(node, "id"), str):
            call.response_id = found
        if isinstance(found := _read(node, "model"), str):
            call.response_model = found
        if (usage := _read(node, "usage")) is not None:
            call.usage = usage
        if is_list(choices := _read(node, "choices")):
            for position, choice in enumerate(choices):
                if isinstance(reason := _read(choice, "finish_reason"), str):
                    index = _read(choice, "index")
                    self._reasons[index if isinstance(index, int) else position] = reason
        elif _has(node, "incomplete_details") and (status := _read(node, "status")) not in _UNFINISHED:
            self._reasons[0] = str(_read(_read(node, "incomplete_details"), "reason") or status)
        call.finish_reasons = [reason for _, reason in sorted(self._reasons.items())]

    def _tell(self, name: str) -> None:
        self.call.elapsed = time.perf_counter() - self._started
        for hook in self._hooks[name]:
            try:
                hook(self.call)
            except Exception:
                log.exception("The hook %s failed: %r", name, hook)


def _shown(path: str) -> str:
    # All paths but those that a program makes up itself.
    return path if path.startswith("/") and "?" not in path else shown(path)


def _has(node: Any, name: str) -> bool:
    return name in getattr(node.__class__, "__struct_fields__", ())


def _read(node: Any, name: str) -> Any:
    """A field, or None: of reply objects, and of those that came in a form that is no such object."""
    # Asking an object for a field that its type does not have is dear.
    if _has(node, name):
        return getattr(node, name)
    return node.get(name) if is_mapping(node) else None
