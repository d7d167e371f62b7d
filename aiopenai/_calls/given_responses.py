"""Responses that a program gives to a stream: those of httpx, of this package, and the stand-ins of tests.

`Stream(cast_to=ChatCompletionChunk, response=response, client=client)` reads the events of such a response. Its body
is read by the library that made it, so its end is the end of the stream: that library reports a broken connection.
"""

# Responses are of any class, so type checkers know nothing about them.
# pyright: basic

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast, get_args

from typing_extensions import override

from aiopenai._base.deadlines import within
from aiopenai._base.timeouts import Timeout
from aiopenai._calls.held_loop import items_of
from aiopenai._calls.stream_sources import StreamSource
from aiopenai._data.plain import decode_json
from aiopenai._data.provenance import Node
from aiopenai._http.interface import Reply
from aiopenai._http.messages import Headers, HTTPRequest
from aiopenai.errors import APIConnectionError, APITimeoutError

__all__ = ["GivenReply", "OwnThread", "source_of"]

T = TypeVar("T")

# Bodies are the program's, which has its own limits.
_NO_LIMIT = 2**63
_NO_TIMEOUT = Timeout(None)
# Packages whose exceptions report a body that broke off.
_LIBRARIES = frozenset({"aiohttp", "anyio", "httpcore", "httpcore2", "httpx", "httpx2", "ssl"})


def source_of(decoder_of: Any, cast_to: Any, response: Any, options: Any, *, blocking: bool) -> StreamSource:
    """Returns the source of a stream over a response of the program; `decoder_of` makes the decoder of a type."""
    reply = GivenReply(response, blocking=blocking)
    # A type of the program's own, in place of a reply type.
    decoder = _Builder(cast_to, response) if callable(getattr(cast_to, "build", None)) else decoder_of(cast_to)
    named = getattr(options, "synthesize_event_and_data", None) is True or _has_event_names(cast_to)
    return StreamSource(reply, decoder, timeout=_NO_TIMEOUT, events="named" if named else "", given=response)


def _has_event_names(kind: Any) -> bool:
    """Returns whether events of a type hold their name beside their data, as those of assistants do."""
    while get_args(kind):
        kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, Node):
        return bool(cast("Any", kind).__struct_config__.tag_field == "event")
    return {"event", "data"} <= set(getattr(kind, "model_fields", ()))


class OwnThread:
    """Runs the coroutines of a blocking stream in its thread, without an event loop: they never wait for one."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine to its end."""
        while True:
            try:
                coroutine.send(None)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]

    def iterate(self, pieces: AsyncIterator[T]) -> Iterator[T]:
        """Yields the items of an async generator."""
        return items_of(pieces, self.run)

    def release(self) -> None:
        """Does nothing: there is no loop to give back."""


class GivenReply(Reply):
    """A response of the program as a reply. Its head is looked at when an error tells of it."""

    __slots__ = ("_blocking", "_dropped", "_pieces", "_response")

    def __init__(self, response: Any, *, blocking: bool) -> None:
        super().__init__(getattr(response, "status_code", 200), {}, 0.0, _NO_LIMIT)
        self._response = response
        self._blocking = blocking
        self._pieces: Any = None
        self._dropped = False

    @property
    @override
    def request(self) -> HTTPRequest:
        # httpx raises RuntimeError for a response without a request.
        with contextlib.suppress(RuntimeError, AttributeError, TypeError):
            sent = self._response.request
            return HTTPRequest(sent.method, str(sent.url), sent.headers.items())
        return HTTPRequest("", "")

    @property
    @override
    def loop(self) -> asyncio.AbstractEventLoop:
        raise AttributeError("a response of the program has no event loop of its own")

    @property
    @override
    def reason(self) -> str:
        return str(getattr(self._response, "reason_phrase", ""))

    @property
    @override
    def closed(self) -> bool:
        return self._dropped

    @override
    def at_end(self) -> bool:
        return self._dropped

    @override
    def items(self) -> Iterable[tuple[str, str]]:
        return list(Headers(self._response.headers.items()).multi_items())

    @override
    async def read_some(self) -> bytes:
        try:
            if self._pieces is None:
                self._pieces = _pieces_of(self._response, blocking=self._blocking)
            while not self._dropped:
                piece = next(self._pieces) if hasattr(self._pieces, "__next__") else await self._pieces.__anext__()
                if piece:
                    return bytes(piece)
        except (StopIteration, StopAsyncIteration):
            pass
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _LIBRARIES:
                # The body is the program's, and so is its error.
                raise
            if "Timeout" in type(error).__name__:
                raise APITimeoutError(self.request) from error
            raise APIConnectionError(message=f"Connection error: {error}", request=self.request) from error
        return b""

    @override
    def close(self) -> None:
        if self._dropped:
            return
        self._dropped = True
        if self._blocking:
            _call(self._response, "close")
        elif (loop := asyncio._get_running_loop()) is not None and hasattr(self._response, "aclose"):
            task = loop.create_task(self._closed())
            _closing.add(task)
            task.add_done_callback(_closing.discard)

    async def aclose(self) -> None:
        """Closes the response of an async stream, and waits for that."""
        self._dropped = True
        await self._closed()

    async def _closed(self) -> None:
        closing = _call(self._response, "aclose")
        if hasattr(closing, "__await__"):
            await closing

    @override
    def abandon(self) -> None:
        self.close()

    @override
    async def drain(self, seconds: float) -> None:
        """Reads the rest of a body that holds up its connection, as long as that takes little time, and closes it."""
        if self._blocking:
            self.close()
            return
        try:
            if getattr(self._response, "http_version", "HTTP/1.1") == "HTTP/1.1":
                with contextlib.suppress(APIConnectionError, asyncio.TimeoutError):
                    await within(seconds, self._to_end())
        finally:
            await self.aclose()


_closing: set[asyncio.Task[None]] = set()


def _call(response: Any, name: str) -> Any:
    """Calls a method of a response, if it has that method."""
    method = getattr(response, name, None)
    return None if method is None else method()


def _pieces_of(response: Any, *, blocking: bool) -> Any:
    """Returns the iterator over a response's body. Raises TypeError for an object without a body."""
    for name in ("iter_bytes",) if blocking else ("aiter_bytes", "iter_bytes"):
        if (pieces := _call(response, name)) is not None:
            return aiter(pieces) if hasattr(pieces, "__aiter__") and not blocking else iter(pieces)
    content = getattr(response, "content", None)
    if isinstance(content, (bytes, bytearray)):
        return iter([content])
    wanted = "iter_bytes()" if blocking else "aiter_bytes()"
    raise TypeError(f"response is a {type(response).__name__}, which has no {wanted}: pass a response of httpx")


class _Builder:
    """Decodes events by `build` of a class of the program."""

    def __init__(self, kind: Any, response: Any) -> None:
        self.kind = object
        self._build = kind.build
        self._response = response

    def __call__(self, raw: bytes) -> Any:
        return self._build(response=self._response, data=decode_json(raw))

    def many(
        self, raws: Sequence[bytes], longest: int | None = None, made: list[Any] | None = None
    ) -> tuple[list[Any], Exception | None]:
        """Decodes a batch, skipping empty documents."""
        return [self(raw) for raw in raws if raw], None
