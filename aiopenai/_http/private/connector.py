"""aiohttp's connector, with public names for the parts that the transports use."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine
from typing import Any, cast

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from typing_extensions import override
from yarl import URL

__all__ = [
    "DEFAULT_HEADERS",
    "ConnectorParts",
    "UnfitError",
    "connection_key_of",
    "forget_connections",
    "origin_request",
    "replace_connection_key",
    "speak",
    "stale_connections",
]

DEFAULT_HEADERS = tuple(ClientRequest.DEFAULT_HEADERS.items())


class UnfitError(Exception):
    """The installed aiohttp differs from the one that the direct transport is written for."""


def speak(connector: Any, protocol: Callable[[], Any]) -> None:
    """Has a connector make its new connections with a protocol. Raises UnfitError where that is not possible."""
    if not isinstance(getattr(connector, "_factory", None), functools.partial):
        raise UnfitError("the connector has no factory of protocols")
    connector._factory = cast("Any", protocol)


class ConnectorParts(aiohttp.TCPConnector):
    """aiohttp's connector, with public names for the parts that the transports use."""

    @property
    def queue(self) -> Any:
        """The requests that wait for a connection: one object for the life of the connector."""
        return self._waiters

    @property
    def taken(self) -> Any:
        """The protocols of connections in use."""
        return self._acquired

    def is_full(self, key: Any) -> bool:
        """Returns whether a request of this key would have to wait."""
        return self._available_connections(key) <= 0

    async def take(self, request: Any, limits: aiohttp.ClientTimeout) -> Any:
        """Returns the protocol of a connection, which the caller has to `give_back`."""
        connection: Any = await self.connect(request, [], limits)
        protocol: Any = connection.protocol
        # A `Connection` closes its protocol when it is collected.
        connection._protocol = None
        return protocol

    def give_back(self, key: Any, protocol: Any, *, close: bool = False) -> None:
        """Returns a connection to the connector, for the next request in its queue or to be closed."""
        self._release(key, protocol, should_close=close)

    async def opening(self, connect: Callable[[], Coroutine[Any, Any, Any]], limits: Any) -> Any:
        """Opens a connection; a hook."""
        return await connect()

    async def queueing(self, turn: Coroutine[Any, Any, None]) -> None:
        """Awaits a turn in the queue; a hook."""
        await turn

    @override
    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> Any:
        create = super()._create_connection
        return await self.opening(lambda: create(req, traces, timeout), timeout)

    @override
    async def _wait_for_available_connection(self, key: Any, traces: Any) -> None:
        await self.queueing(super()._wait_for_available_connection(key, traces))


def origin_request(url: URL, loop: asyncio.AbstractEventLoop) -> tuple[Any, Any]:
    """Returns the request that stands for all of an origin towards the connector, and its key there."""
    request = ClientRequest("GET", url, loop=loop)
    return request, request.connection_key


def forget_connections(connector: Any) -> None:
    """Closes the sockets of a connector without its loop, and only them.

    A forked process shares the loop's selector with its parent: a socket removed from it here would be missing there.
    """
    with contextlib.suppress(Exception):  # housekeeping, whatever aiohttp has become
        connector._closed = True
        for protocols in list(connector._conns.values()):
            for protocol, _ in protocols:
                _forget(protocol.transport)
        for protocol in list(connector._acquired):
            _forget(protocol.transport)


def _forget(transport: Any) -> None:
    transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
    sock = getattr(transport, "_sock", None)
    if sock is not None:
        transport._sock = None
        sock.close()


def stale_connections(connector: Any, url: URL, loop: asyncio.AbstractEventLoop) -> None:
    """Closes idle connections of a borrowed connector on which bytes arrived: they belong to no reply.

    Its protocols keep such bytes for the next request. A read timer that runs on an idle connection is their other
    trace: the parser may hold the beginning of a message.
    """
    with contextlib.suppress(AttributeError):
        idle = connector._conns
        if not any(key.host == url.raw_host for key in idle):
            return
        for protocol, _ in idle.get(origin_request(url, loop)[1], ()):
            if protocol.should_close or getattr(protocol, "_read_timeout_handle", None) is not None:
                protocol.close()


def connection_key_of(error: BaseException) -> Any:
    """Returns the key of the connection that could not be opened, in which aiohttp keeps the proxy's password."""
    return getattr(error, "_conn_key", None) if isinstance(error, aiohttp.ClientConnectorError) else None


def replace_connection_key(error: Any, key: Any) -> None:
    """Replaces the key of the connection in an exception."""
    error._conn_key = key
    error.args = (key, *error.args[1:])
