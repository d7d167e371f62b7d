"""Replies that are not the expected ones: the server's own words, once, and no second request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai import APIError, APIResponseValidationError, AsyncOpenAI, BaseModel, OpenAI
from aiopenai._calls.unexpected import carried_error, error_of, result_getter, unexpected_reply
from aiopenai._data.codec import Decoder
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai.testing import Server
from aiopenai.types import Batch, CreateEmbeddingResponse, FileDeleted
from aiopenai.types.chat import ChatCompletion
from aiopenai.types.responses import Response

ERROR = {"message": "The model is overloaded.", "type": "server_error", "code": 503}


class Open(BaseModel):
    text: str | None = None


class WithDetail(BaseModel):
    detail: str
    message: str | None = None


# Bodies without a result, in the forms of frameworks and gateways.
REFUSALS: list[Any] = [
    {"detail": "Model not loaded"},
    {"detail": [{"loc": ["body", "model"], "msg": "field required", "type": "missing"}]},
    {"detail": {"code": "overloaded", "message": "try later"}},
    {"errors": [{"message": "bad input"}]},
    {"errors": ["bad input"]},
    {"errors": {"input": ["is empty"]}, "title": "Invalid"},
    {"type": "about:blank", "title": "Bad Gateway", "status": 502, "detail": "upstream"},
    {"success": False, "message": "quota"},
    {"ok": False, "error_message": "quota"},
    {"error_code": 500, "error_msg": "busy"},
    {"code": 503, "msg": "busy"},
    {"code": "503", "message": "busy"},
    {"status": "failed", "message": "busy"},
    {"type": "InternalServerError", "message": "busy"},
    {"base_resp": {"status_code": 1004, "status_msg": "login fail"}},
]
HARMLESS: list[Any] = [
    {},
    {"detail": None},
    {"detail": ""},
    {"errors": []},
    {"message": "done"},
    {"message": "done", "code": 0},
    {"message": "done", "status": "ok", "success": True},
    {"base_resp": {"status_code": 0, "status_msg": "success"}},
]
LONG = {**ERROR, "padding": "x" * 70_000}


def reply(content: bytes, kind: str = "application/json") -> HTTPResponse:
    return HTTPResponse(200, Headers([("content-type", kind)]), content, HTTPRequest("POST", "http://h/v1/x?key=1"))


class TestCarriedError:
    @pytest.mark.parametrize(
        ("kind", "body", "carried"),
        [
            (ChatCompletion, {"error": ERROR}, True),
            (ChatCompletion, {"error": "overloaded"}, True),
            (ChatCompletion, {"error": ERROR, "user_id": "u"}, True),
            (
                ChatCompletion,
                {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "error": ERROR},
                True,
            ),
            (ChatCompletion, {"error": ERROR, "choices": None}, True),
            (ChatCompletion, {"error": ERROR, "choices": []}, False),
            (ChatCompletion, {"error": None, "id": "c"}, False),
            (ChatCompletion, {"error": {}}, False),
            (ChatCompletion, {"object": "error", "message": "no such model", "code": 404}, True),
            (ChatCompletion, {"id": "c", "choices": [{"message": {"content": '"error"'}}]}, False),
            (CreateEmbeddingResponse, {"error": ERROR, "usage": {"prompt_tokens": 0}}, True),
            (CreateEmbeddingResponse, {"object": "list", "data": [], "error": ERROR}, False),
            (Response, {"error": ERROR}, True),
            (Response, {"id": "resp_1", "status": "failed", "error": ERROR}, False),
            (dict, {"error": ERROR}, True),
            (dict, {"error": ERROR, "result": 1}, False),
            (dict, {"error": None}, False),
            (list, ["error"], False),
            (CreateEmbeddingResponse, [{"error": ERROR}], True),
            (CreateEmbeddingResponse, [{"error": ERROR, "index": 0}], False),
            (CreateEmbeddingResponse, [{"error": ERROR}, {"error": ERROR}], False),
            *((kind, body, True) for kind in (ChatCompletion, CreateEmbeddingResponse, Response) for body in REFUSALS),
            *((kind, body, False) for kind in (ChatCompletion, Response) for body in HARMLESS),
            (ChatCompletion, {"id": "c", "choices": [], "detail": "cached"}, False),
            (Batch, {"errors": {"data": [{"message": "bad line"}]}}, False),
            (Batch, {"id": "batch_1", "errors": {"data": []}}, False),
            (WithDetail, {"detail": "of the answer"}, False),
            (WithDetail, {"errors": ["x"]}, True),
            (dict, {"detail": "x"}, False),
        ],
        ids=str,
    )
    def test_replies(self, kind: Any, body: Any, carried: bool) -> None:
        raw = json.dumps(body).encode()
        value = Decoder.of(kind)(raw)
        assert (carried_error(raw, value) is not None) is carried
        if carried and kind is not dict and isinstance(body, dict):
            assert result_getter(kind)(value) is None

    def test_a_reply_with_its_result_is_not_searched(self) -> None:
        for kind, body in (
            (ChatCompletion, {"id": "c", "choices": []}),
            (CreateEmbeddingResponse, {"data": []}),
            (Response, {"id": "resp_1", "output": [], "error": ERROR}),
            (FileDeleted, {"id": "file-1", "deleted": False}),
        ):
            assert result_getter(kind)(Decoder.of(kind)(json.dumps(body).encode())) is not None

    def test_a_type_without_required_fields_is_always_searched(self) -> None:
        assert result_getter(Open)(Decoder.of(Open)(b'{"text": "x"}')) is None

    def test_a_large_body_is_a_reply(self) -> None:
        raw = json.dumps({"error": LONG}).encode()
        assert carried_error(raw, Decoder.of(ChatCompletion)(raw)) is None

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"detail": "Model not loaded"}, "Model not loaded"),
            ({"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "too long"}]}, "field required; too long"),
            ({"detail": {"error": {"message": "deep"}}}, "deep"),
            ({"errors": [{"message": "a"}, "b", {"detail": "c"}, 5]}, "a; b; c"),
            ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
            ({"title": "Bad Gateway", "errors": {"x": 1}}, "Bad Gateway"),
            ({"message": {"text": 1}, "detail": "said"}, "said"),
            ({"detail": [[[[[[["too deep"]]]]]]]}, "The server reported an error without a message."),
        ],
    )
    def test_words(self, body: Any, words: str) -> None:
        error = unexpected_reply(reply(json.dumps(body).encode()), body=body)
        assert type(error) is APIError
        assert str(error) == words
        assert error.body == body

    def test_error_of(self) -> None:
        assert error_of({"error": "x"}) == error_of([{"error": "x"}]) == "x"
        assert error_of({"object": "error", "message": "m"}) == {"object": "error", "message": "m"}
        for nothing in (None, [], "error", {}, {"error": 0}, {"object": "error"}):
            assert error_of(nothing) is None


class TestUnexpectedReply:
    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (json.dumps({"error": ERROR}).encode(), "application/json"),
            (json.dumps({"error": ERROR}).encode(), "text/event-stream"),
            (json.dumps({"error": ERROR}).encode(), "text/html"),
            (json.dumps([{"error": ERROR}]).encode(), "application/json"),
            (f"data: {json.dumps([{'error': ERROR}])}\n\n".encode(), "text/event-stream"),
            (f"data: {json.dumps({'error': ERROR})}\n\ndata: [DONE]\n\n".encode(), "text/event-stream"),
            (f"event: error\ndata: {json.dumps(ERROR)}\n\n".encode(), "text/event-stream"),
            (f'data: {{"id": 1}}\n\ndata: {json.dumps({"error": ERROR})}\n\n'.encode(), "text/plain"),
        ],
    )
    def test_the_servers_own_error(self, content: bytes, kind: str) -> None:
        for wanted in ("a JSON object", "an event stream"):
            error = unexpected_reply(reply(content, kind), wanted=wanted)
            assert type(error) is APIError
            assert (str(error), error.code, error.type) == ("The model is overloaded.", "503", "server_error")

    def test_an_error_event_of_text(self) -> None:
        error = unexpected_reply(reply(b"event: error\ndata: out of memory\n\n", "text/event-stream"))
        assert str(error) == "out of memory"

    def test_an_error_without_words(self) -> None:
        assert "without a message" in str(unexpected_reply(reply(b""), body={"code": 1}))

    @pytest.mark.parametrize(
        ("content", "kind", "wanted", "why"),
        [
            (b"<html>Log in", "text/html", "a JSON object", "is not a JSON object"),
            (b"<html>Log in", "text/html", "an event stream", "is not an event stream"),
            (b'data: {"id": 1}\n\n', "text/event-stream", "a JSON object", "stream=True"),
            (b'data: {"id": 1}\n\n', "text/event-stream", "an event stream", "is not an event stream"),
            (b'{"id": 1}', "application/json", "an event stream", "is not an event stream"),
            (b'{"id": 1}', "text/event-stream", "an event stream", "is not an event stream"),
            (b"[1]", "application/json", "a JSON object", "is not a JSON object"),
            (b"", "application/json", "a JSON object", "is not a JSON object"),
            (json.dumps({"error": LONG}).encode(), "application/json", "an event stream", "is not an event stream"),
        ],
    )
    def test_other_replies(self, content: bytes, kind: str, wanted: str, why: str) -> None:
        error = unexpected_reply(reply(content, kind), wanted=wanted)
        assert isinstance(error, APIResponseValidationError)
        for part in (why, "http://h/v1/x ", kind, repr(content[:20].decode())[1:-1]):
            assert part in str(error)
        assert len(str(error)) < 500
        assert error.response.content == content

    def test_too_long_an_event(self) -> None:
        error = unexpected_reply(reply(b"data: \xff\n\n", "text/event-stream"), cause=ValueError("bad"))
        assert isinstance(error, APIResponseValidationError)


@pytest.mark.usefixtures("transport")
class TestPlainCalls:
    @pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/models"])
    async def test_an_error_with_status_200(self, path: str, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with(path, {"error": ERROR})
        calls = {
            "/chat/completions": lambda: client.chat.completions.create(model="m", messages=[]),
            "/embeddings": lambda: client.embeddings.create(model="m", input="x"),
            "/models": client.models.list,
        }
        with pytest.raises(APIError, match="overloaded") as caught:
            await calls[path]()
        assert type(caught.value) is APIError
        assert server.request_count == 1

    @pytest.mark.parametrize("body", REFUSALS, ids=str)
    async def test_a_refusal_with_status_200(self, body: Any, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/embeddings", body)
        with pytest.raises(APIError) as caught:
            await client.embeddings.create(model="m", input="x")
        assert type(caught.value) is APIError
        assert caught.value.body in (body, body.get("base_resp"))
        assert "without a message" not in str(caught.value) or "title" not in body
        assert server.request_count == 1

    async def test_a_stream_in_place_of_a_reply(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        server.reply_with("/chat/completions", b'data: {"id":"c"}\n\n', content_type="text/event-stream")
        with pytest.raises(APIResponseValidationError, match="stream=True"):
            await client.chat.completions.create(**chat)
        assert server.request_count == 1

    async def test_raw_replies(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        server.reply_with("/chat/completions", {"error": ERROR})
        raw = await client.chat.completions.with_raw_response.create(**chat)
        assert raw.json() == {"error": ERROR}
        with pytest.raises(APIError, match="overloaded"):
            raw.parse()


ANSWERED: dict[str, Any] = {
    "/models": lambda client: client.models.list(),
    "/embeddings": lambda client: client.embeddings.create(model="m", input="x"),
    "/chat/completions": lambda client: client.chat.completions.create(model="m", messages=[]),
}


@pytest.mark.parametrize("path", ANSWERED)
async def test_an_error_in_an_array(path: str, client: AsyncOpenAI, server: Server) -> None:
    server.reply_with(path, [{"error": ERROR}])
    with pytest.raises(APIError, match="overloaded") as caught:
        await ANSWERED[path](client)
    assert caught.value.code == "503"


@pytest.mark.parametrize("to", [dict, list, object, str])
async def test_a_list_as_another_type(to: Any, client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/models", ITEMS if to is list else {"data": ITEMS})
    raw = await client.models.with_raw_response.list()
    assert isinstance(raw.parse(to=to), to)
    assert [item.id for item in raw.parse().data] == ["a", "b"]


@pytest.mark.parametrize("path", ["/models", "/files"])
async def test_nothing_in_place_of_a_list(path: str, client: AsyncOpenAI, server: Server) -> None:
    server.reply_with(path, b"", status=204)
    listed = client.models.list() if path == "/models" else client.files.list()
    with pytest.raises(APIResponseValidationError, match="is not a JSON object"):
        [item async for item in listed]


ITEMS = [{"id": "a", "object": "model"}, {"id": "b", "object": "model"}]


async def test_a_bare_array_is_a_list(client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/models", ITEMS)
    server.reply_with("/files", ITEMS)
    page = await client.models.list()
    assert [item.id for item in page.data] == ["a", "b"]
    assert not page.has_next_page()
    assert [item.id async for item in client.models.list()] == ["a", "b"]
    page = await client.files.list()
    assert [item.id for item in page.data] == ["a", "b"]
    assert page.to_dict() == {"data": ITEMS}
    # A list with pages: the array is all there is.
    for space in (b"", b"\n "):
        server.reply_with("/files", space + json.dumps(ITEMS).encode())
        asked = len(server.journal)
        assert [item.id async for item in client.files.list()] == ["a", "b"]
        assert len(server.journal) == asked + 1
    server.reply_with("/models/m", ITEMS)
    with pytest.raises(APIResponseValidationError, match="JSON object"):
        await client.models.retrieve("m")


def test_a_bare_array_in_the_blocking_client() -> None:
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        server.reply_with("/models", ITEMS)
        assert [item.id for item in client.models.list()] == ["a", "b"]
        server.reply_with("/models", [])
        assert list(client.models.list()) == []
