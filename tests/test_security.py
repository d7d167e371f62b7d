from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import io
import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from aiopenai import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    APIStatusError,
    AsyncAzureOpenAI,
    AsyncOpenAI,
    AzureOpenAI,
    OpenAI,
)
from aiopenai.testing import Server

KEY = "sk-canary-0a1b2c3d4e5f"
SECRETS = (
    "Authorization",
    "Api-Key",
    "X-Api-Key",
    "Cookie",
    "OpenAI-Organization",
    "OpenAI-Project",
    "Idempotency-Key",
)


def shown_by_tools(error: BaseException) -> str:
    """An error and those behind it, with the local variables of their frames, but for the frame of the test."""
    shown: list[str] = []
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        if (each := left.pop()) is None or each in seen:
            continue
        seen.append(each)
        left += (each.__cause__, each.__context__)
        shown += (str(each), repr(each))
        for frame, _ in list(traceback.walk_tb(each.__traceback__)):
            if frame.f_code.co_filename != __file__:
                shown += map(repr, list(frame.f_locals.values()))
    return " ".join(shown)


@pytest.mark.parametrize("kind", [AsyncOpenAI, OpenAI, AsyncAzureOpenAI, AzureOpenAI])
@pytest.mark.parametrize(
    "options",
    [
        {"timeout": "soon"},
        {"max_retries": -1},
        {"base_url": f"user:{KEY}@host"},
        {"base_url": f"http://user:{KEY}@[bad/v1"},
        {"time_out": 5},
        {"default_headers": 5},
    ],
    ids=["timeout", "retries", "no-scheme", "malformed", "misspelt", "headers"],
)
def test_no_key_in_the_frames_of_a_refused_option(kind: Any, options: dict[str, Any]) -> None:
    """Tools show the local variables of tracebacks."""
    given = {"api_key": KEY, **options}
    if "Azure" in kind.__name__:
        given |= {"api_version": "v"} | ({} if "base_url" in given else {"base_url": "http://h"})
    with pytest.raises((TypeError, ValueError)) as caught:
        kind(**given)
    assert "__init__" not in str(caught.value)
    assert KEY not in shown_by_tools(caught.value)


def test_the_error_of_an_option_of_the_program_keeps_its_frames() -> None:
    class Headers(dict[str, str]):
        def keys(self) -> Any:
            raise LookupError("of the program")

        __iter__ = keys  # type: ignore[assignment]

    with pytest.raises(LookupError, match="of the program") as caught:
        AsyncOpenAI(api_key=KEY, default_headers=Headers(a="b"))
    assert "keys" in [frame.f_code.co_name for frame, _ in traceback.walk_tb(caught.value.__traceback__)]


@pytest.mark.usefixtures("transport")
class TestCanary:
    async def test_it_is_nowhere(self, server: Server, chat: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        root = logging.getLogger()
        root.addHandler(handler)
        errors: list[BaseException] = []
        seen: list[str] = []
        server.reply_with("/models/html", b"<html>", content_type="text/html")
        server.reply_with("/completions", b"data: {", content_type="text/event-stream")
        try:
            async with AsyncOpenAI(
                api_key=KEY,
                admin_api_key=KEY,
                webhook_secret=KEY,
                base_url=server.base_url,
                default_headers={"api-key": KEY},
            ) as client:
                await client.chat.completions.create(**chat)
                raw = await client.chat.completions.with_raw_response.create(**chat)
                stream = await client.chat.completions.create(**chat, stream=True)
                page = await client.models.list()
                seen += map(
                    repr, (client, client.chat, raw, raw.http_request, raw.headers, stream, stream.response, page)
                )
                seen += map(repr, (client.chat.completions.create, client.chat.completions.create.request(**chat)))
                seen.append(
                    repr(vars(raw.http_request.headers) if hasattr(raw.http_request.headers, "__dict__") else "")
                )
                async for event in stream:
                    seen.append(repr(event))
                server.fault(status=500, headers={"retry-after-ms": "1"}, times=3)
                server.fault(cut_after=0, times=1)
                server.fault(delay=5, match=lambda request: b'"slow"' in request.body)
                for call in (
                    lambda: client.chat.completions.create(**chat),
                    lambda: client.chat.completions.create(**chat, max_retries=0),
                    lambda: client.models.retrieve("nope"),
                    lambda: client.models.retrieve("html"),
                    lambda: client.chat.completions.create(**{**chat, "model": "slow"}, timeout=0.01, max_retries=0),
                    lambda: client.models.list(extra_headers={"X": f"{KEY}\n"}, max_retries=0),
                ):
                    try:
                        await call()
                    except Exception as error:
                        errors.append(error)
                with pytest.raises(APIError) as broken:
                    async for _ in await client.completions.create(model="m", prompt="p", stream=True):
                        pass
                errors.append(broken.value)
        finally:
            root.removeHandler(handler)
        assert len(errors) == 7, [str(error) for error in errors]
        for error in errors:
            seen += (str(error), repr(error), repr(error.args))
            chain: BaseException | None = error
            while chain is not None:
                seen.append(str(chain))
                chain = chain.__cause__ or chain.__context__
            if isinstance(error, APIError):
                seen += (repr(error.request), repr(dict(error.request.headers)), repr(vars(error)))
                assert KEY.encode() not in pickle.dumps(error)
            seen.append("".join(traceback.format_exception(type(error), error, error.__traceback__)))
        for text in (*seen, caplog.text, log.getvalue()):
            assert KEY not in text
        assert "aiopenai" in caplog.text

    @pytest.mark.parametrize("blocking", [False, True])
    async def test_errors_of_the_program(self, blocking: bool, server: Server, tmp_path: Path) -> None:
        """A file that cannot be read and an iterator of the wrong items: no frame shows the key."""
        client: Any = (OpenAI if blocking else AsyncOpenAI)(api_key=KEY, base_url=server.base_url, max_retries=0)
        calls: list[Any] = [
            lambda: client.files.create(file=tmp_path / "missing", purpose="batch"),
            lambda: client.files.create(file=tmp_path, purpose="batch"),
            lambda: client.post("/x", cast_to=object, content=(each for each in ["text"])),
        ]
        for call in calls:
            with pytest.raises((OSError, TypeError, APIError)) as caught:
                await (asyncio.to_thread(call) if blocking else call())
            assert KEY not in shown_by_tools(caught.value)
        await (asyncio.to_thread(client.close) if blocking else client.close())

    async def test_quoted_by_a_server(self, server: Server, chat: dict[str, Any]) -> None:
        """Some servers quote the key that they refuse."""
        words = f"Incorrect API key provided: {KEY}. You can find yours in the dashboard."
        async with AsyncOpenAI(api_key=KEY, base_url=server.base_url, max_retries=0) as client:
            for fault in ({"status": 401}, {"status": 200}):
                server.fault(**fault, body={"error": {"message": words}})
                with pytest.raises(APIError, match=r"provided: <redacted>\. You can") as caught:
                    await client.chat.completions.create(**chat)
                assert KEY not in str(caught.value) + repr(caught.value)

    async def test_credentials_of_a_url(self, server: Server) -> None:
        url = server.base_url.replace("http://", f"http://user:{KEY}@")
        async with AsyncOpenAI(api_key="k", base_url=url, max_retries=0) as client:
            assert KEY not in repr(client)
            assert client.base_url == url + "/"
            with pytest.raises(APIError) as caught:
                await client.models.retrieve("nope")
            basic = "Basic " + base64.b64encode(f"user:{KEY}".encode()).decode()
            assert server.journal[-1].headers["authorization"] == basic
            with pytest.raises(APIError):
                await client.copy().models.retrieve("nope")
            assert server.journal[-1].headers["authorization"] == basic
            await client.models.list(extra_headers={"Authorization": "Bearer mine"})
            assert server.journal[-1].headers.getall("authorization") == ["Bearer mine"]
        error = caught.value
        assert KEY not in str(error) + repr(error) + repr(error.request) + error.request.url
        assert KEY.encode() not in pickle.dumps(error)


@pytest.mark.usefixtures("transport")
class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_to_the_same_origin(
        self, status: int, client: AsyncOpenAI, server: Server, chat: dict[str, Any]
    ) -> None:
        server.fault(status=status, headers={"location": "/v1/elsewhere?a=1"}, match="completions")
        server.reply_with("/elsewhere", {"id": "there", "object": "chat.completion"})
        completion = await client.chat.completions.create(**chat)
        assert completion.id == "there"
        request = server.journal[-1]
        assert request.headers["authorization"] == "Bearer sk-test"
        assert request.query == {"a": "1"}
        if status in (307, 308):
            assert (request.method, request.json()) == ("POST", chat)
        else:
            assert (request.method, request.body) == ("GET", b"")
            assert "content-type" not in request.headers

    async def test_to_another_origin(self, server: Server, chat: dict[str, Any]) -> None:
        async with Server() as other:
            other.reply_with("/chat/completions", {"id": "there"})
            server.fault(status=307, headers={"location": f"{other.base_url}/chat/completions"}, times=None)
            async with AsyncOpenAI(
                api_key=KEY, base_url=server.base_url, organization=KEY, project=KEY, default_headers={"api-key": KEY}
            ) as client:
                extra = {"Cookie": KEY, "X-Api-Key": KEY, "X-Mine": "1"}
                completion = await client.chat.completions.create(**chat, extra_headers=extra, idempotency_key=KEY)
            assert completion.id == "there"
            assert all(server.journal[-1].headers[name].endswith(KEY) for name in SECRETS)
            request = other.journal[-1]
            assert not [name for name in SECRETS if name in request.headers]
            assert KEY not in str(request.headers)
            assert request.headers["x-mine"] == "1"
            assert request.json() == chat

    async def test_there_and_back(self, client: AsyncOpenAI, server: Server) -> None:
        async with Server() as other:
            server.fault(status=307, headers={"location": f"{other.base_url}/models"})
            other.fault(status=307, headers={"location": f"{server.base_url}/models"})
            server.reply_with("/models", {"data": []})
            await client.models.list()
        # Whoever was sent elsewhere does not get the credentials back: what lies between may have chosen the URL.
        assert "authorization" not in server.journal[-1].headers

    async def test_without_end(self, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=302, headers={"location": f"{server.base_url}/models"}, times=None)
        with pytest.raises(APIResponseValidationError, match="redirect"):
            await client.models.list()
        assert server.request_count <= 22

    @pytest.mark.parametrize(
        "location",
        ["ftp://h/x", "file:///etc/passwd", "http://[bad", "http://h:99999/", "http://", "javascript:alert(1)", "//"],
    )
    async def test_to_nowhere(self, location: str, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=302, headers={"location": location}, times=None)
        with pytest.raises((APIConnectionError, APIResponseValidationError)) as caught:
            await client.models.list(max_retries=0)
        assert str(caught.value)

    @pytest.mark.parametrize("status", [300, 302, 304])
    async def test_without_a_place(self, status: int, client: AsyncOpenAI, server: Server) -> None:
        server.fault(status=status, times=None)
        with pytest.raises(APIResponseValidationError, match=str(status)):
            await client.models.list()

    async def test_cookies_are_not_kept(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/models", {"data": []}, headers={"set-cookie": "a=b"})
        await client.models.list()
        await client.models.list()
        assert "cookie" not in server.journal[-1].headers


@pytest.mark.usefixtures("transport")
class TestBounds:
    @pytest.mark.parametrize("size", [1001, 100_000, 5_000_000])
    @pytest.mark.parametrize("chunk_size", [None, 700_000, 100])
    async def test_of_a_reply(self, size: int, chunk_size: int | None, server: Server) -> None:
        if chunk_size == 100 and size > 100_000:
            pytest.skip("many small chunks: the same as fewer")
        server.reply_with("/models/m", b'{"id": "' + b"x" * (size - 10) + b'"}', chunk_size=chunk_size)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_response_bytes=1000) as client:
            with pytest.raises(APIResponseValidationError, match="max_response_bytes=1000"):
                await client.models.retrieve("m")
            assert server.request_count == 1
            assert (await client.with_options().get("/models/gpt-4o", cast_to=dict))["id"] == "gpt-4o"
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_response_bytes=size) as client:
            assert (await client.models.retrieve("m")).id

    async def test_of_an_error(self, server: Server) -> None:
        server.fault(status=400, body=b"x" * 5000, times=None)
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_response_bytes=1000) as client:
            with pytest.raises((APIResponseValidationError, APIStatusError)) as caught:
                await client.models.list()
        assert len(str(caught.value)) < 1000

    async def test_of_what_is_unpacked(self, server: Server) -> None:
        bomb = gzip.compress(b" " * 20_000_000)
        assert len(bomb) < 100_000
        server.reply_with("/models/m", bomb, headers={"content-encoding": "gzip"})
        async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_response_bytes=1_000_000) as client:
            with pytest.raises(APIResponseValidationError, match="max_response_bytes"):
                await client.models.retrieve("m")

    async def test_compressed_replies_are_read(self, client: AsyncOpenAI, server: Server) -> None:
        packed = gzip.compress(json.dumps({"id": "packed"}).encode())
        server.reply_with("/models/m", packed, headers={"content-encoding": "gzip"})
        assert (await client.models.retrieve("m")).id == "packed"
        server.reply_with("/models/m", packed[:20], headers={"content-encoding": "gzip"})
        with pytest.raises(APIError):
            await client.models.retrieve("m", max_retries=0)
        server.reply_with("/models/m", b"not gzip", headers={"content-encoding": "gzip"})
        with pytest.raises(APIError):
            await client.models.retrieve("m", max_retries=0)
        gc.collect()
