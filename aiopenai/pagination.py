"""Pages of lists, by the reference's names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiopenai._calls.paging import (
    AsyncConversationCursorPage,
    AsyncCursorPage,
    AsyncNextCursorPage,
    AsyncPage,
    AsyncTokenPage,
    BaseAsyncPage,
    BasePage,
    BaseSyncPage,
    PageInfo,
    SyncConversationCursorPage,
    SyncCursorPage,
    SyncNextCursorPage,
    SyncPage,
    SyncTokenPage,
)
from aiopenai._data.leaves import importing

__all__ = [
    "AsyncConversationCursorPage",
    "AsyncCursorPage",
    "AsyncNextCursorPage",
    "AsyncPage",
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
]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.
    __getattr__ = importing(__name__)
