from __future__ import annotations

import ast
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aiopenai
from aiopenai._base.deadlines import time_limit, within

PACKAGE = Path(aiopenai.__file__).parent


async def forever() -> None:
    await asyncio.Event().wait()


class TestWithin:
    async def test_in_time(self) -> None:
        async def value() -> int:
            await asyncio.sleep(0)
            return 5

        assert await within(5, value()) == 5
        assert await within(None, value()) == 5

    @pytest.mark.parametrize("seconds", [0, 0.01, -1])
    async def test_too_late(self, seconds: float) -> None:
        for _ in range(2):
            with pytest.raises(asyncio.TimeoutError):
                await within(seconds, forever())
        # The task itself is as before.
        await asyncio.sleep(0)

    @pytest.mark.parametrize("depth", [1, 3])
    async def test_too_late_for_many(self, depth: int) -> None:
        async def nested(depth: int) -> None:
            await asyncio.gather(*(nested(depth - 1) if depth else forever() for _ in range(3)))

        for _ in range(2):
            with pytest.raises(asyncio.TimeoutError):
                await within(0.01, nested(depth))
            with pytest.raises(asyncio.TimeoutError):
                await within(0.01, asyncio.gather(forever(), forever()))

    async def test_cancelled_while_many_run(self) -> None:
        task = asyncio.ensure_future(within(5, asyncio.gather(forever(), forever())))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_errors_are_those_of_the_block(self) -> None:
        with pytest.raises(LookupError):
            async with time_limit(5):
                raise LookupError

    async def test_cleaning_up_takes_its_time(self) -> None:
        cleaned = False

        async def careful() -> None:
            nonlocal cleaned
            try:
                await forever()
            finally:
                await asyncio.sleep(0.01)
                cleaned = True

        with pytest.raises(asyncio.TimeoutError):
            await within(0.01, careful())
        assert cleaned

    async def test_nested(self) -> None:
        for outer, inner in ((0.01, 5), (0.01, 0.01)):
            with pytest.raises(asyncio.TimeoutError):
                await within(outer, within(inner, forever()))
        with pytest.raises(asyncio.TimeoutError):
            await within(0.01, forever())
        await asyncio.sleep(0.02)


class TestCancellation:
    """A cancellation ends the task, whatever else comes in the same turn of the loop."""

    async def ends(self, block: Callable[[asyncio.Future[None]], Any], *together: str) -> bool:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        after = False

        async def run() -> None:
            nonlocal after
            await block(future)
            after = True
            await forever()

        task = asyncio.ensure_future(run())
        await asyncio.sleep(0)
        for what in together:
            if what == "result":
                future.set_result(None)
            else:
                task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            return False
        return task.cancelled() and not after

    @pytest.mark.parametrize("together", [("cancel",), ("result", "cancel")])
    async def test_with_the_result(self, together: tuple[str, ...]) -> None:
        assert await self.ends(lambda future: within(60, future), *together)

    @pytest.mark.parametrize("first", ["cancel", "limit"])
    async def test_with_the_limit(self, first: str) -> None:
        loop = asyncio.get_running_loop()
        outcome = ""

        async def run() -> None:
            nonlocal outcome
            try:
                await within(0.01, forever())
            except asyncio.TimeoutError:
                outcome = "timeout"
                raise
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise

        task = asyncio.ensure_future(run())
        await asyncio.sleep(0)
        # Timers that are due run in one turn, in the order of their times.
        due = loop.time()
        loop.call_at(due + (0.005 if first == "cancel" else 0.02), task.cancel)
        end = due + 0.05
        while loop.time() < end:
            pass
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcome == "cancelled"

    async def test_later_ones_count(self) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await within(0, forever())
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await forever()


def test_the_package_does_not_use_wait_for() -> None:
    """`asyncio.wait_for` loses cancellations on Python 3.10 and 3.11."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = isinstance(node, ast.Attribute) and node.attr == "wait_for"
            assert not found or ast.unparse(node) != "asyncio.wait_for", f"{path}:{node.lineno}"  # type: ignore[attr-defined]
