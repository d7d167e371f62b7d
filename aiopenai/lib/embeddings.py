"""Requests for embeddings. They ask for base64, which is a quarter of the size, unless the caller names a format."""

from __future__ import annotations

from typing import Any

from aiopenai._base.aliases import is_list
from aiopenai._base.sentinels import is_left_out, omit
from aiopenai._calls.request import Request
from aiopenai._data.structs import let_go
from aiopenai._data.vectors import Vector, encoded

__all__ = ["prepare"]


def prepare(request: Request[Any]) -> None:
    """Prepares `POST /embeddings`. The caller gets the format that `encoding_format` names, and floats without one."""
    body: dict[str, Any] = request.body
    asked = body.get("encoding_format", omit)
    if is_left_out(asked):
        body["encoding_format"] = "base64"
    request.finish = _as_text if asked == "base64" else _finished


def _finished(reply: Any) -> Any:
    for node in (reply, *_vectors(reply)):
        # The received fields of servers that send more than the API are not kept a second time.
        let_go(node)
    return reply


def _as_text(reply: Any) -> Any:
    for node in _vectors(reply):
        encoded(node)
    return _finished(reply)


def _vectors(reply: Any) -> list[Vector]:
    items: Any = reply.data
    return [item for item in items if isinstance(item, Vector)] if is_list(items) else []
