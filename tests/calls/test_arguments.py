"""aiopenai._calls.arguments: arguments become a request, or an error that names the argument."""

from __future__ import annotations

import io
import types
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI, OpenAI, omit
from aiopenai._calls.arguments import Builder, Signature, add_options, later
from aiopenai._calls.request import Endpoint, Request
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionMessage


def signature(self: Any, thing: str, *, model: str, messages: Any = omit, tools: Any = omit, temperature: Any = omit,
              include: Any = omit, file: Any = omit, mask: Any = omit) -> None: ...  # fmt: skip


def builder(**facts: Any) -> Builder:
    endpoint = Endpoint(method=facts.pop("method", "POST"), path=facts.pop("path", "/things/{thing}"))
    return Builder(signature, endpoint, name="create", **facts)


def build(*args: Any, facts: Any = types.MappingProxyType({}), **given: Any) -> Request[Any]:
    return builder(**facts).build(args, given)


def test_a_plain_request() -> None:
    request = build("a b", model="m", temperature=0.5, messages=[])
    assert (request.path, request.body, request.query) == (
        "/things/a%20b",
        {"model": "m", "temperature": 0.5, "messages": []},
        None,
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("temprature", "temperature"),
        ("Temperature", "temperature"),
        ("mesages", "messages"),
        ("time_out", "timeout"),
        ("extra_header", "extra_headers"),
        ("includes", "include"),
    ],
)
def test_misspelt_names_get_a_suggestion(name: str, near: str) -> None:
    expected = rf"create\(\) got an unexpected keyword argument '{name}'; did you mean '{near}'\?"
    with pytest.raises(TypeError, match=expected):
        build("x", model="m", **{name: 1})


def test_repeated_calls_are_checked_as_the_first_one() -> None:
    """The names of a call that was right are remembered: their values, other names and other forms are not."""
    build = builder().build
    right: dict[str, Any] = {"thing": "x", "model": "m", "messages": []}
    for _ in range(2):
        assert build((), dict(right)).body == {"model": "m", "messages": []}
        assert build(("x",), {"model": "m", "messages": [1]}).body == {"model": "m", "messages": [1]}
        assert build((), {**right, "messages": ({"a": 1},)}).body["messages"] == ({"a": 1},)
        request = build((), {**right, "timeout": 3})
        assert request.options == {"timeout": 3}
        assert request.body == {"model": "m", "messages": []}
        with pytest.raises(TypeError, match="takes a list as 'messages', not str"):
            build((), {**right, "messages": "hi"})
        with pytest.raises(TypeError, match="takes a list as 'messages', not dict"):
            build(("x",), {"model": "m", "messages": {}})
        with pytest.raises(TypeError, match="multiple values for argument 'thing'"):
            build(("x",), dict(right))
        with pytest.raises(TypeError, match="missing required arguments: 'model'"):
            build((), {"thing": "x", "messages": []})
        with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
            build((), {**right, "wrong": 1})
        with pytest.raises(TypeError, match="unexpected keyword argument 'wrong'"):
            build((), {**right, "timeout": 3, "wrong": 1})


def test_unknown_and_missing_names() -> None:
    with pytest.raises(
        TypeError, match="unexpected keyword argument 'zzz'; parameters not listed here go into extra_body"
    ):
        build("x", model="m", zzz=1)
    with pytest.raises(TypeError, match=r"create\(\) is missing required arguments: 'model', 'thing'"):
        build()
    with pytest.raises(TypeError, match="takes 1 positional arguments but 2 were given"):
        build("x", "y", model="m")
    with pytest.raises(TypeError, match="got multiple values for argument 'thing'"):
        build("x", thing="x", model="m")
    with pytest.raises(ValueError, match="thing"):
        build("", model="m")
    with pytest.raises(TypeError, match=r"missing required arguments: 'file' or 'include', 'mask'"):
        build("x", model="m", facts={"needs": (("file",), ("include", "mask"))})


SINGLE: list[Any] = [
    "text",
    b"text",
    {"role": "user", "content": "a"},
    types.MappingProxyType({"role": "user"}),
    ChatCompletionMessage(role="assistant", content="a"),
    5,
    True,
    msgspec.defstruct("Own", [("a", int)])(1),
]


@pytest.mark.parametrize("value", SINGLE, ids=range(len(SINGLE)))
@pytest.mark.parametrize("name", ["messages", "tools", "include"])
def test_single_values_are_no_lists(name: str, value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(
        TypeError, match=rf"create\(\) takes a list as '{name}', not {kind}: put single items in a list"
    ):
        build("x", model="m", **{name: value})


LISTED: list[Any] = [[], ({"a": 1},), deque(), iter([]), (each for each in ()), {"a": 1}.values(), None, omit, range(2)]


@pytest.mark.parametrize("value", LISTED, ids=range(len(LISTED)))
def test_iterables_are_lists(value: Any) -> None:
    request = build("x", model="m", tools=value)
    assert request.body["model"] == "m"


def test_lists_outside_of_json_are_not_checked() -> None:
    assert build("x", model="m", include="a", facts={"query": ("include",)}).query == {"include": "a"}
    assert build("x", model="m", include="a", facts={"method": "GET"}).query == {"model": "m", "include": "a"}
    assert build("x", model="m", include="a", facts={"files": ("file",)}).body == {"model": "m", "include": "a"}


async def test_both_clients_refuse_before_sending(server: Server, client: AsyncOpenAI) -> None:
    before = len(server.journal)
    with pytest.raises(TypeError, match="'messages', not str"):
        await client.chat.completions.create(model="m", messages="hi")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        await client.chat.completions.create(model="m", messages=[], temprature=1)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="parameter 'top_p': nan"):
        await client.chat.completions.create(model="m", messages=[], top_p=float("nan"))
    with OpenAI(api_key="k", base_url=str(client.base_url)) as blocking:
        with pytest.raises(TypeError, match="'messages', not dict"):
            blocking.chat.completions.create(model="m", messages={"role": "user"})  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="parameter 'temperature': inf"):
            blocking.chat.completions.create(model="m", messages=[], temperature=float("inf"))
    assert len(server.journal) == before


# Files


class Named(io.BytesIO):
    def __init__(self, name: Any) -> None:
        super().__init__(b"1")
        self.name = name


NO_FILES: list[Any] = [{"a": 1}, {}, 5, 1.5, "text", object(), io.StringIO("a"), ["text"], [{"a": 1}], Path]


@pytest.mark.parametrize("value", NO_FILES, ids=range(len(NO_FILES)))
async def test_values_that_are_no_files(value: Any, server: Server, client: AsyncOpenAI) -> None:
    before = len(server.journal)
    with pytest.raises(TypeError, match="file"):
        await client.files.create(file=value, purpose="batch")
    assert len(server.journal) == before


@pytest.mark.parametrize("name", [Path("folder/a.jsonl"), "folder/a.jsonl", "a.jsonl"])
async def test_names_of_file_objects(name: Any, server: Server, client: AsyncOpenAI) -> None:
    await client.files.create(file=Named(name), purpose="batch")
    (part,) = [part for part in server.journal[-1].multipart() if part.name == "file"]
    assert part.filename == "a.jsonl"


def test_files_and_references() -> None:
    facts = {"files": ("file", "mask", "mask[]")}
    assert build("x", model="m", mask={"id": "file-1"}, facts=facts).body == {"model": "m", "mask": {"id": "file-1"}}
    assert build("x", model="m", file=omit, mask=None, facts=facts).files is None
    assert build("x", model="m", mask=[b"1", b"2"], facts=facts).files == [("mask[]", b"1"), ("mask[]", b"2")]
    assert build("x", model="m", mask=("n", b"1"), facts=facts).files == [("mask", ("n", b"1"))]
    with pytest.raises(TypeError, match="needs one file as 'file', not a list of 1"):
        build("x", model="m", file=[b"1"], facts=facts)


# The rest of the facts


def test_headers_names_and_keys() -> None:
    facts: dict[str, Any] = {
        "header_params": {"include": "X-Include"},
        "wire": {"temperature": "temp"},
        "nested": {"tools[].function.*.kind_": "kind", "messages.a_": "a"},
    }
    tools = [{"function": {"x": {"kind_": 1, "b": 2}, "y": 5}}, "odd", {}]
    request = build("x", model="m", include=["a", 1], temperature=1, tools=tools, messages=[], facts=facts)
    assert request.headers == {"X-Include": "a,1"}
    assert request.body == {
        "model": "m",
        "temp": 1,
        "messages": [],
        "tools": [{"function": {"x": {"kind": 1, "b": 2}, "y": 5}}, "odd", {}],
    }
    assert tools[0]["function"]["x"] == {"kind_": 1, "b": 2}  # type: ignore[index]
    single = build("x", model="m", include="a", messages=[{"a": 1}], facts={"header_params": {"include": "X-Include"}})
    assert single.headers == {"X-Include": "a"}


def test_typed_parts() -> None:
    facts: dict[str, Any] = {
        "typed_parts": {"temperature": "application/sdp", "tools": "application/json"},
        "sole_part": "temperature",
    }
    request = build("x", model="m", temperature="v=0", tools=[1], facts=facts)
    assert request.files == [
        ("temperature", (None, b"v=0", "application/sdp")),
        ("tools", (None, b"[1]", "application/json")),
    ]
    assert request.body == {"model": "m"}
    with pytest.raises(TypeError, match="'temperature' must be a str, not int"):
        build("x", model="m", temperature=5, facts=facts)

    def alone(self: Any, *, temperature: Any) -> None: ...

    endpoint = Endpoint(method="POST", path="/x")
    sole = Builder(alone, endpoint, name="alone", **facts).build((), {"temperature": "v=0"})
    assert (sole.content, sole.body, sole.headers) == (b"v=0", None, {"Content-Type": "application/sdp"})


def test_replies_by_a_parameter_and_preparation() -> None:
    facts: dict[str, Any] = {
        "chosen_by": "temperature",
        "replies": {"text": str},
        "prepare": "aiopenai.lib.embeddings:prepare",
    }
    request = build("x", model="m", temperature="text", facts=facts)
    assert request.endpoint.reply is str
    assert request.body["encoding_format"] == "base64"
    assert build("x", model="m", temperature=5, facts=facts).endpoint.reply is None
    assert later("json:dumps")([1]) == "[1]"


def test_options() -> None:
    request = build("x", model="m", extra_headers={"A": "b"}, extra_query={"q": 1}, extra_body={"z": 1}, timeout=5)
    assert (request.headers, request.query, request.body) == ({"A": "b"}, {"q": 1}, {"model": "m", "z": 1})
    assert request.options == {"timeout": 5}
    bare = Request(endpoint=Endpoint(method="GET", path="/x"), path="/x")
    add_options(bare, {"extra_body": [1]})
    assert bare.body == [1]
    with pytest.raises(TypeError, match="extra_body must be a mapping to be merged into the body, not list"):
        build("x", model="m", extra_body=[1])
    found = Signature(signature, "create")
    assert found.required == {"thing", "model"}
