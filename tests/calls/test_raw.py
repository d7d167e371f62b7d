from __future__ import annotations

import asyncio
import json
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aiopenai import APIConnectionError, APIResponseValidationError, APITimeoutError, AsyncOpenAI, Timeout
from aiopenai._calls.raw import LegacyAPIResponse
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse, charset_of
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletion

CONTENT = bytes(range(256)) * 1000
LINES = "one\r\ntwo\rthr\u00e9e\n\nfive"


class TestHeaders:
    def test_any_case(self) -> None:
        headers = Headers([("X-A", "1"), ("x-a", "2"), ("Content-Type", "t")])
        assert headers["X-a"] == "1, 2"
        assert headers.get_list("x-A") == ["1", "2"]
        assert headers.get("nope") is None
        assert headers.get_list("nope") == []
        assert "CONTENT-TYPE" in headers
        assert 7 not in headers
        assert list(headers) == ["x-a", "content-type"]
        assert len(headers) == 2
        assert headers.multi_items() == [("x-a", "1"), ("x-a", "2"), ("content-type", "t")]
        assert dict(pickle.loads(pickle.dumps(headers))) == dict(headers)
        with pytest.raises(KeyError):
            headers["nope"]

    def test_secrets_are_not_shown(self) -> None:
        headers = Headers([("Set-Cookie", "canary"), ("API-Key", "canary"), ("X-A", "1")])
        assert "canary" not in repr(headers)
        assert "'x-a': '1'" in repr(headers)

    @pytest.mark.parametrize(
        ("kind", "charset"),
        [
            ("text/plain", "utf-8"),
            ("text/plain; charset=latin-1", "iso8859-1"),
            ('text/plain; charset="UTF-16"; x=y', "utf-16"),
            ("text/plain; charset=nonsense", "utf-8"),
            ("text/plain; charset=", "utf-8"),
        ],
    )
    def test_charset(self, kind: str, charset: str) -> None:
        assert charset_of(Headers([("content-type", kind)])) == charset
        assert charset_of({}) == "utf-8"


class TestHTTPValues:
    def test_response(self) -> None:
        request = HTTPRequest("GET", "http://h/x")
        response = HTTPResponse(
            201, Headers([("content-type", "text/plain; charset=latin-1")]), b"\xe9", request, reason="Made"
        )
        assert response.text == "\u00e9"
        assert response.is_success
        assert not HTTPResponse(302, Headers(), b"", request).is_success
        assert repr(response) == "<HTTPResponse [201 Made]>"
        assert response.url == "http://h/x"
        assert repr(request) == "<HTTPRequest GET http://h/x>"
        for url, shown in (
            ("http://u:p@h:1/a@b?c=d@e", "http://h:1/a@b?c=d@e"),
            ("http://u@h", "http://h"),
            ("http://h?a@b", "http://h?a@b"),
        ):
            assert HTTPRequest("GET", url).url == shown
        with pytest.raises(ValueError, match=r"malformed|byte|UTF-8"):
            response.json()
        assert HTTPResponse(200, Headers(), b'{"a":1}', request).json() == {"a": 1}
        again = pickle.loads(pickle.dumps(response))
        assert (again.status_code, again.content, again.request.method) == (201, b"\xe9", "GET")


@pytest.mark.usefixtures("transport")
class TestRaw:
    async def test_everything_of_it(self, client: AsyncOpenAI, server: Server, chat: dict[str, Any]) -> None:
        raw = await client.chat.completions.with_raw_response.create(**chat)
        assert isinstance(raw, LegacyAPIResponse)
        assert raw.status_code == 200
        assert raw.headers["X-Request-ID"] == raw.request_id
        assert raw.headers["x-ratelimit-limit-requests"]
        assert (raw.method, raw.url) == ("POST", f"{server.base_url}/chat/completions")
        assert isinstance(raw.http_request, HTTPRequest)
        assert raw.http_request.headers["authorization"] == "<redacted>"
        assert raw.elapsed > timedelta(0)
        assert raw.retries_taken == 0
        assert raw.is_closed
        assert json.loads(raw.text) == raw.json() == json.loads(raw.read())
        assert repr(raw) == "<LegacyAPIResponse [200 OK]>"
        assert raw.parse().to_dict() == raw.json()

    async def test_other_types(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        raw: Any = await client.chat.completions.with_raw_response.create(**chat)
        assert raw.parse(to=str) == raw.text
        assert raw.parse(to=dict) == raw.json()
        assert raw.parse(to=bytes) == raw.content
        assert type(raw.parse()) is ChatCompletion

    async def test_of_what_is_not_json(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/models/m", b"<html>", content_type="text/html")
        raw = await client.models.with_raw_response.retrieve("m")
        assert raw.text == "<html>"
        with pytest.raises(APIResponseValidationError):
            raw.parse()
        with pytest.raises(ValueError, match="malformed"):
            raw.json()

    async def test_charset(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/files/f/content", b"\xe9", content_type="text/plain; charset=iso-8859-1")
        raw = await client.files.with_raw_response.content("f")
        assert raw.text == "\u00e9"


@pytest.mark.usefixtures("transport")
class TestStreaming:
    @pytest.fixture
    def opened(self, client: AsyncOpenAI, server: Server) -> Any:
        server.reply_with("/files/f/content", CONTENT, chunk_size=1000)
        return client.files.with_streaming_response.content

    async def test_pieces(self, opened: Any, server: Server) -> None:
        for size in (None, 1, 999, 1000, 10**6):
            async with opened("f") as response:
                pieces = [piece async for piece in response.iter_bytes(size)]
                assert b"".join(pieces) == CONTENT
                if size is not None:
                    assert {len(piece) for piece in pieces[:-1]} <= {size}
        async with opened("f") as response:
            assert b"".join([piece async for piece in response.iter_raw()]) == CONTENT
        assert server.connections == 1
        with pytest.raises(ValueError, match="chunk_size"):
            async with opened("f") as response:
                _ = [piece async for piece in response.iter_bytes(0)]

    @pytest.mark.parametrize("size", [1, 2, 3, 1000])
    async def test_text_and_lines(self, size: int, opened: Any, server: Server) -> None:
        server.reply_with("/files/f/content", LINES.encode(), chunk_size=size)
        async with opened("f") as response:
            assert "".join([text async for text in response.iter_text()]) == LINES
        async with opened("f") as response:
            assert "".join([text async for text in response.iter_text(1)]) == LINES
        async with opened("f") as response:
            assert [line async for line in response.iter_lines()] == ["one", "two", "thr\u00e9e", "", "five"]
        async with opened("f") as response:
            assert await response.text() == LINES

    async def test_read_once_and_kept(self, opened: Any) -> None:
        async with opened("f") as response:
            assert not response.is_closed
            assert await response.read() == await response.read() == CONTENT
            assert (await response.parse()).content == CONTENT
            assert response.is_closed
        assert response.retries_taken == 0
        assert response.headers["x-request-id"]
        assert response.http_request.method == "GET"

    async def test_json(self, client: AsyncOpenAI) -> None:
        async with client.models.with_streaming_response.retrieve("gpt-4o") as response:
            assert (await response.json())["id"] == "gpt-4o"
            assert (await response.parse()).id == "gpt-4o"

    async def test_to_a_file(self, opened: Any, tmp_path: Path) -> None:
        async with opened("f") as response:
            await response.stream_to_file(tmp_path / "out", chunk_size=7000)
        assert (tmp_path / "out").read_bytes() == CONTENT

    @pytest.mark.parametrize("how", ["iter_bytes", "iter_text", "iter_lines", "read", "json"])
    async def test_cut(self, how: str, opened: Any, server: Server) -> None:
        server.fault(cut_after=50_000, match="content")
        with pytest.raises(APIConnectionError) as caught:  # noqa: PT012
            async with opened("f") as response:
                reading = getattr(response, how)()
                if how.startswith("iter"):
                    async for _ in reading:
                        pass
                else:
                    await reading
        assert caught.value.__cause__ is not None

    async def test_stalled(self, opened: Any, server: Server) -> None:
        server.fault(stall_after=50_000)
        with pytest.raises(APITimeoutError):
            async with opened("f", timeout=Timeout(read=0.1)) as response:
                await response.read()

    async def test_left_early(self, opened: Any, server: Server, until: Any) -> None:
        server.reply_with("/files/f/content", CONTENT * 100)
        async with opened("f") as response:
            async for _ in response.iter_bytes(10):
                break
        await until(lambda: server.open_connections == 0)

    async def test_cancelled(self, opened: Any, server: Server, until: Any) -> None:
        server.fault(stall_after=50_000)
        reading = asyncio.Event()

        async def read() -> None:
            async with opened("f") as response:
                async for _ in response.iter_bytes():
                    reading.set()

        task = asyncio.create_task(read())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.open_connections == 0)

    async def test_errors_come_before_the_body(self, client: AsyncOpenAI) -> None:
        import aiopenai

        with pytest.raises(aiopenai.NotFoundError):
            async with client.models.with_streaming_response.retrieve("nope"):
                pass


class TestPieces:
    """Bodies in pieces of the server's choice, cut and joined here."""

    async def opened(self, raw_server: Any, pieces: list[bytes], kind: str) -> tuple[AsyncOpenAI, Any]:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            await server.request(reader)
            writer.write(server.head(kind=kind))
            for piece in pieces:
                writer.write(server.chunk(piece))
                await writer.drain()
                await asyncio.sleep(0.002)
            writer.write(server.chunk(b""))

        server = await raw_server(serve)
        client = AsyncOpenAI(api_key="k", base_url=server.base_url)
        return client, client.models.with_streaming_response.list()

    @pytest.mark.parametrize(
        ("size", "expected"), [(2, [b"ab", b"cd"]), (3, [b"abc", b"d"]), (4, [b"abcd"]), (9, [b"abcd"])]
    )
    async def test_sizes_that_fit_exactly(self, raw_server: Any, size: int, expected: list[bytes]) -> None:
        client, opening = await self.opened(raw_server, [b"a", b"bcd"], "text/plain")
        async with client, opening as reply:
            assert [piece async for piece in reply.iter_bytes(size)] == expected

    async def test_half_a_character_at_the_end(self, raw_server: Any) -> None:
        client, opening = await self.opened(raw_server, [b"\xc3", b"\xa9a\xc3"], "text/plain; charset=utf-8")
        async with client, opening as reply:
            assert "".join([text async for text in reply.iter_text()]) == "\u00e9a\ufffd"

    async def test_lines_that_end_with_a_line_end(self, raw_server: Any) -> None:
        for last, more in ((b"\n", []), (b"\r", []), (b"", []), (b"\n\n", [""])):
            client, opening = await self.opened(raw_server, [b"one\r", b"\ntwo" + last], "text/plain")
            async with client, opening as reply:
                assert [line async for line in reply.iter_lines()] == ["one", "two", *more]
