"""The asynchronous client."""

from __future__ import annotations

from typing import TypeVar

from typing_extensions import Self

from aiopenai._calls.request import Request
from aiopenai._client.base import BaseClient
from aiopenai._client.many import Many
from aiopenai._client.verbs import AsyncVerbs
from aiopenai.resources import AsyncResources

__all__ = ["AsyncClient", "AsyncOpenAI"]

T = TypeVar("T")


class AsyncOpenAI(BaseClient, AsyncVerbs, AsyncResources, Many):
    __doc__ = BaseClient.__doc__

    async def send(self, request: Request[T]) -> T:
        """Sends a request that `resource.method.request(...)` made, and returns the reply as the method does."""
        return await self.perform(request)

    async def close(self) -> None:
        """Closes the connections, also those that copies of this client use, and a client of httpx below it.

        A session of aiohttp that was given as `http_client` stays open.
        """
        await self._sessions.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


AsyncClient = AsyncOpenAI
