"""Headers as dicts: names match in any case, and `omit` removes one."""

from __future__ import annotations

import pytest

from aiopenai import not_given, omit
from aiopenai._base.headers import OWN_HEADERS, SECRET_HEADERS, drop, from_environment, has, merged


def test_more_headers_win_in_any_case() -> None:
    base = {"Authorization": "a", "X-One": "1", "x-one": "2", "Accept": "x"}
    assert merged(base, {"X-ONE": "3", "accept": omit, "AUTHORIZATION": not_given, "New": "4"}) == {
        "X-ONE": "3",
        "New": "4",
    }


def test_drop_and_has() -> None:
    headers = {"X-One": "1", "x-one": "2", "x-two": "3"}
    assert has(headers, "x-one")
    drop(headers, "x-one")
    assert headers == {"x-two": "3"}
    assert not has(headers, "x-one")
    drop(headers, "x-one")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("X-A: 1", {"X-A": "1"}),
        (" X-A :  1:2 \nX-B:3\n", {"X-A": "1:2", "X-B": "3"}),
        ("no colon\n: no name\nX-A:", {"X-A": ""}),
        ("X-A: 1\r\nX-B: 2", {"X-A": "1", "X-B": "2"}),
    ],
)
def test_from_the_environment(text: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", text)
    assert from_environment() == expected


def test_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_CUSTOM_HEADERS", raising=False)
    assert from_environment() == {}


def test_secrets_stay_with_their_origin() -> None:
    assert SECRET_HEADERS < OWN_HEADERS
    assert all(name == name.lower() for name in OWN_HEADERS)
