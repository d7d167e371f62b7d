from __future__ import annotations

import json
from typing import Any

import pytest

from tests.testing.http import CHAT, USER, Api

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "unit"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}
NOTE = {"type": "custom", "custom": {"name": "take_note"}}
ARGUMENTS = {"city": "string", "unit": "C"}


def says(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def accumulate(events: list[Any]) -> dict[int, dict[str, Any]]:
    """The choices of a streamed completion, put together."""
    assert events[-1] == "[DONE]"
    choices: dict[int, dict[str, Any]] = {}
    for event in events[:-1]:
        assert event["object"] == "chat.completion.chunk"
        for choice in event["choices"]:
            got = choices.setdefault(choice["index"], {"content": "", "calls": {}, "logprobs": [], "reason": None})
            delta = choice["delta"]
            got["content"] += delta.get("content") or ""
            if choice["logprobs"]:
                got["logprobs"] += choice["logprobs"]["content"]
            for call in delta.get("tool_calls") or ():
                old = got["calls"].setdefault(call["index"], {"id": None, "name": "", "payload": ""})
                old["id"] = old["id"] or call["id"]
                inner = call.get("function") or call.get("custom")
                old["name"] += inner.get("name", "")
                old["payload"] += inner.get("arguments", "") + inner.get("input", "")
            assert got["reason"] is None
            got["reason"] = choice["finish_reason"]
    return choices


async def create(api: Api, **params: Any) -> Any:
    return await api.ok("POST", "/chat/completions", {**CHAT, **params})


async def stream(api: Api, **params: Any) -> list[Any]:
    got = await api("POST", "/chat/completions", {**CHAT, **params, "stream": True})
    assert got.status == 200
    return got.events()


async def test_create(api: Api) -> None:
    reply = await create(api)
    (choice,) = reply["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": "You said: hi there",
        "refusal": None,
        "annotations": [],
    }
    assert choice["finish_reason"] == "stop"
    usage = reply["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (8, 5, 13)


async def test_stream_equals_the_whole(api: Api) -> None:
    whole = await create(api, n=3, logprobs=True, top_logprobs=2)
    events = await stream(api, n=3, logprobs=True, top_logprobs=2, stream_options={"include_usage": True})
    choices = accumulate(events)
    for choice in whole["choices"]:
        assert choices[choice["index"]]["content"] == choice["message"]["content"]
        assert choices[choice["index"]]["reason"] == "stop"
        assert choices[choice["index"]]["logprobs"] == choice["logprobs"]["content"]
    assert len({choice["message"]["content"] for choice in whole["choices"]}) == 3
    assert events[-2]["choices"] == []
    assert events[-2]["usage"] == whole["usage"]
    assert all(event["usage"] is None for event in events[:-2])
    assert all("usage" not in event for event in (await stream(api))[:-1])


async def test_content_in_parts(api: Api) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]
    reply = await create(api, messages=[{"role": "system", "content": "x"}, {"role": "user", "content": parts}])
    assert reply["choices"][0]["message"]["content"] == "You said: look [seen: an image at example.com]"
    assert reply["usage"]["prompt_tokens"] == 3 + 4 + 4 + 85


@pytest.mark.parametrize(("answer", "text"), [("Hello.", "Hello."), (str.upper, "HI THERE"), ("", "")])
async def test_answers_of_ones_own(api: Api, answer: Any, text: str) -> None:
    api.server.answer = answer
    assert api.server.answer is answer
    assert (await create(api))["choices"][0]["message"]["content"] == text
    assert accumulate(await stream(api))[0]["content"] == text


async def test_nothing_said(api: Api) -> None:
    reply = await create(api, messages=[{"role": "system", "content": "x"}])
    assert reply["choices"][0]["message"]["content"].startswith("Hello")


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_limits(api: Api, limit: str) -> None:
    reply = await create(api, **{limit: 2})
    assert reply["choices"][0]["message"]["content"] == "You said"
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["usage"]["completion_tokens"] == 2
    assert accumulate(await stream(api, **{limit: 2}))[0]["reason"] == "length"


@pytest.mark.parametrize(
    ("stop", "text"), [(" hi", "You said:"), (["zz", "said", "hi"], "You "), ([], None), ("", None)]
)
async def test_stops(api: Api, stop: Any, text: str | None) -> None:
    choice = (await create(api, stop=stop))["choices"][0]
    assert choice["message"]["content"] == (text or "You said: hi there")
    assert choice["finish_reason"] == "stop"


async def test_logprobs(api: Api) -> None:
    choice = (await create(api, logprobs=True, top_logprobs=3))["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert bytes(byte for token in tokens for byte in token["bytes"]).decode() == choice["message"]["content"]
    assert all(-1 < token["logprob"] <= 0 for token in tokens)
    for token in tokens:
        assert token["top_logprobs"][0]["token"] == token["token"]
        ranked = [top["logprob"] for top in token["top_logprobs"]]
        assert ranked == sorted(ranked, reverse=True)
        assert len(ranked) == 3
    assert (await create(api, logprobs=True))["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


# Tools


@pytest.mark.parametrize(
    ("text", "options", "names", "reason"),
    [
        ("hi", {}, ["get_weather"], "tool_calls"),
        ("get_time, then get_weather", {}, ["get_weather", "get_time"], "tool_calls"),
        ("get_time, get_weather", {"parallel_tool_calls": False}, ["get_weather"], "tool_calls"),
        ("get_time", {"tool_choice": "auto"}, ["get_time"], "tool_calls"),
        ("hi", {"tool_choice": "required"}, ["get_weather"], "tool_calls"),
        ("take_note", {}, ["take_note"], "tool_calls"),
        ("hi", {"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"], "stop"),
        ("hi", {"tool_choice": {"type": "custom", "custom": {"name": "take_note"}}}, ["take_note"], "stop"),
        (
            "hi",
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [1, TIME]}}},
            ["get_time"],
            "tool_calls",
        ),
        ("hi", {"tool_choice": "none"}, [], "stop"),
    ],
)
async def test_tools(api: Api, text: str, options: dict[str, Any], names: list[str], reason: str) -> None:
    params = {"messages": says(text), "tools": [WEATHER, TIME, NOTE], **options}
    choice = (await create(api, **params))["choices"][0]
    assert choice["finish_reason"] == reason
    calls = choice["message"].get("tool_calls", [])
    assert [call[call["type"]]["name"] for call in calls] == names
    assert len({call["id"] for call in calls}) == len(names)
    streamed = accumulate(await stream(api, **params))[0]
    assert streamed["reason"] == reason
    assert [call["name"] for call in streamed["calls"].values()] == names
    for call in streamed["calls"].values():
        if call["name"] == "get_weather":
            assert json.loads(call["payload"]) == ARGUMENTS
        elif call["name"] == "get_time":
            assert call["payload"] == "{}"
    if names:
        assert choice["message"]["content"] is None
        assert streamed["content"] == ""


async def test_a_loop_of_calls_ends(api: Api) -> None:
    first = (await create(api, tools=[WEATHER]))["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "content": "sunny"}
    second = (await create(api, tools=[WEATHER], messages=[*USER, first, result]))["choices"][0]
    assert second["finish_reason"] == "stop"
    assert second["message"]["content"] == "You said: hi there"


async def test_older_functions(api: Api) -> None:
    params = {"functions": [WEATHER["function"]], "function_call": "auto"}
    choice = (await create(api, **params))["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert json.loads(choice["message"]["function_call"]["arguments"]) == ARGUMENTS
    deltas = [event["choices"][0]["delta"] for event in (await stream(api, **params))[:-1]]
    assert deltas[0]["function_call"]["name"] == "get_weather"
    assert json.loads("".join(delta["function_call"]["arguments"] for delta in deltas[:-1])) == ARGUMENTS
    named = await create(api, **{**params, "function_call": {"name": "get_weather"}})
    assert named["choices"][0]["message"]["function_call"]["name"] == "get_weather"
    assert (await create(api, **{**params, "function_call": "none"}))["choices"][0]["finish_reason"] == "stop"


# Formats


async def test_json_formats(api: Api) -> None:
    reply = await create(api, messages=says("json please"), response_format={"type": "json_object"})
    assert json.loads(reply["choices"][0]["message"]["content"]) == {"answer": "You said: json please"}
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = await create(api, response_format=wanted, n=2)
    assert [json.loads(choice["message"]["content"]) for choice in reply["choices"]] == [{"n": 1}, {"n": 1}]
    assert json.loads(accumulate(await stream(api, response_format=wanted))[0]["content"]) == {"n": 1}
    api.server.answer = '{"n": 7}'
    reply = await create(api, response_format=wanted)
    assert json.loads(reply["choices"][0]["message"]["content"]) == {"n": 7}
    api.server.answer = "words"
    reply = await create(api, response_format=wanted)
    assert json.loads(reply["choices"][0]["message"]["content"]) == {"n": 1}
    reply = await create(api, response_format={"type": "text"})
    assert reply["choices"][0]["message"]["content"] == "words"


# Stored completions


async def test_stored_completions(api: Api) -> None:
    ids = []
    for number in range(5):
        messages = [{"role": "user", "content": [{"type": "text", "text": "x"}]}, {"role": "user", "content": "y"}]
        reply = await create(
            api, store=True, messages=messages, metadata={"n": str(number % 2)}, model=("gpt-4o", "gpt-4.1")[number % 2]
        )
        ids.append(reply["id"])
    unstored = await create(api)
    await api.fails(404, "GET", f"/chat/completions/{unstored['id']}")

    path = f"/chat/completions/{ids[0]}"
    stored = await api.ok("GET", path)
    assert stored["metadata"] == {"n": "0"}
    assert stored["request_id"].startswith("req_")
    assert (await api.ok("POST", path, {"metadata": {"a": "b"}}))["metadata"] == {"a": "b"}
    assert (await api.ok("GET", path))["metadata"] == {"a": "b"}
    assert (await api.ok("POST", path, {"metadata": None}))["metadata"] == {}
    assert (await api.fails(400, "POST", path, {}))["param"] == "metadata"
    assert (await api.fails(400, "POST", path, {"metadata": []}))["code"] == "invalid_type"

    listed = await api.ok("GET", "/chat/completions?limit=2")
    assert [item["id"] for item in listed["data"]] == ids[:2]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[0], ids[1], True)
    listed = await api.ok("GET", f"/chat/completions?limit=2&after={ids[2]}&order=asc")
    assert [item["id"] for item in listed["data"]] == ids[3:]
    assert listed["has_more"] is False
    listed = await api.ok("GET", "/chat/completions?order=desc")
    assert [item["id"] for item in listed["data"]] == ids[::-1]
    listed = await api.ok("GET", "/chat/completions?metadata[n]=1&model=gpt-4.1")
    assert [item["id"] for item in listed["data"]] == [ids[1], ids[3]]
    listed = await api.ok("GET", "/chat/completions?metadata[none]=1")
    assert listed == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}

    messages = await api.ok("GET", path + "/messages")
    first, second = messages["data"]
    assert first["id"] == f"{ids[0]}-0"
    assert (first["content"], first["content_parts"]) == (None, [{"type": "text", "text": "x"}])
    assert (second["content"], second["content_parts"]) == ("y", None)
    assert (await api.ok("GET", path + "/messages?order=desc&limit=1"))["data"] == [second]

    assert await api.ok("DELETE", path) == {"object": "chat.completion.deleted", "id": ids[0], "deleted": True}
    for method in ("GET", "POST", "DELETE"):
        assert "not found" in (await api.fails(404, method, path))["message"]
    await api.fails(404, "GET", path + "/messages")


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("order=up", "order"), ("after=x", "after")],
)
async def test_bad_paging(api: Api, query: str, param: str) -> None:
    assert (await api.fails(400, "GET", f"/chat/completions?{query}"))["param"] == param


# Bad input


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"model": ...}, "model", "missing_required_parameter"),
        ({"messages": ...}, "messages", "missing_required_parameter"),
        ({"model": None}, "model", "invalid_type"),
        ({"model": 1}, "model", "invalid_type"),
        ({"messages": "hi"}, "messages", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [*USER, {"role": "user"}]}, "messages[1].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": 1.5}, "n", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
        ({"top_logprobs": 1}, "top_logprobs", "invalid_value"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"metadata": {"a" * 65: "b"}}, "metadata." + "a" * 65, "string_above_max_length"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "object_above_max_properties"),
        ({"tools": [1]}, "tools[0]", "invalid_type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name", "missing_required_parameter"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "no"}}},
            "tool_choice",
            "invalid_value",
        ),
        ({"functions": [{}]}, "functions[0].name", "missing_required_parameter"),
        ({"response_format": {"type": "json_object"}}, "messages", None),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.name",
            "missing_required_parameter",
        ),
    ],
)
async def test_bad_input(api: Api, params: dict[str, Any], param: str, code: str | None) -> None:
    body = {name: value for name, value in {**CHAT, **params}.items() if value is not ...}
    error = await api.fails(400, "POST", "/chat/completions", body)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert error["message"]


async def test_unknown_model(api: Api) -> None:
    error = await api.fails(404, "POST", "/chat/completions", {**CHAT, "model": "gpt-none"})
    assert (error["param"], error["code"]) == ("model", "model_not_found")


async def test_parameters_of_other_servers_pass(api: Api) -> None:
    await create(api, guided_json={"a": 1}, temperature=None)
