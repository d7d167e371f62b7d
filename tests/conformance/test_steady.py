"""Every call of ours is a request that the OpenAPI document allows, in the judgement of a server of others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from aiopenai import APIStatusError, AsyncOpenAI
from tests.parity.arguments import NOTHING, Known, everything, required
from tests.parity.document import operations
from tests.parity.surface import Method, methods, resolve

from . import steady

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# The document's operations that no method calls, and why.
UNCALLED = {("POST", "/evals/{}/runs/{}"): "the reference cancels at .../cancel, which the document has not"}


def _operation(verb: str, path: str) -> tuple[str, str]:
    """An operation whatever the parameters of its path are called."""
    return verb, re.sub(r"\{\w+\}", "{}", path)


OPERATIONS = {_operation(*operation) for operation in operations()}
# The reference has endpoints that are newer than the document. `parse` is `create` with a type for a format, which a
# server that makes up its answers does not keep to: tests/lib/test_parsing.py.
METHODS = {
    method.name: method
    for method in methods()
    if _operation(method.verb, method.path) in OPERATIONS and not method.name.endswith(".parse")
}

# What types do not say: ranges and patterns. By name, of a key or a parameter, or by that and its object or method.
KNOWN = {
    "tunnel_id": "tunnel_0123456789abcdefghijklmnopqrstuv",
    "compact_threshold": 1000,
    "idle_timeout_ms": 5000,
    "max_chunk_size_tokens": 800,
    "max_completion_tokens": 256,
    "max_output_tokens": 16,
    "max_prompt_tokens": 256,
    "seconds": 3600,
    "ChatSessionExpiresAfterParam.seconds": 600,
    "videos.create.seconds": NOTHING,
    "videos.extend.seconds": NOTHING,
    "beta.realtime.transcription_sessions.create.include": ["item.input_audio_transcription.logprobs"],
}
# Arrays that may not be as long as the types have kinds of items.
MOST = {"conversations.create": ("items", 20), "conversations.items.create": ("items", 20)}

# Where the reference, whose types our calls are made of, allows what the document does not (yet): the method (`*` for
# several) and the place, as `Finding.place` writes it, and why. A place that the server does not complain about any
# more is an error too.
DOCUMENT_LACKS = {
    "* top_logprobs": "null, which the reference allows for each of its optional numbers",
    "* prediction": "null",
    "* prompt": "null, which the document's own words on `prompt` imply",
    "* prompt_cache_options.ttl": "12h",
    "* messages[user].content": "12h for a prompt cache breakpoint",
    "* tools[image_generation]": "gif and svg images, and the qualities xhigh and max",
    "* input[configuration_update]": "the whole item",
    "* input[function_call_output]": "null for `call_id`, and for the detail of a file",
    "* input[local_shell_call_output]": "it requires a `call_id` that it does not define",
    "* input[mcp_approval_response]": "it requires a `request_id` that it does not define",
    "* input[web_search_call]": "the status incomplete",
    "* items[configuration_update]": "the whole item",
    "* items[function_call_output]": "null for `call_id`, and for the detail of a file",
    "* items[local_shell_call_output]": "it requires a `call_id` that it does not define",
    "* items[mcp_approval_response]": "it requires a `request_id` that it does not define",
    "* items[web_search_call]": "the status incomplete",
    "* truncation_strategy": "null",
    "admin.organization.usage.costs query.line_items[]": "the whole parameter",
    "audio.transcriptions.create chunking_strategy": "an object's numbers, which in a form are text",
    "audio.voices.create model": "the whole parameter",
    "audio.voices.create prompt": "the whole parameter",
    "audio.voices.create script_hint": "the whole parameter",
    "audio.voices.create type": "the whole parameter",
    "beta.realtime.sessions.create client_secret": "it requires what is in replies only",
    "beta.realtime.sessions.create client_secret.expires_at": "it requires what is in replies only",
    "beta.realtime.sessions.create client_secret.value": "it requires what is in replies only",
    "beta.threads.create_and_run model": "null",
    "beta.threads.create_and_run response_format": "null",
    "beta.threads.create_and_run tool_choice": "null",
    "beta.threads.runs.create model": "null",
    "beta.threads.runs.create response_format": "null",
    "beta.threads.runs.create tool_choice": "null",
    "images.generate background": "null",
    "images.generate model": "null",
    "images.generate moderation": "null",
    "images.generate output_format": "null",
    "images.generate quality": "null",
    "images.generate response_format": "null",
    "images.generate size": "null",
    "images.generate style": "null",
    "realtime.calls.accept tracing": "null",
    "realtime.calls.create session": "nothing: the server does not read parts of a form that are JSON",
    "realtime.client_secrets.create session": "null for `tracing`",
    "vector_stores.update expires_after": "null",
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
    async with AsyncOpenAI(api_key="test", admin_api_key="test", base_url=steady_url, max_retries=0) as client:
        yield client


def known(method: Method) -> Known:
    """The values for a method's arguments that its types do not tell."""

    def find(name: str, owner: Any) -> Any:
        return KNOWN.get(f"{owner.__name__ if owner else method.name}.{name}", KNOWN.get(name, NOTHING))

    return find


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
    matched = headers.get("x-steady-matched-path", method.path)
    assert _operation(method.verb, matched) == _operation(method.verb, method.path)
    found: list[Finding] = []
    for number in range(1, int(headers["x-steady-error-count"]) + 1):
        path = headers.get(f"x-steady-error-{number}-path", "")
        message = headers.get(f"x-steady-error-{number}-message", "")
        found.append(Finding(_place(path, message, arguments), message))
    return [finding for finding in found if not _lacks(method, finding)]


def _place(path: str, message: str, arguments: Any) -> str:
    where, _, rest = path.partition(".")
    if where != "body":
        return path
    place, value = "", arguments
    for part in filter(None, rest.split(".")):
        if isinstance(value, list):
            value = value[int(part)]
            kind = value.get("type", value.get("role")) if isinstance(value, dict) else part
            place += f"[{kind}]"
        else:
            value = value.get(part) if isinstance(value, dict) else None
            place += f".{part}" if place else part
    # A key that is there or missing in vain has no place of its own.
    if key := re.match(r"(?:Unknown|Missing required) property: (\w+)$", message):
        place += f".{key[1]}" if place else key[1]
    return place


def _lacks(method: Method, finding: Finding) -> bool:
    found = [place for place in DOCUMENT_LACKS if _fits(place, method, finding.place)]
    # Those for all methods only where there is none of this one's own.
    _lacking.update([place for place in found if not place.startswith("*")] or found)
    return bool(found)


def _fits(place: str, method: Method, at: str) -> bool:
    name, _, end = place.partition(" ")
    return f".{at}".endswith(f".{end}") if name == "*" else (name, end) == (method.name, at)


def in_portions(method: Method, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The arguments in as many calls as it takes to keep an array within what the document allows."""
    name, most = MOST.get(method.name, ("", 1))
    items = arguments.get(name)
    if not isinstance(items, list):
        yield arguments
        return
    for start in range(0, len(items), most):
        yield {**arguments, name: items[start : start + most]}


@pytest.mark.parametrize("name", METHODS)
async def test_required_arguments(client: AsyncOpenAI, name: str) -> None:
    assert await findings(client, METHODS[name], required(METHODS[name], known(METHODS[name]))) == []


@pytest.mark.parametrize("name", METHODS)
async def test_all_arguments(client: AsyncOpenAI, name: str) -> None:
    method = METHODS[name]
    for arguments in everything(method, known(method)):
        for portion in in_portions(method, arguments):
            assert await findings(client, method, portion) == []
    _covered.add(name)


@pytest.mark.parametrize("name", [method.name for method in METHODS.values() if method.streams])
async def test_streams(client: AsyncOpenAI, name: str) -> None:
    method = METHODS[name]
    assert await findings(client, method, {**required(method, known(method)), "stream": True}) == []


def test_the_count(steady_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Says how much was covered, after the tests above; where all of them passed, no exception is left that is none."""
    called = {_operation(METHODS[name].verb, METHODS[name].path) for name in _calls}
    with capsys.disabled():
        print(
            f"\nSteady: {len(called)} of {len(OPERATIONS)} operations by {len(_calls)} of {len(METHODS)} methods"
            f" in {sum(_calls.values())} calls",
            end=" ",
        )
    if _covered == METHODS.keys():
        assert OPERATIONS - called == UNCALLED.keys()
        assert _lacking == DOCUMENT_LACKS.keys()


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "a type": ("embeddings.create", {"input": "x", "model": 5}),
    "a union": ("moderations.create", {"input": 5}),
    "a missing key": ("chat.completions.create", {"model": "m", "messages": [{"role": "user"}]}),
    "a value": ("responses.create", {"truncation": "sometimes"}),
    "a query": ("files.list", {"limit": "many"}),
    "a path": ("admin.organization.users.update", {"user_id": "u", "role": 5}),
    "a query's array": ("admin.organization.usage.completions", {"start_time": 1, "group_by": ["colour"]}),
    "a form": ("files.create", {"file": b"x", "purpose": "user_data", "expires_after": {"anchor": "never"}}),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_it_does_check(client: AsyncOpenAI, wrong: str) -> None:
    """What the tests above say, they say of something."""
    name, arguments = WRONG[wrong]
    assert await findings(client, METHODS[name], arguments) != []
