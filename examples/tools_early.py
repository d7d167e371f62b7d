"""Tools that start as soon as their arguments are complete, while the model is still writing the rest of its answer.

`responses.stream` parses the arguments of a call at its `response.function_call_arguments.done` event. The response
ends later, above all if the model makes several calls. Run with OPENAI_API_KEY set, or against the local server:

    python -m aiopenai serve --token-delay 0.02
"""

import asyncio
import os
import time
from typing import Any

from pydantic import BaseModel

import aiopenai
from aiopenai import AsyncOpenAI

MODEL = os.environ.get("OPENAI_MODEL", "gpt-4o")


class Weather(BaseModel):
    city: str


class Trains(BaseModel):
    start: str
    destination: str


TOOLS = [aiopenai.pydantic_function_tool(Weather), aiopenai.pydantic_function_tool(Trains)]


async def run_tool(arguments: Any) -> str:
    await asyncio.sleep(0.2)
    return f"{type(arguments).__name__}: nothing to report"


async def answered(client: AsyncOpenAI, *, early: bool) -> float:
    """Return the seconds until the results of all tools were there."""
    started = time.perf_counter()
    running: list[asyncio.Task[str]] = []
    question = "Use Weather for Zurich, and Trains from Bern to Zurich."
    async with client.responses.stream(model=MODEL, input=question, tools=TOOLS) as stream:
        async for event in stream:
            if early and event.type == "response.function_call_arguments.done" and event.parsed_arguments is not None:
                running.append(asyncio.create_task(run_tool(event.parsed_arguments)))
        response = await stream.get_final_response()
    if not early:
        calls = [item for item in response.output if item.type == "function_call"]
        running = [asyncio.create_task(run_tool(call.parsed_arguments)) for call in calls]
    for result in await asyncio.gather(*running):
        print(result)
    return time.perf_counter() - started


async def main() -> None:
    async with AsyncOpenAI() as client:
        late = await answered(client, early=False)
        early = await answered(client, early=True)
    print(f"tools after the response: {late:.2f} s, tools at once: {early:.2f} s")


asyncio.run(main())
