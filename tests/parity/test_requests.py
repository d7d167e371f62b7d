"""For every HTTP method, the request of our client is the reference's request."""

from __future__ import annotations

import copy
import functools
import io
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aiopenai
from aiopenai import AsyncOpenAI
from aiopenai._base.querystring import encode_query
from aiopenai.testing import Server

from .arguments import NOTHING, Known, everything, is_type, members, required
from .exchange import Sent, answer_anything, record
from .surface import calls, resolve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Without `resume`, which is not sent.
METHODS = {
    method.name: method._replace(parameters=[each for each in method.parameters if each.name != "resume"])
    for method in calls()
}
NAMES = sorted(METHODS)

# Instead of a file there may be an object that names one, which the reference allows in its types and refuses to send.
OBJECTS_FOR_FILES = {"videos.create": "input_reference", "videos.edit": "video", "videos.extend": "video"}
# For which null is an error in the reference, whatever its types say.
NEVER_NULL = {"betas", "sdp"}

STRICT = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
# What `parse` takes of what its types allow: strict functions in the one API; in the other no second format, no
# tools in the form of the one, and no input that says how the answer is written.
PARSED: dict[str, dict[str, Any]] = {
    "chat.completions.parse": {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": STRICT, "strict": True}}]
    },
    "responses.parse": {
        "text": {"verbosity": "low"},
        "tools": next(everything(METHODS["responses.create"]))["tools"],
    },
}
PARSED["beta.chat.completions.parse"] = PARSED["chat.completions.parse"]
# Options of the helper, which has tests of its own (tests/lib/beta). The reference takes no sentinel for them.
PARSED["beta.agents.sessions.create"] = {"output_type": None, "tool_handlers": None}


def taken(name: str) -> Known:
    """The values of this method's parameters that its types do not tell."""
    values = PARSED.get(name, {})
    return lambda parameter, owner: values.get(parameter, NOTHING) if owner is None else NOTHING


Send = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[tuple[Sent, Sent]]]


@pytest.fixture
def send(server: Server, ours: AsyncOpenAI, theirs: Any) -> Send:
    """Make a call on both clients and give what arrived."""
    answer_anything(server)

    async def send(call: Callable[[Any], Any]) -> tuple[Sent, Sent]:
        mine = await record(server, lambda: call(ours))
        return mine, await record(server, lambda: call(theirs))

    return send


@pytest.mark.parametrize("name", NAMES)
async def test_required_arguments(send: Send, name: str) -> None:
    arguments = required(METHODS[name])
    mine, theirs = await send(lambda client: resolve(client, name)(**arguments))
    assert mine == theirs


@pytest.mark.parametrize("name", NAMES)
async def test_all_arguments(send: Send, name: str) -> None:
    refused = OBJECTS_FOR_FILES.get(name)
    for arguments in everything(METHODS[name], taken(name)):
        if isinstance(arguments.get(refused), dict):
            continue
        before = copy.deepcopy(arguments)
        mine, theirs = await send(lambda client: resolve(client, name)(**arguments))  # noqa: B023
        assert mine == theirs
        assert arguments == before


@pytest.mark.parametrize("name", OBJECTS_FOR_FILES)
async def test_objects_for_files(server: Server, ours: AsyncOpenAI, theirs: Any, name: str) -> None:
    """Fields of the form."""
    answer_anything(server)
    arguments = {**required(METHODS[name]), OBJECTS_FOR_FILES[name]: {"id": "video"}}
    with pytest.raises(RuntimeError, match="Expected entry at"):
        await resolve(theirs, name)(**arguments)
    mine = await record(server, lambda: resolve(ours, name)(**arguments))
    assert (f"{OBJECTS_FOR_FILES[name]}[id]", None, None, b"video") in mine.body


@pytest.mark.parametrize("name", [name for name in NAMES if METHODS[name].streams])
async def test_streams(server: Server, send: Send, name: str) -> None:
    answer_anything(server, stream=True)
    arguments = required(METHODS[name])
    if "stream" in {parameter.name for parameter in METHODS[name].parameters}:
        arguments["stream"] = True
    mine, theirs = await send(lambda client: resolve(client, name)(**arguments))
    assert mine == theirs


@pytest.mark.parametrize("name", NAMES)
async def test_none_for_everything(send: Send, name: str) -> None:
    """null in a body, nothing in a query: whatever the types say."""
    needed = required(METHODS[name])
    arguments: dict[str, Any] = {}
    for parameter in METHODS[name].parameters:
        kinds = members(parameter.kind)
        never = parameter.name in NEVER_NULL or parameter.name in PARSED.get(name, ()) or any(map(is_type, kinds))
        if parameter.in_path or never or os.PathLike in kinds:
            if parameter.needed:
                arguments[parameter.name] = needed[parameter.name]
        else:
            arguments[parameter.name] = None
    mine, theirs = await send(lambda client: resolve(client, name)(**arguments))
    assert mine == theirs


@pytest.mark.parametrize("name", NAMES)
async def test_omitted_arguments(send: Send, reference: Any, name: str) -> None:
    def call(client: Any) -> Any:
        nothing = aiopenai.omit if isinstance(client, AsyncOpenAI) else theirs_omit
        names = {parameter.name for parameter in METHODS[name].parameters}
        without = {parameter for parameter, value in PARSED.get(name, {}).items() if value is None}
        return resolve(client, name)(**{**dict.fromkeys(names - without, nothing), **required(METHODS[name])})

    import openai

    theirs_omit = openai.omit
    mine, theirs = await send(call)
    assert mine == theirs


ODD = [
    "a b",
    "a/b",
    "a%2Fb",
    "a?b=c",
    "a#b",
    "ünï",
    "…",
    "ft:gpt-4o:org::id",
    "a+b&c",
    "...",
    "'\"<>\\^`{|}~",
    "a;b,c=d@e!$()*",
]


@pytest.mark.parametrize("value", ODD)
async def test_odd_path_arguments(send: Send, value: str) -> None:
    for name in ("models.retrieve", "responses.input_items.list", "files.delete"):
        mine, theirs = await send(lambda client: resolve(client, name)(value))  # noqa: B023
        assert mine == theirs


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_path_arguments_that_cannot_be(ours: AsyncOpenAI, theirs: Any, value: str) -> None:
    for client in (ours, theirs):
        with pytest.raises(ValueError, match="model"):
            await client.models.retrieve(value)


QUERIES: dict[str, Any] = {
    "text": "a b&c=d+e/é?",
    "empty": "",
    "null": None,
    "integer": 3,
    "float": 0.5,
    "yes": True,
    "no": False,
    "array": ["a", "b"],
    "empty array": [],
    "array of null": [None, "a"],
    "object": {"a": "b", "c": {"d": [1, 2]}},
    "array of objects": [{"a": 1}, {"b": 2}],
    "name[with]": "brackets",
}


@pytest.mark.parametrize("name", ["models.list", "responses.retrieve", "files.delete", "responses.create"])
async def test_extra_query(send: Send, name: str) -> None:
    arguments = required(METHODS[name])
    mine, theirs = await send(lambda client: resolve(client, name)(**arguments, extra_query=QUERIES))
    assert mine == theirs


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NESTED = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3)
)


@given(st.dictionaries(st.text(), NESTED, max_size=4))
def test_any_query(reference: Any, query: dict[str, Any]) -> None:
    assert parse_qsl(encode_query(query), True) == parse_qsl(_quoting(reference).stringify(query), True)


@functools.cache
def _quoting(reference: Any) -> Any:
    return reference(api_key="test").qs


@pytest.mark.parametrize("query", [{key: value} for key, value in QUERIES.items()], ids=list(QUERIES))
async def test_default_query(server: Server, reference: Any, query: dict[str, Any]) -> None:
    answer_anything(server)
    seen: list[Sent] = []
    for kind in (AsyncOpenAI, reference):
        async with kind(api_key="test", base_url=server.base_url, default_query=query) as client:
            seen.append(await record(server, lambda: client.files.list(after="x", extra_query={"more": [1]})))
    assert seen[0] == seen[1]


async def test_query_wins_in_the_same_order(send: Send) -> None:
    mine, theirs = await send(
        lambda client: client.responses.retrieve(
            "r", include=["reasoning.encrypted_content", "file_search_call.results"], extra_query={"include": ["other"]}
        )
    )
    assert mine == theirs
    assert mine.query == [("include[]", "other")]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-More": "1"},
        {"authorization": "Bearer other"},
        {"AUTHORIZATION": "Bearer other", "OpenAI-Project": "other"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"accept": "text/plain"},
        {"x-stainless-retry-count": "7"},
        {"Idempotency-Key": "once"},
        {"openai-beta": "assistants=v2"},
    ],
    ids=str,
)
async def test_extra_headers(send: Send, headers: dict[str, str]) -> None:
    mine, theirs = await send(lambda client: client.moderations.create(input="x", extra_headers=headers))
    assert mine == theirs


@pytest.mark.parametrize("header", ["Authorization", "OpenAI-Organization", "x-stainless-read-timeout"])
async def test_omitted_headers(send: Send, reference: Any, header: str) -> None:
    import openai

    def call(client: Any) -> Any:
        nothing = aiopenai.omit if isinstance(client, AsyncOpenAI) else openai.omit
        return client.moderations.create(input="x", extra_headers={header: nothing})

    mine, theirs = await send(call)
    assert mine == theirs
    assert header.lower() not in mine.headers


@pytest.mark.parametrize(
    "extra", [{"top_k": 5}, {"input": "other"}, {"nested": {"a": [None, {"b": 1.5}]}}, {"model": None}, {}], ids=str
)
async def test_extra_body(send: Send, extra: dict[str, Any]) -> None:
    mine, theirs = await send(lambda client: client.moderations.create(input="x", model="m", extra_body=extra))
    assert mine == theirs


@pytest.mark.parametrize("name", ["responses.cancel", "files.delete", "models.list"])
async def test_extra_body_where_there_is_none(send: Send, name: str) -> None:
    arguments = required(METHODS[name])
    mine, theirs = await send(lambda client: resolve(client, name)(**arguments, extra_body={"a": 1}))
    assert mine == theirs


@pytest.mark.parametrize("timeout", [5, 7.5, None])
async def test_timeout_header(send: Send, timeout: float | None) -> None:
    mine, theirs = await send(lambda client: client.models.list(timeout=timeout))
    assert mine == theirs


VALUES: dict[str, Callable[[], Any]] = {
    "tuple": lambda: ({"role": "user", "content": "x"},),
    "generator": lambda: (item for item in [{"role": "user", "content": "x"}]),
    "unicode": lambda: [{"role": "user", "content": '\u2028 \U0001f600 \x00 é \\ " </script>'}],
    "nested": lambda: [{"role": "user", "content": [{"type": "text", "text": "x", "more": {"a": [[], {}, None]}}]}],
    "numbers": lambda: [{"role": "user", "content": "x", "n": [0, -1, 2**53, 1.5, 1e300, -0.0, True]}],
    "unknown keys": lambda: [{"role": "whatever", "no_such": {"from_": 1, "schema_": 2}}],
}


@pytest.mark.parametrize("value", VALUES)
async def test_bodies(send: Send, value: str) -> None:
    mine, theirs = await send(lambda client: client.chat.completions.create(model="m", messages=VALUES[value]()))
    assert mine == theirs


REPLY = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "logprobs": None,
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        }
    ],
}


async def test_a_reply_goes_back_as_it_came(server: Server, ours: AsyncOpenAI, theirs: Any) -> None:
    seen: list[Sent] = []
    for client in (ours, theirs):
        server.clear_faults()
        server.reply_with("/chat/completions", REPLY)
        first = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        messages = [{"role": "user", "content": "x"}, first.choices[0].message, *first.choices[0].message.tool_calls]
        seen.append(await record(server, lambda: client.chat.completions.create(model="m", messages=messages)))  # noqa: B023
    assert seen[0] == seen[1]
    assert seen[0].body["messages"][1] == REPLY["choices"][0]["message"]  # type: ignore[index]


FILES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda _: b"some bytes",
    "path": lambda path: path,
    "open file": lambda path: path.open("rb"),
    "stream": lambda _: io.BytesIO(b"in memory"),
    "name and bytes": lambda _: ("data.jsonl", b"{}"),
    "name and path": lambda path: ("other.txt", path),
    "name and file": lambda path: ("other.txt", path.open("rb")),
    "no name": lambda _: (None, b"{}"),
    "type": lambda _: ("data.bin", b"\x00\xff", "application/x-data"),
    "type, no name": lambda _: (None, b"{}", "application/json"),
    "no type": lambda _: ("data.json", b"{}", None),
    "headers": lambda _: ("data.json", b"{}", "application/json", {"X-Part": "1"}),
    "odd name": lambda _: ('a "b" é \\.txt', b"x"),
    "empty": lambda _: ("empty.txt", b""),
    "boundary inside": lambda _: ("b.txt", b"--\r\n--boundary\r\n\r\n"),
}


@pytest.mark.parametrize("file", FILES)
async def test_uploads(send: Send, tmp_path: Path, file: str) -> None:
    path = tmp_path / "some notes.txt"
    path.write_bytes(b"line\r\n" * 1000)
    opened: list[Any] = []

    def call(client: Any) -> Any:
        value = FILES[file](path)
        opened.append(value)
        return client.files.create(
            file=value,
            purpose="user_data",
            expires_after={"anchor": "created_at", "seconds": 3600},
            extra_body={"more": [1, {"a": None, "b": True}], "text": "é\r\n"},
        )

    try:
        mine, theirs = await send(call)
    finally:
        for value in opened:
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, io.IOBase):
                    part.close()
    assert mine == theirs


LOW_LEVEL: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "get": lambda client: client.get("/things", cast_to=object),
    "get with options": lambda client: client.get(
        "/things/1", cast_to=object, options={"params": {"a": ["b"], "c": {"d": True}}, "headers": {"X-More": "1"}}
    ),
    "post": lambda client: client.post("/things", cast_to=object, body={"a": [None, 1.5]}),
    "post without a body": lambda client: client.post("/things", cast_to=object),
    "put": lambda client: client.put("things/1", cast_to=object, body={}),
    "patch": lambda client: client.patch("/things/1", cast_to=object, body={"a": "é"}),
    "delete": lambda client: client.delete("/things/1", cast_to=object),
    "delete with a body": lambda client: client.delete("/things/1", cast_to=object, body={"a": 1}),
}


@pytest.mark.parametrize("call", LOW_LEVEL)
async def test_low_level(send: Send, call: str) -> None:
    mine, theirs = await send(LOW_LEVEL[call])
    assert mine == theirs


@pytest.mark.parametrize(
    "options",
    [
        {"default_headers": {"X-More": "1", "OpenAI-Organization": "by header"}},
        {"organization": None, "project": None},
        {"admin_api_key": "admin"},
        {"timeout": 30.0},
        {"default_headers": {"Authorization": "Basic x"}},
    ],
    ids=str,
)
async def test_clients(server: Server, reference: Any, options: dict[str, Any]) -> None:
    answer_anything(server)
    seen: list[Sent] = []
    for kind in (AsyncOpenAI, reference):
        async with kind(**{"api_key": "test", "base_url": server.base_url + "/", **options}) as client:
            seen.append(await record(server, lambda: client.responses.create(model="m", input="x")))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("keys", [{"api_key": "plain"}, {"admin_api_key": "admin"}], ids=str)
@pytest.mark.parametrize("name", ["models.list", "files.delete", "admin.organization.users.list"])
async def test_one_key_only(server: Server, reference: Any, keys: dict[str, str], name: str) -> None:
    """A key is sent where it is due and nowhere else; both refuse a call for which there is none."""
    answer_anything(server)
    seen: list[Sent | str] = []
    for kind in (AsyncOpenAI, reference):
        async with kind(base_url=server.base_url, **keys) as client:
            try:
                seen.append(await record(server, lambda: resolve(client, name)(**required(METHODS[name]))))
            except (TypeError, aiopenai.OpenAIError) as error:
                seen.append("refused" if "api_key" in str(error) else repr(error))
    assert seen[0] == seen[1]
    assert (seen[0] == "refused") == (("admin" in name) != ("admin_api_key" in keys))


def test_the_count(reference: Any, say: Callable[[str], None]) -> None:
    count = sum(1 for name in NAMES for _ in everything(METHODS[name], taken(name)))
    say(f"Requests: {len(NAMES)} methods, with all arguments in {count} calls")
