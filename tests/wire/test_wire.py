"""Replies of servers that call themselves compatible decode as they send them.

`json/` holds replies, `sse/` streams, `expectations.json` for each of them the call that gets it, and the values its
users read: paths of attributes and positions (of keys, inside of values that the types do not know) with their values.
For a stream these are given by the number of the event or its `last`; `joined` ones are strung together over all
events. All of it travels through the client, from a local server.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from aiopenai import APIError, AsyncOpenAI
from aiopenai.testing import Server

HERE = Path(__file__).parent
EXPECTATIONS: dict[str, Any] = json.loads((HERE / "expectations.json").read_text(encoding="utf-8"))
REPLIES = [name for name in EXPECTATIONS if name.startswith("json/")]
STREAMS = [name for name in EXPECTATIONS if name.startswith("sse/")]
SERVERS = ("vllm", "azure", "ollama", "llamacpp", "openrouter", "deepseek")
PATHS = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "models": "/models",
    "responses": "/responses",
}


def test_there_are_enough_of_them() -> None:
    files = {path.relative_to(HERE).as_posix() for folder in ("json", "sse") for path in (HERE / folder).iterdir()}
    assert files == EXPECTATIONS.keys()
    assert len(files) >= 80
    for server in SERVERS:
        assert any(Path(name).name.startswith(server) for name in REPLIES), server
        assert any(Path(name).name.startswith(server) for name in STREAMS), server


async def call(client: AsyncOpenAI, kind: str, **more: Any) -> Any:
    if kind == "chat":
        return await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], **more)
    if kind == "completions":
        return await client.completions.create(model="m", prompt="x", **more)
    if kind == "embeddings":
        return await client.embeddings.create(model="m", input="x", encoding_format="float")
    if kind == "responses":
        return await client.responses.create(model="m", input="x", **more)
    assert kind == "models"
    return await client.models.list()


def read(node: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(node, dict):
            node = node[step]
        elif isinstance(node, list):
            node = node[int(step)]
        else:
            node = getattr(node, step)
    return node


def check(node: Any, expected: dict[str, Any]) -> None:
    for path, value in expected.items():
        found = read(node, path)
        assert (type(found), found) == (type(value), value), path


@pytest.mark.parametrize("name", REPLIES)
async def test_reply(name: str, server: Server, client: AsyncOpenAI) -> None:
    expected = EXPECTATIONS[name]
    body = (HERE / name).read_bytes()
    server.reply_with(PATHS[expected["call"]], body)
    reply = await call(client, expected["call"])
    check(reply, expected["expect"])
    assert reply.to_dict() == json.loads(body)
    repr(reply)
    if not any(map(math.isinf, numbers(json.loads(body)))):
        assert json.loads(reply.to_json()) == json.loads(body)


def numbers(value: Any) -> list[float]:
    if isinstance(value, (dict, list)):
        return [number for item in (value.values() if isinstance(value, dict) else value) for number in numbers(item)]
    return [value] if isinstance(value, float) else []


def events(body: bytes) -> list[Any]:
    """The JSON of a stream's events, up to its end or error; lines of these files carry one event each."""
    found: list[Any] = []
    for line in body.decode().splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data != "[DONE]":
            event = json.loads(data)
            if event.get("error") or event.get("type") == "error":
                break
            found.append(event)
    return found


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("size", [None, 5])
async def test_stream(name: str, size: int | None, server: Server, client: AsyncOpenAI) -> None:
    expected = EXPECTATIONS[name]
    body = (HERE / name).read_bytes()
    server.reply_with(PATHS[expected["call"]], body, content_type="text/event-stream", chunk_size=size)
    seen: list[Any] = []
    failure: APIError | None = None
    try:
        async for event in await call(client, expected["call"], stream=True):
            seen.append(event)
    except APIError as error:
        failure = error
    assert [event.to_dict() for event in seen] == events(body)
    wanted = dict(expected["expect"])
    assert len(seen) == wanted.pop("events")
    content = wanted.pop("content", None)
    if content is not None:
        choices = [choice for event in seen for choice in event.choices or ()]
        assert "".join(choice.delta.content or "" for choice in choices if choice.delta) == content
    for path, text in wanted.pop("joined", {}).items():
        assert "".join(have(event, path) for event in seen) == text
    for place, paths in wanted.items():
        check(seen[-1 if place == "last" else int(place)], paths)
    if "error" not in expected:
        assert failure is None
    else:
        assert failure is not None
        assert expected["error"]["message"] in str(failure)
        for attribute, value in expected["error"].items():
            if attribute != "message":
                assert getattr(failure, attribute) == value
        assert failure.partial is not None
        assert failure.partial.text == (content or "")


def have(node: Any, path: str) -> str:
    """The text at a path, where there is one."""
    try:
        return read(node, path) or ""
    except (AttributeError, IndexError, KeyError, TypeError):
        return ""
