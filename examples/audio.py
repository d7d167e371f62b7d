"""Text to speech, written to a file as it arrives, and speech back to text."""

import asyncio
import sys
import tempfile
from pathlib import Path

from aiopenai import AsyncOpenAI


async def main(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        async with AsyncOpenAI() as client:
            async with client.audio.speech.with_streaming_response.create(
                model="gpt-4o-mini-tts", voice="alloy", input=text, response_format="wav"
            ) as speech:
                await speech.stream_to_file(path)
            print(f"{path.stat().st_size} bytes of speech")
            # The client reads a path in pieces while it sends them.
            stream = await client.audio.transcriptions.create(model="gpt-4o-mini-transcribe", file=path, stream=True)
            async for event in stream:
                if event.type == "transcript.text.delta":
                    print(event.delta, end="", flush=True)
            print()


if __name__ == "__main__":
    asyncio.run(main(" ".join(sys.argv[1:]) or "The river was there before the town."))
