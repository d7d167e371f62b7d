from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.http import Api
from tests.testing.strict import collect, strict


def decode(reply: Any) -> list[bytes]:
    return [base64.b64decode(image.b64_json) for image in strict(reply).data]


def png_pixels(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and pixels of an RGB PNG without filters, its checksums checked."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    position, rows, size = 8, b"", (0, 0)
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack(">I", data[position + 8 + length : position + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            rows += body
        position += 12 + length
    pixels = zlib.decompress(rows)
    line = 1 + 3 * size[0]
    assert len(pixels) == line * size[1]
    return *size, pixels[1:line]


async def test_generate(client: AsyncOpenAI) -> None:
    reply = await client.images.generate(prompt="a heron", model="gpt-image-1", n=2, quality="low", size="1024x1536")
    first, second = decode(reply)
    assert png_pixels(first)[:2] == (16, 16)
    assert png_pixels(first) != png_pixels(second)
    assert (reply.quality, reply.size, reply.output_format) == ("low", "1024x1536", "png")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens
    again = await client.images.generate(prompt="a heron", model="gpt-image-1")
    assert decode(again) == [first]


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [("jpeg", b"\xff\xd8\xff", b"\xff\xd9"), ("webp", b"RIFF", b""), ("gif", b"GIF89a", b";"), ("svg", b"<svg", b">")],
)
async def test_formats(client: AsyncOpenAI, kind: Any, start: bytes, end: bytes) -> None:
    reply = await client.images.generate(prompt="a heron", model="gpt-image-1", output_format=kind)
    (data,) = decode(reply)
    assert data.startswith(start)
    assert data.endswith(end)
    assert reply.output_format == kind
    if kind == "webp":
        assert struct.unpack("<I", data[4:8])[0] == len(data) - 8


async def test_older_models_give_urls(client: AsyncOpenAI) -> None:
    reply = strict(await client.images.generate(prompt="a heron", model="dall-e-3"))
    (image,) = reply.data or []
    assert image.url is not None
    head, _, data = image.url.partition(",")
    assert head == "data:image/png;base64"
    assert png_pixels(base64.b64decode(data))[0] == 16
    assert image.revised_prompt == "A picture of this: a heron"
    assert reply.usage is None
    reply = await client.images.generate(prompt="a heron", model="dall-e-2", response_format="b64_json")
    assert png_pixels(decode(reply)[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_edits_and_variations(client: AsyncOpenAI) -> None:
    image = ("a.png", b"data")
    reply = strict(await client.images.edit(image=[image, image], prompt="more", model="gpt-image-1"))
    assert reply.usage is not None
    assert reply.usage.input_tokens_details.image_tokens == 2 * 272
    assert len(strict(await client.images.create_variation(image=image, n=2)).data or []) == 2
    with pytest.raises(BadRequestError, match="empty"):
        await client.images.edit(image=("a.png", b""), prompt="more")


async def test_streams(client: AsyncOpenAI) -> None:
    options: Any = {"prompt": "a heron", "model": "gpt-image-1", "partial_images": 2, "stream": True}
    events = await collect(client.images.generate(**options))
    kinds = ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.type for event in events] == kinds
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert len({event.b64_json for event in events}) == 3
    whole = await client.images.generate(prompt="a heron", model="gpt-image-1")
    assert [base64.b64decode(events[-1].b64_json)] == decode(whole)
    events = await collect(client.images.edit(image=b"x", **options))
    assert [event.type.partition(".")[0] for event in events] == ["image_edit"] * 3


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"prompt": ""}, "prompt"),
        ({"n": 11}, "n"),
        ({"model": "dall-e-3", "stream": True}, "Streaming"),
        ({"n": 2, "stream": True}, "stream"),
        ({"partial_images": 4}, "partial_images"),
    ],
)
async def test_bad_calls(client: AsyncOpenAI, options: Any, what: str) -> None:
    with pytest.raises(BadRequestError, match=what):
        await client.images.generate(**{"prompt": "x", "model": "gpt-image-1", **options})


async def test_an_unknown_model_and_no_image(api: Api, client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError):
        await client.images.generate(prompt="x", model="none")
    assert (await api.fails(400, "POST", "/images/edits", {"prompt": "x"}))["param"] == "image"


def part(url: str) -> list[Any]:
    return [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]


async def test_images_are_seen_in_chat_and_responses(client: AsyncOpenAI) -> None:
    (data,) = decode(await client.images.generate(prompt="a heron", model="gpt-image-1"))
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    chat = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": part(url)}])
    assert chat.choices[0].message.content == "You said: look [seen: png of 16 x 16]"
    content: Any = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "https://example.com/a.gif", "detail": "auto"},
        {"type": "input_image", "file_id": "file-1", "detail": "auto"},
    ]
    response = await client.responses.create(model="gpt-4o", input=[{"role": "user", "content": content}])
    assert response.output_text == "You said: look [seen: an image at example.com, a file]"


@pytest.mark.parametrize(
    "url", ["data:,", "data:image/png;base64,", "data:image/png;base64,?", "data:image/png;base64,AAAA", "ftp://x/y"]
)
async def test_images_that_are_none(client: AsyncOpenAI, url: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": part(url)}])
    assert caught.value.param == "messages[0].content[1].image_url"
