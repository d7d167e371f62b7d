"""The endpoints `/chat/completions`: created whole or as a stream, stored, listed, updated, deleted."""

from __future__ import annotations

from typing import Any

from aiopenai.testing.content.answers import OutputFormat, format_of, formatted_answer
from aiopenai.testing.content.chat_events import chat_events
from aiopenai.testing.content.pictures import seen
from aiopenai.testing.content.text import count_tokens, cut, token_logprobs
from aiopenai.testing.content.tools import Tool, ToolUse, choose_tools, named_tools
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    check,
    check_metadata,
    check_model,
    missing,
    query_metadata,
    wrong_type,
)
from aiopenai.testing.engine.replies import ApiError, EventReply, Outcome, WholeReply
from aiopenai.testing.engine.values import Object, encode, is_array, is_object, section, text_of
from aiopenai.testing.memory.stored import StoredChat

__all__ = ["create", "delete", "list_", "messages", "retrieve", "update"]

FINGERPRINT = "fp_local000000"

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")

_PARAMS = {
    "messages": ARRAY,
    "model": STRING,
    "audio": OBJECT,
    "frequency_penalty": NUMBER.within(-2, 2),
    "function_call": STRING | OBJECT,
    "functions": ARRAY,
    "logit_bias": OBJECT,
    "logprobs": BOOLEAN,
    "max_completion_tokens": INTEGER.within(1),
    "max_tokens": INTEGER.within(1),
    "metadata": OBJECT,
    "modalities": ARRAY,
    "moderation": OBJECT,
    "n": INTEGER.within(1, 128),
    "parallel_tool_calls": BOOLEAN,
    "prediction": OBJECT,
    "presence_penalty": NUMBER.within(-2, 2),
    "prompt_cache_key": STRING,
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": STRING,
    "reasoning_effort": STRING,
    "response_format": OBJECT,
    "safety_identifier": STRING,
    "seed": INTEGER,
    "service_tier": STRING.one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": STRING | ARRAY,
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": NUMBER.within(0, 2),
    "tool_choice": STRING | OBJECT,
    "tools": ARRAY,
    "top_logprobs": INTEGER.within(0, 20),
    "top_p": NUMBER.within(0, 1),
    "user": STRING,
    "verbosity": STRING.one_of("low", "medium", "high"),
    "web_search_options": OBJECT,
}
_REQUIRED = ("messages", "model")


def create(call: Call) -> Outcome:
    """POST /chat/completions."""
    body = call.body()
    check(body, _PARAMS, _REQUIRED)
    messages: list[Any] = body["messages"]
    _check_messages(messages)
    check_metadata(body.get("metadata"))
    check_model(body["model"], call.state)
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        message = "'top_logprobs' is only allowed when 'logprobs' is true."
        raise ApiError(400, message, param="top_logprobs", code="invalid_value")
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ApiError(400, message, param="stream_options", code="invalid_value")
    choices, completion_tokens = _choices(call, body, _wanted_format(body))
    prompt_tokens = _prompt_tokens(body)
    completion: Object = {
        "id": call.state.new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": call.now(),
        "model": body["model"],
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    if body.get("store"):
        _store_chat(call, body, completion)
    tokens = prompt_tokens + completion_tokens
    if body.get("stream"):
        options = section(body, "stream_options")
        return EventReply(chat_events(completion, include_usage=options.get("include_usage") is True), tokens=tokens)
    return WholeReply.json(completion, tokens=tokens)


def retrieve(call: Call) -> WholeReply:
    """GET /chat/completions/{completion_id}."""
    return WholeReply.json(_stored_chat(call).completion)


def update(call: Call) -> WholeReply:
    """POST /chat/completions/{completion_id}: only the metadata can be changed."""
    stored = _stored_chat(call)
    body = call.body()
    if "metadata" not in body:
        raise missing("metadata")
    check_metadata(body["metadata"])
    stored.completion = {**stored.completion, "metadata": body["metadata"] or {}}
    return WholeReply.json(stored.completion)


def delete(call: Call) -> WholeReply:
    """DELETE /chat/completions/{completion_id}."""
    _stored_chat(call)
    call.state.chats.pop(call.ids[0])
    return WholeReply.json({"object": "chat.completion.deleted", "id": call.ids[0], "deleted": True})


def list_(call: Call) -> WholeReply:
    """GET /chat/completions: stored ones, by model and metadata (`metadata[key]=value`)."""
    query = call.request.query
    wanted = query_metadata(query)
    model = query.get("model")
    completions = [
        stored.completion
        for stored in call.state.chats.values()
        if (model is None or stored.completion["model"] == model)
        and wanted.items() <= stored.completion["metadata"].items()
    ]
    return page(completions, query, order="asc")


def messages(call: Call) -> WholeReply:
    """GET /chat/completions/{completion_id}/messages."""
    return page(_stored_chat(call).messages, call.request.query, order="asc")


def _stored_chat(call: Call) -> StoredChat:
    stored = call.state.chats.get(call.ids[0])
    if stored is None:
        raise ApiError(404, f"Completion with id '{call.ids[0]}' not found.", param="id", code="not_found")
    return stored


def _store_chat(call: Call, body: Object, completion: Object) -> None:
    identity = completion["id"]
    given: Object = {
        "request_id": call.request_id,
        "metadata": section(body, "metadata"),
        "seed": body.get("seed"),
        "temperature": body.get("temperature", 1.0),
        "top_p": body.get("top_p", 1.0),
        "presence_penalty": body.get("presence_penalty", 0.0),
        "frequency_penalty": body.get("frequency_penalty", 0.0),
        "input_user": body.get("user"),
        "tools": body.get("tools"),
        "tool_choice": body.get("tool_choice"),
        "response_format": body.get("response_format"),
    }
    stored: list[Object] = []
    for number, message in enumerate(body["messages"]):
        content = message.get("content")
        parts = content if is_array(content) else None
        stored.append(
            {
                **message,
                "id": f"{identity}-{number}",
                "content": None if parts is not None else content,
                "name": message.get("name"),
                "content_parts": parts,
            }
        )
    call.state.chats.put(identity, StoredChat({**completion, **given}, stored))


def _check_messages(messages: list[Any]) -> None:
    if not messages:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array."
        raise ApiError(400, message, param="messages", code="empty_array")
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not is_object(message):
            raise wrong_type(where, "an object", message)
        role = message.get("role")
        if role is None:
            raise missing(f"{where}.role")
        if role not in _ROLES:
            listed = ", ".join(f"'{known}'" for known in _ROLES)
            text = f"Invalid value: '{role}'. Supported values are: {listed}."
            raise ApiError(400, text, param=f"{where}.role", code="invalid_value")
        content: Any = message.get("content")
        if content is None:
            if role not in ("assistant", "function"):
                raise missing(f"{where}.content") if "content" not in message else _bad_content(where, content)
        elif type(content) is not str and not is_array(content):
            raise _bad_content(where, content)
        # Raises for an image that the API refuses.
        seen(content, f"{where}.content")
        if role == "tool" and type(message.get("tool_call_id")) is not str:
            raise missing(f"{where}.tool_call_id")


def _wanted_format(body: Object) -> OutputFormat:
    wanted = format_of(body.get("response_format"), "response_format", nested=True)
    texts = [text_of(message.get("content")) for message in body["messages"]]
    if wanted.type == "json_object" and not any("json" in text.lower() for text in texts):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise ApiError(400, message, param="messages")
    return wanted


def _bad_content(where: str, content: object) -> ApiError:
    return wrong_type(f"{where}.content", "one of a string or an array of objects", content)


def _prompt_tokens(body: Object) -> int:
    """Returns the prompt tokens: three for each message and for the reply, as OpenAI counts, and those of all texts."""
    total = 3
    for message in body["messages"]:
        content = message.get("content")
        total += 3
        if content:
            total += count_tokens(content if type(content) is str else text_of(content))
            if is_array(content):
                # Each part without text costs as much as an image of low detail.
                total += sum(85 for part in content if is_object(part) and "text" not in part)
        calls = message.get("tool_calls")
        if calls:
            total += count_tokens(encode(calls).decode())
    tools = body.get("tools") or body.get("functions")
    if tools:
        total += count_tokens(encode(tools).decode())
    return total


def _choices(call: Call, body: Object, wanted: OutputFormat) -> tuple[list[Object], int]:
    messages: list[Any] = body["messages"]
    asked = next((message.get("content") for message in reversed(messages) if message["role"] == "user"), "")
    prompt = text_of(asked)
    uses, legacy = _tool_uses(body, prompt, after_result=messages[-1]["role"] in ("tool", "function"))
    limit: int | None = body.get("max_completion_tokens") or body.get("max_tokens")
    top: int = body.get("top_logprobs") or 0
    choices: list[Object] = []
    total = 0
    for index in range(body.get("n") or 1):
        message: Object = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
        logprobs: Object | None = None
        if uses:
            reason = "function_call" if legacy else "tool_calls"
            if is_object(body.get("tool_choice")) and body["tool_choice"].get("type") != "allowed_tools":
                # The API reports `stop` too when the request names the function to call.
                reason = "stop"
            if legacy:
                message["function_call"] = {"name": uses[0].name, "arguments": uses[0].payload}
            else:
                message["tool_calls"] = [_tool_call(call, use) for use in uses]
            total += sum(count_tokens(use.payload) + count_tokens(use.name) for use in uses)
        else:
            text = formatted_answer(call, wanted, prompt, seen(asked, "messages"))
            if index and wanted.type == "text":
                text += f" (choice {index + 1})"
            tokens, reason = cut(text, body.get("stop"), limit)
            message["content"] = "".join(tokens)
            total += len(tokens)
            if body.get("logprobs"):
                logprobs = {"content": token_logprobs(tokens, top), "refusal": None}
        choices.append({"index": index, "message": message, "logprobs": logprobs, "finish_reason": reason})
    return choices, total


def _tool_uses(body: Object, prompt: str, *, after_result: bool) -> tuple[list[ToolUse], bool]:
    """Returns the calls to make, and whether the request uses the older `functions`."""
    functions = body.get("functions")
    if not is_array(functions):
        tools = named_tools(body.get("tools"), nested=True, hosted=False)
        parallel = body.get("parallel_tool_calls") is not False
        choice = body.get("tool_choice")
        return choose_tools(tools, choice, text=prompt, after_result=after_result, parallel=parallel), False
    older: list[Tool] = []
    for number, function in enumerate(functions):
        name = function.get("name") if is_object(function) else None
        if type(name) is not str or not is_object(function):
            raise missing(f"functions[{number}].name")
        older.append(Tool(name, False, function.get("parameters")))
    choice = body.get("function_call")
    return choose_tools(older, choice, text=prompt, after_result=after_result, parallel=False), True


def _tool_call(call: Call, use: ToolUse) -> Object:
    identity = call.state.new_id("call_")
    if use.custom:
        return {"id": identity, "type": "custom", "custom": {"name": use.name, "input": use.payload}}
    return {"id": identity, "type": "function", "function": {"name": use.name, "arguments": use.payload}}
