"""aiopenai._data.codec: bytes to replies, and bodies to bytes."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import gc
import io
import json
import subprocess
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiopenai import AsyncOpenAI
from aiopenai._base.sentinels import not_given, omit
from aiopenai._data.codec import Decoder, decode_json, encode
from aiopenai._data.structs import Model, OpenObject
from aiopenai.errors import APIResponseValidationError
from aiopenai.testing import Server
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage
from aiopenai.types.responses import Response, ResponseStreamEvent
from tests.data.test_fidelity import KINDS, Maker, check


def chunk(content: Any, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content, "reasoning": f"{content}!"}, "finish_reason": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return json.dumps({**head, "choices": [choice], **more}).encode()


# Decoding


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


def test_decoding_within_decoding() -> None:
    """A finalizer that the garbage collector runs while a reply is being decoded may decode, too."""
    decoded: list[Any] = []

    class Trap:
        def __init__(self) -> None:
            self.cycle = self

    def spring() -> None:
        decoded.append(Decoder.of(ChatCompletionChunk)(chunk("inner")))
        decoded.extend(Decoder.of(ChatCompletionChunk).many([chunk("many")] * 2)[0])

    logprobs = {"content": [{"token": str(i), "logprob": 0.5, "top_logprobs": [], "n": i} for i in range(2000)]}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}, "logprobs": logprobs}
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    raw = json.dumps(whole | {"tracked": [[]]}).encode()
    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for decode in (Decoder.of(ChatCompletion), lambda raw: Decoder.of(ChatCompletion).many([raw, raw])[0][1]):
            decoded.clear()
            weakref.finalize(Trap(), spring)
            reply: Any = decode(raw)
            gc.collect()
            assert [each.choices[0].delta.reasoning for each in decoded] == ["inner!", "many!", "many!"]
            assert reply.to_dict() == json.loads(raw)
    finally:
        gc.set_threshold(*threshold)


BIG = json.dumps(
    {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": at, "delta": {"content": "a", "more": at}, "finish_reason": None} for at in range(9_000)],
    }
).encode()


def test_the_collector_stands_still_while_a_big_reply_is_decoded() -> None:
    phases: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        del info
        phases.append(phase)

    decode = Decoder.of(ChatCompletionChunk)
    gc.collect()
    gc.callbacks.append(note)
    try:
        decoded = decode(BIG)
        during = len(phases)
    finally:
        gc.callbacks.remove(note)
    assert gc.isenabled()
    assert decoded.choices[-1].delta.more == 8_999
    # It would have looked 25 times and more, each time with two phases: for 700 new objects, of which there are 18,000.
    assert during <= 2


@pytest.mark.parametrize("raw", [BIG, BIG[:-5], BIG.replace(b'"created": 1', b'"created": "x"')], ids=len)
def test_the_collector_is_left_as_it_was(raw: bytes) -> None:
    decode = Decoder.of(ChatCompletionChunk).validate
    for was_on in (True, False):
        gc.enable() if was_on else gc.disable()
        try:
            with contextlib.suppress(msgspec.DecodeError):
                decode(raw)
            assert gc.isenabled() is was_on
        finally:
            gc.enable()


def test_threads_do_not_mix_up_what_they_decode() -> None:
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            start.wait()
            for turn in range(150):
                name = f"{number}-{turn}"
                one: Any = Decoder.of(ChatCompletionChunk)(chunk(name, owner=name))
                lenient: Any = Decoder.of(ChatCompletionChunk)(chunk(name, owner=name, created=name))
                many, _ = Decoder.of(ChatCompletionChunk).many([chunk(name, owner=name)] * 3)
                answer: Any = Decoder.of(Response)(
                    json.dumps({"id": name, "output": [{"type": name}], "o": name}).encode()
                )
                for each in (one, lenient, *many):
                    assert each.owner == name
                    assert each.choices[0].delta.reasoning == f"{name}!"
                    assert each.choices[0].delta.model_fields_set == {"content", "reasoning"}
                assert answer.output[0].type == answer.o == name
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures


def test_threads_share_one_reply() -> None:
    for _ in range(20):
        shared: Any = Decoder.of(ChatCompletionChunk)(chunk("a", extra={"b": 1}))
        start = threading.Barrier(4)
        seen: list[Any] = []

        def work(reply: Any = shared, start: Any = start, seen: list[Any] = seen) -> None:
            start.wait()
            seen.append((reply.to_dict(), reply.choices[0].delta.reasoning, reply.extra))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [(json.loads(chunk("a", extra={"b": 1})), "a!", {"b": 1})] * 4


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


def test_objects_made_by_msgspec_itself_are_not_kept() -> None:
    value = {"role": "assistant", "content": "a", "lost": 1}
    made = msgspec.convert(value, ChatCompletionMessage)
    references = sys.getrefcount(made)
    reply: Any = Decoder.of(ChatCompletionChunk)(chunk("a"))
    assert reply.choices[0].delta.reasoning == "a!"
    assert sys.getrefcount(made) == references == 2
    assert made.to_dict() == {"role": "assistant", "content": "a"}


def test_objects_made_by_msgspec_in_other_threads_keep_out_of_replies() -> None:
    """Each decode knows its own objects, whatever other threads make meanwhile."""
    stop = threading.Event()
    value = {"role": "assistant", "content": "other", "tool_calls": [{"type": "function", "id": "i", "function": {}}]}
    failures: list[Any] = []

    def convert() -> None:
        while not stop.is_set():
            made = msgspec.convert(value, ChatCompletionMessage)
            if made.to_dict().keys() != value.keys():
                failures.append(made)

    raw = chunk("mine", owner={"a": None}) + b" " * 64
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=convert) for _ in range(2)]
    try:
        for thread in threads:
            thread.start()
        for turn in range(1500):
            replies = (
                Decoder.of(ChatCompletionChunk).many([raw] * 3)[0]
                if turn % 3
                else [Decoder.of(ChatCompletionChunk)(raw)]
            )
            for reply in replies:
                assert reply.to_dict() == json.loads(raw)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert not failures


# Encoding


def sent(body: Any, *replay: str) -> Any:
    return json.loads(encode(body, replay))


def test_plain_bodies() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "é🙂\u2028"}], "n": 1, "x": [None, True, 1.5, 2**70]}
    assert sent(body, "messages") == body
    assert sent(["a"]) == ["a"]
    assert encode({"a": "é"}) == '{"a":"é"}'.encode()


def test_omit_is_left_out_at_any_depth() -> None:
    body = {
        "a": omit,
        "b": {"c": omit, "d": [1, omit, {"e": omit, "f": not_given, "g": None}]},
        "h": (omit, 2),
        "i": types.MappingProxyType({"j": omit, "k": 1}),
    }
    assert sent(body) == {"b": {"d": [1, {"g": None}]}, "h": [2], "i": {"k": 1}}
    assert body["a"] is omit


def test_iterables() -> None:
    def messages() -> Iterator[Any]:
        yield {"role": "user", "content": (part for part in ["a", "b"])}
        yield types.MappingProxyType({"role": "user"})

    expected = [{"role": "user", "content": ["a", "b"]}, {"role": "user"}]
    assert sent({"messages": messages()}) == {"messages": expected}
    assert sent({"messages": messages()}, "messages") == {"messages": expected}
    # Where the body has to be gone through twice, iterators are not: they would be empty then.
    assert sent({"messages": messages(), "x": {"y": omit}}) == {"messages": expected, "x": {}}
    assert sent({"x": {"y": omit}, "messages": messages()}, "messages") == {"messages": expected, "x": {}}
    assert sent({"messages": collections.deque(expected)}, "messages") == {"messages": expected}
    assert sent({"m": tuple(expected), "s": {1}, "k": {"a": 1}.keys(), "u": collections.UserDict(a=1)}) == {
        "m": expected,
        "s": [1],
        "k": ["a"],
        "u": {"a": 1},
    }


def test_objects_of_the_user() -> None:
    @dataclasses.dataclass
    class Data:
        a: int
        b: datetime.date

    class Struct(msgspec.Struct):
        c: int

    class Looks:
        def model_dump(self, **options: Any) -> Any:
            assert options == {"mode": "json", "by_alias": True, "exclude_unset": True}
            return {"d": 1}

    body = {"data": Data(1, datetime.date(2025, 1, 2)), "struct": [Struct(2)], "model": Looks()}
    expected = {"data": {"a": 1, "b": "2025-01-02"}, "struct": [{"c": 2}], "model": {"d": 1}}
    assert sent(body) == expected
    assert sent({"messages": [Struct(2), Looks()]}, "messages") == {"messages": [{"c": 2}, {"d": 1}]}


def test_pydantic_objects() -> None:
    pydantic = pytest.importorskip("pydantic")

    class User(pydantic.BaseModel):  # type: ignore[name-defined,misc]
        name: str
        born: datetime.date
        alias: int = pydantic.Field(default=1, alias="theAlias")

    user = User(name="a", born=datetime.date(2025, 1, 2), theAlias=3)
    expected = {"name": "a", "born": "2025-01-02", "theAlias": 3}
    assert sent({"messages": [user], "x": {"y": user}}, "messages") == {"messages": [expected], "x": {"y": expected}}


class Odd:
    pass


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Odd(), "an object of type Odd cannot be sent as JSON"),
        ({"deep": [Odd()]}, "an object of type Odd cannot be sent as JSON"),
        (Odd, "the class Odd cannot be sent as JSON"),
        (io.BytesIO, "an object of type BytesIO cannot be sent as JSON"),
        (lambda: print, "an object of type builtin_function_or_method cannot be sent as JSON"),
        ("cut \ud83d", "surrogates not allowed"),
        (1j, "complex"),
        ({(1, 2): 3}, "keys"),
        (lambda: iter([Odd()]), "an object of type Odd cannot be sent as JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("replay", [(), ("messages",)])
def test_what_json_cannot_have(value: Any, reason: str, replay: tuple[str, ...]) -> None:
    for within in (lambda value: [value], lambda value: {"a": value}, lambda value: (each for each in [value])):
        fresh = value() if value is io.BytesIO or isinstance(value, types.FunctionType) else value
        with pytest.raises(TypeError, match=rf"(?s)parameter 'messages'.*({reason})"):
            encode({"model": "m", "messages": within(fresh), "n": 1}, replay)


def test_a_cycle() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    for replay in ((), ("messages",)):
        with pytest.raises(TypeError, match="'messages': maximum recursion"):
            encode({"messages": cycle}, replay)
        with pytest.raises(TypeError, match="maximum recursion"):
            encode({"messages": (each for each in cycle)}, replay)


@pytest.mark.parametrize("value", [5, b"abc", 1.5, True, None, "text", {}])
def test_replay_parameters_of_odd_types_are_the_servers_to_judge(value: Any) -> None:
    assert sent({"input": value}, "input", "messages")["input"] in (value, "YWJj")


def test_omit_where_it_cannot_be_left_out() -> None:
    @dataclasses.dataclass
    class Data:
        a: Any

    with pytest.raises(TypeError, match="omit"):
        encode({"x": Data(omit)})


def test_only_one_look_at_big_bodies() -> None:
    """24 MiB of images in messages: no walk that grows with the text, no copy, one encode."""
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (2**20)}} for _ in range(24)]
    body = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    bare = msgspec.json.Encoder().encode

    def took(function: Callable[[], Any]) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    for _ in range(5):  # one quiet moment of the machine is enough
        ours = min(took(lambda: encode(body, ("messages",))) for _ in range(5))
        theirs = min(took(lambda: bare(body)) for _ in range(5))
        if ours < 1.5 * theirs:
            break
    else:
        pytest.fail(f"{ours:.4f} s, a bare encode {theirs:.4f} s")


def test_nothing_is_walked_that_is_not_named() -> None:
    class Watched(dict[str, Any]):
        looked = 0

        def __iter__(self) -> Iterator[str]:
            Watched.looked += 1
            return super().__iter__()

        def items(self) -> Any:
            Watched.looked += 1
            return super().items()

        def values(self) -> Any:
            Watched.looked += 1
            return super().values()

    assert sent({"metadata": Watched(a=1), "messages": [{"a": 1}]}, "messages")["metadata"] == {"a": 1}
    assert Watched.looked == 0


# Output as input


REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "I should look.",
                "reasoning_details": [{"type": "reasoning.text", "text": "I should look.", "signature": None}],
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{}"},
                        "extra_content": {"google": {"thought_signature": "abc"}},
                    }
                ],
            },
        }
    ],
}
OUTPUT = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", "status": None},
    {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
    {"type": "a_new_kind", "id": "n_1", "payload": {"a": None}},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}],
    },
]


@pytest.mark.parametrize("spoiled", [{}, {"object": ""}])
def test_a_chat_message_goes_back_as_it_came(spoiled: dict[str, Any]) -> None:
    reply = Decoder.of(ChatCompletion)(json.dumps(REPLY | spoiled).encode())
    message = reply.choices[0].message
    expected = REPLY["choices"][0]["message"]  # type: ignore[index]
    user = {"role": "user", "content": "hi"}
    assert sent({"messages": [user, message]}, "messages") == {"messages": [user, expected]}
    assert sent({"messages": (each for each in [user, message])}, "messages") == {"messages": [user, expected]}
    # A message of the user's own with parts of a reply.
    own = {"role": "assistant", "tool_calls": message.tool_calls, "content": omit}
    assert sent({"messages": [own]}, "messages") == {
        "messages": [{"role": "assistant", "tool_calls": expected["tool_calls"]}]  # type: ignore[index]
    }
    assert sent({"messages": [message.to_dict()]}) == {"messages": [expected]}
    message.content = "changed"
    assert sent({"messages": [message]}, "messages")["messages"][0]["content"] == "changed"


@pytest.mark.parametrize("spoiled", [{}, {"status": "unheard_of"}])
def test_output_items_go_back_as_they_came(spoiled: dict[str, Any]) -> None:
    raw = json.dumps({"id": "resp_1", "object": "response", "output": OUTPUT, **spoiled}).encode()
    reply: Any = Decoder.of(Response)(raw)
    assert type(reply.output[2]) is OpenObject
    result = {"type": "function_call_output", "call_id": "c", "output": "1"}
    assert sent({"input": [*reply.output, result]}, "input") == {"input": [*OUTPUT, result]}
    assert sent({"input": reply.output}, "input") == {"input": OUTPUT}


async def test_replies_sent_back_through_the_client(server: Server, client: AsyncOpenAI) -> None:
    server.reply_with("/chat/completions", REPLY)
    server.reply_with("/responses", {"id": "resp_1", "object": "response", "output": OUTPUT})
    reply = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    await client.chat.completions.create(model="m", messages=[reply.choices[0].message])  # type: ignore[list-item]
    answer = await client.responses.create(model="m", input="x")
    await client.responses.create(model="m", input=answer.output)  # type: ignore[arg-type]
    assert server.requests_for("/chat/completions")[1].json()["messages"] == [REPLY["choices"][0]["message"]]  # type: ignore[index]
    assert server.requests_for("/responses")[1].json()["input"] == OUTPUT


@pytest.mark.parametrize("name", ["ChatCompletionMessage", "ResponseOutputItem", "ResponseInputItem", "ResponseItem"])
def test_every_kind_of_item_goes_back_as_it_came(name: str) -> None:
    for seed in range(50):
        value = Maker(seed).valid(KINDS[name])
        item = Decoder.of(KINDS[name])(json.dumps(value).encode())
        assert isinstance(item, Model)
        assert sent({"input": [item]}, "input") == {"input": [value]}
