"""Replies of drop-in mode in the reference's forms: pages, files and headers. Each in an interpreter of its own."""

from __future__ import annotations

import pytest

from tests.dropin.programs import script

pytest.importorskip("pydantic")
pytestmark = pytest.mark.once


def test_blocking_pages() -> None:
    script("""
        from openai._base_client import BasePage, BaseSyncPage
        from openai.pagination import SyncCursorPage, SyncPage
        from openai.types import FileObject, Model
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            page = client.models.list()
            assert type(page) is SyncPage[Model] and isinstance(page, (SyncPage, BasePage, pydantic.BaseModel))
            assert isinstance(page, BaseSyncPage)
            assert SyncPage.__module__ == "openai.pagination"
            assert type(page.data[0]) is Model and page._get_page_items() == page.data
            assert SyncPage[Model].model_validate(page.model_dump()).data == page.data
            assert not page.has_next_page() and [each for each in page] == page.data
            for _ in range(3):
                client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
            first = client.files.list(limit=2)
            assert type(first) is SyncCursorPage[FileObject]
            assert first.has_next_page() and first.next_page_info().params == {"after": first.data[-1].id}
            assert [len(each.data) for each in first.iter_pages()] == [2, 1] and len(list(first)) == 3
            assert type(first.get_next_page()) is SyncCursorPage[FileObject]
            assert type(client.files.with_raw_response.list().parse()) is SyncCursorPage[FileObject]
            for page in (SyncCursorPage, SyncCursorPage[FileObject]):
                assert type(client.get_api_list("/files", model=FileObject, page=page)) is SyncCursorPage[FileObject]
            try:
                SyncPage[Model](data=[]).get_next_page()
            except RuntimeError as error:
                assert "no next page" in str(error)
            assert {"data", "has_more"} <= SyncCursorPage[FileObject].model_fields.keys()
    """)


def test_asynchronous_pages() -> None:
    script("""
        from openai.pagination import AsyncCursorPage, AsyncPage
        from openai.types import FileObject, Model
        async def main():
            async with Server() as server, openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
                assert type(await client.models.list()) is AsyncPage[Model]
                for _ in range(3):
                    await client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
                page = await client.files.list(limit=2)
                assert type(page) is AsyncCursorPage[FileObject] and page.has_next_page()
                assert len([each async for each in page]) == 3
                assert len([each async for each in client.files.list(limit=1)]) == 3
                assert type(await page.get_next_page()) is AsyncCursorPage[FileObject]
                page = await client.get_api_list("/files", model=FileObject, page=AsyncCursorPage[FileObject])
                assert type(page) is AsyncCursorPage[FileObject]
        asyncio.run(main())
    """)


def test_headers() -> None:
    script("""
        import platform
        with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
            raw = client.models.with_raw_response.list()
            headers = raw.http_request.headers
            assert headers["X-Stainless-Lang"] == "python" and headers["X-Stainless-Async"] == "false"
            assert headers["X-Stainless-Runtime-Version"] == platform.python_version()
            assert headers["X-Stainless-Package-Version"] == openai.__version__
            assert client.default_headers["X-Stainless-Lang"] == "python"
            client.models.list(extra_headers={"X-Stainless-Lang": "other"})
            assert server.journal[-1].headers["x-stainless-lang"] == "other"
    """)


def test_streamed_files_are_bytes() -> None:
    script("""
        async def main():
            async with Server() as server, openai.AsyncOpenAI(base_url=server.base_url, api_key="k") as client:
                server.reply_with("/files/f/content", b"text")
                async with client.files.with_streaming_response.content("f") as reply:
                    assert await reply.parse() == b"text"
                    assert type(await reply.parse(to=str)) is str
                assert (await client.files.content("f")).content == b"text"
            with Server() as server, openai.OpenAI(base_url=server.base_url, api_key="k") as client:
                server.reply_with("/files/f/content", b"text")
                with client.files.with_streaming_response.content("f") as reply:
                    assert reply.parse() == b"text"
        asyncio.run(main())
    """)
