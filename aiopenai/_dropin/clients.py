"""The clients of drop-in mode: aiopenai's, with pydantic replies and a `request` that tracers can replace."""

# Frameworks call and replace members that are not public.
# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgspec
from msgspec import structs
from typing_extensions import override

from aiopenai._base.sentinels import is_left_out
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.replies import parse
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.streaming import AsyncStream as NativeAsyncStream
from aiopenai._calls.streaming import Stream as NativeStream
from aiopenai._calls.unexpected import ERROR_WORD, MAX_ERROR_BYTES
from aiopenai._client import azure, bedrock, blocking, client
from aiopenai._client.sending import is_stream_class
from aiopenai._client.verb_requests import verb_request
from aiopenai._data.plain import decode_json
from aiopenai._dropin.builders import TwinDecoder, as_twin, builder
from aiopenai._dropin.twins import export, is_struct, struct_of, twin
from aiopenai._reference import models
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

_decoder = lru_cache(maxsize=256)(TwinDecoder)


def parse_as_twin(client: Any, request: Request[Any], reply: Any, raw: bytes, kind: Any, *, strict: bool) -> Any:
    """Returns a reply's body as a pydantic object. Raises as `replies.parse`.

    Plain objects are built without validation. Pages, parsed replies, errors and all else that is not plain take the
    native way, and are converted.
    """
    struct = struct_of(kind)
    plain = is_struct(struct) and request.finish is None and request.endpoint.page is None and not strict
    # A vector in base64 is decoded by the native decoder.
    if plain and not getattr(struct, "__bulk__", False) and request.endpoint.path != "/embeddings":
        try:
            value: Any = decode_json(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = None
        if type(value) is dict and (len(raw) > MAX_ERROR_BYTES or raw.rfind(ERROR_WORD) < 0):
            made = builder(twin(struct))(value)
            object.__setattr__(made, "__pydantic_private__", {"_request_id": reply.headers.get("x-request-id")})
            return made
    if struct is not kind and kind is request.endpoint.reply:
        request = structs.replace(request, endpoint=_with_reply(request.endpoint, struct))
    return as_twin(parse(client, request, reply, raw, struct, strict=strict), struct)


@lru_cache(maxsize=1024)
def _with_reply(endpoint: Endpoint, reply: Any) -> Endpoint:
    return structs.replace(endpoint, reply=reply)


class AsyncStream(NativeAsyncStream[T], Generic[T]):
    """The async client's stream, with an iterator that tracers replace (`_iterator`) or wrap (`__stream__`)."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._iterator: AsyncIterator[Any] = self.__stream__()

    def __stream__(self) -> AsyncIterator[Any]:
        return NativeAsyncStream.__aiter__(self)

    @override
    def __aiter__(self) -> Any:
        return self._iterator.__aiter__()

    @override
    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()


class Stream(NativeStream[T], Generic[T]):
    """The blocking client's stream, with an iterator that tracers replace (`_iterator`) or wrap (`__stream__`)."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._iterator: Iterator[Any] = self.__stream__()

    def __stream__(self) -> Iterator[Any]:
        return NativeStream.__iter__(self)

    @override
    def __iter__(self) -> Any:
        return iter(self._iterator)

    @override
    def __next__(self) -> Any:
        return next(self._iterator)


class FinalRequestOptions(models.FinalRequestOptions):
    """The options of one request, as wrappers of `client.request` see them."""

    _request: Request[Any] | None = None

    @classmethod
    def of(cls, request: Request[Any]) -> FinalRequestOptions:
        """Returns the options that describe a request."""
        made = cls(
            method=request.endpoint.method.lower(),
            url=request.path,
            json_data=request.body,
            headers=request.headers or {},
            params=request.query,
            files=request.files,
        )
        made._request = request
        return made

    def as_request(self, cast_to: Any, stream: bool, stream_cls: Any) -> Request[Any]:
        """Returns the request, with the stream class of the caller."""
        if self._request is not None:
            if stream and stream_cls is not None:
                endpoint = structs.replace(self._request.endpoint, event=stream_cls)
                return structs.replace(self._request, endpoint=endpoint)
            return self._request
        names = ("headers", "params", "timeout", "extra_json", "idempotency_key", "max_retries")
        options = {name: value for name in names if not is_left_out(value := getattr(self, name)) and value is not None}
        method = self.method.upper()
        made = verb_request(
            method, self.url, cast_to, self.json_data, None, self.files, options, {}, stream, stream_cls
        )
        return cast("Request[Any]", made)


class _Switched:
    """The part that all clients of drop-in mode share."""

    _parse_reply: ClassVar[Any] = staticmethod(parse_as_twin)
    _decoder_of: ClassVar[Any] = staticmethod(_decoder)
    _stream_classes: ClassVar[Any] = {
        None: AsyncStream,
        NativeAsyncStream: AsyncStream,
        NativeStream: Stream,
    }
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

    @property
    def native_call(self) -> Any:
        """The function that sends a request whose replies stay Structs: stream helpers work on these."""
        twin_client = object.__new__(self._native)
        vars(twin_client).update(vars(self))
        twin_client._bind(twin_client)
        return twin_client._call

    def _is_replaced(self) -> bool:
        return type(self).request is not type(self)._own_request or "request" in vars(self)  # type: ignore[attr-defined]

    def _through_request(self, request: Request[Any]) -> Any:
        """Sends a request by `request`, which a tracer has replaced."""
        cast_to = export(request.endpoint.reply)
        event = request.endpoint.event
        cls: Any = Stream if isinstance(self, blocking.OpenAI) else AsyncStream
        stream_cls = None if not request.stream else event if is_stream_class(event) else cls[export(event)]
        options = FinalRequestOptions.of(request)
        return cast("Any", self).request(cast_to, options, stream=request.stream, stream_cls=stream_cls)


class AsyncOpenAI(_Switched, client.AsyncOpenAI):
    _native: ClassVar[type[Any]] = client.AsyncOpenAI

    @override
    def perform(self, request: Request[Any]) -> Any:
        if self._is_replaced():
            return self._through_request(request)
        return super().perform(request)

    async def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        """Sends a request as `FinalRequestOptions` describe it."""
        return await super().perform(_options(options).as_request(cast_to, stream, stream_cls))


class OpenAI(_Switched, blocking.OpenAI):
    _native: ClassVar[type[Any]] = blocking.OpenAI

    @override
    def send(self, request: Request[Any]) -> Any:
        if self._is_replaced():
            return self._through_request(request)
        return super().send(request)

    def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        """Sends a request as `FinalRequestOptions` describe it."""
        return super().send(_options(options).as_request(cast_to, stream, stream_cls))


def _options(given: Any) -> FinalRequestOptions:
    return given if isinstance(given, FinalRequestOptions) else FinalRequestOptions(**vars(given))


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
