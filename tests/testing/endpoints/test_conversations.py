from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import collect, strict

HI: Any = {"role": "user", "content": "hi"}


async def test_a_conversations_life(client: AsyncOpenAI) -> None:
    conversations = client.conversations
    made = strict(await conversations.create(metadata={"a": "b"}, items=[HI]))
    assert strict(await conversations.update(made.id, metadata={"c": "d"})).metadata == {"c": "d"}
    assert strict(await conversations.retrieve(made.id)).metadata == {"c": "d"}
    assert strict(await conversations.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await conversations.retrieve(made.id)


async def test_items(client: AsyncOpenAI) -> None:
    made = (await client.conversations.create(items=[HI])).id
    items = client.conversations.items
    call: Any = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    added = strict(await items.create(made, items=[{"role": "assistant", "content": "ho"}, call]))
    assert [item.type for item in added.data] == ["message", "function_call"]
    assert (added.first_id, added.last_id) == (added.data[0].id, added.data[1].id)
    listed = await collect(items.list(made, limit=2, order="asc"))
    assert [item.type for item in listed] == ["message", "message", "function_call"]
    one = strict(await items.retrieve(listed[1].id, conversation_id=made))
    assert one.content[0].text == "ho"
    assert strict(await items.delete(one.id, conversation_id=made)).id == made
    with pytest.raises(NotFoundError):
        await items.retrieve(one.id, conversation_id=made)
    with pytest.raises(BadRequestError, match="20"):
        await items.create(made, items=[HI] * 21)


async def test_responses_go_on_with_a_conversation(client: AsyncOpenAI) -> None:
    made = (await client.conversations.create(items=[HI])).id
    response = await client.responses.create(model="gpt-4o", input="ho", conversation={"id": made})
    assert response.conversation is not None
    assert response.conversation.id == made
    assert response.usage is not None
    alone = await client.responses.create(model="gpt-4o", input="ho")
    assert alone.usage is not None
    assert response.usage.input_tokens > alone.usage.input_tokens
    listed = await collect(client.conversations.items.list(made, order="asc"))
    assert [item.content[0].text for item in listed] == ["hi", "ho", "You said: ho"]
    async for _ in await client.responses.create(model="gpt-4o", input="he", conversation=made, stream=True):
        pass
    assert len(await collect(client.conversations.items.list(made))) == 5


async def test_bad_calls(client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError, match="conv_none"):
        await client.responses.create(model="gpt-4o", input="x", conversation="conv_none")
    made = (await client.conversations.create()).id
    first = await client.responses.create(model="gpt-4o", input="x")
    with pytest.raises(BadRequestError, match="Only one"):
        await client.responses.create(model="gpt-4o", input="x", conversation=made, previous_response_id=first.id)
