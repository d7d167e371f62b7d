from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai._data.structs import Model
from aiopenai.errors import OutputValidationError
from aiopenai.lib.tool_calls import (
    get_input_tool_by_name,
    get_response_tool_by_name,
    make_tools,
    parse_function_tool_arguments,
    parse_response_tool_arguments,
    validate_input_tools,
)
from aiopenai.lib.tools import function_tool, pydantic_function_tool, pydantic_responses_function_tool
from aiopenai.testing import Server
from aiopenai.types.chat import ParsedFunction
from aiopenai.types.responses import ParsedResponseFunctionToolCall

MESSAGES: Any = [{"role": "user", "content": "hi"}]


class Place(msgspec.Struct):
    city: str = "Paris"
    days: list[int] = []


class Received(Model):
    city: str


@dataclasses.dataclass
class Needed:
    city: str


def look(city: str = "Paris") -> str:
    """Looks."""
    return f"at {city}"


STRICT: Any = {
    "type": "function",
    "function": {"name": "plain", "strict": True, "parameters": {"type": "object", "properties": {}}},
}
LOOSE: Any = {"type": "function", "function": {"name": "loose", "parameters": {}}}
CHAT_TOOLS: Any = [
    pydantic_function_tool(Place),
    pydantic_function_tool(Needed),
    function_tool(look),
    STRICT,
]
RESPONSE_TOOLS: Any = [
    pydantic_responses_function_tool(Place),
    pydantic_responses_function_tool(Needed),
    {"type": "function", **STRICT["function"]},
    {"type": "function", **LOOSE["function"]},
    {"type": "namespace", "name": "space", "tools": [pydantic_responses_function_tool(Place, name="inner")]},
]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(params=["async", "blocking"])
def parse(request: pytest.FixtureRequest, server: Server) -> Any:
    """`chat.completions.parse` and `responses.parse` of both clients for a reply that the test gives."""

    async def parse(path: str, reply: Any, **given: Any) -> Any:
        server.reply_with(path, reply)
        options: dict[str, Any] = {"api_key": "k", "base_url": server.base_url, "max_retries": 0}
        chat = path.startswith("/chat")
        given = {"model": "m", "tools": CHAT_TOOLS if chat else RESPONSE_TOOLS, **given}
        given |= {"messages": MESSAGES} if chat else {"input": "hi"}
        if request.param == "blocking":
            with OpenAI(**options) as client:
                return client.chat.completions.parse(**given) if chat else client.responses.parse(**given)
        async with AsyncOpenAI(**options) as aclient:
            return await (aclient.chat.completions.parse(**given) if chat else aclient.responses.parse(**given))

    return parse


def completion(message: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None, **message}}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def called(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return completion({"tool_calls": [{key: value for key, value in call.items() if value is not ...}]})


def response(*output: dict[str, Any]) -> dict[str, Any]:
    head = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed", "tools": []}
    return {**head, "parallel_tool_calls": True, "tool_choice": "auto", "output": list(output)}


EMPTY = ["", " ", "\n"]


@pytest.mark.parametrize("text", EMPTY, ids=["empty", "space", "line"])
@pytest.mark.parametrize(("name", "parsed"), [("Place", Place()), ("look", "model"), ("plain", {}), ("unknown", None)])
async def test_empty_arguments_are_an_empty_object(parse: Any, name: str, parsed: Any, text: str) -> None:
    reply = await parse("/chat/completions", called(name, text))
    (call,) = reply.choices[0].message.tool_calls
    if parsed == "model":
        assert call.function.parsed_arguments.city == "Paris"
    else:
        assert call.function.parsed_arguments == parsed
    assert call.function.arguments == text


@pytest.mark.parametrize(
    ("name", "arguments", "parsed"),
    [
        ("Place", {"city": "Rome", "days": [1, 2]}, Place("Rome", [1, 2])),
        ("Place", {}, Place()),
        ("Needed", {"city": "Rome"}, Needed("Rome")),
        ("plain", {"deep": {"er": [{"x": 1.5}]}}, {"deep": {"er": [{"x": 1.5}]}}),
        ("unknown", {"a": 1}, None),
    ],
)
async def test_arguments_as_an_object(parse: Any, name: str, arguments: Any, parsed: Any) -> None:
    reply = await parse("/chat/completions", called(name, arguments))
    (call,) = reply.choices[0].message.tool_calls
    assert call.function.parsed_arguments == parsed
    assert call.to_dict()["function"]["arguments"] == arguments


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Place", None, "the arguments of a tool call are null"),
        ("plain", None, "the arguments of a tool call are null"),
        ("Place", [1], "the arguments of a tool call are of type list"),
        ("Place", 5, "the arguments of a tool call are of type int"),
        ("Place", "null", "not a Place"),
        ("Place", '{"city": 1}', "not a Place"),
        ("Place", {"city": 1}, "not a Place"),
        ("Needed", "", "not a Needed"),
        ("plain", "{", "the arguments of plain are not JSON"),
    ],
)
async def test_arguments_that_do_not_fit(parse: Any, name: str, arguments: Any, message: str) -> None:
    with pytest.raises(OutputValidationError, match=message) as caught:
        await parse("/chat/completions", called(name, arguments))
    assert caught.value.completion.usage.total_tokens == 3
    assert caught.value.completion.choices[0].message.tool_calls[0].id == "call_1"
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": name, "arguments": arguments}
    with pytest.raises(OutputValidationError, match=message) as caught:
        await parse("/responses", response(item))
    assert caught.value.completion.output[0].call_id == "c"


async def test_calls_of_the_responses_api(parse: Any) -> None:
    def item(name: str, arguments: Any, **more: Any) -> dict[str, Any]:
        return {"type": "function_call", "id": "f", "call_id": "c", "name": name, "arguments": arguments, **more}

    reply = await parse(
        "/responses",
        response(
            item("Place", ""),
            item("Place", {"city": "Rome"}),
            item("plain", " "),
            item("inner", "", namespace="space"),
            item("loose", ""),
        ),
    )
    assert [each.parsed_arguments for each in reply.output] == [Place(), Place("Rome"), {}, Place(), None]


@pytest.mark.parametrize("kind", ["", None, ...], ids=["empty", "null", "missing"])
async def test_a_call_without_a_type_is_one_of_a_function(parse: Any, kind: Any) -> None:
    reply = await parse("/chat/completions", called("Place", '{"city": "Rome"}', type=kind))
    (call,) = reply.choices[0].message.tool_calls
    assert call.function.parsed_arguments == Place("Rome")


async def test_a_call_of_another_type_stays_as_it_came(parse: Any) -> None:
    function = {"name": "$web_search", "arguments": "{}", "hits": [{"page": {"url": "u"}}]}
    reply = await parse("/chat/completions", called("x", "", type="builtin_function", function=function))
    (call,) = reply.choices[0].message.tool_calls
    assert (call.type, call.id, call.function.name) == ("builtin_function", "call_1", "$web_search")
    assert call.function.hits[0].page.url == "u"
    assert not hasattr(call.function, "parsed_arguments")
    assert call.to_dict()["function"] == function


# ---- content in parts

PARTS = [
    ([{"type": "text", "text": '{"city": "Rome"}'}], Place("Rome")),
    ([{"type": "text", "text": '{"city":'}, {"type": "text", "text": ' "Rome"}'}], Place("Rome")),
    (
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "output_text", "text": '{"city": "Rome"}'},
            {"type": "text", "text": None},
            {"type": "reference", "text": "{"},
            "stray",
        ],
        Place("Rome"),
    ),
    ([], None),
    ([{"type": "thinking", "thinking": []}], None),
]


@pytest.mark.parametrize(("content", "parsed"), PARTS, ids=["one", "two", "mixed", "none", "thinking"])
async def test_content_as_a_list_of_parts(parse: Any, content: Any, parsed: Any) -> None:
    reply = await parse("/chat/completions", completion({"content": content}), response_format=Place)
    message = reply.choices[0].message
    assert message.parsed == parsed
    assert message.to_dict(exclude_unset=True)["content"] == content


async def test_parts_that_do_not_fit(parse: Any) -> None:
    content = [{"type": "text", "text": '{"city": '}, {"type": "text", "text": "1}"}]
    with pytest.raises(OutputValidationError, match="not a Place") as caught:
        await parse("/chat/completions", completion({"content": content}), response_format=Place)
    assert caught.value.content == '{"city": 1}'
    assert caught.value.completion.id == "c"


async def test_a_text_that_is_null(parse: Any) -> None:
    parts = [{"type": "output_text", "text": None, "annotations": []}]
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": parts}
    reply = await parse("/responses", response(item), text_format=Place)
    assert reply.output[0].content[0].parsed is None


# ---- the functions


def test_lookups() -> None:
    assert get_input_tool_by_name(input_tools=CHAT_TOOLS, name="plain") is STRICT
    assert get_input_tool_by_name(input_tools=CHAT_TOOLS, name="none") is None
    inner = RESPONSE_TOOLS[-1]["tools"][0]
    assert get_response_tool_by_name(input_tools=RESPONSE_TOOLS, name="inner", namespace="space") is inner
    assert get_response_tool_by_name(input_tools=RESPONSE_TOOLS, name="inner") is None
    assert get_response_tool_by_name(input_tools=RESPONSE_TOOLS, name="Place", namespace="Place") is RESPONSE_TOOLS[0]
    assert get_response_tool_by_name(input_tools=RESPONSE_TOOLS, name="Place", namespace="other") is None


def test_without_tools_nothing_is_parsed() -> None:
    function = ParsedFunction(name="Place", arguments="x")
    item = ParsedResponseFunctionToolCall(name="Place", arguments="x", call_id="c", type="function_call")
    for tools in (None, []):
        assert parse_function_tool_arguments(input_tools=tools, function=function) is None
        assert parse_response_tool_arguments(input_tools=tools, function_call=item) is None


def test_tools_that_cannot_be_parsed() -> None:
    assert validate_input_tools(None) is None
    assert make_tools(None) is None
    assert validate_input_tools(iter([STRICT])) == [STRICT]
    for tools, error, text in (
        ([LOOSE], ValueError, "`loose` is not strict"),
        ([{"type": "custom"}], ValueError, "not `custom`"),
        ([{"type": "function"}], TypeError, "in `function`"),
        ([Place], TypeError, "not Place"),
        (["x"], TypeError, "an object of type str"),
    ):
        with pytest.raises(error, match=text):
            validate_input_tools(tools)
    with pytest.raises(TypeError, match="`name` and `parameters` beside `type`"):
        make_tools([STRICT])
    (made,) = make_tools([pydantic_function_tool(Place)])
    assert (made["type"], made["name"], made["strict"]) == ("function", "Place", True)


def test_a_function_tool_takes_what_servers_send() -> None:
    tool = function_tool(look)
    for arguments in ("", " ", "{}", {}, b""):
        assert tool(arguments) == "at Paris"
    for given in ('{"city": "Rome"}', {"city": "Rome"}, b'{"city": "Rome"}'):
        assert tool(given) == "at Rome"
    assert tool(Received(city="Rome")) == "at Rome"
    with pytest.raises(OutputValidationError):
        tool({"city": 1})
    with pytest.raises(TypeError, match="not NoneType"):
        tool(None)
