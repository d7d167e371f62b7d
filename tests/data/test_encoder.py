"""aiopenai._data.encoder: bodies to bytes, and the values that may not be sent."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import io
import json
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI
from aiopenai._base.sentinels import not_given, omit
from aiopenai._data.codec import Decoder, encode
from aiopenai._data.structs import Model, OpenObject
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletion
from aiopenai.types.responses import Response
from tests.data.samples import OUTPUT, REPLY, sent
from tests.data.test_fidelity import KINDS, Maker


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


@pytest.mark.parametrize("count", [0, 1, 30])
@pytest.mark.parametrize("place", ["first", "last", "content", "parts", "beside"])
def test_a_reply_is_found_anywhere_in_a_body(count: int, place: str) -> None:
    """A short list of messages is searched in another way than a long one."""
    message = Decoder.of(ChatCompletion)(json.dumps(REPLY).encode()).choices[0].message
    expected = REPLY["choices"][0]["message"]  # type: ignore[index]
    plain = [{"role": "user", "content": None if number % 2 else "hi"} for number in range(count)]

    def body(reply: Any) -> dict[str, Any]:
        messages: list[Any] = {
            "first": [reply, *plain],
            "last": [*plain, reply],
            "content": [*plain, {"role": "user", "content": reply}],
            "parts": [*plain, {"role": "user", "content": [reply]}],
            "beside": plain,
        }[place]
        return {"model": "m", "messages": messages, "temperature": 0.5, "more": reply if place == "beside" else None}

    assert sent(body(message), "messages", "more") == body(expected)


@pytest.mark.parametrize("count", [1, 30])
def test_a_number_that_is_not_finite_is_found_anywhere(count: int) -> None:
    plain = [{"role": "user", "content": "hi"}] * count
    for body in (
        {"messages": plain, "temperature": float("nan")},
        {"messages": [*plain, {"role": "user", "content": float("inf")}]},
        {"messages": [*plain, float("inf")]},
        {"temperature": 1.0, "messages": [{"content": [float("-inf")]}, *plain]},
    ):
        with pytest.raises(ValueError, match="cannot be sent, as JSON has finite numbers only"):
            encode(body, ("messages",))


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


# Values of other classes than JSON's


class Words(str):
    """A str that shows itself otherwise, as markupsafe.Markup does."""

    def __str__(self) -> str:
        return "shown"

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a text is not a list of characters")


class Count(int):
    def __int__(self) -> int:
        return -1


class Share(float):
    pass


class Effort(str, enum.Enum):
    LOW = "low"


class Size(enum.IntEnum):
    BIG = 7


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Words("a"), "a"),
        ([Words("a"), {"b": Words("c")}], ["a", {"b": "c"}]),
        ({Words("k"): Words("v")}, {"k": "v"}),
        (Count(3), 3),
        (Share(0.5), 0.5),
        (Effort.LOW, "low"),
        (Size.BIG, 7),
        (True, True),
        ({Effort.LOW: Size.BIG, 1: 2, None: 3, False: 4}, {"low": 7, "1": 2, "null": 3, "false": 4}),
        (collections.OrderedDict(a=Words("b")), {"a": "b"}),
        (range(3), [0, 1, 2]),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.UserString("a"), "a"),
    ],
    ids=range(13),
)
@pytest.mark.parametrize("replay", [(), ("value",)])
def test_subclasses_go_out_as_their_values(value: Any, expected: Any, replay: tuple[str, ...]) -> None:
    assert sent({"value": value}, *replay) == {"value": expected}
    assert sent({"value": {"deep": [value]}}, *replay) == {"value": {"deep": [expected]}}


def test_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    body = {
        "temperature": numpy.float64(0.5),
        "top_p": numpy.float32(0.25),
        "n": numpy.int64(2),
        "stream": numpy.bool_(True),
        "stop": numpy.str_("x"),
        "input": numpy.array([[1, 2], [3, 4]]),
        "logit_bias": {numpy.int64(5): numpy.int32(-1)},
        "zero": numpy.array(1.5),
    }
    assert sent(body) == {
        "temperature": 0.5,
        "top_p": 0.25,
        "n": 2,
        "stream": True,
        "stop": "x",
        "input": [[1, 2], [3, 4]],
        "logit_bias": {"5": -1},
        "zero": 1.5,
    }
    for bad in (numpy.float64("nan"), numpy.float32("inf"), numpy.array([1.0, float("nan")])):
        with pytest.raises(ValueError, match="parameter 'top_p'"):
            encode({"n": None, "top_p": bad})


@dataclasses.dataclass
class Point:
    x: float


class Place(msgspec.Struct):
    points: list[Point]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), Share("nan")], ids=str)
@pytest.mark.parametrize("replay", [(), ("messages",)])
def test_nan_and_infinity_are_refused_by_name(number: float, replay: tuple[str, ...]) -> None:
    def refused(body: Any, where: str) -> None:
        with pytest.raises(ValueError, match=f"parameter {where}: {float(number)} cannot be sent"):
            encode(body, replay)

    refused({"model": "m", "temperature": number}, "'temperature'")
    refused(
        {"messages": [{"content": None}, {"content": {"a": (1, number)}}]},
        r"'messages' \(at messages\[1\].content.a\[1\]\)",
    )
    refused({"messages": [], "tools": [{"minimum": number}]}, r"'tools' \(at tools\[0\].minimum\)")
    refused({"messages": [], "place": Place([Point(1.0), Point(number)])}, r"'place' \(at place.points\[1\].x\)")
    refused({"messages": [], "a": omit, "top_p": number}, "'top_p'")
    refused({"messages": [], "a": iter([number])}, r"'a' \(at a\[0\]\)")


def test_null_and_finite_numbers_are_no_nan() -> None:
    body = {"temperature": 0.5, "x": [None, {"y": 1e308}], "text": "null", "messages": [{"content": None, "n": 0.1}]}
    assert sent(body) == sent(body, "messages") == body


def test_the_place_of_a_value_that_cannot_be_sent() -> None:
    body = {"model": "m", "messages": [{"content": "a"}, {"content": [{"data": Odd()}]}]}
    with pytest.raises(
        TypeError, match=r"parameter 'messages' \(at messages\[1\].content\[0\].data\): an object of type Odd"
    ):
        encode(body)
    with pytest.raises(TypeError, match=r"'response_format'.*the class Odd.*`parse` and `stream` take classes"):
        encode({"response_format": Odd})
    with pytest.raises(TypeError, match="an object of type Odd"):
        encode(Odd())
    with pytest.raises(ValueError, match="nan"):
        encode([None, float("nan")])


def test_a_reply_among_other_objects_is_found() -> None:
    message = Decoder.of(ChatCompletion)(json.dumps(REPLY).encode()).choices[0].message
    expected = REPLY["choices"][0]["message"]  # type: ignore[index]
    for messages in (
        [Point(1.0), message],
        ({"a": message},),
        collections.deque([message]),
        {"a": message}.values(),
        types.MappingProxyType({"a": message}),
    ):
        found = json.dumps(sent({"messages": messages}, "messages"), sort_keys=True)
        assert json.dumps(expected, sort_keys=True) in found


def test_long_bodies_do_not_hold_up_the_loop() -> None:
    text = "Tell me about null and bees. " * (24 * 2**20 // 29)
    bodies: list[Any] = [
        {"model": "m", "temperature": 0.5, "messages": [{"role": "user", "content": text}]},
        {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": text[: 2**20]}] * 24}]},
    ]
    bare = msgspec.json.Encoder().encode
    for body in bodies:
        for _ in range(5):  # one quiet moment of the machine is enough
            ours = min(took(lambda body=body: encode(body, ("messages",))) for _ in range(3))
            theirs = min(took(lambda body=body: bare(body)) for _ in range(3))
            if ours < 2 * theirs:
                break
        else:
            pytest.fail(f"{ours:.4f} s, a bare encode {theirs:.4f} s")


def took(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
