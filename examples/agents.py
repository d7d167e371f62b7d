"""An agent that calls a function of the program, and writes a file into its environment."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from aiopenai import AsyncOpenAI
from aiopenai.lib.beta.agents import AgentToolError, AgentTurnResultError, function_tool


@function_tool
async def get_population(city: str = "Rome") -> dict[str, int]:
    """Returns the number of inhabitants of a city."""
    return {"inhabitants": {"Rome": 2_755_000}.get(city, 0)}


def note(error: AgentToolError) -> None:
    print("failed:", error.tool_name, error.stage)


async def main() -> None:
    async with AsyncOpenAI() as client:
        sessions = client.beta.agents.sessions
        session = await sessions.create(
            agent={"model": "gpt-4o-mini", "tools": [get_population.definition]},
            environment={"type": "openai_hosted"},
        )
        async with sessions.stream(
            session.id,
            input="Call get_population for Rome. Write a sentence about it to /workspace/outputs/rome.txt.",
            tool_handlers={get_population.name: get_population},
            on_tool_error=note,
        ) as stream:
            async for event in stream.with_result_collection():
                print(event.type)
            try:
                result = await stream.get_final_result()
            except AgentTurnResultError as error:
                print("no result:", error.reason)
                return
        print(result.output_text)
        with TemporaryDirectory() as folder:
            local = Path(folder) / "rome.txt"
            await sessions.artifacts.for_result(result).download("/workspace/outputs/rome.txt", to=local)
            print(local.read_text(encoding="utf-8"))
        await sessions.delete(session.id)


asyncio.run(main())
