"""Streams as servers end and break them: end marks, finish reasons, errors, and replies that are no streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIError, APIResponseValidationError, AsyncOpenAI
from aiopenai.testing import Server

EVENTS = "text/event-stream"
SIZES = [1, 7, None]
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        yield client


def part(text: Any = None, finish: Any = None, index: Any = 0) -> str:
    choice = {"index": index, "delta": {"content": text} if text is not None else {}, "finish_reason": finish}
    return json.dumps({**HEAD, "choices": [choice]})


USAGE = json.dumps({**HEAD, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
EMPTY = json.dumps({**HEAD, "choices": []})


async def read(client: AsyncOpenAI, server: Server, body: str | bytes, size: int | None, **options: Any) -> Any:
    """The text of a chat stream, and its error."""
    raw = body if isinstance(body, bytes) else body.encode()
    server.reply_with("/chat/completions", raw, **{"content_type": EVENTS, "chunk_size": size, **options})
    messages: Any = [{"role": "user", "content": "x"}]
    stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
    text = ""
    try:
        async for chunk in stream:
            assert chunk is not None
            for choice in chunk.choices:
                text += choice.delta.content or ""
    except APIError as error:
        assert [chunk async for chunk in stream] == []
        return text, error
    return text, None


def sse(*events: str) -> str:
    return "".join(f"data: {event}\n\n" for event in events)


COMPLETE = {
    "done with a space": sse(part("a"), "[DONE] "),
    "done with white space on both sides": sse(part("a"), " \t[DONE]\t "),
    "done without a blank line": sse(part("a")) + "data: [DONE] ",
    "done and junk": sse(part("a"), "[DONE] ", '{"error": "late"}', "junk"),
    "done and an error": sse(part("a"), "[DONE]", '{"error": {"message": "late"}}'),
    "done and an error event": sse(part("a"), "[DONE]") + 'event: error\ndata: {"message": "late"}\n\n',
    "done and an error field": sse(part("a"), "[DONE]") + "error: late\n\n",
    "done with a space, and errors": sse(part("a"), "[DONE] ") + 'event: error\ndata: {"m": 1}\n\nerror: late\n\n',
    "finish and the end": sse(part("a"), part(finish="stop")),
    "finish and usage": sse(part("a"), part(finish="stop"), USAGE),
    "finish and two more": sse(part("a"), part(finish="stop"), USAGE, EMPTY),
    "finish and many more": sse(part("a"), part("", "stop"), *[part("")] * 3, *[EMPTY] * 70),
    "finish of both": sse(part("a"), part("", index=1), part(finish="stop", index=1), part(finish="length")),
    "finish without its blank line": sse(part("a")) + f"data: {part(finish='stop')}\n",
    "finish without its line end": sse(part("a")) + f"data: {part(finish='stop')}",
    "finish, then half a line": sse(part("a"), part(finish="stop")) + "data: [DO",
    "null among chunks": sse("null", part("a"), "null", " null ", part(finish="stop"), "null"),
    "white space as data": sse(part("a"), " ", "\t", part(finish="stop")),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("title", COMPLETE)
async def test_complete(title: str, size: int | None, client: AsyncOpenAI, server: Server) -> None:
    assert await read(client, server, COMPLETE[title], size) == ("a", None)


CUT = {
    "no finish": sse(part("a")),
    "an empty finish": sse(part("a"), part(finish="")),
    "one of two choices": sse(part("a"), part("", index=1), part(finish="stop")),
    "the second begins after the first": sse(part("a", "stop"), part("", index=1)),
    "half an event": sse(part("a")) + f"data: {part('b')}"[:-3],
    "usage alone": sse(part("a"), USAGE),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("title", CUT)
async def test_cut(title: str, size: int | None, client: AsyncOpenAI, server: Server) -> None:
    text, error = await read(client, server, CUT[title], size)
    assert text == "a"
    assert type(error) is APIConnectionError
    assert "broke off" in str(error)
    assert error.partial.text == "a"


ERROR = {"code": 400, "message": "The prompt is too long.", "type": "invalid_request_error"}
FAILED = {
    "a field": f"error: {json.dumps(ERROR)}\n\n{sse('[DONE]')}",
    "a field without a space": f"error:{json.dumps(ERROR)}\n\n{sse('[DONE]')}",
    "a field, then the end": f"error: {json.dumps(ERROR)}",
    "a line of JSON": json.dumps({"error": ERROR}) + "\n\n" + sse("[DONE]"),
    "a line of JSON, then the end": json.dumps({"error": ERROR}),
    "data": sse(json.dumps({"error": ERROR}), "[DONE]"),
    "data without a blank line": f"data: {json.dumps({'error': ERROR})}",
    "an event": f"event: error\ndata: {json.dumps(ERROR)}\n\n",
    "an event of type error": sse(json.dumps({"type": "error", "error": ERROR})),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("title", FAILED)
async def test_errors(title: str, begun: bool, size: int | None, client: AsyncOpenAI, server: Server) -> None:
    before = sse(part("a")) if begun else ""
    text, error = await read(client, server, before + FAILED[title], size)
    assert text == ("a" if begun else "")
    assert type(error) is APIError
    assert (str(error), error.code, error.type) == ("The prompt is too long.", "400", "invalid_request_error")
    assert error.partial.events == begun


async def test_a_field_of_plain_text(client: AsyncOpenAI, server: Server) -> None:
    _, error = await read(client, server, "error: overloaded\n\n", None)
    assert str(error) == "overloaded"


WHOLE = {**HEAD, "object": "chat.completion", "choices": [{"index": 0, "message": {"content": "hi"}}]}
NO_STREAMS = {
    "html": ("<html>\n<body>\n\nLog in: now</body></html>", "text/html"),
    "a whole completion": (json.dumps(WHOLE), "application/json"),
    "a whole completion, indented": (json.dumps(WHOLE, indent=2), "application/json"),
    "a bare array": (json.dumps([WHOLE]), "application/json"),
    "text": ("upstream connect error\n\nreset", "text/plain"),
    "an empty error": ('{"error": null}', "application/json"),
    "a wrong content type": ("<html></html>", EVENTS),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("title", NO_STREAMS)
async def test_no_stream(title: str, size: int | None, client: AsyncOpenAI, server: Server) -> None:
    body, kind = NO_STREAMS[title]
    _, error = await read(client, server, body, size, content_type=kind)
    assert type(error) is APIResponseValidationError
    assert f"{server.base_url}/chat/completions" in str(error)
    assert kind in str(error)
    assert repr(body[:20])[1:-1] in str(error)
    assert error.response.text == body
    assert server.request_count == 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("body", [{"error": ERROR}, {"error": {**ERROR, "code": "400"}, "status": 1}])
@pytest.mark.parametrize("indent", [None, 2])
async def test_an_error_in_place_of_a_stream(
    body: Any, indent: int | None, size: int | None, client: AsyncOpenAI, server: Server
) -> None:
    for kind in ("application/json", EVENTS):
        _, error = await read(client, server, json.dumps(body, indent=indent), size, content_type=kind)
        assert type(error) is APIError
        assert (str(error), error.code) == ("The prompt is too long.", "400")


async def test_an_error_as_a_string(client: AsyncOpenAI, server: Server) -> None:
    _, error = await read(client, server, '{\n"error": "Model not loaded"}', None, content_type="application/json")
    assert str(error) == "Model not loaded"


@pytest.mark.parametrize("size", SIZES)
async def test_responses_end_with_their_own_event(size: int | None, client: AsyncOpenAI, server: Server) -> None:
    done = '{"type":"response.output_text.done","text":"a"}'
    for ending in ("completed", "failed", "incomplete"):
        body = sse(done, f'{{"type":"response.{ending}","response":{{}}}}', '{"type":"ping"}', "null")
        server.reply_with("/responses", body.encode(), content_type=EVENTS, chunk_size=size)
        stream = await client.responses.create(model="m", input="i", stream=True)
        assert len([event async for event in stream]) == 3
    server.reply_with("/responses", sse(done).encode(), content_type=EVENTS, chunk_size=size)
    with pytest.raises(APIConnectionError, match="broke off"):
        async for _ in await client.responses.create(model="m", input="i", stream=True):
            pass


async def test_partial_text_of_content_in_parts(client: AsyncOpenAI, server: Server) -> None:
    parts = part([{"type": "thinking", "thinking": []}, {"type": "text", "text": "ab"}])
    server.reply_with("/chat/completions", sse(parts, part("c")).encode(), content_type=EVENTS)
    messages: Any = [{"role": "user", "content": "x"}]
    stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
    with pytest.raises(APIConnectionError) as caught:
        async for _ in stream:
            pass
    assert caught.value.partial.text == "abc"
