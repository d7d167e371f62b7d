"""The standing sweep: each payload at each chunk size, through `create`, the raw stream, the helper, and back again.

Five things hold for every payload: nothing raises that should not; the helper's result is the sum of the deltas; dumps
equal the JSON that was received; a reply goes back with the keys that were received; unknown fields can be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import APIError, AsyncOpenAI, LengthFinishReasonError
from aiopenai._data.structs import Model
from aiopenai.testing import Server

from .payloads import Payload, payloads

ALL = payloads()
SIZES = [1, 7, None]
PATHS = {"chat": "/chat/completions", "responses": "/responses"}
MESSAGES: Any = [{"role": "user", "content": "x"}]
# Strings that grow, in the fields that the API does not have.
GROWING = ("reasoning", "reasoning_content", "refusal", "tool_plan")


def of_form(form: str) -> Any:
    chosen = [payload for payload in ALL if payload.form == form]
    return pytest.mark.parametrize("payload", chosen, ids=[payload.id for payload in chosen])


each_size = pytest.mark.parametrize("size", SIZES, ids=["1", "7", "whole"])


def test_there_are_enough_of_them() -> None:
    assert len(ALL) >= 150
    assert len({payload.id for payload in ALL}) == len(ALL)
    assert len({payload.id.partition("-")[0] for payload in ALL}) >= 25
    for kind in (("chat", "whole"), ("chat", "stream"), ("responses", "whole"), ("responses", "stream")):
        assert sum((payload.call, payload.form) == kind for payload in ALL) >= 4


def serve(server: Server, payload: Payload, size: int | None) -> None:
    server.reply_with(PATHS[payload.call], payload.body, content_type=payload.content_type, chunk_size=size)


async def create(client: AsyncOpenAI, payload: Payload, **more: Any) -> Any:
    if payload.call == "chat":
        return await client.chat.completions.create(model="m", messages=MESSAGES, **more)
    return await client.responses.create(model="m", input="x", **more)


def check_readable(node: Any, received: Any, path: str = "") -> None:
    """Every field is an attribute under the API's name, and has the value that was received."""
    if isinstance(received, dict):
        for name, value in received.items():
            there = getattr(node, name) if isinstance(node, Model) else node[name]
            check_readable(there, value, f"{path}.{name}")
    elif isinstance(received, list):
        assert len(node) == len(received), path
        for index, value in enumerate(received):
            check_readable(node[index], value, f"{path}[{index}]")
    else:
        assert node == received, path


async def sent_back(client: AsyncOpenAI, server: Server, payload: Payload, reply: Any) -> list[Any]:
    """The messages or items of a reply, as the next request has them."""
    server.reply_with(PATHS[payload.call], b"{}")
    if payload.call == "chat":
        messages = [choice.message for choice in reply.choices]
        await client.chat.completions.create(model="m", messages=messages)
        return server.journal[-1].json()["messages"]  # type: ignore[no-any-return]
    await client.responses.create(model="m", input=reply.output)
    return server.journal[-1].json()["input"]  # type: ignore[no-any-return]


@each_size
@of_form("whole")
async def test_whole(payload: Payload, size: int | None, server: Server, client: AsyncOpenAI) -> None:
    serve(server, payload, size)
    if payload.fails is not None:
        with pytest.raises(APIError, match=payload.fails):
            await create(client, payload)
        return
    reply = await create(client, payload)
    (received,) = payload.events
    assert reply.to_dict() == received
    assert json.loads(reply.to_json()) == received
    check_readable(reply, received)
    repr(reply)
    due = [choice["message"] for choice in received["choices"]] if payload.call == "chat" else received["output"]
    assert await sent_back(client, server, payload, reply) == due


@each_size
@of_form("stream")
async def test_stream(payload: Payload, size: int | None, server: Server, client: AsyncOpenAI) -> None:
    serve(server, payload, size)
    seen: list[Any] = []
    failure: APIError | None = None
    try:
        async for event in await create(client, payload, stream=True):
            seen.append(event)
    except APIError as error:
        failure = error
    assert (failure is None) is (payload.fails is None), failure
    assert payload.fails is None or payload.fails in str(failure)
    assert [event.to_dict() for event in seen] == payload.events
    for event, received in zip(seen, payload.events, strict=True):
        check_readable(event, received)
    if failure is not None:
        assert failure.partial.events == len(seen)


@each_size
@of_form("stream")
async def test_helper(payload: Payload, size: int | None, server: Server, client: AsyncOpenAI) -> None:
    serve(server, payload, size)
    manager: Any
    if payload.call == "chat":
        manager = client.chat.completions.stream(model="m", messages=MESSAGES)
    else:
        manager = client.responses.stream(model="m", input="x")
    if payload.fails is not None:
        with pytest.raises(APIError, match=payload.fails):
            await read(manager)
        return
    events: list[Any] = []
    async with manager as stream:
        async for event in stream:
            events.append(event)
            event.to_dict()
        final = await final_of(payload, stream)
    if payload.call == "chat":
        check_completion(payload, events, final)
        for sent, deltas in zip(
            await sent_back(client, server, payload, final), deltas_of(payload).values(), strict=True
        ):
            check_sent(sent, deltas)
    else:
        check_response(payload, events, final)
        await sent_back(client, server, payload, final)


async def final_of(payload: Payload, stream: Any) -> Any:
    if payload.call == "responses":
        return await stream.get_final_response()
    try:
        return await stream.get_final_completion()
    except LengthFinishReasonError as error:
        # As in the reference, whether the content is to be parsed or not.
        return error.completion


async def read(manager: Any) -> None:
    async with manager as stream:
        await stream.until_done()


def deltas_of(payload: Payload) -> dict[int, list[Any]]:
    """The deltas of each choice."""
    deltas: dict[int, list[Any]] = {}
    for event in payload.events:
        for choice in event.get("choices") or ():
            if "delta" in choice:
                deltas.setdefault(choice.get("index", 0), []).append(choice["delta"])
    return dict(sorted(deltas.items()))


def texts(deltas: list[Any], name: str) -> Iterator[str]:
    for delta in deltas:
        value = delta.get(name)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (part["text"] for part in value if part["type"] == "text")


def check_completion(payload: Payload, events: list[Any], final: Any) -> None:
    deltas = deltas_of(payload)
    assert [choice.index or 0 for choice in final.choices] == [*deltas]
    for choice, parts in zip(final.choices, deltas.values(), strict=True):
        message = choice.message
        lists = [part for delta in parts if isinstance(delta.get("content"), list) for part in delta["content"]]
        text = "".join(texts(parts, "content"))
        if lists:
            assert [part for part in message.content if part in lists] == lists
            assert "".join(part["text"] for part in message.content if part["type"] == "text") == text
        else:
            assert (message.content or "") == text
        done = [event for event in events if event.type == "content.done"]
        assert not done or len(deltas) > 1 or done[-1].content == text
        for name in GROWING:
            assert (getattr(message, name, None) or "") == "".join(texts(parts, name)), name
        pieces = [call for delta in parts for call in delta.get("tool_calls") or ()]
        calls = message.tool_calls or []
        assert "".join(call.function.arguments for call in calls) == "".join(
            call["function"].get("arguments") or "" for call in pieces
        )
        assert [call.function.name for call in calls] == payload.calls
        ids = [call.id for call in calls if call.id]
        assert len(ids) == len(set(ids))
        assert set(ids) <= {call.get("id") for call in pieces}
    reasons = [
        choice["finish_reason"]
        for event in payload.events
        for choice in event.get("choices") or ()
        if choice.get("finish_reason")
    ]
    assert final.choices[-1].finish_reason == reasons[-1]
    usages = [event["usage"] for event in payload.events if event.get("usage")]
    assert (final.usage and final.usage.to_dict()) == (usages[-1] if usages else None)
    arguments = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert [event.name for event in arguments] == payload.calls


def check_sent(sent: dict[str, Any], deltas: list[Any]) -> None:
    """The keys are those received: all of the first delta, and those with a value of the others."""
    due = {*deltas[0], *(name for delta in deltas for name, value in delta.items() if value is not None)}
    received = {name for delta in deltas for name in delta}
    assert due <= sent.keys() <= received
    assert sent.get("role") in (None, "assistant")
    for call in sent.get("tool_calls") or ():
        received = {name for delta in deltas for each in delta.get("tool_calls") or () for name in each}
        assert call.keys() <= {*received, "type"}
        assert call["function"].keys() <= {"name", "arguments"}
    for detail in sent.get("reasoning_details") or ():
        assert detail.get("format") in (None, "unknown", "anthropic-claude-v1", "MiniMax-response-v1")


def check_response(payload: Payload, events: list[Any], final: Any) -> None:
    due = payload.events[-1]["response"]
    pieces = [event["delta"] for event in payload.events if event["type"] == "response.output_text.delta"]
    assert final.output_text == "".join(pieces)
    assert len(events) == len(payload.events)
    found = final.to_dict()
    for item in found["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or ():
            part.pop("parsed", None)
    if due["output"]:
        assert found == due
    else:
        assert {**found, "output": []} == due
