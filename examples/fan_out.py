"""Many questions at the same time: the first failure of one does not stop the others."""

import asyncio

from aiopenai import AsyncOpenAI, OpenAIError

RIVERS = ["Amazon", "Danube", "Ganges", "Mississippi", "Murray", "Niger", "Nile", "Volga", "Yangtze", "Zambezi"]


async def main() -> None:
    async with AsyncOpenAI(max_retries=5) as client:
        # No semaphore is needed: the client queues for connections, and waiting there times nothing out.
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
