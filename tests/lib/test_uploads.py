"""aiopenai.lib.uploads: the same requests as the reference's, from every kind of file, in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import threading
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aiopenai import AsyncOpenAI, InternalServerError, OpenAI
from aiopenai._http.sources import PIECE_BYTES
from aiopenai.lib.uploads import upload_file_chunked
from tests.lib.scripted import Scripted, reference, scripted

UPLOAD = {"id": "upload_1", "object": "upload", "status": "pending", "bytes": 10, "created_at": 1, "expires_at": 2}
PART = {"object": "upload.part", "upload_id": "upload_1", "created_at": 1}
LINES = ["POST /uploads", *["POST /uploads/upload_1/parts"] * 3, "POST /uploads/upload_1/complete"]
CONTENT = b"0123456789"


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        server.replies = {
            "POST /uploads": [UPLOAD],
            "POST /uploads/upload_1/parts": [{**PART, "id": f"part_{number}"} for number in range(1, 4)],
            "POST /uploads/upload_1/complete": [{**UPLOAD, "status": "completed"}],
        }
        yield server


@pytest.fixture
async def client(server: Scripted) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-test", base_url=server.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes.txt"
    path.write_bytes(CONTENT)
    return path


def content(body: bytes) -> bytes:
    """What stands in a form of one file."""
    found = re.fullmatch(rb"--BOUNDARY\r\n.*?\r\n\r\n(.*)\r\n--BOUNDARY--\r\n", body, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"filename": "other.txt", "md5": hashlib.md5(CONTENT).hexdigest()},
        {"part_size": 4},
        {"part_size": 5, "bytes": 12},
        {"part_size": 100},
    ],
)
@pytest.mark.parametrize("kind", ["path", "text", "bytes"])
async def test_the_requests_are_the_references(
    kind: str, arguments: dict[str, Any], server: Scripted, client: AsyncOpenAI, path: Path
) -> None:
    file: Any = {"path": path, "text": str(path), "bytes": CONTENT}[kind]
    if kind == "bytes":
        arguments = {"filename": "notes.txt", "bytes": len(CONTENT), **arguments}
    call = {"file": file, "mime_type": "text/plain", "purpose": "assistants", **arguments}
    async with reference(server) as other:
        expected = await other.uploads.upload_file_chunked(**call)
    sent = server.rewind()
    assert (await client.uploads.upload_file_chunked(**call)).to_dict() == expected.to_dict()
    assert server.rewind() == sent
    with OpenAI(api_key="sk-test", base_url=server.base_url) as blocking:
        upload = await asyncio.to_thread(blocking.uploads.upload_file_chunked, **call)
    assert upload.to_dict() == expected.to_dict()
    assert server.rewind() == sent


@pytest.mark.parametrize(("wrong", "message"), [({"bytes": 10}, "filename"), ({"filename": "a"}, "bytes")])
async def test_bytes_need_a_name_and_their_number_as_with_the_reference(
    wrong: dict[str, Any], message: str, server: Scripted, client: AsyncOpenAI
) -> None:
    call: dict[str, Any] = {"file": CONTENT, "mime_type": "text/plain", "purpose": "assistants", **wrong}
    with pytest.raises(TypeError, match=message):
        await upload_file_chunked(client.uploads, **call)
    async with reference(server) as other:
        with pytest.raises(TypeError, match=message):
            await other.uploads.upload_file_chunked(**call)
    assert server.sent == []


async def test_an_empty_file_has_no_parts(server: Scripted, client: AsyncOpenAI, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    await upload_file_chunked(
        client.uploads, file=tmp_path / "empty", mime_type="text/plain", purpose="assistants", progress=print
    )
    assert server.lines() == ["POST /uploads", "POST /uploads/upload_1/complete"]
    assert server.sent[-1].body == {"part_ids": []}


# Files beyond the reference


class Stream(io.RawIOBase):
    """A stream that cannot be rewound and gives little at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, 3))


@pytest.mark.parametrize("kind", ["file", "read already", "memory", "bytearray", "memoryview", "stream"])
async def test_other_files(kind: str, server: Scripted, client: AsyncOpenAI, path: Path) -> None:
    arguments: dict[str, Any] = {"filename": "notes.txt", "bytes": len(CONTENT)}
    file: Any
    with path.open("rb") as opened:
        if kind in ("file", "read already"):
            file, arguments = opened, {}
            opened.seek(5 if kind == "read already" else 0)
        elif kind == "memory":
            file, arguments = io.BytesIO(CONTENT), {"filename": "notes.txt"}
        else:
            file = {"bytearray": bytearray, "memoryview": memoryview, "stream": Stream}[kind](CONTENT)  # type: ignore[operator]
        told: list[tuple[int, int]] = []
        await upload_file_chunked(
            client.uploads,
            file=file,
            mime_type="text/plain",
            purpose="assistants",
            part_size=4,
            progress=lambda sent, total: told.append((sent, total)),
            **arguments,
        )
        assert not opened.closed
    assert server.lines() == LINES
    assert server.sent[0].body == {
        "bytes": 10,
        "filename": "notes.txt",
        "mime_type": "text/plain",
        "purpose": "assistants",
    }
    assert [content(sent.body) for sent in server.sent[1:4]] == [b"0123", b"4567", b"89"]
    assert server.sent[4].body == {"part_ids": ["part_1", "part_2", "part_3"]}
    assert told == [(4, 10), (8, 10), (10, 10)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
async def test_a_named_pipe(server: Scripted, client: AsyncOpenAI, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(CONTENT,))
    with pytest.raises(TypeError, match="bytes"):
        await upload_file_chunked(client.uploads, file=pipe, mime_type="text/plain", purpose="assistants")
    writer.start()
    await upload_file_chunked(
        client.uploads, file=pipe, mime_type="text/plain", purpose="assistants", bytes=10, part_size=4
    )
    writer.join()
    assert [content(sent.body) for sent in server.sent[1:4]] == [b"0123", b"4567", b"89"]


class TextStream(Stream):
    def read(self, size: int = -1) -> Any:
        return "text"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"file": io.StringIO("text"), "filename": "a"}, TypeError, "text mode"),
        ({"file": 7, "filename": "a"}, TypeError, "int"),
        ({"file": io.BytesIO(b"")}, TypeError, "filename"),
        ({"file": Stream(b""), "filename": "a"}, TypeError, "bytes"),
        ({"file": b"", "filename": "a", "bytes": 0, "part_size": 0}, ValueError, "part_size"),
        ({"file": Path("nowhere") / "to be found"}, FileNotFoundError, "to be found"),
        ({"file": "nowhere/to be found"}, FileNotFoundError, "to be found"),
        ({"file": Path()}, TypeError, "filename"),
        ({"file": Path(), "filename": "a"}, OSError, "directory"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, dict) else str(value),
)
async def test_what_is_refused_before_anything_is_sent(
    arguments: dict[str, Any], error: type[Exception], message: str, server: Scripted, client: AsyncOpenAI
) -> None:
    with pytest.raises(error, match=f"(?i){message}"):
        await upload_file_chunked(client.uploads, mime_type="text/plain", purpose="assistants", **arguments)
    assert server.sent == []


async def test_a_stream_of_text(server: Scripted, client: AsyncOpenAI) -> None:
    with pytest.raises(TypeError, match="str"):
        await upload_file_chunked(
            client.uploads, file=TextStream(b""), filename="a", bytes=4, mime_type="text/plain", purpose="assistants"
        )


# Attempts, failures, progress


@pytest.mark.parametrize("kind", ["path", "file", "bytes", "stream"])
async def test_a_part_that_fails_is_sent_again(kind: str, server: Scripted, client: AsyncOpenAI, path: Path) -> None:
    failing = iter([200, 500, 200, 200])
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        bodies.append(body.partition(b"\r\n\r\n")[2].partition(b"\r\n")[0])
        part = {**PART, "id": f"part_{len(bodies)}"}
        return web.json_response(part, status=next(failing), headers={"retry-after-ms": "1"})

    server.replies["POST /uploads/upload_1/parts"] = [take]
    told: list[int] = []
    with path.open("rb") as opened:
        file: Any = {"path": path, "file": opened, "bytes": CONTENT, "stream": Stream(CONTENT)}[kind]
        await upload_file_chunked(
            client.with_options(max_retries=1).uploads,
            file=file,
            filename="a",
            bytes=10,
            part_size=4,
            mime_type="text/plain",
            purpose="assistants",
            progress=lambda sent, _: told.append(sent),
        )
    assert bodies == [b"0123", b"4567", b"4567", b"89"]
    assert told == [4, 8, 8, 10]
    assert server.sent[-1].body == {"part_ids": ["part_1", "part_3", "part_4"]}


async def test_the_part_that_failed_is_named(server: Scripted, client: AsyncOpenAI, path: Path) -> None:
    server.replies["POST /uploads/upload_1/parts"] = [
        {**PART, "id": "part_1"},
        web.json_response({"error": {"message": "no"}}, status=500),
    ]
    with pytest.raises(InternalServerError) as caught:
        await upload_file_chunked(client.uploads, file=path, part_size=4, mime_type="text/plain", purpose="assistants")
    assert caught.value.__notes__ == ["It was part 2 of the upload upload_1 that could not be sent."]
    assert server.lines() == LINES[:3]


async def test_options_go_to_all_calls_but_those_of_one_request(
    server: Scripted, client: AsyncOpenAI, path: Path
) -> None:
    await upload_file_chunked(
        client.uploads,
        file=path,
        mime_type="text/plain",
        purpose="assistants",
        extra_headers={"X-Own": "1"},
        extra_body={"expires_after": {"anchor": "created_at", "seconds": 3600}},
        idempotency_key="once",
    )
    assert all(sent.headers["x-own"] == "1" for sent in server.sent)
    assert [sent.headers.get("idempotency-key") for sent in server.sent] == ["once", None, None]
    assert server.sent[0].body["expires_after"] == {"anchor": "created_at", "seconds": 3600}
    assert server.sent[2].body == {"part_ids": ["part_1"]}


async def test_what_progress_raises_ends_the_upload_at_once(
    server: Scripted, client: AsyncOpenAI, tmp_path: Path
) -> None:
    received = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal received
        async for piece in request.content.iter_any():
            received += len(piece)
        raise AssertionError("it never ends")

    class Enough(Exception):
        pass

    def progress(sent: int, total: int) -> None:
        if sent > 2 * PIECE_BYTES:
            raise Enough

    server.replies["POST /uploads/upload_1/parts"] = [take]
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    with pytest.raises(Enough):
        await upload_file_chunked(
            client.with_options(max_retries=5).uploads,
            file=path,
            mime_type="text/plain",
            purpose="assistants",
            progress=progress,
        )
    assert server.lines() == LINES[:2]
    assert received < 32 << 20


async def test_what_progress_raises_at_the_very_end(server: Scripted, client: AsyncOpenAI, path: Path) -> None:
    def progress(sent: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await upload_file_chunked(
            client.uploads, file=path, mime_type="text/plain", purpose="assistants", progress=progress
        )
    assert "POST /uploads/upload_1/complete" not in server.lines()


async def test_cancelling_ends_the_part(server: Scripted, client: AsyncOpenAI, path: Path) -> None:
    begun = asyncio.Event()
    ended = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    server.replies["POST /uploads/upload_1/parts"] = [take]
    for progress in (None, lambda *_: None):
        begun.clear()
        ended.clear()
        task = asyncio.ensure_future(
            upload_file_chunked(
                client.uploads, file=path, mime_type="text/plain", purpose="assistants", progress=progress
            )
        )
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.wait(), 30)


@pytest.mark.parametrize("opened", [False, True])
async def test_a_large_file_is_never_in_memory(
    opened: bool, server: Scripted, client: AsyncOpenAI, tmp_path: Path
) -> None:
    received = parts = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal received, parts
        while piece := await request.content.readany():
            received += len(piece)
        parts += 1
        return web.json_response({**PART, "id": f"part_{parts}"})

    server.replies["POST /uploads/upload_1/parts"] = [take]
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    told: list[int] = []
    with path.open("rb") as handle:
        tracemalloc.start()
        try:
            await upload_file_chunked(
                client.uploads,
                file=handle if opened else path,
                part_size=24 << 20,
                mime_type="text/plain",
                purpose="assistants",
                progress=lambda sent, total: told.append(sent),
            )
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert parts == 3
    assert 0 <= received - (64 << 20) < 1_000
    assert peak < 16 << 20
    assert told == sorted(told)
    assert told[-1] == 64 << 20
    assert len(told) == 128
