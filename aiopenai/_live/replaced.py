"""Iterations by a `recv` that a tracer or a subclass has put in the place of the connection's own."""

# The iterations are parts of connections, of which they use private attributes.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from aiopenai.errors import WebSocketConnectionClosedError

if TYPE_CHECKING:
    from aiopenai._live.connections import AsyncConnection, SyncConnection

__all__ = ["async_events", "events", "is_replaced"]


def is_replaced(connection: object, own: object) -> bool:
    """Returns whether a connection receives by another function than `own`."""
    return getattr(type(connection), "recv", own) is not own or "recv" in vars(connection)


async def async_events(connection: AsyncConnection) -> AsyncIterator[Any]:
    """Yields the events that `recv` returns, over reconnects, until the end of the connection."""
    while True:
        try:
            event = await connection.recv()
        except WebSocketConnectionClosedError as error:
            lost = error
        else:
            yield event
            continue
        try:
            await connection._link.recover(lost)
        except StopAsyncIteration:
            return


def events(connection: SyncConnection) -> Iterator[Any]:
    """Yields the events that `recv` returns, over reconnects, until the end of the connection."""
    while True:
        try:
            event = connection.recv()
        except WebSocketConnectionClosedError as error:
            lost = error
        else:
            yield event
            continue
        if not connection._recovered(lost):
            return
