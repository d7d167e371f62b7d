"""An image with previews while it is generated, saved to files."""

import asyncio
import base64
import sys
from pathlib import Path

from aiopenai import AsyncOpenAI


async def main(folder: Path, prompt: str) -> None:
    async with AsyncOpenAI() as client:
        stream = await client.images.generate(model="gpt-image-1", prompt=prompt, partial_images=2, stream=True)
        async for event in stream:
            if event.type == "image_generation.partial_image":
                path = folder / f"rough{event.partial_image_index}.png"
            else:
                path = folder / "image.png"
                print(f"{event.usage.total_tokens} tokens")
            path.write_bytes(base64.b64decode(event.b64_json))
            print(path.name)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    asyncio.run(main(target, " ".join(sys.argv[2:]) or "A heron in the reeds, woodcut"))
