"""aiopenai._base.querystring against examples and against the reference's encoding."""

from __future__ import annotations

import enum
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiopenai._base.querystring import encode_path_segment, encode_query, flatten


class Order(str, enum.Enum):
    DESC = "desc"


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), text)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3))
)
params = st.dictionaries(text, values, max_size=4)


class Words(str):
    """A str that shows itself otherwise."""

    def __str__(self) -> str:
        return "shown"


class Count(int):
    def __str__(self) -> str:
        return "shown"


def test_subclasses_go_out_as_their_values() -> None:
    assert encode_query({"a": Words("x"), "b": [Words("y")], "c": Count(3), "d": {"e": Words("z")}}) == encode_query(
        {"a": "x", "b": ["y"], "c": 3, "d": {"e": "z"}}
    )
    assert flatten({"a": Words("x")})[0][1].__class__ is str


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinities_are_refused_by_name(value: float) -> None:
    for params in ({"temperature": value}, {"temperature": [1, value]}, {"temperature": {"x": value}}):
        with pytest.raises(ValueError, match=r"`temperature.*must be a finite number"):
            flatten(params)


def test_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    given = {"a": numpy.bool_(True), "b": numpy.int64(3), "c": numpy.array([1.5, 2.0]), "d": numpy.float32(0.5)}
    assert flatten(given) == [("a", "true"), ("b", "3"), ("c[]", "1.5"), ("c[]", "2.0"), ("d", "0.5")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, ""),
        ({"a": None, "b": [], "c": {}, "d": [None]}, ""),
        ({"limit": 20, "after": "x y&z"}, "limit=20&after=x+y%26z"),
        ({"a": True, "b": False, "c": 1, "d": 0, "e": 1.5}, "a=true&b=false&c=1&d=0&e=1.5"),
        ({"include": ["a", "b"]}, "include%5B%5D=a&include%5B%5D=b"),
        ({"include": ("a", None)}, "include%5B%5D=a"),
        ({"created_at": {"gte": 1, "lt": {"x": 2}}}, "created_at%5Bgte%5D=1&created_at%5Blt%5D%5Bx%5D=2"),
        ({"a": [[1], {"b": [2]}]}, "a%5B%5D%5B%5D=1&a%5B%5D%5Bb%5D%5B%5D=2"),
        ({"a": "é~*+"}, "a=%C3%A9~%2A%2B"),
    ],
)
def test_encode_query(value: dict[str, object], expected: str) -> None:
    assert encode_query(value) == expected


def test_flatten_takes_what_people_pass() -> None:
    number = uuid.uuid4()
    assert flatten({"order": Order.DESC, "ids": (str(i) for i in range(2)), "one": {3}, "id": number}) == [
        ("order", "desc"),
        ("ids[]", "0"),
        ("ids[]", "1"),
        ("one[]", "3"),
        ("id", str(number)),
    ]


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x")])
def test_bytes_are_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match=r"`a\[b\]\[\]`"):
        flatten({"a": {"b": [value]}})


@given(params)
def test_query_equals_the_reference(value: dict[str, Any]) -> None:
    qs = pytest.importorskip("openai._qs")
    reference = qs.Querystring(array_format="brackets")
    assert encode_query(value) == reference.stringify(value)
    assert flatten(value) == reference.stringify_items(value)


@given(params)
def test_query_reads_back(value: dict[str, Any]) -> None:
    assert parse_qsl(encode_query(value), keep_blank_values=True) == flatten(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("file-abc_123", "file-abc_123"),
        ("ft:gpt-4o:org::id", "ft:gpt-4o:org::id"),
        ("a/b", "a%2Fb"),
        ("../x", "..%2Fx"),
        ("...", "..."),
        ("?#%", "%3F%23%25"),
        ("%2e%2e", "%252e%252e"),
        ("a\\b \r\n", "a%5Cb%20%0D%0A"),
        ("é", "%C3%A9"),
        (5, "5"),
    ],
)
def test_encode_path_segment(value: str | int, expected: str) -> None:
    assert encode_path_segment(value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "`file_id` but received ''"), (".", r"`file_id` must not be '\.'"), ("..", r"`file_id` must not be '\.\.'")],
)
def test_segments_that_would_change_the_path_are_refused(value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encode_path_segment(value, "file_id")


@pytest.mark.parametrize("value", [None, b"x", True, 1.5, ["x"]])
def test_segments_are_strings_or_integers(value: Any) -> None:
    with pytest.raises(TypeError, match="`model` must be a string"):
        encode_path_segment(value, "model")


@settings(max_examples=300)
@given(text | st.text("./%2eE~:@ ", max_size=6))
def test_segment_equals_the_reference(value: str) -> None:
    path_template = pytest.importorskip("openai._utils").path_template
    try:
        expected = path_template("/things/{value}/parts", value=value)
    except ValueError:
        with pytest.raises(ValueError, match="must not be"):
            encode_path_segment(value)
        return
    if value:
        assert f"/things/{encode_path_segment(value)}/parts" == expected


@given(text.filter(lambda value: value not in ("", ".", "..")))
def test_segment_is_one_segment_in_any_url_library(value: str) -> None:
    yarl = pytest.importorskip("yarl")
    segment = encode_path_segment(value)
    assert unquote(segment) == value
    url = yarl.URL(f"https://host/v1/things/{segment}/parts?x=1")
    assert url.raw_parts[:3] == ("/", "v1", "things")
    assert len(url.raw_parts) == 5
    assert url.query_string == "x=1"
