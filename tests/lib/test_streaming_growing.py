from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._data.codec import Decoder
from aiopenai.lib.streaming.growing import MISSING, Entries, OnlyKnown, Strings, Text, Tree, Value
from aiopenai.types.chat import ChatCompletionChunk

PIECES = st.lists(st.text(max_size=3), max_size=12)
# Deltas whose keys have one type each, as an API's have.
DELTAS: Any = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.none() | st.text(max_size=3),
            "count": st.integers(0, 9),
            "type": st.sampled_from(["a", "b"]),
            "below": st.fixed_dictionaries({}, optional={"text": st.text(max_size=2)}),
            "parts": st.lists(
                st.fixed_dictionaries({"index": st.integers(0, 2), "text": st.text(max_size=2)}), max_size=2
            ),
            "plain": st.lists(st.integers(), max_size=2),
        },
    ),
    max_size=6,
)


def merged(acc: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """The same in the plainest way."""
    for key, value in delta.items():
        have = acc.get(key)
        if value is None and have is not None:
            continue
        if isinstance(value, dict):
            acc[key] = merged(dict(have or {}), value)
        elif key == "parts":
            by_index = {part["index"]: part for part in have or []}
            for part in value:
                by_index[part["index"]] = merged(dict(by_index.get(part["index"], {})), part)
            acc[key] = [by_index[index] for index in sorted(by_index)]
        elif have is None or key in ("type", "index"):
            acc[key] = value
        else:
            acc[key] = have + value
    return acc


@given(PIECES)
def test_a_text_can_be_cut_anywhere_at_any_time(pieces: list[str]) -> None:
    whole = "".join(pieces)
    text = Text()
    for number, piece in enumerate(pieces):
        text.append(piece)
        if number % 3 == 0:
            assert text.cut(text.size) == "".join(pieces[: number + 1])
    assert [text.cut(size) for size in range(len(whole) + 1)] == [whole[:size] for size in range(len(whole) + 1)]


@given(PIECES)
def test_strings_remember_what_they_were(pieces: list[str]) -> None:
    strings = Strings()
    for moment, piece in enumerate(pieces, 1):
        strings.add(2 * moment, piece)
    assert strings.upto(1) is MISSING
    for moment in range(1, len(pieces) + 1):
        assert strings.upto(2 * moment) == strings.upto(2 * moment + 1) == "".join(pieces[:moment])


def test_entries_remember_what_they_were() -> None:
    entries = Entries()
    assert [entries.add(1, ["a"]), entries.add(5, ["b", "c"]), entries.size] == [1, 3, 3]
    assert [entries.upto(0), entries.upto(4), entries.upto(5)] == [MISSING, ["a"], ["a", "b", "c"]]


def test_values_are_replaced_or_added() -> None:
    number = Value(1, 2, adds=True)
    number.merge(3, 5)
    number.merge(4, "no number")
    assert [number.upto(0), number.upto(2), number.upto(9)] == [MISSING, 2, 7]
    flag = Value(1, True, adds=True)
    flag.merge(2, False)
    assert flag.last is False


@given(DELTAS)
def test_a_tree_is_what_its_deltas_make_at_every_moment(deltas: list[dict[str, Any]]) -> None:
    tree = Tree(0, {})
    for moment, delta in enumerate(deltas, 1):
        tree.merge(moment, delta)
    acc: dict[str, Any] = {}
    for moment, delta in enumerate(deltas, 1):
        acc = merged(acc, delta)
        now = tree.upto(moment)
        # That a null came before the value is forgotten with the value.
        assert {key: value for key, value in now.items() if value is not None} == {
            key: value for key, value in acc.items() if value is not None
        }


def test_what_names_a_thing_is_not_continued() -> None:
    tree = Tree(1, {"id": "call_1", "role": "assistant", "name": "f", "type": "function", "other": "a"})
    tree.merge(2, {"id": "call_1", "role": "assistant", "name": "f", "type": "function", "other": "a"})
    assert tree.upto(2) == {"id": "call_1", "role": "assistant", "name": "f", "type": "function", "other": "aa"}


def test_values_that_do_not_go_together_change_nothing() -> None:
    tree = Tree(1, {"a": "x", "b": {"c": 1}, "d": [1]})
    tree.merge(2, {"a": {"no": "text"}, "b": "no object", "d": 5})
    tree.merge(3, {"d": [{"no": "index"}]})
    assert tree.upto(3) == {"a": "x", "b": {"c": 1}, "d": [1, {"no": "index"}]}
    assert tree.strings("b") is None


class _Delta(msgspec.Struct, forbid_unknown_fields=True):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


CHUNK = b'{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":%b}]}'


@pytest.mark.parametrize(
    ("delta", "only_known"),
    [('{"content":"x"}', True), ('{"content":null}', True), ('{"reasoning":"x"}', False), ('{"content":5}', False)],
)
def test_only_known(delta: str, only_known: bool) -> None:
    asks = OnlyKnown(_Chunk)
    (chunk, neighbour), _ = Decoder.of(ChatCompletionChunk).many([CHUNK % delta.encode()] * 2)
    assert asks(chunk) is asks(chunk) is only_known
    # Once the object was asked for its JSON, its documents are gone. The answer for its neighbours stays.
    chunk.to_dict()
    assert asks(neighbour) is only_known
    assert asks(chunk) is OnlyKnown(_Chunk)(neighbour) is False
    assert asks(ChatCompletionChunk.model_construct(choices=[])) is False
