"""The asynchronous client."""

from __future__ import annotations

from typing import TypeVar

from typing_extensions import Self, override

from aiopenai._calls.methods import Async, AsyncRaw, AsyncStreaming
from aiopenai._calls.request import Request
from aiopenai._client.base import BaseClient
from aiopenai._client.many import Many
from aiopenai.resources import Resources

__all__ = ["AsyncClient", "AsyncOpenAI"]

T = TypeVar("T")


class AsyncOpenAI(BaseClient[Async], Many):
    __doc__ = BaseClient.__doc__

    mode = Async

    @property
    @override
    def resources(self) -> Resources[Async]:
        return self

    @property
    def with_raw_response(self) -> Resources[AsyncRaw]:
        """The same resources, whose methods return the reply with its headers, a `LegacyAPIResponse`."""
        return Resources[AsyncRaw](self, AsyncRaw)

    @property
    def with_streaming_response(self) -> Resources[AsyncStreaming]:
        """The same resources, whose methods return an `AsyncAPIResponse`, its body unread, as a context manager."""
        return Resources[AsyncStreaming](self, AsyncStreaming)

    async def send(self, request: Request[T]) -> T:
        """Sends a request that `resource.method.request(...)` made, and returns the reply as the method does."""
        return await self.perform(request)

    async def close(self) -> None:
        """Closes the connections, also those that copies of this client use. A session given as http_client stays."""
        await self._sessions.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


AsyncClient = AsyncOpenAI
