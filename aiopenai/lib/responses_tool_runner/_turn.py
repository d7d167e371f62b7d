"""The turn that a program sees between a response and its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ResponsesRunnerTurn"]


@dataclass(frozen=True)
class ResponsesRunnerTurn:
    """A response of a run, before the calls are made that did not begin while it arrived.

    step: the number of the request, from 1 on.
    final: whether the run ends with this response.
    tools_executed: whether calls of the response were made while it arrived.
    attempted_call_ids, completed_call_ids: the calls of the run that began, and those that returned.
    """

    response: Any
    step: int
    final: bool
    tools_executed: bool
    attempted_call_ids: tuple[str, ...]
    completed_call_ids: tuple[str, ...]
    _supply: Callable[[list[Any]], None] = field(repr=False, compare=False)
    _append: Callable[[str], None] = field(repr=False, compare=False)

    def supply_outputs(self, outputs: list[Any]) -> None:
        """Answers calls in the place of their functions, which must allow it (`allow_output_override`).

        A second list replaces the first one. Raises ValueError for other calls, for outputs that are no
        `function_call_output`, and once the run has gone on.
        """
        self._supply(outputs)

    def append_user_text(self, text: str) -> None:
        """Adds a message of the user after the outputs of the calls. Raises ValueError for the final turn."""
        self._append(text)
