"""One request on the server's side, from its body to the last byte of the reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web

from aiopenai.testing.engine.access import Access
from aiopenai.testing.engine.exchange import PREFIX, Dispatch
from aiopenai.testing.engine.feeds import EventFeed
from aiopenai.testing.engine.journal import Journal
from aiopenai.testing.engine.limits import RateLimits
from aiopenai.testing.engine.passing import NO_BODY, Passed, Passing, ReplySource
from aiopenai.testing.engine.received import Fault, Match, ReceivedRequest, matches
from aiopenai.testing.engine.replies import ApiError, EventReply, Outcome, WholeReply
from aiopenai.testing.engine.rules import Rules
from aiopenai.testing.engine.sessions import SocketReply, SocketSession
from aiopenai.testing.engine.sockets import Conversation
from aiopenai.testing.engine.wire import (
    CLOSE,
    KEEP,
    BodyTooLargeError,
    Connection,
    Writer,
    read_body,
    response_head,
    says_close,
)
from aiopenai.testing.memory.state import State

__all__ = ["Service"]

_REQUEST_LIMIT = 10_000
_TOKEN_LIMIT = 2_000_000
_EVENT_STREAM = "text/event-stream; charset=utf-8"


class Service:
    """The part of a server that answers requests, one after the other on each connection.

    dispatch: answers a request that has a valid key.
    access: the credentials that requests must bring.
    identify: answers requests that need no key, those for tokens; None for all others.
    latency, token_delay, on_request: see `Server`.
    """

    def __init__(
        self,
        *,
        dispatch: Dispatch,
        state: State,
        rules: Rules,
        journal: Journal | None,
        limits: RateLimits | None,
        access: Access,
        identify: Callable[[ReceivedRequest, Access], WholeReply | None],
        max_body_bytes: int,
        latency: float | Callable[[], float],
        token_delay: float,
        on_request: Callable[[ReceivedRequest], object] | None,
    ) -> None:
        self.latency = latency
        self.token_delay = token_delay
        self._on_request = on_request
        self.served = 0
        self._dispatch = dispatch
        self._state = state
        self._rules = rules
        self._journal = journal
        self._limits = limits
        self._access = access
        self._identify = identify
        self._max_body_bytes = max_body_bytes
        self._open: set[Conversation] = set()
        self._source: ReplySource | None = None
        self._sources: list[ReplySource] = []
        self._active = 0
        self._idle: asyncio.Future[None] | None = None

    async def idle(self) -> None:
        """Waits until no request is being served."""
        if self._active:
            self._idle = asyncio.get_running_loop().create_future()
            try:
                await self._idle
            finally:
                self._idle = None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serves one request. aiohttp calls this after it has read the head of a request."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        self._active += 1
        try:
            return await self._serve(request, connection)
        except ConnectionError:
            # A fault cut the reply, or the client closed the connection: no reply can be sent.
            return CLOSE
        finally:
            self._active -= 1
            if not self._active and self._idle is not None and not self._idle.done():
                self._idle.set_result(None)

    def use(self, source: ReplySource | None) -> None:
        """Lets a source answer all further requests; None lets the endpoints answer. Any thread may call it."""
        self._source = source
        if source is not None:
            self._sources.append(source)

    async def close_sources(self) -> None:
        """Frees the connections of all sources."""
        for source in self._sources:
            await source.close()

    @property
    def unknown_requests(self) -> list[str]:
        """Descriptions of the requests that the sources refused."""
        return [each for source in self._sources for each in source.unknown_requests]

    def sockets(self, match: Match) -> list[Conversation]:
        """Returns the open sockets that match."""
        return [each for each in self._open if matches(match, each.received)]

    async def _serve(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        """Serves one request. The result tells aiohttp whether the connection stays open."""
        started = time.monotonic()
        self.served += 1
        request_id = f"req_{self.served:032x}"
        if request.headers.get("expect", "").lower() == "100-continue":
            await Writer(connection, None).send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body, refusal = await self._read(request)
        clock = asyncio.get_running_loop().time
        # The work on the reply is a part of its latency.
        due = clock()
        received = ReceivedRequest(
            method=request.method,
            raw_path=request.raw_path,
            headers=request.headers,
            body=body,
            arrived=started,
            connection=connection.number,
        )
        fault = received.fault = self._rules.fault_for(received)
        if self._journal is not None:
            self._journal.add(received)
        if self._on_request is not None:
            self._on_request(received)
        # The rest of an unread body would be taken for the next request, so the connection closes.
        unread = refusal is not None
        limits = self._limits
        if limits is not None and refusal is None:
            refusal = limits.admit(received, received.path.removeprefix(PREFIX))
        outcome = self._outcome(received, request_id, fault, refusal)
        if limits is not None and refusal is None:
            limits.charge(outcome.tokens)
        if latency := self._seconds_of_latency():
            due += latency
            await connection.sleep_until(due)
        if fault is not None and fault.delay:
            await connection.sleep(fault.delay)
            due = clock()
        if isinstance(outcome, SocketReply):
            return await self._converse(request, connection, received, outcome.session)
        if isinstance(outcome, Passed):
            passing = Passing(request, connection, received, fault)
            return await outcome.work(passing) or (KEEP if passing.keep else CLOSE)
        old = request.version < (1, 1)
        extra = fault.headers if fault is not None and fault.headers else None
        close = not request.keep_alive or unread or old or says_close({**(outcome.headers or {}), **(extra or {})})
        lines = _header_lines(request_id, started, outcome.tokens, limits)
        writer = Writer(connection, fault)
        if isinstance(outcome, EventReply):
            head = response_head(200, _EVENT_STREAM, lines, extra, length=None, chunked=not old, close=close)
            await writer.send(head)
            if isinstance(outcome, EventFeed):
                await self._send_feed(writer, connection, outcome, chunked=not old)
            else:
                await self._send_events(writer, connection, outcome.blocks, due, chunked=not old)
        elif outcome.chunk_size is not None:
            await _send_chunks(writer, outcome, lines, extra, outcome.chunk_size, chunked=not old, close=close)
        else:
            await _send_whole(writer, outcome, lines, extra, close=close, with_body=request.method != "HEAD")
        return CLOSE if close else KEEP

    def _seconds_of_latency(self) -> float:
        return self.latency() if callable(self.latency) else self.latency

    async def _converse(
        self, request: web.BaseRequest, connection: Connection, received: ReceivedRequest, session: SocketSession
    ) -> web.StreamResponse:
        """Serves a websocket until it closes."""
        conversation = Conversation(
            session,
            connection,
            received,
            self._rules.socket_fault_for(received),
            latency=self._seconds_of_latency,
            token_delay=lambda: self.token_delay,
        )
        self._open.add(conversation)
        try:
            return await conversation.run(request)
        finally:
            self._open.discard(conversation)

    async def _read(self, request: web.BaseRequest) -> tuple[bytes, ApiError | None]:
        """Returns the body and None, or no body and the error to reply with."""
        try:
            return await read_body(request, self._max_body_bytes), None
        except BodyTooLargeError:
            message = f"The request is larger than {self._max_body_bytes} bytes."
            return b"", ApiError(413, message, code="request_too_large")
        except web.RequestPayloadError as exc:
            return b"", ApiError(400, f"We could not read the body of your request: {exc}.")

    def _outcome(
        self, request: ReceivedRequest, request_id: str, fault: Fault | None, refusal: ApiError | None
    ) -> Outcome | SocketReply | Passed:
        if fault is not None and (body := fault.replacement()) is not None:
            return WholeReply(body, status=fault.status or 200, content_type=fault.content_type)
        if refusal is not None:
            return refusal.reply()
        if request.path.startswith(PREFIX) and (prepared := self._rules.prepared_for(request.path[len(PREFIX) :])):
            return WholeReply(
                prepared.body,
                status=prepared.status,
                content_type=prepared.content_type,
                headers=prepared.headers,
                chunk_size=prepared.chunk_size,
            )
        if self._source is not None and (work := self._source.answer_to(request)) is not None:
            return Passed(work)
        if (token := self._identify(request, self._access)) is not None:
            return token
        try:
            self._access.check(request)
        except ApiError as error:
            return error.reply()
        return self._dispatch(self._state, request, request_id)

    async def _send_events(
        self, writer: Writer, connection: Connection, blocks: Iterable[bytes], due: float, *, chunked: bool
    ) -> None:
        """Sends the events on a schedule that begins at `due`.

        Delays from event to event would keep each lateness: all streams that one pause has held up would send at the
        same moments from then on.
        """
        for block in blocks:
            due = await self._send_event(writer, connection, block, due, chunked=chunked)
        if chunked:
            await writer.send(b"0\r\n\r\n")

    async def _send_feed(self, writer: Writer, connection: Connection, feed: EventFeed, *, chunked: bool) -> None:
        """Sends the events of a feed as they are made, until the feed or the connection ends."""
        feed.wake = connection.wake
        clock = asyncio.get_running_loop().time
        try:
            while not feed.ended:
                block = feed.take()
                if block is not None:
                    await self._send_event(writer, connection, block, clock(), chunked=chunked)
                elif not feed.ended:
                    await connection.woken()
        finally:
            feed.wake = None
        if chunked:
            await writer.send(b"0\r\n\r\n")

    async def _send_event(
        self, writer: Writer, connection: Connection, block: bytes, due: float, *, chunked: bool
    ) -> float:
        """Sends an event, due by the clock of the loop. Waits until the next one is due, and returns that time."""
        await writer.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        now = asyncio.get_running_loop().time()
        following = due + self.token_delay
        if following > now:
            await connection.sleep_until(following)
            return following
        # A client in the same loop receives the events one by one too.
        await asyncio.sleep(0)
        return now


def _header_lines(request_id: str, started: float, tokens: int, limits: RateLimits | None) -> str:
    """Returns the header lines that the API sends with every reply.

    Without rate limits, they are those of a bucket that is full again between calls.
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


async def _send_whole(
    writer: Writer, reply: WholeReply, lines: str, extra: Mapping[str, str] | None, *, close: bool, with_body: bool
) -> None:
    headers = {**(reply.headers or {}), **(extra or {})}
    bare = reply.status in NO_BODY
    body = reply.body if with_body and not bare else b""
    length = None if bare else len(reply.body)
    head = response_head(reply.status, reply.content_type, lines, headers, length=length, chunked=False, close=close)
    if len(body) <= 65_536:
        # Head and body go out in one packet where possible.
        await writer.send(head + body)
    else:
        await writer.send(head)
        await writer.send(body)


async def _send_chunks(
    writer: Writer,
    reply: WholeReply,
    lines: str,
    extra: Mapping[str, str] | None,
    size: int,
    *,
    chunked: bool,
    close: bool,
) -> None:
    headers = {**(reply.headers or {}), **(extra or {})}
    kind = reply.content_type
    await writer.send(response_head(reply.status, kind, lines, headers, length=None, chunked=chunked, close=close))
    for start in range(0, len(reply.body), size):
        block = reply.body[start : start + size]
        await writer.send(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        await asyncio.sleep(0)
    if chunked:
        await writer.send(b"0\r\n\r\n")
