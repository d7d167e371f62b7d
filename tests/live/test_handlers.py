"""The handlers of events: order, once, removal, and the decorators."""

from __future__ import annotations

from threading import Lock
from typing import Any

import pytest

from aiopenai._live.handlers import EVERY, EventHandlerRegistry, Handling


def one(_: Any) -> None: ...
def two(_: Any) -> None: ...


class Connection(Handling):
    def __init__(self) -> None:
        self._event_handler_registry = EventHandlerRegistry()

    def handlers(self, event_type: str) -> list[Any]:
        return self._event_handler_registry.get_handlers(event_type)


def test_in_the_order_of_registration() -> None:
    connection = Connection()
    assert connection.on("a", two).on("a", one).on("a", two).on(EVERY, one) is connection
    assert connection.handlers("a") == [two, one, two]
    assert connection.handlers(EVERY) == [one]
    assert connection.handlers("b") == []


def test_once() -> None:
    connection = Connection()
    connection.once("a", one).on("a", two)
    registry = connection._event_handler_registry
    assert connection.handlers("a") == [one, two]
    assert connection.handlers("a") == [two]
    assert registry.has_handlers("a")
    connection.off("a", two)
    assert not registry.has_handlers("a")
    assert connection.handlers("a") == []


def test_the_first_registration_is_removed() -> None:
    connection = Connection()
    connection.on("a", one).on("a", two).on("a", one)
    assert connection.off("a", one).off("a", print).off("b", one) is connection
    assert connection.handlers("a") == [two, one]


def test_decorators() -> None:
    connection = Connection()
    assert connection.on("a")(one) is one
    assert connection.once("a")(two) is two
    assert connection.handlers("a") == [one, two]
    assert connection.handlers("a") == [one]


@pytest.mark.parametrize("wrong", ["text", 5, object()])
def test_handlers_are_callable(wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"the handler of 'a' must be callable, not {type(wrong).__name__}"):
        Connection().on("a", wrong)


def test_merging_moves_all() -> None:
    registry, other = EventHandlerRegistry(), EventHandlerRegistry(use_lock=False)
    registry.add("a", one, once=True)
    registry.add("b", two)
    other.add("a", two)
    registry.merge_into(other)
    assert not registry.has_handlers("a")
    assert other.get_handlers("a") == [two, one]
    assert other.get_handlers("a") == [two]
    assert other.get_handlers("b") == [two]


def test_changes_wait_for_the_lock() -> None:
    class Counting:
        def __init__(self) -> None:
            self.lock = Lock()
            self.entered = 0

        def __enter__(self) -> None:
            self.lock.acquire()
            self.entered += 1

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    registry: Any = EventHandlerRegistry()
    registry._lock = lock = Counting()
    registry.add("a", one)
    registry.get_handlers("a")
    registry.remove("a", one)
    registry.merge_into(EventHandlerRegistry())
    assert lock.entered == 4
