"""Push to talk: press Enter, speak, press Enter again, and hear the answer. The letter q ends the conversation.

It needs a sound card, and `pip install 'aiopenai[voice]'`. Run with OPENAI_API_KEY set, or against the local server
(`python -m aiopenai serve`).
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import numpy

from aiopenai import AsyncOpenAI
from aiopenai.helpers import LocalAudioPlayer, Microphone

if TYPE_CHECKING:
    from aiopenai.resources.realtime.realtime import AsyncRealtimeConnection


async def recording() -> Any:
    """Returns the samples that the microphone takes until the next Enter."""
    key = asyncio.create_task(asyncio.to_thread(input, "Recording. Enter ends it.\n"))
    samples = await Microphone(should_record=lambda: not key.done()).record(return_ndarray=True)
    await key
    return samples


async def answer(connection: "AsyncRealtimeConnection") -> AsyncIterator[Any]:
    """Yields the samples of the answer as they arrive, and prints its words."""
    async for event in connection:
        if event.type == "response.output_audio.delta":
            yield numpy.frombuffer(base64.b64decode(event.delta), "<i2")
        elif event.type == "response.output_audio_transcript.delta":
            print(event.delta, end="", flush=True)
        elif event.type == "response.done":
            print()
            return
        elif event.type == "error":
            raise RuntimeError(event.error.message)


async def main() -> None:
    async with AsyncOpenAI() as client, client.realtime.connect(model="gpt-realtime") as connection:
        # Without turn detection the program says when a turn ends.
        await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        while await asyncio.to_thread(input, "Enter to speak, q to end.\n") != "q":
            samples = await recording()
            if not samples.size:
                print("Nothing was recorded.")
                continue
            await connection.input_audio_buffer.append(audio=base64.b64encode(samples.tobytes()).decode())
            await connection.input_audio_buffer.commit()
            await connection.response.create()
            await LocalAudioPlayer().play_stream(answer(connection))


if __name__ == "__main__":
    asyncio.run(main())
