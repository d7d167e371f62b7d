"""An answer as an instance of a pydantic model."""

import asyncio

from pydantic import BaseModel, Field

from aiopenai import AsyncOpenAI, LengthFinishReasonError


class River(BaseModel):
    name: str
    length_km: int = Field(description="Length in kilometres, rounded")
    countries: list[str]


class Rivers(BaseModel):
    rivers: list[River]


async def main() -> None:
    async with AsyncOpenAI() as client:
        try:
            completion = await client.chat.completions.parse(
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "Name the three longest rivers of Europe."}],
                response_format=Rivers,
            )
        except LengthFinishReasonError as error:
            print(f"cut off after {error.completion.usage.completion_tokens} tokens")
            return
    message = completion.choices[0].message
    if message.parsed is None:
        print(f"The model declined: {message.refusal}")
        return
    for river in message.parsed.rivers:
        print(f"{river.name}: {river.length_km} km, {', '.join(river.countries)}")


if __name__ == "__main__":
    asyncio.run(main())
