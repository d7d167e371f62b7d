"""The rules of a stream's end, without a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai._calls.endings import StreamEnd, is_done, is_ending


@pytest.mark.parametrize(
    "data", [b"[DONE]", b"[DONE] ", b" [DONE]", b"\t[DONE]\t ", b"[DONE]\r", b"[DONE]" + b" " * 25]
)
def test_the_end_mark(data: bytes) -> None:
    assert is_done(data)


@pytest.mark.parametrize("data", [b"", b"[DONE", b'"[DONE]"', b"[DONE][DONE]", b"[done]", b"[DONE]" + b" " * 26])
def test_no_end_mark(data: bytes) -> None:
    assert not is_done(data)


@pytest.mark.parametrize(
    "kind",
    [
        "response.completed",
        "response.failed",
        "response.incomplete",
        "response.cancelled",
        "response.done",
        "thread.run.completed",
        "thread.run.requires_action",
        "thread.run.expired",
        "speech.audio.done",
        "transcript.text.done",
        "image_generation.completed",
        "image_edit.completed",
        "done",
    ],
)
def test_ending_events(kind: str) -> None:
    assert is_ending(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "response.output_text.done",
        "response.output_item.done",
        "response.mcp_call.failed",
        "response.web_search_call.completed",
        "response.in_progress",
        "thread.run.step.completed",
        "thread.message.completed",
        "thread.message.incomplete",
        "thread.run.queued",
        "image_generation.partial_image",
        "transcript.text.delta",
        "ping",
        "",
    ],
)
def test_events_in_the_middle(kind: str) -> None:
    assert not is_ending(kind)


def chunk(*choices: tuple[Any, Any]) -> Any:
    return SimpleNamespace(choices=[SimpleNamespace(index=index, finish_reason=reason) for index, reason in choices])


def typed(kind: Any) -> Any:
    return SimpleNamespace(type=kind)


ENOUGH: dict[str, list[Any]] = {
    "a finish": [chunk((0, None)), chunk((0, "stop"))],
    "a finish, and chunks after it": [chunk((0, "stop")), chunk((0, None)), chunk(), chunk((0, ""))],
    "all choices": [chunk((0, None)), chunk((1, None)), chunk((1, "stop")), chunk((0, "length"))],
    "all choices in one": [chunk((0, "stop"), (1, "stop"))],
    "no numbers": [chunk((None, None)), chunk((None, "stop"))],
    "an ending event": [typed("response.created"), typed("response.completed")],
    "events after the end": [typed("response.failed"), typed("keepalive"), typed("response.in_progress")],
    "a name": [SimpleNamespace(event="thread.run.failed")],
    "no end mark at all": [SimpleNamespace(data=1)],
    "odd types": [typed(5), typed(None)],
}
TOO_LITTLE: dict[str, list[Any]] = {
    "nothing": [],
    "no finish": [chunk((0, None))],
    "an empty finish": [chunk((0, ""))],
    "one of two": [chunk((0, None), (1, None)), chunk((0, "stop"))],
    "one of two, the other begins late": [chunk((0, "stop")), chunk((1, None))],
    "no choices": [chunk()],
    "choices that are no list": [SimpleNamespace(choices="x")],
    "the end of a part": [typed("response.created"), typed("response.output_text.done")],
    "an unknown event": [typed("something.new")],
}


def after(events: list[Any]) -> StreamEnd:
    end = StreamEnd()
    for event in events:
        end.note(event)
    return end


@pytest.mark.parametrize("title", ENOUGH)
def test_complete(title: str) -> None:
    assert after(ENOUGH[title]).is_complete(len(ENOUGH[title]))


@pytest.mark.parametrize("title", TOO_LITTLE)
def test_broken_off(title: str) -> None:
    end = after(TOO_LITTLE[title])
    assert not end.is_complete(len(TOO_LITTLE[title]))
    end.done = True
    assert end.is_complete(len(TOO_LITTLE[title]))
