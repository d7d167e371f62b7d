"""aiopenai._data.vectors: embeddings as lists and arrays of floats."""

from __future__ import annotations

import copy
import json
import pickle
from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._data.codec import Decoder
from aiopenai._data.vectors import encoded
from aiopenai.types import Embedding
from tests.lib.test_embeddings import ENCODED, FLOATS, decode, reply, text


class TestVector:
    def test_dumps(self) -> None:
        for look in (lambda _: None, lambda item: item.as_array(), lambda item: item.embedding):
            found = decode(reply())
            look(found.data[0])
            assert found.model_dump() == reply(FLOATS)
            found = decode(reply())
            look(found.data[0])
            assert json.loads(found.to_json()) == reply(FLOATS)
            for twin in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
                assert twin == found == decode(reply(FLOATS))
            assert str(FLOATS) in repr(found)
            assert found.data[0].model_fields_set == {"object", "index", "embedding"}

    def test_with_msgspec_alone(self) -> None:
        found = decode(reply())
        assert msgspec.json.decode(msgspec.json.encode(found)) == reply()
        found.data[0].as_array()[0] = 9
        assert msgspec.json.decode(msgspec.json.encode(found)) == reply(text([9, *FLOATS[1:]]))
        assert found.data[0].embedding == [9, *FLOATS[1:]]
        assert msgspec.json.decode(msgspec.json.encode(found)) == reply([9, *FLOATS[1:]])

    def test_one_array_and_one_list(self) -> None:
        item = decode(reply()).data[0]
        array_ = item.as_array()
        assert item.as_array() is array_
        assert memoryview(array_).nbytes == 16
        listed = item.embedding
        assert item.embedding is listed
        listed[0] = 7
        assert item.as_array()[0] == 7
        assert item.as_array() is not array_

    def test_no_copy_for_numpy(self) -> None:
        numpy = pytest.importorskip("numpy")
        made = decode(reply()).data[0].as_array()
        view = numpy.asarray(made)
        assert view.dtype == numpy.float32
        view[0] = 5
        assert made[0] == 5

    def test_assignment(self) -> None:
        item = decode(reply()).data[0]
        item.embedding = [1.0]
        assert item.to_dict()["embedding"] == [1.0]
        assert item.as_array() == array("f", [1.0])

    @pytest.mark.parametrize("word", ["", "null", "AAAAA", "%%%%", "é"])
    def test_what_is_no_floats_stays(self, word: str) -> None:
        found = decode(reply(word))
        assert found.data[0].embedding == word  # type: ignore[comparison-overlap]
        with pytest.raises(TypeError, match="not floats"):
            decode(reply(word)).data[0].as_array()

    def test_subclasses(self) -> None:
        class Own(Embedding):
            extra: int | None = None

        own = Decoder.of(Own)(json.dumps({**reply()["data"][0], "extra": 2}).encode())
        assert own.as_array() == array("f", FLOATS)
        assert own.embedding == FLOATS
        assert own.extra == 2

    def test_made_by_hand(self) -> None:
        made = Embedding(embedding=FLOATS, index=0, object="embedding")
        assert made.embedding is FLOATS
        assert Embedding.model_validate({**reply()["data"][0]}).embedding == FLOATS

    def test_the_bytes_of_the_reply_are_not_kept(self) -> None:
        found = decode(reply())
        assert not hasattr(found, "_source")
        assert not hasattr(found.data[0], "_source")

    @given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
    def test_all_floats(self, floats: list[float]) -> None:
        item = decode(reply(text(floats))).data[0]
        assert item.as_array().tolist() == floats
        assert item.embedding == floats


def test_base64_for_calls_that_ask_for_it() -> None:
    item = decode(reply()).data[0]
    encoded(item)
    assert item.embedding == ENCODED
    with pytest.raises(TypeError, match="not floats"):
        item.as_array()
    listed = decode(reply()).data[0]
    assert listed.embedding == FLOATS
    encoded(listed)
    assert listed.embedding == FLOATS
    assert type(listed).embedding.slot is not None
