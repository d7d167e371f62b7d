"""A search with embeddings: the text with the smallest angle to the question."""

import asyncio
import sys

from aiopenai import AsyncOpenAI

TEXTS = [
    "Meanders form because water runs faster on the outer side of a bend.",
    "A lock lifts ships from one level of a canal to the next.",
    "Sturgeons migrate upstream to spawn.",
    "The tide is felt in an estuary many kilometres from the sea.",
]


async def main(question: str) -> None:
    async with AsyncOpenAI() as client:
        reply = await client.embeddings.create(model="text-embedding-3-small", input=[question, *TEXTS], dimensions=256)
    # Vectors have the order of the inputs and length 1: the product is the cosine of the angle.
    asked, *known = (item.embedding for item in reply.data)
    scores = [sum(x * y for x, y in zip(asked, vector, strict=True)) for vector in known]
    for score, text in sorted(zip(scores, TEXTS, strict=True), reverse=True):
        print(f"{score:+.3f}  {text}")


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "How do ships get up a hill?"))
