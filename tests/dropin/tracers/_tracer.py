"""The description of a tracer, which each module of this folder has as TRACER."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _same(client: Any) -> Any:
    return client


@dataclass(frozen=True)
class Tracer:
    # Returns the records since the last call.
    collect: Callable[[], Any]
    # Returns a client that is traced.
    wrap: Callable[[Any], Any] = _same
    # False for a tracer that cannot take the arguments that the reference's stream helpers pass.
    traces_helpers: bool = True
    # False for a tracer that writes the span of an async stream that was left only when the loop ends.
    traces_left_async_streams: bool = True
