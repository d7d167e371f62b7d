"""The requests of the low-level verbs, from the arguments of `client.get(path, cast_to=...)` and its kin."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, cast, get_origin
from urllib.parse import urlsplit, urlunsplit

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._base.headers import has
from aiopenai._base.secret import Secret
from aiopenai._calls.arguments import OPTIONS, add_options
from aiopenai._calls.request import Endpoint, Request
from aiopenai._client.configuration import basic_authorization
from aiopenai._data.codec import Node
from aiopenai._http.messages import HTTPResponse

__all__ = ["apply_options", "verb_request"]


def verb_request(
    method: str,
    path: str,
    cast_to: Any,
    body: Any,
    content: Any,
    files: Any,
    options: Mapping[str, Any] | None,
    more: Any,
    stream: bool = False,
    stream_cls: Any = None,
) -> Any:
    """The request; for type checkers anything, as its method has the reply's type."""
    if content is not None and (body is not None or files is not None):
        raise TypeError("content cannot be given together with body or files: pass only one of them")
    if isinstance(body, (bytes, bytearray)):
        if files is not None:
            raise TypeError("files cannot be given together with content: pass only one of them")
        warnings.warn("body takes values that are encoded: pass bytes as content", DeprecationWarning, stacklevel=3)
        body, content = None, body
    if not stream:
        _check_cast(cast_to)
    path, authorization = _without_login(path)
    endpoint = Endpoint(
        method=method,
        path=path,
        reply=cast_to,
        event=stream_cls or cast_to,
        security="any",
        page=cast_to if hasattr(get_origin(cast_to) or cast_to, "next_page_info") else None,
    )
    request: Request[Any] = Request(
        endpoint=endpoint,
        path=path,
        body=body,
        content=content,
        files=list(files.items()) if is_mapping(files) else files,
        stream=stream,
    )
    apply_options(request, options, more)
    if authorization and not has(request.headers or {}, "authorization"):
        request.headers = {**(request.headers or {}), "Authorization": authorization.value}
    return request


def _without_login(path: str) -> tuple[str, Secret[str] | None]:
    """Returns a path, or an absolute URL without its user and password, and the header that these become."""
    if path[:1] == "/" or "@" not in path:
        return path, None
    parts = urlsplit(path)
    login, separator, host = parts.netloc.rpartition("@")
    if not separator:
        return path, None
    return urlunsplit(parts._replace(netloc=host)), Secret(basic_authorization(login))


def _check_cast(kind: Any) -> None:
    """Raises TypeError for a class to which no reply can be converted. A msgspec decoder returns a dict for it."""
    from aiopenai._calls.binary import HttpxBinaryResponseContent
    from aiopenai._http.httpx_responses import is_httpx_response

    if not isinstance(kind, type) or issubclass(kind, (Node, HTTPResponse, HttpxBinaryResponseContent)):
        return
    if is_httpx_response(kind):
        return
    if any(hasattr(cast("Any", kind), name) for name in ("model_validate", "next_page_info")):
        return
    if kind is not object and isinstance(msgspec.inspect.type_info(kind), msgspec.inspect.CustomType):
        name = f"{kind.__module__}.{kind.__qualname__}"
        cure = "aiopenai.response.HTTPResponse" if kind.__name__ == "Response" else "a reply type, dict, str or bytes"
        raise TypeError(f"cast_to={name} is no type to which a reply can be converted: pass {cure}")


# Options of the reference that need no counterpart; see `RequestOptions`.
_WITHOUT_EFFECT = frozenset({"follow_redirects", "security", "stream_mode", "synthesize_event_and_data"})


def apply_options(request: Request[Any], options: Mapping[str, Any] | None, more: dict[str, Any]) -> None:
    """Adds the options of the low-level verbs: the reference's `options` dict and the keyword arguments."""
    names = {"headers": "extra_headers", "params": "extra_query", "extra_json": "extra_body"}
    known = {"timeout", "max_retries", "idempotency_key", "retry"}
    settled: dict[str, Any] = {}
    for name, value in (options or {}).items():
        if name in names:
            settled[names[name]] = value
        elif name in known or name in OPTIONS:
            settled[name] = value
        elif name not in _WITHOUT_EFFECT:
            raise TypeError(f"unknown request option {name!r}")
    for name in more:
        if name not in OPTIONS:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    settled.update(more)
    if settled:
        add_options(request, settled)
