"""Function calling: run the requested functions and return their results until the model answers with text."""

import asyncio
import json
import sys

from aiopenai import AsyncOpenAI

LEVELS = {"Basel": 6.21, "Cologne": 3.48, "Rotterdam": 0.94}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "water_level",
            "description": "The water level of the Rhine at a town, in metres.",
            "parameters": {
                "type": "object",
                "properties": {"town": {"type": "string", "enum": list(LEVELS)}},
                "required": ["town"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
]


def water_level(town: str) -> float:
    return LEVELS[town]


async def main(question: str) -> None:
    messages = [{"role": "user", "content": question}]
    async with AsyncOpenAI() as client:
        while True:
            completion = await client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=TOOLS)
            message = completion.choices[0].message
            if not message.tool_calls:
                break
            # Replies can be sent back unchanged.
            messages.append(message)
            for call in message.tool_calls:
                result = water_level(**json.loads(call.function.arguments))
                print(f"{call.function.name}({call.function.arguments}) = {result}")
                messages.append({"role": "tool", "tool_call_id": call.id, "content": str(result)})
    print(message.content)


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "How high is the Rhine in Basel?"))
