"""An assistant with a function tool: a thread, a polled run, and the tool outputs that the run requests."""

import asyncio
import json

from aiopenai import AsyncOpenAI

TOOL = {
    "type": "function",
    "function": {
        "name": "water_level",
        "description": "The water level of the Rhine at a town, in metres.",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


def water_level(town: str) -> str:
    return f"3.48 m at {town}"


async def main() -> None:
    async with AsyncOpenAI() as client:
        assistant = await client.beta.assistants.create(
            model="gpt-4o-mini", name="Pilot", instructions="You know the Rhine.", tools=[TOOL]
        )
        run = await client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "How high is the water in Cologne?"}]},
        )
        while run.status == "requires_action":
            outputs = []
            for call in run.required_action.submit_tool_outputs.tool_calls:
                print(f"{call.function.name}({call.function.arguments})")
                output = water_level(**json.loads(call.function.arguments))
                outputs.append({"tool_call_id": call.id, "output": output})
            run = await client.beta.threads.runs.submit_tool_outputs_and_poll(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
            )
        print(run.status)
        async for message in client.beta.threads.messages.list(run.thread_id, order="asc"):
            for part in message.content:
                if part.type == "text":
                    print(f"{message.role}: {part.text.value}")
        await client.beta.threads.delete(run.thread_id)
        await client.beta.assistants.delete(assistant.id)


if __name__ == "__main__":
    asyncio.run(main())
