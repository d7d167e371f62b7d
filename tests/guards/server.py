"""A server that misbehaves as each request asks: `ChaosServer` runs on a loop and a thread of its own.

A request names itself in the content of its first message (`"call-7"`), and the manners of its replies in `user`
(`"reset_before,chunked"`): the first for the first attempt, the last for all further ones. Each reply repeats the name.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from typing_extensions import Self

__all__ = [
    "BENIGN_CALLS",
    "BENIGN_STREAMS",
    "HOSTILE_CALLS",
    "HOSTILE_STREAMS",
    "UPLOADS",
    "ChaosServer",
    "content_of",
    "pieces_of",
]

# The words of a stream for a request named "call-7": "call-7/0 call-7/1 ...".
STREAM_EVENTS = 6
STALL_SECONDS = 30.0


def content_of(name: str) -> str:
    """The content of the answer to a request."""
    return f"answer to {name}"


def pieces_of(name: str) -> list[str]:
    """The contents of the chunks of a streamed answer."""
    return [f"{name}/{number} " for number in range(STREAM_EVENTS)]


def completion(name: str) -> bytes:
    message = {"role": "assistant", "content": content_of(name)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps(
        {"id": name, "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    ).encode()


def events(name: str) -> list[bytes]:
    """The events of a streamed answer, end mark included."""
    head = {"id": name, "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choices = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces_of(name)]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunks = [json.dumps({**head, "choices": [choice]}).encode() for choice in choices]
    return [b"data: " + chunk + b"\n\n" for chunk in (*chunks, b"[DONE]")]


def head(*lines: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"content-type: {kind}", *lines, "", ""]).encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Exchange:
    """One request and the means to answer it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: random.Random) -> None:
        self.writer = writer
        self.rest = rest
        self.name = ""
        self._reader = reader
        self._unread = 0

    async def begin(self) -> str | None:
        """Reads the head of a request, and its body if that is JSON; returns the manners that it asks for."""
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:-2])
        self._unread = int(headers.get("content-length", 0))
        if "x-name" in headers:
            self.name = headers["x-name"]
            return headers["x-manners"]
        body = json.loads(await self.rest_of_request() or b"null")
        self.name = body["messages"][0]["content"] if body else "no name"
        return body and body.get("user")

    async def rest_of_request(self) -> bytes:
        """Reads what is left of the request."""
        data = await self._reader.readexactly(self._unread)
        self._unread = 0
        return data

    async def send(self, data: bytes, *, pieces: int = 1) -> None:
        """Writes bytes in so many pieces, cut anywhere, with a turn of the loop or a moment between them."""
        cuts = sorted(self.rest.randrange(len(data) + 1) for _ in range(pieces - 1))
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if self.writer.is_closing():
                raise ConnectionAbortedError
            self.writer.write(data[start:end])
            if pieces > 1:
                await self.pause()

    async def pause(self) -> None:
        await asyncio.sleep(self.rest.choice((0, 0, 0.001, 0.005)))

    def reset(self) -> None:
        """Ends the connection with a TCP reset."""
        if self.writer.is_closing():
            raise ConnectionAbortedError
        raw: Any = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise ConnectionAbortedError

    async def close(self) -> None:
        """Ends the connection in order."""
        self.writer.close()
        raise ConnectionAbortedError

    async def stall(self) -> None:
        await asyncio.sleep(STALL_SECONDS)

    def part(self, data: bytes) -> bytes:
        """The beginning of some bytes: not nothing, and not all."""
        return data[: self.rest.randrange(1, len(data))]


Manner = Callable[[Exchange], Awaitable[None]]
BENIGN_CALLS: dict[str, Manner] = {}
HOSTILE_CALLS: dict[str, Manner] = {}
BENIGN_STREAMS: dict[str, Manner] = {}
HOSTILE_STREAMS: dict[str, Manner] = {}
UPLOADS: dict[str, Manner] = {}


def manner(table: dict[str, Manner]) -> Callable[[Manner], Manner]:
    """Registers a way of answering under its name."""

    def register(function: Manner) -> Manner:
        table[function.__name__] = function
        return function

    return register


# Calls that are answered


@manner(BENIGN_CALLS)
async def whole(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}") + body)


@manner(BENIGN_CALLS)
async def torn(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}") + body, pieces=5)


@manner(BENIGN_CALLS)
async def chunks(exchange: Exchange) -> None:
    body = completion(exchange.name)
    cut = exchange.rest.randrange(1, len(body))
    data = chunked(body[:cut]) + chunked(body[cut:]) + b"0\r\n\r\n"
    await exchange.send(head("transfer-encoding: chunked") + data, pieces=exchange.rest.choice((1, 4)))


@manner(BENIGN_CALLS)
async def chunks_with_trailers(exchange: Exchange) -> None:
    body = completion(exchange.name)
    data = b"%x;note=1\r\n%b\r\n0\r\nx-checksum: 1\r\nx-other: 2\r\n\r\n" % (len(body), body)
    await exchange.send(head("transfer-encoding: chunked") + data, pieces=exchange.rest.choice((1, 3)))


@manner(BENIGN_CALLS)
async def until_the_end(exchange: Exchange) -> None:
    await exchange.send(head("connection: close") + completion(exchange.name), pieces=exchange.rest.choice((1, 3)))
    await exchange.close()


@manner(BENIGN_CALLS)
async def whole_and_close(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}", "connection: close") + body)
    await exchange.close()


@manner(BENIGN_CALLS)
async def packed(exchange: Exchange) -> None:
    body = gzip.compress(completion(exchange.name))
    lines = (f"content-length: {len(body)}", "content-encoding: gzip")
    await exchange.send(head(*lines) + body, pieces=exchange.rest.choice((1, 3)))


@manner(BENIGN_CALLS)
async def after_interim_replies(exchange: Exchange) -> None:
    body = completion(exchange.name)
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * exchange.rest.choice((1, 2))
    data = early + head(f"content-length: {len(body)}") + body
    await exchange.send(data, pieces=exchange.rest.choice((1, 4)))


@manner(BENIGN_CALLS)
async def slow_head(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}"), pieces=8)
    await exchange.send(body)


@manner(BENIGN_CALLS)
async def long_head(exchange: Exchange) -> None:
    body = completion(exchange.name)
    lines = [f"x-note-{number}: {'n' * 5_000}" for number in range(4)]
    await exchange.send(head(f"content-length: {len(body)}", *lines) + body, pieces=exchange.rest.choice((1, 3)))


@manner(BENIGN_CALLS)
async def long_body(exchange: Exchange) -> None:
    body = completion(exchange.name) + b" " * 200_000
    await exchange.send(head(f"content-length: {len(body)}") + body)
    await exchange.writer.drain()


@manner(BENIGN_CALLS)
async def then_an_unasked_reply(exchange: Exchange) -> None:
    """Another reply follows that belongs to no request.

    Both come at once: of a stray reply that arrives after the next request, no client can tell that it is stray.
    """
    body, stray = completion(exchange.name), completion("stray")
    await exchange.send(head(f"content-length: {len(body)}") + body + head(f"content-length: {len(stray)}") + stray)


@manner(BENIGN_CALLS)
async def then_close_without_notice(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}") + body)
    await exchange.pause()
    await exchange.close()


@manner(BENIGN_CALLS)
async def then_reset(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}") + body)
    await asyncio.sleep(0.003)
    exchange.reset()


# Calls that are not answered, or not as they should be


@manner(HOSTILE_CALLS)
async def reset_before(exchange: Exchange) -> None:
    await exchange.pause()
    exchange.reset()


@manner(HOSTILE_CALLS)
async def close_before(exchange: Exchange) -> None:
    await exchange.pause()
    await exchange.close()


@manner(HOSTILE_CALLS)
async def reset_in_the_head(exchange: Exchange) -> None:
    await exchange.send(exchange.part(head("content-length: 5")))
    await exchange.pause()
    exchange.reset()


@manner(HOSTILE_CALLS)
async def close_in_the_head(exchange: Exchange) -> None:
    await exchange.send(exchange.part(head("content-length: 5")))
    await exchange.close()


@manner(HOSTILE_CALLS)
async def cut_with_a_length(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}") + exchange.part(body))
    await exchange.pause()
    await exchange.close()


@manner(HOSTILE_CALLS)
async def cut_in_chunks(exchange: Exchange) -> None:
    data = chunked(completion(exchange.name)) + b"0\r\n\r\n"
    await exchange.send(head("transfer-encoding: chunked") + exchange.part(data))
    await exchange.pause()
    await exchange.close()


@manner(HOSTILE_CALLS)
async def reset_in_a_body(exchange: Exchange) -> None:
    body = completion(exchange.name)
    framing = exchange.rest.choice((f"content-length: {len(body)}", "connection: close"))
    await exchange.send(head(framing) + exchange.part(body))
    await exchange.pause()
    exchange.reset()


@manner(HOSTILE_CALLS)
async def stall_before(exchange: Exchange) -> None:
    await exchange.stall()


@manner(HOSTILE_CALLS)
async def stall_in_the_head(exchange: Exchange) -> None:
    await exchange.send(exchange.part(head("content-length: 5")))
    await exchange.stall()


@manner(HOSTILE_CALLS)
async def stall_in_the_body(exchange: Exchange) -> None:
    body = completion(exchange.name)
    await exchange.send(head(f"content-length: {len(body)}") + exchange.part(body))
    await exchange.stall()


@manner(HOSTILE_CALLS)
async def refuse(exchange: Exchange) -> None:
    status = exchange.rest.choice(("400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable"))
    body = json.dumps({"error": {"message": f"refused: {exchange.name}", "code": "no"}}).encode()
    await exchange.send(head(f"content-length: {len(body)}", status=status) + body)


@manner(HOSTILE_CALLS)
async def busy(exchange: Exchange) -> None:
    status = exchange.rest.choice(("429 Too Many", "408 Timeout", "409 Conflict", "500 Oops", "503 Busy", "529 Over"))
    body = json.dumps({"error": {"message": f"busy: {exchange.name}"}}).encode()
    lines = (f"content-length: {len(body)}", "retry-after-ms: 3")
    await exchange.send(head(*lines, status=status) + body, pieces=exchange.rest.choice((1, 3)))


@manner(HOSTILE_CALLS)
async def busy_429(exchange: Exchange) -> None:
    body = json.dumps({"error": {"message": f"busy: {exchange.name}"}}).encode()
    await exchange.send(head(f"content-length: {len(body)}", "retry-after-ms: 1", status="429 Too Many") + body)


@manner(HOSTILE_CALLS)
async def error_page(exchange: Exchange) -> None:
    status = exchange.rest.choice(("502 Bad Gateway", "504 Gateway Timeout", "200 OK", "403 Forbidden"))
    body = f"<html><body>{exchange.name}</body></html>".encode()
    lines = (f"content-length: {len(body)}", "retry-after-ms: 1")
    await exchange.send(head(*lines, status=status, kind="text/html; charset=utf-8") + body)


@manner(HOSTILE_CALLS)
async def error_cut_short(exchange: Exchange) -> None:
    body = json.dumps({"error": {"message": f"busy: {exchange.name}"}}).encode()
    lines = (f"content-length: {len(body) + 10}", "retry-after-ms: 1")
    await exchange.send(head(*lines, status="500 Oops") + body)
    await exchange.close()


@manner(HOSTILE_CALLS)
async def garbage(exchange: Exchange) -> None:
    words = (b"SSH-2.0-OpenSSH_9.6\r\n", b"\x16\x03\x01\x02\x00\x01", b"HTTP/1.1 abc OK\r\n\r\n", b"\r\n\r\n\r\n{}")
    await exchange.send(exchange.rest.choice(words))
    await exchange.close()


# Streams that come to their end


@manner(BENIGN_STREAMS)
async def stream(exchange: Exchange) -> None:
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream"))
    for event in events(exchange.name):
        await exchange.send(chunked(event))
        await exchange.pause()
    await exchange.send(b"0\r\n\r\n")


@manner(BENIGN_STREAMS)
async def torn_stream(exchange: Exchange) -> None:
    data = b"".join(map(chunked, events(exchange.name))) + b"0\r\n\r\n"
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream") + data, pieces=9)


@manner(BENIGN_STREAMS)
async def whole_stream(exchange: Exchange) -> None:
    data = b": hello\n\n".join(events(exchange.name))
    await exchange.send(head(f"content-length: {len(data)}", kind="text/event-stream") + data)


@manner(BENIGN_STREAMS)
async def stream_until_the_end(exchange: Exchange) -> None:
    data = b"".join(events(exchange.name))
    await exchange.send(head("connection: close", kind="text/event-stream") + data, pieces=3)
    await exchange.close()


# Streams that do not


@manner(HOSTILE_STREAMS)
async def stream_cut(exchange: Exchange) -> None:
    data = b"".join(map(chunked, events(exchange.name)[:STREAM_EVENTS]))
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream") + exchange.part(data), pieces=3)
    await exchange.close()


@manner(HOSTILE_STREAMS)
async def stream_cut_in_order(exchange: Exchange) -> None:
    """The HTTP body has its end; the answer in it has not."""
    data = b"".join(map(chunked, events(exchange.name)[: exchange.rest.randrange(1, STREAM_EVENTS)]))
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream") + data + b"0\r\n\r\n")


@manner(HOSTILE_STREAMS)
async def stream_cut_at_once(exchange: Exchange) -> None:
    await exchange.send(head("transfer-encoding: chunked", "retry-after-ms: 1", kind="text/event-stream"))
    await exchange.close()


@manner(HOSTILE_STREAMS)
async def stream_reset(exchange: Exchange) -> None:
    framing = exchange.rest.choice(("transfer-encoding: chunked", "connection: close"))
    wrap: Callable[[bytes], bytes] = chunked if "chunked" in framing else bytes
    data = b"".join(map(wrap, events(exchange.name)[:STREAM_EVENTS]))
    await exchange.send(head(framing, kind="text/event-stream") + exchange.part(data), pieces=2)
    exchange.reset()


@manner(HOSTILE_STREAMS)
async def stream_stall(exchange: Exchange) -> None:
    data = b"".join(map(chunked, events(exchange.name)[: exchange.rest.randrange(STREAM_EVENTS)]))
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream") + data)
    await exchange.stall()


@manner(HOSTILE_STREAMS)
async def stream_error(exchange: Exchange) -> None:
    some = events(exchange.name)[: exchange.rest.randrange(STREAM_EVENTS)]
    error = json.dumps({"error": {"message": f"failed: {exchange.name}"}}).encode()
    data = b"".join(map(chunked, [*some, b"data: " + error + b"\n\n"])) + b"0\r\n\r\n"
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream") + data, pieces=2)


@manner(HOSTILE_STREAMS)
async def stream_of_no_json(exchange: Exchange) -> None:
    data = b"".join(map(chunked, [*events(exchange.name)[:2], b"data: {oops\n\n"]))
    await exchange.send(head("transfer-encoding: chunked", kind="text/event-stream") + data + b"0\r\n\r\n")


# Uploads, which an answer may overtake


@manner(UPLOADS)
async def stored(exchange: Exchange) -> None:
    await exchange.rest_of_request()
    body = json.dumps({"id": exchange.name, "object": "file"}).encode()
    await exchange.send(head(f"content-length: {len(body)}") + body)


@manner(UPLOADS)
async def stored_early(exchange: Exchange) -> None:
    """The answer is there before the request is; the connection is of use again."""
    body = json.dumps({"id": exchange.name, "object": "file"}).encode()
    await exchange.send(head(f"content-length: {len(body)}") + body)
    await exchange.rest_of_request()


@manner(UPLOADS)
async def too_large(exchange: Exchange) -> None:
    body = json.dumps({"error": {"message": f"refused: {exchange.name}"}}).encode()
    lines = (f"content-length: {len(body)}", "connection: close")
    await exchange.send(head(*lines, status="413 Too Large") + body)
    if exchange.rest.random() < 0.5:
        await exchange.rest_of_request()
    await exchange.close()


@manner(UPLOADS)
async def upload_reset(exchange: Exchange) -> None:
    exchange.reset()


@manner(UPLOADS)
async def upload_stall(exchange: Exchange) -> None:
    await exchange.stall()


MANNERS = {**BENIGN_CALLS, **HOSTILE_CALLS, **BENIGN_STREAMS, **HOSTILE_STREAMS, **UPLOADS}
# The kinds of refusal that may meet a stream as well.
HOSTILE_STREAMS.update({name: HOSTILE_CALLS[name] for name in ("reset_before", "stall_before", "busy", "error_page")})


class ChaosServer:
    """The server. `with ChaosServer(seed) as server:` starts it; `base_url` is its address."""

    def __init__(self, seed: int = 0, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.random = random.Random(seed)
        self.attempts: Counter[str] = Counter()
        """The number of requests by name."""
        self.open = 0
        """The number of open connections."""
        self.faults: list[str] = []
        """The errors of the server itself."""
        self._context = context
        self._host = host
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="chaos server")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not stop"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._note)
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._context, backlog=1_000)
        port = server.sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.base_url = f"{'https' if self._context else 'http'}://{host}:{port}/v1"
        self._ready.set()
        await self._stop.wait()
        own = asyncio.all_tasks()
        # Connections that were just accepted get their handlers: one that is cancelled before leaves its socket open.
        for turn in range(100):
            await asyncio.sleep(0.005)
            others = asyncio.all_tasks() - own
            if turn > 5 and not others:
                break
            for task in others if turn == 50 else ():
                task.cancel()
        # Not before: asyncio leaves a connection open that it accepts after the close, and complains on Python 3.13.
        server.close()

    def _note(self, _: object, context: dict[str, Any]) -> None:
        # asyncio's writer reports the end of a connection that it was writing to.
        if not isinstance(context.get("exception"), ConnectionError):
            self.faults.append(str(context))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        answer = asyncio.ensure_future(self._talk(reader, writer))
        try:
            # A client that leaves ends a reply that stalls.
            while not answer.done():
                await asyncio.wait([answer], timeout=0.05)
                if reader.at_eof() and not reader._buffer:  # type: ignore[attr-defined]
                    break
        except asyncio.CancelledError:
            # The server stops. A handler that is cancelled would be reported by asyncio.
            pass
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            self.open -= 1
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                exchange = Exchange(reader, writer, self.random)
                manners = (await exchange.begin() or "whole").split(",")
                attempt = self.attempts[exchange.name]
                self.attempts[exchange.name] += 1
                await MANNERS[manners[min(attempt, len(manners) - 1)]](exchange)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        except Exception as error:
            self.faults.append(repr(error))
