"""Replies as values: the body as its type, the head and body as an `HTTPResponse`, a status as its error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec.structs import force_setattr

from aiopenai._base.aliases import is_list
from aiopenai._base.imports import import_in_thread
from aiopenai._calls.request import Request, shown_path
from aiopenai._calls.unexpected import carried_error, result_getter, result_getters, unexpected_reply
from aiopenai._data.codec import Decoder, Node, decode_json
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse, as_utf8, charset_of
from aiopenai.errors import APIError, APIResponseValidationError, error_from_response

if TYPE_CHECKING:
    from aiopenai._http.interface import Reply

__all__ = ["log_reply", "parse", "response_of", "sent_request", "status_error"]

log = logging.getLogger("aiopenai")

_BRACE = ord("{")
_NONE = type(None)


def parse(client: Any, request: Request[Any], reply: Reply, raw: bytes, kind: Any, strict: bool) -> Any:
    """Returns the reply's body as its type.

    Raises APIResponseValidationError for a body that does not fit, and APIError for an error in place of a result.
    """
    if kind is None or kind is _NONE:
        return None
    endpoint = request.endpoint
    # A program may ask for the body of a list as another type.
    is_page = endpoint.page is not None and kind is endpoint.reply
    if not raw and reply.status in (204, 205):
        if is_page:
            # The program iterates over the result.
            raise unexpected_reply(response_of(reply, raw))
        return None
    headers = reply.headers
    is_node = isinstance(kind, type) and issubclass(kind, Node)
    try:
        if is_node or not _is_other(kind):
            if "charset" in headers.get("content-type", ""):
                raw = as_utf8(headers, raw)
            decoder = Decoder.of(kind)
            value: Any = decoder.validate(raw) if strict else decoder.decode(raw)
        else:
            value = _parse_other(reply, raw, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise unexpected_reply(response_of(reply, raw), cause=error) from error
    if isinstance(value, Node):
        # Not `value.__class__`: the objects look attributes up in Python.
        node: Any = value
        cls: Any = type(value)
        # The items of a bare array became a field of the value.
        is_object = raw[0] == _BRACE
        if not is_object or (result_getters.get(cls) or result_getter(cls))(node) is None:
            _raise_carried(reply, raw, value)
        # Half of the time of the slot's own setter.
        force_setattr(node, "_request_id", headers.get("x-request-id"))
        if endpoint.page is not None:
            from aiopenai._calls.paging import link

            # A bare array, which some servers send for a list, is all there is.
            link(value, client, request, whole=not is_object and is_list(decode_json(raw)))
    elif is_node or is_page:
        raise unexpected_reply(response_of(reply, raw))
    else:
        _raise_carried(reply, raw, value)
    if request.finish is not None and kind is endpoint.reply:
        return request.finish(value)
    return value


def _raise_carried(reply: Reply, raw: bytes, value: Any) -> None:
    """Raises the error of a reply that has one in place of its result."""
    if (carried := carried_error(raw, value)) is not None:
        raise unexpected_reply(response_of(reply, raw), body=carried)


def _is_other(kind: Any) -> bool:
    """Returns whether the type is the body itself, or a pydantic model of the program."""
    if not isinstance(kind, type):
        return False
    from aiopenai._calls.binary import HttpxBinaryResponseContent

    own = (str, bytes, HttpxBinaryResponseContent, HTTPResponse)
    if kind in own or hasattr(cast("Any", kind), "model_validate"):
        return True
    from aiopenai._http.httpx_responses import is_httpx_response

    return is_httpx_response(kind)


def _parse_other(reply: Reply, raw: bytes, kind: Any) -> Any:
    from aiopenai._calls.binary import HttpxBinaryResponseContent

    if kind is str:
        return raw.decode(charset_of(reply.headers), "replace")
    if kind is bytes:
        return raw
    if kind is HttpxBinaryResponseContent:
        return HttpxBinaryResponseContent(response_of(reply, raw))
    if kind is HTTPResponse:
        return response_of(reply, raw)
    if not hasattr(kind, "model_validate"):
        from aiopenai._http.httpx_responses import httpx_response

        return httpx_response(kind, response_of(reply, raw))
    return kind.model_validate(decode_json(as_utf8(reply.headers, raw)))


def sent_request(reply: Reply) -> HTTPRequest:
    """Returns the request of a reply as a value, without credentials."""
    return reply.request


def response_of(reply: Reply, content: bytes, taken: int = 0) -> HTTPResponse:
    """Returns a reply as a value that pickles, after `taken` retries."""
    return HTTPResponse(
        reply.status,
        Headers(reply.items()),
        content,
        sent_request(reply),
        reason=reply.reason,
        elapsed=reply.elapsed,
        retries_taken=taken,
    )


def log_reply(request: Request[Any], reply: Reply) -> None:
    """Logs one line about a reply at the level INFO, without headers and bodies."""
    log.info(
        "%s %s -> %s in %.3f s, request id %s",
        request.endpoint.method,
        shown_path(request.path),
        reply.status,
        reply.elapsed,
        reply.headers.get("x-request-id"),
    )


async def status_error(request: Request[Any], reply: Reply, taken: int) -> APIError:
    """Reads the body of a reply with a status outside 2xx, and returns its error.

    A 3xx reply gets here if it names no location, or is the last of too many.
    """
    response = response_of(reply, await reply.read(), taken)
    if reply.status < 400:
        message = f"The reply is a redirect that cannot be followed (status {reply.status})."
        return APIResponseValidationError(response, None, message=message)
    log_reply(request, reply)
    retry = await import_in_thread("aiopenai.retry")
    return error_from_response(response, retry_after=retry.retry_after(response.headers))
