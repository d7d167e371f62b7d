"""Replies that are not the expected ones: each becomes an error with the server's own words.

A server may answer with status 200 and a JSON error, a proxy's HTML page, an event stream where a whole reply was
asked for, or a whole reply where a stream was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.cache import BoundedCache
from aiopenai._base.urls import shown
from aiopenai._data.codec import Node, decode_json
from aiopenai._http.messages import HTTPResponse
from aiopenai.errors import APIError, APIResponseValidationError, error_from_body

__all__ = [
    "ERROR_WORD",
    "MAX_ERROR_BYTES",
    "carried_error",
    "error_of",
    "event_error_of",
    "json_of",
    "refusal_in_event",
    "result_getter",
    "result_getters",
    "unexpected_reply",
]

# A body beyond this is a reply, not an error: it is not searched.
MAX_ERROR_BYTES = 64 * 1024
ERROR_WORD = b'"error"'
# A reply that carries an error has one of these names.
_SIGNS = (ERROR_WORD, b'"detail"', b'"errors"', b'"base_resp"', b'"message"', b'"msg"', b'"error_m')
_MESSAGES = ("message", "msg", "error_message", "error_msg")
# The types of problems in RFC 9457.
_PROBLEM_TYPES = ("about:", "http:", "https:")
# How many characters of a body a message shows.
_SHOWN = 200
# Fields that a server may send beside its error: they tell of the call, not of its result.
_ABOUT_THE_CALL = frozenset({"id", "object", "created", "created_at", "model", "type", "usage", "error"})


def unexpected_reply(
    response: HTTPResponse, *, wanted: str = "a JSON object", body: Any = None, cause: Exception | None = None
) -> APIError:
    """Returns the error for a 2xx reply of another kind than `wanted`.

    The result is an APIError with the server's message if the reply carries an error, as JSON or as an event of a
    stream. `body` is that error if it is known already. Else the result is an APIResponseValidationError, which names
    the URL, the content type and the beginning of the body. `cause` is the decoder's error, for the message.
    """
    carried = body if body is not None else _error_in(response)
    if carried is not None:
        return error_from_body(carried, response.request, default="The server reported an error without a message.")
    plain = json_of(response.content)
    kind = response.headers.get("content-type", "no content type")
    begin = response.text[:_SHOWN]
    if plain is None and _is_event_stream(response) and wanted != "an event stream":
        why = "is an event stream, but a whole reply was asked for; pass stream=True to read a stream"
    elif cause is not None:
        why = f"is not the JSON that was expected ({cause})"
    else:
        why = f"is not {wanted}"
    return APIResponseValidationError(
        response,
        response.text[:MAX_ERROR_BYTES] if plain is None else plain,
        message=f"The reply of {shown(response.url)} {why}; content type {kind}; it begins: {begin!r}",
    )


def error_of(body: Any) -> Any:
    """Returns the `error` in a decoded JSON body, the body itself if its `object` is "error", or else None.

    Some servers put the object with the error into a list.
    """
    if is_list(body) and len(body) == 1:
        body = body[0]
    if not is_mapping(body):
        return None
    if error := body.get("error"):
        return error
    return body if body.get("object") == "error" and body.get("message") else None


def event_error_of(body: Any) -> Any:
    """Returns the error in a decoded event: that of `error_of`, or that of one of its choices. None without any.

    A router whose upstream server fails in the middle of an answer writes the error into the choice.
    """
    if (error := error_of(body)) is not None:
        return error
    choices: Any = body.get("choices") if is_mapping(body) else None
    for choice in choices if is_list(choices) else ():
        if is_mapping(choice) and (error := choice.get("error")):
            return error
    return None


def refusal_in_event(body: Mapping[str, Any]) -> Any:
    """Returns the error of an event without choices, in a form that other APIs have; None if it has none.

    Events with a type of their own, such as `response.created`, have fields of any name.
    """
    kind = body.get("type")
    if isinstance(kind, str) and not (kind.startswith(_PROBLEM_TYPES) or "error" in kind):
        return None
    return _refusal_in(body)


def _refusal_in(body: Mapping[str, Any], fields: Container[str] = ()) -> Any:
    """Returns the error of a JSON object without a result, in a form that other APIs have; None if it has none.

    The object itself is the error if it has `detail` (FastAPI, RFC 9457) or a list of `errors`, or a message beside
    a sign of failure. `base_resp` holds the error of some servers. `fields` are names that are no error here.
    """
    for name in ("detail", "errors"):
        if name not in fields and body.get(name):
            return body
    inner = body.get("base_resp")
    if is_mapping(inner) and inner.get("status_code"):
        return inner
    has_words = any(name not in fields and body.get(name) for name in _MESSAGES)
    return body if has_words and _has_failed(body) else None


def _has_failed(body: Mapping[str, Any]) -> bool:
    """Returns whether an object says that a request has failed, by a flag, a word or a status from 400 on."""
    if body.get("success") is False or body.get("ok") is False:
        return True
    for name in ("status", "status_code", "code", "error_code", "type"):
        value = body.get(name)
        if isinstance(value, str) and not value.isdecimal():
            if "error" in value.lower() or value.lower() in ("fail", "failed", "failure"):
                return True
        elif isinstance(value, (int, str)) and int(value) >= 400:
            return True
    return False


def carried_error(raw: bytes, value: Any) -> Any:
    """Returns the error of a 2xx reply that has an error in place of its result; else None.

    The lenient decoder builds an object of Nones from such a reply. A reply with a result keeps its `error` field:
    a failed response, run or batch is a reply like any other. So does a reply of a type that has a field of this name.
    `value` is the decoded reply. A reply without any of `_SIGNS`, or longer than `MAX_ERROR_BYTES`, has none.
    """
    if len(raw) > MAX_ERROR_BYTES or not any(sign in raw for sign in _SIGNS):
        return None
    if not isinstance(value, Node):
        return error_of(value) if is_mapping(value) and list(value) == ["error"] else None
    body: Any = decode_json(raw)
    if is_list(body) and len(body) == 1 and is_mapping(body[0]) and list(body[0]) == ["error"]:
        # A bare array is the list of a page's items, which have more than an error.
        body = body[0]
    error = error_of(body)
    if not is_mapping(body):
        return None
    kind: Any = type(value)
    results = _result_fields(kind)
    if error is None:
        error, results = _refusal_in(body, kind.__struct_encode_fields__), _required_fields(kind)
    return None if any(body.get(name) is not None for name in results) else error


result_getters: BoundedCache[Any, Callable[[Any], Any]] = BoundedCache()
"""The results of `result_getter` by type. A look here takes a quarter of the time of a cached call."""


def result_getter(kind: Any) -> Callable[[Any], Any]:
    """Returns the getter of a required field of a reply type. A reply with a value there carries no error.

    For a type without such a field, the getter always returns None. A reply is asked in half of the time that the
    search of a short body takes.
    """
    fields = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    required = (name for name, wire in fields if name in kind.__required__ and wire not in _ABOUT_THE_CALL)
    name = next(required, None)
    result_getters[kind] = found = _nothing if name is None else attrgetter(name)
    return found


def _nothing(_: Any) -> None:
    """Returns None."""


@lru_cache(maxsize=1024)
def _result_fields(kind: Any) -> tuple[str, ...]:
    """Returns the JSON names of the fields that hold a result beside an `error`: the required ones.

    In a type with an `error` field each field counts: a failed response may have nothing but its status.
    """
    return _every_field(kind) if "error" in kind.__struct_encode_fields__ else _required_fields(kind)


@lru_cache(maxsize=1024)
def _required_fields(kind: Any) -> tuple[str, ...]:
    """Returns the JSON names of the required fields that hold a result, or of all fields if none is required."""
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    required = {wire for name, wire in names if name in kind.__required__}
    every = _every_field(kind)
    return tuple(name for name in every if name in required) or every


def _every_field(kind: Any) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_encode_fields__ if name not in _ABOUT_THE_CALL)


def _is_event_stream(response: HTTPResponse) -> bool:
    kind = response.headers.get("content-type", "").lower()
    return kind.startswith("text/event-stream") or response.content.startswith((b"data:", b"event:"))


def _error_in(response: HTTPResponse) -> Any:
    """Returns the error that a body carries, as JSON or in one of its events; else None."""
    content = response.content
    if len(content) > MAX_ERROR_BYTES:
        return None
    # Under any content type: some servers label a JSON error as an event stream.
    plain = json_of(content)
    if plain is not None or not _is_event_stream(response):
        return _any_error_of(plain)
    from aiopenai._data.sse import SSEError, SSEParser

    parser = SSEParser()
    try:
        events = parser.feed_data(content)
    except SSEError:
        return None
    names = parser.event_names or [b""] * len(events)
    for name, event in zip(names, events, strict=False):
        body = json_of(event)
        error = _any_error_of(body)
        if error is not None or name == b"error":
            return error if error is not None else body or event.decode("utf-8", "replace")
    return None


def _any_error_of(body: Any) -> Any:
    """Returns the error of a whole reply or an event, in any of the known forms; None without any."""
    error = event_error_of(body)
    if error is None and is_mapping(body) and body.get("choices") is None:
        return refusal_in_event(body)
    return error


def json_of(content: bytes) -> Any:
    """Returns decoded JSON; None for other content."""
    try:
        return decode_json(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
