"""Many calls at the same time: a failed call does not stop the others."""

import asyncio

from aiopenai import AsyncOpenAI, OpenAIError

RIVERS = ["Amazon", "Danube", "Ganges", "Mississippi", "Murray", "Niger", "Nile", "Volga", "Yangtze", "Zambezi"]


async def main() -> None:
    async with AsyncOpenAI(max_retries=5) as client:
        # No semaphore is needed: waiting for a free connection never counts against a timeout.
        questions = [
            client.responses.create(model="gpt-4o-mini", input=f"How long is the {river}, in km? A number only.")
            for river in RIVERS
        ]
        answers = await asyncio.gather(*questions, return_exceptions=True)
    for river, answer in zip(RIVERS, answers, strict=True):
        if isinstance(answer, OpenAIError):
            print(f"{river}: {answer}")
        elif isinstance(answer, BaseException):
            raise answer
        else:
            print(f"{river}: {answer.output_text}")


if __name__ == "__main__":
    asyncio.run(main())
