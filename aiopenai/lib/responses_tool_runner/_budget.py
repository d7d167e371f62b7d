"""The budget of a run's input, and the compaction of a history that exceeds it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from typing_extensions import Required, TypedDict

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.responses_tool_runner._native import MAX_NUMBER, is_text, plain_json

__all__ = ["AsyncContextBudget", "Budget", "ContextBudget", "ContextBudgetDecision", "ContextBudgetSnapshot"]

_CALLS = ("function_call", "computer_call")
_LEAST = {"max_input_bytes": 1, "max_input_images": 0, "keep_recent_screenshots": 1}


class ContextBudgetSnapshot(TypedDict):
    """A history over its budget, as a copy. `eligible_call_ids` are the calls that `compact` may drop."""

    history: list[Any]
    eligible_call_ids: list[str]
    input_bytes: int
    input_images: int


class ContextBudgetDecision(TypedDict, total=False):
    """The calls that the next request leaves out with their outputs, and a summary of them for the model."""

    drop_call_ids: Required[list[str]]
    summary: str


class _Limits(TypedDict, total=False):
    max_input_bytes: Required[int]
    max_input_images: Required[int]
    keep_recent_screenshots: int


class ContextBudget(_Limits, total=False):
    """The limits of the input of each request: its size as JSON, and its images.

    Over a limit `compact` is asked for calls to leave out. Without it, or if the rest is still over, the run ends.
    The full history is kept, and measured again before the next request.
    """

    compact: Callable[[ContextBudgetSnapshot], ContextBudgetDecision]


class AsyncContextBudget(_Limits, total=False):
    """A `ContextBudget` whose `compact` may be asynchronous."""

    compact: Callable[[ContextBudgetSnapshot], ContextBudgetDecision | Awaitable[ContextBudgetDecision]]


class Budget:
    """A checked budget. Raises ValueError for one that does not fit."""

    def __init__(self, given: Any) -> None:
        if not is_mapping(given) or given.keys() - {*_LEAST, "compact"}:
            raise ValueError(f"`context_budget` is a dict with the keys {', '.join((*_LEAST, 'compact'))}")
        for name, least in _LEAST.items():
            number: Any = given.get(name, 1 if name == "keep_recent_screenshots" else None)
            if type(number) is not int or not least <= number <= MAX_NUMBER:
                raise ValueError(f"`{name}` of `context_budget` is an integer from {least} to 2**53 - 1")
        self.compact: Any = given.get("compact")
        if "compact" in given and not callable(self.compact):
            raise ValueError("`compact` of `context_budget` is a function")
        self._max_bytes: int = given["max_input_bytes"]
        self._max_images: int = given["max_input_images"]
        self._kept_screenshots: int = given.get("keep_recent_screenshots", 1)

    def snapshot(self, history: list[Any]) -> ContextBudgetSnapshot | None:
        """Returns the snapshot of a history for `compact`; None for one within the limits."""
        size, images = _measure(history)
        if self._fits(size, images):
            return None
        copy: Any = plain_json(history)
        eligible = self._eligible(history)
        return {"history": copy, "eligible_call_ids": eligible, "input_bytes": size, "input_images": images}

    def _eligible(self, history: list[Any]) -> list[str]:
        """Returns the calls that `compact` may drop: none with safety checks, and not the last ones of the computer."""
        items = [item for item in history if item.get("type") in (*_CALLS, "computer_call_output")]
        checked = ("pending_safety_checks", "acknowledged_safety_checks")
        kept = {item["call_id"] for item in items if any(map(item.get, checked))}
        screens = [item["call_id"] for item in items if item["type"] == "computer_call_output"]
        kept.update(screens[-self._kept_screenshots :])
        return [item["call_id"] for item in items if item["type"] in _CALLS and item["call_id"] not in kept]

    def compacted(self, history: list[Any], decision: Any, eligible: Iterable[str]) -> list[Any]:
        """Returns the input for a decision of `compact`. Raises ValueError for a decision that does not fit.

        Without `compact` the whole history exceeds the budget.
        """
        found = history if self.compact is None else _without(history, *_checked(decision, eligible))
        if not self._fits(*_measure(found)):
            raise ValueError("The input of the next request exceeds `context_budget`")
        return found

    def _fits(self, size: int, images: int) -> bool:
        return size <= self._max_bytes and images <= self._max_images


def _checked(decision: Any, eligible: Iterable[str]) -> tuple[list[str], str | None]:
    """Returns the calls to drop, and the summary."""
    drop: Any = decision.get("drop_call_ids") if is_mapping(decision) else None
    if not is_list(drop) or decision.keys() - {"drop_call_ids", "summary"} or not is_text(decision.get("summary", "")):
        raise ValueError("`compact` must return a dict with `drop_call_ids`, and `summary` if there is one")
    if not all(map(is_text, drop)) or len(set(drop)) != len(drop) or set(drop) - set(eligible):
        raise ValueError("`drop_call_ids` of `compact` must be different ones of the `eligible_call_ids`")
    return drop, decision.get("summary")


def _without(history: list[Any], drop: list[str], summary: str | None) -> list[Any]:
    """Returns a history without some calls. Messages tell the model of them."""
    kept: list[Any] = []
    receipts: list[Any] = []
    for item in history:
        if item.get("call_id") not in drop:
            kept.append(item)
        elif item["type"] in _CALLS:
            name = {"name": item["name"]} if item["type"] == "function_call" else {}
            receipts.append({"call_id": item["call_id"], "kind": item["type"], **name})
    texts: list[str] = []
    if summary is not None:
        texts.append(f"Caller summary of omitted completed tool results: {summary}")
    if receipts:
        # The model must not take a missing output for a call that was never made.
        texts.append(
            f"Omitted completed tool receipts: {_as_json(receipts)}. Output is present in the runner's full history; "
            "external success is unverified."
        )
    return [*({"role": "user", "content": text} for text in texts), *kept]


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _measure(history: list[Any]) -> tuple[int, int]:
    """Returns the size of a history as JSON in bytes, and the number of its images."""
    images = 0
    for item in history:
        images += item.get("type") == "computer_call_output"
        parts: Any = item.get("output" if item.get("type") == "function_call_output" else "content")
        if is_list(parts):
            images += sum(is_mapping(part) and part.get("type") == "input_image" for part in parts)
    return len(_as_json(history).encode()), images
