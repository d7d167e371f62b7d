"""One chat call. Needs OPENAI_API_KEY, or OPENAI_BASE_URL and any key."""

import asyncio
import sys

from aiopenai import AsyncOpenAI


async def main(question: str) -> None:
    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[
                {"role": "system", "content": "Answer in one sentence."},
                {"role": "user", "content": question},
            ],
        )
    print(completion.choices[0].message.content)
    if completion.usage is not None:
        print(f"{completion.usage.total_tokens} tokens, request {completion._request_id}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "Why do rivers meander?"))
