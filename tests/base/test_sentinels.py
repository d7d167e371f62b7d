"""`omit` and `not_given`, and the sentinels of the reference."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from aiopenai import NOT_GIVEN, NotGiven, Omit, not_given, omit
from aiopenai._base import sentinels
from aiopenai._base.sentinels import is_left_out


@pytest.mark.parametrize("value", [omit, not_given])
def test_they_are_false_and_stay_themselves(value: Any) -> None:
    assert not value
    assert pickle.loads(pickle.dumps(value)) is value
    assert copy.copy(value) is value
    assert copy.deepcopy({"a": [value]})["a"][0] is value


def test_names() -> None:
    assert isinstance(omit, Omit)
    assert isinstance(not_given, NotGiven)
    assert NOT_GIVEN is not_given
    assert repr(omit) == "omit"
    assert repr(not_given) == "NOT_GIVEN"


def test_the_words_of_the_reference() -> None:
    openai = pytest.importorskip("openai")
    assert repr(openai.NOT_GIVEN) == repr(NOT_GIVEN)


def of_reference(name: str, module: str = "openai._types", *bases: type) -> Any:
    """A sentinel of a class that looks like one of the reference's."""
    return type(name, bases, {"__module__": module})()


@pytest.mark.parametrize("module", ["openai", "openai._types"])
def test_those_of_the_reference_are_recognised(module: str) -> None:
    their_omit, their_not_given = of_reference("Omit", module), of_reference("NotGiven", module)
    assert isinstance(their_omit, Omit)
    assert not isinstance(their_omit, NotGiven)
    assert isinstance(their_not_given, NotGiven)
    assert not isinstance(their_not_given, Omit)
    assert is_left_out(their_omit)
    assert is_left_out(their_not_given)
    assert is_left_out(of_reference("Own", "program", type(their_omit)))


def test_other_values_are_not() -> None:
    for value in (None, False, 0, "", [], of_reference("Omit", "program"), of_reference("Other")):
        assert not is_left_out(value)
        assert not isinstance(value, (Omit, NotGiven))
    assert is_left_out(omit)
    assert is_left_out(not_given)


def test_only_builtin_types_are_remembered() -> None:
    before = len(sentinels._kinds)
    for number in range(50):
        assert not is_left_out(of_reference(f"Class{number}", "program"))
    assert len(sentinels._kinds) == before
    assert not is_left_out(1j)
    assert sentinels._kinds[complex] is False
