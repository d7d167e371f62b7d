"""The Batch API: many requests in one file at half the price, and their results."""

import asyncio
import json

from aiopenai import AsyncOpenAI

RIVERS = ["Danube", "Rhine", "Volga"]
FINAL = ("completed", "failed", "expired", "cancelled")


async def main(poll_seconds: float = 0.01) -> None:
    requests = [
        {
            "custom_id": river,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"Where does the {river} end?"}]},
        }
        for river in RIVERS
    ]
    lines = "\n".join(map(json.dumps, requests)).encode()
    async with AsyncOpenAI() as client:
        file = await client.files.create(file=("rivers.jsonl", lines), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        while batch.status not in FINAL:
            # A batch takes minutes to hours on the API: poll every minute there.
            await asyncio.sleep(poll_seconds)
            batch = await client.batches.retrieve(batch.id)
            print(batch.status)
        # Results have any order; failures are in a second file.
        for result_id in (batch.output_file_id, batch.error_file_id):
            if result_id is not None:
                content = await client.files.content(result_id)
                for line in content.text.splitlines():
                    result = json.loads(line)
                    reply = result["response"]["body"]
                    answer = reply["choices"][0]["message"]["content"] if "choices" in reply else reply["error"]
                    print(f"{result['custom_id']}: {answer}")


if __name__ == "__main__":
    asyncio.run(main())
