"""The state of a run of decisions, and the checks of all that callbacks and the API return."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from math import isfinite
from typing import Any, NamedTuple, cast

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.decisions_tool_runner._values import (
    DecisionsRunResult,
    DecisionsToolRunnerError,
    Reason,
    RunStatus,
)
from aiopenai.lib.running._replay import ReplayedRequest

__all__ = ["Candidate", "DecisionsRun"]


class Candidate(NamedTuple):
    id: str
    description: str
    execute: Callable[..., Any] | None
    """The function of an action; None if the task is done."""


_PARAMS = frozenset({"model", "input", "safety_identifier"})
_MOST_CANDIDATES = 255
_DETAILS = (None, "low", "high", "auto", "original")
_INSTRUCTIONS = "Select the supplied action that best advances the task, or done if the task is complete."
_COUNTS = (
    *("input_tokens", "output_tokens", "total_tokens"),
    *("input_tokens_details.cache_write_tokens", "input_tokens_details.cached_tokens"),
    "output_tokens_details.reasoning_tokens",
)


def _never() -> bool:
    return False


class DecisionsRun:
    """The state of one run, and the checks of all that callbacks and the API return."""

    def __init__(self, params: Any, max_steps: Any, cancelled: Callable[[], bool] | None) -> None:
        self.attempted: list[str] = []
        self.completed: list[str] = []
        self.decisions: list[Any] = []
        self.own_error: DecisionsToolRunnerError | None = None
        """The error that the run itself has raised; callbacks may raise others of its class."""
        self.cancelled = cancelled or _never
        if type(max_steps) is not int or max_steps < 1 or not _are_params(params):
            raise self.error("invalid_params")
        self.max_steps = max_steps
        self.params = dict(params)

    def error(self, reason: Reason) -> DecisionsToolRunnerError:
        """Returns an error with the actions so far."""
        self.own_error = DecisionsToolRunnerError(reason, self.attempted, self.completed)
        return self.own_error

    def check(self) -> None:
        """Raises DecisionsToolRunnerError if the run was cancelled."""
        if self.cancelled():
            raise self.error("cancelled")

    def observed(self, observation: Any) -> Any:
        """Returns a copy of an observation."""
        if not isinstance(observation, str):
            # An iterator is read once, before callbacks see it.
            observation = deepcopy(list(observation))
            if not all(map(_is_part, observation)):
                raise self.error("failed")
        self.check()
        return observation

    def offered(self, given: Any) -> list[Candidate]:
        """Returns the candidates of a step."""
        if not is_list(given) or not 1 <= len(given) <= _MOST_CANDIDATES:
            raise self.error("invalid_candidates")
        found = [_candidate(each) for each in given]
        known = [each for each in found if each is not None]
        done = sum(each.execute is None for each in known)
        if len(known) < len(found) or done != 1 or len({each.id for each in known}) < len(known):
            raise self.error("invalid_candidates")
        self.check()
        return known

    def request(self, client: Any, step: int, observation: Any, candidates: list[Candidate]) -> dict[str, Any]:
        """Returns the arguments of `decisions.create` for a step, from 1 on."""
        choices = [{"value": each.id, "description": each.description} for each in candidates]
        question = {"type": "choice", "name": "next_action", "instructions": _INSTRUCTIONS, "choices": choices}
        params = {name: value for name, value in self.params.items() if name != "input"}
        messages = [{"role": "user", "content": content} for content in (self.params["input"], observation)]
        return ReplayedRequest(client, {**params, "questions": [question]}).of_step(step, messages)

    def chosen(self, decision: Any, candidates: list[Candidate]) -> Candidate | None:
        """Notes a decision. Returns the candidate that it chooses, or None for a refusal."""
        self.check()
        answers: Any = decision.answers if "answers" in decision.model_fields_set else None
        if not is_list(answers) or len(answers) != 1 or not _is_answer(answers[0]) or not _has_counts(decision):
            raise self.error("invalid_answer")
        self.decisions.append(decision.model_copy(deep=True))
        answer: Any = answers[0]
        if answer.type == "refusal":
            return None
        found = next((each for each in candidates if each.id == getattr(answer, "choice", None)), None)
        if found is None or not _is_choice(answer):
            raise self.error("invalid_answer")
        return found

    def verified(self, verification: Any, *, is_last: bool, only_done: bool) -> bool:
        """Returns whether the task is done. Raises DecisionsToolRunnerError if the run cannot go on without that."""
        self.check()
        if verification is True:
            return True
        if verification is not False:
            raise self.error("invalid_verification")
        if only_done:
            raise self.error("verification_failed")
        if is_last:
            raise self.error("step_limit")
        return False

    def result(self, status: RunStatus) -> DecisionsRunResult:
        """Returns the end of the run."""
        self.check()
        return {
            "status": status,
            "decisions": list(self.decisions),
            "attempted_candidate_ids": list(self.attempted),
            "completed_candidate_ids": list(self.completed),
        }


def _are_params(params: Any) -> bool:
    if not is_mapping(params) or params.keys() - _PARAMS:
        return False
    identifier: Any = params.get("safety_identifier")
    texts = (params.get("model"), params.get("input"), "" if identifier is None else identifier)
    return all(isinstance(text, str) for text in texts)


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    fields = cast("dict[str, Any]", part)
    if fields.get("type") == "input_text":
        return isinstance(fields.get("text"), str)
    is_image = fields.get("type") == "input_image" and isinstance(fields.get("image_url"), str)
    return is_image and fields.get("detail") in _DETAILS


def _candidate(given: Any) -> Candidate | None:
    """Returns a candidate, or None for an invalid one."""
    if not isinstance(given, dict):
        return None
    fields = cast("dict[str, Any]", given)
    done, execute = fields.get("done", False), fields.get("execute")
    texts = (fields.get("id"), fields.get("description"))
    if not all(isinstance(text, str) and text.strip() for text in texts) or type(done) is not bool:
        return None
    if fields.keys() - {"id", "description", "done", "execute"} or (done and "execute" in fields):
        return None
    return Candidate(fields["id"], fields["description"], execute) if done or callable(execute) else None


def _is_answer(answer: Any) -> bool:
    given = getattr(answer, "model_fields_set", ())
    return {"name", "type"} <= set(given) and answer.name == "next_action"


def _is_choice(answer: Any) -> bool:
    """Returns whether an answer is a whole choice, with its probabilities."""
    if answer.type != "choice" or not _is_number(getattr(answer, "confidence", None)):
        return False
    chances: Any = getattr(answer, "probabilities", None)
    return is_list(chances) and all(
        isinstance(getattr(each, "value", None), (str, bool)) and _is_number(getattr(each, "probability", None))
        for each in chances
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _has_counts(decision: Any) -> bool:
    """Returns whether a decision has its model and its counts of tokens."""
    for path in _COUNTS:
        value: Any = getattr(decision, "usage", None)
        for name in path.split("."):
            value = getattr(value, name, None)
        if type(value) is not int:
            return False
    return isinstance(getattr(decision, "model", None), str)
