"""A streamed answer, and its partial text after an error."""

import asyncio
import sys

from aiopenai import APIError, AsyncOpenAI, Timeout


async def main(question: str) -> int:
    # At most twenty seconds to the first event, and ten between events.
    async with AsyncOpenAI(timeout=Timeout(600, connect=5, first_event=20, idle=10)) as client:
        try:
            stream = await client.responses.create(model="gpt-4o-mini", input=question, stream=True)
            async for event in stream:
                if event.type == "response.output_text.delta":
                    print(event.delta, end="", flush=True)
                elif event.type == "response.completed" and event.response.usage is not None:
                    print(f"\n{event.response.usage.output_tokens} tokens")
        except APIError as error:
            received = error.partial.text if error.partial is not None else ""
            print(f"\n{type(error).__name__} after {len(received)} characters: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "Tell me of a river.")))
