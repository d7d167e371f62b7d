from __future__ import annotations

import copy
import inspect
import json
import pickle
import sys
import types
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aiopenai
from aiopenai import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    InternalServerError,
    errors,
)
from aiopenai._calls.streaming import Partial
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse
from aiopenai.errors import Close, WebSocketConnectionClosedError, closed_error, error_from_body, error_from_response
from aiopenai.testing import Server

KEY = "sk-canary-4711"
STATUSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    502: "InternalServerError",
    529: "InternalServerError",
    418: "APIStatusError",
}
TREE = [getattr(errors, name) for name in errors.__all__ if inspect.isclass(getattr(errors, name))]


def request() -> HTTPRequest:
    return HTTPRequest("POST", "http://h/v1/x", [("Authorization", f"Bearer {KEY}"), ("X-A", "1")])


def response(
    status: int = 400,
    body: bytes = b'{"error": {"message": "No.", "code": 7, "param": "p", "type": "t"}}',
    **headers: str,
) -> HTTPResponse:
    items = [(name.replace("_", "-"), value) for name, value in {"x_request_id": "req_1", **headers}.items()]
    return HTTPResponse(status, Headers(items), body, request())


class Completion:
    usage = "3 tokens"
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Completion)


def example(cls: Any) -> Any:
    """An error of a class, made as its users make it."""
    if issubclass(cls, errors.OAuthError):
        return cls(response=response(401), body={"error": "invalid_grant", "error_description": "Expired."})
    if issubclass(cls, APIStatusError):
        return cls("No.", response=response(), body={"message": "No.", "code": "c", "param": "p", "type": "t"})
    if issubclass(cls, APIResponseValidationError):
        return cls(response(200), {"a": 1}, message="Not that.")
    if issubclass(cls, APITimeoutError):
        return cls(request())
    if issubclass(cls, APIConnectionError):
        return cls(message="Gone.", request=request())
    if issubclass(cls, APIError):
        return cls("No.", request(), body={"code": "c"})
    if issubclass(cls, (errors.LengthFinishReasonError, errors.ContentFilterFinishReasonError)):
        return cls(completion=Completion())
    if issubclass(cls, errors.WebSocketConnectionClosedError):
        return cls("Closed.", unsent_messages=["a", b"b", b"\xff"])
    if issubclass(cls, errors.SubjectTokenProviderError):
        return cls("No token.", response=response())
    return cls("Why.")


class TestTree:
    def test_as_the_reference(self) -> None:
        openai = pytest.importorskip("openai")
        theirs = {
            name: value
            for name, value in list(vars(openai).items())
            if not name.startswith("_")
            and inspect.isclass(value)
            and issubclass(value, Exception)
            and not issubclass(value, Warning)
        }
        assert set(theirs) <= {cls.__name__ for cls in TREE}
        for name, cls in theirs.items():
            ours = getattr(aiopenai, name)
            assert [c.__name__ for c in ours.__mro__ if not c.__name__.startswith("_")] == [
                c.__name__ for c in cls.__mro__
            ], name
            assert ours.__name__ == name

    def test_attributes_as_the_reference(self) -> None:
        openai = pytest.importorskip("openai")
        httpx = pytest.importorskip("httpx2")
        sent = httpx.Request("POST", "http://h/v1/x")
        body = {"message": "No.", "code": "c", "param": "p", "type": "t"}
        got = httpx.Response(400, headers={"x-request-id": "req_1"}, json={"error": body}, request=sent)
        theirs = openai.BadRequestError("No.", response=got, body=body)
        ours = errors.BadRequestError("No.", response=response(), body=body)
        for name in ("message", "status_code", "request_id", "body", "code", "param", "type"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert set(vars(theirs)) <= set(vars(ours)) | {"retry_after"}

    @pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
    def test_constructors_as_the_reference(self, cls: Any) -> None:
        openai = pytest.importorskip("openai")
        theirs: Any = getattr(openai, cls.__name__, None)
        if theirs is None or "__init__" not in vars(theirs):
            pytest.skip("inherited there")
        expected = inspect.signature(theirs.__init__).parameters
        found = inspect.signature(cls.__init__).parameters
        assert set(expected) <= set(found)

    @pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
    def test_pickling(self, cls: Any) -> None:
        error = example(cls)
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(again) is cls
            assert str(again) == str(error)
            assert str(error)
            assert repr(again) == repr(error)
            assert set(vars(again)) == set(vars(error))
            for name in ("status_code", "request_id", "body", "code", "param", "type", "error", "unsent_frames"):
                assert getattr(again, name, None) == getattr(error, name, None)
            if hasattr(error, "response"):
                assert again.response.content == error.response.content
                assert dict(again.response.headers) == dict(error.response.headers)
                assert again.response.request.headers["x-a"] == "1"
        assert KEY.encode() not in pickle.dumps(error)
        assert KEY not in str(error) + repr(error) + repr(vars(error))

    @pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
    def test_pickling_of_subclasses(self, cls: Any) -> None:
        error = example(type("Mine", (cls,), {"__module__": __name__}))
        globals()["Mine"] = type(error)
        error.note = "kept"
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert again.note == "kept"


class TestFromResponse:
    @pytest.mark.parametrize(("status", "name"), STATUSES.items())
    def test_by_status(self, status: int, name: str) -> None:
        error = error_from_response(response(status))
        assert type(error).__name__ == name
        assert error.status_code == status
        assert error.request_id == "req_1"
        assert (error.code, error.param, error.type) == ("7", "p", "t")
        assert error.body == {"message": "No.", "code": 7, "param": "p", "type": "t"}
        assert str(error) == f"Error code: {status} - No. (request id: req_1)"
        assert error.response.status_code == status
        assert error.request.url == "http://h/v1/x"

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b'{"error": "model not found"}', "model not found"),
            (b'{"message": "bare"}', "bare"),
            (b'{"detail": "Not authenticated"}', "Not authenticated"),
            (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
            (b'{"error": null, "message": "beside"}', "beside"),
            (b'{"error": {"code": 3}}', "3"),
            (b'{"error": {"message": null, "code": "c"}}', "c"),
            (b'{"error": {"message": {"deep": "er"}}}', "er"),
            (b'[{"error": {"message": "listed"}}]', "Error code: 502 - listed"),
            (b'"quoted"', "quoted"),
            (b"plain", "plain"),
            (b"<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
            (b"", "Error code: 502"),
            (b"{}", "Error code: 502"),
            (b"null", "Error code: 502"),
            (b"[]", "Error code: 502"),
            (b"\xff\xfe\x00", "Error code: 502"),
            (b"[" * 100_000, "Error code: 502"),
            (b"[" * 100_000 + b"]" * 100_000, "Error code: 502"),
        ],
    )
    def test_bodies_of_odd_shapes(self, body: bytes, said: str) -> None:
        error = error_from_response(response(502, body))
        assert type(error) is InternalServerError
        assert said in str(error)
        assert len(str(error)) < 1000
        pickle.loads(pickle.dumps(error))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["error", "message", "code", "param", "type"]) | st.text(), inner)
            ),
            max_leaves=8,
        ),
        st.integers(400, 599),
    )
    def test_any_json(self, body: Any, status: int) -> None:
        import json

        error = error_from_response(response(status, json.dumps(body).encode()))
        assert error.status_code == status
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error)
        assert again.body == error.body

    @given(st.binary(max_size=100))
    def test_any_bytes(self, body: bytes) -> None:
        assert "Error code: 500" in str(error_from_response(response(500, body)))

    async def test_from_the_server(self, server: Server, client: AsyncOpenAI) -> None:
        with pytest.raises(aiopenai.NotFoundError) as caught:
            await client.models.retrieve("nope")
        error = caught.value
        assert error.status_code == 404
        assert error.request_id is not None
        assert error.request_id in str(error)
        assert error.request.method == "GET"
        assert error.request.url == f"{server.base_url}/models/nope"
        assert error.response.headers["content-type"] == "application/json"
        assert isinstance(error.body, dict)
        assert error.response.json()["error"] == error.body

    async def test_gateway_page(self, server: Server, client: AsyncOpenAI) -> None:
        page = b"<html><head><title>502 Bad Gateway</title></head>" + b"<p>x</p>" * 5000
        server.fault(status=502, body=page, content_type="text/html")
        with pytest.raises(InternalServerError, match="502 Bad Gateway") as caught:
            await client.with_options(max_retries=0).models.list()
        assert caught.value.body == page.decode()
        assert len(str(caught.value)) < 1000


class TestFromBody:
    @pytest.mark.parametrize("body", [{"message": "m", "code": 1}, {"message": None}, {}, "text", "", None, [1], 5])
    def test_shapes(self, body: Any) -> None:
        error = error_from_body(body, request())
        assert type(error) is APIError
        assert str(error)
        assert error.body == body


class TestFields:
    def test_partial(self) -> None:
        partial = Partial(texts={0: "a", 1: "b"}, events=2, last=None)
        error = APIConnectionError(request=request())
        assert error.partial is None
        error.partial = partial
        again = pickle.loads(pickle.dumps(error))
        assert again.partial == partial
        assert again.partial.text == "a"
        assert Partial(texts={}, events=0, last=None).text == ""

    def test_no_text_of_the_servers_can_be_long_in_str(self) -> None:
        assert len(str(error_from_response(response(500, b"x" * 100_000)))) < 1000

    def test_oauth(self) -> None:
        error = example(errors.OAuthError)
        assert (str(error), error.error) == ("Expired. (request id: req_1)", "invalid_grant")
        assert errors.OAuthError(response=response(401), body="text").error is None

    def test_websocket(self) -> None:
        error = example(errors.WebSocketConnectionClosedError)
        assert error.unsent_messages == ["a", "b"]
        assert error.unsent_frames == ["a", b"b", b"\xff"]

    def test_webhook(self) -> None:
        assert issubclass(errors.InvalidWebhookSignatureError, ValueError)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"raw": "too many tokens", "provider_name": "P"}, "upstream (P: too many tokens)"),
        ({"raw": "too many tokens"}, "upstream (too many tokens)"),
        ({"raw": '{"error": {"message": "no room"}}', "provider_name": "P"}, "upstream (P: no room)"),
        ({"raw": '{"message": "no room"}'}, "upstream (no room)"),
        ({"raw": {"error": "no room"}, "provider_name": 7}, "upstream (no room)"),
        ({"raw": '{"broken'}, 'upstream ({"broken)'),
        ({"raw": ""}, "upstream"),
        ({"raw": None}, "upstream"),
        ({"raw": "upstream"}, "upstream"),
        ("no mapping", "upstream"),
        ({}, "upstream"),
    ],
    ids=range(11),
)
@pytest.mark.parametrize("kind", ["status", "stream", "success"])
async def test_words_of_an_upstream_provider(server: Any, metadata: Any, message: str, kind: str) -> None:
    error = {"error": {"message": "upstream", "code": 502, "metadata": metadata}}
    body: Any = json.dumps(error)
    content_type = "application/json"
    if kind == "stream":
        body, content_type = f"data: {body}\n\n", "text/event-stream"
    server.fault(status=400 if kind == "status" else 200, body=body, content_type=content_type)
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:

        async def use() -> None:
            found: Any = await client.chat.completions.create(model="m", messages=[], stream=kind == "stream")
            async for _ in found:
                pass

        with pytest.raises(APIError) as caught:
            await use()
    assert caught.value.message.endswith(message)


def test_errors_are_those_of_websockets_too_where_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    class ConnectionClosed(Exception):
        pass

    class ConnectionClosedOK(ConnectionClosed):
        pass

    class ConnectionClosedError(ConnectionClosed):
        pass

    module: Any = types.ModuleType("websockets.exceptions")
    module.ConnectionClosedOK, module.ConnectionClosedError = ConnectionClosedOK, ConnectionClosedError
    monkeypatch.setitem(sys.modules, "websockets.exceptions", module)
    clean = closed_error(Close(1000), Close(1000))
    assert isinstance(clean, ConnectionClosedOK)
    assert isinstance(clean, WebSocketConnectionClosedError)
    lost = closed_error(None, None, unsent=["a", b"\xff"])
    assert isinstance(lost, ConnectionClosedError)
    again = pickle.loads(pickle.dumps(lost))
    assert type(again) is WebSocketConnectionClosedError
    assert (again.code, again.unsent_frames, str(again)) == (1006, ["a", b"\xff"], str(lost))
