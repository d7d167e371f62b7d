"""Helpers through the methods of both clients, against the local server: what each gives is tested with its module."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.testing import Server

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


class City(msgspec.Struct):
    name: str
    rivers: list[str]


@dataclasses.dataclass
class Town:
    name: str


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="k", base_url=server.base_url) as client:
        yield client


@pytest.fixture
async def aclient(server: Server) -> Any:
    async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        yield client


class TestParse:
    def test_blocking(self, client: OpenAI, server: Server) -> None:
        completion = client.chat.completions.parse(model="gpt-4o", messages=MESSAGES, response_format=City)
        assert isinstance(completion.choices[0].message.parsed, City)
        response = client.responses.parse(model="gpt-4o", input="hi", text_format=Town)
        assert isinstance(response.output_parsed, Town)
        raw = client.chat.completions.with_raw_response.parse(model="gpt-4o", messages=MESSAGES, response_format=City)
        assert isinstance(raw.parse().choices[0].message.parsed, City)
        with client.responses.with_streaming_response.parse(model="gpt-4o", input="hi", text_format=Town) as unread:
            assert isinstance(unread.parse().output_parsed, Town)
        sent = server.requests_for("/chat/completions")[0].json()["response_format"]
        assert sent["json_schema"]["strict"] is True
        assert sent["json_schema"]["schema"]["required"] == ["name", "rivers"]

    async def test_async(self, aclient: AsyncOpenAI) -> None:
        completion = await aclient.chat.completions.parse(model="gpt-4o", messages=MESSAGES, response_format=City)
        assert isinstance(completion.choices[0].message.parsed, City)
        response = await aclient.responses.parse(model="gpt-4o", input="hi", text_format=Town)
        assert isinstance(response.output_parsed, Town)

    def test_wrong_arguments(self, client: OpenAI, server: Server) -> None:
        with pytest.raises(TypeError, match="no_such"):
            client.chat.completions.parse(model="m", messages=MESSAGES, no_such=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            client.chat.completions.parse(model="m", messages=MESSAGES, response_format=3)  # type: ignore[arg-type]
        assert not server.journal


class TestStreams:
    def test_chat_blocking(self, client: OpenAI) -> None:
        with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
            kinds = [event.type for event in stream]
            completion = stream.get_final_completion()
        assert {"chunk", "content.delta", "content.done"} == set(kinds)
        assert completion.choices[0].message.content == "You said: hi"
        with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES, response_format=City) as stream:
            stream.until_done()
            assert isinstance(stream.get_final_completion().choices[0].message.parsed, City)

    async def test_chat_async(self, aclient: AsyncOpenAI) -> None:
        async with aclient.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
            text = "".join([event.delta async for event in stream if event.type == "content.delta"])
            assert (await stream.get_final_completion()).choices[0].message.content == text == "You said: hi"

    def test_responses_blocking(self, client: OpenAI) -> None:
        with client.responses.stream(model="gpt-4o", input="hi", text_format=City) as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            response = stream.get_final_response()
        assert json.loads("".join(deltas)).keys() == {"name", "rivers"}
        assert isinstance(response.output_parsed, City)

    async def test_responses_async(self, aclient: AsyncOpenAI) -> None:
        async with aclient.responses.stream(model="gpt-4o", input="hi") as stream:
            await stream.until_done()
            assert (await stream.get_final_response()).output_text == "You said: hi"

    def test_left_early(self, client: OpenAI, server: Server) -> None:
        server.answer = "word " * 500
        with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:
            next(iter(stream))
        assert client.models.list().data

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_an_assistant_blocking(self, client: OpenAI) -> None:
        from aiopenai import AssistantEventHandler

        said: list[str] = []

        class Handler(AssistantEventHandler):
            def on_text_delta(self, delta: Any, snapshot: Any) -> None:
                said.append(delta.value or "")

        assistant = client.beta.assistants.create(model="gpt-4o")
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "hi"}])
        with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler()
        ) as stream:
            stream.until_done()
            (message,) = stream.get_final_messages()
        assert "".join(said) == message.content[0].text.value == "You said: hi"

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    async def test_an_assistant_async(self, aclient: AsyncOpenAI) -> None:
        assistant = await aclient.beta.assistants.create(model="gpt-4o")
        async with aclient.beta.threads.create_and_run_stream(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "hi"}]}
        ) as stream:
            assert "".join([text async for text in stream.text_deltas]) == "You said: hi"
            assert (await stream.get_final_run()).status == "completed"


class TestShape:
    def test_raw_views_have_no_helpers_of_many_calls(self, client: OpenAI) -> None:
        with pytest.raises(AttributeError, match="several calls"):
            client.beta.threads.runs.with_raw_response.poll("r", "t")  # type: ignore[attr-defined]

    def test_webhooks_are_plain_in_both(self, client: OpenAI, aclient: AsyncOpenAI) -> None:
        for each in (client, aclient):
            with pytest.raises(ValueError, match="secret"):
                each.webhooks.verify_signature("{}", {})
