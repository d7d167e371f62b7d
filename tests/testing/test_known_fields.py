"""Replies and streams of the server have the fields of the types and no others."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from tests.testing.strict import collect, strict, unknown_fields

MESSAGES: Any = [{"role": "user", "content": "say json to look"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
LOOK = {"name": "look", "description": "Looks.", "parameters": SCHEMA, "strict": True}
CUSTOM = {"name": "write", "description": "Writes."}

CHAT: dict[str, dict[str, Any]] = {
    "plain": {},
    "choices": {"n": 2, "logprobs": True, "top_logprobs": 2},
    "length": {"max_completion_tokens": 2},
    "json": {"response_format": {"type": "json_object"}},
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    "tools": {"tools": [{"type": "function", "function": LOOK}, {"type": "custom", "custom": CUSTOM}]},
    "custom": {"tools": [{"type": "custom", "custom": CUSTOM}]},
    "functions": {"functions": [{"name": "look", "parameters": SCHEMA}]},
    "stored": {"store": True, "metadata": {"a": "b"}},
}
RESPONSES: dict[str, dict[str, Any]] = {
    "plain": {},
    "reasoning": {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
    "logprobs": {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    "length": {"max_output_tokens": 16, "input": "word " * 40},
    "schema": {"text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True}}},
    "tools": {"tools": [{"type": "function", **LOOK}, {"type": "custom", **CUSTOM}]},
    "custom": {"tools": [{"type": "custom", **CUSTOM}]},
    "background": {"background": True},
    "settings": {"instructions": "Be brief.", "temperature": 0, "tool_choice": "none", "metadata": {"a": "b"}},
}


@pytest.mark.parametrize("case", sorted(CHAT))
async def test_chat(client: AsyncOpenAI, case: str) -> None:
    given: Any = {"model": "gpt-4o", "messages": MESSAGES, **CHAT[case]}
    strict(await client.chat.completions.create(**given))
    if case == "custom":
        # The API streams calls of custom tools in a field that the types lack.
        return
    chunks = await collect(client.chat.completions.create(stream=True, **given))
    assert chunks[-1].choices[0].finish_reason
    with_usage = {"include_usage": True}
    chunks = await collect(client.chat.completions.create(stream=True, stream_options=with_usage, **given))
    assert chunks[-1].usage.total_tokens


@pytest.mark.parametrize("case", sorted(RESPONSES))
async def test_responses(client: AsyncOpenAI, case: str) -> None:
    given: Any = {"model": "gpt-4o", "input": "say json to look", **RESPONSES[case]}
    response = strict(await client.responses.create(**given))
    strict(await client.responses.retrieve(response.id))
    await collect(client.responses.input_items.list(response.id))
    events = await collect(client.responses.create(stream=True, **given))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type in ("response.completed", "response.incomplete")


async def test_other_endpoints(client: AsyncOpenAI) -> None:
    strict(await client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hi", logprobs=2, echo=True))
    # The type of the finish reason does not allow the null that the API sends in all but the last event.
    stream = await client.completions.create(model="gpt-3.5-turbo-instruct", prompt=["a", "b"], stream=True)
    assert [path async for chunk in stream for path in unknown_fields(chunk)] == []
    for form in ("float", "base64"):
        strict(await client.embeddings.create(model="text-embedding-3-small", input=["a"], encoding_format=form))  # type: ignore[arg-type]
    strict(await client.moderations.create(input="i hate this"))
    assert len(await collect(client.models.list())) > 100
    strict(await client.models.retrieve("gpt-4o"))
    strict(await client.responses.input_tokens.count(model="gpt-4o", input="x"))
    compaction = await client.responses.compact(model="gpt-4o", input="x")
    # The compacted messages of the user are those of the request; the types know messages of models only.
    assert all(".content[" in path for path in unknown_fields(compaction))
