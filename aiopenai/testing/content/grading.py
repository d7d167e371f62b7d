"""Graders of evals and of fine-tuning: a score for an item and the sample that a model made of it.

String checks compare, text similarities count common words. A grader that asks a model takes the number or the label
from the server's `answer`, and passes where the answer is neither. Code of Python graders is not run: it scores 1.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from aiopenai.testing.engine.params import (
    ARRAY,
    NUMBER,
    OBJECT,
    STRING,
    Param,
    check,
    invalid_value,
    missing,
    wrong_type,
)
from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import Object, encode, is_array, is_object, strings, text_of
from aiopenai.testing.memory.state import State

__all__ = ["Grade", "check_grader", "grade", "messages_of"]

_METRICS = ("cosine", "fuzzy_match", "bleu", "gleu", "meteor", *(f"rouge_{each}" for each in (1, 2, 3, 4, 5, "l")))
_PARAMS: dict[str, tuple[dict[str, Param], tuple[str, ...]]] = {
    "string_check": (
        {
            "input": STRING,
            "name": STRING,
            "operation": STRING.one_of("eq", "ne", "like", "ilike"),
            "reference": STRING,
        },
        ("input", "name", "operation", "reference"),
    ),
    "text_similarity": (
        {
            "evaluation_metric": STRING.one_of(*_METRICS),
            "input": STRING,
            "name": STRING,
            "pass_threshold": NUMBER,
            "reference": STRING,
        },
        ("evaluation_metric", "input", "name", "reference"),
    ),
    "python": ({"name": STRING, "source": STRING, "pass_threshold": NUMBER, "image_tag": STRING}, ("name", "source")),
    "score_model": (
        {"input": ARRAY, "model": STRING, "name": STRING, "pass_threshold": NUMBER, "range": ARRAY},
        ("input", "model", "name"),
    ),
    "label_model": (
        {"input": ARRAY, "labels": ARRAY, "model": STRING, "name": STRING, "passing_labels": ARRAY},
        ("input", "labels", "model", "name", "passing_labels"),
    ),
    "multi": (
        {"calculate_output": STRING, "graders": OBJECT, "name": STRING},
        ("calculate_output", "graders", "name"),
    ),
}
_TEMPLATE = re.compile(r"\{\{\s*([\w.\[\]-]+)\s*\}\}")
_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: float.__add__,
    ast.Sub: float.__sub__,
    ast.Mult: float.__mul__,
    ast.Div: float.__truediv__,
    ast.Pow: math.pow,
    ast.USub: float.__neg__,
    ast.UAdd: float.__pos__,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "max": max,
    "min": min,
    "sqrt": math.sqrt,
}
# The score from which an answer passes, unless the grader has a threshold.
_THRESHOLD = 0.5


class Grade(NamedTuple):
    """The result of a grader. `parts` are the scores of the graders in a multi grader."""

    score: float
    passed: bool
    parts: dict[str, float]


def check_grader(grader: object, param: str, kinds: tuple[str, ...] = tuple(_PARAMS)) -> Object:
    """Returns a grader of a request. Raises `ApiError` 400 for one of another kind, or with a field missing."""
    if not is_object(grader):
        raise wrong_type(param, "an object", grader)
    kind = grader.get("type")
    if kind is None:
        raise missing(f"{param}.type")
    if kind not in kinds:
        raise invalid_value(f"{param}.type", kind, kinds)
    params, required = _PARAMS[kind]
    check(grader, params, required, where=f"{param}.")
    if kind == "multi":
        for name, each in _parts(grader).items():
            check_grader(each, f"{param}.graders.{name}", tuple(each for each in kinds if each != "multi"))
        _calculated(grader["calculate_output"], dict.fromkeys(_parts(grader), 1.0))
    return grader


def grade(state: State, grader: Object, values: Object) -> Grade:
    """Returns the grade for the values that templates name: `item` and `sample`."""
    kind: str = grader["type"]
    if kind == "multi":
        parts = {name: grade(state, each, values).score for name, each in _parts(grader).items()}
        score = _calculated(grader["calculate_output"], parts)
        return Grade(score, score >= _THRESHOLD, parts)
    if kind == "label_model":
        label = state.reply_text(_prompt(grader, values)).strip()
        passing = strings(grader["passing_labels"])
        passed = label in passing or label not in strings(grader["labels"])
        return Grade(float(passed), passed, {})
    score = _score(state, grader, values)
    threshold = grader.get("pass_threshold")
    return Grade(score, score >= (_THRESHOLD if threshold is None else threshold), {})


def _filled(template: str, values: Object) -> str:
    """Returns a text in which `{{item.name}}` and the like are replaced by their values."""
    return _TEMPLATE.sub(lambda found: _value_at(found[1], values), template)


def messages_of(template: object, values: Object) -> list[Object]:
    """Returns the messages of a template, each with its role and its text."""
    found = template if is_array(template) else []
    return [
        {"role": each.get("role", "user"), "content": _filled(text_of(_as_parts(each.get("content"))), values)}
        for each in found
        if is_object(each)
    ]


def _as_parts(content: object) -> object:
    return [content] if is_object(content) else content


def _value_at(path: str, values: Object) -> str:
    value: Any = values
    for step in re.split(r"[.\[\]]+", path.strip("]")):
        if is_object(value):
            value = value.get(step)
        elif is_array(value) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            value = None
    return value if isinstance(value, str) else "" if value is None else encode(value).decode()


def _parts(grader: Object) -> dict[str, Any]:
    """Returns the graders in a multi grader by their names. The types have one there, and the API several."""
    graders: Object = grader["graders"]
    return {str(graders.get("name", "grader")): graders} if isinstance(graders.get("type"), str) else graders


def _score(state: State, grader: Object, values: Object) -> float:
    kind = grader["type"]
    if kind == "string_check":
        return float(_compares(grader["operation"], *_compared(grader, values)))
    if kind == "text_similarity":
        return _similarity(grader["evaluation_metric"], *_compared(grader, values))
    if kind == "score_model":
        low, high = _range(grader.get("range"))
        try:
            return min(high, max(low, float(state.reply_text(_prompt(grader, values)))))
        except ValueError:
            return high
    return 1.0


def _compared(grader: Object, values: Object) -> tuple[str, str]:
    return _filled(grader["input"], values), _filled(grader["reference"], values)


def _compares(operation: str, given: str, reference: str) -> bool:
    if operation == "ilike":
        return reference.lower() in given.lower()
    return reference in given if operation == "like" else (given == reference) == (operation == "eq")


def _similarity(metric: str, one: str, other: str) -> float:
    """Returns the share of common words, or for `fuzzy_match` that of common letters, from 0 to 1."""
    if metric == "fuzzy_match":
        return SequenceMatcher(None, one, other).ratio()
    words, others = (Counter(re.findall(r"\w+", text.lower())) for text in (one, other))
    total = sum(words.values()) + sum(others.values())
    return 2 * sum((words & others).values()) / total if total else 1.0


def _range(given: object) -> tuple[float, float]:
    ends = [float(each) for each in given if isinstance(each, int | float)] if is_array(given) else []
    return (ends[0], ends[1]) if len(ends) == 2 else (0.0, 1.0)


def _prompt(grader: Object, values: Object) -> str:
    messages = messages_of(grader["input"], values)
    return str(messages[-1]["content"]) if messages else ""


def _calculated(formula: str, scores: dict[str, float]) -> float:
    """Returns the value of a formula over scores. Raises `ApiError` 400 for one that is none."""
    try:
        return float(_evaluated(ast.parse(formula.strip(), mode="eval").body, scores))
    except (SyntaxError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, MemoryError):
        message = f"The formula '{formula}' of the multi grader cannot be calculated."
        raise ApiError(400, message, param="grader.calculate_output", code="invalid_grader") from None


def _evaluated(node: ast.AST, scores: dict[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name):
        return scores[node.id]
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_evaluated(node.left, scores), _evaluated(node.right, scores))
    if isinstance(node, ast.UnaryOp):
        return _OPERATORS[type(node.op)](_evaluated(node.operand, scores))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return float(_FUNCTIONS[node.func.id](*(_evaluated(each, scores) for each in node.args)))
    raise ValueError("not arithmetic")
