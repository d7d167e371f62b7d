"""`/responses`: created whole, as a stream or in the background; retrieved, cancelled, compacted, deleted.

Background responses make progress when they are looked at: the first retrieval finds `in_progress`, the next one
`completed`. A response that is fetched as a stream is complete.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from aiopenai.testing.content.items import as_items
from aiopenai.testing.content.pictures import seen
from aiopenai.testing.content.text import count_tokens, cut, token_logprobs, tokenize
from aiopenai.testing.content.tools import choose_tools, named_tools
from aiopenai.testing.endpoints.chat import json_answer, schema_answer
from aiopenai.testing.endpoints.conversations import conversation_of
from aiopenai.testing.engine.exchange import (
    ApiError,
    Call,
    Events,
    Object,
    Outcome,
    Reply,
    encode,
    is_object,
    named_event,
    section,
    strings,
    text_of,
)
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
    query_boolean,
    query_integer,
)
from aiopenai.testing.memory.stored import StoredResponse

__all__ = ["cancel", "compact", "create", "delete", "input_items", "input_tokens", "retrieve"]

# Two retrievals until a background response is complete: queued -> in_progress -> completed.
_POLLS = 2
_REASONING_TOKENS = 16

_PARAMS = {
    "access_programs": OBJECT,
    "background": BOOLEAN,
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
    body = call.body()
    check(body, _PARAMS)
    if body.get("prompt") is None:
        # A stored prompt may bring both of these with it.
        check(body, _PARAMS, ("model", "input"))
    check_metadata(body.get("metadata"))
    model: str = body.get("model") or "gpt-4o"
    check_model(model, call.state.models)
    store = body.get("store") is not False
    background = body.get("background") is True
    if background and not store:
        message = "Background mode requires 'store' to be true."
        raise ApiError(400, message, param="background", code="invalid_value")
    new = as_items(call, body.get("input"))
    items = [*_earlier(call, body), *new]
    response = _response(call, body, model, items, store=store, background=background)
    stream = body.get("stream") is True
    if store:
        polls = _POLLS if background and not stream else 0
        call.state.responses.put(response["id"], StoredResponse(response, items, polls))
    conversation = _conversation(body)
    if conversation is not None:
        kept = conversation_of(call, conversation).items
        for item in (*new, *response["output"]):
            kept.put(item["id"], item)
    tokens: int = response["usage"]["total_tokens"]
    if stream:
        return Events(map(named_event, _events(response)), tokens=tokens)
    return Reply.json(_unfinished(response, "queued") if background else response, tokens=tokens)


def retrieve(call: Call) -> Outcome:
    """GET /responses/{response_id}; with `stream=true` its events, those after `starting_after` only."""
    stored = _stored(call)
    query = call.request.query
    if query_boolean(query, "stream"):
        stored.polls = 0
        after = query_integer(query, "starting_after", -1, -1, 2**31)
        return Events(named_event(event) for event in _events(stored.response) if event["sequence_number"] > after)
    if stored.polls:
        stored.polls -= 1
        if stored.polls:
            return Reply.json(_unfinished(stored.response, "in_progress"))
    return Reply.json(stored.response)


def delete(call: Call) -> Reply:
    """DELETE /responses/{response_id}."""
    _stored(call)
    call.state.responses.pop(call.ids[0])
    return Reply.json({"id": call.ids[0], "object": "response", "deleted": True})


def cancel(call: Call) -> Reply:
    """POST /responses/{response_id}/cancel: only unfinished background responses; cancelling twice is no error."""
    stored = _stored(call)
    response = stored.response
    if response["background"] is not True:
        raise ApiError(400, "Cannot cancel a synchronous response.", param="response_id")
    if response["status"] != "cancelled":
        if not stored.polls:
            raise ApiError(400, "Cannot cancel a completed response.", param="response_id")
        stored.polls = 0
        stored.response = _unfinished(response, "cancelled")
    return Reply.json(stored.response)


def input_items(call: Call) -> Reply:
    """GET /responses/{response_id}/input_items: the newest first."""
    return page(_stored(call).items, call.request.query, order="desc")


def input_tokens(call: Call) -> Reply:
    """POST /responses/input_tokens."""
    body = call.body()
    check(body, _PARAMS)
    if body.get("model") is not None:
        check_model(body["model"], call.state.models)
    items = [*_earlier(call, body), *as_items(call, body.get("input"))]
    count = _count(items, body)
    return Reply.json({"object": "response.input_tokens", "input_tokens": count}, tokens=count)


def compact(call: Call) -> Reply:
    """POST /responses/compact: the user's messages stay, all the rest becomes one opaque item."""
    body = call.body()
    check(body, _PARAMS, ("model",))
    check_model(body["model"], call.state.models)
    items = [*_earlier(call, body), *as_items(call, body.get("input"))]
    kept = [item for item in items if item["type"] == "message" and item["role"] == "user"]
    rest = [item for item in items if item not in kept]
    summary = b64encode(encode(rest)).decode()
    used = _count(items, body)
    made = count_tokens(summary)
    return Reply.json(
        {
            "id": call.state.new_id("resp_"),
            "object": "response.compaction",
            "created_at": call.now(),
            "output": [*kept, {"id": call.state.new_id("cmp_"), "type": "compaction", "encrypted_content": summary}],
            "usage": _usage(used, made, 0),
        },
        tokens=used + made,
    )


def _stored(call: Call) -> StoredResponse:
    stored = call.state.responses.get(call.ids[0])
    if stored is None:
        raise ApiError(404, f"Response with id '{call.ids[0]}' not found.", param="response_id")
    return stored


def _earlier(call: Call, body: Object) -> list[Object]:
    """The items that came before: those that `previous_response_id` or `conversation` continues."""
    identity = body.get("previous_response_id")
    conversation = _conversation(body)
    if identity is None:
        return [] if conversation is None else conversation_of(call, conversation).items.values()
    if conversation is not None:
        message = "Only one of 'previous_response_id' and 'conversation' can be given."
        raise ApiError(400, message, param="conversation", code="mutually_exclusive_parameters")
    stored = call.state.responses.get(identity)
    if stored is None:
        message = f"Previous response with id '{identity}' not found."
        raise ApiError(400, message, param="previous_response_id", code="previous_response_not_found")
    return [*stored.items, *stored.response["output"]]


def _conversation(body: Object) -> str | None:
    """The id of the conversation that a response belongs to."""
    given = body.get("conversation")
    return given.get("id") if is_object(given) else given


def _count(items: list[Object], body: Object) -> int:
    """Three tokens an item and three for the reply, and the tokens of all texts, instructions and tools."""
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


def _usage(used: int, made: int, reasoning: int) -> Object:
    return {
        "input_tokens": used,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": used + made,
    }


def _response(call: Call, body: Object, model: str, items: list[Object], *, store: bool, background: bool) -> Object:
    identity = call.state.new_id("resp_")
    now = call.now()
    text: Object = {"format": {"type": "text"}, "verbosity": "medium", **section(body, "text")}
    if text["format"] is None:
        text["format"] = {"type": "text"}
    output, made, reasoning, complete = _output(call, body, items, text["format"])
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
        "store": store,
        "temperature": _or(body.get("temperature"), 1.0),
        "text": text,
        "tool_choice": _or(body.get("tool_choice"), "auto"),
        "tools": body.get("tools") or [],
        "top_logprobs": body.get("top_logprobs") or 0,
        "top_p": _or(body.get("top_p"), 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": _usage(_count(items, body), made, reasoning),
        "user": body.get("user"),
        "metadata": section(body, "metadata"),
    }


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _output(call: Call, body: Object, items: list[Object], wanted: Object) -> tuple[list[Object], int, int, bool]:
    """What the model gives back: (items, all output tokens, reasoning tokens among them, whether it is complete)."""
    question = next((item["content"] for item in reversed(items) if item.get("role") == "user"), "")
    prompt = text_of(question)
    output: list[Object] = []
    made = reasoning = 0
    asked = section(body, "reasoning")
    include = strings(body.get("include"))
    if asked.get("effort") not in (None, "none") or asked.get("summary") is not None:
        output.append(_reasoning(call, asked, include))
        made = reasoning = _REASONING_TOKENS
    uses = choose_tools(
        named_tools(body.get("tools"), nested=False),
        body.get("tool_choice"),
        text=prompt,
        after_result=bool(items) and items[-1]["type"] in ("function_call_output", "custom_tool_call_output"),
        parallel=body.get("parallel_tool_calls") is not False,
    )
    for use in uses:
        made += count_tokens(use.name) + count_tokens(use.payload)
        head: Object = {"id": call.state.new_id("ctc_" if use.custom else "fc_"), "call_id": call.state.new_id("call_")}
        if use.custom:
            output.append({**head, "type": "custom_tool_call", "name": use.name, "input": use.payload})
        else:
            rest = {"type": "function_call", "status": "completed", "name": use.name, "arguments": use.payload}
            output.append({**head, **rest})
    if uses:
        return output, made, reasoning, True
    text = _text(call, wanted, prompt, seen(question, "input"), items)
    tokens, reason = cut(text, None, body.get("max_output_tokens"))
    made += len(tokens)
    with_logprobs = "message.output_text.logprobs" in include or bool(body.get("top_logprobs"))
    logprobs = token_logprobs(tokens, body.get("top_logprobs") or 0) if with_logprobs else []
    part = {"type": "output_text", "text": "".join(tokens), "annotations": [], "logprobs": logprobs}
    output.append(
        {
            "id": call.state.new_id("msg_"),
            "type": "message",
            "status": "completed" if reason == "stop" else "incomplete",
            "role": "assistant",
            "content": [part],
        }
    )
    return output, made, reasoning, reason == "stop"


def _reasoning(call: Call, asked: Object, include: list[str]) -> Object:
    summary: list[Object] = []
    if asked.get("summary") is not None:
        summary.append(
            {"type": "summary_text", "text": "**Reading the question**\n\nThe user asked; an answer is due."}
        )
    item: Object = {"id": call.state.new_id("rs_"), "type": "reasoning", "summary": summary}
    if "reasoning.encrypted_content" in include:
        item["encrypted_content"] = b64encode(item["id"].encode()).decode()
    return item


def _text(call: Call, wanted: object, prompt: str, images: str, items: list[Object]) -> str:
    kind = wanted.get("type") if is_object(wanted) else None
    if kind == "json_object":
        if not any("json" in text_of(item.get("content")).lower() for item in items):
            text = "The input must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
            raise ApiError(400, text, param="input")
        return json_answer(call, prompt)
    if kind == "json_schema" and is_object(wanted):
        for name in ("name", "schema"):
            if wanted.get(name) is None:
                raise missing(f"text.format.{name}")
        return schema_answer(call, wanted["schema"], prompt)
    if kind != "text":
        text = f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', and 'text'."
        raise ApiError(400, text, param="text.format.type", code="invalid_value")
    return call.state.reply_text(prompt, images)


def _unfinished(response: Object, status: str) -> Object:
    """The response as it was before it had any output."""
    return {
        **response,
        "status": status,
        "completed_at": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def _events(response: Object) -> Iterator[Object]:
    """All events of a response, from its final form, with their sequence numbers from 0."""
    for number, event in enumerate(_unnumbered(response)):
        event["sequence_number"] = number
        yield event


def _unnumbered(response: Object) -> Iterator[Object]:
    if response["status"] == "cancelled":
        yield {"type": "response.created", "response": _unfinished(response, "queued")}
        return
    yield {"type": "response.created", "response": _unfinished(response, "in_progress")}
    if response["background"]:
        yield {"type": "response.queued", "response": _unfinished(response, "queued")}
    yield {"type": "response.in_progress", "response": _unfinished(response, "in_progress")}
    for index, item in enumerate(response["output"]):
        at: Object = {"item_id": item["id"], "output_index": index}
        kind: str = item["type"]
        if kind == "message":
            yield from _message_events(item, at)
        elif kind == "reasoning":
            yield from _reasoning_events(item, at)
        elif kind == "function_call":
            yield from _call_events(item, at, "arguments", "response.function_call_arguments")
        else:
            yield from _call_events(item, at, "input", "response.custom_tool_call_input")
    yield {"type": f"response.{response['status']}", "response": response}


def _item_event(name: str, item: Object, at: Object) -> Object:
    return {"type": f"response.output_item.{name}", "output_index": at["output_index"], "item": item}


def _message_events(item: Object, at: Object) -> Iterator[Object]:
    yield _item_event("added", {**item, "status": "in_progress", "content": []}, at)
    for index, part in enumerate(item["content"]):
        here = {**at, "content_index": index}
        logprobs: list[Object] = part["logprobs"]
        empty: Object = {**part, "text": "", "logprobs": []}
        yield {"type": "response.content_part.added", **here, "part": empty}
        for number, token in enumerate(tokenize(part["text"])):
            yield {
                "type": "response.output_text.delta",
                **here,
                "delta": token,
                "logprobs": logprobs[number : number + 1],
            }
        yield {"type": "response.output_text.done", **here, "text": part["text"], "logprobs": logprobs}
        yield {"type": "response.content_part.done", **here, "part": part}
    yield _item_event("done", item, at)


def _reasoning_events(item: Object, at: Object) -> Iterator[Object]:
    yield _item_event("added", {**item, "summary": []}, at)
    for index, part in enumerate(item["summary"]):
        here = {**at, "summary_index": index}
        yield {"type": "response.reasoning_summary_part.added", **here, "part": {**part, "text": ""}}
        for token in tokenize(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **here, "delta": token}
        yield {"type": "response.reasoning_summary_text.done", **here, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **here, "part": part}
    yield _item_event("done", item, at)


def _call_events(item: Object, at: Object, field: str, name: str) -> Iterator[Object]:
    start = {**item, field: ""}
    if "status" in item:
        start["status"] = "in_progress"
    yield _item_event("added", start, at)
    for token in tokenize(item[field]):
        yield {"type": f"{name}.delta", **at, "delta": token}
    done: Object = {"type": f"{name}.done", **at, field: item[field]}
    if field == "arguments":
        done["name"] = item["name"]
    yield done
    yield _item_event("done", item, at)
