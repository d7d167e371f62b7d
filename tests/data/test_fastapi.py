"""Reply types in an application of FastAPI: as bodies, as fields of models, as return types and response models.

FastAPI takes a parameter for a body if it is a pydantic model, a dataclass or a mapping. A reply type is one of them in
drop-in mode; elsewhere `Body()` says it.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

for name in ("fastapi", "pydantic", "httpx"):
    pytest.importorskip(name)

ROOT = Path(__file__).parents[2]
PROGRAM = """
    {first}
    from typing import Annotated
    import fastapi, json, pydantic
    from fastapi.testclient import TestClient
    from {package}.types import CompletionUsage
    from {package}.types.chat import ChatCompletion

    class Wrapped(pydantic.BaseModel):
        reply: ChatCompletion
        usage: CompletionUsage | None = None

    app = fastapi.FastAPI()
    Body = fastapi.Body()

    @app.post("/body")
    def body(reply: {body}) -> dict[str, str]:
        return {{"id": reply.id, "text": reply.choices[0].message.content, "more": reply.provider}}

    @app.post("/two")
    def two(reply: {body}, usage: {usage}) -> int:
        return usage.total_tokens

    @app.post("/list")
    def several(replies: list[ChatCompletion]) -> list[str]:
        return [reply.id for reply in replies]

    @app.post("/wrapped", response_model=Wrapped)
    def wrapped(wrapped: Wrapped):
        return wrapped

    @app.post("/model", response_model=ChatCompletion)
    def model(wrapped: Wrapped):
        return wrapped.reply

    @app.post("/sparse", response_model=ChatCompletion, response_model_exclude_unset=True)
    def sparse(wrapped: Wrapped):
        return wrapped.reply

    @app.post("/returned")
    def returned(wrapped: Wrapped) -> list[ChatCompletion]:
        return [wrapped.reply]

    message = {{"role": "assistant", "content": "hi"}}
    choice = {{"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}}
    reply = {{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "provider": "p"}}
    usage = {{"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
    client = TestClient(app)

    def post(path, body):
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert post("/body", reply) == {{"id": "c", "text": "hi", "more": "p"}}
    assert post("/two", {{"reply": reply, "usage": usage}}) == 3
    assert post("/list", [reply, reply]) == ["c", "c"]
    assert post("/wrapped", {{"reply": reply, "usage": usage}})["usage"]["total_tokens"] == 3
    assert post("/model", {{"reply": reply}})["choices"][0]["message"]["content"] == "hi"
    assert post("/sparse", {{"reply": reply}}) == reply
    assert post("/returned", {{"reply": reply}})[0]["provider"] == "p"
    assert client.post("/wrapped", json={{"reply": 5}}).status_code == 422
    described = client.get("/openapi.json").json()
    assert "ChatCompletion" in described["components"]["schemas"]
    for path, verbs in described["paths"].items():
        assert "requestBody" in verbs["post"] and not verbs["post"].get("parameters"), path
    print("done")
"""


@pytest.mark.parametrize("mode", ["own", "drop-in"])
def test_an_application(mode: str) -> None:
    forms = {"first": "", "package": "aiopenai", "body": "Annotated[ChatCompletion, Body]"}
    forms["usage"] = "Annotated[CompletionUsage, Body]"
    if mode == "drop-in":
        forms = {"first": "import aiopenai.dropin", "package": "openai", "body": "ChatCompletion"}
        forms["usage"] = "CompletionUsage"
    program = textwrap.dedent(PROGRAM).format(**forms)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout == "done\n", done.stderr[-2000:]
