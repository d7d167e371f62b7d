"""Replies with a 2xx status that are not the reply that was asked for."""

from __future__ import annotations

from typing import Any

from aiopenai._base.aliases import is_mapping
from aiopenai._base.urls import shown
from aiopenai._http.messages import HTTPResponse
from aiopenai.errors import APIError, APIResponseValidationError, error_from_body

__all__ = ["no_stream"]


def no_stream(response: HTTPResponse) -> APIError:
    """Returns the error for a reply that came in place of an event stream: the server's own, if it sent one."""
    body: Any
    try:
        body = response.json()
    except ValueError:
        body = None
    if is_mapping(body) and (error := body.get("error")):
        return error_from_body(error, response.request)
    text = response.text
    kind = response.headers.get("content-type", "no content type")
    return APIResponseValidationError(
        response,
        body if body is not None else text[:65536],
        message=(
            f"The reply of {shown(response.url)} is not an event stream; content type {kind}; it begins: {text[:200]!r}"
        ),
    )
