"""Functions of `openai._base_client` and `openai._utils` about requests: options, forms, threads, iterators."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar

from aiopenai._base.sentinels import is_left_out, not_given

__all__ = [
    "ForceMultipartDict",
    "asyncify",
    "consume_async_iterator",
    "consume_sync_iterator",
    "make_request_options",
    "to_thread",
]

T = TypeVar("T")


class ForceMultipartDict(dict[str, None]):
    """An empty set of files that asks for a form all the same."""

    def __bool__(self) -> bool:
        return True


def make_request_options(
    *,
    query: Mapping[str, object] | None = None,
    extra_headers: Mapping[str, Any] | None = None,
    extra_query: Mapping[str, object] | None = None,
    extra_body: object = None,
    idempotency_key: str | None = None,
    timeout: Any = not_given,
    post_parser: Any = not_given,
    security: Mapping[str, bool] | None = None,
    synthesize_event_and_data: bool | None = None,
    stream_mode: str | None = None,
) -> dict[str, Any]:
    """Returns the `options` of a low-level verb, without those that are not given."""
    params = None if query is None and extra_query is None else {**(query or {}), **(extra_query or {})}
    given = {
        "headers": extra_headers,
        "params": params,
        "extra_json": extra_body,
        "idempotency_key": idempotency_key,
        "security": security,
        "synthesize_event_and_data": synthesize_event_and_data,
        "stream_mode": stream_mode,
    }
    options = {name: value for name, value in given.items() if value is not None}
    # None is a value of these two.
    more = {"timeout": timeout, "post_parser": post_parser}
    return {**options, **{name: value for name, value in more.items() if not is_left_out(value)}}


def asyncify(function: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """Returns a coroutine function that runs a blocking one in a thread."""

    async def run(*args: Any, **given: Any) -> T:
        return await asyncio.to_thread(function, *args, **given)

    return run


def consume_sync_iterator(iterator: Iterator[Any]) -> None:
    """Reads an iterator to its end."""
    for _ in iterator:
        pass


async def consume_async_iterator(iterator: AsyncIterator[Any]) -> None:
    """Reads an async iterator to its end."""
    async for _ in iterator:
        pass
