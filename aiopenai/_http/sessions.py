"""The sessions of a client, one per event loop, and the choice of the transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import weakref
from collections.abc import Callable
from typing import Any

from aiopenai._http.direct import DirectSession
from aiopenai._http.interface import Session, Settings
from aiopenai._http.outgoing import header_block
from aiopenai._http.private.connector import UnfitError

__all__ = ["Sessions", "choose", "header_block", "open_sessions"]

log = logging.getLogger("aiopenai")


def open_sessions(**wiring: Any) -> Sessions:
    """Returns the sessions of a client; `wiring` has the attributes of `Settings`."""
    return Sessions(Settings(**wiring), choose)


def choose(settings: Settings) -> Session:
    """Returns a session of the running loop: a direct one if no option requires the general transport."""
    given = settings.http_client or settings.plain_client
    if given is not None and hasattr(given, "build_request"):
        from aiopenai._http.httpx_clients import HttpxSession, is_plain

        # Asked again: programs add hooks to a client that they have handed over.
        if settings.http_client is not None or not is_plain(given):
            return HttpxSession(settings)
    why = "a session, a connector or a proxy is given"
    if settings.http_client is None and settings.connector is None and settings.proxy is None:
        try:
            return DirectSession(settings)
        except UnfitError as error:
            why = str(error)
    log.debug("General transport: %s", why)
    from aiopenai._http.general import GeneralSession

    return GeneralSession(settings)


class Sessions:
    """The sessions of a client and its copies by event loop, made on first use.

    A forked process inherits none: its parent goes on using the connections.
    """

    def __init__(self, settings: Settings, make: Callable[[Settings], Session]) -> None:
        self._settings = settings
        self._make = make
        self._by_loop: dict[asyncio.AbstractEventLoop, Session] = {}
        self.closed = False
        # A client that is dropped without `close` closes its connections. At exit the loops have closed them before.
        weakref.finalize(self, release, self._by_loop).atexit = False
        _everywhere.add(self)

    def current(self) -> Session | None:
        """Returns the session of the running loop, if there is one."""
        return self._by_loop.get(asyncio.get_running_loop())

    def open(self) -> Session:
        """Makes the session of the running loop."""
        loop = asyncio.get_running_loop()
        for other, session in list(self._by_loop.items()):
            if other.is_closed():
                del self._by_loop[other]
                session.forget()
        made = self._by_loop[loop] = self._make(self._settings)
        if self._settings.http_client is None:
            made.stand_by()
        return made

    async def close(self) -> None:
        """Closes the session of the running loop now, and has other loops close theirs."""
        self.closed = True
        mine = self._by_loop.pop(asyncio.get_running_loop(), None)
        release(self._by_loop)
        if mine is not None:
            await mine.close()

    def disown(self) -> None:
        """Lets go, in a forked process, of the sessions of its parent."""
        while self._by_loop:
            inherited = self._by_loop.popitem()
            # Kept alive: collecting them would close them by their loop, through the selector that the parent uses too.
            _inherited.append(inherited)
            inherited[1].forget()


_everywhere: weakref.WeakSet[Sessions] = weakref.WeakSet()
_inherited: list[tuple[asyncio.AbstractEventLoop, Session]] = []


def _after_fork() -> None:
    for sessions in list(_everywhere):
        sessions.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def release(by_loop: dict[asyncio.AbstractEventLoop, Session]) -> None:
    """Has each loop close its session. Safe in any thread: finalisers call this."""
    while by_loop:
        loop, session = by_loop.popitem()
        if loop.is_closed():
            session.forget()
            continue
        with contextlib.suppress(RuntimeError):  # closed since
            loop.call_soon_threadsafe(_close_soon, session)


_closing: set[asyncio.Task[None]] = set()


def _close_soon(session: Session) -> None:
    task = asyncio.get_running_loop().create_task(session.close())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
