"""Errors that are instances of classes of `websockets` too."""

from __future__ import annotations

import pickle
import sys
from types import ModuleType

import pytest

from aiopenai._base import foreign
from aiopenai._base.foreign import also_foreign


class OwnError(Exception):
    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"closed with {code}")
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.reason}"


class ForeignError(Exception):
    def __str__(self) -> str:
        return "foreign words"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("websockets.exceptions")
    vars(module)["ConnectionClosed"] = ForeignError
    monkeypatch.setitem(sys.modules, "websockets.exceptions", module)
    return module


@pytest.mark.usefixtures("package")
def test_an_error_is_of_both_classes() -> None:
    error = OwnError(1006, reason="gone")
    also_foreign(error, "ConnectionClosed")
    assert isinstance(error, OwnError)
    assert isinstance(error, ForeignError)
    assert str(error) == "closed with 1006: gone"
    assert type(error).__name__ == "OwnError"
    assert type(error).__module__ == OwnError.__module__


@pytest.mark.usefixtures("package")
def test_the_joined_class_is_made_once() -> None:
    one, other = OwnError(1, reason="a"), OwnError(2, reason="b")
    also_foreign(one, "ConnectionClosed")
    also_foreign(other, "ConnectionClosed")
    assert type(one) is type(other)


@pytest.mark.usefixtures("package")
def test_pickles_hold_the_own_class() -> None:
    error = OwnError(1006, reason="gone")
    also_foreign(error, "ConnectionClosed")
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is OwnError
    assert (twin.args, twin.reason) == (error.args, "gone")


def test_a_name_that_is_not_there(package: ModuleType) -> None:
    error = OwnError(1, reason="a")
    also_foreign(error, "NotThere")
    assert type(error) is OwnError


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "websockets.exceptions", raising=False)
    error = OwnError(1, reason="a")
    foreign.also_foreign(error, "ConnectionClosed")
    assert type(error) is OwnError
    assert "websockets.exceptions" not in sys.modules
