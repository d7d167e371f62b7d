from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from aiopenai._cli.loop import cancel_on, run_async

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_handlers_of_the_program_come_back(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    else:
        # As if it were not installed.
        monkeypatch.setitem(sys.modules, "uvloop", None)

    def handler(number: int, frame: object) -> None:
        raise AssertionError

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}

    async def main() -> int:
        cancel_on(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is not handler
        return 3

    try:
        assert run_async(main()) == 3
        assert all(signal.getsignal(number) is handler for number in before)
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_command(number: signal.Signals) -> None:
    cancelled: list[bool] = []

    async def main() -> None:
        cancel_on(signal.SIGTERM)
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_async(main())
    assert cancelled == [True]
