"""A FastAPI service that passes a model's words on as they arrive: `uvicorn fastapi_service:app`.

One client for the whole service: it lives as long as the application does.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

from aiopenai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncOpenAI() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/ask")
async def ask(question: str, request: Request) -> StreamingResponse:
    client: AsyncOpenAI = request.app.state.client
    try:
        # Errors come here, before the first byte is sent, and can still be a status.
        stream = await client.responses.create(model="gpt-4o-mini", input=question, stream=True)
    except APIStatusError as error:
        raise HTTPException(502, f"the model refused: {error.message} ({error.request_id})") from error
    except APIConnectionError as error:
        raise HTTPException(504, "the model cannot be reached") from error

    async def words() -> AsyncIterator[str]:
        # Closed when the browser goes away: nobody pays for words that nobody reads.
        async with stream:
            try:
                async for event in stream:
                    if event.type == "response.output_text.delta":
                        yield event.delta
            except APIError as error:
                yield f"\n[broken off: {type(error).__name__}]"

    return StreamingResponse(words(), media_type="text/plain")
