"""The interface of the transports: `Session` sends one attempt in one event loop, `Reply` is its answer.

Two transports implement it. The direct one (direct.py) drives aiohttp's connector and parser and serves nearly every
call; the general one (general.py) uses a `ClientSession` and serves all others. Nothing here imports aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from _thread import interrupt_main, start_new_thread
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any

from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._http.form import Form
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai.errors import APIError, APIResponseValidationError

__all__ = ["FinalisedReply", "Reply", "Session", "Settings"]


class Settings:
    """The options of a client that concern its connections."""

    __slots__ = (
        "connector",
        "http_client",
        "max_response_bytes",
        "plain_client",
        "proxy",
        "socket_options",
        "ssl",
        "trust_env",
    )

    def __init__(
        self,
        *,
        http_client: Any = None,
        plain_client: Any = None,
        socket_options: Any = (),
        connector: Any = None,
        proxy: str | None = None,
        ssl: Any = True,
        trust_env: bool = True,
        max_response_bytes: int = 2**30,
    ) -> None:
        self.http_client = http_client
        # A client of httpx in place of which aiopenai's transport sends, as long as it has no hooks or mocks.
        self.plain_client = plain_client
        # The options that this client sets on its sockets, as `setsockopt` takes them.
        self.socket_options = socket_options
        self.connector = connector
        self.proxy = proxy
        self.ssl = ssl
        self.trust_env = trust_env
        self.max_response_bytes = max_response_bytes


class Session(ABC):
    """One transport in one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self._at_loop_end: AsyncGenerator[None, None] | None = None
        self._run: Any = None

    def stood_still(self) -> bool:
        """Returns whether the loop was stopped and runs again since the last call of this method.

        The loops of a blocking client are stopped between calls. A stopped loop does not see that a connection ends.
        """
        # Each run of a loop installs hooks of its own.
        run = sys.get_asyncgen_hooks()[0]
        if run is self._run:
            return False
        self._run = run
        return True

    @abstractmethod
    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Form | Any, timeout: Timeout
    ) -> Reply:
        """Sends one request and returns its reply as soon as the head is here.

        Raises APIConnectionError and APITimeoutError, and the OSError of a file to upload that cannot be read.
        """

    @abstractmethod
    def general(self) -> Session:
        """Returns the session whose replies can be upgraded to websockets."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether no more requests can be sent."""

    @abstractmethod
    async def shut(self) -> None:
        """Closes the connections of this session; borrowed ones stay open. Runs in the session's loop."""

    @abstractmethod
    def forget(self) -> None:
        """Closes the sockets without the loop: the loop is closed, or belongs to the parent of a forked process."""

    def stand_by(self) -> None:
        """Arranges that the connections close with the loop: `asyncio.run` closes the generators that are left."""
        self._at_loop_end = self._until_loop_ends()
        # Runs to its only `yield`. Nothing is awaited before, so that no loop is needed.
        with contextlib.suppress(StopIteration):
            self._at_loop_end.__anext__().send(None)

    async def _until_loop_ends(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self.shut()

    async def close(self) -> None:
        """Closes the connections of this session; borrowed ones stay open."""
        await self.shut()
        # The generator has nothing left to await, and ends in one step: the end of the loop, which closes all
        # generators, cannot come in between. If the loop runs it at this moment, it ends by itself.
        generator: Any = self._at_loop_end
        if generator is not None and not generator.ag_running:
            await generator.aclose()


class Reply(ABC):
    """One reply: the head is here, the body is read on demand.

    All methods belong to the reply's event loop, except `close` and `abandon`.
    """

    __slots__ = ("_limit", "elapsed", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], elapsed: float, limit: int) -> None:
        self.status = status
        self.headers = headers
        self.elapsed = elapsed
        self._limit = limit

    @property
    @abstractmethod
    def request(self) -> HTTPRequest:
        """The request as sent, without credentials. Built on first use: few replies need it."""

    @property
    @abstractmethod
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """The reason phrase."""

    @property
    @abstractmethod
    def closed(self) -> bool:
        """Whether no more of the body can be read."""

    def whole(self) -> bytes | None:
        """Returns the body if all of it is here, else None: a `read` that does not wait."""
        return None

    async def read(self) -> bytes:
        """Returns the rest of the body and frees the connection."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read_some():
            size += len(piece)
            if size > self._limit:
                self.close()
                raise self.too_long()
            pieces.append(piece)
        return b"".join(pieces)

    @abstractmethod
    async def read_some(self) -> bytes:
        """Returns the next piece of the body as it arrives; empty at the end."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection, unless the body was read to its end. Safe in any thread."""

    @abstractmethod
    def abandon(self) -> None:
        """Closes the reply by its event loop, later. For finalisers, which run in any thread and amid any code."""

    async def drain(self, seconds: float) -> None:
        """Reads the rest if it arrives in time, so that the connection can be used again; then closes the reply."""
        if not self.at_end():
            # The caller has its answer. At worst the connection cannot be used again.
            with contextlib.suppress(APIError, asyncio.TimeoutError):
                await within(seconds, self._to_end())
        self.close()

    @abstractmethod
    def at_end(self) -> bool:
        """Returns whether the end of the body is here."""

    async def _to_end(self) -> None:
        while await self.read_some():
            pass

    def items(self) -> Iterable[tuple[str, str]]:
        """Returns the headers in their order, repeated ones repeated."""
        return self.headers.items()

    def too_long(self) -> APIResponseValidationError:
        """Returns the error of a body beyond `max_response_bytes`."""
        response = HTTPResponse(self.status, Headers(self.items()), b"", self.request, reason=self.reason)
        message = f"The reply is longer than max_response_bytes={self._limit}."
        return APIResponseValidationError(response, None, message=message)


class FinalisedReply(Reply):
    """A reply that closes itself when it is garbage collected: unread, it would hold its connection for ever."""

    __slots__ = ()

    def __del__(self) -> None:
        try:
            self.abandon()
        except KeyboardInterrupt:
            interrupted(self.abandon)


def in_loop(loop: asyncio.AbstractEventLoop, function: Any, *arguments: Any) -> None:
    """Runs a function in a loop: at once in the loop's own thread or on a stopped loop, else in a later turn."""
    if loop.is_running() and asyncio._get_running_loop() is not loop:
        later(loop, function, *arguments)
    else:
        function(*arguments)


def later(loop: asyncio.AbstractEventLoop, function: Any, *arguments: Any) -> None:
    """Runs a function in a later turn of a loop, from any thread. A closed loop has closed its connections."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


def interrupted(finaliser: Callable[[], object]) -> None:
    """Completes a finaliser that Ctrl-C has broken off, and presses Ctrl-C once more after it.

    Python prints and drops the exceptions of `__del__`, so the KeyboardInterrupt itself would be lost.
    """
    finaliser()
    # Another thread, because this one would meet the signal in the finaliser again. It waits for the interpreter's
    # lock until the finaliser has ended, or 5 ms.
    start_new_thread(_press_again, ())


def _press_again() -> None:
    if hasattr(signal, "pthread_kill"):
        # A true signal also ends a system call of the main thread.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()
