"""The endpoints `/images`: small pictures, whole or as a stream that begins with partial ones."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

from aiopenai.testing.content.pictures import picture
from aiopenai.testing.content.text import count_tokens
from aiopenai.testing.engine.exchange import Call
from aiopenai.testing.engine.forms import Form, read_form, read_form_or_json
from aiopenai.testing.engine.params import BOOLEAN, INTEGER, OBJECT, STRING, check, check_model, missing
from aiopenai.testing.engine.replies import ApiError, EventReply, Outcome, WholeReply, named_event
from aiopenai.testing.engine.values import Object, is_array

__all__ = ["edit", "generate", "variation"]

_PARAMS = {
    "background": STRING.one_of("transparent", "opaque", "auto"),
    "model": STRING,
    "n": INTEGER.within(1, 10),
    "output_compression": INTEGER.within(0, 100),
    "output_format": STRING.one_of("png", "webp", "jpeg", "gif", "svg"),
    "partial_images": INTEGER.within(0, 3),
    "prompt": STRING,
    "quality": STRING.one_of("low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"),
    "response_format": STRING.one_of("url", "b64_json"),
    "size": STRING,
    "stream": BOOLEAN,
    "svg": OBJECT,
    "user": STRING,
}
_MEDIA = {"svg": "image/svg+xml"}
_TOKENS_AN_IMAGE = 272


def generate(call: Call) -> Outcome:
    """POST /images/generations."""
    body = call.body()
    check(body, _PARAMS, ("prompt",))
    return _image_reply(call, body, body["prompt"], "image_generation", given=0)


def edit(call: Call) -> Outcome:
    """POST /images/edits: multipart with one or several `image`, and an optional `mask`; or JSON with `images`."""
    form = read_form_or_json(call, _PARAMS, ("prompt",))
    images = form.fields.get("images")
    given = len(images) if is_array(images) else len(_sent_images(form))
    return _image_reply(call, form.fields, form.fields["prompt"], "image_edit", given=given)


def variation(call: Call) -> Outcome:
    """POST /images/variations: multipart with an `image`; dall-e-2 only."""
    form = read_form(call, _PARAMS)
    _sent_images(form)
    return _image_reply(call, form.fields, "variation", "image_variation", given=1)


def _sent_images(form: Form) -> list[bytes]:
    images = [part.data for part in form.files.get("image", ())]
    if not images:
        raise missing("image")
    if not all(images):
        raise ApiError(400, "Invalid image file: it is empty.", param="image", code="invalid_image_file")
    return images


def _image_reply(call: Call, body: Object, prompt: str, kind: str, *, given: int) -> Outcome:
    model: str = body.get("model") or ("dall-e-2" if kind == "image_variation" else "gpt-image-1")
    check_model(model, call.state)
    if not prompt:
        raise ApiError(400, "Invalid 'prompt': empty string.", param="prompt", code="empty_string")
    older = model.startswith("dall-e")
    file_type: str = "png" if older else body.get("output_format") or "png"
    count: int = body.get("n") or 1
    settings: Object = {
        "background": "transparent" if body.get("background") == "transparent" else "opaque",
        "output_format": file_type,
        "quality": {None: "high", "auto": "high", "standard": "medium", "hd": "high"}.get(
            body.get("quality"), body.get("quality")
        ),
        "size": "1024x1024" if body.get("size") in (None, "auto") else body["size"],
    }
    read, seen, made = count_tokens(prompt), given * _TOKENS_AN_IMAGE, count * _TOKENS_AN_IMAGE
    usage: Object = {
        "input_tokens": read + seen,
        "input_tokens_details": {"text_tokens": read, "image_tokens": seen},
        "output_tokens": made,
        "total_tokens": read + seen + made,
    }
    tokens: int = usage["total_tokens"]
    if body.get("stream"):
        if older:
            raise ApiError(400, f"Streaming is not supported by '{model}'.", param="stream", code="unsupported_value")
        if count > 1:
            raise ApiError(400, "A stream has one image only.", param="n", code="invalid_value")
        head = {"created_at": call.now(), **settings}
        events = _image_events(kind, head, prompt, file_type, body.get("partial_images") or 0, usage)
        return EventReply(map(named_event, events), tokens=tokens)
    data: list[Object] = []
    for number in range(count):
        image = _picture_base64(f"{prompt} {number}" if number else prompt, file_type)
        if not older or body.get("response_format") == "b64_json":
            entry: Object = {"b64_json": image}
        else:
            # A data URL holds the image, so that no download is needed.
            entry = {"url": f"data:{_MEDIA.get(file_type, f'image/{file_type}')};base64,{image}"}
        if model == "dall-e-3":
            entry["revised_prompt"] = f"A picture of this: {prompt}"
        data.append(entry)
    reply: Object = {"created": call.now(), "data": data}
    return WholeReply.json(reply if older else {**reply, **settings, "usage": usage}, tokens=tokens)


def _picture_base64(text: str, kind: str) -> str:
    return b64encode(picture(text, kind)).decode()


def _image_events(
    kind: str, head: Object, prompt: str, file_type: str, partial: int, usage: Object
) -> Iterator[Object]:
    for index in range(partial):
        image = _picture_base64(f"{prompt}, part {index + 1}", file_type)
        yield {"type": f"{kind}.partial_image", "b64_json": image, "partial_image_index": index, **head}
    yield {"type": f"{kind}.completed", "b64_json": _picture_base64(prompt, file_type), **head, "usage": usage}
