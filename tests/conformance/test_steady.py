"""Every call of ours is a request that the OpenAPI document allows, in the judgement of a server of others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest
from parity.arguments import NOTHING, everything, required
from parity.surface import Method, methods, resolve

from aiopenai import APIStatusError, AsyncOpenAI

from . import steady

METHODS = {method.name: method for method in methods()}

# What types do not say: ranges and patterns.
KNOWN = {
    "tunnel_id": "tunnel_0123456789abcdefghijklmnopqrstuv",
    "seconds": 3600,
    "compact_threshold": 1000,
    "max_output_tokens": 16,
}

# Where the reference, whose types our calls are made of, allows what the document does not (yet): the place, as
# `Finding.place` writes it, and why. A place that the server does not complain about any more is an error too.
DOCUMENT_LACKS = {
    "top_logprobs": "null, which the reference allows for each of its optional numbers",
    "prediction": "null",
    "prompt": "null, which the document's own words on `prompt` imply",
    "prompt_cache_options.ttl": "12h",
    "messages[user].content": "12h for a prompt cache breakpoint",
    "tools[image_generation]": "gif and svg images, and the qualities xhigh and max",
    "input[configuration_update]": "the whole item",
    "input[function_call_output]": "null for `call_id`, and for the detail of a file",
    "input[local_shell_call_output]": "it requires a `call_id` that it does not define",
    "input[mcp_approval_response]": "it requires a `request_id` that it does not define",
    "input[web_search_call]": "the status incomplete",
}
_lacking: set[str] = set()
_calls: dict[str, int] = {}
_covered: set[str] = set()


class Finding(NamedTuple):
    """What the server found wrong, and where: `tools[mcp].tunnel_id` for the key of an array's item of that type."""

    place: str
    message: str


@pytest.fixture(scope="module")
def steady_url() -> Iterator[str]:
    if reason := steady.unavailable():
        pytest.skip(reason)
    with steady.running() as url:
        yield url


@pytest.fixture
async def client(steady_url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="test", base_url=steady_url, max_retries=0) as client:
        yield client


def known(name: str, owner: Any) -> Any:
    return KNOWN.get(name, NOTHING)


async def findings(client: AsyncOpenAI, method: Method, arguments: dict[str, Any]) -> list[Finding]:
    """Make the call and say what the server found in it, be it an error, a warning or a note."""
    _calls[method.name] = _calls.get(method.name, 0) + 1
    try:
        if arguments.get("stream"):
            # Only its head: the server has no streams.
            async with resolve(client.with_streaming_response, method.name)(**arguments) as response:
                headers = response.headers
        else:
            response = await resolve(client.with_raw_response, method.name)(**arguments)
            headers = response.headers
            response.parse()
    except APIStatusError as error:
        headers = error.response.headers
    assert headers.get("x-steady-matched-path", method.path) == method.path
    count = int(headers["x-steady-error-count"])
    found = [
        Finding(
            _place(headers.get(f"x-steady-error-{number}-path", ""), arguments),
            headers.get(f"x-steady-error-{number}-message", ""),
        )
        for number in range(1, count + 1)
    ]
    return [finding for finding in found if not _lacks(finding)]


def _place(path: str, arguments: Any) -> str:
    where, _, rest = path.partition(".")
    if where != "body":
        return path
    place, value = "", arguments
    for part in rest.split("."):
        if isinstance(value, list):
            value = value[int(part)]
            kind = value.get("type", value.get("role")) if isinstance(value, dict) else part
            place += f"[{kind}]"
        else:
            value = value.get(part) if isinstance(value, dict) else None
            place += f".{part}" if place else part
    return place


def _lacks(finding: Finding) -> bool:
    at = "." + finding.place
    found = next((place for place in DOCUMENT_LACKS if at.endswith("." + place)), None)
    if found is None:
        return False
    _lacking.add(found)
    return True


@pytest.mark.parametrize("name", METHODS)
async def test_required_arguments(client: AsyncOpenAI, name: str) -> None:
    assert await findings(client, METHODS[name], required(METHODS[name], known)) == []


@pytest.mark.parametrize("name", METHODS)
async def test_all_arguments(client: AsyncOpenAI, name: str) -> None:
    for arguments in everything(METHODS[name], known):
        assert await findings(client, METHODS[name], arguments) == []
    _covered.add(name)


@pytest.mark.parametrize("name", [method.name for method in METHODS.values() if method.streams])
async def test_streams(client: AsyncOpenAI, name: str) -> None:
    assert await findings(client, METHODS[name], {**required(METHODS[name], known), "stream": True}) == []


def test_the_count(steady_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Says how much was covered, after the tests above; where all of them passed, no exception is left that is none."""
    with capsys.disabled():
        print(f"\nSteady: {len(_calls)} of {len(METHODS)} methods, {sum(_calls.values())} calls", end=" ")
    if _covered == METHODS.keys():
        assert _lacking == DOCUMENT_LACKS.keys()


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "a type": ("embeddings.create", {"input": "x", "model": 5}),
    "a union": ("moderations.create", {"input": 5}),
    "a missing key": ("chat.completions.create", {"model": "m", "messages": [{"role": "user"}]}),
    "a value": ("responses.create", {"truncation": "sometimes"}),
    "a query": ("files.list", {"limit": "many"}),
    "a form": ("files.create", {"file": b"x", "purpose": "user_data", "expires_after": {"anchor": "never"}}),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_it_does_check(client: AsyncOpenAI, wrong: str) -> None:
    """What the tests above say, they say of something."""
    name, arguments = WRONG[wrong]
    assert await findings(client, METHODS[name], arguments) != []
