"""Imports in a thread: one for all callers of a loop, and none for a module that is there."""

from __future__ import annotations

import asyncio
import importlib
import threading
from pathlib import Path
from types import ModuleType

import pytest

from aiopenai._base import imports
from aiopenai._base.imports import import_in_thread


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_modules", {})


async def test_concurrent_callers_share_one_import(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("aiopenai_made_up")
    threads: list[threading.Thread] = []

    def load(name: str) -> ModuleType:
        assert name == "aiopenai_made_up"
        threads.append(threading.current_thread())
        return module

    monkeypatch.setattr(importlib, "import_module", load)
    found = await asyncio.gather(*(import_in_thread("aiopenai_made_up") for _ in range(5)))
    assert found == [module] * 5
    assert await import_in_thread("aiopenai_made_up") is module
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    assert imports._imports == {}


async def test_a_cancelled_caller_does_not_cancel_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("aiopenai_made_up")
    go_on = threading.Event()

    def load(_: str) -> ModuleType:
        assert go_on.wait(30)
        return module

    monkeypatch.setattr(importlib, "import_module", load)
    one, other = (asyncio.ensure_future(import_in_thread("aiopenai_made_up")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.wait([one])
    go_on.set()
    assert await other is module
    assert one.cancelled()


async def test_a_failure_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="aiopenai_comes_later"):
        await import_in_thread("aiopenai_comes_later")
    assert imports._imports == {}
    (tmp_path / "aiopenai_comes_later.py").write_text("HERE = True\n")
    importlib.invalidate_caches()
    assert (await import_in_thread("aiopenai_comes_later")).HERE
