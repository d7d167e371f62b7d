from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai.lib.streaming.partial_json import parse_partial

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4) | st.lists(VALUES, max_size=4)


@given(DOCUMENTS, st.sampled_from([None, 1]), st.booleans())
def test_every_beginning_of_a_document(document: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert parse_partial(text) == document
    assert parse_partial(text[:1]) == ({} if text[0] == "{" else [])
    for end in range(1, len(text)):
        part = parse_partial(text[:end])
        assert type(part) is type(document)
        assert len(part) <= len(document)


@given(DOCUMENTS)
def test_every_beginning_is_what_jiter_makes_of_it(document: Any) -> None:
    jiter = pytest.importorskip("jiter", reason="comes with the reference SDK")
    text = json.dumps(document, ensure_ascii=False)
    for end in range(1, len(text) + 1):
        assert parse_partial(text[:end]) == jiter.from_json(text[:end].encode(), partial_mode=True), text[:end]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("  ", None),
        ("Sure, here it is", None),
        ('"unfinished', None),
        ("tru", None),
        ("-", None),
        ("[tx", []),
        ("[01", []),
        ("]", None),
        (":", None),
        ('{"a":1}}', {"a": 1}),
        ('{"a":1,}', {"a": 1}),
        ('{"a" "b"', {}),
        ("{1", {}),
        ("[1 2", [1]),
        ("[1,,2", [1]),
        ('{"a":[1,2}', {"a": [1, 2]}),
        ('[-Infinity, NaN, "x"', None),
        ('["a\\"b", "c\\', ['a"b']),
        ('["\\q", 1', None),
        ('{"a": "x" , "b" : { "c"', {"a": "x", "b": {}}),
    ],
)
def test_edges(text: str, expected: Any) -> None:
    result = parse_partial(text)
    if "NaN" in text:
        assert result[0] == float("-inf")
        assert result[2] == "x"
    else:
        assert result == expected


def test_deep_and_long() -> None:
    assert parse_partial("[" * 100_000) is None
    assert parse_partial('{"a":"' + "x" * 1_000_000) == {}
    assert parse_partial('{"a":"' + "\\n" * 500_000) == {}
    assert parse_partial('{"a":[' + "1," * 100_000) == {"a": [1] * 100_000}
