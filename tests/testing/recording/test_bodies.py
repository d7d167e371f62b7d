from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai.testing.recording.bodies import canonical, described, without
from aiopenai.testing.recording.cleaning import Cleaner

FORM = "multipart/form-data; boundary={}"


def form(boundary: str, *parts: tuple[str, str, bytes]) -> bytes:
    blocks = [
        f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"
        for name, more, data in parts
    ]
    return b"".join(blocks) + f"--{boundary}--\r\n".encode()


def content(body: bytes, kind: str) -> Any:
    return described(body, kind, Cleaner())


def test_kinds() -> None:
    assert content(b"", "application/json") == {}
    assert content(b'{"b": 1, "a": [2]}', "application/json") == {"json": {"a": [2], "b": 1}}
    # Some clients name no content type.
    assert content(b'{"a": 1}', "") == {"json": {"a": 1}}
    assert content(b"plain", "text/plain") == {"text": "plain"}
    assert content(b"{broken", "application/json") == {"text": "{broken"}
    assert content(b"a=1&b=%20&a=2", "application/x-www-form-urlencoded") == {
        "form": {"a": [{"text": "1"}, {"text": "2"}], "b": {"text": " "}}
    }
    assert content(b"client_secret=x", "application/x-www-form-urlencoded") == {
        "form": {"client_secret": {"text": "<redacted>"}}
    }
    assert content(b"\xff\x00", "audio/pcm").keys() == {"sha256", "bytes"}
    assert content(b"[" * 100_000, "application/json").keys() == {"sha256", "bytes"}


def test_forms_match_without_their_boundary_and_order() -> None:
    parts = [("file", '; filename="a.txt"', b"text"), ("purpose", "", b"user_data")]
    one = content(form("one", *parts), FORM.format("one"))
    assert one == content(form("two", *parts[::-1]), FORM.format("two"))
    assert one == {"form": {"file": {"filename": "a.txt", "text": "text"}, "purpose": {"text": "user_data"}}}


def test_large_and_binary_parts_are_compared_by_their_hash() -> None:
    def part(data: bytes) -> Any:
        return content(form("x", ("file", '; filename="a"', data)), FORM.format("x"))["form"]["file"]

    assert part(b"\xff" * 10)["bytes"] == 10
    assert part(b"x" * 10_000)["sha256"] != part(b"x" * 9_999 + b"y")["sha256"]
    assert part(b"x" * 10_000) == part(b"x" * 10_000)


def test_a_broken_form_is_compared_as_a_whole() -> None:
    assert content(b"no boundary", FORM.format("x")) == {"text": "no boundary"}


@pytest.mark.parametrize(
    ("ignored", "left"),
    [
        ({"user"}, {"m": {"run": 1, "id": 2}, "items": [{"id": 3}]}),
        ({"id"}, {"user": "x", "m": {"run": 1}, "items": [{}]}),
        ({"m.id"}, {"user": "x", "m": {"run": 1}, "items": [{"id": 3}]}),
        ({"items.id", "m"}, {"user": "x", "items": [{}]}),
        (set[str](), {"user": "x", "m": {"run": 1, "id": 2}, "items": [{"id": 3}]}),
    ],
    ids=["name", "any-depth", "path", "through-lists", "none"],
)
def test_ignored_keys(ignored: set[str], left: Any) -> None:
    value = {"user": "x", "m": {"run": 1, "id": 2}, "items": [{"id": 3}]}
    assert without(value, frozenset(ignored)) == left


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_canonical_texts_are_equal_for_equal_values_only(one: Any, other: Any) -> None:
    # In Python True equals 1.
    assert (canonical(one) == canonical(other)) == (repr_of(one) == repr_of(other))


def repr_of(value: Any) -> Any:
    if isinstance(value, dict):
        return ("object", sorted((name, repr_of(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("array", [repr_of(item) for item in value])
    return repr(value)


def test_numbers() -> None:
    assert canonical({"a": 1.0, "b": [2.5]}) == canonical({"b": [2.5], "a": 1})
    assert canonical(1) != canonical(True)
