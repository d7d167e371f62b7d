from __future__ import annotations

import codecs
import encodings
import json
import pickle
import time
from typing import Any

import aiohttp
import pytest

from aiopenai import APIStatusError, AsyncOpenAI, OpenAI
from aiopenai._http.messages import Headers, HTTPRequest, HTTPResponse, as_utf8, charset_of
from aiopenai.testing import Server


def of_charset(name: str) -> dict[str, str]:
    return {"content-type": f"text/plain; charset={name}"}


class TestCharset:
    @pytest.mark.parametrize(
        ("name", "codec"),
        [
            ("utf-8", "utf-8"),
            ("UTF8", "utf-8"),
            ("us-ascii", "utf-8"),
            ("gbk", "gbk"),
            ("GB2312", "gb2312"),
            ("gb18030", "gb18030"),
            ("Big5", "big5"),
            ("Shift_JIS", "shift_jis"),
            ("euc-jp", "euc_jp"),
            ("EUC-KR", "euc_kr"),
            ("windows-1252", "cp1252"),
            ("cp1251", "cp1251"),
            ("koi8-r", "koi8-r"),
            ("iso-8859-1", "iso8859-1"),
            ("latin1", "iso8859-1"),
            ("iso-8859-15", "iso8859-15"),
            ('"utf-16"', "utf-16"),
            ("'utf-16le'", "utf-16-le"),
            ("gbk; x=y", "gbk"),
        ],
    )
    def test_text_encodings(self, name: str, codec: str) -> None:
        assert charset_of(of_charset(name)) == codec

    @pytest.mark.parametrize(
        "name",
        [
            *("hex", "zlib", "bz2", "base64", "rot13", "uu", "quopri", "punycode", "idna", "utf-7", "undefined"),
            *("unicode_escape", "raw_unicode_escape", "oem", "mbcs", "charmap", "nonsense", "../x", "a.b", "{}"),
            *("", "x" * 1000, "\u00fc"),
        ],
    )
    def test_anything_else_is_utf_8(self, name: str) -> None:
        headers = of_charset(name)
        assert charset_of(headers) == "utf-8"
        response = HTTPResponse(500, Headers(headers.items()), b"\xffabc", HTTPRequest("GET", "http://a.test"))
        assert response.text == "\ufffdabc"

    def test_names_of_servers_fill_no_table(self) -> None:
        before = len(encodings._cache)  # type: ignore[attr-defined]
        for number in range(100):
            charset_of(of_charset(f"no-such-{number}"))
        assert len(encodings._cache) == before  # type: ignore[attr-defined]

    def test_without_a_charset(self) -> None:
        assert charset_of({}) == charset_of({"content-type": "text/html"}) == "utf-8"

    def test_every_alias_of_python(self) -> None:
        for alias in {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}:
            found = charset_of(of_charset(alias))
            codec = codecs.lookup(found)
            assert codec._is_text_encoding  # type: ignore[attr-defined]
            assert found not in ("punycode", "idna", "utf-7", "unicode_escape")


class TestAsUtf8:
    @pytest.mark.parametrize("name", ["gbk", "big5", "gb18030", "utf-16", "utf-32-be", "shift_jis"])
    def test_declared(self, name: str) -> None:
        text = json.dumps({"a": "中文"}, ensure_ascii=False)
        assert as_utf8(of_charset(name), text.encode(name)) == text.encode()

    def test_the_body_is_utf_8_after_all(self) -> None:
        body = '"é"'.encode()
        assert as_utf8(of_charset("iso-8859-1"), body) is body
        assert as_utf8({}, b"\xff") == b"\xff"

    @pytest.mark.parametrize("transport", ["direct", "general"], indirect=True)
    async def test_a_whole_reply(self, transport: str, server: Server) -> None:
        text = json.dumps({"id": "ü中"}, ensure_ascii=False)
        server.reply_with("/models/m", text.encode("gbk"), content_type="application/json; charset=gbk")
        async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
            assert (await client.models.retrieve("m")).id == "ü中"
            raw = await client.models.with_raw_response.retrieve("m")
            assert raw.parse().id == "ü中"


NO_TEXT = ["hex", "zlib", "idna", "punycode", "utf-7", "base64"]


@pytest.mark.parametrize("way", ["direct", "general"])
def test_an_error_in_a_charset_of_no_text_in_the_blocking_client(way: str) -> None:
    options: Any = {"connector": aiohttp.TCPConnector} if way == "general" else {}
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url, max_retries=0, **options) as client:
        for name in NO_TEXT:
            kind = f"application/json; charset={name}"
            server.reply_with("/models", b'{"error": {"message": "No."}}', status=400, content_type=kind)
            with pytest.raises(APIStatusError, match=r"No\."):
                client.models.list()


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("name", NO_TEXT)
async def test_an_error_in_a_charset_of_no_text(name: str, raw_server: Any) -> None:
    body = b'{"error": {"message": "No."}}' + b" " * 400_000

    async def serve(server: Any, reader: Any, writer: Any) -> None:
        await server.request(reader)
        writer.write(server.reply(body, status="400 Bad Request", kind=f"application/json; charset={name}"))

    server = await raw_server(serve)
    async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        began = time.process_time()
        with pytest.raises(APIStatusError, match=r"No\."):
            await client.models.list()
        assert time.process_time() - began < 1


class TestValues:
    def test_nothing_secret_is_kept(self) -> None:
        request = HTTPRequest(
            "GET",
            "https://us:hunter2@a.test/x?api-key=hunter2&b=c",
            [("Authorization", "Bearer hunter2"), ("api-key", "hunter2"), ("x", "y")],
        )
        assert request.url == "https://a.test/x?api-key=<redacted>&b=c"
        assert request.headers["x"] == "y"
        assert "hunter2" not in repr(request) + repr(request.headers) + str(pickle.dumps(request))
        assert request.headers["authorization"] == "<redacted>"

    def test_json_of_no_json(self) -> None:
        response = HTTPResponse(200, Headers(), b"nope", HTTPRequest("GET", "http://a.test"), reason="OK")
        with pytest.raises(ValueError, match="not JSON"):
            response.json()
        assert response.is_success
        assert repr(response) == "<HTTPResponse [200 OK]>"
        assert response.url == "http://a.test"


class TestReading:
    def test_a_response_that_is_read_again(self) -> None:
        response = HTTPResponse(
            200, Headers([("A", "1"), ("a", "2"), ("b", "3")]), b"body", HTTPRequest("GET", "http://h", {})
        )
        assert response.read() == b"body"
        assert response.headers.get_list("A") == ["1", "2"]
        assert response.headers.get_list("c") == []
        assert response.headers.multi_items() == [("a", "1"), ("a", "2"), ("b", "3")]

    async def test_by_the_names_of_async_clients(self) -> None:
        response = HTTPResponse(200, Headers(), b"body", HTTPRequest("GET", "http://h", {}))
        assert await response.aread() == b"body"
