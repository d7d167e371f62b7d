"""A session of chat, stream, responses, embeddings, an upload and a realtime socket: recorded, and replayed."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aiopenai
from aiopenai.testing import Server

# The reference is a client of these tests where it is installed.
CLIENTS = [aiopenai, *(importlib.import_module(name) for name in ("openai",) if importlib.util.find_spec(name))]
KEY = "sk-the-canary-0123456789abcdef"
MESSAGES: Any = [{"role": "user", "content": "The key is sk-another-canary-123456. Name three rivers."}]
CHAT: Any = {"model": "gpt-4o", "messages": MESSAGES}
TEXT: Any = {"type": "realtime", "output_modalities": ["text"]}
ITEM: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
# The blocking client of the reference calls the package `websockets` in a way that new versions of it warn about.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
# The reference speaks realtime only with that package.
SOCKETS = {"aiopenai": True, "openai": importlib.util.find_spec("websockets") is not None}


def blocking(module: Any, base_url: str, key: str) -> list[bytes]:
    """The bytes of all replies and of all messages of the socket."""
    got: list[bytes] = []
    with module.OpenAI(base_url=base_url, api_key=key, organization="org-canary", max_retries=0) as client:
        got.append(client.chat.completions.with_raw_response.create(**CHAT).content)
        with client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as reply:
            got.append(b"".join(reply.iter_bytes()))
        with client.responses.with_streaming_response.create(model="gpt-4o", input="Hi", stream=True) as reply:
            got.append(b"".join(reply.iter_bytes()))
        got.append(client.responses.with_raw_response.create(model="gpt-4o", input="Hi").content)
        got.append(client.embeddings.with_raw_response.create(model="text-embedding-3-small", input="Hi").content)
        file = ("a.txt", b"some text")
        got.append(client.files.with_raw_response.create(file=file, purpose="user_data").content)
        got.append(client.audio.speech.create(model="tts-1", voice="alloy", input="Hi").content)
        if SOCKETS[module.__name__]:
            with client.realtime.connect(model="gpt-realtime") as connection:
                connection.session.update(session=TEXT)
                connection.conversation.item.create(item=ITEM)
                connection.response.create()
                while b'"response.done"' not in (got or [b""])[-1]:
                    got.append(connection.recv_bytes())
    return got


async def asynchronous(module: Any, base_url: str, key: str) -> list[bytes]:
    got: list[bytes] = []
    async with module.AsyncOpenAI(base_url=base_url, api_key=key, organization="org-canary", max_retries=0) as client:
        got.append((await client.chat.completions.with_raw_response.create(**CHAT)).content)
        async with client.chat.completions.with_streaming_response.create(stream=True, **CHAT) as reply:
            got.append(b"".join([piece async for piece in reply.iter_bytes()]))
        streamed = client.responses.with_streaming_response.create(model="gpt-4o", input="Hi", stream=True)
        async with streamed as reply:
            got.append(b"".join([piece async for piece in reply.iter_bytes()]))
        got.append((await client.responses.with_raw_response.create(model="gpt-4o", input="Hi")).content)
        embeddings = client.embeddings.with_raw_response
        got.append((await embeddings.create(model="text-embedding-3-small", input="Hi")).content)
        file = ("a.txt", b"some text")
        got.append((await client.files.with_raw_response.create(file=file, purpose="user_data")).content)
        got.append((await client.audio.speech.create(model="tts-1", voice="alloy", input="Hi")).content)
        if SOCKETS[module.__name__]:
            async with client.realtime.connect(model="gpt-realtime") as connection:
                await connection.session.update(session=TEXT)
                await connection.conversation.item.create(item=ITEM)
                await connection.response.create()
                while b'"response.done"' not in (got or [b""])[-1]:
                    got.append(await connection.recv_bytes())
    return got


def record(folder: Path, make: Callable[[str], list[bytes]]) -> list[bytes]:
    with Server() as upstream, Server() as server:
        server.record(folder, upstream=upstream.base_url)
        return make(server.base_url)


def seconds_of(folder: Path) -> float:
    """The time that the recorded replies took."""
    total = 0.0
    for path in folder.iterdir():
        if path.suffix == ".jsonl":
            total += json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["at"]
        elif path.suffix == ".json" and ".reply" not in path.name:
            total += float(json.loads(path.read_bytes())["reply"].get("pieces", ["0 s"])[-1].partition(" s")[0])
    return total


@pytest.mark.parametrize("module", CLIENTS, ids=lambda module: module.__name__)
def test_blocking_session(module: Any, tmp_path: Path) -> None:
    recorded = record(tmp_path / "calls", lambda url: blocking(module, url, KEY))
    with Server() as server:
        player = server.replay(tmp_path / "calls")
        replayed = blocking(module, server.base_url, "another key")
        assert server.unknown_requests == []
        assert player.unused == []
    # One reply repeats the key in the message of the user, which no file may have.
    assert replayed[1:] == recorded[1:]
    assert replayed[0] == recorded[0].replace(b"sk-another-canary-123456", b"<redacted>")


@pytest.mark.parametrize("module", CLIENTS, ids=lambda module: module.__name__)
async def test_asynchronous_session(module: Any, tmp_path: Path) -> None:
    async with Server() as upstream, Server() as server:
        server.record(tmp_path / "calls", upstream=upstream.base_url)
        recorded = await asynchronous(module, server.base_url, KEY)
    async with Server() as server:
        server.replay(tmp_path / "calls")
        replayed = await asynchronous(module, server.base_url, "another key")
    assert replayed[1:] == recorded[1:]


async def test_a_replay_is_ten_times_as_fast(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    async with Server(latency=0.05, token_delay=0.03) as upstream, Server() as server:
        server.record(folder, upstream=upstream.base_url)
        recorded = await asynchronous(aiopenai, server.base_url, KEY)
    fastest = float("inf")
    for _ in range(3):
        async with Server() as server:
            server.replay(folder)
            start = time.monotonic()
            replayed = await asynchronous(aiopenai, server.base_url, "another key")
            fastest = min(fastest, time.monotonic() - start)
        assert replayed[1:] == recorded[1:]
        if fastest * 10 < seconds_of(folder):
            break
    assert fastest * 10 < seconds_of(folder)


def test_one_client_records_and_another_replays(tmp_path: Path) -> None:
    reference = pytest.importorskip("openai")
    recorded = record(tmp_path / "calls", lambda url: blocking(reference, url, KEY))
    with Server() as server:
        server.replay(tmp_path / "calls", unknown="answer")
        replayed = blocking(aiopenai, server.base_url, "another key")
    assert replayed[1:7] == recorded[1:7]


def test_no_key_is_in_the_folder(tmp_path: Path) -> None:
    record(tmp_path / "calls", lambda url: blocking(aiopenai, url, KEY))
    for path in (tmp_path / "calls").iterdir():
        content = path.read_bytes()
        assert b"canary" not in re.sub(rb'"delta":\{"content":"[^"]*"|"delta":"[^"]*"', b"", content), path.name
        assert KEY.encode() not in content
        names = re.findall(rb'"(authorization|openai-organization|user-agent|host|cookie|set-cookie)"', content)
        assert names == [], path.name
