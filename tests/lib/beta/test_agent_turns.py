"""Turns of agents against the local server, in both clients: streams, calls, results, artifacts."""

from __future__ import annotations

import asyncio
import importlib
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from aiopenai.lib.beta.agents import (
    AgentOutputParseError,
    AgentTurnResult,
    AgentTurnResultError,
    function_tool,
)
from aiopenai.testing import Server
from tests.lib.beta.played import Events, Played, played, turn

NONE: Any = {"type": "none"}
HOSTED: Any = {"type": "openai_hosted"}


class City(msgspec.Struct):
    name: str


@function_tool
def look(place: str = "here") -> dict[str, str]:
    """Looks around."""
    return {"seen": place}


AGENT: Any = {"model": "gpt-4o", "tools": [look.definition]}


@pytest.fixture
async def play() -> AsyncIterator[Played]:
    async with played() as play:
        yield play


async def test_a_turn(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    session = await sessions.create(agent=AGENT, environment=NONE)
    stream = sessions.stream(session.id, input="look", tool_handlers={"look": look})
    with pytest.raises(RuntimeError, match="entered first"):
        await stream.__anext__()
    async with stream:
        result = await stream.get_final_result()
        assert await stream.get_final_result() is result
        assert [event async for event in stream] == []
    assert (result.output_text, result.turn.status) == ("You said: look", "completed")
    assert result.messages[0].output_text == result.output_text
    with pytest.raises(RuntimeError, match="once"):
        await stream.__aenter__()
    items: Any = [item async for item in sessions.items.list(session.id)]
    assert [item.output for item in items if item.type == "function_call_output"] == ['{"seen":"here"}']
    # The next turn of the same session.
    async with sessions.stream(session.id, input="look", tool_handlers={"look": look}) as stream:
        await stream.until_done()


def test_a_blocking_turn(blocking: OpenAI) -> None:
    sessions = blocking.beta.agents.sessions
    session = sessions.create(agent=AGENT, environment=NONE)
    stream = sessions.stream(session.id, input="look", tool_handlers={"look": look})
    with pytest.raises(RuntimeError, match="entered first"):
        next(stream)
    with stream:
        result = stream.get_final_result()
        assert stream.get_final_result() is result
        assert list(stream) == []
    assert (result.output_text, result.turn.status) == ("You said: look", "completed")
    with pytest.raises(RuntimeError, match="once"):
        stream.__enter__()
    items: Any = list(sessions.items.list(session.id))
    assert [item.output for item in items if item.type == "function_call_output"] == ['{"seen":"here"}']
    with sessions.stream(session.id, input="look", tool_handlers={"look": look}) as stream:
        stream.until_done()


async def test_a_new_session(client: AsyncOpenAI, blocking: OpenAI) -> None:
    given: Any = {"agent": AGENT, "environment": NONE, "input": "look", "stream": True}
    stream = await client.beta.agents.sessions.create(output_type=City, tool_handlers={"look": look}, **given)
    result = await stream.get_final_result()
    assert result.output_parsed == City("string")
    streamed = blocking.beta.agents.sessions.create(output_type=City, tool_handlers={"look": look}, **given)
    assert streamed.get_final_result().output_parsed == City("string")
    # The reply with its headers, and with its body unread.
    raw = await client.beta.agents.sessions.with_raw_response.create(tool_handlers={"look": look}, **given)
    assert (await raw.parse().get_final_result()).output_text == "You said: look"
    streaming = blocking.beta.agents.sessions.with_streaming_response
    with streaming.create(tool_handlers={"look": look}, **given) as unread:
        assert unread.parse().get_final_result().output_text == "You said: look"
    with pytest.raises(ValueError, match="stream=True"):
        blocking.beta.agents.sessions.create(agent=AGENT, environment=NONE, tool_handlers={"look": look})
    agent: Any = {"model": "gpt-4o", "text": {"format": {"type": "text"}}}
    with pytest.raises(ValueError, match="exclude"):
        blocking.beta.agents.sessions.create(agent=agent, environment=NONE, output_type=City)
    with pytest.raises(TypeError):
        blocking.beta.agents.sessions.create(agent=AGENT, environment=NONE, output_type=int)


async def test_handlers_of_the_async_client(client: AsyncOpenAI) -> None:
    async def find(arguments: dict[str, Any]) -> str:
        return f"found {sorted(arguments)}"

    sessions = client.beta.agents.sessions
    session = await sessions.create(agent=AGENT, environment=NONE)
    async with sessions.stream(session.id, input="look", tool_handlers={"look": find}) as stream:
        await stream.until_done()
    items: Any = [item async for item in sessions.items.list(session.id)]
    assert [item.output for item in items if item.type == "function_call_output"] == ["found ['place']"]


async def test_a_turn_without_a_handler(client: AsyncOpenAI) -> None:
    sessions = client.beta.agents.sessions
    session = await sessions.create(agent=AGENT, environment=NONE)
    async with sessions.stream(session.id, input="look") as stream:
        with pytest.raises(AgentTurnResultError) as caught:
            await stream.get_final_result()
    assert (caught.value.reason, caught.value.session_id) == ("requires_action", session.id)
    assert [action.name for action in caught.value.required_actions] == ["look"]
    with pytest.raises(ValueError, match="requires_action"):
        async with sessions.stream(session.id, input="again"):
            pass


async def test_cancelled_while_a_handler_runs(client: AsyncOpenAI) -> None:
    started = asyncio.Event()

    async def wait(_: dict[str, Any]) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    async def follow() -> None:
        async with sessions.stream(session.id, input="look", tool_handlers={"look": wait}) as stream:
            await stream.until_done()

    sessions = client.beta.agents.sessions
    session = await sessions.create(agent=AGENT, environment=NONE)
    task = asyncio.create_task(follow())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await sessions.retrieve(session.id)).status == "requires_action"


async def test_output_that_does_not_fit(client: AsyncOpenAI, server: Server) -> None:
    server.answer = '{"name": 5, "of": "secret"}'
    agent: Any = {"model": "gpt-4o"}
    sessions = client.beta.agents.sessions
    session = await sessions.create(agent=agent, environment=NONE, output_type=City)
    async with sessions.stream(session.id, input="Hi", output_type=City) as stream:
        with pytest.raises(AgentOutputParseError) as caught:
            await stream.get_final_result()
    assert caught.value.result.output_text == server.answer
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.result.turn_id == caught.value.result.turn_id


@pytest.mark.parametrize("given", ["", [], ()], ids=["text", "list", "tuple"])
def test_empty_input(blocking: OpenAI, own_server: Server, given: Any) -> None:
    with pytest.raises(ValueError, match="empty"):
        blocking.beta.agents.sessions.stream("session_1", input=given)
    assert own_server.request_count == 0


@pytest.mark.parametrize("given", [5, None, b"Hi", {"role": "user"}], ids=["int", "none", "bytes", "message"])
def test_input_of_another_type(blocking: OpenAI, own_server: Server, given: Any) -> None:
    with pytest.raises(TypeError):
        blocking.beta.agents.sessions.stream("session_1", input=given)
    with pytest.raises(TypeError):
        blocking.beta.agents.sessions.stream("session_1", input="Hi", output_type=int)
    assert own_server.request_count == 0


async def test_a_refused_input_closes_the_stream(client: AsyncOpenAI, server: Server) -> None:
    session = await client.beta.agents.sessions.create(agent=AGENT, environment=NONE)
    server.fault(status=400, match=lambda request: request.method == "POST" and request.path.endswith("/events"))
    with pytest.raises(BadRequestError):
        async with client.beta.agents.sessions.stream(session.id, input="Hi"):
            pass
    with pytest.raises(NotFoundError):
        async with client.beta.agents.sessions.stream("session_9", input="Hi"):
            pass


async def result_of(play: Played, warning: str) -> Any:
    async with (
        AsyncOpenAI(api_key="k", base_url=play.base_url) as client,
        client.beta.agents.sessions.stream("session_1", input="Hi") as stream,
    ):
        with pytest.warns(UserWarning, match=warning):
            return await stream.get_final_result()


async def test_misfits_are_kept(play: Played) -> None:
    content: Any = [{"type": "output_text", "text": 5}, {"type": "output_text", "text": "fits"}]
    play.events = Events().of_turn("created").message(content=content).of_turn("completed").of_session("idle").events
    result = await result_of(play, r"content\[0\]\.text: Expected `str`, got `int`")
    assert result.output_text == "fits"
    assert result.messages[0].content[0].text == 5


async def test_lone_surrogates_are_kept(play: Played) -> None:
    play.events = Events().whole("half \ud83d").events
    result = await result_of(play, r"at \$: a value of another type$")
    assert result.output_text == "half \ud83d"


async def test_warnings_quote_no_values(play: Played) -> None:
    content: Any = [{"type": "a secret", "text": "a"}]
    play.events = Events().of_turn("created").message(content=content).of_turn("completed").of_session("idle").events
    await result_of(play, r"content\[0\]\.type: a value of another type$")


def test_errors_pickle() -> None:
    error = AgentTurnResultError("failed", turn=None, session_id="s", messages=[], required_actions=[])
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.session_id, str(again)) == ("failed", "s", str(error))


TEXT = "Write /workspace/outputs/a.csv and /workspace/outputs/b.csv"


async def test_artifacts(client: AsyncOpenAI, server: Server, tmp_path: Path) -> None:
    server.answer = "1,2"
    sessions = client.beta.agents.sessions
    session = await sessions.create(agent={"model": "gpt-4o"}, environment=HOSTED)
    async with sessions.stream(session.id, input=TEXT) as stream:
        result = await stream.get_final_result()
    asked = server.request_count
    artifacts = sessions.artifacts.for_result(result)
    assert server.request_count == asked
    assert (await artifacts.content("/workspace/outputs/a.csv")).content == b"1,2"
    found = await artifacts.download("/workspace/outputs/b.csv", to=tmp_path / "b.csv")
    assert (found.path, (tmp_path / "b.csv").read_bytes()) == ("/workspace/outputs/b.csv", b"1,2")
    with pytest.raises(ValueError, match="no artifact"):
        await artifacts.content("/workspace/outputs/c.csv")
    # A later turn publishes the same path again.
    async with sessions.stream(session.id, input=TEXT) as stream:
        later = await stream.get_final_result()
    assert (await artifacts.content("/workspace/outputs/a.csv")).content == b"1,2"
    assert later.turn_id != result.turn_id


def test_blocking_artifacts(blocking: OpenAI, own_server: Server, tmp_path: Path) -> None:
    own_server.answer = "1,2"
    sessions = blocking.beta.agents.sessions
    session = sessions.create(agent={"model": "gpt-4o"}, environment=HOSTED)
    with sessions.stream(session.id, input=TEXT) as stream:
        result = stream.get_final_result()
    artifacts = sessions.artifacts.for_result(result)
    assert artifacts.content("/workspace/outputs/a.csv").content == b"1,2"
    found = artifacts.download("/workspace/outputs/b.csv", to=str(tmp_path / "b.csv"))
    assert (found.path, (tmp_path / "b.csv").read_bytes()) == ("/workspace/outputs/b.csv", b"1,2")
    with pytest.raises(ValueError, match="no artifact"):
        artifacts.download("/workspace/outputs/c.csv", to=tmp_path / "c.csv")
    assert not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize("package", ["aiopenai", "openai"])
async def test_artifacts_of_several_pages(play: Played, package: str) -> None:
    pytest.importorskip(f"{package}.lib.beta.agents")
    results: Any = importlib.import_module(f"{package}.lib.beta.agents")
    own = {"object": "agent.session.artifact", "created_at": 1, "environment_id": "env_1", "size_bytes": 1}
    places = [("/a", "turn_1"), ("/a", "turn_2"), ("/b", "turn_1"), ("/c", "turn_1"), ("/b", "turn_1")]
    play.artifacts = [
        {**own, "id": f"artifact_{n}", "session_id": "session_1", "path": path, "turn_id": of}
        for n, (path, of) in enumerate(places)
    ]
    types: Any = importlib.import_module(f"{package}.types.beta.agents.sessions")
    result: Any = results.AgentTurnResult(types.Turn.model_validate(turn()), [])
    kind: Any = importlib.import_module(package).AsyncOpenAI
    async with kind(api_key="k", base_url=play.base_url) as client:
        artifacts = client.beta.agents.sessions.artifacts.for_result(result)
        content = await artifacts.content("/c", extra_headers={"x-own": "1"})
        assert content.read() == b"content"
        for path in ("/b", "/d"):
            with pytest.raises(ValueError, match="artifact"):
                await artifacts.content(path)
    sent = [(line, own) for line, _, _, own, *_ in play.rewind()]
    pages = [line for line, _ in sent if "/artifacts?" in line or line.endswith("/artifacts")]
    assert sent[3] == ("GET /agents/sessions/session_1/artifacts/artifact_3/content", "1")
    assert [own for _, own in sent[:3]] == ["1"] * 3
    assert len(pages) == 9


def test_a_result() -> None:
    from aiopenai.types.beta.agents.sessions import Turn

    result: AgentTurnResult[None] = AgentTurnResult(Turn.model_validate(turn()), [])
    assert (result.session_id, result.turn_id, result.output_text) == ("session_1", "turn_1", "")
    with pytest.raises(AgentOutputParseError):
        result.parse(City)
    with pytest.raises(AttributeError):
        result.messages = []  # type: ignore[misc]
