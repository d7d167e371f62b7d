"""The API's own recorded streams, however they are cut, give exactly the chunks that the reference gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.testing import Server
from tests.parity.compare import differences

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
FILES = sorted(RECORDINGS.glob("*.sse"))

pytestmark = pytest.mark.skipif(not FILES, reason="there is no ../shared/recordings")
in_chunks = pytest.mark.parametrize("size", [1, 7, 4096])
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)

CALL: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}


def recorded(file: Path) -> list[Any]:
    """The events, read in the plainest way."""
    lines = file.read_text(encoding="utf-8").splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(event) for event in data[:-1]]


def serve(server: Server, file: Path, size: int | None) -> None:
    headers = {"x-request-id": "req_test"}
    server.reply_with(
        "/chat/completions", file.read_bytes(), headers=headers, content_type="text/event-stream", chunk_size=size
    )


@in_chunks
@each_file
async def test_equal_to_the_reference(server: Server, ours: AsyncOpenAI, theirs: Any, file: Path, size: int) -> None:
    serve(server, file, size)
    mine = [chunk async for chunk in await ours.chat.completions.create(**CALL)]
    # How the bytes are cut is tested for our parser; the reference need not be read a byte at a time.
    serve(server, file, None)
    others = [chunk async for chunk in await theirs.chat.completions.create(**CALL)]
    assert list(differences(mine, others)) == []


@in_chunks
@each_file
async def test_equal_to_what_was_recorded(server: Server, ours: AsyncOpenAI, file: Path, size: int) -> None:
    """The same without the reference, so that it holds where that is not installed."""
    serve(server, file, size)
    chunks = [chunk async for chunk in await ours.chat.completions.create(**CALL)]
    assert [chunk.to_dict() for chunk in chunks] == recorded(file)
    assert [json.loads(chunk.to_json()) for chunk in chunks] == recorded(file)
