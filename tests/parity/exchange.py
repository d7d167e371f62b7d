"""What a client sends for a call: one request, in a form in which two clients can be compared."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from aiopenai.testing import Server
from aiopenai.testing.engine.received import ReceivedRequest

# What a client says of itself and of the connection; all other headers are compared.
OF_THE_CLIENT = {
    "connection",
    "content-length",
    "host",
    "user-agent",
    "x-stainless-arch",
    "x-stainless-async",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
}

# Enough of an embedding for the reference, which refuses to return none, and of choices, which its `parse` wants.
_ANYTHING = '{"data": [{"id": "x", "embedding": [0.5]}], "choices": []}'


class Sent(NamedTuple):
    verb: str
    path: bytes
    query: list[tuple[str, str]]
    headers: dict[str, list[str]]
    body: Any


def sent(request: ReceivedRequest) -> Sent:
    """The request, without what differs between two equal ones: order of the query, boundaries, percent-encoding."""
    content_type = request.headers.get("content-type", "")
    body: Any = request.body
    if content_type.startswith("multipart/form-data"):
        body = [(part.name, part.filename, part.content_type, part.data) for part in request.multipart()]
        # The order of two fields says nothing, but that of two of the same name does.
        body.sort(key=lambda part: part[0])
    elif request.body and content_type.startswith("application/json"):
        body = request.json()
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        if name.lower() not in OF_THE_CLIENT:
            headers.setdefault(name.lower(), []).append(_comparable(name.lower(), value))
    if not request.body and headers.get("content-type") == ["application/json"]:
        # Departs: the reference declares a type for no content, which some servers refuse (Fastify: empty JSON body).
        del headers["content-type"]
    # Split before decoding: an encoded slash is not a separator.
    path = b"/".join(unquote_to_bytes(part).replace(b"/", b"%2F") for part in request.raw_path.split("?")[0].split("/"))
    return Sent(request.method, path, sorted(request.query_list), headers, body)


def _comparable(name: str, value: str) -> str:
    if name == "content-type":
        return re.sub(r"; boundary=.*", "", value)
    # A number of seconds, however it is written: 600 and 600.0 are the same.
    return str(float(value)) if name == "x-stainless-read-timeout" else value


def answer_anything(server: Server, *, stream: bool = False) -> None:
    """Have the server answer whatever it is asked with something that every reply type takes."""
    body, content_type = ("data: [DONE]\n\n", "text/event-stream") if stream else (_ANYTHING, "application/json")
    server.clear_faults()
    if not stream:
        # Methods that always stream ask for events, and take no other reply.
        server.fault(
            match=lambda request: request.headers.get("accept") == "text/event-stream",
            status=200,
            body=b"data: [DONE]\n\n",
            content_type="text/event-stream",
            times=None,
        )
    server.fault(status=200, body=body.encode(), content_type=content_type, times=None)


async def record(server: Server, call: Callable[[], Awaitable[Any]]) -> Sent:
    """Make the call and say what arrived. It must be one request."""
    before = server.request_count
    reply = await call()
    if hasattr(reply, "__aiter__") and hasattr(reply, "close"):
        async for _ in reply:
            pass
    requests = server.journal[before - server.request_count :]
    assert len(requests) == 1
    return sent(requests[0])
