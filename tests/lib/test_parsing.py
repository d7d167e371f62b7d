from __future__ import annotations

import json
import logging
import pickle
from typing import Any, Literal

import msgspec
import pytest

from aiopenai import AsyncOpenAI
from aiopenai._base.sentinels import omit
from aiopenai._data.codec import Decoder, encode
from aiopenai.errors import (
    APIConnectionError,
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    OutputValidationError,
)
from aiopenai.lib import parsing
from aiopenai.lib.schema import strict_schema
from aiopenai.lib.tools import function_tool, pydantic_function_tool, pydantic_responses_function_tool
from aiopenai.resources.chat import Completions
from aiopenai.resources.responses import Responses
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletion, ParsedChatCompletion
from aiopenai.types.responses import ParsedResponse, Response
from tests.lib.methods import call, called, completion, message, response, said
from tests.parity.exchange import record

MESSAGES = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}
RESPONSE: dict[str, Any] = {"model": "gpt-4o", "input": "hi"}


class City(msgspec.Struct):
    name: str
    size: Literal["big", "small"] = "big"
    mayor: str | None = None


PARIS = '{"name": "Paris", "size": "big", "mayor": null}'
STRICT = {
    "type": "function",
    "function": {"name": "look", "strict": True, "parameters": {"type": "object", "properties": {}}},
}


def parse_chat(body: bytes, **given: Any) -> Any:
    """What `chat.completions.parse` makes of a reply, without a client."""
    request = Completions.parse.request(**CHAT, **given)  # type: ignore[attr-defined]
    assert request.finish is not None
    return request.finish(Decoder.of(request.endpoint.reply)(body))


def parse_response(body: bytes, **given: Any) -> Any:
    """What `responses.parse` makes of a reply, without a client."""
    request = Responses.parse.request(**{**RESPONSE, **given})  # type: ignore[attr-defined]
    assert request.finish is not None
    return request.finish(Decoder.of(request.endpoint.reply)(body))


# ---- chat


async def test_a_struct_by_the_client(server: Server, client: AsyncOpenAI) -> None:
    server.fault(status=200, body=completion(said(PARIS)), content_type="application/json", times=None)
    chat = client.chat.completions
    reply = await chat.parse(**CHAT, response_format=City)
    assert isinstance(reply, ParsedChatCompletion)
    assert reply.choices[0].message.parsed == City("Paris")
    assert reply._request_id
    sent = server.journal[-1]
    assert sent.headers["X-Stainless-Helper-Method"] == "chat.completions.parse"
    assert sent.json() == {
        **CHAT,
        "stream": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "City", "strict": True, "schema": strict_schema(City)},
        },
    }
    raw = await client.chat.completions.with_raw_response.parse(**CHAT, response_format=City)
    assert raw.parse().choices[0].message.parsed == City("Paris")  # type: ignore[attr-defined]


def test_content_stays_unparsed() -> None:
    for given in ({}, {"response_format": {"type": "json_object"}}, {"response_format": omit}):
        assert parse_chat(completion(said(PARIS)), **given).choices[0].message.parsed is None
    for text, refusal in ((None, None), ("", None), (PARIS, "no"), (None, "no")):
        choice = parse_chat(completion(said(text, refusal)), response_format=City).choices[0]
        assert choice.message.parsed is None
        assert choice.message.refusal == refusal


def test_a_dict_is_sent_as_it_is() -> None:
    form = {"type": "json_object"}
    request = Completions.parse.request(**CHAT, response_format=form)  # type: ignore[attr-defined]
    assert request.body["response_format"] is form


def test_several_choices() -> None:
    reply = parse_chat(completion(said(PARIS), said(PARIS.replace("Paris", "Rome"))), response_format=City)
    assert [choice.message.parsed.name for choice in reply.choices] == ["Paris", "Rome"]


def test_tool_calls() -> None:
    reply = parse_chat(completion(called(("look", '{"a": [1]}'), ("unknown", "x"))), tools=iter([STRICT]))
    calls = reply.choices[0].message.tool_calls
    assert [each.function.parsed_arguments for each in calls] == [{"a": [1]}, None]
    assert calls[0].to_dict()["function"] == {"name": "look", "arguments": '{"a": [1]}', "parsed_arguments": {"a": [1]}}
    with pytest.raises(OutputValidationError, match="arguments of look are not JSON") as caught:
        parse_chat(completion(called(("look", '{"a"'))), tools=[STRICT])
    assert caught.value.content == '{"a"'
    assert caught.value.completion.usage.total_tokens == 3


def test_the_answer_was_cut_off() -> None:
    body = completion(said('{"name": "Pa'), finish="length")
    with pytest.raises(LengthFinishReasonError, match="total_tokens=3") as length:
        parse_chat(body, response_format=City)
    assert length.value.completion.choices[0].message.content == '{"name": "Pa'
    with pytest.raises(ContentFilterFinishReasonError) as filtered:
        parse_chat(completion(said(""), finish="content_filter"))
    assert filtered.value.completion.id == "chatcmpl-1"
    assert pickle.loads(pickle.dumps(length.value)).completion == length.value.completion


def test_an_answer_that_does_not_fit_comes_with_its_reply() -> None:
    with pytest.raises(OutputValidationError, match="not a City") as caught:
        parse_chat(completion(said(PARIS), said('{"name": 1}')), response_format=City)
    error = caught.value
    assert error.content == '{"name": 1}'
    assert error.completion.usage.total_tokens == 3
    assert error.completion.choices[0].message.parsed == City("Paris")
    assert isinstance(error.__cause__, msgspec.ValidationError)
    twin = pickle.loads(pickle.dumps(error))
    assert (twin.completion, twin.content, str(twin)) == (error.completion, error.content, str(error))


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"response_format": int}, TypeError, "not int"),
        ({"response_format": None}, TypeError, "not an object of type NoneType"),
        ({"response_format": City("x")}, TypeError, "not an object of type City"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, ValueError, "not `custom`"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, ValueError, "`f` is not strict"),
        ({"tools": [{"type": "function", "name": "f", "strict": True}]}, TypeError, "`function`"),
        ({"tools": [City]}, TypeError, "a tool is a dict, and not City"),
        ({"tools": [len]}, TypeError, "a tool is a dict, and not an object of type builtin_function_or_method"),
    ],
)
async def test_mistakes_are_told_before_anything_is_sent(given: Any, error: Any, text: str) -> None:
    async with AsyncOpenAI(api_key="sk-test", base_url="http://127.0.0.1:1", max_retries=0) as client:
        with pytest.raises(error, match=text):
            await client.chat.completions.parse(**CHAT, **given)
        with pytest.raises(APIConnectionError):
            await client.chat.completions.parse(**CHAT, tools=None)


async def test_create_names_the_method_that_takes_types(client: AsyncOpenAI) -> None:
    form: Any = City
    with pytest.raises(TypeError, match="'response_format': the class City cannot be sent as JSON; `parse`"):
        await client.chat.completions.create(**CHAT, response_format=form)


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": null}',
        b"{}",
        b'{"choices": [null, 1, {"message": null}, {"message": "x"}, {}]}',
        b'{"choices": [{"message": {"content": [{"type": "text"}], "tool_calls": [null, {"type": "new"}, {}]}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"type": "function"}], "content": 1}}]}',
    ],
)
def test_odd_replies_are_not_refused(body: bytes) -> None:
    assert parse_chat(body, response_format=City, tools=[STRICT]).to_dict() is not None


def test_custom_tool_calls_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    calls = called(("look", "{}"))
    calls["tool_calls"].append({"id": "c", "type": "custom", "custom": {"name": "x", "input": "y"}})
    with caplog.at_level(logging.WARNING, logger="aiopenai"):
        reply = parse_chat(completion(calls), tools=[STRICT])
    assert [each.id for each in reply.choices[0].message.tool_calls] == ["call_0"]
    assert "custom tool: c" in caplog.text


def test_a_parsed_message_goes_back_as_it_came() -> None:
    received = {**called(("look", "{}")), "role": "assistant", "reasoning_content": "hm"}
    reply = parse_chat(completion(received), response_format=City, tools=[STRICT])
    answer = reply.choices[0].message
    assert answer.to_dict()["tool_calls"][0]["function"]["parsed_arguments"] == {}
    assert json.loads(encode({"messages": [answer, answer.tool_calls[0]]}, ("messages",))) == {
        "messages": [received, received["tool_calls"][0]]
    }
    answer = parse_chat(completion(said(PARIS)), response_format=City).choices[0].message
    assert answer.to_dict() == {
        "role": "assistant",
        "content": PARIS,
        "refusal": None,
        "parsed": {"name": "Paris", "size": "big", "mayor": None},
    }
    assert json.loads(answer.to_json())["parsed"]["name"] == "Paris"
    sent = json.loads(encode({"messages": [answer]}, ("messages",)))
    assert sent == {"messages": [{"role": "assistant", **said(PARIS)}]}


def test_only_parsed_types_have_the_fields_that_are_not_sent() -> None:
    from aiopenai._data.structs import Model

    def below(cls: Any) -> Any:
        for each in cls.__subclasses__():
            yield each
            yield from below(each)

    types = [each for each in below(Model) if each.__module__.startswith("aiopenai.types.")]
    having = {each.__name__ for each in types if {"parsed", "parsed_arguments"} & {*each.__struct_fields__}}
    assert having == {
        "ParsedFunction",
        "ParsedChatCompletionMessage",
        "ParsedResponseOutputText",
        "ParsedResponseFunctionToolCall",
    }


def test_the_reply_given_is_not_changed() -> None:
    body = completion({**called(("look", "{}")), "content": PARIS, "new": 1}, seen=2)
    plain = Decoder.of(ChatCompletion)(body)
    before = plain.to_dict()
    parsed = parsing.parse_chat_completion(response_format=City, input_tools=[STRICT], chat_completion=plain)
    assert plain.to_dict() == before
    assert parsed == parse_chat(body, response_format=City, tools=[STRICT])
    answer = parsed.choices[0].message
    assert type(parsed) is ParsedChatCompletion
    assert (answer.parsed, answer.new, parsed.seen) == (City("Paris"), 1, 2)  # type: ignore[attr-defined]
    again = parsing.parse_chat_completion(response_format=omit, input_tools=omit, chat_completion=parsed)
    assert again.choices[0].message.parsed is None
    assert answer.parsed == City("Paris")
    for odd in (b'{"choices": null}', b'{"choices": [1, {"message": {"tool_calls": [{"type": "x"}, 1]}}]}'):
        copy = parsing.parse_chat_completion(
            response_format=omit, input_tools=omit, chat_completion=Decoder.of(ChatCompletion)(odd)
        )
        assert copy.to_dict() is not None


def test_what_can_be_parsed() -> None:
    loose = {"type": "function", "function": {"name": "f"}}
    assert parsing.has_parseable_input(response_format=City)
    assert parsing.has_parseable_input(response_format=omit, input_tools=[loose, STRICT])
    assert parsing.has_parseable_input(response_format={}, input_tools=[pydantic_function_tool(City)])
    assert not parsing.has_parseable_input(response_format={}, input_tools=[loose, {"type": "custom"}])
    assert not parsing.has_parseable_input(response_format=omit)


# ---- responses


async def test_a_struct_of_the_responses_api(server: Server, client: AsyncOpenAI) -> None:
    body = response(message(PARIS), call("look", '{"a": 1}'))
    server.fault(status=200, body=body, content_type="application/json", times=None)
    tool = {"type": "function", "name": "look", "strict": True, "parameters": {}}
    reply = await client.responses.parse(**RESPONSE, text_format=City, text={"verbosity": "low"}, tools=[tool])
    assert isinstance(reply, ParsedResponse)
    assert reply.output_parsed == City("Paris")
    assert reply.output[1].parsed_arguments == {"a": 1}  # type: ignore[union-attr]
    assert server.journal[-1].json() == {
        **RESPONSE,
        "tools": [tool],
        "text": {
            "verbosity": "low",
            "format": {"type": "json_schema", "strict": True, "name": "City", "schema": strict_schema(City)},
        },
    }


def test_phases() -> None:
    output = [message("thinking", phase="commentary"), message("?", phase="new"), message(PARIS, phase="final_answer")]
    reply = parse_response(response(*output), text_format=City)
    assert [item.content[0].parsed for item in reply.output] == [None, None, City("Paris")]
    assert reply.output_parsed == City("Paris")


def update(form: Any) -> dict[str, Any]:
    return {"type": "configuration_update", "text": {"format": form}}


OTHER = {"type": "json_schema", "name": "Other", "schema": {}}


def test_parse_as() -> None:
    body = response(message(PARIS))
    assert parse_response(body, parse_as=City).output_parsed == City("Paris")
    assert parse_response(body, text_format=City, parse_as=None).output_parsed is None
    assert parse_response(body, text_format=City, input=[update({"type": "text"})]).output_parsed is None
    assert parse_response(body, parse_as=City, input=[update(OTHER)]).output_parsed == City("Paris")
    # The last one counts, and what sets no format does not.
    items = [update({"type": "text"}), update(parsing.type_to_text_format_param(City)), update(None), "x", {}]
    assert parse_response(body, text_format=City, input=items).output_parsed == City("Paris")
    request = Responses.parse.request(**RESPONSE, parse_as=City)  # type: ignore[attr-defined]
    assert request.body == RESPONSE


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"text_format": int}, "not int"),
        ({"text_format": {"type": "json_object"}}, "not an object of type dict"),
        ({"parse_as": int}, "not int"),
        ({"text_format": City, "text": {"format": {"type": "text"}}}, "one of them"),
        ({"text_format": City, "input": [update(OTHER)]}, "another format than text_format"),
        ({"parse_as": City, "input": [update({"type": "text"})]}, "plain text"),
        ({"stream": True}, r"responses.stream\(\)"),
        ({"tools": [City]}, "a tool is a dict"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "beside `type`"),
    ],
)
def test_mistakes_with_responses(given: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        Responses.parse.request(**{**RESPONSE, **given})  # type: ignore[attr-defined]


def test_tools_of_the_responses_api() -> None:
    typed = pydantic_responses_function_tool(City, name="typed")
    nested = pydantic_responses_function_tool(City, name="nested")
    tools: list[Any] = [
        {"type": "namespace", "name": "space", "description": "", "tools": iter([nested])},
        {"type": "web_search"},
        typed,
        pydantic_function_tool(City, name="chat", description="made for chat"),
        {"type": "function", "name": "loose", "strict": False, "parameters": {}},
    ]
    request = Responses.parse.request(**RESPONSE, tools=iter(tools))  # type: ignore[attr-defined]
    assert request.body["tools"][3] == {
        "type": "function",
        "name": "chat",
        "description": "made for chat",
        "parameters": strict_schema(City),
        "strict": True,
    }
    body = response(
        call("typed", PARIS),
        call("typed", PARIS, namespace="typed"),
        call("nested", PARIS, namespace="space"),
        call("chat", PARIS),
        call("loose", PARIS),
        call("nested", PARIS),
        call("typed", PARIS, namespace="elsewhere"),
        call("typed", PARIS, namespace="space"),
    )
    reply = parse_response(body, tools=[*tools[1:], {**tools[0], "tools": [nested]}])
    assert [item.parsed_arguments for item in reply.output] == [City("Paris")] * 4 + [None] * 4
    with pytest.raises(OutputValidationError) as caught:
        parse_response(response(call("typed", "{}")), tools=tools[2:])
    assert caught.value.completion.id == "resp_1"


def test_replies_without_output() -> None:
    assert parse_response(response(output=None), text_format=City).output == []
    odd = response({"type": "message", "content": None}, {"type": "later", "content": []}, {"type": "reasoning"})
    assert len(parse_response(odd, text_format=City).output) == 3


def test_a_response_goes_back_as_it_came() -> None:
    output = [message(PARIS, phase=None), call("look", "{}")]
    reply = parse_response(
        response(*output), text_format=City, tools=[{"type": "function", "name": "look", "strict": True}]
    )
    assert reply.output[0].to_dict()["content"][0]["parsed"]["name"] == "Paris"
    assert json.loads(encode({"input": reply.output}, ("input",))) == {"input": output}


def test_the_response_given_is_not_changed() -> None:
    refused = message(PARIS)
    refused["content"].append({"type": "refusal", "refusal": "no"})
    body = response(refused, call("look", "{}"), {"type": "later"})
    plain = Decoder.of(Response)(body)
    before = plain.to_dict()
    parsed = parsing.parse_response(text_format=City, input_tools=None, response=plain)
    assert plain.to_dict() == before
    assert parsed == parse_response(body, text_format=City)
    assert parsed.output_parsed == City("Paris")
    assert parsing.parse_response(text_format=omit, input_tools=omit, response=Decoder.of(Response)(b"{}")).output == []


# ---- pydantic, and the reference on the same bytes


@pytest.fixture
def types() -> Any:
    pytest.importorskip("pydantic")
    from tests.lib import pydantic_types

    return pydantic_types


SOLUTION = '{"steps": [{"explanation": "add", "output": "2"}], "answer": "2"}'


def test_pydantics_error_carries_the_reply(types: Any) -> None:
    pydantic: Any = pytest.importorskip("pydantic")
    with pytest.raises(pydantic.ValidationError) as caught:
        parse_chat(completion(said("{}")), response_format=types.Inner)
    assert caught.value.completion.usage.total_tokens == 3
    with pytest.raises(pydantic.ValidationError) as caught:
        parse_response(response(message("{}")), text_format=types.Point)
    assert caught.value.completion.id == "resp_1"


def test_dumps_have_what_pydantic_made(types: Any) -> None:
    for kind, text in ((types.Solution, SOLUTION), (types.Point, '{"x": 1, "inner": {"value": 2}, "label": null}')):
        answer = parse_chat(completion(said(text)), response_format=kind).choices[0].message
        assert answer.model_dump()["parsed"] == answer.to_dict()["parsed"] == json.loads(text)
        assert json.loads(answer.to_json())["parsed"] == json.loads(text)
    assert answer.model_dump(include={"parsed": {"x"}}) is not None


@pytest.fixture
async def theirs(server: Server) -> Any:
    openai: Any = pytest.importorskip("openai")
    # Reading the certificates for each client takes longer than most tests do.
    http = openai.DefaultAsyncHttpxClient(verify=False)
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=server.base_url, max_retries=0, http_client=http) as them:
        yield them


async def outcome(call: Any) -> Any:
    """What a call gives, or the name of what it raises."""
    try:
        return await call
    except Exception as error:
        return type(error).__name__


def without_absent(dump: Any) -> Any:
    """Departs: the reference says of a message without tool calls that they are null, which goes back to the API."""
    for choice in dump["choices"]:
        if choice["message"].get("tool_calls", 0) is None:
            del choice["message"]["tool_calls"]
    return dump


# The reference's own models do not expect what it puts into them.
THEIR_WARNING = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")


@THEIR_WARNING
async def test_chat_equals_the_reference(server: Server, client: AsyncOpenAI, theirs: Any, types: Any) -> None:
    openai: Any = pytest.importorskip("openai")
    tools = [openai.pydantic_function_tool(types.Step), STRICT]
    own_tools = [pydantic_function_tool(types.Step), STRICT]
    step = '{"explanation": "x", "output": "y"}'
    bodies = [
        completion(said(SOLUTION)),
        completion(said(SOLUTION, "no")),
        completion(said("{}")),
        completion(said('{"steps": [')),
        completion(said(None)),
        completion(called(("Step", step), ("look", '{"a": 1}'), ("other", ""))),
        completion(called(("Step", "{}"))),
        completion(said(SOLUTION), finish="length"),
        completion(said(SOLUTION), finish="content_filter"),
        completion(said(SOLUTION), said(SOLUTION), system_fingerprint=None, new={"a": 1}),
        completion({**said(SOLUTION), "tool_calls": []}),
    ]
    chat = client.chat.completions
    for body in bodies:
        server.clear_faults()
        server.fault(status=200, body=body, content_type="application/json", times=None)
        for form in ({"response_format": types.Solution}, {"response_format": {"type": "json_object"}}, {}):
            ours_sent = await record(server, lambda: outcome(chat.parse(**CHAT, **form, tools=own_tools)))  # noqa: B023
            their_call = lambda: outcome(theirs.chat.completions.parse(**CHAT, **form, tools=tools))  # noqa: B023, E731
            assert ours_sent == await record(server, their_call)
            ours = await outcome(chat.parse(**CHAT, **form, tools=own_tools))
            expected = await their_call()
            if isinstance(expected, str):
                assert ours == expected
                continue
            assert without_absent(ours.to_dict()) == without_absent(expected.to_dict())
            for mine, other in zip(ours.choices, expected.choices, strict=True):
                assert mine.message.parsed == other.message.parsed
                arguments = [each.function.parsed_arguments for each in mine.message.tool_calls or []]
                assert arguments == [each.function.parsed_arguments for each in other.message.tool_calls or []]


@THEIR_WARNING
async def test_responses_equal_the_reference(server: Server, client: AsyncOpenAI, theirs: Any, types: Any) -> None:
    openai: Any = pytest.importorskip("openai")
    step = '{"explanation": "x", "output": "y"}'
    bodies = [
        response(message(SOLUTION)),
        response(message("hm", phase="commentary"), message(SOLUTION, phase="final_answer")),
        response(message("{}")),
        response(message("")),
        response(call("Step", step), call("Step", step, namespace="Step"), call("x", "{}"), {"type": "later", "a": 1}),
        response(call("Step", "{}")),
        response(output=None),
        response(message(SOLUTION, SOLUTION), status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
    ]
    responses = client.responses
    for body in bodies:
        server.clear_faults()
        server.fault(status=200, body=body, content_type="application/json", times=None)
        for given in (
            {"text_format": types.Solution},
            {"text_format": types.Point, "parse_as": types.Solution, "text": {"verbosity": "low"}},
            {"parse_as": None, "text_format": types.Solution},
            {},
        ):
            for theirs_make, ours_make in (
                (openai.pydantic_function_tool, pydantic_function_tool),
                (openai.pydantic_responses_function_tool, pydantic_responses_function_tool),
            ):
                arguments = {**RESPONSE, **given}
                tools, own_tools = [theirs_make(types.Step)], [ours_make(types.Step)]
                ours = expected = None

                async def mine() -> None:
                    nonlocal ours
                    ours = await outcome(responses.parse(**arguments, tools=own_tools))  # noqa: B023

                async def other() -> None:
                    nonlocal expected
                    expected = await outcome(theirs.responses.parse(**arguments, tools=tools))  # noqa: B023

                assert await record(server, mine) == await record(server, other)
                if isinstance(expected, str):
                    assert ours == expected
                    continue
                assert ours.to_dict() == expected.to_dict()
                assert ours.output_parsed == expected.output_parsed


def test_a_function_tool_in_parse() -> None:
    def look(where: str, times: int = 1) -> str:
        """Look somewhere."""
        return where * times

    tool = function_tool(look)
    reply = parse_chat(completion(called(("look", '{"where": "a", "times": 2}'))), tools=[tool])
    assert tool(reply.choices[0].message.tool_calls[0].function.parsed_arguments) == "aa"
    reply = parse_response(response(call("look", '{"where": "a", "times": 3}')), tools=[tool])
    assert tool(reply.output[0].parsed_arguments) == "aaa"
