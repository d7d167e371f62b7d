"""The handshake of a connection: its URL and headers, sent by the client's own rules for calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from aiopenai._base.foreign import also_foreign
from aiopenai._base.imports import import_in_thread
from aiopenai._base.querystring import encode_path_segment
from aiopenai._calls.attempts import Attempts
from aiopenai._calls.preparation import prepare
from aiopenai._calls.replies import response_of
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.unexpected import unexpected_reply
from aiopenai._calls.watching import Watch
from aiopenai._live.query import joined_query
from aiopenai.errors import APIStatusError

if TYPE_CHECKING:
    from aiopenai._http.websocket import WebSocket

__all__ = ["Route", "shake_hands"]

_SCHEMES = {"ws": "http", "wss": "https"}


class Route:
    """The way to a socket: its path, and the parameters of its `connect`.

    `over` names the parameters that win over `extra_query`.
    """

    def __init__(
        self,
        name: str,
        path: str,
        *,
        over: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.over = over
        self.endpoint = Endpoint(method="GET", path=path, name=f"{name}.connect", headers=headers or {})

    def request(self, given: Mapping[str, Any], headers: Mapping[str, Any]) -> Request[Any]:
        """Returns the handshake as a request. Raises ValueError for an impossible path argument."""
        path = self.path
        for name, value in given.items():
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", encode_path_segment(value, name))
        # Quicker twins of a handshake would open two sockets.
        return Request(endpoint=self.endpoint, path=path, headers=headers or None, options={"hedge": None})

    def query(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters that are not part of the path."""
        return {name: value for name, value in given.items() if f"{{{name}}}" not in self.path}


def _url(client: Any, request: Request[Any], route: Route, given: Mapping[str, Any], extra: Any) -> str:
    """Returns the URL with its query. The schemes are those of HTTP, with which a handshake begins."""
    configuration = client._configuration
    base: str | None = None
    of_url = configuration.base_url.query
    if configuration.websocket_base_url:
        parts = urlsplit(str(configuration.websocket_base_url))
        base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        of_url = parts.query
    own = route.query(given)
    over = {name: own[name] for name in route.over if name in own}
    url, parameters = client._provider.websocket_url(request.path, base, own)
    # Parameters of the service itself, which no `extra_query` replaces.
    over |= {name: parameters.pop(name) for name in parameters.keys() - own.keys()}
    query = joined_query(configuration.default_query, of_url, parameters, extra, over)
    scheme, _, rest = url.partition("://")
    url = f"{_SCHEMES.get(scheme, scheme)}://{rest}"
    return f"{url}?{query}" if query else url


async def shake_hands(
    client: Any, route: Route, given: Mapping[str, Any], query: Any, headers: Mapping[str, Any], options: Any
) -> WebSocket:
    """Returns an open websocket, after as many attempts as are due.

    Raises APIStatusError for a refusal, with its status, headers and body, and the other errors of calls. Hooks see
    the handshake as a call.
    """
    request = route.request(given, headers)
    url = _url(client, request, route, given, query)
    module = await import_in_thread("aiopenai._http.websocket")
    watch = None if client._hooks is None else Watch(client._hooks, request, client._provider.root)
    call = prepare(request, url, client._configuration, watch)
    attempts = Attempts(module.Handshakes(client._sessions, options), client._attempts.blocks, client._provider)
    try:
        reply, _, taken = await attempts.run(call, read=False)
        if reply.status != 101:
            raise unexpected_reply(response_of(reply, await reply.read(), taken), wanted="a websocket handshake")
        websocket: WebSocket = module.WebSocket(reply, options)
    except BaseException as error:
        if isinstance(error, APIStatusError):
            also_foreign(error, "InvalidStatus")
        if watch is not None:
            watch.failed(error)
        raise
    if watch is not None:
        watch.answered()
    return websocket
