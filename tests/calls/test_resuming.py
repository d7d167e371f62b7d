"""Streams of background responses go on after their connection broke off: no event twice, none lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from aiopenai import APIConnectionError, APITimeoutError, AsyncOpenAI, CallInfo, Hooks, OpenAI, not_given, omit
from aiopenai._calls.request import Endpoint, Request
from aiopenai._calls.resuming import Resumption, _kept, prepare
from aiopenai._http.messages import HTTPRequest
from aiopenai.testing import Server

CREATE: dict[str, Any] = {"model": "gpt-4o", "input": "Tell me a long story, please.", "background": True}
# Without waits between attempts.
AT_ONCE: Any = tenacity.AsyncRetrying(wait=tenacity.wait_none())


class Told(Hooks):
    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def on_request(self, call: CallInfo) -> None:
        self.told.append(("request", call.attempt))

    def on_retry(self, call: CallInfo) -> None:
        self.told.append(("retry", type(call.error).__name__))

    def on_stream_end(self, call: CallInfo) -> None:
        self.told.append(("end", None))

    def on_error(self, call: CallInfo) -> None:
        self.told.append(("error", type(call.error).__name__))


def numbers(events: list[Any]) -> list[int]:
    return [event.sequence_number for event in events]


def methods(server: Server) -> list[str]:
    return [request.method for request in server.journal]


async def whole(client: AsyncOpenAI, **more: Any) -> list[Any]:
    return [event async for event in await client.responses.create(**CREATE, stream=True, **more)]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cuts", [(3000,), (2500, 2500), (3000, 700)])
async def test_goes_on(client: AsyncOpenAI, server: Server, transport: str, cuts: tuple[int, ...], reset: bool) -> None:
    undisturbed = numbers(await whole(client))
    server.clear()
    for cut in cuts:
        server.fault(cut_after=cut, reset=reset)
    told = Told()
    watched = client.with_options(retry=AT_ONCE)
    watched.add_hooks(told)
    events = await whole(watched, include=["reasoning.encrypted_content"], extra_headers={"x-own": "1"})
    assert numbers(events) == undisturbed
    assert events[-1].type == "response.completed"
    first, *others = server.journal
    assert first.method == "POST"
    assert [request.method for request in others] == ["GET"] * len(others)
    assert len(others) == len(cuts)
    for request in others:
        assert request.path == f"/v1/responses/{events[-1].response.id}"
        assert request.query["stream"] == "true"
        assert int(request.query["starting_after"]) in undisturbed
        assert request.query["include[]"] == "reasoning.encrypted_content"
        assert request.headers["x-own"] == "1"
        assert not request.body
    assert told.told == [
        ("request", 1),
        *[each for n in range(len(cuts)) for each in (("retry", "APIConnectionError"), ("request", n + 2))],
        ("end", None),
    ]


async def test_at_most_max_retries(client: AsyncOpenAI, server: Server, transport: str) -> None:
    server.fault(cut_after=3000)
    server.fault(cut_after=600, times=None)
    told = Told()
    client.add_hooks(told)
    events: list[Any] = []

    async def read() -> None:
        async for event in await client.responses.create(**CREATE, stream=True, retry=AT_ONCE, max_retries=3):
            events.append(event)

    with pytest.raises(APIConnectionError) as caught:
        await read()
    assert methods(server) == ["POST", "GET", "GET", "GET"]
    assert numbers(events) == sorted(set(numbers(events)))
    assert caught.value.partial.events == len(events)
    assert told.told[-1] == ("error", "APIConnectionError")


@pytest.mark.parametrize(
    "arguments", [{"resume": False}, {"background": False}, {"max_retries": 0}, {"store": False, "background": None}]
)
async def test_stays_broken(client: AsyncOpenAI, server: Server, arguments: dict[str, Any]) -> None:
    server.fault(cut_after=3000)
    with pytest.raises(APIConnectionError):
        async for _ in await client.responses.create(**{**CREATE, **arguments}, stream=True):
            pass
    assert len(server.journal) == 1
    assert "resume" not in server.journal[0].json()


async def test_a_refusal_is_the_cause(client: AsyncOpenAI, server: Server) -> None:
    server.fault(cut_after=3000)
    server.fault(status=404)
    with pytest.raises(APIConnectionError) as caught:
        await whole(client, retry=AT_ONCE)
    assert getattr(caught.value.__cause__, "status_code", None) == 404
    assert caught.value.partial is not None
    assert caught.value.partial.events > 0


async def test_a_stalled_stream(client: AsyncOpenAI, server: Server) -> None:
    from aiopenai import Timeout

    server.fault(stall_after=3000)
    events = await whole(client, retry=AT_ONCE, timeout=Timeout(30, idle=0.2))
    assert events[-1].type == "response.completed"
    server.fault(stall_after=3000)
    with pytest.raises(APITimeoutError):
        await whole(client, resume=False, timeout=Timeout(30, idle=0.2))


async def test_a_retrieved_stream(client: AsyncOpenAI, server: Server) -> None:
    made = await client.responses.create(**CREATE)
    server.fault(cut_after=1500)
    stream = await client.responses.retrieve(made.id, stream=True, starting_after=1, retry=AT_ONCE)
    events = [event async for event in stream]
    assert numbers(events) == list(range(2, events[-1].sequence_number + 1))
    assert methods(server) == ["POST", "GET", "GET"]
    server.fault(cut_after=1500)
    with pytest.raises(APIConnectionError):
        async for _ in await client.responses.retrieve(made.id, stream=True, resume=False):
            pass
    assert "resume" not in server.journal[-1].query


async def test_the_beta_resource(client: AsyncOpenAI, server: Server) -> None:
    server.fault(cut_after=3000)
    stream = await client.beta.responses.create(
        **CREATE, stream=True, retry=AT_ONCE, betas=["responses_multi_agent=v1"]
    )
    events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    assert methods(server) == ["POST", "GET"]
    last = server.journal[-1]
    assert last.query["beta"] == "true"
    assert last.headers["openai-beta"] == "responses_multi_agent=v1"


async def test_the_helper(client: AsyncOpenAI, server: Server, transport: str) -> None:
    server.fault(cut_after=3000)
    async with client.responses.stream(**CREATE, retry=AT_ONCE) as events:
        seen = [event async for event in events]
        final = await events.get_final_response()
    assert methods(server) == ["POST", "GET"]
    assert numbers(seen) == list(range(len(seen)))
    assert final.output_text == "You said: Tell me a long story, please."
    deltas = [event for event in seen if event.type == "response.output_text.delta"]
    assert deltas[-1].snapshot == final.output_text
    server.fault(cut_after=3000)
    with pytest.raises(APIConnectionError):
        async with client.responses.stream(**CREATE, resume=False) as events:
            await events.until_done()


def test_the_blocking_client(transport: str) -> None:
    with Server() as server, OpenAI(api_key="sk-test", base_url=server.base_url, retry=AT_ONCE) as client:
        for cut in (3000, 800):
            server.fault(cut_after=cut)
        events = list(client.responses.create(**CREATE, stream=True))
        assert numbers(events) == list(range(len(events)))
        assert events[-1].type == "response.completed"
        assert methods(server) == ["POST", "GET", "GET"]
        server.fault(cut_after=3000)
        with client.responses.stream(**CREATE) as stream:
            assert stream.get_final_response().output_text == "You said: Tell me a long story, please."
        server.fault(cut_after=3000)
        with pytest.raises(APIConnectionError):
            list(client.responses.create(**CREATE, stream=True, resume=False))


async def test_raw_responses(client: AsyncOpenAI, server: Server) -> None:
    server.fault(cut_after=3000)
    raw = await client.responses.with_raw_response.create(**CREATE, stream=True, retry=AT_ONCE)
    events = [event async for event in raw.parse()]
    assert numbers(events) == list(range(len(events)))
    assert methods(server) == ["POST", "GET"]
    server.fault(cut_after=3000)
    async with client.responses.with_streaming_response.create(**CREATE, stream=True, retry=AT_ONCE) as response:
        events = [event async for event in await response.parse()]
    assert numbers(events) == list(range(len(events)))
    assert methods(server) == ["POST", "GET"] * 2


async def test_a_server_that_begins_again(client: AsyncOpenAI, server: Server) -> None:
    """Events that arrived before are dropped if a server ignores `starting_after`."""
    made = await client.responses.create(**CREATE)
    events = [event.to_dict() async for event in await client.responses.retrieve(made.id, stream=True)]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    server.reply_with(f"/responses/{made.id}", text, content_type="text/event-stream")
    server.fault(cut_after=2000)
    again = [event async for event in await client.responses.retrieve(made.id, stream=True, retry=AT_ONCE)]
    assert numbers(again) == list(range(len(events)))
    assert methods(server) == ["POST", "GET", "GET", "GET"]


@pytest.mark.parametrize("value", [None, 1, "no"])
async def test_a_wrong_argument(client: AsyncOpenAI, server: Server, value: Any) -> None:
    with pytest.raises(TypeError, match="resume must be True or False"):
        await client.responses.create(**CREATE, stream=True, resume=value)
    with pytest.raises(TypeError, match="resume must be True or False"):
        client.responses.stream(**CREATE, resume=value)
    assert server.journal == []


class Event:
    def __init__(self, number: Any, response: Any = None) -> None:
        self.sequence_number = number
        self.response = response


class Identified:
    id = "resp_1"


REQUEST = HTTPRequest("POST", "http://local/v1/responses")
ENDPOINT = Endpoint(method="POST", path="/responses", event=object)


def resumption(sent: list[Request[Any]]) -> Resumption:
    async def send_again(request: Request[Any], _: Any) -> Any:
        sent.append(request)
        return object()

    return Resumption(Request(endpoint=ENDPOINT, path="/responses", body={}, stream=True), send_again)


@given(st.lists(st.integers(1, 30)), st.integers(0, 5))
async def test_each_event_arrives_once(cuts: list[int], overlap: int) -> None:
    """Whatever a server repeats after each cut."""
    events = [Event(number, Identified()) for number in range(100)]
    sent: list[Request[Any]] = []
    resumed = resumption(sent)
    got: list[Any] = []
    at = 0
    for cut in [*cuts, 200]:
        got += resumed.note(events[max(0, at - overlap) if sent else at : at + cut])
        at = min(100, at + cut)
        assert await resumed.reply_after(APIConnectionError(request=REQUEST)) is not None
        assert (sent[-1].query or {})["starting_after"] == at - 1
    assert numbers(got) == list(range(100))


async def test_without_a_place_to_continue_from() -> None:
    for events in ([], [Event(0)], [Event(None, Identified())], [Event(1, Identified()), Event(None)]):
        sent: list[Request[Any]] = []
        resumed = resumption(sent)
        assert resumed.note(events) == events
        assert await resumed.reply_after(APIConnectionError(request=REQUEST)) is None
        assert sent == []


class TestArguments:
    def made(self, method: str, **parts: Any) -> Request[Any]:
        request: Request[Any] = Request(endpoint=Endpoint(method=method, path="/responses"), path="/responses", **parts)
        request.stream = True
        prepare(request)
        return request

    @pytest.mark.parametrize("resume", [omit, not_given, True])
    def test_left_out_means_yes(self, resume: Any) -> None:
        request = self.made("POST", body={"background": True, "stream": True, "resume": resume})
        assert request.body == {"background": True, "stream": True}
        assert request.resumes == self.made("POST", body={"background": True, "stream": True}).resumes

    def test_bodies_and_queries_that_are_no_mappings(self) -> None:
        assert self.made("POST", body=[1]).body == [1]
        assert self.made("GET").query is None
        assert self.made("GET", query={"resume": False}).query is None

    @pytest.mark.parametrize("resume", [1, "yes", None])
    def test_wrong_types(self, resume: Any) -> None:
        with pytest.raises(TypeError, match="resume must be True or False"):
            self.made("POST", body={"resume": resume, "background": True})

    def test_arguments_of_a_creation_that_a_retrieval_has_too(self) -> None:
        assert _kept({"include": ["a"], "stream_options": {"include_obfuscation": False, "x": 1}, "model": "m"}) == {
            "include": ["a"],
            "include_obfuscation": False,
        }
        assert _kept({"include": omit, "stream_options": {"x": 1}}) == {}
        assert _kept({"include": None, "stream_options": None}) == {}
