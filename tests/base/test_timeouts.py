"""`Timeout`: its limits, their defaults, and values of other packages."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai import DEFAULT_MAX_RETRIES, DEFAULT_TIMEOUT, Timeout


def test_one_number() -> None:
    limits = Timeout(7)
    assert (limits.connect, limits.read, limits.write) == (7, 7, 7)
    assert (limits.pool, limits.total, limits.first_event, limits.idle) == (None,) * 4


def test_names() -> None:
    limits = Timeout(7, connect=1, read=2.5, write=None, pool=3, total=4, first_event=5, idle=6)
    assert (limits.connect, limits.read, limits.write) == (1, 2.5, None)
    assert (limits.pool, limits.total, limits.first_event, limits.idle) == (3, 4, 5, 6)
    assert Timeout(connect=1).read is None
    assert Timeout(5, connect=None).connect is None
    assert Timeout() == Timeout(None)


def test_values() -> None:
    assert Timeout(5) == Timeout(5.0)
    assert hash(Timeout(5)) == hash(Timeout(5.0))
    assert Timeout(5) != Timeout(6)
    assert Timeout(5) != 5
    assert len({Timeout(5), Timeout(5), Timeout(5, total=1)}) == 2
    for limits in (Timeout(5, idle=2), Timeout(), DEFAULT_TIMEOUT):
        assert pickle.loads(pickle.dumps(limits)) == limits
        assert copy.deepcopy(limits) == limits
    shown = repr(Timeout(5, connect=1, idle=2))
    assert all(part in shown for part in ("connect=1", "read=5", "write=5", "idle=2"))
    assert "total" not in shown


@pytest.mark.parametrize("name", ["timeout", "connect", "read", "write", "pool", "total", "first_event", "idle"])
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan"), "5", True, [1]])
def test_what_cannot_be(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="non-negative number of seconds"):
        Timeout(**{name: value})


def test_of() -> None:
    limits = Timeout(5)
    assert Timeout.of(limits) is limits
    assert Timeout.of(3) == Timeout(3)
    assert Timeout.of(None) == Timeout(None)
    alien = SimpleNamespace(connect=1.0, read=2.0, write=3.0, pool=4.0)
    assert Timeout.of(alien) == Timeout(connect=1, read=2, write=3)
    for wrong in ("5", [5], object()):
        with pytest.raises(TypeError, match="timeout must be"):
            Timeout.of(wrong)
    with pytest.raises(ValueError, match="non-negative"):
        Timeout.of(True)


def test_of_the_references() -> None:
    openai = pytest.importorskip("openai")
    assert Timeout.of(openai.Timeout(9.0, connect=2.0)) == Timeout(9.0, connect=2.0)


def test_the_defaults_of_the_reference() -> None:
    openai = pytest.importorskip("openai")
    assert openai.DEFAULT_MAX_RETRIES == DEFAULT_MAX_RETRIES
    for name in ("connect", "read", "write"):
        assert getattr(DEFAULT_TIMEOUT, name) == getattr(openai.DEFAULT_TIMEOUT, name)


def test_by_name() -> None:
    assert Timeout(7, connect=1, pool=3, total=4).as_dict() == {"connect": 1, "read": 7, "write": 7, "pool": 3}
    assert Timeout(7) == Timeout(7, pool=None)


@pytest.mark.parametrize("general", [5, 0.5, None])
@pytest.mark.parametrize("more", [{}, {"pool": 3}, {"pool": None}, {"connect": 1}, {"read": None, "write": 2}], ids=str)
def test_by_name_as_the_reference(general: float | None, more: dict[str, float | None]) -> None:
    openai = pytest.importorskip("openai")
    assert Timeout(general, **more).as_dict() == openai.Timeout(general, **more).as_dict()


def test_of_an_object_without_a_write_limit() -> None:
    assert Timeout.of(SimpleNamespace(connect=1.0, read=2.0)) == Timeout(connect=1, read=2)
    with pytest.raises(TypeError, match="not SimpleNamespace"):
        Timeout.of(SimpleNamespace(connect=1.0))
