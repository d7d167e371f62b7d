"""The loop on which a blocking stream or unread reply runs its coroutines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, Protocol, TypeVar

from aiopenai._http.interface import Reply
from aiopenai.errors import OpenAIError

__all__ = ["HeldLoop", "drop", "items_of"]

T = TypeVar("T")


class HeldLoop(Protocol):
    """An event loop that a stream or an unread reply holds until `release`."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end."""
        ...

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator, and closes it when the iteration ends."""
        ...

    def release(self) -> None:
        """Gives the loop back. Further calls do nothing."""
        ...


def items_of(pieces: AsyncIterator[T], run: Callable[[Coroutine[Any, Any, T]], T]) -> Iterator[T]:
    """Yields the items of an async iterator, each by a coroutine that `run` brings to its end."""
    while True:
        step = _next(pieces)
        try:
            piece = run(step)
        except StopAsyncIteration:
            return
        except BaseException:
            # Ctrl-C may come before the step begins, and Python would warn that it was never awaited.
            if getcoroutinestate(step) == CORO_CREATED:
                step.close()
            raise
        yield piece


async def _next(pieces: AsyncIterator[T]) -> T:
    return await pieces.__anext__()


def drop(lease: HeldLoop, reply: Reply) -> None:
    """Drops the connection of a reply, unless it is closed: in its loop, which may be closed already.

    Outside of the loop, Ctrl-C could break in between the steps of a transport that closes: its end would never come,
    and a client that closes waits for it.
    """
    if not reply.closed:
        with contextlib.suppress(OpenAIError):
            lease.run(_dropped(reply))


async def _dropped(reply: Reply) -> None:
    reply.close()
    # The transport closes the socket in the turns that follow.
    for _ in range(2):
        await asyncio.sleep(0)
