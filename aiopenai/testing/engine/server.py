"""The server: its life, what it does with a request, and what a test can ask of it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiohttp import web

from aiopenai.testing.engine.exchange import ApiError, Events, Outcome, Reply
from aiopenai.testing.engine.faults import Fault, Match, Prepared, Rules, as_bytes
from aiopenai.testing.engine.journal import Journal, ReceivedRequest
from aiopenai.testing.engine.limits import RateLimits
from aiopenai.testing.engine.routes import PREFIX, answer
from aiopenai.testing.engine.wire import (
    CLOSE,
    KEEP,
    BodyTooLargeError,
    Connection,
    Listener,
    Writer,
    read_body,
    response_head,
)
from aiopenai.testing.memory.state import Answer, State

if TYPE_CHECKING:
    from ssl import SSLContext

    from typing_extensions import Self

__all__ = ["Server", "serve_forever"]

_REQUEST_LIMIT = 10_000
_TOKEN_LIMIT = 2_000_000
_EVENT_STREAM = "text/event-stream; charset=utf-8"
_NO_BODY = frozenset({204, 304})
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
        self.latency = latency
        self.token_delay = token_delay
        self._api_key = api_key
        self._host = host
        self._wanted_port = port
        self._ssl = ssl
        self._backlog = backlog
        self._limits = limits
        self._max_body_bytes = max_body_bytes
        self._journal = Journal(max_journal_entries, max_journal_bytes) if journal else None
        self._rules = Rules()
        self._state = State(
            answer=answer,
            models=models,
            clock=clock,
            max_stored=max_stored,
            max_stored_bytes=max_stored_bytes,
            poll_after_ms=poll_after_ms,
        )
        self._served = 0
        self._listener: Listener | None = None
        self._server: asyncio.Server | None = None
        self._port: int | None = None
        self._active = 0
        self._idle: asyncio.Future[None] | None = None
        self._thread: _Thread | None = None

    # Life

    async def start(self) -> None:
        """Listen in the running loop. Raises `OSError` if the address is taken, `RuntimeError` if already started."""
        if self._server is not None:
            raise RuntimeError("the server is already running")
        listener = Listener(self._handle)
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
        if self._active:
            # Every wait of a handler ends with its connection, so this takes a few turns of the loop.
            self._idle = asyncio.get_running_loop().create_future()
            await _at_most(_CLOSE_TIME, self._idle)
            self._idle = None
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
        thread = _Thread(self)
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
        return self._served

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

    # What a test asks for

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

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, Connection)
        self._active += 1
        try:
            return KEEP if await self._serve(request, connection) else CLOSE
        except ConnectionError:
            # Cut by a fault, or the client has gone: there is nobody to tell.
            return CLOSE
        finally:
            self._active -= 1
            if not self._active and self._idle is not None and not self._idle.done():
                self._idle.set_result(None)

    async def _serve(self, request: web.BaseRequest, connection: Connection) -> bool:
        started = time.monotonic()
        self._served += 1
        request_id = f"req_{self._served:032x}"
        if request.headers.get("expect", "").lower() == "100-continue":
            await Writer(connection, None).send(b"HTTP/1.1 100 Continue\r\n\r\n")
        refusal: ApiError | None = None
        body = b""
        try:
            body = await read_body(request, self._max_body_bytes)
        except BodyTooLargeError:
            refusal = ApiError(
                413, f"The request is larger than {self._max_body_bytes} bytes.", code="request_too_large"
            )
        except web.RequestPayloadError as exc:
            refusal = ApiError(400, f"We could not read the body of your request: {exc}.")
        received = ReceivedRequest(
            method=request.method,
            raw_path=request.raw_path,
            headers=request.headers,
            body=body,
            arrived=started,
            connection=connection.number,
        )
        fault = self._rules.fault_for(received)
        received.fault = fault
        if self._journal is not None:
            self._journal.add(received)
        # Of a body that was not read to its end the rest would be taken for the next request.
        unread = refusal is not None
        limits = self._limits
        if limits is not None and refusal is None:
            refusal = limits.admit(received, received.path.removeprefix(PREFIX))
        outcome = self._outcome(received, request_id, fault, refusal)
        if limits is not None and refusal is None:
            limits.charge(outcome.tokens)
        latency = self.latency() if callable(self.latency) else self.latency
        if latency:
            await connection.sleep(latency)
        if fault is not None and fault.delay:
            await connection.sleep(fault.delay)
        old = request.version < (1, 1)
        extra = fault.headers if fault is not None and fault.headers else None
        close = not request.keep_alive or unread or old or _says_close(outcome, extra)
        lines = _header_lines(request_id, started, outcome.tokens, limits)
        writer = Writer(connection, fault)
        if isinstance(outcome, Events):
            head = response_head(200, _EVENT_STREAM, lines, extra, length=None, chunked=not old, close=close)
            await writer.send(head)
            await self._send_events(writer, connection, outcome, chunked=not old)
        elif outcome.chunk_size is not None:
            headers = {**(outcome.headers or {}), **(extra or {})}
            kind = outcome.content_type
            head = response_head(outcome.status, kind, lines, headers, length=None, chunked=not old, close=close)
            await writer.send(head)
            await _send_chunks(writer, outcome.body, outcome.chunk_size, chunked=not old)
        else:
            await _send_whole(writer, outcome, lines, extra, close=close, with_body=request.method != "HEAD")
        return not close

    def _outcome(
        self, request: ReceivedRequest, request_id: str, fault: Fault | None, refusal: ApiError | None
    ) -> Outcome:
        if fault is not None and (body := fault.replacement()) is not None:
            return Reply(body, status=fault.status or 200, content_type=fault.content_type)
        if refusal is not None:
            return refusal.reply()
        if request.path.startswith(PREFIX) and (prepared := self._rules.prepared_for(request.path[len(PREFIX) :])):
            return Reply(
                prepared.body,
                status=prepared.status,
                content_type=prepared.content_type,
                headers=prepared.headers,
                chunk_size=prepared.chunk_size,
            )
        try:
            self._authorize(request)
        except ApiError as error:
            return error.reply()
        return answer(self._state, request, request_id)

    def _authorize(self, request: ReceivedRequest) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            message = "You didn't provide an API key. Send it in an Authorization header: 'Bearer YOUR_KEY'."
            raise ApiError(401, message, code="invalid_api_key")
        if self._api_key is not None and key != self._api_key:
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")

    async def _send_events(self, writer: Writer, connection: Connection, events: Events, *, chunked: bool) -> None:
        for block in events.blocks:
            await writer.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            if self.token_delay:
                await connection.sleep(self.token_delay)
            else:
                # Tokens come one by one for a client in the same loop too.
                await asyncio.sleep(0)
        if chunked:
            await writer.send(b"0\r\n\r\n")


async def _at_most(seconds: float, awaited: Awaitable[Any]) -> None:
    """Wait for something, but not longer than this."""
    try:
        await asyncio.wait_for(awaited, seconds)
    except asyncio.TimeoutError:
        _logger.warning("the server did not close within %.0f s", seconds)


def _header_lines(request_id: str, started: float, tokens: int, limits: RateLimits | None) -> str:
    """The headers that the API sends with every reply.

    Where no rate limits are enforced, they are those of a bucket that is full again between calls.
    """
    own = f"x-request-id: {request_id}\r\nopenai-processing-ms: {int((time.monotonic() - started) * 1000)}\r\n"
    if limits is not None:
        return own + limits.headers()
    return own + (
        f"x-ratelimit-limit-requests: {_REQUEST_LIMIT}\r\n"
        f"x-ratelimit-limit-tokens: {_TOKEN_LIMIT}\r\n"
        f"x-ratelimit-remaining-requests: {_REQUEST_LIMIT - 1}\r\n"
        f"x-ratelimit-remaining-tokens: {max(0, _TOKEN_LIMIT - tokens)}\r\n"
        f"x-ratelimit-reset-requests: {60_000 // _REQUEST_LIMIT}ms\r\n"
        f"x-ratelimit-reset-tokens: {tokens * 60_000 // _TOKEN_LIMIT}ms\r\n"
    )


def _says_close(outcome: Reply | Events, extra: Mapping[str, str] | None) -> bool:
    """Whether a prepared reply or a fault has a header that ends the connection."""
    headers: dict[str, str] = {}
    for given in (outcome.headers if isinstance(outcome, Reply) else None, extra):
        headers.update(given or {})
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers.items())


async def _send_whole(
    writer: Writer, reply: Reply, lines: str, extra: Mapping[str, str] | None, *, close: bool, with_body: bool
) -> None:
    headers = {**(reply.headers or {}), **(extra or {})}
    bare = reply.status in _NO_BODY
    body = reply.body if with_body and not bare else b""
    length = None if bare else len(reply.body)
    head = response_head(reply.status, reply.content_type, lines, headers, length=length, chunked=False, close=close)
    if len(body) <= 65_536:
        # One packet where possible.
        await writer.send(head + body)
    else:
        await writer.send(head)
        await writer.send(body)


async def _send_chunks(writer: Writer, body: bytes, size: int, *, chunked: bool) -> None:
    for start in range(0, len(body), size):
        block = body[start : start + size]
        await writer.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        await asyncio.sleep(0)
    if chunked:
        await writer.send(b"0\r\n\r\n")


class _Thread:
    """A thread with a loop that runs a server, for programs that are not asynchronous."""

    def __init__(self, server: Server) -> None:
        self._target = server
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="aiopenai-testing-server", daemon=True)

    def begin(self) -> None:
        """Start and wait until the server listens; raises what kept it from that."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def end(self) -> None:
        """Stop the server and wait for the thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._target.start()
        except BaseException as exc:
            self._error = exc
            return
        finally:
            self._started.set()
        await self._stop.wait()
        await self._target.close()


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
