"""What type checkers make of the helpers of websockets and of sound; see calls.py.

Never executed: test_typing.py hands it to mypy and pyright.
"""

from __future__ import annotations

from typing_extensions import reveal_type

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.helpers import LocalAudioPlayer, Microphone
from aiopenai.lib.live import AsyncTranscriptGrouper, TranscriptSegment
from aiopenai.lib.realtime_translation import AsyncTranslationSession, TranslationSession
from aiopenai.lib.responses_websocket import (
    AsyncResponsesWebSocketSession,
    ResponsesWebSocketAccumulator,
    ResponsesWebSocketLimits,
    ResponsesWebSocketSession,
)


async def lanes(client: AsyncOpenAI, blocking: OpenAI, limits: ResponsesWebSocketLimits) -> None:
    accumulator = ResponsesWebSocketAccumulator()
    async with (
        client.responses.connect() as connection,
        AsyncResponsesWebSocketSession(connection, limits=limits) as session,
    ):
        lane = session.lane("a")
        await lane.send({"type": "response.create", "model": "gpt-4o", "input": "Hello"})
        accumulator.add_event(await lane.recv())
        reveal_type(await lane.get_final_response())  # T: Response
    with blocking.responses.connect() as opened, ResponsesWebSocketSession(opened, limits=limits) as second:
        second.default.send({"type": "response.create"})
        reveal_type(second.default.get_final_response(timeout=5))  # T: Response
    reveal_type(accumulator.snapshot().output_text)  # T: str


async def pools(client: AsyncOpenAI, blocking: OpenAI) -> None:
    async with client.responses.pool(size=2) as responses:
        reveal_type(await responses.create(model="gpt-4o", input="Hello"))  # T: Response
    with blocking.responses.pool() as pooled:
        reveal_type(pooled.create(model="gpt-4o", input="Hello"))  # T: Response


async def voices(client: AsyncOpenAI, blocking: OpenAI) -> None:
    async with AsyncTranslationSession(client.realtime.translations, model="m") as translation:
        await translation.send({"type": "session.close"})
    with TranslationSession(blocking.realtime.translations, model="m") as opened:
        opened.send({"type": "session.close"})
    grouper = AsyncTranscriptGrouper()

    @grouper.on("segment.updated")
    async def show(segment: TranscriptSegment) -> None:
        reveal_type(segment.text)  # T: str

    async with client.live.connect() as live:
        async for event in live:
            await grouper.push(event)
    file = await Microphone(timeout=2).record()
    reveal_type(await client.audio.transcriptions.create(file=file, model="whisper-1"))  # T: Transcription
    speech = await client.audio.speech.create(model="tts-1", voice="alloy", input="Hello", response_format="pcm")
    await LocalAudioPlayer().play(speech)
