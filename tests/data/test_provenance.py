"""aiopenai._data.provenance: each reply object knows the JSON object that it came from."""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import sys
import threading
import tracemalloc
import weakref
from typing import Any

import msgspec
import pytest

from aiopenai._data.codec import Decoder, batch_of
from aiopenai.types import CreateEmbeddingResponse
from aiopenai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessage,
)
from aiopenai.types.responses import Response
from tests.data.samples import BIG, CHAT, chunk, decode


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


def test_a_nested_object_outlives_its_reply() -> None:
    chat = decode(ChatCompletion, CHAT)
    message = chat.choices[2].message
    arguments = message.tool_calls[0].function
    del chat
    gc.collect()
    assert message.reasoning_content == "hm"
    assert message.to_dict() == CHAT["choices"][2]["message"]
    del message
    assert arguments.n == 2


def test_objects_made_by_msgspec_itself_cost_no_memory() -> None:
    value = {"role": "assistant", "content": "a" * 200}
    raw = json.dumps(value).encode()
    decode_itself = msgspec.json.Decoder(ChatCompletionMessage).decode
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20_000):
            decode_itself(raw)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


def test_a_refused_document_leaves_nothing_behind() -> None:
    from aiopenai._data import provenance

    for bad in (BIG[:-5], BIG.replace(b'"index": 8999', b'"index": "x"'), b"{"):
        with contextlib.suppress(msgspec.DecodeError):
            Decoder.of(ChatCompletionChunk).validate(bad)
        assert provenance._made == []


def test_documents_are_known_until_they_are_read() -> None:
    raws = [chunk("a"), chunk("b")]
    events, _ = Decoder.of(ChatCompletionChunk).many(raws)
    assert (batch_of(events[1]) or [None])[0] == raws
    assert events[1].choices[0].delta.reasoning == "b!"
    assert (batch_of(events[1]) or ["none"])[0] is None
    assert batch_of(ChatCompletionMessage(role="assistant")) is None
    assert batch_of(msgspec.convert({"role": "assistant"}, ChatCompletionMessage)) is None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the stack of C is counted apart")
def test_a_reply_is_read_again_where_the_stack_is_nearly_used_up() -> None:
    left = sys.getrecursionlimit() - len(inspect.stack()) - 60
    deep = b"[" * left + b"]" * left
    reply: Any = Decoder.of(ChatCompletionMessage)(b'{"role": "assistant", "deep": %b}' % deep)

    def further(calls: int) -> Any:
        return further(calls - 1) if calls else reply.deep

    assert type(further(80)) is list


def test_decodes_in_which_the_collector_runs() -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(100):
            reply: Any = Decoder.of(ChatCompletionChunk)(chunk("a", more=1))
            many, _ = Decoder.of(ChatCompletionChunk).many([chunk("b", more=2)] * 3)
            assert reply.to_dict() == json.loads(chunk("a", more=1))
            assert [each.more for each in many] == [2, 2, 2]
            long = json.loads(chunk("c"))
            long["choices"] *= 20
            assert Decoder.of(ChatCompletionChunk)(json.dumps(long).encode()).to_dict() == long
            vectors: Any = {"data": [{"index": 0, "object": "embedding", "embedding": [0.5]}], "model": "m"}
            vectors |= {"object": "list", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
            assert Decoder.of(CreateEmbeddingResponse)(json.dumps(vectors).encode()).to_dict() == vectors
    finally:
        gc.set_threshold(*threshold)
    assert gc.isenabled()


def test_replies_in_lists_and_dicts() -> None:
    messages = [{"role": "assistant", "content": None, "n": number} for number in range(3)]
    for kind, value in (
        (list[ChatCompletionMessage], messages),
        (dict[str, ChatCompletionMessage], {"a": messages[0]}),
    ):
        found: Any = Decoder.of(kind)(json.dumps(value).encode())
        items = found if isinstance(found, list) else [*found.values()]
        assert [item.to_dict() for item in items] == messages[: len(items)]
