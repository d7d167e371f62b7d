"""Every example reply of the OpenAPI document decodes to what the reference decodes it to."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.codec import Decoder
from aiopenai.testing import Server

from .arguments import required
from .compare import differences
from .document import DOCUMENT, examples
from .surface import methods, resolve

METHODS = {(method.verb, method.path): method for method in methods() if method.name != "files.retrieve_content"}
EXAMPLES = {example.label: example for example in examples() if (example.verb, example.path) in METHODS}

pytestmark = pytest.mark.skipif(not DOCUMENT.exists(), reason="there is no ../shared/openapi.yml")

# label -> why it is not an example.
BROKEN = {"POST /completions Streaming": "it lacks a comma, and shows one event of a stream as if it were the reply"}
# label -> the places where we differ on purpose.
DEPARTS = {
    # A user's message among the items: the reference takes its `input_text` for an output text, we for what it says.
    "POST /responses/compact": ("reply.output[0].content[0]",),
}
# The same for the variations: of a user's message that lacks something the reference makes an assistant's.
DEPARTS_VARIED = {**DEPARTS, "GET /responses/{response_id}/input_items": ("reply.data[0]",)}

HEADERS = {"x-request-id": "req_test"}


def test_what_is_covered() -> None:
    """Every operation has an example, but for the one whose reply is a file."""
    print(f"{len(EXAMPLES) - len(BROKEN)} examples of {len(METHODS)} operations")
    assert set(METHODS) - {(example.verb, example.path) for example in EXAMPLES.values()} == {
        ("GET", "/files/{file_id}/content")
    }
    assert set(BROKEN) <= EXAMPLES.keys()
    assert set(DEPARTS) <= EXAMPLES.keys()


@pytest.mark.parametrize("label", [label for label in EXAMPLES if label not in BROKEN])
async def test_example(server: Server, ours: AsyncOpenAI, theirs: Any, label: str) -> None:
    example = EXAMPLES[label]
    method = METHODS[example.verb, example.path]
    arguments = required(method)
    path = re.sub(r"\{\w+\}", "text", example.path)
    found: list[Any] = []
    if label.endswith("Streaming"):
        server.reply_with(path, example.events(), headers=HEADERS, content_type="text/event-stream")
        for client in (ours, theirs):
            stream = await resolve(client, method.name)(**arguments, stream=True)
            found.append([event async for event in stream])
        assert found[0]
    else:
        server.reply_with(path, example.json(), headers=HEADERS)
        for client in (ours, theirs):
            found.append(await resolve(client, method.name)(**arguments))
    different = [line for line in differences(*found) if not line.startswith(DEPARTS.get(label, ()))]
    assert different == []


def variations(value: Any) -> Iterator[tuple[str, Any]]:
    """The value with each of its keys in turn left out, and null; and with a further key in all its objects."""
    whole = copy.deepcopy(value)
    places = list(_places(whole, ""))
    for place, holder, key in places:
        held = holder.pop(key)
        yield f"without {place}", whole
        holder[key] = None
        yield f"null {place}", whole
        holder[key] = held
    for holder in {id(holder): holder for _, holder, _ in places}.values():
        holder["not_in_any_type"] = {"a": [1, None, {"b": 2.0}]}
    yield "with more", whole


def _places(value: Any, at: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"{at}.{key}", value, key
            yield from _places(item, f"{at}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, f"{at}[{index}]")


@pytest.mark.parametrize(
    "label", [label for label in EXAMPLES if label not in BROKEN and not label.endswith("Streaming")]
)
async def test_variations_of_an_example(server: Server, theirs: Any, label: str) -> None:
    """What the API does not send today, other servers and its next version do.

    Where an object does not say its `type`, the reference takes the union's first class and we the one that fits best:
    then only nothing may be lost.
    """
    example = EXAMPLES[label]
    method = METHODS[example.verb, example.path]
    server.reply_with(re.sub(r"\{\w+\}", "text", example.path), example.json())
    kind = type(await resolve(theirs, method.name)(**required(method)))
    if kind is type(None):
        return
    decode = Decoder[Any].of(method.reply)
    departs = DEPARTS_VARIED.get(label, ())
    different: list[str] = []
    for variation, value in variations(example.json()):
        mine, others = decode(json.dumps(value).encode()), kind.construct(**value)
        assert mine.to_dict() == value, variation
        if not variation.endswith(".type"):
            lines = differences(mine, others)
            different += (f"{variation}: {line}" for line in lines if not line.startswith(departs))
    assert different == []
