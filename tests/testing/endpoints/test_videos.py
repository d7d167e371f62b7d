from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import collect, strict

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def finish(client: AsyncOpenAI, video: Any) -> Any:
    while video.status != "completed":
        video = strict(await client.videos.retrieve(video.id))
    return video


async def test_a_videos_life(client: AsyncOpenAI) -> None:
    video = strict(await client.videos.create(prompt="a heron", seconds="8", input_reference=b"picture"))
    assert (video.status, video.progress, video.seconds, video.size) == ("queued", 0, "8", "720x1280")
    with pytest.raises(BadRequestError, match="not ready"):
        await client.videos.download_content(video.id)
    raw = await client.videos.with_raw_response.retrieve(video.id)
    assert raw.headers["openai-poll-after-ms"] == "10"
    video = strict(await client.videos.retrieve(video.id))
    assert (video.status, video.progress) == ("completed", 100)
    data = (await client.videos.download_content(video.id)).content
    assert data[4:8] == b"ftyp"
    assert (await client.videos.download_content(video.id, variant="thumbnail")).content[:4] == b"RIFF"
    assert (await client.videos.download_content(video.id, variant="spritesheet")).content[:3] == b"\xff\xd8\xff"
    assert strict(await client.videos.delete(video.id)).deleted
    with pytest.raises(NotFoundError):
        await client.videos.retrieve(video.id)


async def test_videos_from_videos(client: AsyncOpenAI) -> None:
    source = await finish(client, await client.videos.create(prompt="a heron", size="1280x720"))
    remixed = await finish(client, strict(await client.videos.remix(source.id, prompt="two herons")))
    assert (remixed.remixed_from_video_id, remixed.size) == (source.id, "1280x720")
    edited = strict(await client.videos.edit(prompt="three", video={"id": source.id}))
    assert edited.size == "1280x720"
    extended = strict(await client.videos.extend(prompt="four", seconds="12", video=b"mp4"))
    assert (extended.seconds, extended.size) == ("12", "720x1280")
    listed = await collect(client.videos.list(limit=3))
    assert [video.id for video in listed] == [extended.id, edited.id, remixed.id, source.id]


async def test_characters(client: AsyncOpenAI) -> None:
    made = strict(await client.videos.create_character(name="Heron", video=b"mp4"))
    assert made.id is not None
    assert strict(await client.videos.get_character(made.id)).name == "Heron"


async def test_bad_calls(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match="5"):
        await client.videos.create(prompt="x", seconds="5")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        await client.videos.create(prompt="x", model="none")
    with pytest.raises(NotFoundError):
        await client.videos.remix("video_none", prompt="x")
    with pytest.raises(BadRequestError, match="video"):
        await client.videos.edit(prompt="x", video={})  # type: ignore[typeddict-item]
