"""The requests of the low-level verbs: options, bodies, logins in URLs, and types of replies that are refused."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aiopenai import AsyncOpenAI, OpenAI, Request, omit
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai._calls.paging import AsyncPage
from aiopenai._calls.request import Endpoint
from aiopenai._client.verb_requests import apply_options, verb_request
from aiopenai._http.messages import HTTPResponse
from aiopenai.testing import Server
from aiopenai.types import Model

KINDS: list[Any] = [
    Model,
    HTTPResponse,
    HttpxBinaryResponseContent,
    AsyncPage,
    AsyncPage[Model],
    dict,
    dict[str, Model],
]
KINDS += [list, str, bytes, int, float, bool, type(None), object, Any, Model | None]


def made(path: str = "/x", cast_to: Any = object, **given: Any) -> Request[Any]:
    """The request of a verb."""
    arguments = {"body": None, "content": None, "files": None, "options": None, "more": {}, **given}
    found = verb_request("POST", path, cast_to, **arguments)
    assert isinstance(found, Request)
    return found


class TestRequest:
    def test_endpoint(self) -> None:
        endpoint = made(cast_to=Model).endpoint
        assert (endpoint.method, endpoint.path, endpoint.security) == ("POST", "/x", "any")
        assert (endpoint.reply, endpoint.event, endpoint.page) == (Model, Model, None)

    def test_pages(self) -> None:
        for kind in (AsyncPage, AsyncPage[Model]):
            assert made(cast_to=kind).endpoint.page is kind

    def test_streams(self) -> None:
        class Events:
            pass

        request = made(stream=True, stream_cls=Events)
        assert (request.stream, request.endpoint.event) == (True, Events)
        assert made(cast_to=Model, stream=True).endpoint.event is Model
        assert made().stream is False

    def test_bodies(self) -> None:
        request = made(body={"a": 1}, files={"f": b"1", "g": b"2"})
        assert (request.body, request.files, request.content) == ({"a": 1}, [("f", b"1"), ("g", b"2")], None)
        pairs = [("f", b"1"), ("f", b"2")]
        assert made(files=pairs).files == pairs
        assert made(content=b"raw").content == b"raw"

    @pytest.mark.parametrize("beside", ["body", "files"])
    def test_content_stands_alone(self, beside: str) -> None:
        with pytest.raises(TypeError, match="content cannot be given together"):
            made(content=b"", **{beside: {}})


class TestLogin:
    @pytest.mark.parametrize(
        ("path", "sent", "authorization"),
        [
            ("https://h/x", "https://h/x", None),
            ("https://us%40er:p%3Aw@h:1/x?q=@", "https://h:1/x?q=@", "Basic dXNAZXI6cDp3"),
            ("https://user@h/x", "https://h/x", "Basic dXNlcjo="),
            ("https://a:b@c:d@h/x", "https://h/x", "Basic YTpiQGM6ZA=="),
            ("/x@y", "/x@y", None),
            ("x@y", "x@y", None),
            ("https://h/x@y", "https://h/x@y", None),
        ],
    )
    def test_it_becomes_a_header(self, path: str, sent: str, authorization: str | None) -> None:
        request = made(path)
        assert (request.path, request.endpoint.path) == (sent, sent)
        assert dict(request.headers or {}) == ({} if authorization is None else {"Authorization": authorization})

    def test_a_header_of_the_program_wins(self) -> None:
        for name in ("Authorization", "authorization"):
            request = made("https://user:pw@h/x", more={"extra_headers": {name: "mine"}})
            assert dict(request.headers or {}) == {name: "mine"}

    def test_other_headers_stay(self) -> None:
        request = made("https://user:pw@h/x", more={"extra_headers": {"x-a": "1"}})
        assert dict(request.headers or {}) == {"x-a": "1", "Authorization": "Basic dXNlcjpwdw=="}


class TestOptions:
    def applied(self, options: Any = None, **more: Any) -> Request[Any]:
        request: Request[Any] = Request(endpoint=Endpoint(method="POST", path="/x"), path="/x", body={"a": 1})
        apply_options(request, options, more)
        return request

    def test_the_names_of_the_dict(self) -> None:
        request = self.applied({"headers": {"X-A": "1", "X-B": omit}, "params": {"q": 1}, "extra_json": {"b": 2}})
        assert request.headers == {"X-A": "1", "X-B": omit}
        assert request.query == {"q": 1}
        assert request.body == {"a": 1, "b": 2}

    def test_options_of_both_kinds(self) -> None:
        request = self.applied({"timeout": 3, "max_retries": 1, "idempotency_key": "i"})
        assert request.options["max_retries"] == 1
        assert request.options["idempotency_key"] == "i"
        assert request.options == self.applied(timeout=3, max_retries=1, idempotency_key="i").options
        assert self.applied({"extra_query": {"q": 1}}).query == {"q": 1}

    def test_keyword_arguments_win(self) -> None:
        request = self.applied({"timeout": 3, "max_retries": 1, "headers": {"a": "1"}}, max_retries=2)
        assert request.options["max_retries"] == 2
        assert request.headers == {"a": "1"}

    @pytest.mark.parametrize("name", ["follow_redirects", "security", "stream_mode", "synthesize_event_and_data"])
    def test_options_without_effect(self, name: str) -> None:
        request = self.applied({name: True})
        assert (dict(request.options), request.headers, request.query) == ({}, None, None)
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            self.applied(**{name: True})

    def test_unknown_options(self) -> None:
        with pytest.raises(TypeError, match="unknown request option 'nonsense'"):
            self.applied({"nonsense": 1})
        with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
            self.applied(nonsense=1)


class TestCasts:
    """Types to which a reply can be converted, and others, which are refused before anything is sent."""

    async def test_a_response_of_another_library(self, client: AsyncOpenAI, server: Server) -> None:
        class Response:
            """As httpx, httpx2 and requests have one."""

        for verb in (client.get, client.post, client.put, client.patch, client.delete):
            with pytest.raises(TypeError, match=r"Response.*pass aiopenai.response.HTTPResponse"):
                await verb("/models", cast_to=Response)  # type: ignore[operator]
        with pytest.raises(TypeError, match="dict, str or bytes"):
            await client.get("/models", cast_to=Server)
        assert server.request_count == 0

    @pytest.mark.parametrize("kind", KINDS, ids=repr)
    def test_types_of_replies(self, kind: Any) -> None:
        assert made(cast_to=kind).endpoint.reply is kind

    def test_types_of_pydantic_are_known_by_their_method(self) -> None:
        class Validating:
            model_validate = None

        assert made(cast_to=Validating).endpoint.reply is Validating

    def test_types_of_events_are_not_those_of_replies(self) -> None:
        assert made(cast_to=Server, stream=True, stream_cls=Model).endpoint.event is Model

    async def test_types_of_programs(self, client: AsyncOpenAI, server: Server) -> None:
        import dataclasses
        from typing import NamedTuple

        import msgspec
        from typing_extensions import TypedDict

        @dataclasses.dataclass
        class Data:
            id: str

        class Tuple(NamedTuple):
            id: str

        class Dict(TypedDict):
            id: str

        class Struct(msgspec.Struct):
            id: str

        server.reply_with("/x", {"id": "m"})
        assert await client.get("/x", cast_to=Data) == Data("m")
        assert await client.get("/x", cast_to=Dict) == {"id": "m"}
        assert await client.get("/x", cast_to=Struct) == Struct("m")
        server.reply_with("/y", ["m"])
        assert await client.get("/y", cast_to=Tuple) == Tuple("m")
        assert await client.get("/y", cast_to=list) == ["m"]
        assert await client.get("/y", cast_to=set) == {"m"}


class TestBytesAsBody:
    @pytest.mark.parametrize("verb", ["post", "put", "patch", "delete"])
    @pytest.mark.parametrize("body", [b"abc", bytearray(b"abc")], ids=["bytes", "bytearray"])
    async def test_warning(self, client: AsyncOpenAI, server: Server, verb: str, body: Any) -> None:
        server.fault(body={}, times=1)
        with pytest.warns(DeprecationWarning, match="pass bytes as content") as caught:
            await getattr(client, verb)("/x", body=body, cast_to=object)
        assert caught[0].filename == __file__
        assert server.journal[0].body == b"abc"

    def test_in_the_blocking_client(self) -> None:
        with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
            server.fault(body={}, times=1)
            with pytest.warns(DeprecationWarning, match="pass bytes as content") as caught:
                client.post("/x", body=cast("Any", b"abc"), cast_to=object)
            assert caught[0].filename == __file__
            assert server.journal[0].body == b"abc"

    async def test_beside_others(self, client: AsyncOpenAI) -> None:
        with pytest.raises(TypeError, match="pass only one"):
            await client.post("/x", body=cast("Any", b"abc"), content=b"d", cast_to=object)
        with pytest.raises(TypeError, match="pass only one"):
            await client.post("/x", body=cast("Any", b"abc"), files={"a": b"d"}, cast_to=object)
