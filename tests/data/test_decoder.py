"""aiopenai._data.decoder: bytes to replies."""

from __future__ import annotations

import array
import base64
import contextlib
import json
import random
import subprocess
import sys
import tracemalloc
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiopenai import AsyncOpenAI
from aiopenai._calls.paging import AsyncPage
from aiopenai._data.codec import Decoder, decode_json
from aiopenai._data.structs import Model
from aiopenai.errors import APIResponseValidationError
from aiopenai.testing import Server
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types import Model as Model_
from aiopenai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
)
from aiopenai.types.responses import Response, ResponseStreamEvent
from tests.data.samples import chunk, kept
from tests.data.test_fidelity import KINDS, Maker, check


def test_strict_replies_do_not_take_the_lenient_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("the lenient path was taken")

    monkeypatch.setattr(Decoder, "lenient", fail)
    decoder = Decoder.of(ChatCompletionChunk)
    decoded = decoder(chunk("a", usage=None, unknown={"a": [1]}))
    assert decoded.choices[0].delta.reasoning == "a!"
    assert decoded.unknown == {"a": [1]}
    with pytest.raises(AssertionError):
        decoder(chunk("a", created="now"))


def test_decoders_are_made_once() -> None:
    assert Decoder.of(ChatCompletion) is Decoder.of(ChatCompletion)
    assert Decoder.of(ResponseStreamEvent) is Decoder.of(ResponseStreamEvent)
    assert Decoder.of(ChatCompletion) is not Decoder.of(ChatCompletionChunk)


def test_a_derived_type_has_its_own_decoder() -> None:
    class Derived(ChatCompletion):
        more: str | None = None

    class Foreign:
        __decoder__ = "of another library"

    base = Decoder.of(ChatCompletion)
    derived = Decoder.of(Derived)
    assert derived is Decoder.of(Derived) is not base
    assert derived.decode(b'{"id": "c", "more": "x"}').more == "x"
    assert Decoder.of(ChatCompletion) is base
    assert Decoder.of(Foreign) is Decoder.of(Foreign)


@pytest.mark.parametrize("kind", [object, Any, dict, dict[str, object], list[int], str])
def test_other_types(kind: Any) -> None:
    value = {"a": [1, None, {"b": "c"}]} if kind not in (list[int], str) else [1, 2] if kind == list[int] else "x"
    assert Decoder.of(kind)(json.dumps(value).encode()) == value
    assert Decoder.of(kind)(b"[null]") == [None]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"\ud83d"', "\ud83d"),
        (rb'"\udc00\ud83d"', "\udc00\ud83d"),
        (rb'"\ud83d\ude42"', "🙂"),
        ('"\u2028\u2029"'.encode(), "\u2028\u2029"),
        (rb'"\u0000\u2028"', "\0\u2028"),
        (b"1180591620717411303424", 2**70),
        (b"-1180591620717411303424", -(2**70)),
        (b"18446744073709551615", 2**64 - 1),
        (b"9007199254740993", 2**53 + 1),
        (b"1e999", float("inf")),
        (b"-1e999", float("-inf")),
        (b"Infinity", float("inf")),
        (b"-0.0", 0.0),
        (b'"\xff\xfe"', "\ufffd\ufffd"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", ["created", "model", "unknown", "choices"])
def test_odd_values(text: bytes, value: Any, place: str) -> None:
    """In a field of another type, of its own type, in one that the type does not know, and in place of a list."""
    known: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": []}
    known.pop(place, None)
    raw = json.dumps(known).encode()[:-1] + b', "%s": %s}' % (place.encode(), text)
    reply: Any = Decoder.of(ChatCompletion)(raw)
    assert getattr(reply, place) == value
    assert reply.to_dict() == known | {place: value}
    assert reply.model_fields_set == known.keys() | {place}
    reply.to_json()


def test_nan_and_a_byte_order_mark() -> None:
    reply: Any = Decoder.of(ChatCompletion)(b'\xef\xbb\xbf{"id": "c", "score": NaN}')
    assert reply.id == "c"
    assert reply.score != reply.score


def test_repeated_keys() -> None:
    """The last one counts, on every level, and what belongs to the others is not mixed up with it."""
    first = '{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "1", "x": 1}}'
    second = '{"index": 0, "finish_reason": "stop", "message": {"content": null, "role": "assistant", "y": 2}, "z": 3}'
    head = '"id": "a", "id": "b", "object": "chat.completion", "created": 1, "model": "m"'
    raw = f'{{{head}, "choices": [{first}], "choices": [{second}]}}'
    reply: Any = Decoder.of(ChatCompletion)(raw.encode())
    assert reply.id == "b"
    assert reply.choices[0].message.y == 2
    assert reply.choices[0].message.model_extra == {"y": 2}
    assert reply.choices[0].model_extra == {"z": 3}
    assert reply.to_dict() == json.loads(raw)


NOT_JSON = [
    b"",
    b" ",
    b"{",
    b'{"a"',
    b"<html></html>",
    b"{}x",
    b"nul",
    b'{"a": 01}',
    b"\x00",
    b"{'a': 1}",
    b"\xff\xfe{\x00}\x00",
]


DEEP = [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b'{"choices":' + b"[" * 100_000]


@pytest.mark.parametrize("raw", NOT_JSON + DEEP, ids=lambda raw: repr(raw[:20]))
@pytest.mark.parametrize("kind", [object, ChatCompletion, ResponseStreamEvent, CreateEmbeddingResponse], ids=str)
def test_only_one_error(raw: bytes, kind: Any) -> None:
    decoder = Decoder.of(kind)
    with pytest.raises(msgspec.DecodeError):
        decoder(raw)
    with pytest.raises(msgspec.DecodeError):
        decode_json(raw)
    # And nothing is left behind for the next reply.
    assert decoder(b"{}") is not None
    assert Decoder.of(ChatCompletionChunk)(chunk("a")).choices[0].delta.reasoning == "a!"


@settings(max_examples=300)
@given(st.binary(max_size=40), st.sampled_from([object, ChatCompletion, ResponseStreamEvent]))
def test_any_bytes(raw: bytes, kind: Any) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        Decoder.of(kind)(raw)


@pytest.mark.parametrize("depth", [50, 150])
def test_nesting_that_is_not_too_deep(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]}
    check(ChatCompletion, {"id": "x", "unknown": value, "choices": value})
    nested: Any = {"key": "k", "type": "eq", "value": "v"}
    for _ in range(depth):
        nested = {"type": "and", "filters": [nested]}
    check(KINDS["CompoundFilter"], nested)


@pytest.mark.parametrize(
    "raw", [DEEP[1], b"<html>log in</html>", b'{"id": "c"', b"null", b'"text"'], ids=lambda raw: repr(raw[:20])
)
async def test_the_client_raises_its_own_error(raw: bytes, server: Server, client: AsyncOpenAI) -> None:
    server.reply_with("/chat/completions", raw)
    with pytest.raises(APIResponseValidationError):
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])


def test_many() -> None:
    decoder = Decoder.of(ChatCompletionChunk)
    raws = [chunk("a"), b"", chunk("b", created="now"), chunk("c", unknown=1), chunk("\ud83d")]
    events, failure = decoder.many(raws)
    assert failure is None
    assert [event.choices[0].delta.content for event in events] == ["a", "b", "c", "\ud83d"]
    assert [event.choices[0].delta.reasoning for event in events] == ["a!", "b!", "c!", "\ud83d!"]
    assert [event.to_dict() for event in events] == [json.loads(raw) for raw in raws if raw]
    for bad in (b"{", DEEP[1]):
        events, failure = decoder.many([chunk("a"), chunk("b"), bad, chunk("c")])
        assert [event.choices[0].delta.reasoning for event in events] == ["a!", "b!"]
        assert isinstance(failure, msgspec.DecodeError)
    assert decoder.many([]) == ([], None)
    events, failure = Decoder.of(CreateEmbeddingResponse).many([b'{"data": null, "unknown": 1}'])
    assert events[0].to_dict() == {"data": None, "unknown": 1}


def test_threads_make_the_same_fitter_at_once() -> None:
    """The first lenient replies of a process may come to many threads at the same time."""
    script = """
import sys, threading
from aiopenai._data.codec import Decoder
from aiopenai.types.responses import Response, ResponseStreamEvent
sys.setswitchinterval(1e-6)
raw = b'{"type": "response.completed", "response": {"id": 7, "tools": [{"type": "file_search", "filters": {}}]}}'
start, out = threading.Barrier(8), []
def work():
    start.wait()
    event = Decoder.of(ResponseStreamEvent)(raw)
    out.append((type(event).__name__, event.response.id, type(event.response).__name__, event.to_dict()["type"]))
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
assert out == [("ResponseCompletedEvent", 7, "Response", "response.completed")] * 8, out
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_embeddings_are_not_kept_twice() -> None:
    source = random.Random(0)
    vectors = [[source.uniform(-1, 1) for _ in range(1536)] for _ in range(64)]

    def make() -> bytes:
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return json.dumps({"object": "list", "data": data, "model": "m", "usage": usage}).encode()

    size, reply = kept(make, CreateEmbeddingResponse, lambda reply: reply.model_fields_set)
    assert [item.embedding for item in reply.data] == vectors
    # A list of floats: 24 bytes each, and 8 for the pointer; lists that grow have some to spare.
    assert size < 64 * 1536 * 32 * 1.15
    assert reply.to_dict()["usage"] == {"prompt_tokens": 1, "total_tokens": 1}
    assert reply.model_fields_set == {"object", "data", "model", "usage"}


@pytest.mark.parametrize("unknown", [{}, {"provider": {"id": 1}}, {"status": "unheard_of"}])
def test_images_are_not_kept_twice(unknown: dict[str, Any]) -> None:
    image = base64.b64encode(random.Random(0).randbytes(3 * 2**20)).decode()

    def make() -> bytes:
        item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": image, "size": None}
        return json.dumps({"id": "resp_1", "object": "response", "output": [item], **unknown}).encode()

    size, reply = kept(make, Response, lambda reply: (reply.model_fields_set, reply.output[0].model_extra))
    assert reply.output[0].result == image
    assert size < len(image) * 1.02
    assert reply.output[0].model_fields_set == {"type", "id", "status", "result", "size"}
    assert reply.to_dict()["output"][0]["result"] == image


def test_image_replies_without_null_are_not_kept_twice() -> None:
    image = base64.b64encode(random.Random(0).randbytes(2**20)).decode()

    def make() -> bytes:
        return json.dumps({"created": 1, "data": [{"b64_json": image}]}).encode()

    size, reply = kept(make, KINDS["ImagesResponse"], lambda reply: reply.model_fields_set)
    assert reply.to_dict() == {"created": 1, "data": [{"b64_json": image}]}
    assert size < len(image) * 1.02


def test_big_stream_events_are_not_kept_twice() -> None:
    image = base64.b64encode(random.Random(0).randbytes(3 * 2**18)).decode()
    event = {"type": "response.image_generation_call.partial_image", "partial_image_b64": image, "output_index": 0}
    raw = json.dumps(event | {"item_id": "i", "sequence_number": 1, "partial_image_index": 0, "new": 1}).encode()
    unkept = sys.getrefcount(raw)
    (decoded,), failure = Decoder.of(KINDS["ResponseStreamEvent"]).many([raw])
    assert failure is None
    assert decoded.partial_image_b64 == image
    assert decoded.new == 1
    assert sys.getrefcount(raw) == unkept


def test_many_types_leak_nothing() -> None:
    """The caches are by type, and hold a type once: using the same ones again keeps nothing."""
    raws = {name: json.dumps(Maker(1).valid(kind)).encode() for name, kind in KINDS.items()}

    def use() -> None:
        for name, kind in KINDS.items():
            reply = Decoder.of(kind)(raws[name])
            if isinstance(reply, Model):
                reply.to_dict()

    use()
    use()
    tracemalloc.start()
    try:
        use()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5):
            use()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000


# Replies of other shapes


@pytest.mark.parametrize(
    "kind", [AsyncPage[Model_], CreateEmbeddingResponse, KINDS["ConversationItemList"]], ids=range(3)
)
def test_a_bare_array_is_the_items(kind: Any) -> None:
    value = [{"id": "a", "object": "model", "created": 1, "index": 0, "embedding": [0.5]}]
    reply: Any = Decoder.of(kind)(json.dumps(value).encode())
    assert [item.id for item in reply.data] == ["a"]
    assert reply.to_dict() == {"data": value}
    assert Decoder.of(ChatCompletion)(b"[1]") == [1]


def vectors(*texts: str) -> bytes:
    data = [{"object": "embedding", "index": 0, "embedding": text} for text in texts]
    return json.dumps({"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1}}).encode()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_base64_as_servers_write_it(size: int) -> None:
    floats = array.array("f", [0.25 * number - 1e-3 for number in range(size)])
    exact = base64.b64encode(floats.tobytes()).decode()
    lines = "\r\n".join(exact[at : at + 4] for at in range(0, len(exact), 4)) + "\n"
    safe = base64.urlsafe_b64encode(floats.tobytes()).decode()
    for text in (exact, lines, exact.rstrip("="), safe, safe.rstrip("="), f" {exact} "):
        reply: Any = Decoder.of(CreateEmbeddingResponse)(vectors(text, exact))
        assert reply.data[0].embedding == reply.data[1].embedding == floats.tolist()


@pytest.mark.parametrize("text", ["null", "", "no", "a b", "%%%%", "cut \ud83d", "AAAAA", "é"])
def test_other_text_stays_as_received(text: str) -> None:
    reply: Any = Decoder.of(CreateEmbeddingResponse)(vectors(text))
    assert reply.data[0].embedding == text
    assert reply.to_dict()["data"][0]["embedding"] == text


@pytest.mark.parametrize("length", [10, 64 * 1024, 200_000])
@pytest.mark.parametrize("more", [{}, {"url": None}, {"revised_prompt": None, "url": None}], ids=["none", "one", "two"])
def test_null_is_kept_in_images_of_any_size(length: int, more: dict[str, Any]) -> None:
    value = {"created": 1, "data": [{"b64_json": "A" * length, **more}, {"b64_json": None}], "usage": None}
    reply: Any = Decoder.of(KINDS["ImagesResponse"])(json.dumps(value).encode())
    assert reply.to_dict() == value
    assert reply.model_fields_set == value.keys()
    assert reply.data[0].model_fields_set == {"b64_json", *more}
    without = {"created": 1, "data": [{"b64_json": "A" * length}]}
    assert Decoder.of(KINDS["ImagesResponse"])(json.dumps(without).encode()).to_dict() == without


def test_the_cache_of_decoders_is_bounded() -> None:
    for number in range(600):
        Decoder.of(typing.Literal[f"made for this test {number}"])
    assert len(Decoder._cache) <= Decoder._cache.limit <= 512
    assert Decoder.of(list[int]) is Decoder.of(list[int])


@pytest.mark.parametrize("levels", [1_000, 3_000, 50_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"type":"and","filters":['], ids=["lists", "objects", "filters"])
def test_deep_replies_have_one_error_or_none(levels: int, opening: bytes) -> None:
    raw = opening * levels
    closing = {b"[": b"]", b'{"a":': b"}", b'{"type":"and","filters":[': b"]}"}[opening]
    inner = b"" if opening.endswith(b"[") else b"1"
    for kind in (ChatCompletion, KINDS["CompoundFilter"], object):
        with contextlib.suppress(msgspec.DecodeError):
            Decoder.of(kind)(raw + inner + closing * levels)
        values, error = Decoder.of(kind).many([b"{}", raw + inner + closing * levels])
        assert error is None or isinstance(error, msgspec.DecodeError)
        assert values


def test_long_documents_of_unions_and_events() -> None:
    long = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 70_000}]}
    kind: Any = list[KINDS["ResponseItem"]]  # type: ignore[misc,name-defined]  # noqa: F821
    items = Decoder.of(kind)(json.dumps([long]).encode())
    assert items[0].content[0].text == "x" * 70_000
    output = [{"type": "additional_tools", "id": "i", "role": "user", "tools": [{"type": "function", "name": "f"}]}]
    reply: Any = Decoder.of(Response)(json.dumps({"id": "r", "output": output * 900, "tools": []}).encode())
    assert reply.output[-1].to_dict() == output[0]
    (first, second), error = Decoder.of(Response).many(
        [json.dumps({"tools": [{"type": "custom", "name": "c"}]}).encode()] * 2
    )
    assert error is None
    assert first.tools[0].name == second.tools[0].name == "c"
    with pytest.raises(msgspec.ValidationError):
        Decoder.of(CreateEmbeddingResponse).validate(b"{}")
    with pytest.raises(msgspec.ValidationError, match="missing required field `id`"):
        Decoder.of(Response).validate(b'{"tools": []}')
