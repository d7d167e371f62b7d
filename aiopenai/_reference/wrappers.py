"""The reference's functions that make a method return its reply unparsed, and those that read generic types of these.

They are `to_raw_response_wrapper` and its kin of `openai._response` and `openai._legacy_response`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from aiopenai._calls.raw import APIResponse, AsyncAPIResponse, BaseAPIResponse
from aiopenai._calls.streaming import AsyncStream, Stream
from aiopenai._calls.unparsed import AsyncResponseContextManager, ResponseContextManager, marked
from aiopenai._reference.guards import extract_type_var_from_base
from aiopenai.errors import OpenAIError

__all__ = [
    "MissingStreamClassError",
    "StreamAlreadyConsumed",
    "async_to_custom_raw_response_wrapper",
    "async_to_custom_streamed_response_wrapper",
    "async_to_raw_response_wrapper",
    "async_to_streamed_response_wrapper",
    "extract_response_type",
    "extract_stream_chunk_type",
    "to_custom_raw_response_wrapper",
    "to_custom_streamed_response_wrapper",
    "to_raw_response_wrapper",
    "to_streamed_response_wrapper",
]

_Function = Callable[..., Any]


class MissingStreamClassError(TypeError):
    """A request for a stream without a class for it."""

    def __init__(self) -> None:
        super().__init__(
            "The `stream` argument was set to `True` but the `stream_cls` argument was not given. Give a class, such "
            "as `AsyncStream[ChatCompletionChunk]`."
        )


class StreamAlreadyConsumed(OpenAIError):  # noqa: N818 - the reference's name
    """The content of a reply was asked for after it had been streamed."""

    def __init__(self) -> None:
        super().__init__(
            "The content of this reply was streamed already. Call `.read()` before iterating, or keep the pieces."
        )


def to_raw_response_wrapper(function: _Function) -> _Function:
    """Returns a method that returns its reply with the headers."""

    @wraps(function)
    def wrapped(*args: Any, **given: Any) -> Any:
        return function(*args, **marked(given, "raw"))

    return wrapped


def async_to_raw_response_wrapper(function: _Function) -> _Function:
    """Returns a coroutine function that returns the reply of a method with the headers."""

    @wraps(function)
    async def wrapped(*args: Any, **given: Any) -> Any:
        return await function(*args, **marked(given, "raw"))

    return wrapped


def to_streamed_response_wrapper(function: _Function) -> _Function:
    """Returns a method that returns a context manager of its reply with the body unread."""

    @wraps(function)
    def wrapped(*args: Any, **given: Any) -> Any:
        return ResponseContextManager(partial(function, *args, **marked(given, "stream")))

    return wrapped


def async_to_streamed_response_wrapper(function: _Function) -> _Function:
    """Returns a function that returns an asynchronous context manager of a reply with the body unread."""

    @wraps(function)
    def wrapped(*args: Any, **given: Any) -> Any:
        return AsyncResponseContextManager(function(*args, **marked(given, "stream")))

    return wrapped


def _as_class(reply: Any, cls: type[Any]) -> Any:
    """Returns a reply as a subclass of its class. Raises TypeError for other classes."""
    if isinstance(reply, cls):
        return reply
    if not issubclass(cls, type(reply)):
        raise TypeError(f"response_cls {cls.__name__} must be a subclass of {type(reply).__name__}")
    reply.__class__ = cls
    return reply


def to_custom_raw_response_wrapper(function: _Function, response_cls: type[Any]) -> _Function:
    """Returns a method that returns its reply with the headers, as an object of a subclass."""

    @wraps(function)
    def wrapped(*args: Any, **given: Any) -> Any:
        return _as_class(function(*args, **marked(given, "raw")), response_cls)

    return wrapped


def async_to_custom_raw_response_wrapper(function: _Function, response_cls: type[Any]) -> _Function:
    """Returns a coroutine function that returns a reply with the headers, as an object of a subclass."""

    @wraps(function)
    async def wrapped(*args: Any, **given: Any) -> Any:
        return _as_class(await function(*args, **marked(given, "raw")), response_cls)

    return wrapped


def to_custom_streamed_response_wrapper(function: _Function, response_cls: type[Any]) -> _Function:
    """Returns a method that returns a context manager of its unread reply, as an object of a subclass."""

    @wraps(function)
    def wrapped(*args: Any, **given: Any) -> Any:
        return ResponseContextManager(lambda: _as_class(function(*args, **marked(given, "stream")), response_cls))

    return wrapped


def async_to_custom_streamed_response_wrapper(function: _Function, response_cls: type[Any]) -> _Function:
    """Returns a function that returns a context manager of an unread reply, as an object of a subclass."""

    @wraps(function)
    def wrapped(*args: Any, **given: Any) -> Any:
        async def opened() -> Any:
            return _as_class(await function(*args, **marked(given, "stream")), response_cls)

        return AsyncResponseContextManager(opened())

    return wrapped


def extract_response_type(kind: Any) -> Any:
    """Returns the reply type of `APIResponse[T]` or of a class below it. Raises RuntimeError without one."""
    bases: Any = (BaseAPIResponse, APIResponse, AsyncAPIResponse)
    return extract_type_var_from_base(kind, generic_bases=bases, index=0)


def extract_stream_chunk_type(stream_cls: Any, *, failure_message: str | None = None) -> Any:
    """Returns the event type of `Stream[T]` or of a class below it. Raises RuntimeError without one."""
    bases: Any = (Stream, AsyncStream)
    return extract_type_var_from_base(stream_cls, generic_bases=bases, index=0, failure_message=failure_message)
