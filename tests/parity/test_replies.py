"""Every example reply of the OpenAPI document decodes to what the reference decodes it to."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai._data.codec import Decoder
from aiopenai.testing import Server

from .arguments import required
from .compare import differences
from .document import DOCUMENT, Example, examples
from .surface import Method, calls, resolve


def _operation(verb: str, path: str) -> tuple[str, str]:
    """A path without the names that its parameters happen to have."""
    return verb, re.sub(r"\{\w+\}", "{}", path)


OPERATIONS: dict[tuple[str, str], list[Method]] = {}
for _method in calls():
    # Its reply is the same bytes as text.
    if _method.name != "files.retrieve_content":
        OPERATIONS.setdefault(_operation(_method.verb, _method.path), []).append(_method)
EXAMPLES = {example.label: example for example in examples()}

pytestmark = [
    pytest.mark.skipif(not DOCUMENT.exists(), reason="there is no ../shared/openapi.yml"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

# label -> why it is not an example.
BROKEN = {
    "GET /containers/{container_id}/files/{file_id}/content": "not JSON: the words `binary content`",
    "POST /evals": "an object is not closed",
    "POST /evals/{eval_id}/runs/{run_id}": "of another path in the reference: it cancels at .../cancel",
    "POST /realtime/calls": "not JSON: a session description",
}
# label -> the places where we differ on purpose.
DEPARTS = {
    # A user's message among the items: the reference takes its `input_text` for an output text, we for what it says.
    "POST /responses/compact": ("reply.output[0].content[0]",),
    "POST /responses/compact?beta=true": ("reply.output[0].content[0]",),
    # An unknown `type`: the reference takes the items for the union's first class.
    "GET /chatkit/threads/{thread_id}/items": ("reply.data[",),
    # A `type` that is missing is what it must be.
    "POST /audio/transcriptions Streaming": ("reply[31].usage.type",),
}
# The same for the variations: of a user's message that lacks something the reference makes an assistant's.
DEPARTS_VARIED = {
    **DEPARTS,
    "GET /responses/{response_id}/input_items": ("reply.data[0]",),
    "GET /responses/{response_id}/input_items?beta=true": ("reply.data[0]",),
}

# Keys by which the members of a union are told apart.
_DECIDES = re.compile(r"(\.type|\.results\[\d+\]\.object|\.(template|testing_criteria)\[.*\.\w+)$")

CASES = {
    f"{label} {method.name}": (example, method)
    for label, example in EXAMPLES.items()
    if label not in BROKEN
    for method in OPERATIONS.get(_operation(example.verb, example.path), ())
    if method.streams or not example.streams
}

PARSED = {"beta.chat.completions.parse", "chat.completions.parse"}
JSON = "application/json"
HEADERS = {"x-request-id": "req_test"}


def test_what_is_covered(say: Callable[[str], None]) -> None:
    """Every example belongs to a method, but for those that are none."""
    names = {method.name for _, method in CASES.values()}
    say(f"Replies: {len(EXAMPLES) - len(BROKEN)} of {len(EXAMPLES)} examples, {len(names)} methods, {len(CASES)} cases")
    assert BROKEN.keys() <= EXAMPLES.keys()
    assert DEPARTS_VARIED.keys() <= EXAMPLES.keys()
    assert EXAMPLES.keys() - BROKEN.keys() == {example.label for example, _ in CASES.values()}


def replay(server: Server, example: Example) -> None:
    """Have the server answer every call with the example."""
    server.clear_faults()
    body, kind = (example.events(), "text/event-stream") if example.streams else (json.dumps(example.json()), JSON)
    server.fault(status=200, body=body.encode(), content_type=kind, headers=HEADERS, times=None)


def as_received(completion: Any) -> Any:
    """What the reference has parsed, without the `tool_calls` that it says it received where there were none.

    Ours are those that came: a null that the server did not send would go back to it with the message.
    """
    for choice in completion.choices:
        assert "tool_calls" in choice.message.model_fields_set
        if choice.message.tool_calls is None:
            choice.message.model_fields_set.discard("tool_calls")
    return completion


@pytest.mark.parametrize("label", CASES)
async def test_example(server: Server, ours: AsyncOpenAI, theirs: Any, label: str) -> None:
    example, method = CASES[label]
    replay(server, example)
    arguments = required(method)
    if example.streams:
        arguments["stream"] = True
    found: list[Any] = []
    for client in (ours, theirs):
        reply = await resolve(client, method.name)(**arguments)
        found.append([event async for event in reply] if example.streams else reply)
    if example.streams:
        assert found[0]
    elif method.name in PARSED:
        as_received(found[1])
    different = [line for line in differences(*found) if not line.startswith(DEPARTS.get(example.label, ()))]
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


@pytest.mark.parametrize("label", [label for label, (example, _) in CASES.items() if not example.streams])
async def test_variations_of_an_example(server: Server, theirs: Any, label: str) -> None:
    """What the API does not send today, other servers and its next version do.

    Where an object does not say which member of a union it is, the reference takes the first and we the one that fits
    best: then only nothing may be lost.
    """
    example, method = CASES[label]
    replay(server, example)
    kind = type(await resolve(theirs, method.name)(**required(method)))
    if kind is type(None):
        return
    decode = Decoder[Any].of(method.reply)
    departs = DEPARTS_VARIED.get(example.label, ())
    different: list[str] = []
    for variation, value in variations(example.json()):
        mine, others = decode(json.dumps(value).encode()), kind.construct(**value)
        assert mine.to_dict() == value, variation
        if not _DECIDES.search(variation):
            lines = differences(mine, others)
            different += (f"{variation}: {line}" for line in lines if not line.startswith(departs))
    assert different == []
