"""Requests and replies as tracers see them that replace `client.request` and `_process_response`."""

# pyright: basic, reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast, get_args, get_origin

from msgspec import structs

from aiopenai._base.sentinels import is_left_out
from aiopenai._calls.paging import BasePage
from aiopenai._calls.request import Request
from aiopenai._calls.unparsed import RAW_RESPONSE_HEADER
from aiopenai._client.verb_requests import verb_request
from aiopenai._dropin.twins import export
from aiopenai._reference import models

__all__ = ["FinalRequestOptions", "Received", "as_options", "as_sent"]


class FinalRequestOptions(models.FinalRequestOptions):
    """The options of one request, as wrappers of `client.request` see them."""

    _request: Request[Any] | None = None

    @classmethod
    def of(cls, request: Request[Any], raw: str | None = None) -> FinalRequestOptions:
        """Returns the options that describe a request; `raw` marks one whose reply is returned unparsed."""
        marks = {} if raw is None else {RAW_RESPONSE_HEADER: raw}
        made = cls(
            method=request.endpoint.method.lower(),
            url=request.path,
            json_data=request.body,
            headers={**(request.headers or {}), **marks},
            params=request.query,
            files=request.files,
        )
        made._request = request
        return made

    @property
    def raw(self) -> str | None:
        """The mark of a request whose reply is returned unparsed; None for others, and for a program's own header."""
        headers = self.headers
        return headers.get(RAW_RESPONSE_HEADER) if self._request is not None and isinstance(headers, dict) else None

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


class Received:
    """A reply that `_process_response` takes: its head, and the function that makes its value."""

    def __init__(self, reply: Any, make: Callable[[], Any]) -> None:
        self._reply = reply
        self.make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reply, name)


@lru_cache(maxsize=1024)
def as_sent(kind: Any, prefix: str) -> Any:
    """Returns the type that the reference casts a reply to, whose name tracers record.

    A parsed reply is cast to the class that it extends, and a list to a page class of its items.
    """
    page = get_origin(kind)
    if isinstance(page, type) and issubclass(page, BasePage):
        meta: Any = type(page)
        item = export(get_args(kind)[0])
        name = f"{prefix}{page.__name__.removeprefix('Async')}[{getattr(item, '__name__', item)}]"
        return meta(name, (page,), {"__module__": "openai.pagination"})
    kind = export(kind)
    while isinstance(kind, type) and kind.__name__.startswith("Parsed"):
        kind = kind.__base__
    return kind


def as_options(given: Any) -> FinalRequestOptions:
    return given if isinstance(given, FinalRequestOptions) else FinalRequestOptions(**vars(given))
