"""Live sessions and translations of the local server."""

from __future__ import annotations

import aiohttp

from aiopenai.testing import Server
from tests.testing.sockets import LIVE, TRANSLATIONS, Talker, kinds, talk

from .test_realtime import audio


async def test_a_session(server: Server) -> None:
    async with talk(server, "/live/sessions", LIVE) as talker:
        await talker.send("session.input_audio.append", audio="")
        assert (await talker.next())["error"]["code"] == "session_not_started"
        await talker.send("session.start", session={"model": "gpt-live-1"}, event_id="e1")
        started = await talker.next()
        assert (started["type"], started["client_event_id"]) == ("session.started", "e1")
        for piece in (audio(0.5), audio(0.6, 0)):
            await talker.send("session.input_audio.append", audio=piece)
        events = await talker.until("session.usage.updated")
        assert kinds(events) == [
            "session.input_transcript.delta",
            "session.output_transcript.delta",
            "session.output_audio.delta",
            "session.usage.updated",
        ]
        said = "".join(e["delta"] for e in events if e["type"] == "session.output_transcript.delta")
        assert said == "You said: 1.0 seconds of speech"
        await talker.send("session.input_audio.mute")
        assert (await talker.next())["type"] == "session.input_audio.muted"
        for piece in (audio(0.5), audio(0.6, 0)):
            await talker.send("session.input_audio.append", audio=piece)
        for kind, reply in (
            ("session.input_audio.unmute", "session.input_audio.unmuted"),
            ("session.instructions.append", "session.instructions.appended"),
            ("session.thinking.append", "session.thinking.appended"),
            ("session.commentary.append", "session.commentary.appended"),
            ("session.update", "session.updated"),
        ):
            await talker.send(kind, content="More", delegation_id=None, session={"instructions": "x"})
            assert (await talker.next())["type"] == reply
        await talker.send("session.output_audio.fixture.play", audio=audio(0.1))
        assert kinds(await talker.until("session.output_audio.fixture.played")) == [
            "session.output_audio.fixture.playing",
            "session.output_audio.delta",
            "session.output_audio.fixture.played",
        ]
        await talker.send("session.close")
        closed = await talker.next()
        assert (closed["type"], closed["reason"]) == ("session.closed", "close_requested")
        assert (await talker.end()).data == 1000


async def spoken(talker: Talker) -> None:
    """One turn of the user."""
    for piece in (audio(0.5), audio(0.6, 0)):
        await talker.send("session.input_audio.append", audio=piece)


async def test_a_task_for_the_application(server: Server) -> None:
    async with talk(server, "/live/sessions", LIVE) as talker:
        await talker.send("session.start", session={"model": "gpt-live-1", "delegation": {"type": "client"}})
        await spoken(talker)
        created = (await talker.until("session.delegation.created"))[-1]
        assert created["delegation"]["target"] == "client"
        task = created["delegation"]["id"]
        await talker.send("session.thinking.append", content="I look it up.", delegation_id=task)
        assert (await talker.next())["type"] == "session.thinking.appended"
        await talker.send("session.commentary.append", content="It is 20 degrees.", delegation_id=task, event_id="e1")
        events = await talker.until("session.usage.updated")
        assert (events[0]["type"], events[0]["client_event_id"]) == ("session.commentary.appended", "e1")
        said = "".join(e["delta"] for e in events if e["type"] == "session.output_transcript.delta")
        assert said == "It is 20 degrees."
        await talker.send("session.commentary.append", content="More", delegation_id="no")
        assert (await talker.next())["error"]["code"] == "delegation_not_found"


async def test_a_task_for_a_responses_backend(server: Server) -> None:
    """The events of the backend are passed on; a function of the session is called, and its result answered."""
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    backend = {"model": "gpt-4o", "tools": [tool]}
    async with talk(server, "/live/sessions", LIVE) as talker:
        delegation = {"type": "responses", "responses": backend}
        await talker.send("session.start", session={"model": "gpt-live-1", "delegation": delegation})
        await spoken(talker)
        events = await talker.until("session.delegation.created")
        delegated = events[-1]["delegation"]
        assert delegated["target"] == "responses"
        nested = []
        while not nested or nested[-1]["event"]["type"] != "response.completed":
            nested.append(await talker.next())
        assert {each["delegation_id"] for each in nested} == {delegated["id"]}
        assert nested[-1]["event"]["response"]["id"] == delegated["response_id"]
        assert nested[-1]["event"]["response"]["output"] == []
        calls = [e["event"]["item"] for e in nested if e["event"]["type"] == "response.output_item.done"]
        assert [call["type"] for call in calls] == ["function_call"]
        result = {"type": "function_call_output", "call_id": calls[0]["call_id"], "output": "20 degrees"}
        await talker.send("response.item.create", item=result)
        await talker.send("response.create", event_id="e2")
        events = await talker.until("session.usage.updated")
        assert events[0]["client_event_id"] == "e2"
        said = "".join(e["delta"] for e in events if e["type"] == "session.output_transcript.delta")
        streamed = [e["event"] for e in events if e["type"] == "response.event"]
        assert said
        assert said == "".join(e["delta"] for e in streamed if e["type"] == "response.output_text.delta")
        await talker.send("session.commentary.append", content="More", delegation_id=delegated["id"])
        assert (await talker.next())["error"]["param"] == "delegation_id"


async def test_a_task_for_decisions(server: Server) -> None:
    async with talk(server, "/live/sessions", LIVE) as talker:
        await talker.send("session.start", session={"delegation": {"type": "decisions", "decisions": {}}})
        await spoken(talker)
        created, decided = (await talker.until("decision.event"))[-2:]
        assert created["delegation"]["target"] == "decisions"
        assert decided["delegation_id"] == created["delegation"]["id"]


async def test_decisions(server: Server) -> None:
    async with talk(server, "/live/sessions/live_1/fork", LIVE) as talker:
        await talker.send("session.start", session={})
        await talker.next()
        await talker.send("decision.create", event_id="e1")
        assert (await talker.next())["source_event_id"] == "e1"
        await talker.send("decision.item.delete", item_id="i1")
        assert (await talker.next())["item_id"] == "i1"


async def test_the_side_of_a_phone_call(server: Server) -> None:
    async with talk(server, "/live/sessions/live_1/attach", LIVE) as talker:
        assert (await talker.next())["session"]["id"] == "live_1"
        await talker.send("transport.dtmf.send", event="5", event_id="e1")
        sent = await talker.next()
        assert (sent["type"], sent["event"], sent["client_event_id"]) == ("transport.dtmf.sent", "5", "e1")
        await talker.send("transport.dtmf.send", event="55")
        assert (await talker.next())["error"]["param"] == "event"
        assert server.send_event({"type": "transport.dtmf.received", "event": "#"}, match="/attach") == 1
        assert (await talker.next())["event"] == "#"
        assert server.send_event({"type": "x"}, match="/realtime") == 0


async def test_translations(server: Server) -> None:
    async with talk(server, "/realtime/translations?model=gpt-realtime-translate", TRANSLATIONS) as talker:
        assert (await talker.next())["session"]["type"] == "translation"
        await talker.send("session.update", session={"audio": {"output": {"language": "fr"}}})
        assert (await talker.next())["session"]["audio"]["output"]["language"] == "fr"
        for piece in (audio(0.5), audio(0.6, 0)):
            await talker.send("session.input_audio_buffer.append", audio=piece)
        assert kinds(await talker.until("session.output_audio.delta"))[:2] == [
            "session.input_transcript.delta",
            "session.output_transcript.delta",
        ]
        await talker.send("session.close")
        await talker.until("session.closed")
        end = await talker.end()
        assert (end.type, end.data) == (aiohttp.WSMsgType.CLOSE, 1000)
