"""A chat by text over one realtime session: each answer is printed as it arrives.

Run with OPENAI_API_KEY set, or against the local server (`python -m aiopenai serve`).
"""

import asyncio
import sys

from aiopenai import AsyncOpenAI


async def main(questions: list[str]) -> None:
    async with AsyncOpenAI() as client, client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        for question in questions:
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": question}]}
            )
            await connection.response.create()
            async for event in connection:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="", flush=True)
                elif event.type == "response.done":
                    print()
                    break
                elif event.type == "error":
                    raise RuntimeError(event.error.message)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or ["Where does the Rhine begin?", "And where does it end?"]))
