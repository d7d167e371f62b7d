"""The endpoints `/responses`: created whole, streamed or in the background; retrieved, cancelled, compacted, deleted.

Each retrieval moves a background response on: the first finds it `in_progress`, the next `completed`. A retrieval as a
stream finds it complete.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from aiopenai.testing.content.answers import OutputFormat, format_of
from aiopenai.testing.content.items import as_items
from aiopenai.testing.content.response_events import response_events, unfinished_response
from aiopenai.testing.content.response_output import response_output
from aiopenai.testing.content.text import count_tokens
from aiopenai.testing.endpoints.conversations import conversation_of
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
    query_boolean,
    query_integer,
)
from aiopenai.testing.engine.received import ReceivedRequest
from aiopenai.testing.engine.replies import ApiError, EventReply, Outcome, WholeReply, named_event
from aiopenai.testing.engine.values import Object, encode, is_object, section, text_of
from aiopenai.testing.memory.stored import StoredResponse

__all__ = ["begin_response", "cancel", "compact", "create", "delete", "input_items", "input_tokens", "retrieve"]

# Two retrievals until a background response is complete: queued -> in_progress -> completed.
_POLLS = 2

# The completion windows at a discount, for background responses that are not streamed.
_WINDOWS = ("2h", "8h")
_BACKGROUND_OPTIONS = {
    "completion_window": STRING.one_of("soonest", *_WINDOWS),
    "continuation_id": STRING,
}
_PARAMS = {
    "access_programs": OBJECT,
    "background": BOOLEAN,
    "background_options": OBJECT,
    "context_management": ARRAY,
    "conversation": STRING | OBJECT,
    "image": OBJECT,
    "include": ARRAY,
    "input": STRING | ARRAY,
    "instructions": STRING,
    "max_output_tokens": INTEGER.within(16),
    "max_tool_calls": INTEGER,
    "metadata": OBJECT,
    "model": STRING,
    "moderation": OBJECT,
    "parallel_tool_calls": BOOLEAN,
    "previous_response_id": STRING,
    "prompt": OBJECT,
    "prompt_cache_key": STRING,
    "prompt_cache_options": OBJECT,
    "prompt_cache_retention": STRING,
    "reasoning": OBJECT,
    "safety_identifier": STRING,
    "service_tier": STRING.one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "store": BOOLEAN,
    "stream": BOOLEAN,
    "stream_options": OBJECT,
    "temperature": NUMBER.within(0, 2),
    "text": OBJECT,
    "tool_choice": STRING | OBJECT,
    "tools": ARRAY,
    "top_logprobs": INTEGER.within(0, 20),
    "top_p": NUMBER.within(0, 1),
    "truncation": STRING.one_of("auto", "disabled"),
    "user": STRING,
}


def create(call: Call) -> Outcome:
    """POST /responses."""
    response = begin_response(call).response
    tokens: int = response["usage"]["total_tokens"]
    body = call.body()
    if body.get("stream") is True:
        return EventReply(map(named_event, response_events(response)), tokens=tokens)
    return WholeReply.json(
        unfinished_response(response, "queued") if response["background"] else response, tokens=tokens
    )


def begin_response(call: Call, contexts: Mapping[str, StoredResponse] | None = None) -> StoredResponse:
    """Makes and stores the response to a request. `contexts` are those that a connection keeps, by their ids."""
    body = call.body()
    check(body, _PARAMS)
    if body.get("prompt") is None:
        # A stored prompt may contain both of these.
        check(body, _PARAMS, ("model", "input"))
    check_metadata(body.get("metadata"))
    model: str = body.get("model") or "gpt-4o"
    check_model(model, call.state)
    store = body.get("store") is not False
    background = body.get("background") is True
    if background and not store:
        message = "Background mode requires 'store' to be true."
        raise ApiError(400, message, param="background", code="invalid_value")
    _check_background_options(body)
    new = as_items(call, body.get("input"))
    items = [*_earlier(call, body, contexts), *new]
    wanted = _wanted_format(body, items)
    response = _response(call, body, model, items, wanted, background=background)
    stream = body.get("stream") is True
    kept = StoredResponse(response, items, _POLLS if background and not stream else 0)
    if store:
        call.state.responses.put(response["id"], kept)
    conversation = _conversation(body)
    if conversation is not None:
        held = conversation_of(call, conversation).items
        for item in (*new, *response["output"]):
            held.put(item["id"], item)
    return kept


def begin_response_on(call: Call, body: Object, contexts: Mapping[str, StoredResponse] | None = None) -> StoredResponse:
    """Begins a response on a websocket, whose handshake is `call`. The rest is as in `begin_response`."""
    request = ReceivedRequest(
        method="POST",
        raw_path="/v1/responses",
        headers=call.request.headers,
        body=encode({**body, "stream": True}),
        arrived=call.request.arrived,
        connection=call.request.connection,
    )
    return begin_response(Call(call.state, request, (), call.request_id, call.dispatch), contexts)


def retrieve(call: Call) -> Outcome:
    """GET /responses/{response_id}; with `stream=true` its events, those after `starting_after` only."""
    stored = _stored_response(call)
    query = call.request.query
    if query_boolean(query, "stream"):
        stored.polls = 0
        after = query_integer(query, "starting_after", -1, -1, 2**31)
        return EventReply(
            named_event(event) for event in response_events(stored.response) if event["sequence_number"] > after
        )
    if stored.polls:
        stored.polls -= 1
        if stored.polls:
            return WholeReply.json(unfinished_response(stored.response, "in_progress"))
    return WholeReply.json(stored.response)


def delete(call: Call) -> WholeReply:
    """DELETE /responses/{response_id}."""
    _stored_response(call)
    call.state.responses.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "response", "deleted": True})


def cancel(call: Call) -> WholeReply:
    """POST /responses/{response_id}/cancel: only unfinished background responses; cancelling twice is no error."""
    stored = _stored_response(call)
    response = stored.response
    if response["background"] is not True:
        raise ApiError(400, "Cannot cancel a synchronous response.", param="response_id")
    if response["status"] != "cancelled":
        if not stored.polls:
            raise ApiError(400, "Cannot cancel a completed response.", param="response_id")
        stored.polls = 0
        stored.response = unfinished_response(response, "cancelled")
    return WholeReply.json(stored.response)


def input_items(call: Call) -> WholeReply:
    """GET /responses/{response_id}/input_items: the newest first."""
    return page(_stored_response(call).items, call.request.query, order="desc")


def input_tokens(call: Call) -> WholeReply:
    """POST /responses/input_tokens."""
    body = call.body()
    check(body, _PARAMS)
    if body.get("model") is not None:
        check_model(body["model"], call.state)
    items = [*_earlier(call, body), *as_items(call, body.get("input"))]
    count = _count_items(items, body)
    return WholeReply.json({"object": "response.input_tokens", "input_tokens": count}, tokens=count)


def compact(call: Call) -> WholeReply:
    """POST /responses/compact: the messages of the user stay, and all other items become one opaque item."""
    body = call.body()
    check(body, _PARAMS, ("model",))
    check_model(body["model"], call.state)
    items = [*_earlier(call, body), *as_items(call, body.get("input"))]
    kept = [item for item in items if item["type"] == "message" and item["role"] == "user"]
    rest = [item for item in items if item not in kept]
    summary = b64encode(encode(rest)).decode()
    used = _count_items(items, body)
    made = count_tokens(summary)
    return WholeReply.json(
        {
            "id": call.state.new_id("resp_"),
            "object": "response.compaction",
            "created_at": call.now(),
            "output": [*kept, {"id": call.state.new_id("cmp_"), "type": "compaction", "encrypted_content": summary}],
            "usage": _response_usage(used, made, 0),
        },
        tokens=used + made,
    )


def _check_background_options(body: Object) -> None:
    options = section(body, "background_options")
    check(options, _BACKGROUND_OPTIONS, where="background_options.")
    if (window := options.get("completion_window")) not in _WINDOWS:
        return
    conflicts = {
        "background": body.get("background") is not True,
        "stream": body.get("stream") is True,
        "service_tier": body.get("service_tier") not in (None, "auto", "default"),
    }
    for param, conflict in conflicts.items():
        if conflict:
            message = f"The completion window '{window}' needs 'background': true, the default tier and no stream."
            raise ApiError(400, message, param=param, code="invalid_value")


def _stored_response(call: Call) -> StoredResponse:
    stored = call.state.responses.get(call.ids[0])
    if stored is None:
        raise ApiError(404, f"Response with id '{call.ids[0]}' not found.", param="response_id")
    return stored


def _earlier(call: Call, body: Object, contexts: Mapping[str, StoredResponse] | None = None) -> list[Object]:
    """Returns the earlier items, of the `previous_response_id` or the `conversation`."""
    identity = body.get("previous_response_id")
    conversation = _conversation(body)
    if identity is None:
        return [] if conversation is None else conversation_of(call, conversation).items.values()
    if conversation is not None:
        message = "Only one of 'previous_response_id' and 'conversation' can be given."
        raise ApiError(400, message, param="conversation", code="mutually_exclusive_parameters")
    stored = (contexts or {}).get(identity) or call.state.responses.get(identity)
    if stored is None:
        message = f"Previous response with id '{identity}' not found."
        raise ApiError(400, message, param="previous_response_id", code="previous_response_not_found")
    return [*stored.items, *stored.response["output"]]


def _conversation(body: Object) -> str | None:
    """Returns the id of the conversation that a response belongs to, or None."""
    given = body.get("conversation")
    return given.get("id") if is_object(given) else given


def _count_items(items: list[Object], body: Object) -> int:
    """Returns the input tokens: three for each item and the reply, and those of texts, instructions and tools."""
    total = 3 + count_tokens(body.get("instructions") or "")
    for item in items:
        total += 3
        if item["type"] == "message":
            total += count_tokens(text_of(item["content"]))
        else:
            total += sum(count_tokens(value) for value in item.values() if type(value) is str)
    if body.get("tools"):
        total += count_tokens(encode(body["tools"]).decode())
    return total


def _response_usage(used: int, made: int, reasoning: int) -> Object:
    return {
        "input_tokens": used,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": used + made,
    }


def _wanted_format(body: Object, items: list[Object]) -> OutputFormat:
    wanted = format_of(section(body, "text").get("format"), "text.format", nested=False)
    if wanted.type == "json_object" and not any("json" in text_of(item.get("content")).lower() for item in items):
        message = "The input must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
        raise ApiError(400, message, param="input")
    return wanted


def _response(
    call: Call, body: Object, model: str, items: list[Object], wanted: OutputFormat, *, background: bool
) -> Object:
    identity = call.state.new_id("resp_")
    now = call.now()
    text: Object = {"format": {"type": "text"}, "verbosity": "medium", **section(body, "text")}
    if text["format"] is None:
        text["format"] = {"type": "text"}
    output, made, reasoning, complete = response_output(call, body, items, wanted)
    conversation = body.get("conversation")
    return {
        "id": identity,
        "object": "response",
        "created_at": now,
        "status": "completed" if complete else "incomplete",
        "background": background,
        "completed_at": now if complete else None,
        "conversation": {"id": conversation} if type(conversation) is str else conversation,
        "error": None,
        "incomplete_details": None if complete else {"reason": "max_output_tokens"},
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "model": model,
        "output": output,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "prompt": body.get("prompt"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "prompt_cache_retention": body.get("prompt_cache_retention"),
        "reasoning": {"effort": None, "summary": None, **section(body, "reasoning")},
        "safety_identifier": body.get("safety_identifier"),
        "service_tier": "default",
        "temperature": _or(body.get("temperature"), 1.0),
        "text": text,
        "tool_choice": _or(body.get("tool_choice"), "auto"),
        "tools": body.get("tools") or [],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _or(body.get("top_p"), 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": _response_usage(_count_items(items, body), made, reasoning),
        "user": body.get("user"),
        "metadata": section(body, "metadata"),
        # The types have no such field, so only a request that names it gets it back.
        **{name: body[name] for name in ("store",) if name in body},
    }


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
