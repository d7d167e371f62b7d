from __future__ import annotations

import traceback

import pytest

from aiopenai._base.secret import Secret, without_frames


def test_a_secret_shows_nothing() -> None:
    secret = Secret("sk-canary")
    assert "canary" not in f"{secret!r}{secret}{[secret]}"
    assert secret.value == "sk-canary"
    assert secret == Secret("sk-canary")
    assert secret != Secret("sk-other")
    assert secret != "sk-canary"
    assert {secret: 1}[Secret("sk-canary")] == 1


def test_an_error_and_its_causes_lose_their_frames() -> None:
    def inner() -> None:
        raise LookupError("below")

    def outer() -> None:
        try:
            inner()
        except LookupError as below:
            raise ValueError("above") from below

    with pytest.raises(ValueError, match="above") as caught:
        outer()
    error = caught.value
    assert traceback.extract_tb(error.__traceback__)
    assert without_frames(error) is error
    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None
    error.__cause__.__cause__ = error  # a cycle of causes ends, too
    assert without_frames(error) is error
