"""The events of streams as servers send, end and break them: end marks, errors, retries, time limits, other replies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiopenai import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APITimeoutError,
    AsyncOpenAI,
    AsyncStream,
    OpenAI,
    Timeout,
)
from aiopenai._calls.stream_sources import StreamSource
from aiopenai._data.codec import Decoder
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletionChunk

from .streams import EVENTS, failure, start, texts

SIZES = [1, 7, None]


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def prepare(server: Server) -> Any:
    def set_reply(body: bytes, **options: Any) -> Any:
        return server.reply_with("/chat/completions", body, **{"content_type": EVENTS, **options})

    return set_reply


HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


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
    "done with a space of its own": sse(part("a"), "\u00a0[DONE]\u2003"),
    "done without a blank line": sse(part("a")) + "data: [DONE] ",
    "done and another chunk": sse(part("a"), "[DONE]", part("late")),
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
    "no objects among chunks": sse("[]", part("a"), "false", "5", '"keepalive"', '"[DONE]"', part(finish="stop"), "0"),
    "white space as data": sse(part("a"), " ", "\t", part(finish="stop")),
}


@pytest.mark.usefixtures("transport")
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


@pytest.mark.usefixtures("transport")
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


@pytest.mark.usefixtures("transport")
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


def failed_choice(error: Any, index: int = 0, **more: Any) -> str:
    return json.dumps({**HEAD, "choices": [{"index": index, "delta": {}, "error": error, **more}]})


# Each with its words. The stream has `[DONE]` or a finish reason besides.
OTHER_ERRORS = {
    "in the choice": (failed_choice({"message": "up", "code": 502}, finish_reason="error"), "up"),
    "in the choice, as text": (failed_choice("up", finish_reason="stop"), "up"),
    "in the second choice": (failed_choice({"message": "up"}, 1), "up"),
    "in a choice with text": (failed_choice({"message": "up"}, delta={"content": "lost"}), "up"),
    "detail": ('{"detail":"bad"}', "bad"),
    "detail with a status": ('{"detail":"bad","status_code":500}', "bad"),
    "detail of a validation": ('{"detail":[{"loc":["body"],"msg":"bad"}]}', "bad"),
    "problem": ('{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"bad"}', "bad"),
    "errors": ('{"errors":[{"message":"bad"}]}', "bad"),
    "bare error": ('{"message":"bad","code":500}', "bad"),
    "bare error of a type": ('{"message":"bad","type":"internal_server_error"}', "bad"),
    "base_resp": ('{"base_resp":{"status_code":1013,"status_msg":"bad"}}', "bad"),
    "base_resp beside null": ('{"choices":null,"base_resp":{"status_code":1013,"status_msg":"bad"}}', "bad"),
}


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("size", [7, None])
@pytest.mark.parametrize("title", OTHER_ERRORS)
async def test_errors_in_other_forms(title: str, size: int | None, client: AsyncOpenAI, server: Server) -> None:
    event, words = OTHER_ERRORS[title]
    for begun, ending in ((False, "[DONE]"), (True, "[DONE]"), (True, part(finish="stop"))):
        text, error = await read(client, server, sse(*[part("a")] * begun, event, ending), size)
        assert text == "a" * begun
        assert type(error) is APIError
        assert str(error) == words
        assert (error.partial.events, error.partial.text) == (begun, text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("title", OTHER_ERRORS)
async def test_errors_in_other_forms_in_a_stream_of_a_response(
    title: str, size: int | None, client: AsyncOpenAI, server: Server
) -> None:
    event, words = OTHER_ERRORS[title]
    delta = '{"type":"response.output_text.delta","delta":"a","output_index":0,"content_index":0}'
    server.reply_with("/responses", sse(delta, event, delta).encode(), content_type=EVENTS, chunk_size=size)
    with pytest.raises(APIError) as caught:
        async for _ in await client.responses.create(model="m", input="i", stream=True):
            pass
    assert type(caught.value) is APIError
    assert str(caught.value) == words
    assert (caught.value.partial.events, caught.value.partial.text) == (1, "a")


def test_errors_in_other_forms_in_the_blocking_client() -> None:
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        for event, words in OTHER_ERRORS.values():
            server.reply_with("/chat/completions", sse(part("a"), event, "[DONE]").encode(), content_type=EVENTS)
            stream = client.chat.completions.create(model="m", messages=[], stream=True)
            assert next(stream).choices[0].delta.content == "a"
            with pytest.raises(APIError) as caught:
                next(stream)
            assert str(caught.value) == words


NO_ERRORS = {
    "a choice without one": failed_choice(None),
    "an empty one": failed_choice({}),
    "text": part('"error"'),
    "an empty detail": '{"detail":null}',
    "a message": '{"message":"processing"}',
    "a keepalive": '{"type":"ping","message":"queue","code":1}',
    "an event with a detail": '{"type":"input_image","detail":"low"}',
    "chunks with a detail": json.dumps({**json.loads(part("")), "detail": "cached"}),
    "a status": '{"base_resp":{"status_code":0,"status_msg":""}}',
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("title", NO_ERRORS)
async def test_events_that_are_no_errors(title: str, size: int | None, client: AsyncOpenAI, server: Server) -> None:
    body = sse(part("a"), NO_ERRORS[title], part(finish="stop"), "[DONE]")
    server.reply_with("/chat/completions", body.encode(), content_type=EVENTS, chunk_size=size)
    stream = await client.chat.completions.create(model="m", messages=[], stream=True)
    assert len([chunk async for chunk in stream]) == 3


@pytest.mark.parametrize("size", SIZES)
async def test_untyped_events_among_those_of_a_response_cost_no_text(
    size: int | None, client: AsyncOpenAI, server: Server
) -> None:
    delta = '{"type":"response.output_text.delta","delta":"a","output_index":0,"content_index":0}'
    body = sse(delta, "null", delta, '{"id": 1}', delta)
    server.reply_with("/responses", body.encode(), content_type=EVENTS, chunk_size=size)
    with pytest.raises(APIConnectionError) as caught:
        async for _ in await client.responses.create(model="m", input="i", stream=True):
            pass
    assert (caught.value.partial.events, caught.value.partial.text) == (4, "aaa")


@pytest.mark.usefixtures("transport")
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


@pytest.mark.usefixtures("transport")
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


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "body",
    [
        {"error": ERROR},
        {"error": {**ERROR, "code": "400"}, "status": 1},
        {"detail": ERROR["message"], "code": 400},
        {"choices": [{"error": ERROR}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
async def test_an_error_in_place_of_a_stream(
    body: Any, indent: int | None, size: int | None, client: AsyncOpenAI, server: Server
) -> None:
    for kind in ("application/json", EVENTS):
        _, error = await read(client, server, json.dumps(body, indent=indent), size, content_type=kind)
        assert type(error) is APIError
        assert (str(error), error.code) == ("The prompt is too long.", "400")


@pytest.mark.usefixtures("transport")
async def test_an_error_as_a_string(client: AsyncOpenAI, server: Server) -> None:
    _, error = await read(client, server, '{\n"error": "Model not loaded"}', None, content_type="application/json")
    assert str(error) == "Model not loaded"


@pytest.mark.usefixtures("transport")
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


@pytest.mark.usefixtures("transport")
async def test_partial_text_of_content_in_parts(client: AsyncOpenAI, server: Server) -> None:
    parts = part([{"type": "thinking", "thinking": []}, {"type": "text", "text": "ab"}])
    server.reply_with("/chat/completions", sse(parts, part("c")).encode(), content_type=EVENTS)
    messages: Any = [{"role": "user", "content": "x"}]
    stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
    with pytest.raises(APIConnectionError) as caught:
        async for _ in stream:
            pass
    assert caught.value.partial.text == "abc"


@pytest.mark.usefixtures("transport")
class TestFailures:
    async def test_an_error_event(self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any) -> None:
        error = {"message": "Overloaded.", "type": "server_error", "code": "overloaded", "param": "p"}
        for size in (1, None):
            for body in (error, {"error": error}):
                prepare(f"data: {chunk('ab')}\n\nevent: error\ndata: {json.dumps(body)}\n\n".encode(), chunk_size=size)
                found = await failure(await start(client, chat))
                assert type(found) is APIError
                assert str(found) == "Overloaded."
                assert (found.code, found.type, found.param, found.body) == ("overloaded", "server_error", "p", error)
                assert found.partial.text == "ab"
                assert found.partial.events == 1
                assert found.partial.last.choices[0].delta.content == "ab"
                assert found.request.url.endswith("/chat/completions")
                again = pickle.loads(pickle.dumps(found))
                assert again.partial == found.partial

    @pytest.mark.parametrize(
        "value",
        [
            {"message": "Bad."},
            "Bad.",
            {"error": "Bad."},
            {"object": "error", "message": "Bad.", "error": None},
            ["Bad."],
        ],
        ids=["object", "text", "both", "kind", "array"],
    )
    async def test_a_top_level_error(
        self, value: Any, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        body = json.dumps(value if isinstance(value, dict) and "error" in value else {"error": value})
        if isinstance(value, list):
            body = json.dumps([{"error": value[0]}])
        for size in (1, 7, None):
            prepare(sse([chunk("a"), body, chunk("b")]), chunk_size=size)
            found = await failure(await start(client, chat))
            assert "Bad." in str(found)
            assert found.partial.text == "a"

    @pytest.mark.parametrize("value", ["null", "false", "0", '""', "{}"])
    async def test_no_error_is_none(
        self, value: str, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        event = chunk("a").replace("{", f'{{"error":{value},', 1)
        prepare(sse([event]))
        assert await texts(await start(client, chat)) == ["a"]

    async def test_the_word_alone_is_no_error(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        prepare(sse([chunk('{"error": "no"}'), chunk('"error"')]))
        assert await texts(await start(client, chat)) == ['{"error": "no"}', '"error"']

    @pytest.mark.parametrize(
        "body", [b"event: error\ndata: boom\n\n", b"event: error\ndata:\n\n", b"event: error\ndata: []\n\n"]
    )
    async def test_errors_of_odd_shapes(
        self, body: bytes, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any
    ) -> None:
        prepare(body)
        found = await failure(await start(client, chat))
        assert str(found)

    @pytest.mark.parametrize("bad", [b"oops", b"{", b"\xff\xfe", b"[" * 50_000])
    async def test_not_json(
        self, bad: bytes, client: AsyncOpenAI, server: Server, chat: dict[str, Any], prepare: Any, chunk: Any
    ) -> None:
        prepare(f"data: {chunk('a')}\n\n".encode() + b"data: " + bad + b"\n\ndata: [DONE]\n\n")
        stream = await start(client, chat)
        assert (await stream.__anext__()).choices[0].delta.content == "a"
        found = await failure(stream, APIResponseValidationError)
        assert bad[:5].decode("utf-8", "replace") in str(found)
        assert len(str(found)) < 1000
        assert found.partial.text == "a"

    async def test_html(self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any) -> None:
        prepare(b"<html><body>Log in</body></html>", content_type="text/html")
        error = await failure(await start(client, chat), APIError)
        assert error.partial.events == 0

    @pytest.mark.parametrize("tail", ["", 'data: {"id":', ": ping\n\n", "data"])
    async def test_cut_short(
        self, tail: str, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any
    ) -> None:
        prepare(f"data: {chunk('a')}\n\ndata: {chunk('b')}\n\n{tail}".encode())
        error = await failure(await start(client, chat), APIConnectionError)
        assert error.partial.text == "ab"
        assert error.partial.events == 2
        assert "broke off" in str(error)

    @pytest.mark.parametrize("reset", [False, True])
    async def test_connection_lost(
        self, reset: bool, client: AsyncOpenAI, server: Server, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        prepare(sse([chunk("a" * 2000)] * 10))
        server.fault(cut_after=10_000, reset=reset)
        error = await failure(await start(client, chat), APIConnectionError)
        assert error.__cause__ is not None
        assert error.request.method == "POST"
        assert set(error.partial.text) <= {"a"}
        assert (await client.models.list()).data  # the client is none the worse

    async def test_partial_of_several_choices(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        def of(index: int, text: str) -> str:
            event = json.loads(chunk(text))
            event["choices"][0]["index"] = index
            return json.dumps(event)

        both = json.loads(of(0, "e"))
        both["choices"] += json.loads(of(1, "f"))["choices"]
        prepare(sse([of(0, "a"), of(1, "b"), of(0, "c"), of(1, "d"), json.dumps(both)], done=False))
        error = await failure(await start(client, chat), APIConnectionError)
        assert error.partial.texts == {0: "ace", 1: "bdf"}
        assert error.partial.text == "ace"

    async def test_partial_of_responses(self, client: AsyncOpenAI, server: Server, sse: Any) -> None:
        delta = '{"type":"response.output_text.delta","delta":"%s","item_id":"i","output_index":0,"content_index":0}'
        server.reply_with("/responses", sse([delta % "a", delta % "b"], done=False), content_type=EVENTS)
        stream = await client.responses.create(model="m", input="i", stream=True)
        error = await failure(stream, APIConnectionError)
        assert error.partial.text == "ab"

    async def test_partial_of_completions(self, client: AsyncOpenAI, server: Server, sse: Any) -> None:
        server.reply_with(
            "/completions", sse(['{"id":"c","choices":[{"index":0,"text":"ab"}]}'], False), content_type=EVENTS
        )
        stream = await client.completions.create(model="m", prompt="p", stream=True)
        assert (await failure(stream, APIConnectionError)).partial.text == "ab"


@pytest.mark.usefixtures("transport")
class TestRetries:
    @pytest.mark.parametrize("cut", ["headers only", "half an event", "reset"])
    async def test_before_the_first_event(
        self, cut: str, server: Server, chat: dict[str, Any], raw_server: Any, chunk: Any, sse: Any
    ) -> None:
        async def fail_twice(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            head = server.head(kind=EVENTS)
            if server.connections <= 2:
                writer.write(head + (server.chunk(b'data: {"id"') if cut != "headers only" else b""))
                await writer.drain()
                if cut == "reset":
                    writer.transport.abort()
                return
            writer.write(head + server.chunk(sse([chunk("a")])) + server.chunk(b""))
            await writer.drain()

        raw = await raw_server(fail_twice)
        async with AsyncOpenAI(api_key="k", base_url=raw.base_url, retry=quick()) as client:
            assert await texts(await start(client, chat)) == ["a"]
            assert [r[1]["x-stainless-retry-count"] for r in raw.requests] == ["0", "1", "2"]

    async def test_as_often_as_retries_are_left(self, raw_server: Any, chat: dict[str, Any]) -> None:
        async def cut(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(kind=EVENTS))
            await writer.drain()

        for retries in (0, 1, 3):
            server = await raw_server(cut)
            async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=retries, retry=quick()) as client:
                error = await failure(await start(client, chat), APIConnectionError)
                assert error.partial.events == 0
            assert server.connections == retries + 1

    async def test_not_after_the_first_event(
        self, server: Server, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        prepare(sse([chunk("a")], done=False))
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=5, retry=quick()) as client:
            error = await failure(await start(client, chat), APIConnectionError)
        assert error.partial.text == "a"
        assert server.request_count == 1

    async def test_what_came_before_a_failure_is_not_lost(
        self, raw_server: Any, chat: dict[str, Any], chunk: Any, sse: Any
    ) -> None:
        """Also if all of it, and the failure, has come before the first look."""
        ended = asyncio.Event()

        async def cut(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(kind=EVENTS))
            await writer.drain()
            await started.wait()
            writer.write(server.chunk(sse([chunk("a"), chunk("b")], done=False)))
            writer.write_eof()
            ended.set()
            await server.watch(reader)

        started = asyncio.Event()
        server = await raw_server(cut)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            stream = await start(client, chat)
            started.set()
            await asyncio.wait_for(ended.wait(), 30)
            await asyncio.wait_for(server.gone.wait(), 30)
            error = await failure(stream, APIConnectionError)
        assert error.partial.text == "ab"

    async def test_of_a_status(self, server: Server, chat: dict[str, Any]) -> None:
        server.fault(status=503, headers={"retry-after-ms": "1"}, times=2)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            assert await texts(await start(client, chat))
        assert server.request_count == 3


def quick() -> Any:
    import tenacity

    async def no_sleep(_: float) -> None:
        await asyncio.sleep(0)

    return tenacity.AsyncRetrying(sleep=no_sleep)


@pytest.mark.usefixtures("transport")
class TestTimeouts:
    @pytest.mark.parametrize("how", ["nothing", "comments", "half"])
    async def test_first_event(self, how: str, raw_server: Any, chat: dict[str, Any]) -> None:
        server = await raw_server(stalling(how, []))
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            began = time.monotonic()
            stream = await start(client, chat, timeout=Timeout(10, first_event=0.2, idle=5))
            error = await failure(stream, APITimeoutError)
            assert 0.19 < time.monotonic() - began < 4
            assert "first_event" in str(error)
            assert "0.2" in str(error)
            assert error.__cause__ is not None
            await asyncio.wait_for(server.gone.wait(), 20)

    @pytest.mark.parametrize("how", ["nothing", "comments", "half"])
    async def test_idle(self, how: str, raw_server: Any, chat: dict[str, Any], chunk: Any) -> None:
        server = await raw_server(stalling(how, [chunk("a")]))
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            stream = await start(client, chat, timeout=Timeout(10, first_event=5, idle=0.2))
            await stream.__anext__()
            began = time.monotonic()
            error = await failure(stream, APITimeoutError)
            assert 0.19 < time.monotonic() - began < 4
            assert "idle" in str(error)
            assert error.partial.text == "a"
            await asyncio.wait_for(server.gone.wait(), 20)

    async def test_the_readers_own_time_does_not_count(
        self, client: AsyncOpenAI, chat: dict[str, Any], prepare: Any, chunk: Any, sse: Any
    ) -> None:
        prepare(sse([chunk("a"), chunk("b")]), chunk_size=20)
        stream = await start(client, chat, timeout=Timeout(10, idle=0.05))
        await stream.__anext__()
        await asyncio.sleep(0.1)
        assert await texts(stream) == ["b"]

    async def test_between_bytes(self, raw_server: Any, chat: dict[str, Any], chunk: Any) -> None:
        server = await raw_server(stalling("nothing", [chunk("a")]))
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            stream = await start(client, chat, timeout=0.2)
            began = time.monotonic()
            error = await failure(stream, APITimeoutError)
            assert 0.15 < time.monotonic() - began < 4
            assert error.partial.text == "a"

    async def test_first_event_is_tried_again(self, raw_server: Any, chat: dict[str, Any]) -> None:
        server = await raw_server(stalling("nothing", []))
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=1, retry=quick()) as client:
            await failure(await start(client, chat, timeout=Timeout(first_event=0.05)), APITimeoutError)
        assert server.connections == 2

    async def test_total(self, raw_server: Any, chat: dict[str, Any], chunk: Any) -> None:
        server = await raw_server(stalling("comments", [chunk("a")]))
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            began = time.monotonic()
            stream = await start(client, chat, timeout=Timeout(10, total=0.3))
            error = await failure(stream, APITimeoutError)
            assert 0.29 < time.monotonic() - began < 4
            assert error.partial.text == "a"


def stalling(how: str, events: list[str]) -> Any:
    """A server that sends these events, and then nothing, or nothing but comments, or half an event."""

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(server.head(kind=EVENTS))
        for event in events:
            writer.write(server.chunk(f"data: {event}\n\n".encode()))
        if how == "half":
            writer.write(server.chunk(b'data: {"id'))
        if how != "comments":
            await server.watch(reader)
            return
        watching = asyncio.ensure_future(server.watch(reader))
        while not watching.done():
            writer.write(server.chunk(b": ping\n\n"))
            await asyncio.wait([watching], timeout=0.02)

    return serve


class _Reply:
    """A reply in memory, for tests of its bytes alone."""

    status = 200
    reason = "OK"
    elapsed = 0.0

    def __init__(self, pieces: list[bytes]) -> None:
        from aiopenai._http.messages import HTTPRequest

        self.request = HTTPRequest("POST", "http://h/v1/chat/completions")
        self.headers: dict[str, str] = {}
        self._pieces = pieces
        self.closed = False

    def items(self) -> Any:
        return self.headers.items()

    async def read_some(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def drain(self, seconds: float) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "delta", "index", "finish_reason", "content", "type", "text", "usage", "error", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
CHUNKS = st.fixed_dictionaries({"choices": JSON | st.lists(st.fixed_dictionaries({"index": JSON, "delta": JSON}))})


@pytest.mark.once
class TestAnything:
    @settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
    @given(events=st.lists(JSON | CHUNKS, max_size=5), done=st.booleans(), cut=st.integers(0, 200))
    def test_no_stream_of_json_breaks_it(self, events: list[Any], done: bool, cut: int) -> None:
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + ("data: [DONE]\n\n" if done else "")
        raw = body.encode()

        async def read() -> None:
            reply: Any = _Reply([piece for piece in (raw[:cut], raw[cut:]) if piece])
            stream = AsyncStream(
                cast_to=Any,
                response=StreamSource(reply, Decoder[Any].of(ChatCompletionChunk), timeout=Timeout()),
                client=None,
            )
            got: list[Any] = []
            failure: APIError | None = None
            try:
                async for event in stream:
                    got.append(event)
            except APIError as error:
                failure = error
            if failure is None:
                assert len(got) == sum(isinstance(event, dict) for event in events)
            else:
                assert failure.partial.events == len(got)
                assert str(failure)
            assert reply.closed

        asyncio.run(read())

    @settings(max_examples=200)
    @given(raw=st.binary(max_size=300))
    def test_no_bytes_break_it(self, raw: bytes) -> None:
        async def read() -> None:
            reply: Any = _Reply([raw[:7], raw[7:]])
            stream = AsyncStream(
                cast_to=Any,
                response=StreamSource(reply, Decoder[Any].of(ChatCompletionChunk), timeout=Timeout()),
                client=None,
            )
            with contextlib.suppress(APIError):
                async for _ in stream:
                    pass
            assert reply.closed

        asyncio.run(read())


class Watch:
    """Hooks that note their calls."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def events(self, events: Any) -> None:
        self.told.append(f"{len(events)} events")

    def ended(self) -> None:
        self.told.append("ended")

    def failed(self, error: BaseException) -> None:
        self.told.append(type(error).__name__)


class TestWithoutANetwork:
    """The hooks, the limit of an event, and streams that are not closed."""

    def of(self, *pieces: bytes, **options: Any) -> Any:
        reply: Any = _Reply([*pieces])
        reply.loop = asyncio.get_running_loop()
        stream: Any = AsyncStream(
            cast_to=Any,
            response=StreamSource(reply, Decoder[Any].of(ChatCompletionChunk), timeout=Timeout(), **options),
            client=None,
        )
        stream.watch = Watch()
        return stream

    async def test_the_hooks_of_a_finished_stream(self) -> None:
        stream = self.of(sse(part("a"), part("b")).encode(), sse(part("c", "stop"), "[DONE]").encode())
        assert stream.response.status_code == 200
        assert len([event async for event in stream]) == 3
        assert stream.watch.told == ["2 events", "1 events", "ended"]

    @pytest.mark.parametrize("end", ['data: {"error": "x"}\n\n', "error: x\n\n", "data: oops\n\n", ""])
    async def test_the_hooks_of_a_stream_that_fails(self, end: str) -> None:
        stream = self.of((sse(part("a")) + end).encode())
        with pytest.raises(APIError):
            [event async for event in stream]
        assert stream.watch.told[0] == "1 events"
        assert stream.watch.told[1].startswith("API")
        assert len(stream.watch.told) == 2

    async def test_the_hooks_of_a_stream_that_is_closed(self) -> None:
        stream = self.of(sse(part("a")).encode())
        await stream.close()
        assert stream.watch.told == ["ended"]
        assert stream._reply.closed

    async def test_a_stream_that_is_cancelled(self) -> None:
        stream = self.of()

        async def never() -> bytes:
            return await asyncio.get_running_loop().create_future()

        stream._reply.read_some = never
        task = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert stream._reply.closed
        assert stream.watch.told == ["CancelledError"]
        assert [event async for event in stream] == []

    @pytest.mark.parametrize("size", [1, 50, 5000])
    async def test_the_limit_of_an_event(self, size: int) -> None:
        raw = sse(part("a"), part("x" * 500), "[DONE]").encode()
        stream = self.of(*(raw[at : at + size] for at in range(0, len(raw), size)), max_event_bytes=300)
        with pytest.raises(APIResponseValidationError, match="max_event_bytes=300") as caught:
            [event async for event in stream]
        assert caught.value.__cause__ is not None
        assert caught.value.__cause__.__traceback__ is None

    async def test_one_that_is_not_closed(self) -> None:
        stream = self.of(sse(part("a")).encode())
        reply, watch = stream._reply, stream.watch
        del stream
        assert watch.told == ["ended"]
        assert not reply.closed
        await asyncio.sleep(0)
        assert reply.closed

    async def test_one_that_another_thread_collects(self) -> None:
        streams = [self.of(sse(part("a")).encode())]
        reply, watch = streams[0]._reply, streams[0].watch
        await asyncio.to_thread(streams.clear)
        await asyncio.sleep(0)
        assert reply.closed
        assert watch.told == ["ended"]

    async def test_one_whose_reply_has_no_loop(self) -> None:
        stream = self.of(sse(part("a")).encode())
        reply = stream._reply
        del reply.loop
        del stream
        assert not reply.closed

    @pytest.mark.parametrize("events", ["", "named", "bare"])
    async def test_the_treatment_of_names_and_errors(self, events: Any) -> None:
        raw = b'event: error\ndata: {"id": "c", "choices": [], "error": {"message": "x"}}\n\ndata: [DONE] \n\n'
        stream = self.of(raw, events=events)
        if events == "bare":
            assert len([event async for event in stream]) == 1
        else:
            with pytest.raises(APIError, match="x"):
                [event async for event in stream]
