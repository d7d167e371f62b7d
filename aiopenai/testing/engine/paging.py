"""Cursor paging: the query parameters `after`, `before`, `limit` and `order` of the list endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiopenai.testing.engine.params import invalid_value, query_integer
from aiopenai.testing.engine.replies import ApiError, WholeReply

__all__ = ["page", "query_order"]


def query_order(query: Mapping[str, str], default: str) -> str:
    """Returns the order that a query asks for: `asc` or `desc`. Raises `ApiError` 400 for another one."""
    order = query.get("order", default)
    if order not in ("asc", "desc"):
        raise invalid_value("order", order, ("asc", "desc"))
    return order


def page(
    items: Sequence[dict[str, Any]],
    query: Mapping[str, str],
    *,
    order: str,
    limit: int = 20,
    max_limit: int = 100,
) -> WholeReply:
    """Returns one page of `items`, which are given oldest first: those behind the id `after`, or up to the id `before`.

    order: the default of the endpoint, `asc` or `desc`.
    Raises `ApiError` 400 for a bad cursor, limit or order.
    """
    limit = query_integer(query, "limit", limit, 1, max_limit)
    order = query_order(query, order)
    ordered = list(items) if order == "asc" else list(reversed(items))
    after = query.get("after")
    if after is not None:
        start = next((number for number, item in enumerate(ordered, 1) if item["id"] == after), None)
        if start is None:
            raise ApiError(400, f"Invalid 'after': no object with id '{after}'.", param="after", code="invalid_value")
        ordered = ordered[start:]
    before = query.get("before")
    if before is None:
        data = ordered[:limit]
    else:
        end = next((number for number, item in enumerate(ordered) if item["id"] == before), None)
        if end is None:
            raise ApiError(
                400, f"Invalid 'before': no object with id '{before}'.", param="before", code="invalid_value"
            )
        ordered = ordered[:end]
        # The page ends right before the cursor.
        data = ordered[-limit:]
    return WholeReply.json(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(ordered) > limit,
        }
    )
