from __future__ import annotations

import asyncio
import inspect
import json
import operator
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, Request, omit
from aiopenai._calls.arguments import OPTIONS
from aiopenai._calls.methods import _warning, delete, get, post
from aiopenai._calls.raw import AsyncAPIResponse, LegacyAPIResponse
from aiopenai._calls.resources import AsyncAPIResource
from aiopenai._calls.streaming import AsyncStream
from aiopenai.testing import Server
from aiopenai.types import Model
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk

VIEWS = ("with_raw_response", "with_streaming_response")


class Things(AsyncAPIResource):
    """What the generated resources do not have, or not yet."""

    @post(
        "/things/{thing_id}/parts",
        object,
        query=("include",),
        header_params={"token": "X-Token", "flag": "X-Flag"},
        wire={"from_": "from"},
        headers={"OpenAI-Beta": "things=v1"},
    )
    def make(
        self,
        thing_id: str,
        *,
        from_: int,
        include: Any = omit,
        token: Any = omit,
        flag: Any = omit,
        note: Any = omit,
    ) -> object: ...

    @delete("/things/{thing_id}", object, body=("reason",))
    def drop(self, thing_id: str, *, reason: Any = omit, force: Any = omit) -> object: ...

    @get("/things/{thing_id}/{part_id}", object, accept="application/octet-stream")
    def part(self, part_id: str, *, thing_id: str) -> object: ...

    @post("/things/uploads", object, files=("images[]", "mask"))
    def upload(self, *, images: Any, mask: Any = omit, prompt: Any = omit) -> object: ...


@pytest.fixture
def things(client: AsyncOpenAI) -> Any:
    return Things(client)


class TestSignatures:
    def test_real_keywords(self, client: AsyncOpenAI) -> None:
        parameters = inspect.signature(client.chat.completions.create).parameters
        assert {"messages", "model", "temperature", "stream", "tools"} <= set(parameters)
        assert parameters["messages"].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters["messages"].default is inspect.Parameter.empty
        assert parameters["temperature"].default is omit
        assert next(iter(inspect.signature(client.models.retrieve).parameters)) == "model"
        assert client.chat.completions.create.__name__ == "create"
        assert client.chat.completions.create.__qualname__ == "AsyncCompletions.create"
        assert client.chat.completions.create.__doc__
        assert client.models.retrieve.__doc__

    def test_help(self, client: AsyncOpenAI) -> None:
        import pydoc

        text = pydoc.plain(pydoc.render_doc(type(client.chat.completions)))
        assert "create(" in text
        assert "temperature" in text
        assert "GET /chat/completions/{completion_id}" in text

    @pytest.mark.parametrize(
        "path",
        [
            *("chat.completions", "chat.completions.messages", "responses", "responses.input_items"),
            *("responses.input_tokens", "completions", "embeddings", "models", "files", "moderations"),
        ],
    )
    def test_as_the_reference(self, path: str, client: AsyncOpenAI) -> None:
        openai = pytest.importorskip("openai")
        theirs: Any = openai.AsyncOpenAI(api_key="k")
        ours: Any = client
        for name in path.split("."):
            theirs, ours = getattr(theirs, name), getattr(ours, name)
        compared = 0
        for name in dir(type(theirs)):
            method = inspect.getattr_static(type(theirs), name)
            if name.startswith("_") or not callable(method) or not hasattr(ours, name):
                continue
            expected = inspect.signature(getattr(theirs, name)).parameters
            found = inspect.signature(getattr(ours, name)).parameters
            options = OPTIONS | {"options", "resume"}
            assert [p for p in expected if p not in options] == [p for p in found if p not in options], name
            for parameter in set(expected) - options:
                assert expected[parameter].kind == found[parameter].kind, (name, parameter)
            compared += 1
        assert compared


class TestCoroutineFunctions:
    """The answers of `iscoroutinefunction`, which are the reference's where it decorates no method."""

    @pytest.mark.parametrize(
        "path",
        [
            *("chat.completions.create", "chat.completions.parse", "responses.create", "embeddings.create"),
            *("files.content", "files.create", "files.wait_for_processing", "models.retrieve", "models.delete"),
            *("vector_stores.files.upload_and_poll", "audio.speech.create", "images.generate", "get", "post", "put"),
            *("patch", "delete", "close", "send"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:.*iscoroutinefunction:DeprecationWarning")
    @pytest.mark.parametrize(
        "asked", [inspect.iscoroutinefunction, asyncio.iscoroutinefunction], ids=["inspect", "asyncio"]
    )
    def test_coroutines(self, path: str, asked: Any, client: AsyncOpenAI) -> None:
        method = operator.attrgetter(path)
        assert asked(method(client))
        assert asked(getattr(method(client), "__func__", None))
        assert not asked(method(OpenAI(api_key="k")))
        if "." in path and "parse" not in path and "_and_" not in path and "wait" not in path:
            resource, _, name = path.rpartition(".")
            raw, opened = (operator.attrgetter(f"{resource}.{view}.{name}")(client) for view in VIEWS)
            assert asked(raw)
            assert not asked(opened)
            assert not asked(operator.attrgetter(f"{resource}.as_request.{name}")(client))

    @pytest.mark.parametrize(
        "path", ["models.list", "chat.completions.stream", "webhooks.unwrap", "realtime.connect", "get_api_list"]
    )
    def test_others(self, path: str, client: AsyncOpenAI) -> None:
        assert not inspect.iscoroutinefunction(operator.attrgetter(path)(client))

    async def test_raw_lists(self, client: AsyncOpenAI) -> None:
        assert inspect.iscoroutinefunction(client.models.with_raw_response.list)
        assert (await client.models.with_raw_response.list()).parse().data

    def test_deprecated_methods(self, client: AsyncOpenAI) -> None:
        # A method that warns is no coroutine function, because it warns when it is called. Python 3.12 can mark it.
        marked = hasattr(inspect, "markcoroutinefunction")
        assert inspect.iscoroutinefunction(client.videos.create) == marked
        assert not inspect.iscoroutinefunction(client.videos.list)

    async def test_a_call_in_flight_keeps_no_arguments(self, client: AsyncOpenAI) -> None:
        call: Any = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        task = asyncio.ensure_future(call)
        # One step: the request is on its way.
        await asyncio.sleep(0)
        assert not {"args", "given"} & set(call.cr_frame.f_locals)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ({"model": "m"}, "missing required arguments: 'messages'"),
            ({}, "missing required arguments: 'messages', 'model'"),
            ({"model": "m", "messages": [], "temprature": 1}, "unexpected keyword argument 'temprature'"),
            ({"model": "m", "messages": [], "_create": 1}, "unexpected keyword argument"),
        ],
    )
    async def test_names(self, arguments: Any, why: str, client: AsyncOpenAI, server: Server) -> None:
        for method in (
            client.chat.completions.create,
            client.chat.completions.with_raw_response.create,
            client.chat.completions.with_streaming_response.create,
        ):
            with pytest.raises(TypeError, match=why) as caught:
                # A streaming view refuses at once, a coroutine function when it is awaited.
                await method(**arguments)  # type: ignore[operator]
            assert "create()" in str(caught.value)
        assert server.request_count == 0

    async def test_positions(self, client: AsyncOpenAI) -> None:
        with pytest.raises(TypeError, match="takes 1 positional argument"):
            await client.models.retrieve("a", "b")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="multiple values for argument 'model'"):
            await client.models.retrieve("a", model="b")  # type: ignore[misc]
        with pytest.raises(TypeError, match="0 positional arguments"):
            await client.chat.completions.create([])  # type: ignore[call-overload]
        assert client.models.retrieve.request(model="a").path == "/models/a"

    @pytest.mark.parametrize("value", ["", None, omit])
    async def test_path_arguments_are_needed(self, value: Any, client: AsyncOpenAI) -> None:
        with pytest.raises((ValueError, TypeError), match="model"):
            await client.models.retrieve(value)

    @pytest.mark.parametrize(
        "value", ["a/b?c#d", "../files", "..", ".", "a b", "\u00e9\u4e2d", "a%2Fb", "a:b@c", "a+b;c=d,e", "%"]
    )
    async def test_path_arguments_are_one_segment(self, value: str, client: AsyncOpenAI, server: Server) -> None:
        from urllib.parse import unquote

        server.fault(status=200, body={"id": "m"})
        try:
            await client.models.retrieve(value)
        except ValueError:
            assert value in (".", "..")
            return
        raw = server.journal[-1].raw_path
        assert raw.startswith("/v1/models/")
        segment = raw.removeprefix("/v1/models/")
        assert not set(segment) & set("/?# ")
        assert unquote(segment) == value


class TestRequests:
    def test_a_body(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        request = client.chat.completions.create.request(**chat, temperature=omit, seed=3)
        assert isinstance(request, Request)
        assert (request.method, request.path, request.query) == ("POST", "/chat/completions", None)
        assert {k: v for k, v in request.body.items() if v is not omit} == {**chat, "seed": 3}
        assert not request.stream
        assert repr(request) == "<Request POST /chat/completions>"
        assert client.chat.completions.create.request(**chat, stream=True).stream

    def test_a_query(self, client: AsyncOpenAI) -> None:
        request = client.chat.completions.list.request(limit=3, after=omit, order="asc")  # type: ignore[attr-defined]
        assert (request.method, request.path, request.body) == ("GET", "/chat/completions", None)
        assert request.query == {"limit": 3, "order": "asc"}

    def test_options(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        request = client.chat.completions.create.request(
            **chat, extra_headers={"X-A": "1"}, extra_query={"q": 1}, extra_body={"b": 2}, timeout=3, max_retries=1
        )
        assert request.headers == {"X-A": "1"}
        assert request.query == {"q": 1}
        assert request.body == {**chat, "b": 2}
        assert request.options == {"timeout": 3, "max_retries": 1}
        assert chat.keys() == {"model", "messages"}

    async def test_sending_it(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        request = client.chat.completions.create.request(**chat)
        assert server.request_count == 0
        for _ in range(2):
            assert type(await client.send(request)) is ChatCompletion
        streamed = await client.send(client.chat.completions.create.request(**chat, stream=True))
        assert isinstance(streamed, AsyncStream)
        assert {type(event) async for event in streamed} == {ChatCompletionChunk}
        assert len({r.body for r in server.journal[:2]}) == 1

    async def test_by_another_client(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        request = client.chat.completions.create.request(**chat)
        async with Server() as other, AsyncOpenAI(api_key="sk-2", base_url=other.base_url) as second:
            await second.send(request)
            assert other.journal[-1].headers["authorization"] == "Bearer sk-2"

    async def test_messages_may_be_an_iterator(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"})
        messages = ({"role": "user", "content": text} for text in "ab")
        await client.chat.completions.create(model="gpt-4o", messages=messages)  # type: ignore[arg-type]
        assert [len(r.json()["messages"]) for r in server.journal] == [2, 2]

    async def test_earlier_replies_can_be_sent_back(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        message = (await client.chat.completions.create(**chat)).choices[0].message
        await client.chat.completions.create(model="gpt-4o", messages=[*chat["messages"], message])  # type: ignore[list-item]
        received = server.journal[-1].json()["messages"][1]
        assert received == message.to_dict()
        assert received["role"] == "assistant"


class TestFacts:
    async def test_where_parameters_travel(self, things: Any, server: Server) -> None:
        server.fault(status=200, body={}, times=None)
        await things.make("a/b", from_=1, include=["x", "y"], token="t", flag=True, note=None)
        request = server.journal[-1]
        assert request.raw_path.startswith("/v1/things/a%2Fb/parts?")
        assert request.query_list == [("include[]", "x"), ("include[]", "y")]
        assert request.json() == {"from": 1, "note": None}
        assert request.headers["x-token"] == "t"
        assert request.headers["x-flag"].lower() == "true"
        assert request.headers["openai-beta"] == "things=v1"
        await things.make("a", from_=1)
        request = server.journal[-1]
        assert (request.query, request.json()) == ({}, {"from": 1})
        assert "x-token" not in request.headers
        await things.make("a", from_=1, extra_headers={"OpenAI-Beta": "mine"})
        assert server.journal[-1].headers.getall("openai-beta") == ["mine"]

    async def test_delete(self, things: Any, server: Server) -> None:
        server.fault(status=200, body={}, times=None)
        await things.drop("t", reason="old", force=True)
        request = server.journal[-1]
        assert (request.method, request.path, request.query) == ("DELETE", "/v1/things/t", {"force": "true"})
        assert request.json() == {"reason": "old"}
        await things.drop("t")
        assert server.journal[-1].body == b""

    async def test_path_arguments_by_keyword(self, things: Any, server: Server) -> None:
        server.fault(status=200, body={}, times=None)
        await things.part("p", thing_id="t")
        assert server.journal[-1].path == "/v1/things/t/p"
        assert server.journal[-1].headers.getall("accept") == ["application/octet-stream"]

    async def test_files(self, things: Any, server: Server) -> None:
        server.fault(status=200, body={}, times=None)
        for images in ([b"1", ("n.png", b"2")], (b"1", ("n.png", b"2"))):
            await things.upload(images=images, mask=b"m", prompt="p")
            parts = server.journal[-1].multipart()
            assert [(part.name, part.data) for part in parts] == [
                ("prompt", b"p"),
                ("images[]", b"1"),
                ("images[]", b"2"),
                ("mask", b"m"),
            ]
        await things.upload(images=("n.png", b"2"))
        assert [(part.filename, part.data) for part in server.journal[-1].multipart()] == [("n.png", b"2")]
        await things.upload(images=[], mask=None)
        await things.upload(images=(), mask=omit)
        assert server.journal[-1].multipart() == []

    async def test_an_object_for_a_file(self, things: Any, server: Server) -> None:
        """One that names a file which the API has already: fields of the form like others."""
        server.fault(status=200, body={}, times=None)
        await things.upload(images=b"1", mask={"id": "file-1", "of": {"page": 2}})
        parts = [(part.name, part.filename, part.data) for part in server.journal[-1].multipart()]
        assert parts == [
            ("mask[id]", None, b"file-1"),
            ("mask[of][page]", None, b"2"),
            ("images", "upload", b"1"),
        ]

    async def test_no_content_has_no_type(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=200, body={}, times=None)
        await client.responses.cancel("r")
        assert "content-type" not in server.journal[-1].headers
        await client.responses.cancel("r", extra_headers={"Content-Type": "text/plain"})
        assert server.journal[-1].headers["content-type"] == "text/plain"


class TestModes:
    async def test_raw(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        raw = await client.chat.completions.with_raw_response.create(**chat)
        assert isinstance(raw, LegacyAPIResponse)
        assert raw.request_id == f"req_{server.request_count:032x}"
        completion = raw.parse()
        assert type(completion) is ChatCompletion
        assert raw.parse() is completion
        assert completion._request_id == raw.request_id
        again = await client.with_raw_response.chat.completions.create(**chat)
        assert json.loads(again.content)["object"] == "chat.completion"

    async def test_raw_stream(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        raw = await client.chat.completions.with_raw_response.create(**chat, stream=True)
        stream = raw.parse()
        assert isinstance(stream, AsyncStream)
        assert {type(event) async for event in stream} == {ChatCompletionChunk}

    async def test_streaming(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        async with client.chat.completions.with_streaming_response.create(**chat) as response:
            assert isinstance(response, AsyncAPIResponse)
            assert type(await response.parse()) is ChatCompletion
        async with client.with_streaming_response.models.retrieve("gpt-4o") as response:
            assert type(await response.parse()) is Model
        async with client.chat.completions.with_streaming_response.create(**chat, stream=True) as response:
            stream = await response.parse()
            assert {type(event) async for event in stream} == {ChatCompletionChunk}
        assert server.connections == 1

    async def test_streaming_left_unread(
        self, client: AsyncOpenAI, server: Server, chat: dict[str, Any], until: Any
    ) -> None:
        server.reply_with("/files/f/content", b"x" * 20_000_000)
        async with client.files.with_streaming_response.content("f") as response:
            assert response.status_code == 200
        await until(lambda: server.open_connections == 0)
        assert response.is_closed

    def test_resources_are_kept(self, client: AsyncOpenAI) -> None:
        assert client.chat.completions is client.chat.completions
        assert client.chat.completions.messages is client.chat.completions.messages


class TestHelpersByHand:
    """Methods that make several calls: their arguments are checked, and views of a replaced method call it."""

    def test_a_misspelt_argument(self, blocking: OpenAI, own_server: Server) -> None:
        for _ in range(2):
            with pytest.raises(TypeError, match="pol_interval_ms"):
                blocking.vector_stores.files.create_and_poll("f", vector_store_id="v", pol_interval_ms=1)  # type: ignore[call-arg]
        assert own_server.request_count == 0

    async def test_a_view_of_a_replaced_method_calls_the_replacement(self, client: AsyncOpenAI) -> None:
        given: list[dict[str, Any]] = []

        async def replaced(**options: Any) -> str:
            given.append(options)
            return "own"

        models: Any = client.models
        models.list = replaced
        assert await models.with_raw_response.list(extra_headers={"x-a": "1"}) == "own"
        assert given[0]["extra_headers"]["x-a"] == "1"
        assert len(given[0]["extra_headers"]) == 2


class TestDeprecatedMethods:
    def test_a_program_is_warned_at_its_own_line(self) -> None:
        warned = _warning(lambda *args, **given: (args, given), "use another one")
        with pytest.warns(DeprecationWarning, match="use another one") as caught:
            assert warned(1, a=2) == ((1,), {"a": 2})
        assert caught[0].filename == __file__
        assert warned.__deprecated__ == "use another one"

    def test_calls_by_this_package_do_not_warn(self) -> None:
        warned = _warning(lambda: "result", "use another one")
        caller: dict[str, Any] = {"__name__": "aiopenai.lib.polling", "warned": warned}
        exec("found = warned()", caller)
        assert caller["found"] == "result"
