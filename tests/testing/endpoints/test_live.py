"""Live sessions and translations of the local server."""

from __future__ import annotations

import aiohttp

from aiopenai.testing import Server
from tests.testing.sockets import LIVE, TRANSLATIONS, kinds, talk

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
