"""File search: upload files into a vector store, wait until they are indexed, and ask."""

import asyncio

from aiopenai import AsyncOpenAI

FILES = [
    ("locks.md", b"A lock lifts ships from one level of a canal to the next."),
    ("tides.md", b"The tide is felt in an estuary many kilometres from the sea."),
    ("fish.md", b"Sturgeons migrate upstream to spawn.\n\nEels do the opposite."),
]


async def main() -> None:
    async with AsyncOpenAI() as client:
        store = await client.vector_stores.create(name="Rivers")
        batch = await client.vector_stores.file_batches.upload_and_poll(store.id, files=FILES)
        print(f"{batch.file_counts.completed} of {batch.file_counts.total} files")
        async for result in client.vector_stores.search(store.id, query="Which ships does a lock lift?"):
            print(f"{result.score:.2f} {result.filename}: {result.content[0].text}")
        await client.vector_stores.delete(store.id)


if __name__ == "__main__":
    asyncio.run(main())
