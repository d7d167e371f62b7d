"""A cancellation at each turn of the loop: `sweep(use, ...)` repeats a coroutine, cancelled one turn later each time.

Turns are calls of the selector, so that waiting takes no turns. A cancellation therefore falls between any two steps:
data has arrived and the task has not run yet, the connection is open and not taken yet.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

from aiopenai import AsyncOpenAI
from tests.guards.residue import clean, on_transport
from tests.guards.server import ChaosServer

__all__ = ["MOST_TURNS", "Turns", "sweep"]

# A use that takes more turns than this waits for something in a circle.
MOST_TURNS = 600
# So many uses in a row that end before their cancellation are the end of a sweep: the turns of a use vary a little.
ENOUGH = 4


class Turns(selectors.DefaultSelector):
    """A selector that counts the turns of its loop and cancels a task in the n-th one."""

    def __init__(self) -> None:
        super().__init__()
        self._task: asyncio.Task[Any] | None = None
        self._left: list[int] = []
        self.told = False
        """Whether the task was running still when it was cancelled."""

    def arm(self, task: asyncio.Task[Any], turns: list[int]) -> None:
        """Cancels a task after so many turns, and again after as many as follow."""
        self._task = task
        self._left = turns
        self.told = False

    def select(self, timeout: float | None = None) -> Any:
        if self._task is not None and self._left:
            self._left[0] -= 1
            if self._left[0] <= 0:
                self._left.pop(0)
                self.told = self._task.cancel() or self.told
                # The cancelled task is ready: the loop must not wait.
                timeout = 0
        return super().select(timeout)


Use = Callable[[AsyncOpenAI], Awaitable[object]]


async def _sweep(selector: Turns, client: AsyncOpenAI, use: Use, step: int, again: int, server: ChaosServer) -> int:
    """Returns the number of cancellations."""
    cancelled = ended = turns = 0
    while ended < ENOUGH:
        turns += step
        assert turns < MOST_TURNS, "the use does not end"
        task = asyncio.ensure_future(use(client))
        before = asyncio.all_tasks() - {task}
        schedule = [turns, again] if again else [turns]
        selector.arm(task, schedule)
        await asyncio.wait([task])
        schedule.clear()
        if task.cancelled():
            cancelled += 1
            ended = 0
        else:
            task.result()
            assert not selector.told, f"the cancellation in turn {turns} was lost"
            ended += 1
        # Cancelled tasks of the client, which nothing awaits, end in the turns that follow.
        for _ in range(10):
            if asyncio.all_tasks() <= before:
                break
            await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before, f"after turn {turns}: {asyncio.all_tasks() - before}"
    return cancelled


def sweep(
    use: Use,
    *,
    transport: str,
    step: int = 1,
    again: int = 0,
    fresh: bool = False,
    most_open: int = 2,
    context: Any = None,
    **options: Any,
) -> int:
    """Cancels a use in each turn and asserts that nothing is left; returns the number of cancellations.

    With `again`, it is cancelled a second time as many turns later. With `fresh`, each use has a client of its own.
    """
    selector = Turns()
    loop = asyncio.SelectorEventLoop(selector)

    def client_of(server: ChaosServer) -> AsyncOpenAI:
        return AsyncOpenAI(api_key="k", base_url=server.base_url, timeout=20.0, **options)

    async def run(server: ChaosServer) -> int:
        if fresh:

            async def alone(_: AsyncOpenAI) -> None:
                async with client_of(server) as own:
                    await use(own)

            async with client_of(server) as client:
                return await _sweep(selector, client, alone, step, again, server)
        async with client_of(server) as client:
            await use(client)
            cancelled = await _sweep(selector, client, use, step, again, server)
            await use(client)
            end = loop.time() + 5
            while server.open > most_open and loop.time() < end:  # noqa: ASYNC110 - another thread counts
                await asyncio.sleep(0.01)
            assert server.open <= most_open, f"{server.open} connections are open"
        return cancelled

    async def checked() -> int:
        async with clean():
            with ChaosServer(1, context) as server:
                cancelled = await run(server)
        assert not server.faults, server.faults[:3]
        return cancelled

    asyncio.set_event_loop(loop)
    try:
        with on_transport(transport):
            cancelled = loop.run_until_complete(checked())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return cancelled
