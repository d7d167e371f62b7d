"""A question about an image, from a file or a URL."""

import asyncio
import base64
import mimetypes
import sys
from pathlib import Path

from aiopenai import AsyncOpenAI


def as_url(source: str) -> str:
    """Returns a URL unchanged, and a file as a data URL."""
    if source.startswith(("http://", "https://")):
        return source
    kind = mimetypes.guess_type(source)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(Path(source).read_bytes()).decode()}"


async def main(source: str) -> None:
    # The read blocks the event loop, which is acceptable here: no other task runs.
    url = as_url(source)
    async with AsyncOpenAI() as client:
        response = await client.responses.create(
            model="gpt-4o-mini",
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is in this picture? One sentence."},
                        {"type": "input_image", "image_url": url, "detail": "low"},
                    ],
                }
            ],
        )
    print(response.output_text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "https://example.com/river.jpg"))
