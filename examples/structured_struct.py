"""An answer as a msgspec Struct, which needs no pydantic and is faster."""

import asyncio

import msgspec

from aiopenai import AsyncOpenAI


class Step(msgspec.Struct):
    explanation: str
    result: str


class Solution(msgspec.Struct):
    steps: list[Step]
    answer: str


async def main() -> None:
    async with AsyncOpenAI() as client:
        response = await client.responses.parse(
            model="gpt-4o-mini",
            input="A barge makes 9 km/h in still water, the river 4 km/h. How long do 65 km downstream take?",
            text_format=Solution,
        )
    solution = response.output_parsed
    if solution is None:
        print(f"No solution: {response.output_text}")
        return
    for number, step in enumerate(solution.steps, 1):
        print(f"{number}. {step.explanation}: {step.result}")
    print(solution.answer)


if __name__ == "__main__":
    asyncio.run(main())
