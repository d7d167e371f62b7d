"""A tool loop: the model calls functions and types of the program until it has an answer."""

import asyncio

import msgspec

from aiopenai import AsyncOpenAI


async def get_weather(city: str) -> str:
    """Returns the weather of a city."""
    return f"It is sunny in {city}."


class Lookup(msgspec.Struct):
    """Looks up the meaning of a word."""

    word: str

    def __call__(self) -> dict[str, str]:
        return {"word": self.word, "meaning": "unknown"}


async def main() -> None:
    async with AsyncOpenAI() as client:
        run = await client.responses.run_tools(
            model="gpt-4o-mini",
            input="Use get_weather and Lookup.",
            tools=[get_weather, Lookup],
            max_turns=10,
            tool_timeout=5,
        )
        for execution in run.executions:
            print(execution.name, execution.status, execution.output)
        print(run.output_text)


asyncio.run(main())
