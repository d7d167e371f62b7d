"""What a client sends for a call: one request, in a form in which two clients can be compared."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from aiopenai.testing import Server
from aiopenai.testing.journal import ReceivedRequest

# Those that decide how a server understands a request, or what it counts.
HEADERS = (
    "authorization",
    "accept",
    "content-type",
    "openai-organization",
    "openai-project",
    "openai-beta",
    "x-stainless-retry-count",
    "x-stainless-read-timeout",
    "idempotency-key",
)

# Enough of an embedding for the reference, which refuses to return none.
_ANYTHING = '{"data": [{"id": "x", "embedding": [0.5]}]}'


class Sent(NamedTuple):
    verb: str
    path: bytes
    query: list[tuple[str, str]]
    headers: dict[str, list[str]]
    body: Any


def sent(request: ReceivedRequest, more_headers: tuple[str, ...] = ()) -> Sent:
    """The request, without what differs between two equal ones: order of the query, boundaries, percent-encoding."""
    content_type = request.headers.get("content-type", "")
    body: Any = request.body
    if content_type.startswith("multipart/form-data"):
        body = [(part.name, part.filename, part.content_type, part.data) for part in request.multipart()]
    elif request.body and content_type.startswith("application/json"):
        body = request.json()
    headers = {name: request.headers.getall(name, []) for name in HEADERS + more_headers}
    headers["content-type"] = [re.sub(r"; boundary=.*", "", value) for value in headers["content-type"]]
    if not request.body:
        # Departs: the reference declares a type for no content, which some servers refuse (Fastify: empty JSON body).
        headers["content-type"] = []
    # A number of seconds, however it is written: 600 and 600.0 are the same.
    name = "x-stainless-read-timeout"
    headers[name] = [str(float(value)) for value in headers[name]]
    # Split before decoding: an encoded slash is not a separator.
    path = b"/".join(unquote_to_bytes(part).replace(b"/", b"%2F") for part in request.raw_path.split("?")[0].split("/"))
    return Sent(request.method, path, sorted(request.query_list), headers, body)


def answer_anything(server: Server, *, stream: bool = False) -> None:
    """Have the server answer whatever it is asked with something that every reply type takes."""
    body, content_type = ("data: [DONE]\n\n", "text/event-stream") if stream else (_ANYTHING, "application/json")
    server.clear_faults()
    server.fault(status=200, body=body.encode(), content_type=content_type, times=None)


async def record(server: Server, call: Callable[[], Awaitable[Any]], more_headers: tuple[str, ...] = ()) -> Sent:
    """Make the call and say what arrived. It must be one request."""
    before = server.request_count
    reply = await call()
    if hasattr(reply, "__aiter__") and hasattr(reply, "close"):
        async for _ in reply:
            pass
    requests = server.journal[before - server.request_count :]
    assert len(requests) == 1
    return sent(requests[0], more_headers)
