"""The functions that `dispatch_events` calls, by the type of the event."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from typing_extensions import Self

__all__ = ["EVERY", "EventHandlerRegistry", "Handling", "Registering"]

EVERY = "event"
"""The name under which a handler gets every event."""

Handler = Callable[..., Any]
HandlerT = TypeVar("HandlerT", bound=Handler)


class EventHandlerRegistry:
    """Handlers in the order of their registration. A handler that is registered twice is called twice."""

    def __init__(self, *, use_lock: bool = True) -> None:
        self._lock = Lock()
        self._found: dict[str, list[tuple[Handler, bool]]] = {}

    def add(self, event_type: str, handler: Handler, *, once: bool = False) -> None:
        """Adds a handler, for one event only with `once`."""
        if not callable(handler):
            raise TypeError(f"the handler of {event_type!r} must be callable, not {type(handler).__name__}")
        with self._lock:
            self._found.setdefault(event_type, []).append((handler, once))

    def remove(self, event_type: str, handler: Handler) -> None:
        """Removes the first registration of a handler; an unknown one is ignored."""
        with self._lock:
            entries = self._found.get(event_type, [])
            for at, (found, _) in enumerate(entries):
                if found == handler:
                    del entries[at]
                    return

    def has_handlers(self, event_type: str) -> bool:
        """Returns whether an event of this type has a handler of its own."""
        return bool(self._found.get(event_type))

    def get_handlers(self, event_type: str) -> list[Handler]:
        """Returns the handlers of an event type, and removes those for one event only."""
        with self._lock:
            entries = self._found.get(event_type)
            if not entries:
                return []
            self._found[event_type] = [entry for entry in entries if not entry[1]]
            return [handler for handler, _ in entries]

    def merge_into(self, other: EventHandlerRegistry) -> None:
        """Moves all registrations to another registry."""
        with self._lock:
            moved, self._found = self._found, {}
        for event_type, entries in moved.items():
            for handler, once in entries:
                other.add(event_type, handler, once=once)


class Registering:
    """An object with handlers of its own."""

    _event_handler_registry: EventHandlerRegistry

    def _added(self, event_type: str, handler: Any, *, once: bool) -> Any:
        """Adds a handler and returns this object; returns a decorator without `handler`."""
        if handler is not None:
            self._event_handler_registry.add(event_type, handler, once=once)
            return self

        def decorate(function: HandlerT) -> HandlerT:
            self._event_handler_registry.add(event_type, function, once=once)
            return function

        return decorate


class Handling(Registering):
    """The methods of connections and managers that add and remove handlers."""

    def on(self, event_type: str, handler: Any = None) -> Any:
        """Adds a handler for an event type, or for all with `"event"`; a decorator without `handler`."""
        return self._added(event_type, handler, once=False)

    def once(self, event_type: str, handler: Any = None) -> Any:
        """Adds a handler for the next event of a type; a decorator without `handler`."""
        return self._added(event_type, handler, once=True)

    def off(self, event_type: str, handler: Handler) -> Self:
        """Removes the first registration of a handler."""
        self._event_handler_registry.remove(event_type, handler)
        return self
