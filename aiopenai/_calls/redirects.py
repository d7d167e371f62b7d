"""Redirects: followed by hand, because credentials must not reach another origin and a spent body not be sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiopenai._base.headers import OWN_HEADERS, drop
from aiopenai._base.secret import Secret
from aiopenai._base.urls import redirected, same_origin
from aiopenai._calls.preparation import PreparedCall
from aiopenai._calls.replies import sent_request
from aiopenai.errors import APIConnectionError

if TYPE_CHECKING:
    from aiopenai._http.interface import Reply, Session

__all__ = ["follow"]

MAX_REDIRECTS = 20
_STATUSES = frozenset({301, 302, 303, 307, 308})


def _is_redirect(reply: Reply) -> bool:
    """Returns whether a reply names another URL for its request."""
    return reply.status in _STATUSES and bool(reply.headers.get("location"))


async def follow(
    session: Session,
    call: PreparedCall,
    reply: Reply,
    headers: Secret[Mapping[str, str]],
    block: Callable[[Secret[dict[str, Any]]], Mapping[str, str]],
) -> Reply:
    """Returns the reply at the end of a chain of redirects; the last one if there are more than `MAX_REDIRECTS`.

    Raises APIConnectionError for a location that is no http URL, and for a body that cannot be sent again.
    """
    method, url, body = call.request.endpoint.method, call.url, call.body
    for _ in range(MAX_REDIRECTS):
        if not _is_redirect(reply):
            return reply
        await reply.read()
        target = redirected(url, reply.headers["location"])
        if target is None:
            raise _unfollowed(reply, f"to {_shown_location(reply)!r}, which is no http or https URL")
        # RFC 9110, section 15.4: 303 asks for the result with GET; after 301 and 302 all clients turn POST into GET.
        if reply.status == 303 or (reply.status in (301, 302) and method == "POST"):
            method, body = "GET", None
        if body is not None and not call.rebuildable:
            raise _unfollowed(
                reply,
                f"(status {reply.status}), and the body cannot be sent again: it is a stream that the first request "
                "has read. Pass the content as bytes, or use the final URL as base_url",
            )
        headers = Secret(block(_redirected_headers(headers, body is None, same_origin(url, target))))
        url = target
        reply = await session.send(method, url, headers.value, body, call.timeout)
    return reply


def _redirected_headers(headers: Secret[Mapping[str, str]], bodiless: bool, same: bool) -> Secret[dict[str, Any]]:
    plain: dict[str, Any] = dict(headers.value.items())
    if bodiless:
        drop(plain, "content-type")
    if not same:
        for name in OWN_HEADERS:
            drop(plain, name)
    return Secret(plain)


def _shown_location(reply: Reply) -> str:
    return reply.headers["location"].rpartition("@")[2][:200]


def _unfollowed(reply: Reply, why: str) -> APIConnectionError:
    message = f"Connection error: the request was redirected {why}."
    return APIConnectionError(message=message, request=sent_request(reply), retryable=False)
