"""Lists that come in pages: the page types, and the paginator of the async client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast, get_args, get_origin

from typing_extensions import Self, override

from aiopenai._calls.request import Request
from aiopenai._data.structs import Model

__all__ = [
    "AsyncConversationCursorPage",
    "AsyncCursorPage",
    "AsyncNextCursorPage",
    "AsyncPage",
    "AsyncPaginator",
    "AsyncTokenPage",
    "BaseAsyncPage",
    "BasePage",
    "BaseSyncPage",
    "PageInfo",
    "SyncConversationCursorPage",
    "SyncCursorPage",
    "SyncNextCursorPage",
    "SyncPage",
    "SyncTokenPage",
    "blocking",
]

T = TypeVar("T")
PageT = TypeVar("PageT", bound="BaseAsyncPage[Any]")


# The attributes of a page that tell of its request.
LINKS = ("_client", "_request", "_whole")


class PageInfo:
    """The query parameters that the next page's request adds to this one's."""

    def __init__(self, *, params: Mapping[str, object]) -> None:
        self.params = params

    @override
    def __repr__(self) -> str:
        return f"PageInfo(params={self.params})"


class BasePage(Model, Generic[T], dict=True):
    """The base of all pages."""

    data: list[T]

    def _get_page_items(self) -> list[T]:
        """Returns the items of this page."""
        return self.data or []

    def next_page_info(self) -> PageInfo | None:
        """Returns the parameters of the next page's request, or None if there is no next page."""
        return None

    def has_next_page(self) -> bool:
        """Returns whether there is another page, as far as this one tells."""
        info = self.next_page_info() if self.data and not getattr(self, "_whole", False) else None
        if info is None:
            return False
        # A server that ignores cursors returns the same page again, and a loop over its pages would never end.
        request: Request[Any] | None = getattr(self, "_request", None)
        asked: Mapping[str, object] = (request and request.query) or {}
        return any(asked.get(name) != value for name, value in info.params.items())

    @override
    def _repr_html_(self) -> str:
        from aiopenai._data.notebook import page_html

        return page_html(self, self.data or (), self.has_next_page())

    def next_page_request(self) -> tuple[Any, Request[Self]]:
        """Returns the client and the request for the next page. Raises RuntimeError if there is no next page."""
        info = self.next_page_info()
        if info is None:
            raise RuntimeError("There is no next page. Call has_next_page() before get_next_page().")
        client, request = _link(self)
        following: Request[Self] = Request(
            endpoint=request.endpoint,
            path=request.path,
            query={**(request.query or {}), **info.params},
            body=request.body,
            headers=request.headers,
            options=request.options,
        )
        return client, following


class _WholePage(BasePage[T], Generic[T]):
    object: str | None = None


class _CursorPage(BasePage[T], Generic[T]):
    """A page with a field that tells whether another one follows."""

    has_more: bool | None = None

    @override
    def has_next_page(self) -> bool:
        # Not `super()`, because the pages of drop-in mode have these methods too and are of other classes.
        return self.has_more is not False and BasePage[T].has_next_page(self)

    @override
    def next_page_info(self) -> PageInfo | None:
        return self._after("after", getattr(self.data[-1], "id", None) if self.data else None)

    def _after(self, name: str, value: Any) -> PageInfo | None:
        return PageInfo(params={name: value}) if value else None


class _LastPage(_CursorPage[T], Generic[T]):
    last_id: str | None = None

    @override
    def next_page_info(self) -> PageInfo | None:
        return self._after("after", self.last_id)


class _NextPage(_CursorPage[T], Generic[T]):
    next: str | None = None

    @override
    def next_page_info(self) -> PageInfo | None:
        return self._after("after", self.next)


class _TokenPage(_CursorPage[T], Generic[T]):
    next: str | None = None

    @override
    def next_page_info(self) -> PageInfo | None:
        return self._after("page", self.next)


class BaseAsyncPage(Generic[T]):
    """The methods of async pages: `async for item in page` continues through all later pages."""

    __slots__ = ()

    async def get_next_page(self) -> Self:
        """Fetches the next page. Raises RuntimeError without one (see `has_next_page`), and the errors of a call."""
        client, following = cast("BasePage[T]", self).next_page_request()
        return cast("Self", await AsyncPaginator[T, Any](client, following))

    async def iter_pages(self) -> AsyncIterator[Self]:
        """Yields this page and all later ones."""
        page = self
        while True:
            yield page
            if not cast("BasePage[T]", page).has_next_page():
                return
            page = await page.get_next_page()

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.iter_pages():
            for item in cast("BasePage[T]", page).data or ():
                yield item


class BaseSyncPage(Generic[T]):
    """The methods of blocking pages: `for item in page` continues through all later pages."""

    __slots__ = ()

    def get_next_page(self) -> Self:
        """Fetches the next page. Raises RuntimeError without one (see `has_next_page`), and the errors of a call."""
        client, following = cast("BasePage[T]", self).next_page_request()
        return cast("Self", client.send(following))

    def iter_pages(self) -> Iterator[Self]:
        """Yields this page and all later ones."""
        page = self
        while True:
            yield page
            if not cast("BasePage[T]", page).has_next_page():
                return
            page = page.get_next_page()

    def __iter__(self) -> Iterator[T]:
        for page in self.iter_pages():
            yield from cast("BasePage[T]", page).data or ()


class AsyncPage(BaseAsyncPage[T], _WholePage[T], Generic[T]):
    """A list without further pages."""


class AsyncCursorPage(BaseAsyncPage[T], _CursorPage[T], Generic[T]):
    """The next page begins after the id of the last item."""


class AsyncConversationCursorPage(BaseAsyncPage[T], _LastPage[T], Generic[T]):
    """The next page begins after `last_id`."""


class AsyncNextCursorPage(BaseAsyncPage[T], _NextPage[T], Generic[T]):
    """The next page begins after the cursor `next`."""


class AsyncTokenPage(BaseAsyncPage[T], _TokenPage[T], Generic[T]):
    """The next page is named by the token `next`."""


class SyncPage(BaseSyncPage[T], _WholePage[T], Generic[T]):
    """A list without further pages."""


class SyncCursorPage(BaseSyncPage[T], _CursorPage[T], Generic[T]):
    """The next page begins after the id of the last item."""


class SyncConversationCursorPage(BaseSyncPage[T], _LastPage[T], Generic[T]):
    """The next page begins after `last_id`."""


class SyncNextCursorPage(BaseSyncPage[T], _NextPage[T], Generic[T]):
    """The next page begins after the cursor `next`."""


class SyncTokenPage(BaseSyncPage[T], _TokenPage[T], Generic[T]):
    """The next page is named by the token `next`."""


class AsyncPaginator(Generic[T, PageT]):
    """The result of a list method. `await` returns the first page, `async for` yields the items of all pages."""

    def __init__(self, client: Any, request: Request[Any]) -> None:
        self._client = client
        self._request = request

    def __await__(self) -> Generator[Any, None, PageT]:
        return self._first().__await__()

    async def _first(self) -> PageT:
        return cast("PageT", await self._client.perform(self._request))

    async def __aiter__(self) -> AsyncIterator[T]:
        async for item in await self:
            yield item


@lru_cache(maxsize=1024)
def blocking(kind: Any) -> Any:
    """Returns the page type of the blocking client for one of the async client."""
    return _BLOCKING[get_origin(kind) or kind][get_args(kind) or Any]


_BLOCKING: dict[Any, Any] = {
    AsyncPage: SyncPage,
    AsyncCursorPage: SyncCursorPage,
    AsyncConversationCursorPage: SyncConversationCursorPage,
    AsyncNextCursorPage: SyncNextCursorPage,
    AsyncTokenPage: SyncTokenPage,
}


def _link(page: Any) -> tuple[Any, Request[Any]]:
    if (request := getattr(page, "_request", None)) is None:
        raise RuntimeError("This page was not fetched by a client, so it cannot fetch the next one.")
    return page._client, request


def link(page: Any, client: Any, request: Request[Any], *, whole: bool) -> None:
    """Stores in a page the client and the request that fetched it, and whether it is the whole list."""
    if isinstance(page, BasePage):
        vars(page).update(zip(LINKS, (client, request, whole), strict=True))
