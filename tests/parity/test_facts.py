"""What single endpoints do in their own way, against the reference: forms, headers, keys, streams, kinds of replies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIError, AsyncOpenAI
from aiopenai.testing import Server

from .compare import differences
from .exchange import answer_anything, record
from .surface import resolve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PNG = ("a.png", b"\x89PNG", "image/png")
TXT = ("b.txt", b"text", "text/plain")
EVENTS = "text/event-stream"
HEADERS = {"x-request-id": "req_test"}
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    # Forms: one file, several, files beside arrays and objects, optional ones, none.
    ("images.edit", (), {"image": PNG, "prompt": "x", "mask": PNG, "n": 2}),
    ("images.edit", (), {"image": [PNG, TXT], "prompt": "x"}),
    ("images.create_variation", (), {"image": PNG}),
    ("audio.transcriptions.create", (), {"file": TXT, "model": "m", "timestamp_granularities": ["word", "segment"]}),
    ("audio.transcriptions.create", (), {"file": TXT, "model": "m", "chunking_strategy": {"type": "server_vad"}}),
    ("audio.translations.create", (), {"file": TXT, "model": "m", "temperature": 0.5}),
    ("uploads.parts.create", ("id",), {"data": b"data"}),
    ("videos.create", (), {"prompt": "x"}),
    ("videos.create", (), {"prompt": "x", "input_reference": PNG}),
    ("videos.edit", (), {"prompt": "x", "video": PNG}),
    ("skills.create", (), {"files": [PNG, TXT]}),
    ("skills.create", (), {"files": TXT}),
    ("skills.create", (), {}),
    ("skills.versions.create", ("id",), {"files": [TXT], "default": True}),
    ("containers.files.create", ("id",), {"file": TXT}),
    ("containers.files.create", ("id",), {"file_id": "f"}),
    ("audio.voices.create", (), {"consent": "c", "name": "n", "audio_sample": TXT}),
    ("content_provenance_checks.create", (), {"file": PNG}),
    # Forms whose parts say what they are, and the part that is a body by itself.
    ("realtime.calls.create", (), {"sdp": "v=0\r\n", "session": {"type": "realtime", "model": "m"}}),
    ("realtime.calls.create", (), {"sdp": "v=0\r\n"}),
    ("realtime.calls.create", (), {"sdp": "v=0\r\n", "extra_body": {"more": {"a": ["b"]}}}),
    # Keys with another name on the wire, headers from parameters, a query in the path.
    ("beta.agents.create", (), {"model": "m", "compaction": {"async_": True}}),
    ("beta.agents.automations.update", ("a",), {"target": {"agent": {"compaction": {"async_": None}}}}),
    ("beta.responses.create", (), {"model": "m", "input": "x", "betas": ["a", "b"]}),
    ("beta.responses.retrieve", ("id",), {"include": ["message.output_text.logprobs"], "betas": ["a"]}),
    ("beta.agents.environments.create", (), {"environment": {"type": "openai_hosted"}, "idempotency_key": "k"}),
    ("beta.threads.runs.create", ("t",), {"assistant_id": "a", "include": ["step_details.tool_calls"]}),
    # Credentials, arrays and objects in a query, a list by POST, a body with DELETE, no content.
    ("admin.organization.usage.completions", (), {"start_time": 1, "group_by": ["model", "batch"], "models": ["a"]}),
    (
        "admin.organization.audit_logs.list",
        (),
        {"effective_at": {"gt": 1, "lte": 2}, "event_types": ["project.created"]},
    ),
    ("admin.organization.projects.users.roles.delete", ("r",), {"project_id": "p", "user_id": "u"}),
    ("fine_tuning.checkpoints.permissions.create", ("c",), {"project_ids": ["p"]}),
    ("vector_stores.search", ("id",), {"query": ["a", "b"]}),
    ("vector_stores.files.content", ("f",), {"vector_store_id": "v"}),
    ("conversations.items.create", ("c",), {"items": [{"role": "user", "content": "x"}], "include": ["a"]}),
    ("realtime.calls.hangup", ("c",), {}),
    ("skills.content.retrieve", ("id",), {}),
]


@pytest.mark.parametrize(("name", "args", "arguments"), CALLS)
async def test_requests(
    server: Server, ours: AsyncOpenAI, theirs: Any, name: str, args: tuple[Any, ...], arguments: dict[str, Any]
) -> None:
    answer_anything(server)
    mine = await record(server, lambda: resolve(ours, name)(*args, **arguments))
    assert mine == await record(server, lambda: resolve(theirs, name)(*args, **arguments))


RUN = {"id": "run_1", "object": "thread.run", "status": "completed", "tools": [{"type": "code_interpreter"}]}
STREAMS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], list[tuple[str, Any]]]] = {
    "assistants": (
        "beta.threads.runs.create",
        ("t",),
        {"assistant_id": "a"},
        [
            ("thread.created", {"id": "t", "object": "thread"}),
            ("thread.run.created", RUN),
            ("thread.message.delta", {"id": "m", "delta": {"content": [{"index": 0, "type": "text"}]}}),
            ("thread.run.step.delta", {"id": "s", "delta": {"step_details": {"type": "message_creation"}}}),
            ("thread.run.completed", RUN),
            ("done", "[DONE]"),
        ],
    ),
    "images": (
        "images.generate",
        (),
        {"prompt": "x"},
        [
            ("image_generation.partial_image", {"type": "image_generation.partial_image", "b64_json": "YQ=="}),
            ("image_generation.completed", {"type": "image_generation.completed", "b64_json": "Yg=="}),
        ],
    ),
    "audio": (
        "audio.transcriptions.create",
        (),
        {"file": TXT, "model": "m"},
        [
            ("", {"type": "transcript.text.delta", "delta": "a"}),
            ("", {"type": "transcript.text.done", "text": "a", "usage": {"type": "tokens", "total_tokens": 1}}),
        ],
    ),
    "agents": (
        "beta.agents.sessions.create",
        (),
        {"environment": {"type": "none"}},
        [
            ("", {"type": "agent.session.created", "session": {"id": "s"}}),
            # Not the stream's end: an event like others.
            ("error", {"type": "error", "error": {"message": "busy"}}),
            ("", {"type": "agent.session.turn.output_text.delta", "delta": "a"}),
        ],
    ),
}


def body(events: list[tuple[str, Any]]) -> bytes:
    lines = [
        (f"event: {name}\n" if name else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
        for name, data in events
    ]
    return "".join(lines).encode()


async def events_of(client: Any, name: str, args: tuple[Any, ...], arguments: dict[str, Any]) -> list[Any]:
    return [event async for event in await resolve(client, name)(*args, **arguments, stream=True)]


@pytest.mark.parametrize("kind", STREAMS)
async def test_streams(server: Server, ours: AsyncOpenAI, theirs: Any, kind: str) -> None:
    name, args, arguments, events = STREAMS[kind]
    server.fault(status=200, body=body(events), content_type=EVENTS, headers=HEADERS, times=None)
    mine = await events_of(ours, name, args, arguments)
    assert len(mine) == len([data for _, data in events if data != "[DONE]"])
    assert list(differences(mine, await events_of(theirs, name, args, arguments))) == []


async def test_a_stream_without_asking(server: Server, ours: AsyncOpenAI, theirs: Any) -> None:
    events = STREAMS["agents"][3]
    server.fault(status=200, body=body(events), content_type=EVENTS, headers=HEADERS, times=None)
    mine = [event async for event in await ours.beta.agents.sessions.events.stream("s")]
    other = [event async for event in await theirs.beta.agents.sessions.events.stream("s")]
    assert len(mine) == len(events)
    assert list(differences(mine, other)) == []


async def test_errors_of_an_assistant(server: Server, ours: AsyncOpenAI) -> None:
    events = [*STREAMS["assistants"][3][:2], ("error", {"error": {"message": "no", "code": "server_error"}})]
    server.fault(status=200, body=body(events), content_type=EVENTS)
    stream = await ours.beta.threads.runs.create("t", assistant_id="a", stream=True)
    found: list[str] = []

    async def read() -> None:
        async for event in stream:
            found.append(event.event)

    with pytest.raises(APIError, match="no") as caught:
        await read()
    assert caught.value.code == "server_error"
    assert found == ["thread.created", "thread.run.created"]


async def test_an_assistant_that_breaks_off(server: Server, ours: AsyncOpenAI) -> None:
    server.fault(status=200, body=body(STREAMS["assistants"][3][:2]), content_type=EVENTS)
    with pytest.raises(APIConnectionError, match="broke off"):
        await events_of(ours, "beta.threads.runs.create", ("t",), {"assistant_id": "a"})


@pytest.mark.parametrize("format_", [None, "json", "verbose_json", "diarized_json", "text", "srt", "vtt", "unheard_of"])
@pytest.mark.parametrize("name", ["audio.transcriptions.create", "audio.translations.create"])
async def test_replies_by_format(
    server: Server, ours: AsyncOpenAI, theirs: Any, name: str, format_: str | None
) -> None:
    text = b'{"text": "Hello", "duration": 1.5, "language": "en", "task": "transcribe"}'
    server.fault(status=200, body=text, content_type="application/json", headers=HEADERS, times=None)
    arguments: dict[str, Any] = {"file": TXT, "model": "m"} | ({"response_format": format_} if format_ else {})
    mine = await resolve(ours, name)(**arguments)
    other = await resolve(theirs, name)(**arguments)
    assert list(differences(mine, other)) == []


async def test_bytes(server: Server, ours: AsyncOpenAI, theirs: Any, tmp_path: Path) -> None:
    server.fault(status=200, body=b"\x00\xff" * 500, content_type="audio/mpeg", times=None)
    arguments: dict[str, Any] = {"input": "x", "model": "m", "voice": "v"}
    mine = await ours.audio.speech.create(**arguments)
    assert mine.content == (await theirs.audio.speech.create(**arguments)).content
    async with ours.audio.speech.with_streaming_response.create(**arguments) as response:
        await response.stream_to_file(tmp_path / "speech.mp3")
    assert (tmp_path / "speech.mp3").read_bytes() == mine.content


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"name": "n", "type": "t"}, "'audio_sample', 'consent' or 'prompt', 'type'"), ({"prompt": "p"}, "'name'")],
)
async def test_sets_of_arguments(ours: AsyncOpenAI, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        await ours.audio.voices.create(**arguments)


async def test_typed_parts_are_checked(ours: AsyncOpenAI) -> None:
    wrong: Any = {"sdp": 3}
    with pytest.raises(TypeError, match="'sdp' must be a str, not int"):
        await ours.realtime.calls.create(**wrong)
