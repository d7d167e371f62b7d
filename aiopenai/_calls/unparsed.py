"""Calls whose replies are returned unparsed: the header that asks for it, and the context managers of open replies."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from aiopenai._calls.raw import APIResponse, AsyncAPIResponse

__all__ = ["AsyncResponseContextManager", "ResponseContextManager", "marked", "take_mark"]

T = TypeVar("T")

# The reference's header. It travels in `extra_headers` so that replaced methods pass it on; it is never sent.
RAW_RESPONSE_HEADER = "X-Stainless-Raw-Response"
_LOWER = RAW_RESPONSE_HEADER.lower()

Mark = Literal["", "raw", "stream"]


def marked(given: dict[str, Any], mark: str) -> dict[str, Any]:
    """Arguments of a call with the header that asks for an unparsed reply."""
    value = "stream" if mark == "stream" else "true"
    return {**given, "extra_headers": {**(given.get("extra_headers") or {}), RAW_RESPONSE_HEADER: value}}


def take_mark(headers: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mark]:
    """The headers of a call without the mark, and the mark: `stream` for an unread reply, `raw` for a read one."""
    for name in headers:
        if name.lower() == _LOWER:
            value = headers[name]
            rest = {each: headers[each] for each in headers if each != name}
            return rest, "" if not isinstance(value, str) else "stream" if value == "stream" else "raw"
    return headers, ""


class AsyncResponseContextManager(Generic[T]):
    """The context manager of a reply with its body unread; leaving the block closes the reply."""

    def __init__(self, api_request: Coroutine[Any, Any, AsyncAPIResponse[T]]) -> None:
        self._api_request = api_request
        self._response: AsyncAPIResponse[T] | None = None

    async def __aenter__(self) -> AsyncAPIResponse[T]:
        self._response = await self._api_request
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.close()


class ResponseContextManager(Generic[T]):
    """The context manager of a reply with its body unread, in the blocking client."""

    def __init__(self, request_func: Callable[[], APIResponse[T]]) -> None:
        self._request_func = request_func
        self._response: APIResponse[T] | None = None

    def __enter__(self) -> APIResponse[T]:
        self._response = self._request_func()
        return self._response

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
