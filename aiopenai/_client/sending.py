"""The sending of requests on the running event loop, for both clients.

A call goes: resource method -> `Request` -> `prepare` -> `Attempts` -> transport (one attempt) -> codec -> reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, get_args, get_origin

import msgspec

from aiopenai._calls.attempts import Answer, Attempts
from aiopenai._calls.hooking import Hooked
from aiopenai._calls.preparation import PreparedCall, add_query, prepare
from aiopenai._calls.provider import Provider
from aiopenai._calls.replies import parse
from aiopenai._calls.request import Request
from aiopenai._client.configuration import Configuration
from aiopenai._data.codec import Decoder
from aiopenai.errors import APIError

if TYPE_CHECKING:
    from aiopenai._calls.raw import AsyncAPIResponse, LegacyAPIResponse
    from aiopenai._calls.resuming import Resumption
    from aiopenai._calls.watching import Watch
    from aiopenai._http.interface import Reply

__all__ = ["Sending", "is_stream_class", "split_stream"]

T = TypeVar("T")


class Sending(Hooked):
    """The methods of a client that take a `Request` to its reply."""

    _configuration: Configuration
    _provider: Provider
    _attempts: Attempts
    # The form of replies, which a subclass may change: the parser, the decoder of events, the classes of streams.
    _parse_reply: ClassVar[Any] = staticmethod(parse)
    _decoder_of: ClassVar[Any] = staticmethod(Decoder.of)
    _stream_classes: ClassVar[Mapping[Any, Any]] = {}

    async def perform(self, request: Request[T]) -> T:
        """Sends a request and returns its reply, on the running loop.

        Raises APIStatusError, APIConnectionError, APITimeoutError and APIResponseValidationError, each after as many
        attempts as are due.
        """
        call = self._prepare(request)
        value: Any
        try:
            reply, raw, taken = await self._attempts.run(call, not request.stream)
            if raw is None:
                value = self._open_stream(call, reply, taken)
            else:
                strict = self._configuration.strict
                value = self._parse_reply(self, request, reply, raw, request.endpoint.reply, strict)
        except BaseException as error:
            if call.watch is not None:
                call.watch.failed(error)
            raise
        if call.watch is not None:
            call.watch.answered(value)
        return value  # type: ignore[no-any-return]  # `cast` would be a call

    async def perform_raw(self, request: Request[Any]) -> LegacyAPIResponse[Any]:
        """Sends a request and returns its reply with the headers."""
        call = self._prepare(request)
        return self._unparsed(call, *await self._answered(call, read=not request.stream))

    async def attempt(self, request: Request[T], *, taken: int = 0) -> LegacyAPIResponse[T]:
        """Sends a request once, after `taken` other attempts, for a caller with retry rules of its own.

        Hooks see it as a call of its own. Raises APIStatusError, APIConnectionError and APITimeoutError; their
        `replayable` tells whether the request can be sent again.
        """
        call = self._prepare(request, once=True)
        return self._unparsed(call, *await self._answered(call, read=not request.stream, taken=taken))

    async def open_response(self, request: Request[Any]) -> AsyncAPIResponse[Any]:
        """Sends a request and returns its reply with the body unread."""
        from aiopenai._calls.raw import AsyncAPIResponse

        call = self._prepare(request)
        if call.watch is not None:
            # Hooks see the reply's head only: the program reads the body.
            call.watch.call.stream = False
        reply, _, taken = await self._answered(call, read=False)
        unwatched = call if call.watch is None else msgspec.structs.replace(call, watch=None)

        async def parse_body(raw: bytes | None, to: Any) -> Any:
            if request.stream:
                return self._open_stream(unwatched, reply, taken, to)
            return self._parse(request, reply, await reply.read() if raw is None else raw, to)

        return AsyncAPIResponse(cast("Any", reply), parse_body, taken)

    def batch_url(self, path: str) -> str:
        """Returns the `url` of a line of a batch file for a path of the API; services have different forms."""
        return self._provider.batch_url(path)

    def _prepare(self, request: Request[Any], once: bool = False) -> PreparedCall:
        configuration = self._configuration
        url = self._provider.url(request)
        base_query = configuration.base_url.query
        if request.query or configuration.default_query or base_query:
            url = add_query(url, base_query, configuration.default_query, request.query)
        watch = None if self._hooks is None else self._watch(request)
        return prepare(request, url, configuration, watch, once)

    def _watch(self, request: Request[Any]) -> Watch:
        """Returns the reporter of a call to the hooks of this client."""
        from aiopenai._calls.watching import Watch

        return Watch(self._hooks or {}, request, self._provider.root)

    async def _answered(self, call: PreparedCall, *, read: bool, taken: int = 0) -> Answer:
        """Returns the reply for a caller that parses it, and tells the hooks."""
        try:
            answer = await self._attempts.run(call, read, taken)
        except BaseException as error:
            if call.watch is not None:
                call.watch.failed(error)
            raise
        if call.watch is not None:
            call.watch.answered_raw(answer[1], call.request.endpoint.reply)
        return answer

    def _unparsed(self, call: PreparedCall, reply: Reply, raw: bytes | None, taken: int) -> LegacyAPIResponse[Any]:
        from aiopenai._calls.raw import LegacyAPIResponse

        def parse_body(to: Any) -> Any:
            if raw is None:
                return self._open_stream(call, reply, taken, to)
            return self._parse(call.request, reply, raw, to)

        return LegacyAPIResponse(cast("Any", reply), raw or b"", parse_body, taken)

    def _parse(self, request: Request[Any], reply: Reply, raw: bytes, to: Any = None) -> Any:
        kind = to or request.endpoint.reply
        return self._parse_reply(self, request, reply, raw, kind, self._configuration.strict)

    def _open_stream(self, call: PreparedCall, reply: Reply, taken: int, to: Any = None) -> Any:
        """Returns the reply as a stream.

        `to`, or else the endpoint's `event`, is a stream class or the type of the events.
        """
        from aiopenai._calls.stream_sources import StreamSource
        from aiopenai._calls.streaming import AsyncStream

        endpoint = call.request.endpoint
        attempts = self._attempts

        async def reopen(error: APIError) -> Any:
            nonlocal taken
            try:
                error.replayable = error.replayable and call.rebuildable
                if call.max_retries <= taken or not (error.replayable and error.retryable):
                    raise error
                found, _, taken = await attempts.again(call, False, error, taken)
                return found
            finally:
                # The traceback refers to this frame, and the frame would refer to the error.
                del error

        stream_class, event = split_stream(endpoint.event)
        if to is not None:
            chosen_class, chosen_event = split_stream(to)
            stream_class, event = chosen_class or stream_class, chosen_event or event
        stream_class = self._stream_classes.get(stream_class, stream_class)
        source = StreamSource(
            reply,
            self._decoder_of(object if event is None else event),
            timeout=call.timeout,
            reopen=reopen,
            max_event_bytes=self._configuration.max_event_bytes,
            events=endpoint.events,
        )
        stream = cast("Any", stream_class or AsyncStream)(cast_to=event, response=source, client=self)
        if call.watch is not None:
            stream.watch = call.watch
        if call.request.resumes:
            stream.resumption = self._resumption(call)
        if call.request.opened is not None:
            call.request.opened(stream, self)
        return stream

    def _resumption(self, call: PreparedCall) -> Resumption:
        """Returns the continuation of a call's stream, which takes at most `max_retries` further requests."""
        from aiopenai._calls.resuming import Resumption

        taken = 0

        async def send_again(request: Request[Any], error: APIError) -> Any:
            nonlocal taken
            try:
                if taken >= call.max_retries:
                    raise error
                following = msgspec.structs.replace(self._prepare(request), watch=call.watch)
                found, _, taken = await self._attempts.again(following, False, error, taken)
                return found
            finally:
                # The traceback refers to this frame, and the frame would refer to the error.
                del error

        return Resumption(call.request, send_again)


def is_stream_class(kind: Any) -> bool:
    """Returns whether a type is a class of streams, such as `AsyncStream[X]`, and not the type of their events."""
    from aiopenai._calls.events import Events

    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Events)


def split_stream(kind: Any) -> tuple[Any, Any]:
    """Returns the stream class, or None, and the type of the events, or None."""
    if not is_stream_class(kind):
        return None, kind
    return kind if get_origin(kind) is None else get_origin(kind), next(iter(get_args(kind)), None) or _inherited(kind)


def _inherited(kind: Any) -> Any:
    """Returns the type of the events of `class Own(Stream[X])`, as tracers make them; None if no base names it."""
    for base in getattr(kind, "__orig_bases__", ()):
        if is_stream_class(base):
            found = split_stream(base)[1]
            # The classes of streams themselves leave the type open.
            if found is not None and not isinstance(found, TypeVar):
                return found
    return None
