"""aiopenai._http.multipart: requests compared with the reference on a real socket; how it is read, piece by piece."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from aiopenai._http.multipart import MultipartBody
from aiopenai._http.sources import PIECE_BYTES, _Opening


class Receiver:
    """A server that keeps the headers and the raw body of the last upload."""

    url: str
    headers: dict[str, str]
    body: bytes

    async def receive(self, request: web.Request) -> web.Response:
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.body = await request.read()
        return web.json_response({"id": "x", "object": "file", "text": "", "data": [], "created": 1})

    def normal(self) -> bytes:
        """The body with its boundary made the same for everybody."""
        boundary = self.headers["content-type"].partition("boundary=")[2]
        assert self.body.endswith(f"--{boundary}--\r\n".encode())
        return self.body.replace(boundary.encode(), b"BOUNDARY")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", receiver.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


async def send(receiver: Receiver, body: MultipartBody) -> bytes:
    pieces, length = await body.open()
    headers = {"Content-Type": body.content_type}
    if length is not None:
        headers["Content-Length"] = str(length)
    async with ClientSession() as session, session.post(receiver.url, data=pieces, headers=headers) as response:
        assert response.status == 200
    assert receiver.headers.get("content-length") == (None if length is None else str(length))
    assert length is None or len(receiver.body) == length
    return receiver.normal()


async def read(body: MultipartBody) -> bytes:
    pieces, length = await body.open()
    content = b"".join([piece async for piece in pieces])
    assert length is None or length == len(content)
    return content


def parse(content_type: str, body: bytes) -> list[Message]:
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    payload = message.get_payload()
    return payload if isinstance(payload, list) else []


class Duck:
    """A file-like object with the bare minimum, whose stream cannot be rewound."""

    def __init__(self, content: Any, name: Any = None) -> None:
        self.content = content
        self.threads: set[int] = set()
        if name is not None:
            self.name = name

    def read(self, size: int = -1) -> Any:
        self.threads.add(threading.get_ident())
        taken, self.content = self.content[:size], self.content[size:]
        return taken


# Comparison with the reference. Files are made anew for each client: by a function of the folder.

Make = Callable[[Path], Any]


class Named(io.BytesIO):
    name = "a/b.mp3"


def opened(folder: Path, mode: str = "rb") -> Any:
    return open(folder / "data.jsonl", mode)


def already_read(folder: Path) -> Any:
    file = opened(folder)
    file.read()
    return file


def just_written(_: Path) -> Any:
    file = io.BytesIO()
    file.write(b"written")
    return file


FILES: dict[str, Make] = {
    "bytes": lambda _: b"raw\r\n--bytes",
    "empty bytes": lambda _: b"",
    "large bytes": lambda _: bytes(range(256)) * 8192,
    "path": lambda folder: folder / "data.jsonl",
    "path with a content type by its name": lambda folder: folder / "picture.png",
    "path that needs escapes": lambda folder: folder / 'a "b" \\ é\n.txt',
    "file": opened,
    "file that was read": already_read,
    "BytesIO": lambda _: io.BytesIO(b"buffer"),
    "BytesIO at its end": just_written,
    "BytesIO with a name": lambda _: Named(b"buffer"),
    "name and bytes": lambda _: ("name.wav", b"bytes"),
    "name and text": lambda _: ("name.txt", "text é"),
    "name and path": lambda folder: ("other.json", folder / "data.jsonl"),
    "no name": lambda _: (None, b"bytes"),
    "no name, a type": lambda _: (None, b"bytes", "audio/wav"),
    "empty name": lambda _: ("", b"bytes"),
    "content type": lambda _: ("a.txt", b"bytes", "application/x-thing"),
    "content type None": lambda _: ("a.txt", b"bytes", None),
    "headers": lambda _: ("a.txt", b"bytes", "text/plain", {"X-One": "1", "x-two": "é"}),
    "content type in headers": lambda _: ("a.txt", b"bytes", "text/plain", {"content-type": "x/y"}),
    "no headers": lambda _: ("a.txt", b"bytes", None, {}),
    "unknown ending": lambda _: ("a.unknown-ending", b"bytes"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data.jsonl").write_bytes(b'{"a": 1}\n' * 100_000)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / 'a "b" \\ é\n.txt').write_bytes(b"text")
    return tmp_path


def close(file: Any) -> None:
    if isinstance(file, io.IOBase):
        file.close()


@pytest.mark.parametrize("kind", FILES)
async def test_files_equal_the_reference(kind: str, receiver: Receiver, folder: Path) -> None:
    openai = pytest.importorskip("openai")
    file = FILES[kind](folder)
    async with openai.AsyncOpenAI(api_key="x", base_url=receiver.url, max_retries=0) as client:
        await client.files.create(file=file, purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})
    close(file)
    expected = receiver.normal()
    assert b'name="expires_after[seconds]"' in expected

    file = FILES[kind](folder)
    fields = {"purpose": "batch", "expires_after": {"anchor": "created_at", "seconds": 3600}}
    body = MultipartBody(fields, {"file": file})
    for _ in range(2):
        assert body.replayable
        assert await send(receiver, body) == expected
    whole = body.as_bytes()
    if whole is not None:
        assert whole == receiver.body
    close(file)


async def test_arrays_equal_the_reference(receiver: Receiver) -> None:
    openai = pytest.importorskip("openai")
    names = ["a", "b"]
    async with openai.AsyncOpenAI(api_key="x", base_url=receiver.url, max_retries=0) as client:
        await client.images.edit(image=[b"1", ("2.png", b"2")], prompt="p", n=2, mask=b"m", user="é\r\n")
        images = receiver.normal()
        await client.audio.transcriptions.create(
            file=("a.wav", b"1"),
            model="m",
            temperature=0.5,
            include=["logprobs"],
            known_speaker_names=names,
            chunking_strategy={"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 0},
            stream=False,
        )
        audio = receiver.normal()
    fields: dict[str, object] = {"prompt": "p", "n": 2, "user": "é\r\n"}
    files = [("image[]", b"1"), ("image[]", ("2.png", b"2")), ("mask", b"m")]
    sent = await send(receiver, MultipartBody(fields, files))
    assert sorted(sent.split(b"--BOUNDARY")) == sorted(images.split(b"--BOUNDARY"))
    fields = {
        "model": "m",
        "chunking_strategy": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 0},
        "include": ["logprobs"],
        "known_speaker_names": names,
        "stream": False,
        "temperature": 0.5,
    }
    sent = await send(receiver, MultipartBody(fields, {"file": ("a.wav", b"1")}))
    assert sorted(sent.split(b"--BOUNDARY")) == sorted(audio.split(b"--BOUNDARY"))


# What a server reads.


async def test_no_parts() -> None:
    body = MultipartBody({}, boundary="b")
    assert body.content_type == "multipart/form-data; boundary=b"
    assert body.as_bytes() == await read(body) == b"--b--\r\n"


def test_none_is_left_out_and_order_is_kept() -> None:
    body = MultipartBody({"b": None, "a": [1, True], "c": ""}, [("f", b"1"), ("f", b"2")], boundary="b").as_bytes()
    assert body is not None
    names = [part.get_param("name", header="content-disposition") for part in parse("multipart/x; boundary=b", body)]
    assert names == ["a[]", "a[]", "c", "f", "f"]


wild = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text('\r\n"\\:;=\x00a-', max_size=12)


@given(st.dictionaries(wild, wild, max_size=3), st.lists(st.tuples(wild, wild, st.binary(max_size=20)), max_size=3))
def test_nothing_escapes_from_its_part(fields: dict[str, str], files: list[tuple[str, str, bytes]]) -> None:
    body = MultipartBody(fields, [(name, (filename, content)) for name, filename, content in files], boundary="B")
    whole = body.as_bytes()
    assert whole is not None
    assert asyncio.run(read(body)) == whole
    contents = [value.encode() for value in fields.values()] + [content for _, _, content in files]
    if any(b"--B" in content for content in contents):
        return
    first, *parts = whole.split(b"--B\r\n")
    assert len(parts) == len(contents)
    for i, (part, content) in enumerate(zip(parts, contents, strict=True)):
        head, _, rest = part.partition(b"\r\n\r\n")
        named = i >= len(fields) and files[i - len(fields)][1]
        lines = head.split(b"\r\n")
        assert len(lines) == (2 if named else 1)
        assert not set(head) - {13, 10} & set(range(32))
        assert lines[0].count(b'"') == (4 if named else 2)
        assert rest.removesuffix(b"--B--\r\n") == content + b"\r\n"
    assert first == (b"" if parts else b"--B--\r\n")


def test_a_random_boundary_each_time() -> None:
    assert len({MultipartBody({}).content_type for _ in range(100)}) == 100


@pytest.mark.parametrize(("boundary", "shown"), [("a-b_c.1", "a-b_c.1"), ("a:b c", '"a:b c"'), ("x" * 70, "x" * 70)])
def test_a_boundary_of_the_users_own(boundary: str, shown: str) -> None:
    body = MultipartBody({"a": "b"}, boundary=boundary)
    assert body.content_type == f"multipart/form-data; boundary={shown}"
    assert len(parse(body.content_type, body.as_bytes() or b"")) == 1


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", 'a"b', "é", "ends with a space "])
def test_boundaries_that_are_refused(boundary: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        MultipartBody({}, boundary=boundary)


@pytest.mark.parametrize("name", [3, None, "", "/"])
async def test_files_without_a_usable_name_are_called_upload(name: Any) -> None:
    assert b'filename="upload"' in await read(MultipartBody({}, {"file": Duck(b"x", name)}))


async def test_names_in_bytes_and_paths_in_bytes(tmp_path: Path) -> None:
    class BytesPath:
        def __fspath__(self) -> bytes:
            return os.fsencode(tmp_path / "b.txt")

    (tmp_path / "b.txt").write_bytes(b"content")
    sent = await read(MultipartBody({}, {"a": Duck(b"x", b"dir/a.txt"), "b": BytesPath()}))
    assert b'filename="a.txt"' in sent
    assert b'filename="b.txt"' in sent
    assert b"content" in sent


def test_a_name_that_cannot_be_guessed_from_is_octets() -> None:
    assert b"application/octet-stream" in (MultipartBody({}, {"a": ("http://[x", b"")}).as_bytes() or b"")


# Wrong input is refused at once, by name.


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("data.jsonl", r"`f` must be bytes.*not str.*pathlib\.Path"),
        (None, "`f` must be bytes.*not NoneType"),
        (5, "`f` must be bytes.*not int"),
        ([b"x"], "`f` must be bytes.*not list"),
        (io.BytesIO, "`f` must be bytes.*not type"),
        (("a",), "`f` must be bytes.*not a tuple of 1"),
        (("a", b"", None, None, None), "not a tuple of 5"),
        (("a", None), "`f` must be bytes.*not NoneType"),
        ((b"a", b""), "file name of `f`.*not bytes"),
        ((Path("a"), b""), "file name of `f`"),
        (("a", b"", 5), "content type of `f`.*not int"),
        (("a", b"", None, [("a", "b")]), "headers of `f` must be a mapping"),
        (("a", b"", None, {"X": 1}), "headers of `f` must be strings"),
        (io.StringIO("text"), "`f` is a file open in text mode"),
    ],
)
def test_wrong_types(file: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        MultipartBody({}, {"f": file})


def test_wrong_field_names_and_values() -> None:
    with pytest.raises(TypeError, match="field must be a string, not int"):
        MultipartBody({}, [(5, b"")])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"`a\[b\]` must be text"):
        MultipartBody({"a": {"b": b"x"}})


def test_text_and_asynchronous_files_are_refused(folder: Path) -> None:
    class Asynchronous:
        async def read(self, size: int = -1) -> bytes:
            raise NotImplementedError

    with opened(folder, "r") as file, pytest.raises(TypeError, match="text mode"):
        MultipartBody({}, {"f": file})
    with pytest.raises(TypeError, match="asynchronous"):
        MultipartBody({}, {"f": Asynchronous()})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "file",
    [
        ("a", b"", "text/plain\r\nX-Injected: 1"),
        ("a", b"", None, {"X": "1\n2"}),
        ("a", b"", None, {"X\r\nY": "1"}),
        ("a", b"", None, {"": "1"}),
        ("a", b"", None, {"X:": "1"}),
    ],
)
def test_headers_that_would_inject_others_are_refused(file: Any) -> None:
    with pytest.raises(ValueError, match="`f` has a header"):
        MultipartBody({}, {"f": file})


def test_the_users_headers_are_not_changed() -> None:
    headers = {"X": "1"}
    MultipartBody({}, {"f": ("a.txt", b"", None, headers)})
    assert headers == {"X": "1"}


# Sources: sizes, attempts, pieces.


def test_as_bytes_has_a_limit() -> None:
    body = MultipartBody({}, {"f": b"x" * 1000})
    whole = body.as_bytes()
    assert whole is not None
    assert body.as_bytes(limit=len(whole)) == whole
    assert body.as_bytes(limit=len(whole) - 1) is None
    assert MultipartBody({}, {"f": bytes(3 * PIECE_BYTES)}).as_bytes() is None
    assert MultipartBody({}, {"f": Path(__file__)}).as_bytes() is None


async def test_mutable_bytes_are_taken_as_they_are_now() -> None:
    data = bytearray(b"now")
    body = MultipartBody({}, {"a": data, "b": memoryview(data)})  # type: ignore[dict-item]
    data[:] = b"yes"
    assert (await read(body)).count(b"now") == 2


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
@pytest.mark.parametrize("kind", ["bytes", "path", "file", "spooled", "temporary"])
async def test_pieces_are_bounded(size: int, kind: str, tmp_path: Path) -> None:
    content = os.urandom(size)
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    files: dict[str, Callable[[], Any]] = {
        "bytes": lambda: content,
        "path": lambda: path,
        "file": lambda: path.open("rb"),
        "spooled": tempfile.SpooledTemporaryFile,
        "temporary": tempfile.TemporaryFile,
    }
    file = files[kind]()
    if kind in ("spooled", "temporary"):
        file.write(content)
    body = MultipartBody({"a": "b"}, [("f", file), ("g", file)], boundary="b")
    for _ in range(2):
        pieces, length = await body.open()
        sizes: list[int] = []
        whole = bytearray()
        async for piece in pieces:
            sizes.append(len(piece))
            whole += piece
        assert max(sizes) <= PIECE_BYTES + 1000
        assert len(whole) == length
        assert whole.count(content) >= 2
    if kind not in ("bytes", "path"):
        file.close()


async def test_a_stream_is_sent_once(receiver: Receiver) -> None:
    duck = Duck(b"x" * (PIECE_BYTES + 5), "stream.bin")
    body = MultipartBody({}, {"f": duck})  # type: ignore[dict-item]
    assert body.replayable
    assert body.as_bytes() is None
    sent = await send(receiver, body)
    assert sent.count(b"x" * (PIECE_BYTES + 5)) == 1
    assert receiver.headers["transfer-encoding"] == "chunked"
    assert threading.get_ident() not in duck.threads
    assert not body.replayable
    with pytest.raises(RuntimeError, match="cannot be sent again"):
        await body.open()


async def test_pipes() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        body = MultipartBody({}, {"f": pipe})
        assert b"through a pipe" in await read(body)
    assert not body.replayable


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
async def test_named_pipes(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    body = MultipartBody({}, {"f": path})
    thread = threading.Thread(target=path.write_bytes, args=[b"through a fifo"])
    thread.start()
    pieces, length = await body.open()
    assert length is None
    assert b"through a fifo" in b"".join([piece async for piece in pieces])
    thread.join()
    assert not body.replayable


@pytest.mark.parametrize(
    ("name", "error"), [("missing", FileNotFoundError), ("", IsADirectoryError), ("a\0b", ValueError)]
)
async def test_paths_that_cannot_be_read_fail_before_anything_is_sent(
    name: str, error: type[Exception], tmp_path: Path
) -> None:
    body = MultipartBody({}, {"f": tmp_path / name})
    with pytest.raises(error):
        await body.open()
    assert body.replayable


async def test_a_file_that_shrinks_is_an_error_and_one_that_grows_is_sent_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1234567890")
    body = MultipartBody({}, {"f": path})
    pieces, _ = await body.open()
    path.write_bytes(b"12345")
    with pytest.raises(OSError, match=r"file.* is 5 bytes shorter"):
        [piece async for piece in pieces]

    pieces, length = await body.open()
    path.write_bytes(b"123456789")
    whole = b"".join([piece async for piece in pieces])
    assert len(whole) == length
    assert b"12345\r\n" in whole


@pytest.mark.parametrize("content", ["text", None])
async def test_a_source_that_does_not_give_bytes(content: Any) -> None:
    class Wrong:
        def read(self, _: int) -> Any:
            return content

    pieces, _ = await MultipartBody({}, {"f": Wrong()}).open()  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="`f` must return bytes when read, not"):
        [piece async for piece in pieces]


async def test_leaving_early_closes_the_file_of_a_path_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openings: list[Any] = []
    original = _Opening.open

    def recorded(opening: Any) -> None:
        original(opening)
        openings.append(opening)

    monkeypatch.setattr(_Opening, "open", recorded)
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * PIECE_BYTES))
    with path.open("rb") as file:
        for source in (path, file):
            pieces, _ = await MultipartBody({}, {"f": source}).open()
            sizes = [len(await pieces.__anext__()) for _ in range(2)]
            assert sizes[1] == PIECE_BYTES
            await pieces.aclose()
        assert [opening.file.closed for opening in openings] == [True]
        assert not file.closed


@pytest.mark.parametrize("missing", [False, True])
async def test_leaving_while_the_file_is_being_opened_closes_it(
    missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    openings: list[Any] = []
    original = _Opening.open

    def slowly(opening: Any) -> None:
        openings.append(opening)
        begun.set()
        go_on.wait()
        try:
            original(opening)
        finally:
            ended.set()

    path = tmp_path / "file"
    path.write_bytes(bytes(3 * PIECE_BYTES))
    pieces, _ = await MultipartBody({}, {"f": path}).open()
    if missing:
        path.unlink()
    monkeypatch.setattr(_Opening, "open", slowly)
    await pieces.__anext__()
    task = asyncio.ensure_future(pieces.__anext__())
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await asyncio.to_thread(ended.wait)
    assert [opening.file is None or opening.file.closed for opening in openings] == [True]


async def test_a_large_file_is_never_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    body = MultipartBody({"purpose": "batch"}, {"file": path})
    total = 0
    tracemalloc.start()
    try:
        pieces, length = await body.open()
        async for piece in pieces:
            total += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == length
    assert total > 64 << 20
    assert peak < 8 << 20


def test_aiofiles_is_imported_only_for_paths() -> None:
    check = "import sys, aiopenai._http.multipart; sys.exit('aiofiles' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
