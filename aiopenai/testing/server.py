"""The server as tests see it: start and end, faults and prepared replies, the journal."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiopenai.testing.content.catalogue import MODELS
from aiopenai.testing.endpoints.routes import dispatch
from aiopenai.testing.engine.exchange import PREFIX
from aiopenai.testing.engine.journal import Journal
from aiopenai.testing.engine.limits import RateLimits
from aiopenai.testing.engine.received import Fault, Match, ReceivedRequest
from aiopenai.testing.engine.rules import Prepared, Rules, as_bytes
from aiopenai.testing.engine.runner import ServerThread
from aiopenai.testing.engine.serving import Service
from aiopenai.testing.engine.wire import Connection, Listener
from aiopenai.testing.memory.state import Answer, State

if TYPE_CHECKING:
    from ssl import SSLContext

    from typing_extensions import Self

__all__ = ["Server", "serve_forever"]

_CLOSE_TIME = 2.0
_ACCEPT_BATCH = 1024

_logger = logging.getLogger("aiopenai.testing")


class Server:
    """A local server that speaks the OpenAI API, for tests and demonstrations.

    Start it with `async with` (it runs in the running loop) or with `with` (it runs in a thread and loop of its own);
    then point a client at `base_url`. See the documentation of `aiopenai.testing` for examples.

    api_key: the key that requests must bring; None takes any.
    host, port: where to listen; port 0 takes a free one.
    ssl: a server-side context, to serve https.
    answer: what models say: None repeats the user's text, a string is said each time, a function gets the user's text
        and returns the answer. May be set at any time.
    models: the names of models to know instead of the built-in list.
    latency: seconds to wait before every reply, or a function that gives them, such as `slow_tail(0.1)`.
    token_delay: seconds between the events of a stream; 0 only lets other tasks run in between.
    journal: whether to record requests.
    max_journal_entries, max_journal_bytes: the journal keeps the newest requests within these bounds.
    max_body_bytes: bigger requests are answered 413.
    max_stored, max_stored_bytes: how many objects of a kind, and bytes of files, are kept; the oldest go first.
    backlog: connections that may wait to be accepted.
    limits: rate limits to enforce, `RateLimits(rpm=..., tpm=...)`.
    clock: what `created` comes from, in seconds; by default a constant, so that replies are always the same.
    poll_after_ms: when unfinished work asks to be looked at again, in the header `openai-poll-after-ms`.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: SSLContext | None = None,
        answer: Answer = None,
        models: Iterable[str] | None = None,
        latency: float | Callable[[], float] = 0.0,
        token_delay: float = 0.0,
        journal: bool = True,
        max_journal_entries: int = 10_000,
        max_journal_bytes: int = 64 * 1024 * 1024,
        max_body_bytes: int = 1024 * 1024 * 1024,
        max_stored: int = 10_000,
        max_stored_bytes: int = 1024 * 1024 * 1024,
        backlog: int = 4096,
        clock: Callable[[], float] | None = None,
        limits: RateLimits | None = None,
        poll_after_ms: int = 10,
    ) -> None:
        if token_delay < 0 or not (callable(latency) or latency >= 0):
            raise ValueError("latency and token_delay must not be negative")
        self._host = host
        self._wanted_port = port
        self._ssl = ssl
        self._backlog = backlog
        self._journal = Journal(max_journal_entries, max_journal_bytes) if journal else None
        self._rules = Rules()
        self._state = State(
            answer=answer,
            models=MODELS if models is None else models,
            any_model=models is None,
            clock=clock,
            max_stored=max_stored,
            max_stored_bytes=max_stored_bytes,
            poll_after_ms=poll_after_ms,
        )
        self._service = Service(
            dispatch=dispatch,
            state=self._state,
            rules=self._rules,
            journal=self._journal,
            limits=limits,
            api_key=api_key,
            max_body_bytes=max_body_bytes,
            latency=latency,
            token_delay=token_delay,
        )
        self._listener: Listener | None = None
        self._server: asyncio.Server | None = None
        self._port: int | None = None
        self._thread: ServerThread | None = None

    # Life

    async def start(self) -> None:
        """Listen in the running loop. Raises `OSError` if the address is taken, `RuntimeError` if already started."""
        if self._server is not None:
            raise RuntimeError("the server is already running")
        listener = Listener(self._service.handle)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(listener, self._host, self._wanted_port, ssl=self._ssl, backlog=_ACCEPT_BATCH)
        # asyncio takes its `backlog` as the number of connections to accept in one turn too, and out of file
        # descriptors it logs an error that many times a second. So the long queue is set behind its back.
        for listening in server.sockets:
            with socket.fromfd(listening.fileno(), listening.family, listening.type) as duplicate:
                duplicate.listen(self._backlog)
        self._server = server
        self._listener = listener
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and close all connections, streams in progress included. Closing twice does no harm."""
        server, listener = self._server, self._listener
        if server is None or listener is None:
            return
        self._server = None
        server.close()
        # A turn for connections that were being accepted.
        await asyncio.sleep(0)
        for connection in listener.connections:
            if isinstance(connection, Connection):
                connection.drop()
        # Every wait of a handler ends with its connection, so this takes a few turns of the loop.
        await _at_most(_CLOSE_TIME, self._service.idle())
        await listener.shutdown(0.25)
        # Since Python 3.12 this waits for the connections too, and one in the middle of a TLS handshake takes long.
        await _at_most(_CLOSE_TIME, server.wait_closed())
        # A turn for the transports to report their end, and one for the tasks that wait for it.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        if self._thread is not None:
            raise RuntimeError("the server is already running")
        thread = ServerThread(self.start, self.close)
        thread.begin()
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()

    def __repr__(self) -> str:
        where = self.base_url if self._server is not None else "not running"
        return f"<aiopenai.testing.Server {where}>"

    # Where it is and who came

    @property
    def port(self) -> int:
        """The port; after closing, the last one. Raises `RuntimeError` before the first start."""
        if self._port is None:
            raise RuntimeError("the server has not been started")
        return self._port

    @property
    def base_url(self) -> str:
        """What a client takes as `base_url`, for example `http://127.0.0.1:8000/v1`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)
        if ":" in host:
            host = f"[{host}]"
        return f"{'http' if self._ssl is None else 'https'}://{host}:{self.port}{PREFIX}"

    @property
    def connections(self) -> int:
        """How many connections were accepted since the start."""
        return 0 if self._listener is None else self._listener.accepted

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return 0 if self._listener is None else self._listener.open

    @property
    def request_count(self) -> int:
        """How many requests arrived, counted without the journal too."""
        return self._service.served

    @property
    def journal(self) -> list[ReceivedRequest]:
        """A copy of the list of received requests, oldest first; empty with `journal=False`."""
        return [] if self._journal is None else self._journal.snapshot()

    def requests_for(self, path: str, method: str | None = None) -> list[ReceivedRequest]:
        """The received requests for a path relative to the base URL (`/chat/completions`), perhaps of one verb."""
        full = PREFIX + path
        return [
            request
            for request in self.journal
            if request.path == full and (method is None or request.method == method.upper())
        ]

    # What a test sets

    @property
    def latency(self) -> float | Callable[[], float]:
        """The seconds before every reply, or the function that returns them."""
        return self._service.latency

    @latency.setter
    def latency(self, latency: float | Callable[[], float]) -> None:
        self._service.latency = latency

    @property
    def token_delay(self) -> float:
        """The seconds between the events of a stream."""
        return self._service.token_delay

    @token_delay.setter
    def token_delay(self, token_delay: float) -> None:
        self._service.token_delay = token_delay

    @property
    def answer(self) -> Answer:
        """What models say; see the class."""
        return self._state.answer

    @answer.setter
    def answer(self, answer: Answer) -> None:
        self._state.answer = answer

    def fault(
        self,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | Mapping[str, Any] | list[Any] | None = None,
        content_type: str | None = None,
        delay: float = 0.0,
        cut_after: int | None = None,
        stall_after: int | None = None,
        reset: bool = False,
        times: int | None = 1,
        match: Match = None,
    ) -> Fault:
        """Let something go wrong with coming requests. Each request takes the first fault, in order, that fits it.

        status: answer with it, and with `body` or else with the API's usual error body for it.
        headers: further headers, such as `retry-after`; they replace the server's own.
        body: answer with this (bytes, text, or a value sent as JSON) instead of the endpoint's reply.
        content_type: of that body; JSON by default.
        delay: seconds to wait before the reply.
        cut_after: end the connection after so many bytes of the reply, head and chunk framing included; 0 sends none.
        stall_after: stop sending after so many bytes and keep the connection open.
        reset: cut by a reset (RST) where the connection would be ended in order; bytes under way may get lost.
        times: how many requests have it; None for ever.
        match: only requests whose path holds this text, or for which this function is true.

        Without `status` and `body` the endpoint answers as usual, delayed, cut or stalled.
        Returns the fault: `.applied` counts its requests. Raises `ValueError` for values that make no sense.
        """
        fault = Fault(
            status=status,
            headers=dict(headers or {}),
            body=None if body is None else as_bytes(body),
            content_type=content_type or "application/json",
            delay=delay,
            # A reset without a place for it comes before the first byte.
            cut_after=0 if reset and cut_after is None else cut_after,
            stall_after=stall_after,
            reset=reset,
            times=times,
            match=match,
        )
        self._rules.add_fault(fault)
        return fault

    def clear_faults(self) -> None:
        """Forget all faults that are not used up."""
        self._rules.clear_faults()

    def reply_with(
        self,
        path: str,
        body: bytes | str | Mapping[str, Any] | list[Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        chunk_size: int | None = None,
        times: int | None = None,
    ) -> Prepared:
        """Answer requests for a path with a prepared reply, whatever they ask.

        path: relative to the base URL, for example `/chat/completions`; it need not be one that the server knows.
        body: bytes, text, or a value sent as JSON.
        chunk_size: send HTTP chunks of so many bytes, each in a write of its own; None sends the body whole.
        times: how many requests get it; None until another reply is given for the path. Replies queue up in order.

        Returns the reply: `.applied` counts its requests. Raises `ValueError` for values that make no sense.
        """
        prepared = Prepared(path, as_bytes(body), status, dict(headers or {}), content_type, chunk_size, times)
        self._rules.add_prepared(prepared)
        return prepared

    def clear_replies(self) -> None:
        """Forget all prepared replies."""
        self._rules.clear_prepared()

    def clear(self) -> None:
        """Forget the journal, faults, prepared replies and stored objects; connections and counts of them stay."""
        if self._journal is not None:
            self._journal.clear()
        self._rules.clear_faults()
        self._rules.clear_prepared()
        self._state.clear()

    # One request


async def _at_most(seconds: float, awaited: Awaitable[Any]) -> None:
    """Wait for something, but not longer than this."""
    # Unlike `wait_for`, `wait` never loses a cancellation on Python 3.10 and 3.11.
    task = asyncio.ensure_future(awaited)
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        task.result()
    else:
        task.cancel()
        _logger.warning("the server did not close within %.0f s", seconds)


async def serve_forever(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    on_ready: Callable[[Server], None] | None = None,
    **options: Any,
) -> None:
    """Run a server until cancelled.

    on_ready: called once it listens, for example to print `base_url`. options: further arguments of `Server`.
    Keeps no journal unless told to. Raises `OSError` if the address is taken.
    """
    options.setdefault("journal", False)
    async with Server(host=host, port=port, **options) as server:
        if on_ready is not None:
            on_ready(server)
        await asyncio.get_running_loop().create_future()
