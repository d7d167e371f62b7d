"""Requests of runs that repeat their whole history: the checks of their arguments, and their idempotency keys."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Set
from typing import Any

from aiopenai._base.aliases import is_mapping
from aiopenai._base.headers import merged
from aiopenai._base.sentinels import is_left_out
from aiopenai.lib.running._records import plain

__all__ = ["OWN_FIELDS", "ReplayedRequest", "history_items", "left_in", "with_encrypted_reasoning", "without_refused"]

# The run keeps the history itself, and reads whole responses.
_REFUSED = ("stream", "background", "previous_response_id", "conversation")
OWN_FIELDS = frozenset({*_REFUSED, "include", "input", "tool_choice", "tools"})
_ENCRYPTED = "reasoning.encrypted_content"


def left_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments without those that are left out."""
    return {name: value for name, value in given.items() if not is_left_out(value)}


def without_refused(params: dict[str, Any], own: Set[str]) -> dict[str, Any]:
    """Returns the arguments of a run. Raises ValueError for those that a run sets itself, and `own` of `extra_body`."""
    for name in _REFUSED:
        if params.get(name):
            raise ValueError(f"`params` must not have {name!r}: a run keeps its history, and reads whole responses")
    extra: Any = params.get("extra_body")
    if is_mapping(extra) and (taken := sorted(own & extra.keys())):
        raise ValueError(f"`extra_body` must not have {', '.join(map(repr, taken))}: a run sets them itself")
    return {name: value for name, value in params.items() if name not in _REFUSED}


def with_encrypted_reasoning(include: Any) -> list[Any]:
    """Returns an `include` with encrypted reasoning, which a history needs if responses are not stored."""
    return list(dict.fromkeys([*(include or ()), _ENCRYPTED]))


def history_items(given: Any) -> list[Any]:
    """Returns an `input` as a list of plain items. Raises TypeError for one that has others."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if is_mapping(given) or not hasattr(given, "__iter__"):
        raise TypeError(f"`input` is a str or a list of items, not {type(given).__name__}")
    items = list(map(plain, given))
    for item in items:
        if not is_mapping(item):
            raise TypeError(f"The items of `input` are dicts or objects of replies, not {type(item).__name__}")
    return items


class ReplayedRequest:
    """The arguments of the requests of a run. An idempotency key serves one request, and the next gets another."""

    def __init__(self, client: Any, params: dict[str, Any]) -> None:
        self.params = params
        headers: Any = params.get("extra_headers") or {}
        known = (*getattr(client, "default_headers", {}), *headers)
        self._keyed = any(str(name).lower() == "idempotency-key" for name in known) or "idempotency_key" in params

    def of_step(self, step: int, history: list[Any]) -> dict[str, Any]:
        """Returns the arguments of the request of a step, from 1 on."""
        request = {**self.params, "input": list(history)}
        if step > 1 and self._keyed:
            request.pop("idempotency_key", None)
            key = {"Idempotency-Key": f"stainless-python-retry-{uuid.uuid4()}"}
            request["extra_headers"] = merged(dict(request.get("extra_headers") or ()), key)
        return request
