"""The drivers of a computer: the methods that a program writes for its browser or desktop."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiopenai.lib.computer._actions import Screenshot

__all__ = ["AsyncComputerDriver", "ComputerDriver", "handlers"]

_METHODS = ("click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait")
_UNKNOWN = (inspect.Signature.empty, Any, object, "Any", "typing.Any", "object")


class ComputerDriver(Protocol):
    """The actions of a computer. Each method gets the action of the model, and raises if it cannot do it."""

    @abstractmethod
    def click(self, action: Any) -> None:
        """Presses a mouse button at a point, while `keys` are held."""

    @abstractmethod
    def double_click(self, action: Any) -> None:
        """Presses the left mouse button twice at a point."""

    @abstractmethod
    def drag(self, action: Any) -> None:
        """Moves the mouse along a path with the left button pressed."""

    @abstractmethod
    def keypress(self, action: Any) -> None:
        """Presses keys at once."""

    @abstractmethod
    def move(self, action: Any) -> None:
        """Moves the mouse to a point."""

    @abstractmethod
    def scroll(self, action: Any) -> None:
        """Scrolls at a point by so many pixels."""

    @abstractmethod
    def type(self, action: Any) -> None:
        """Writes text."""

    @abstractmethod
    def wait(self, action: Any) -> None:
        """Waits a moment."""

    @abstractmethod
    def screenshot(self) -> Screenshot:
        """Returns the screen as a `computer_screenshot` with `image_url` or `file_id`."""


class AsyncComputerDriver(Protocol):
    """The actions of a computer, as coroutine functions; see `ComputerDriver`."""

    @abstractmethod
    async def click(self, action: Any) -> None:
        """Presses a mouse button at a point, while `keys` are held."""

    @abstractmethod
    async def double_click(self, action: Any) -> None:
        """Presses the left mouse button twice at a point."""

    @abstractmethod
    async def drag(self, action: Any) -> None:
        """Moves the mouse along a path with the left button pressed."""

    @abstractmethod
    async def keypress(self, action: Any) -> None:
        """Presses keys at once."""

    @abstractmethod
    async def move(self, action: Any) -> None:
        """Moves the mouse to a point."""

    @abstractmethod
    async def scroll(self, action: Any) -> None:
        """Scrolls at a point by so many pixels."""

    @abstractmethod
    async def type(self, action: Any) -> None:
        """Writes text."""

    @abstractmethod
    async def wait(self, action: Any) -> None:
        """Waits a moment."""

    @abstractmethod
    async def screenshot(self) -> Screenshot:
        """Returns the screen as a `computer_screenshot` with `image_url` or `file_id`."""


def handlers(driver: Any, *, asynchronous: bool) -> Mapping[str, Callable[..., Any]]:
    """Returns the methods of a driver. Raises ValueError for a missing one, and for one of the other client."""
    found: dict[str, Callable[..., Any]] = {}
    for name in _METHODS:
        method: Any = getattr(driver, name, None)
        if not callable(method):
            raise ValueError(f"The driver of a computer needs the method {name!r}")
        if _returns_awaitable(method) not in (None, asynchronous):
            other = "ComputerToolset" if asynchronous else "AsyncComputerToolset"
            raise ValueError(f"The method {name!r} of the driver belongs to the other client: use {other}")
        found[name] = method
    return found


def _returns_awaitable(method: Any) -> bool | None:
    """Returns whether a method is asynchronous; None if neither it nor its annotations tell."""
    function = inspect.unwrap(method)
    if inspect.iscoroutinefunction(function):
        return True
    if not inspect.isroutine(function) and inspect.iscoroutinefunction(inspect.unwrap(type(function).__call__)):
        return True
    try:
        annotation: Any = inspect.signature(function).return_annotation
    except (TypeError, ValueError):
        return None
    if any(annotation is each or annotation == each for each in _UNKNOWN):
        return None
    return any(name in str(annotation) for name in ("Awaitable[", "Coroutine[", "Future["))
