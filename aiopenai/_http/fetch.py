"""One blocking request outside of a client: metadata endpoints and token exchanges."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from aiopenai._base.timeouts import Timeout
from aiopenai._http.messages import Headers, HTTPResponse

__all__ = ["fetch"]

# The replies of these endpoints are small; a larger one is an error.
_MAX_BYTES = 2**20


def fetch(
    method: str, url: str, *, headers: Mapping[str, str], content: bytes | None = None, timeout: float, **wiring: Any
) -> HTTPResponse:
    """Returns the reply to one request, on an event loop of its own. Redirects are not followed.

    `timeout` is in seconds, for the whole request; `wiring` are the options of `Settings`, such as `proxy` and `ssl`.
    Raises APIConnectionError and APITimeoutError.
    """
    request = _request(method, url, headers, content, timeout, wiring)
    if asyncio._get_running_loop() is None:
        return asyncio.run(request)
    # A thread with a running loop cannot run another one.
    done: list[HTTPResponse | BaseException] = []

    def run() -> None:
        try:
            done.append(asyncio.run(request))
        except BaseException as error:
            done.append(error)

    thread = threading.Thread(target=run, name="aiopenai-fetch", daemon=True)
    thread.start()
    thread.join()
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


async def _request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes | None,
    timeout: float,
    wiring: Mapping[str, Any],
) -> HTTPResponse:
    from aiopenai._http.general import GeneralSession
    from aiopenai._http.interface import Settings
    from aiopenai._http.outgoing import header_block

    session = GeneralSession(Settings(max_response_bytes=_MAX_BYTES, **wiring))
    try:
        limits = Timeout(timeout, total=timeout)
        reply = await session.send(method, url, header_block(headers), content, limits)
        body = await reply.read()
        return HTTPResponse(
            reply.status,
            Headers(reply.items()),
            body,
            reply.request,
            reason=reply.reason,
            elapsed=reply.elapsed,
        )
    finally:
        await session.shut()
