"""aiopenai._data.plain: JSON documents to plain values, and to documents for strict readers."""

from __future__ import annotations

import json
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._data.plain import TooDeepError, decode_json, portable_json, with_whole_stack


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": [1, null]}', {"a": [1, None]}),
        ('{"a": "é"}', {"a": "é"}),
        (rb'{"a": "\ud83d"}', {"a": "\ud83d"}),
        (r'{"a": "\ud83d"}', {"a": "\ud83d"}),
        (b"\xef\xbb\xbf[1]", [1]),
        ('{"a": "caf\xe9"}'.encode("latin-1"), {"a": "caf\ufffd"}),
        (b"[1e999, -Infinity]", [float("inf"), float("-inf")]),
    ],
    ids=["object", "text", "surrogate", "surrogate in text", "byte order mark", "latin-1", "infinity"],
)
def test_plain_values(raw: bytes | str, value: Any) -> None:
    assert decode_json(raw) == value


@pytest.mark.parametrize("raw", [b"", b"{", b"<html>", b"[1] 2", b"[" * 200_000, b'{"a": NaN' + b"[" * 200_000])
def test_other_input_has_one_error(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(raw)
    with pytest.raises(msgspec.DecodeError):
        portable_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"a": NaN, "b": [Infinity, 1.5, -1e999]}', {"a": None, "b": [None, 1.5, None]}),
        (rb'{"cut \ud83d": "cut \ud83d", "whole": "\ud83d\ude42"}', {"cut ?": "cut ?", "whole": "🙂"}),
        ('{"a": "caf\xe9", "b": true}'.encode("latin-1"), {"a": "caf\ufffd", "b": True}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{\n "a": 1\r\n}', {"a": 1}),
        (b'{\n "a": 1}', {"a": 1}),
        (b'{\r "a": 1}', {"a": 1}),
    ],
    ids=["nan", "surrogates", "latin-1", "byte order mark", "several lines", "lf", "cr"],
)
def test_portable_documents(raw: bytes, value: Any) -> None:
    line = portable_json(raw)
    assert b"\n" not in line
    assert b"\r" not in line
    assert msgspec.json.decode(line) == json.loads(line) == _with_replacement(value)


def _with_replacement(value: Any) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False).replace("cut ?", "cut \ufffd"))


def test_documents_that_are_portable_already_stay_as_they_are() -> None:
    raw = '{"z":1,  "a":"é\u2028","n":1.0}'.encode()
    assert portable_json(raw) is raw


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(st.characters(codec=None)), st.lists, max_leaves=8)
)
def test_any_document_becomes_portable(value: Any) -> None:
    msgspec.json.decode(portable_json(json.dumps(value).encode()))


def test_a_function_gets_the_whole_stack_if_it_needs_it() -> None:
    threads: list[threading.Thread] = []

    def work(failures: list[BaseException], result: str) -> str:
        threads.append(threading.current_thread())
        if failures:
            raise failures.pop()
        return result

    here = threading.current_thread()
    assert with_whole_stack(work, [], "at once") == "at once"
    assert threads == [here]
    for failure in (RecursionError(), TooDeepError()):
        threads.clear()
        assert with_whole_stack(work, [failure], "in a thread") == "in a thread"
        assert threads[0] is here
        assert threads[1] is not here
    with pytest.raises(TooDeepError):
        with_whole_stack(work, [TooDeepError(), RecursionError()], "never")
    with pytest.raises(KeyError):
        with_whole_stack(work, [TooDeepError(), KeyError()], "never")
