"""A FastAPI page that shows an answer while it is written, by server-sent events: `uvicorn fastapi_sse:app`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from aiopenai import APIError, AsyncOpenAI

PAGE = """<!doctype html>
<form><input name="question" value="Tell me of a river." size="60"> <button>Ask</button></form>
<p id="answer" style="white-space: pre-wrap"></p>
<script>
document.querySelector("form").onsubmit = (submitted) => {
  submitted.preventDefault();
  const answer = document.getElementById("answer");
  answer.textContent = "";
  const source = new EventSource("/events?" + new URLSearchParams(new FormData(submitted.target)));
  source.onmessage = (event) => { answer.textContent += JSON.parse(event.data); };
  // Without `close` the browser would ask the question again.
  source.addEventListener("end", () => source.close());
  source.addEventListener("failure", (event) => {
    answer.textContent += "\\n" + JSON.parse(event.data);
    source.close();
  });
};
</script>"""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncOpenAI() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    return PAGE


@app.get("/events")
async def events(question: str, request: Request) -> StreamingResponse:
    client: AsyncOpenAI = request.app.state.client

    async def sent() -> AsyncIterator[str]:
        try:
            # The block closes the stream when the browser disconnects: unread tokens are not generated.
            async with await client.responses.create(model="gpt-4o-mini", input=question, stream=True) as stream:
                async for event in stream:
                    if event.type == "response.output_text.delta":
                        yield server_sent(event.delta)
        except APIError as error:
            yield server_sent(f"{type(error).__name__}: the answer broke off", "failure")
        else:
            yield server_sent("", "end")

    # Proxies must not collect the events.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(sent(), media_type="text/event-stream", headers=headers)


def server_sent(text: str, name: str = "message") -> str:
    # JSON has no line breaks, which would end an event.
    return f"event: {name}\ndata: {json.dumps(text)}\n\n"
