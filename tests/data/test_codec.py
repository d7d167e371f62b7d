"""The names of the codec together: a reply that is decoded and encoded again is the same document."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._data.codec import Decoder, Node, batch_of, decode_json, encode, encode_event, portable_json
from aiopenai.types.chat import ChatCompletion
from aiopenai.types.responses import ResponseStreamEvent

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=6))
def test_plain_values_come_back(value: dict[str, Any]) -> None:
    raw = encode(value)
    assert decode_json(raw) == value
    assert encode_event(value) == raw


@given(st.dictionaries(st.sampled_from(["id", "choices", "usage", "new", "service_tier", "created"]), json_values))
def test_a_reply_of_any_fields_is_sent_back_as_received(value: dict[str, Any]) -> None:
    reply: Any = Decoder.of(ChatCompletion)(encode(value))
    assert isinstance(reply, Node)
    assert decode_json(encode({"input": [reply]}, ["input"])) == {"input": [value]}
    assert decode_json(encode_event({"type": "x", "item": reply}, ["item"])) == {"type": "x", "item": value}


def test_batches_share_their_documents() -> None:
    raws = [b'{"type":"response.created","sequence_number":%d,"response":{"id":"r"}}' % number for number in range(3)]
    (first, second, third), failure = Decoder.of(ResponseStreamEvent).many(raws)
    assert failure is None
    shared = batch_of(first)
    assert shared is not None
    assert shared is batch_of(second) is batch_of(third)
    assert [*shared[0]] == raws
    assert third.to_dict()["sequence_number"] == 2
    # The documents go with the first look at one of them, and the events know their own all the same.
    assert batch_of(first) is shared
    assert shared[0] is None
    assert [event.to_dict() for event in (first, second)] == [decode_json(raw) for raw in raws[:2]]
    made: Any = ChatCompletion.model_construct(id="c")
    assert batch_of(made) is None


@pytest.mark.parametrize(
    ("raw", "portable"),
    [
        (b'{"a": 1.0}', b'{"a": 1.0}'),
        (b'{"a":\n1}', b'{"a":1}'),
        (b'["\\ud83d", NaN]', '["\ufffd",null]'.encode()),
        (b"\xef\xbb\xbf{}", b"{}"),
    ],
    ids=["as received", "lines", "surrogate and NaN", "byte order mark"],
)
def test_documents_that_strict_readers_refuse_become_portable(raw: bytes, portable: bytes) -> None:
    assert portable_json(raw) == portable
    msgspec.json.decode(portable_json(raw))


def test_a_decoder_of_a_reply_class_goes_with_the_class() -> None:
    class Short(msgspec.Struct):
        a: int

    kind: Any = type("Own", (ChatCompletion,), {})
    decoder = weakref.ref(kind)
    assert Decoder.of(kind) is Decoder.of(kind)
    assert Decoder.of(Short)(b'{"a": 1}') == Short(1)
    del kind
    gc.collect()
    assert decoder() is None
