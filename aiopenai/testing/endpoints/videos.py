"""The endpoints `/videos`: jobs that complete at the second retrieval, and their clips."""

from __future__ import annotations

import struct

from aiopenai.testing.content.pictures import picture
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import read_form_or_json
from aiopenai.testing.engine.paging import page
from aiopenai.testing.engine.params import OBJECT, STRING, check_model, missing, stored
from aiopenai.testing.engine.replies import ApiError, WholeReply
from aiopenai.testing.engine.values import Object, section
from aiopenai.testing.memory.stored import StoredVideo

__all__ = [
    "character",
    "content",
    "create",
    "create_character",
    "delete",
    "edit",
    "extend",
    "list_",
    "remix",
    "retrieve",
]

# Two retrievals until a video is complete: queued -> in_progress -> completed.
_POLLS = 2
_PARAMS = {
    "input_reference": OBJECT,
    "model": STRING,
    "prompt": STRING,
    "seconds": STRING.one_of("4", "8", "12"),
    "size": STRING.one_of("720x1280", "1280x720", "1024x1792", "1792x1024"),
    "video": OBJECT,
}
_DAY = 86_400


def create(call: Call) -> WholeReply:
    """POST /videos: multipart or JSON."""
    fields = read_form_or_json(call, _PARAMS, ("prompt",)).fields
    check_model(fields.get("model") or "sora-2", call.state)
    return _queue(call, fields)


def retrieve(call: Call) -> WholeReply:
    """GET /videos/{video_id}."""
    kept = stored(call.state.videos, call.ids[0], "video")
    video = kept.video
    if kept.polls:
        kept.polls -= 1
        if kept.polls:
            video.update(status="in_progress", progress=50)
        else:
            now = call.now()
            video.update(status="completed", progress=100, completed_at=now, expires_at=now + _DAY)
    return call.polled(video, unfinished=kept.polls > 0)


def list_(call: Call) -> WholeReply:
    """GET /videos: the newest first."""
    return page([kept.video for kept in call.state.videos.values()], call.request.query, order="desc")


def delete(call: Call) -> WholeReply:
    """DELETE /videos/{video_id}."""
    stored(call.state.videos, call.ids[0], "video")
    call.state.videos.pop(call.ids[0])
    return WholeReply.json({"id": call.ids[0], "object": "video.deleted", "deleted": True})


def content(call: Call) -> WholeReply:
    """GET /videos/{video_id}/content: an MP4 file without a track, or a still picture (`variant`)."""
    video = _completed_video(call, call.ids[0])
    variant = call.request.query.get("variant", "video")
    if variant == "thumbnail":
        return WholeReply(picture(video["prompt"], "webp"), content_type="image/webp")
    if variant == "spritesheet":
        return WholeReply(picture(video["prompt"], "jpeg"), content_type="image/jpeg")
    return WholeReply(_clip(video["prompt"]), content_type="video/mp4")


def remix(call: Call) -> WholeReply:
    """POST /videos/{video_id}/remix."""
    source = _completed_video(call, call.ids[0])
    fields = read_form_or_json(call, _PARAMS, ("prompt",)).fields
    return _queue(call, {**_like(source), "prompt": fields["prompt"]}, source["id"])


def edit(call: Call) -> WholeReply:
    """POST /videos/edits: of a completed video (`video[id]`) or of a file."""
    return _changed(call, ("prompt",))


def extend(call: Call) -> WholeReply:
    """POST /videos/extensions: as edits, with `seconds`."""
    return _changed(call, ("prompt", "seconds"))


def create_character(call: Call) -> WholeReply:
    """POST /videos/characters: multipart with `name` and `video`."""
    form = read_form_or_json(call, {"name": STRING}, ("name",))
    form.file("video")
    identity = call.state.new_id("char_")
    made: Object = {"id": identity, "created_at": call.now(), "name": form.fields["name"]}
    call.state.characters.put(identity, made)
    return WholeReply.json(made)


def character(call: Call) -> WholeReply:
    """GET /videos/characters/{character_id}."""
    return WholeReply.json(stored(call.state.characters, call.ids[0], "character"))


def _changed(call: Call, required: tuple[str, ...]) -> WholeReply:
    form = read_form_or_json(call, _PARAMS, required)
    if form.files.get("video"):
        return _queue(call, form.fields)
    identity = section(form.fields, "video").get("id")
    if type(identity) is not str:
        raise missing("video")
    return _queue(call, {**_like(_completed_video(call, identity)), **form.fields})


def _like(video: Object) -> Object:
    return {name: video[name] for name in ("model", "seconds", "size")}


def _queue(call: Call, fields: Object, remixed_from: str | None = None) -> WholeReply:
    video: Object = {
        "id": call.state.new_id("video_"),
        "object": "video",
        "model": fields.get("model") or "sora-2",
        "status": "queued",
        "progress": 0,
        "created_at": call.now(),
        "completed_at": None,
        "expires_at": None,
        "prompt": fields["prompt"],
        "size": fields.get("size") or "720x1280",
        "seconds": fields.get("seconds") or "4",
        "remixed_from_video_id": remixed_from,
        "error": None,
    }
    call.state.videos.put(video["id"], StoredVideo(video, _POLLS))
    return call.polled(video, unfinished=True)


def _completed_video(call: Call, identity: str) -> Object:
    video = stored(call.state.videos, identity, "video").video
    if video["status"] != "completed":
        message = f"Video is not ready yet, use GET /v1/videos/{identity} to check its status."
        raise ApiError(400, message, param="video_id", code="video_not_ready")
    return video


def _clip(prompt: str) -> bytes:
    """Returns an ISO base media file: its type, free space with the prompt in it, and no track."""

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data) + 8) + kind + data

    return box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + box(b"free", prompt.encode()) + box(b"mdat", b"")
