"""Realtime sessions of the local server, over real websockets."""

from __future__ import annotations

import math
from array import array
from base64 import b64decode, b64encode
from typing import Any

import aiohttp
import pytest

from aiopenai.testing import Server
from tests.testing.sockets import REALTIME, Talker, kinds, talk, unchecked

PATH = "/realtime?model=gpt-realtime"
TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def audio(seconds: float, loudness: int = 8000) -> str:
    samples = array("h", (round(loudness * math.sin(step / 10)) for step in range(int(24_000 * seconds))))
    return b64encode(samples.tobytes()).decode()


def message(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **more}


async def begun(talker: Talker, **session: Any) -> dict[str, Any]:
    created = await talker.next()
    assert created["type"] == "session.created"
    if session:
        await talker.send("session.update", session={"type": "realtime", **session})
        return (await talker.until("session.updated"))[-1]["session"]
    return created["session"]


async def say(talker: Talker, text: str) -> list[dict[str, Any]]:
    await talker.send("conversation.item.create", item=message(text))
    await talker.send("response.create")
    return await talker.until("rate_limits.updated")


async def test_text(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        session = await begun(talker, output_modalities=["text"], instructions="Be brief.")
        assert session["model"] == "gpt-realtime"
        assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
        events = await say(talker, "Hi there")
    assert kinds(events) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert text == "You said: Hi there"
    response = events[-2]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "output_text", "text": text}]
    assert response["usage"]["total_tokens"] > 0
    assert len({event["event_id"] for event in events}) == len(events)
    assert [request.path for request in server.journal] == ["/v1/realtime"]
    assert len(server.journal[0].messages) == 3


async def test_audio(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        events = await say(talker, "Hi")
    pieces = [b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"]
    assert sum(map(len, pieces)) == 24_000 * 2
    words = [event["delta"] for event in events if event["type"] == "response.output_audio_transcript.delta"]
    assert "".join(words) == "You said: Hi"
    assert "response.output_audio.done" in kinds(events)


async def test_the_older_names(server: Server) -> None:
    headers = {"OpenAI-Beta": "realtime=v1"}
    async with talk(server, PATH, unchecked, **headers) as talker:
        await begun(talker)
        events = await say(talker, "Hi")
    found = set(kinds(events))
    assert {"conversation.item.created", "response.audio.delta", "response.audio_transcript.delta"} <= found
    assert not any("output_audio" in kind or kind.startswith("conversation.item.a") for kind in found)
    assert next(e for e in events if e["type"] == "response.done")["response"]["modalities"] == ["text", "audio"]


async def test_the_older_settings(server: Server) -> None:
    """Flat sessions have an effect, and come back as they were sent."""
    headers = {"OpenAI-Beta": "realtime=v1"}
    async with talk(server, PATH, unchecked, **headers) as talker:
        created = await begun(talker)
        assert (created["modalities"], created["input_audio_format"]) == (["text", "audio"], "pcm16")
        assert "audio" not in created
        given = {
            "modalities": ["text"],
            "turn_detection": None,
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "max_response_output_tokens": 4096,
            "voice": "ash",
        }
        await talker.send("session.update", session=given)
        updated = (await talker.until("session.updated"))[-1]["session"]
        assert {name: updated[name] for name in given} == given
        # A second of G.711, which is committed by hand.
        await talker.send("input_audio_buffer.append", audio=b64encode(b"\x10" * 8_000).decode())
        await talker.send("input_audio_buffer.commit")
        transcribed = await talker.until("conversation.item.input_audio_transcription.completed")
        assert transcribed[-1]["transcript"] == "1.0 seconds of speech"
        await talker.send("response.create")
        text = (await talker.until("response.done"))[-1]["response"]
        assert (text["modalities"], text["output"][0]["content"][0]["type"]) == (["text"], "output_text")
        await talker.send("response.create", response={"modalities": ["audio", "text"]})
        assert "response.audio.delta" in kinds(await talker.until("response.done"))
        await talker.send("transcription_session.update", session={"turn_detection": {"type": "server_vad"}})
        changed = (await talker.until("transcription_session.updated"))[-1]["session"]
        assert changed["turn_detection"]["type"] == "server_vad"


async def test_function_calls(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker, tools=[TOOL], output_modalities=["text"])
        events = await say(talker, "How is the weather?")
        done = next(e for e in events if e["type"] == "response.function_call_arguments.done")
        assert (done["name"], done["arguments"]) == ("weather", '{"city":"string"}')
        pieces = [e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta"]
        assert "".join(pieces) == done["arguments"]
        result = {"type": "function_call_output", "call_id": done["call_id"], "output": "rain"}
        await talker.send("conversation.item.create", item=result)
        await talker.send("response.create")
        events = await talker.until("response.done")
    assert events[-1]["response"]["output"][0]["type"] == "message"


async def test_voice_activity(server: Server) -> None:
    """Speech is answered after half a second of silence, however the audio is cut."""
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker, audio={"input": {"transcription": {"model": "whisper-1"}}})
        for piece in (audio(0.5, 0), audio(1.0), audio(0.3, 0), audio(0.1), audio(0.41, 0), audio(0.1, 0)):
            await talker.send("input_audio_buffer.append", audio=piece)
        events = await talker.until("response.done")
    assert kinds(events)[:7] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert events[0]["audio_start_ms"] == 200
    assert events[1]["audio_end_ms"] == 2400
    assert events[0]["item_id"] == events[2]["item_id"]
    assert events[-1]["response"]["status"] == "completed"
    done = next(e for e in events if e["type"] == "response.output_audio_transcript.done")
    assert done["transcript"] == "You said: 2.4 seconds of speech"


async def test_push_to_talk(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker, audio={"input": {"turn_detection": None}})
        await talker.send("input_audio_buffer.commit", event_id="mine")
        error = (await talker.next())["error"]
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "mine")
        await talker.send("input_audio_buffer.append", audio=audio(0.5))
        await talker.send("input_audio_buffer.clear")
        assert (await talker.next())["type"] == "input_audio_buffer.cleared"
        await talker.send("input_audio_buffer.append", audio=audio(0.5))
        await talker.send("input_audio_buffer.append", audio=audio(1.0, 0))
        await talker.send("input_audio_buffer.commit")
        await talker.send("response.create")
        events = await talker.until("response.done")
    assert "input_audio_buffer.speech_started" not in kinds(events)
    assert events[-1]["response"]["output"][0]["content"][0]["transcript"] == "You said: 1.5 seconds of speech"


async def test_interruption_and_truncation(server: Server) -> None:
    server.answer = "a long answer " * 20
    server.token_delay = 0.005
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        await talker.send("conversation.item.create", item=message("Hi"))
        await talker.send("response.create")
        before = await talker.until("response.output_audio.delta")
        await talker.send("input_audio_buffer.append", audio=audio(0.2))
        events = await talker.until("response.done")
        response = events[-1]["response"]
        assert response["status"] == "cancelled"
        assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        item = response["output"][0]
        assert item["status"] == "incomplete"
        assert before[-1]["item_id"] == item["id"]
        # The item has the words that were sent, and all parts are ended.
        said = [e["delta"] for e in (*before, *events) if e["type"] == "response.output_audio_transcript.delta"]
        assert item["content"][0]["transcript"] == "".join(said)
        assert kinds(events)[-6:] == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert response["usage"]["output_tokens"] > 0
        await talker.send("conversation.item.retrieve", item_id=item["id"])
        assert (await talker.next())["item"]["content"] == item["content"]
        await talker.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=200)
        truncated = await talker.until("conversation.item.truncated")
        assert truncated[-1]["audio_end_ms"] == 200
        await talker.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=999_999)
        assert (await talker.until("error"))[-1]["error"]["param"] == "audio_end_ms"
        await talker.send("conversation.item.retrieve", item_id=item["id"])
        kept = (await talker.until("conversation.item.retrieved"))[-1]["item"]
        assert kept["content"][0]["transcript"] == ""


async def test_limits_go_down_and_the_voice_stays(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker, output_modalities=["text"])
        await talker.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "ash"}}})
        await talker.until("session.updated")
        first, second = (await say(talker, "Hi"), await say(talker, "Hi"))
        left = [
            {limit["name"]: limit["remaining"] for limit in events[-1]["rate_limits"]} for events in (first, second)
        ]
        used = [events[-2]["response"]["usage"]["total_tokens"] for events in (first, second)]
        assert [each["requests"] for each in left] == [9_999, 9_998]
        assert [each["tokens"] for each in left] == [2_000_000 - used[0], 2_000_000 - sum(used)]
        await talker.send("response.create", response={"output_modalities": ["audio"]})
        await talker.until("rate_limits.updated")
        await talker.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "sage"}}})
        assert (await talker.next())["error"]["code"] == "cannot_update_voice"
        await talker.send("session.update", session={"type": "realtime", "model": "other", "instructions": "x"})
        session = (await talker.next())["session"]
        assert (session["model"], session["audio"]["output"]["voice"]) == ("gpt-realtime", "ash")


async def test_a_cut_function_call_and_an_answer_outside(server: Server) -> None:
    server.token_delay = 0.01
    tool = {**TOOL, "parameters": {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(20)}}}
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker, tools=[tool])
        await talker.send("response.create", response={"tool_choice": "required", "conversation": "none"})
        before = await talker.until("response.function_call_arguments.delta")
        await talker.send("response.cancel")
        events = await talker.until("response.done")
        pieces = [e["delta"] for e in (*before, *events) if e["type"] == "response.function_call_arguments.delta"]
        call = events[-1]["response"]["output"][0]
        assert (call["status"], call["arguments"]) == ("incomplete", "".join(pieces))
        assert not any(kind.startswith("conversation.") for kind in kinds(events))


async def test_the_format_of_one_answer(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        form = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
        await talker.send("response.create", response=form)
        events = await talker.until("rate_limits.updated")
        audio_sent = b"".join(b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
        assert set(audio_sent) == {0xFF}
        await talker.send("response.create", response={"audio": {"output": {"format": {"type": "mp3"}}}})
        assert (await talker.next())["error"]["param"] == "response.audio.output.format"


async def test_cancelling(server: Server) -> None:
    server.answer = "a long answer " * 20
    server.token_delay = 0.005
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        await talker.send("response.cancel")
        assert (await talker.next())["error"]["code"] == "response_cancel_not_active"
        await talker.send("response.create")
        await talker.until("response.output_audio_transcript.delta")
        await talker.send("response.create")
        active = (await talker.until("error"))[-1]["error"]["code"]
        assert active == "conversation_already_has_active_response"
        await talker.send("response.cancel")
        done = (await talker.until("response.done"))[-1]["response"]
        assert done["status_details"]["reason"] == "client_cancelled"


async def test_items(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        for text, after in (("b", None), ("a", "root"), ("c", "b")):
            await talker.send("conversation.item.create", item=message(text, id=text), previous_item_id=after)
        events = list(await talker.until("conversation.item.done"))
        events += await talker.until("conversation.item.done") + await talker.until("conversation.item.done")
        placed = [(e["item"]["id"], e["previous_item_id"]) for e in events if e["type"] == "conversation.item.added"]
        assert placed == [("b", None), ("a", None), ("c", "b")]
        await talker.send("conversation.item.delete", item_id="b")
        assert (await talker.next())["item_id"] == "b"
        for kind, code in (
            ("conversation.item.delete", "item_delete_invalid_item_id"),
            ("conversation.item.retrieve", "item_retrieve_invalid_item_id"),
        ):
            await talker.send(kind, item_id="b")
            assert (await talker.next())["error"]["code"] == code
        await talker.send("conversation.item.create", item=message("d"), previous_item_id="b")
        assert (await talker.next())["error"]["code"] == "item_create_invalid_previous_item_id"
        await talker.send("conversation.item.create", item=message("d", id="a"))
        assert (await talker.next())["error"]["code"] == "item_create_duplicate_item_id"


async def test_responses_outside_the_conversation(server: Server) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        options = {
            "conversation": "none",
            "output_modalities": ["text"],
            "input": [message("Aside")],
            "metadata": {"a": "b"},
        }
        await talker.send("response.create", response=options)
        events = await talker.until("response.done")
        assert "conversation.item.added" not in kinds(events)
        response = events[-1]["response"]
        assert response["conversation_id"] is None
        assert response["metadata"] == {"a": "b"}
        assert response["output"][0]["content"][0]["text"] == "You said: Aside"
        await talker.until("rate_limits.updated")
        await talker.send("response.create", response={"max_output_tokens": 1, "output_modalities": ["text"]})
        response = (await talker.until("response.done"))[-1]["response"]
        assert response["status"] == "incomplete"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("no json", "invalid_json"),
        ("[]", "invalid_message"),
        ("{}", "missing_required_parameter"),
        (b"\x00", "invalid_message"),
        ('{"type": "no.such"}', "invalid_value"),
        ('{"type": "session.update"}', "missing_required_parameter"),
        ('{"type": "session.update", "session": {"audio": {"input": {"format": "mp3"}}}}', "invalid_value"),
        ('{"type": "input_audio_buffer.append", "audio": "?"}', "invalid_value"),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
        ('{"type": "conversation.item.create"}', "missing_required_parameter"),
    ],
)
async def test_errors_leave_the_socket_open(server: Server, sent: str | bytes, code: str) -> None:
    async with talk(server, PATH, REALTIME) as talker:
        await begun(talker)
        await (talker.socket.send_str(sent) if isinstance(sent, str) else talker.socket.send_bytes(sent))
        assert (await talker.next())["error"]["code"] == code
        assert (await say(talker, "Hi"))[-1]["type"] == "rate_limits.updated"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/realtime", {}, 400),
        ("/realtime?model=nothing", {}, 404),
        (PATH, {"Authorization": "Bearer wrong"}, 401),
        ("/no/such", {}, 404),
    ],
)
async def test_refused_handshakes(path: str, headers: dict[str, str], status: int) -> None:
    async with Server(api_key="sk-test", models=["gpt-realtime"]) as server:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with talk(server, path, **headers):
                pass
    assert caught.value.status == status


async def test_azure(server: Server) -> None:
    root = server.azure_endpoint.replace("http", "ws", 1)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{root}/openai/realtime?api-version=2&deployment=gpt-realtime", headers={"api-key": "k"}
        ) as socket,
    ):
        assert (await socket.receive_json())["session"]["model"] == "gpt-realtime"


async def test_transcription_sessions(server: Server) -> None:
    async with talk(server, "/realtime?intent=transcription", REALTIME) as talker:
        await begun(talker)
        session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
        await talker.send("session.update", session=session)
        await talker.until("session.updated")
        await talker.send("input_audio_buffer.append", audio=audio(0.5))
        await talker.send("input_audio_buffer.append", audio=audio(0.6, 0))
        events = await talker.until("conversation.item.input_audio_transcription.completed")
        assert events[-1]["transcript"] == "1.1 seconds of speech"
        await talker.send("response.cancel")
        assert (await talker.next())["error"]["code"] == "response_cancel_not_active"
