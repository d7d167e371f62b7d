"""Hooks: functions of the program that are told of each call.

    @client.on_retry
    def complain(call: CallInfo) -> None:
        log.warning("%s failed with %r, again in %.1f s", call.path, call.error, call.wait)

Several hooks can be methods of one object, `AsyncOpenAI(hooks=MyHooks())`. All hooks of a call get the same `CallInfo`,
so that they can recognise the call. Each call ends with exactly one of `on_response` (the reply arrived),
`on_stream_end` and `on_error`; before that comes an `on_request` for each attempt.

Hooks are plain functions, and run where the call runs: they should be quick, and run in several threads at once if the
client does. Their exceptions are logged and change nothing. A client without hooks pays one test per attempt.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

if TYPE_CHECKING:
    from aiopenai._calls.call_info import CallInfo

__all__ = ["Hook", "Hooked", "Hooks"]


class Hooks:
    """Several hooks in one object: derive from this class and override the methods that you need."""

    def on_request(self, call: CallInfo) -> object:
        """An attempt begins; `attempt` is its number."""

    def on_retry(self, call: CallInfo) -> object:
        """An attempt failed, with `error`; the next one begins in `wait` seconds."""

    def on_response(self, call: CallInfo) -> object:
        """A reply arrived: `status`, `request_id`, `elapsed`, `usage`. It ends a call without a stream."""

    def on_stream_first_event(self, call: CallInfo) -> object:
        """The first event of a stream arrived: `first_event_after`."""

    def on_stream_end(self, call: CallInfo) -> object:
        """A stream ended, or was closed before its end. `usage` is set if it arrived."""

    def on_error(self, call: CallInfo) -> object:
        """The call failed for good with `error`, which may be a `CancelledError`."""


Hook: TypeAlias = "Callable[[CallInfo], object]"
HookT = TypeVar("HookT", bound="Hook")

_NAMES = ("on_request", "on_retry", "on_response", "on_stream_first_event", "on_stream_end", "on_error")


class Hooked:
    """The methods of a client that add hooks: `on_request(function)` and the like, also as decorators.

    Copies of a client begin with the hooks of the client.
    """

    # The functions of each name. A table is replaced and never changed, so that calls in flight need no lock.
    _hooks: Mapping[str, tuple[Hook, ...]] | None = None

    def on_request(self, hook: HookT) -> HookT:
        """Adds a function that is called when an attempt begins."""
        return self._add_hook("on_request", hook)

    def on_retry(self, hook: HookT) -> HookT:
        """Adds a function that is called when an attempt has failed and another one follows."""
        return self._add_hook("on_retry", hook)

    def on_response(self, hook: HookT) -> HookT:
        """Adds a function that is called when a reply arrived; of a stream, its head."""
        return self._add_hook("on_response", hook)

    def on_stream_first_event(self, hook: HookT) -> HookT:
        """Adds a function that is called when the first event of a stream arrived."""
        return self._add_hook("on_stream_first_event", hook)

    def on_stream_end(self, hook: HookT) -> HookT:
        """Adds a function that is called when a stream has ended or was closed."""
        return self._add_hook("on_stream_end", hook)

    def on_error(self, hook: HookT) -> HookT:
        """Adds a function that is called when a call has failed for good."""
        return self._add_hook("on_error", hook)

    @property
    def hooks(self) -> tuple[Hooks, ...]:
        """The objects that were added with `add_hooks`."""
        owners = [getattr(hook, "__self__", None) for found in (self._hooks or {}).values() for hook in found]
        return tuple({id(owner): owner for owner in owners if isinstance(owner, Hooks)}.values())

    def add_hooks(self, hooks: Hooks) -> None:
        """Adds the methods that the class of `hooks` overrides."""
        for name in _NAMES:
            if getattr(type(hooks), name) is not getattr(Hooks, name):
                self._add_hook(name, cast("Hook", getattr(hooks, name)))

    def remove_hooks(self, hooks: Hooks) -> None:
        """Removes the methods of `hooks`, for calls that begin from now on."""
        left = {
            name: tuple(hook for hook in found if getattr(hook, "__self__", None) is not hooks)
            for name, found in (self._hooks or {}).items()
        }
        self._hooks = left if any(left.values()) else None

    def _add_hook(self, name: str, hook: HookT) -> HookT:
        if not callable(hook) or inspect.iscoroutinefunction(hook):
            raise TypeError(f"{name} takes a plain function, not {hook!r}: hooks are called and not awaited")
        found = self._hooks or dict.fromkeys(_NAMES, ())
        self._hooks = {**found, name: (*found[name], hook)}
        return hook
