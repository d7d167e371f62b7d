"""A conversation stored by the API: each response continues it, and its items can be listed."""

import asyncio
import sys

from aiopenai import AsyncOpenAI


async def main(questions: list[str]) -> None:
    async with AsyncOpenAI() as client:
        conversation = await client.conversations.create(metadata={"topic": "rivers"})
        for question in questions:
            await client.responses.create(model="gpt-4o-mini", conversation=conversation.id, input=question)
        # Iteration fetches further pages on demand.
        async for item in client.conversations.items.list(conversation.id, order="asc", limit=2):
            if item.type == "message":
                print(f"{item.role}: {''.join(part.text for part in item.content if 'text' in part.type)}")
        await client.conversations.delete(conversation.id)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["Name a river.", "How long is it?", "Thank you."]))
