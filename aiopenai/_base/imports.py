"""Imports at first use that do not block the event loop."""

from __future__ import annotations

import asyncio
import importlib
from types import ModuleType

from aiopenai._base.collector import undisturbed

__all__ = ["import_in_thread"]

_modules: dict[str, ModuleType] = {}
_imports: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Future[ModuleType]] = {}


async def import_in_thread(name: str) -> ModuleType:
    """Imports a module in a thread, because that reads files. Concurrent callers of one loop share one import."""
    found = _modules.get(name)
    if found is None:
        loop = asyncio.get_running_loop()
        importing = _imports.get((loop, name))
        if importing is None:
            importing = _imports[loop, name] = loop.run_in_executor(None, undisturbed, importlib.import_module, name)
            importing.add_done_callback(lambda _: _imports.pop((loop, name), None))
        found = _modules[name] = await asyncio.shield(importing)
    return found
