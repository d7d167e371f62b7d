"""A FastAPI service that streams the output of a model: `uvicorn fastapi_service:app`.

One client serves the whole application and lives as long.
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
        # Errors of the call appear here, before the first byte is sent, and become a status.
        stream = await client.responses.create(model="gpt-4o-mini", input=question, stream=True)
    except APIStatusError as error:
        raise HTTPException(502, f"the model refused: {error.message} ({error.request_id})") from error
    except APIConnectionError as error:
        raise HTTPException(504, "the model cannot be reached") from error

    async def words() -> AsyncIterator[str]:
        # The block closes the stream when the browser disconnects: unread tokens are not generated.
        async with stream:
            try:
                async for event in stream:
                    if event.type == "response.output_text.delta":
                        yield event.delta
            except APIError as error:
                yield f"\n[broken off: {type(error).__name__}]"

    return StreamingResponse(words(), media_type="text/plain")
