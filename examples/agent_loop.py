"""An agent loop of 20 tool calls over a pool of sockets, and the same loop over HTTP for comparison.

The API keeps the context of a response on its socket. A call with `previous_response_id` goes there, so the context
is not loaded again. Run with OPENAI_API_KEY set, or against the local server, which charges 30 ms for each new context:

    python -m aiopenai serve --latency 0.03
"""

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING

from aiopenai import AsyncOpenAI

if TYPE_CHECKING:
    from aiopenai.resources.responses import AsyncResponses
    from aiopenai.types.responses import FunctionToolParam, ResponseInputParam

MODEL = os.environ.get("OPENAI_MODEL", "gpt-4o")
STEPS = 20
ADD: "FunctionToolParam" = {
    "type": "function",
    "name": "add",
    "description": "Adds two numbers.",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    "strict": True,
}


async def loop(responses: "AsyncResponses") -> float:
    """Returns the seconds that the loop takes."""
    started = time.perf_counter()
    last: str | None = None
    given: ResponseInputParam = [{"role": "user", "content": "Add the numbers from 1 to 20, one after another."}]
    for _ in range(STEPS):
        response = await responses.create(
            model=MODEL,
            input=given,
            previous_response_id=last,
            tools=[ADD],
            tool_choice={"type": "function", "name": "add"},
            parallel_tool_calls=False,
        )
        last, given = response.id, []
        for item in response.output:
            if item.type == "function_call":
                arguments = json.loads(item.arguments)
                total = str(arguments["a"] + arguments["b"])
                given.append({"type": "function_call_output", "call_id": item.call_id, "output": total})
    answer = await responses.create(model=MODEL, input=given, previous_response_id=last)
    print(answer.output_text)
    return time.perf_counter() - started


async def main() -> None:
    async with AsyncOpenAI() as client:
        http = await loop(client.responses)
        async with client.responses.pool(size=8) as responses:
            sockets = await loop(responses)
    print(f"{STEPS} tool calls over HTTP: {http:.2f} s, over sockets: {sockets:.2f} s")


asyncio.run(main())
