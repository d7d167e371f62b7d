"""The clients of drop-in mode: aiopenai's, with pydantic replies and a `request` that tracers can replace."""

# Frameworks call and replace members that are not public.
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast

import msgspec
from msgspec import structs
from typing_extensions import override

from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.preparation import PreparedCall
from aiopenai._calls.replies import parse
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.streaming import AsyncStream as NativeAsyncStream
from aiopenai._calls.streaming import Stream as NativeStream
from aiopenai._calls.unexpected import ERROR_WORD, MAX_ERROR_BYTES
from aiopenai._client import azure, bedrock, blocking, client
from aiopenai._client.base import BaseClient
from aiopenai._client.sending import is_stream_class
from aiopenai._data.plain import decode_json
from aiopenai._dropin.builders import as_twin, builder, decoder_of
from aiopenai._dropin.options import FinalRequestOptions, Received, as_options, as_sent
from aiopenai._dropin.streams import AsyncStream, Stream
from aiopenai._dropin.twins import BaseModel, export, is_struct, struct_of, twin
from aiopenai._reference.http_libraries import default_client, library
from aiopenai._reference.platforms import platform_headers
from aiopenai.version import REFERENCE_VERSION

__all__ = [
    "AsyncAzureOpenAI",
    "AsyncBedrockOpenAI",
    "AsyncOpenAI",
    "AsyncStream",
    "AzureOpenAI",
    "BedrockOpenAI",
    "FinalRequestOptions",
    "OpenAI",
    "Stream",
]

T = TypeVar("T")


def parse_as_twin(client: Any, request: Request[Any], reply: Any, raw: bytes, kind: Any, strict: bool) -> Any:
    """Returns a reply's body as a pydantic object. Raises as `replies.parse`.

    Plain objects are built without validation. Pages, parsed replies, errors and all else that is not plain take the
    native way, and are converted.
    """
    if client.processes_replies:
        received = Received(reply, lambda: _parse_as_twin(client, request, reply, raw, kind, strict))
        return client.process(request, received)
    return _parse_as_twin(client, request, reply, raw, kind, strict)


def _parse_as_twin(client: Any, request: Request[Any], reply: Any, raw: bytes, kind: Any, strict: bool) -> Any:
    struct, build = _ways_to(kind)
    plain = request.finish is None and request.endpoint.page is None and not strict
    # A vector in base64 is decoded by the native decoder.
    if build is not None and plain and request.endpoint.path != "/embeddings":
        try:
            value: Any = decode_json(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        if type(value) is dict and (len(raw) > MAX_ERROR_BYTES or raw.rfind(ERROR_WORD) < 0):
            made = build(value)
            made.__dict__["_request_id"] = reply.headers.get("x-request-id")
            return made
    if struct is not kind and kind is request.endpoint.reply:
        request = structs.replace(request, endpoint=_with_reply(request.endpoint, struct))
    value = as_twin(parse(client, request, reply, raw, struct, strict=strict), struct)
    if isinstance(value, BaseModel):
        value.__dict__.setdefault("_request_id", reply.headers.get("x-request-id"))
    return value


_known_ways: dict[Any, tuple[Any, Any]] = {}


def _ways_to(kind: Any) -> tuple[Any, Any]:
    """Returns the reply type behind a type, and the function that makes its objects from dicts, or None."""
    try:
        return _known_ways[kind]
    except (KeyError, TypeError):
        # TypeError: a type of a program that has no hash.
        struct = struct_of(kind)
        is_plain = is_struct(struct) and not getattr(struct, "__bulk__", False)
        ways = struct, builder(twin(struct)) if is_plain else None
    if is_struct(kind):
        # Those are few. Programs may make types without end.
        _known_ways[kind] = ways
    return ways


@lru_cache(maxsize=1024)
def _with_reply(endpoint: Endpoint, reply: Any) -> Endpoint:
    return structs.replace(endpoint, reply=reply)


class _HttpxClient:
    """The attribute `_client`: the httpx client that was given, or else one with the reference's defaults.

    Event hooks that are added to it before the first request see all requests. It has no setter, so that clients
    can take over the state of others.
    """

    def __get__(self, client: Any, owner: Any = None) -> Any:
        if client is None:
            return self
        wiring = client._sessions.wiring
        own = client._sessions.httpx_client or wiring.get("http_client")
        if own is None:
            name = "DefaultHttpxClient" if client._blocking else "DefaultAsyncHttpxClient"
            own = wiring["plain_client"] = default_client(name)()
        return own


class _Switched:
    """The part that all clients of drop-in mode share."""

    _parse_reply: ClassVar[Any] = staticmethod(parse_as_twin)
    _decoder_of: ClassVar[Any] = staticmethod(decoder_of)
    _stream_classes: ClassVar[Any] = {
        None: AsyncStream,
        NativeAsyncStream: AsyncStream,
        NativeStream: Stream,
    }
    _client = _HttpxClient()
    _native: ClassVar[type[Any]]
    _own_request: ClassVar[Any]

    async def open_response(self, request: Request[Any]) -> Any:
        """Returns a reply with its body unread. That of a file parses to bytes, as in the reference."""
        response = await super().open_response(request)  # type: ignore[misc]
        if request.endpoint.reply is HttpxBinaryResponseContent:
            parse_body = response._parse
            response._parse = lambda raw, to: parse_body(raw, bytes if to is None else to)
        return response

    def _standard_headers(self) -> dict[str, str]:
        """Returns the headers of each request: aiopenai's, and those by which the reference describes the machine."""
        runs = "false" if isinstance(self, blocking.OpenAI) else "async:asyncio"
        about = platform_headers(REFERENCE_VERSION, platform=None)
        return {**super()._standard_headers(), **about, "X-Stainless-Async": runs}  # type: ignore[misc]

    def _bind(self, client: Any) -> None:
        super()._bind(client)  # type: ignore[misc]
        # The resource's attribute of this name, which would hide the client of httpx.
        del vars(self)["_client"]

    @property
    def native_call(self) -> Any:
        """The function that sends a request whose replies stay Structs: stream helpers work on these."""
        if self._is_replaced():
            return self._through_request
        twin_client = object.__new__(self._native)
        vars(twin_client).update(vars(self))
        twin_client._bind(twin_client)
        return twin_client._call

    def _is_replaced(self) -> bool:
        return type(self).request is not type(self)._own_request or "request" in vars(self)  # type: ignore[attr-defined]

    @property
    def base_url(self) -> Any:
        """The URL of the API: one of httpx, as the reference has it, where that is installed."""
        public = super().base_url  # type: ignore[misc]
        try:
            return library().URL(public)
        except ImportError:
            return public

    @base_url.setter
    def base_url(self, url: Any) -> None:
        cast("Any", BaseClient.base_url).__set__(self, str(url))

    _base_url = base_url

    def _process_response(self, *, response: Received, **_: Any) -> Any:
        """Returns the value of a reply. Tracers replace it, to read the headers of each reply."""
        return response.make()

    @property
    def processes_replies(self) -> bool:
        """Whether a tracer has replaced `_process_response`."""
        return type(self)._process_response is not _Switched._process_response

    def process(self, request: Request[Any], received: Received) -> Any:
        """Returns the value of a reply by `_process_response`, which a tracer has replaced."""
        return self._process_response(
            cast_to=export(request.endpoint.reply),
            options=FinalRequestOptions.of(request),
            response=received,
            stream=request.stream,
            stream_cls=None,
        )

    def _open_stream(self, call: PreparedCall, reply: Any, taken: int, to: Any = None) -> Any:
        opened = super()._open_stream  # type: ignore[misc]
        if self.processes_replies:
            return self.process(call.request, Received(reply, lambda: opened(call, reply, taken, to)))
        return opened(call, reply, taken, to)

    def _through_request(self, request: Request[Any], raw: str | None = None) -> Any:
        """Sends a request by `request`, which a tracer has replaced. `raw` marks a reply that is returned unparsed."""
        blocking_client = isinstance(self, blocking.OpenAI)
        cast_to = as_sent(request.endpoint.reply, "Sync" if blocking_client else "Async")
        event = request.endpoint.event
        cls: Any = Stream if blocking_client else AsyncStream
        stream_cls = None if not request.stream else event if is_stream_class(event) else cls[export(event)]
        options = FinalRequestOptions.of(request, raw)
        return cast("Any", self).request(cast_to, options, stream=request.stream, stream_cls=stream_cls)


class AsyncOpenAI(_Switched, client.AsyncOpenAI):
    _native: ClassVar[type[Any]] = client.AsyncOpenAI

    @override
    def perform(self, request: Request[Any]) -> Any:
        if self._is_replaced():
            return self._through_request(request)
        return super().perform(request)

    @override
    def perform_raw(self, request: Request[Any]) -> Any:
        return self._through_request(request, "true") if self._is_replaced() else super().perform_raw(request)

    @override
    def open_response(self, request: Request[Any]) -> Any:
        return self._through_request(request, "stream") if self._is_replaced() else super().open_response(request)

    async def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        """Sends a request as `FinalRequestOptions` describe it."""
        options = as_options(options)
        request = options.as_request(cast_to, stream, stream_cls)
        raw = options.raw
        sent = super().open_response if raw == "stream" else super().perform_raw if raw else super().perform
        return await sent(request)


class OpenAI(_Switched, blocking.OpenAI):
    _native: ClassVar[type[Any]] = blocking.OpenAI

    @override
    def send(self, request: Request[Any]) -> Any:
        if self._is_replaced():
            return self._through_request(request)
        return super().send(request)

    @override
    def send_raw(self, request: Request[Any]) -> Any:
        return self._through_request(request, "true") if self._is_replaced() else super().send_raw(request)

    @override
    def open_blocking(self, request: Request[Any]) -> Any:
        return self._through_request(request, "stream") if self._is_replaced() else super().open_blocking(request)

    def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        """Sends a request as `FinalRequestOptions` describe it."""
        options = as_options(options)
        request = options.as_request(cast_to, stream, stream_cls)
        raw = options.raw
        sent = super().open_blocking if raw == "stream" else super().send_raw if raw else super().send
        return sent(request)


class AsyncAzureOpenAI(azure.AsyncAzureOpenAI, AsyncOpenAI):
    _native: ClassVar[type[Any]] = azure.AsyncAzureOpenAI


class AzureOpenAI(azure.AzureOpenAI, OpenAI):
    _native: ClassVar[type[Any]] = azure.AzureOpenAI


class AsyncBedrockOpenAI(bedrock.AsyncBedrockOpenAI, AsyncOpenAI):
    _native: ClassVar[type[Any]] = bedrock.AsyncBedrockOpenAI


class BedrockOpenAI(bedrock.BedrockOpenAI, OpenAI):
    _native: ClassVar[type[Any]] = bedrock.BedrockOpenAI


AsyncOpenAI._own_request = AsyncOpenAI.request
OpenAI._own_request = OpenAI.request
for _each in (
    AsyncOpenAI,
    OpenAI,
    AsyncAzureOpenAI,
    AzureOpenAI,
    AsyncBedrockOpenAI,
    BedrockOpenAI,
    AsyncStream,
    Stream,
):
    _each.__module__ = "openai"
    _each.__doc__ = _each.__doc__ or _each.__mro__[2].__doc__
# Frameworks read the options from the constructor itself.
for _each in (AsyncOpenAI, OpenAI):
    _each.__init__ = _each._native.__init__  # type: ignore[method-assign]
