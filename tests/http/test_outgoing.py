from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai import APIConnectionError
from aiopenai._http.failures import UnsendableError
from aiopenai._http.multipart import MultipartBody
from aiopenai._http.outgoing import Block, header_block, http_url, lines_of, pieces_of, written
from tests.http.ways import WAYS, client_by


class TestURLs:
    @pytest.mark.parametrize(
        ("url", "target"),
        [
            ("http://a.test/v1/x?y=z", "/v1/x?y=z"),
            ("http://a.test", "/"),
            ("http://a.test/a%2Fb%20c", "/a%2Fb%20c"),
            ("http://a.test/a b", "/a%20b"),
            (" http://a.test/a ", "/a"),
            ("http://a.test/é/中?q=ü", "/%C3%A9/%E4%B8%AD?q=%C3%BC"),
            ("http://a.test/a%2fé", "/a%2f%C3%A9"),
            ('http://a.test/{x}|y^z`<>"\\', "/%7Bx%7D%7Cy%5Ez%60%3C%3E%22%5C"),
            ("http://a.test/x#y", "/x"),
            ("http://a.test/../x", "/../x"),
            ("http://a.test:80/x/", "/x/"),
        ],
    )
    def test_targets(self, url: str, target: str) -> None:
        assert http_url(url).raw_path_qs == target

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("http://bücher.test/x", "xn--bcher-kva.test"),
            ("http://BÜCHER.test/é", "xn--bcher-kva.test"),
            ("http://[::1]:8/x y", "::1"),
            ("http://user:pw@a.test/é", "a.test"),
        ],
    )
    def test_hosts(self, url: str, host: str) -> None:
        parsed = http_url(url)
        assert parsed.raw_host == host
        assert str(parsed).isascii()

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "x",
            "/v1",
            "ftp://a.test",
            "http://",
            "http:///x",
            "http://a.test:port/",
            "http://a.test:99999/",
            "http://a.test\\@b.test/",
            "http://a\\b/x",
            "http://[::1/x",
            "http://us:hunter2@/x",
            "http://us:hunter2@[::1/x",
        ],
    )
    def test_invalid(self, url: str) -> None:
        with pytest.raises(UnsendableError, match="URL") as caught:
            http_url(url)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("sign", ["\r\n", "\t", "\0", "\x7f"])
    def test_control_characters(self, sign: str) -> None:
        with pytest.raises(UnsendableError, match="control character"):
            http_url(f"http://a.test/{sign}x")

    @given(st.text(max_size=20))
    def test_any_path(self, path: str) -> None:
        try:
            target = http_url(f"http://a.test/{path}").raw_path_qs
        except UnsendableError:
            return
        # One request line is one line of three words.
        assert target.isascii()
        assert not set(target) & set(" \r\n\t\0")


@pytest.mark.parametrize("way", WAYS)
class TestOnTheWire:
    async def test_paths(self, way: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(b'{"id": "x"}'))

        server = await raw_server(serve)
        async with client_by(way, monkeypatch, server.base_url) as client:
            await client.get("/a b/é?q=ü v", cast_to=object)
        assert server.requests[0][0] == "GET /v1/a%20b/%C3%A9?q=%C3%BC%20v HTTP/1.1"

    @pytest.mark.parametrize("location", ["http://a.test\\@b.test/", "http://[::1", "http://a.test:port/"])
    async def test_redirects_to_nowhere(
        self, way: str, location: str, raw_server: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def serve(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(b"", f"location: {location}", status="307 Temporary Redirect"))

        server = await raw_server(serve)
        async with client_by(way, monkeypatch, server.base_url, max_retries=2) as client:
            with pytest.raises(APIConnectionError):
                await client.models.list()
        assert len(server.requests) <= 21


class TestHeaders:
    def test_the_key_is_in_no_repr(self) -> None:
        block = header_block({"Authorization": "Bearer hunter2", "API-Key": "hunter2", "X": "y"})
        assert block["authorization"] == "Bearer hunter2"
        assert "hunter2" not in repr(block)
        assert "'X': 'y'" in repr(block)

    @pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b"])
    def test_values(self, value: str) -> None:
        with pytest.raises(ValueError, match="'X-Key'") as caught:
            header_block({"X-Key": value})
        assert value not in str(caught.value)
        with pytest.raises(TypeError, match="'X-Key' must be a str, not int"):
            header_block({"X-Key": 5})  # type: ignore[dict-item]

    def test_lines_are_rendered_once(self) -> None:
        block = header_block({"A": "b"})
        assert lines_of(block) is lines_of(block)
        assert (lines_of(block) or b"").startswith(b"A: b\r\nAccept: */*\r\n")
        assert lines_of({"accept": "x"}) == lines_of(Block({"accept": "x"}))
        for unusual in ("Host", "expect", "Content-Length", "Transfer-Encoding"):
            assert lines_of({unusual: "x"}) is None

    @pytest.mark.parametrize("headers", [{"a b": "c"}, {"a:": "c"}, {"": "c"}, {"a": "b\r\nc"}])
    def test_what_no_header_can_be(self, headers: dict[str, str]) -> None:
        with pytest.raises(UnsendableError, match="header"):
            lines_of(headers)


class TestBodies:
    async def test_in_one_write(self) -> None:
        for body, end in ((None, b"\r\n\r\n"), (b"", b"\r\n\r\n"), (bytearray(b"xy"), b"Content-Length: 2\r\n\r\nxy")):
            data, pieces, chunked = await written("GET", b"GET / HTTP/1.1\r\n", {}, body)
            assert data.endswith(end)
            assert (pieces, chunked) == (None, False)
            assert (b"Content-Length" in data) == (body == b"xy")
        assert b"Content-Length: 0" in (await written("POST", b"", {}, None)).data

    async def test_in_pieces(self) -> None:
        body = bytes(range(256)) * 3000
        out = await written("POST", b"", {"authorization": "hunter2"}, body)
        assert out.pieces is not None
        assert b"".join([bytes(piece) async for piece in out.pieces]) == body
        assert f"Content-Length: {len(body)}".encode() in out.data
        assert "hunter2" not in repr(out)

    async def test_leaving_early_closes_the_source(self) -> None:
        closed = False

        async def source() -> Any:
            nonlocal closed
            try:
                yield b"a"
                yield b"b"
            finally:
                closed = True

        out = await written("POST", b"", {}, source())
        assert out.chunked
        pieces = pieces_of(source())
        await pieces.__anext__()
        await pieces.aclose()
        assert closed
        assert out.pieces is not None
        await out.pieces.aclose()


class TestPiecesOfSources:
    async def test_a_source_is_closed_with_its_pieces(self) -> None:
        closed: list[bool] = []

        async def source() -> Any:
            try:
                yield b"a"
                yield b"b"
            finally:
                closed.append(True)

        pieces = pieces_of(source())
        assert [piece async for piece in pieces] == [b"a", b"b"]
        early = pieces_of(source())
        assert await early.__anext__() == b"a"
        await early.aclose()
        assert closed == [True, True]

    async def test_a_source_without_an_end_of_its_own(self) -> None:
        class Source:
            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> bytes:
                raise StopAsyncIteration

        assert [piece async for piece in pieces_of(Source())] == []
        assert b"".join([bytes(piece) async for piece in pieces_of(bytearray(b"x" * 400_000))]) == b"x" * 400_000


class TestForms:
    @pytest.mark.parametrize("size", [3, 2_000_000])
    async def test_short_and_long_ones(self, size: int) -> None:
        form = MultipartBody({"purpose": "batch"}, {"file": ("a.txt", b"x" * size)})
        found = await written("POST", b"POST /x HTTP/1.1\r\n", header_block({"content-type": "application/json"}), form)
        head, _, rest = found.data.partition(b"\r\n\r\n")
        body = rest if found.pieces is None else b"".join([bytes(piece) async for piece in found.pieces])
        assert (found.pieces is None, found.chunked) == (size == 3, False)
        assert b"x" * size in body
        assert f"Content-Length: {len(body)}".encode() in head
        assert head.lower().count(b"content-type: ") == 1
        assert form.content_type.encode() in head


@pytest.mark.parametrize(
    ("name", "cure"), [("Authorization", "the key has it"), ("api-key", "the key has it"), ("x-mine", "")]
)
def test_the_cure_of_a_header_that_cannot_be_sent(name: str, cure: str) -> None:
    with pytest.raises(ValueError, match="line break") as caught:
        header_block({name: "hunter2\n"})
    assert name.lower() in str(caught.value).lower()
    assert ("strip" in str(caught.value)) == bool(cure)
    assert "hunter2" not in str(caught.value)
