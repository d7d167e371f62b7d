"""A value that is no file is refused before anything is sent, whichever method takes it, in both clients."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.testing import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        yield client


METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "files.create": lambda client, file: client.files.create(file=file, purpose="batch"),
    "audio.transcriptions.create": lambda client, file: client.audio.transcriptions.create(file=file, model="w"),
    "audio.translations.create": lambda client, file: client.audio.translations.create(file=file, model="w"),
    "images.create_variation": lambda client, file: client.images.create_variation(image=file),
    "uploads.parts.create": lambda client, file: client.uploads.parts.create("upload_1", data=file),
    "videos.create_character": lambda client, file: client.videos.create_character(name="x", video=file),
    "vector_stores.files.upload": lambda client, file: client.vector_stores.files.upload(
        vector_store_id="vs_1", file=file
    ),
    "vector_stores.files.upload_and_poll": lambda client, file: client.vector_stores.files.upload_and_poll(
        vector_store_id="vs_1", file=file
    ),
    "uploads.upload_file_chunked": lambda client, file: client.uploads.upload_file_chunked(
        file=file, mime_type="text/plain", purpose="batch", filename="x", bytes=1
    ),
}
NO_FILES: dict[str, Any] = {
    "None": None,
    "number": 5,
    "object": object(),
    "set": {b"x"},
    "list": [],
    "list of bytes": [b"x"],
    "two files": (b"x", b"y"),
    "iterator": iter([b"x"]),
    "text file": io.StringIO("x"),
    "class": io.BytesIO,
    "tuple with None": ("x", None),
    "empty object": {},
    "object with an id": {"id": "file-1"},
    "tuple with an object": ("x", {}),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", sorted(NO_FILES))
@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_file(client: OpenAI, server: Server, method: str, what: str) -> None:
    with pytest.raises(TypeError, match=r"`?'?(file|image|data|video)"):
        METHODS[method](client, NO_FILES[what])
    assert server.request_count == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", sorted(NO_FILES))
async def test_no_file_in_the_async_client(server: Server, what: str) -> None:
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        for method in METHODS.values():
            with pytest.raises(TypeError, match=r"`?'?(file|image|data|video)"):
                await method(client, NO_FILES[what])
    assert server.request_count == 0


def sent_fields(server: Server) -> list[tuple[str, str]]:
    return [(part.name, part.text) for part in server.journal[-1].multipart() if part.filename is None]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_object_where_one_may_be(client: OpenAI, server: Server) -> None:
    image: Any = {"image_url": "https://example.com/a.png"}
    video = client.videos.create(prompt="x", input_reference=image)
    assert ("input_reference[image_url]", image["image_url"]) in sent_fields(server)
    client.videos.retrieve(video.id)
    client.videos.retrieve(video.id)
    client.videos.edit(prompt="y", video={"id": video.id})
    assert ("video[id]", video.id) in sent_fields(server)
    client.videos.create(prompt="x", input_reference=b"png")
    assert server.journal[-1].multipart()[-1].name == "input_reference"
    sent = server.request_count
    for wrong in ([b"x"], [], 5, "x"):
        with pytest.raises(TypeError, match="input_reference"):
            client.videos.create(prompt="x", input_reference=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="'video', not None"):
        client.videos.edit(prompt="y", video=None)  # type: ignore[arg-type]
    assert server.request_count == sent


def test_several_files_where_several_may_be(client: OpenAI, server: Server) -> None:
    assert client.images.edit(image=[b"x", ("y.png", b"y")], prompt="p").data
    parts = server.journal[-1].multipart()
    assert [part.name for part in parts if part.filename is not None] == ["image[]", "image[]"]
    for wrong in (None, [b"x", None], [5], (b"x", {})):
        with pytest.raises(TypeError, match="image"):
            client.images.edit(image=wrong, prompt="p")  # type: ignore[call-overload]
    assert server.request_count == 1


def test_an_optional_file_that_is_none_is_left_out(client: OpenAI, server: Server) -> None:
    given: Any = {"mask": None}
    client.images.edit(image=b"x", prompt="p", **given)
    assert [part.name for part in server.journal[-1].multipart()] == ["prompt", "image"]


class Named(io.BytesIO):
    name: object


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (Path("/a/b/c.txt"), "c.txt"),
        ("/a/b/d.txt", "d.txt"),
        (b"/a/b/e.txt", "e.txt"),
        ("plain", "plain"),
        (7, "upload"),
        (None, "upload"),
        ("", "upload"),
    ],
    ids=["path", "text", "bytes", "plain", "descriptor", "none", "empty"],
)
def test_names_of_file_objects(client: OpenAI, name: object, sent: str) -> None:
    file = Named(b"content")
    file.name = name
    assert client.files.create(file=file, purpose="batch").filename == sent


def test_the_chunked_upload_takes_the_name_of_a_file_object(client: OpenAI) -> None:
    file = Named(b"content")
    file.name = Path("/a/b/c.txt")
    made = client.uploads.upload_file_chunked(file=file, mime_type="text/plain", purpose="batch")
    assert made.filename == "c.txt"
    file.name = 7
    with pytest.raises(TypeError, match="`filename`"):
        client.uploads.upload_file_chunked(file=file, mime_type="text/plain", purpose="batch")
    with tempfile.TemporaryFile() as unnamed, pytest.raises(TypeError, match="`filename`"):
        client.uploads.upload_file_chunked(file=unnamed, mime_type="text/plain", purpose="batch")
