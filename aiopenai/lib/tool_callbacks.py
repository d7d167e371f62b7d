"""The parts that tool runners share: the effects of a run, the functions of a program, the limit of one run."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from typing_extensions import TypedDict

__all__ = [
    "Admission",
    "CloseStatus",
    "Effect",
    "Effects",
    "drive",
    "drive_async",
    "invoke",
    "not_awaitable",
    "takes_cancelled",
]

T = TypeVar("T")


class Effect(NamedTuple):
    """A step of a run: a function without arguments. Its result may be awaitable in runs of the async client."""

    call: Callable[[], Any]


Effects: TypeAlias = Generator[Effect, Any, T]
"""The course of a run: it yields effects, gets the result of each or its error, and returns the result of the run."""


def drive(course: Effects[T], take: Callable[[Effect], Any]) -> T:
    """Takes the effects of a course, and returns its result."""
    result: Any = None
    failure: BaseException | None = None
    while True:
        try:
            effect = course.send(result) if failure is None else course.throw(failure)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        result = failure = None
        try:
            result = take(effect)
        except BaseException as error:
            failure = error


async def drive_async(course: Effects[T], take: Callable[[Effect], Awaitable[Any]]) -> T:
    """Takes the effects of a course as coroutines, and returns its result."""
    result: Any = None
    failure: BaseException | None = None
    while True:
        try:
            effect = course.send(result) if failure is None else course.throw(failure)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        result = failure = None
        try:
            result = await take(effect)
        except BaseException as error:
            failure = error


class CloseStatus(TypedDict):
    """The result of `close`: `draining` while a run goes on."""

    status: Literal["closed", "draining"]


class Admission:
    """The door of a runner, which makes one run at a time. `owner` is its name in errors."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._lock = Lock()
        self._busy = False
        self._closed = False

    def close(self) -> CloseStatus:
        """Refuses further runs. A run that goes on is not stopped."""
        with self._lock:
            self._closed = True
            return {"status": "draining" if self._busy else "closed"}

    @contextmanager
    def run(self) -> Generator[None]:
        """Admits a run. Raises RuntimeError for a runner that is busy or closed."""
        with self._lock:
            if self._closed:
                raise RuntimeError(f"The {self._owner} is closed: make another one")
            if self._busy:
                raise RuntimeError(f"The {self._owner} is busy with another run: make one for each")
            self._busy = True
        try:
            yield
        finally:
            with self._lock:
                self._busy = False


def takes_cancelled(function: Callable[..., Any], given: int) -> bool:
    """Returns whether a function has a parameter `cancelled` beside its first `given` parameters."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        # Some functions of C have no signature.
        return False
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return any(each.name == "cancelled" and each.kind in kinds for each in parameters[given:])


def invoke(function: Callable[..., Any], *args: Any, cancelled: Callable[[], bool]) -> Any:
    """Calls a function of the program, with the function that tells of cancellation for its parameter `cancelled`."""
    if takes_cancelled(function, len(args)):
        return function(*args, cancelled=cancelled)
    return function(*args)


def not_awaitable(result: Any, advice: str) -> Any:
    """Returns a result for the blocking client. Raises TypeError for an awaitable one."""
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError(f"An asynchronous function needs {advice}")
    return result
