from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from aiopenai.testing import Server
from tests.testing.http import Api

BASE = {"model": "gpt-4o", "input": "hi there"}
FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CUSTOM = {"type": "custom", "name": "take_note"}

LATER = {"background": True, "background_options": {"completion_window": "2h"}}


async def create(api: Api, **params: Any) -> Any:
    return await api.ok("POST", "/responses", {**BASE, **params})


async def stream(api: Api, **params: Any) -> list[Any]:
    got = await api("POST", "/responses", {**BASE, **params, "stream": True})
    assert got.status == 200
    return got.events()


def same(response: Any) -> Any:
    """A response without what differs from call to call: its ids."""
    if isinstance(response, dict):
        return {name: same(value) for name, value in response.items() if name not in ("id", "call_id")}
    return [same(value) for value in response] if isinstance(response, list) else response


async def test_create(api: Api) -> None:
    response = await create(api)
    assert response["object"] == "response"
    assert response["status"] == "completed"
    (item,) = response["output"]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert item["content"] == [{"type": "output_text", "text": "You said: hi there", "annotations": [], "logprobs": []}]
    usage = response["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]
    assert usage["output_tokens"] == 5


async def test_what_was_asked_for_is_repeated(api: Api) -> None:
    params = {
        "instructions": "be kind",
        "metadata": {"a": "b"},
        "temperature": 0,
        "top_p": 0.5,
        "user": "me",
        "truncation": "auto",
        "max_output_tokens": 100,
        "store": False,
        "text": {"verbosity": "low", "format": None},
    }
    response = await create(api, **params)
    for name, value in params.items():
        if name != "text":
            assert response[name] == value
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}


async def test_the_events_of_a_text(api: Api) -> None:
    events = await stream(api)
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * 5,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []
    assert events[0]["response"]["usage"] is None
    assert "".join(event["delta"] for event in events if event["type"].endswith("text.delta")) == "You said: hi there"
    item = events[-2]["item"]
    assert events[-1]["response"]["output"] == [item]
    assert {event["item_id"] for event in events if "item_id" in event} == {item["id"]}
    assert same(events[-1]["response"]) == same(await create(api))


async def test_the_events_of_calls_and_reasoning(api: Api) -> None:
    events = await stream(
        api,
        input="get_weather and take_note",
        tools=[FUNCTION, CUSTOM, {"type": "web_search"}],
        reasoning={"effort": "low", "summary": "auto"},
        include=["reasoning.encrypted_content"],
    )
    types = list(dict.fromkeys((event.get("output_index"), event["type"]) for event in events))
    added, done = "response.output_item.added", "response.output_item.done"
    assert types == [
        (None, "response.created"),
        (None, "response.in_progress"),
        (0, added),
        (0, "response.reasoning_summary_part.added"),
        (0, "response.reasoning_summary_text.delta"),
        (0, "response.reasoning_summary_text.done"),
        (0, "response.reasoning_summary_part.done"),
        (0, done),
        (1, added),
        (1, "response.function_call_arguments.delta"),
        (1, "response.function_call_arguments.done"),
        (1, done),
        (2, added),
        (2, "response.custom_tool_call_input.delta"),
        (2, "response.custom_tool_call_input.done"),
        (2, done),
        (None, "response.completed"),
    ]
    reasoning, call, custom = events[-1]["response"]["output"]
    assert reasoning["encrypted_content"]
    summary = "".join(event["delta"] for event in events if event["type"].endswith("summary_text.delta"))
    assert reasoning["summary"] == [{"type": "summary_text", "text": summary}]
    arguments = "".join(event["delta"] for event in events if event["type"].endswith("arguments.delta"))
    assert call["arguments"] == arguments
    assert json.loads(arguments) == {"city": "string"}
    assert custom["input"] == "string"
    usage = events[-1]["response"]["usage"]
    assert usage["output_tokens_details"]["reasoning_tokens"] == 16
    assert usage["output_tokens"] > 16
    calls = [event["item"] for event in events if event["type"] == added]
    assert calls[1]["status"] == "in_progress"
    assert calls[1]["arguments"] == calls[2]["input"] == ""


@pytest.mark.parametrize(
    ("choice", "types"),
    [
        ("auto", ["function_call"]),
        ("none", ["message"]),
        ("required", ["function_call"]),
        ({"type": "custom", "name": "take_note"}, ["custom_tool_call"]),
        ({"type": "allowed_tools", "mode": "required", "tools": [CUSTOM]}, ["custom_tool_call"]),
        ({"type": "web_search_preview"}, ["function_call"]),
    ],
)
async def test_tool_choice(api: Api, choice: Any, types: list[str]) -> None:
    response = await create(api, tools=[FUNCTION, CUSTOM], tool_choice=choice)
    assert [item["type"] for item in response["output"]] == types
    assert response["tool_choice"] == choice


async def test_a_conversation_goes_on(api: Api) -> None:
    first = await create(api, tools=[FUNCTION])
    (call,) = first["output"]
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = await create(api, tools=[FUNCTION], input=[result], previous_response_id=first["id"])
    assert second["output"][0]["content"][0]["text"] == "You said: hi there"
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    path = f"/responses/{second['id']}/input_items"
    listed = await api.ok("GET", path)
    assert [item["type"] for item in listed["data"]] == ["function_call_output", "function_call", "message"]
    assert listed["data"][2]["content"] == [{"type": "input_text", "text": "hi there"}]
    page = await api.ok("GET", path + f"?order=asc&limit=1&after={listed['data'][2]['id']}")
    assert page["data"] == [listed["data"][1]]
    assert page["has_more"] is True
    error = await api.fails(400, "POST", "/responses", {**BASE, "previous_response_id": "resp_none"})
    assert error["code"] == "previous_response_not_found"


async def test_input_in_all_forms(api: Api) -> None:
    items = [
        {"role": "developer", "content": "x"},
        {"role": "assistant", "content": "y"},
        {"id": "msg_123"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "z"}], "id": "msg_me"},
    ]
    response = await create(api, input=items)
    listed = (await api.ok("GET", f"/responses/{response['id']}/input_items?order=asc"))["data"]
    assert [item["type"] for item in listed] == ["message", "message", "item_reference", "message"]
    assert listed[1]["content"][0]["type"] == "output_text"
    assert listed[3]["id"] == "msg_me"
    assert response["output"][0]["content"][0]["text"] == "You said: z"


async def test_max_output_tokens(api: Api) -> None:
    api.server.answer = "word " * 40
    response = await create(api, max_output_tokens=16)
    assert response["status"] == response["output"][0]["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    events = await stream(api, max_output_tokens=16)
    assert events[-1]["type"] == "response.incomplete"
    assert sum(event["type"] == "response.output_text.delta" for event in events) == 16


async def test_formats(api: Api) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    wanted = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    text = (await create(api, text=wanted))["output"][0]["content"][0]["text"]
    assert json.loads(text) == {"a": True}
    wanted = {"format": {"type": "json_object"}}
    text = (await create(api, text=wanted, input="in JSON"))["output"][0]["content"][0]["text"]
    assert json.loads(text) == {"answer": "You said: in JSON"}


async def test_logprobs(api: Api) -> None:
    params = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    (part,) = (await create(api, **params))["output"][0]["content"]
    assert "".join(token["token"] for token in part["logprobs"]) == part["text"]
    deltas = [event for event in await stream(api, **params) if event["type"] == "response.output_text.delta"]
    assert [event["logprobs"][0]["token"] for event in deltas] == [event["delta"] for event in deltas]


async def test_retrieve_and_delete(api: Api) -> None:
    response = await create(api)
    path = f"/responses/{response['id']}"
    assert await api.ok("GET", path) == response
    events = (await api("GET", path + "?stream=true")).events()
    assert events[-1]["response"] == response
    rest = (await api("GET", path + "?stream=true&starting_after=3")).events()
    assert rest == events[4:]
    assert (await api.fails(400, "POST", path + "/cancel"))["param"] == "response_id"
    assert await api.ok("DELETE", path) == {"id": response["id"], "object": "response", "deleted": True}
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
        assert "not found" in (await api.fails(404, method, path + suffix))["message"]
    unstored = await create(api, store=False)
    await api.fails(404, "GET", f"/responses/{unstored['id']}")


async def test_background(api: Api) -> None:
    response = await create(api, background=True)
    assert (response["status"], response["output"], response["usage"]) == ("queued", [], None)
    path = f"/responses/{response['id']}"
    assert [(await api.ok("GET", path))["status"] for _ in range(3)] == ["in_progress", "completed", "completed"]
    assert "completed" in (await api.fails(400, "POST", path + "/cancel"))["message"]

    other = f"/responses/{(await create(api, background=True))['id']}"
    for _ in range(2):
        assert (await api.ok("POST", other + "/cancel"))["status"] == "cancelled"
    assert (await api.ok("GET", other))["status"] == "cancelled"
    assert [event["type"] for event in (await api("GET", other + "?stream=true")).events()] == ["response.created"]

    events = await stream(api, background=True)
    assert [event["type"] for event in events[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert (await api.ok("GET", f"/responses/{events[0]['response']['id']}"))["status"] == "completed"


async def test_background_options(api: Api) -> None:
    for options in (LATER, {"background_options": {"completion_window": "soonest", "continuation_id": "run-7"}}):
        response = await create(api, **options)
        assert response["status"] == ("queued" if options is LATER else "completed")


async def test_a_stored_prompt_needs_neither_model_nor_input(api: Api) -> None:
    assert (await api.ok("POST", "/responses", {"prompt": {"id": "pmpt_1"}}))["prompt"] == {"id": "pmpt_1"}


async def test_input_tokens(api: Api) -> None:
    got = await api.ok("POST", "/responses/input_tokens", BASE)
    assert got == {"object": "response.input_tokens", "input_tokens": (await create(api))["usage"]["input_tokens"]}
    more = await api.ok("POST", "/responses/input_tokens", {**BASE, "instructions": "be kind", "tools": [FUNCTION]})
    assert more["input_tokens"] > got["input_tokens"]
    assert (await api.ok("POST", "/responses/input_tokens", {}))["input_tokens"] == 3


async def test_compact(api: Api) -> None:
    first = await create(api)
    got = await api.ok("POST", "/responses/compact", {"model": "gpt-4o", "previous_response_id": first["id"]})
    assert got["object"] == "response.compaction"
    kept, compaction = got["output"]
    assert (kept["role"], kept["content"]) == ("user", [{"type": "input_text", "text": "hi there"}])
    assert compaction["type"] == "compaction"
    assert compaction["encrypted_content"]
    assert got["usage"]["total_tokens"] == got["usage"]["input_tokens"] + got["usage"]["output_tokens"]
    again = await create(api, input=[*got["output"], {"role": "user", "content": "and now?"}])
    assert again["output"][0]["content"][0]["text"] == "You said: and now?"
    assert (await api.fails(400, "POST", "/responses/compact", {"input": "x"}))["param"] == "model"


async def test_stored_responses_are_bounded() -> None:
    async with Server(max_stored=2) as server, aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session:
        api = Api(server, session)
        ids = [(await create(api))["id"] for _ in range(3)]
        await api.fails(404, "GET", f"/responses/{ids[0]}")
        await api.ok("GET", f"/responses/{ids[1]}")


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"model": ...}, "model", "missing_required_parameter"),
        ({"input": ...}, "input", "missing_required_parameter"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": [5]}, "input[0]", "invalid_type"),
        ({"input": [{"content": "x"}]}, "input[0].role", "missing_required_parameter"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"role": "user"}]}, "input[0].content", "invalid_type"),
        ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
        ({"background": True, "store": False}, "background", "invalid_value"),
        ({"background_options": "2h"}, "background_options", "invalid_type"),
        ({"background_options": {"completion_window": "1h"}}, "background_options.completion_window", "invalid_value"),
        ({"background_options": {"continuation_id": 7}}, "background_options.continuation_id", "invalid_type"),
        ({"background_options": {"completion_window": "8h"}}, "background", "invalid_value"),
        ({**LATER, "stream": True}, "stream", "invalid_value"),
        ({**LATER, "service_tier": "priority"}, "service_tier", "invalid_value"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_object"}}}, "input", None),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
        ({"stream": 1}, "stream", "invalid_type"),
    ],
)
async def test_bad_input(api: Api, params: dict[str, Any], param: str, code: str | None) -> None:
    body = {name: value for name, value in {**BASE, **params}.items() if value is not ...}
    error = await api.fails(400, "POST", "/responses", body)
    assert (error["param"], error["code"]) == (param, code)


async def test_unknown_model(api: Api) -> None:
    for path in ("/responses", "/responses/compact", "/responses/input_tokens"):
        assert (await api.fails(404, "POST", path, {**BASE, "model": "none"}))["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("query", "param"), [("stream=1", "stream"), ("stream=true&starting_after=x", "starting_after")]
)
async def test_bad_query(api: Api, query: str, param: str) -> None:
    response = await create(api)
    assert (await api.fails(400, "GET", f"/responses/{response['id']}?{query}"))["param"] == param
