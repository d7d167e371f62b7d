"""Binary replies in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiopenai import AsyncOpenAI
from aiopenai._calls.binary import HttpxBinaryResponseContent
from aiopenai.testing import Server

CONTENT = bytes(range(256)) * 1000
LINES = "one\r\ntwo\rthr\u00e9e\n\nfive"


@pytest.mark.usefixtures("transport")
class TestBinary:
    @pytest.fixture
    async def content(self, client: AsyncOpenAI, server: Server) -> HttpxBinaryResponseContent:
        server.reply_with("/files/f/content", CONTENT, content_type="application/octet-stream")
        return await client.files.content("f")

    async def test_reading(self, content: HttpxBinaryResponseContent) -> None:
        assert content.content == content.read() == await content.aread() == CONTENT
        assert b"".join(content.iter_bytes()) == CONTENT
        assert [len(piece) for piece in content.iter_bytes(100_000)] == [100_000, 100_000, 56_000]
        assert b"".join([piece async for piece in content.aiter_bytes(7_000)]) == CONTENT
        assert b"".join(content.iter_raw(7_000)) == b"".join([piece async for piece in content.aiter_raw()]) == CONTENT
        texts = [*content.iter_text(7_000)]
        assert "".join(texts) == "".join([piece async for piece in content.aiter_text()]) == content.text
        assert len(texts[0]) == 7_000
        assert content.response.status_code == 200
        content.close()
        await content.aclose()
        with content as same:
            assert same is content

    async def test_to_files(self, content: HttpxBinaryResponseContent, tmp_path: Path) -> None:
        content.write_to_file(tmp_path / "a")
        with pytest.warns(DeprecationWarning, match="with_streaming_response") as plain:
            content.stream_to_file(str(tmp_path / "b"), chunk_size=1000)
        with pytest.warns(DeprecationWarning, match="with_streaming_response") as coroutine:
            await content.astream_to_file(tmp_path / "c", chunk_size=999)
        assert [warning.filename for warning in (*plain, *coroutine)] == [__file__] * 2
        assert {(tmp_path / name).read_bytes() for name in "abc"} == {CONTENT}

    async def test_text(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/files/f/content", LINES.encode())
        content = await client.files.content("f")
        assert content.text == LINES
        assert content.encoding == "utf-8"
        assert list(content.iter_lines()) == [line async for line in content.aiter_lines()]
        assert list(content.iter_lines()) == ["one", "two", "thr\u00e9e", "", "five"]
        server.reply_with("/files/f/content", b'{"a": 1}')
        assert (await client.files.content("f")).json() == {"a": 1}
