"""One loop, run by one thread at a time."""

from __future__ import annotations

import asyncio

import pytest

from aiopenai._client.runner import Runner
from aiopenai.errors import OpenAIError


async def loop_of_this() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_an_inherited_loop_is_not_run() -> None:
    runner = Runner()
    loop = runner.run(loop_of_this())
    runner.abandon()
    with pytest.raises(OpenAIError, match="forked"):
        runner.run(loop_of_this())
    runner.close()
    # What abandoning says, taken back: this process is no child.
    vars(loop)["_closed"] = False
    loop.close()


def test_a_run_that_cannot_begin_closes_its_coroutine(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner()
    monkeypatch.setattr(runner._loop, "create_task", lambda _: 1 / 0)
    coroutine = loop_of_this()
    with pytest.raises(ZeroDivisionError):
        runner.run(coroutine)
    assert coroutine.cr_frame is None
    monkeypatch.undo()
    runner.close()
