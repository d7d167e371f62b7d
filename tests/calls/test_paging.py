from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, InternalServerError, OpenAI
from aiopenai._calls.paging import (
    AsyncConversationCursorPage,
    AsyncCursorPage,
    AsyncNextCursorPage,
    AsyncPage,
    AsyncPaginator,
    AsyncTokenPage,
    PageInfo,
    SyncCursorPage,
    link,
)
from aiopenai._data.codec import Decoder
from aiopenai.testing import Server
from aiopenai.types import Model

ITEM = {"object": "model", "created": 1, "owned_by": "me"}


def body(*ids: str, **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": name, **ITEM} for name in ids], **more}


@pytest.fixture
def pages(server: Server) -> Any:
    def prepare(*bodies: Any, path: str = "/x") -> None:
        for one in bodies:
            server.reply_with(path, one, times=1)

    return prepare


class TestWalking:
    async def test_all_items_of_all_pages(self, client: AsyncOpenAI, server: Server, pages: Any) -> None:
        pages(
            body("a", "b", has_more=True), body("c", has_more=True), body("d", has_more=False), path="/chat/completions"
        )
        listed = client.chat.completions.list(limit=2, metadata={"k": "v"}, extra_headers={"X-A": "1"}, timeout=7.5)
        assert isinstance(listed, AsyncPaginator)
        assert [item.id async for item in listed] == ["a", "b", "c", "d"]
        assert [r.query.get("after") for r in server.journal] == [None, "b", "c"]
        assert {(r.query["limit"], r.query["metadata[k]"], r.headers["x-a"]) for r in server.journal} == {
            ("2", "v", "1")
        }
        assert [r.headers["x-stainless-read-timeout"] for r in server.journal] == ["7.5"] * 3

    async def test_page_by_page(self, client: AsyncOpenAI, server: Server, pages: Any) -> None:
        pages(body("a", has_more=True), body("b", has_more=False), path="/chat/completions")
        page: Any = await client.chat.completions.list()
        assert isinstance(page, AsyncCursorPage)
        assert [item.id for item in page.data] == ["a"]
        assert page.has_next_page()
        info = page.next_page_info()
        assert isinstance(info, PageInfo)
        assert info.params == {"after": "a"}
        assert "after" in repr(info)
        page = await page.get_next_page()
        assert [item.id for item in page.data] == ["b"]
        assert not page.has_next_page()
        assert page._request_id == f"req_{server.request_count:032x}"

    async def test_from_a_page(self, client: AsyncOpenAI, pages: Any) -> None:
        pages(body("a", has_more=True), body("b"), body(), path="/chat/completions")
        page = await client.chat.completions.list()
        assert [item.id async for item in page] == ["a", "b"]
        pages(body("a", has_more=True), body("b", has_more=False), path="/chat/completions")
        page = await client.chat.completions.list()
        assert [[item.id for item in one.data] async for one in page.iter_pages()] == [["a"], ["b"]]

    async def test_of_a_raw_reply(self, client: AsyncOpenAI, pages: Any) -> None:
        pages(body("a", has_more=True), body("b", has_more=False), path="/chat/completions")
        raw = await client.chat.completions.with_raw_response.list()
        assert raw.headers["x-request-id"]
        page = raw.parse()
        assert [item.id async for item in page] == ["a", "b"]

    async def test_of_a_streaming_reply(self, client: AsyncOpenAI, pages: Any) -> None:
        pages(body("a", has_more=True), body("b", has_more=False), path="/chat/completions")
        async with client.chat.completions.with_streaming_response.list() as response:
            page = await response.parse()
            assert [item.id async for item in page] == ["a", "b"]

    async def test_of_a_request_value(self, client: AsyncOpenAI, pages: Any) -> None:
        pages(body("a", has_more=True), body("b", has_more=False), path="/chat/completions")
        page = await client.send(client.chat.completions.list.request())  # type: ignore[attr-defined]
        assert [item.id async for item in page] == ["a", "b"]

    async def test_an_error_on_the_way(self, client: AsyncOpenAI, server: Server, pages: Any) -> None:
        pages(body("a", has_more=True), path="/chat/completions")
        seen: list[str] = []
        server.fault(status=500, times=None, match=lambda request: "after" in request.query)
        with pytest.raises(InternalServerError):  # noqa: PT012 - what came before counts
            async for item in client.with_options(max_retries=0).chat.completions.list():
                seen.append(item.id)
        assert seen == ["a"]

    async def test_the_local_servers_own(self, client: AsyncOpenAI, chat: dict[str, Any]) -> None:
        made = [(await client.chat.completions.create(**chat, store=True)).id for _ in range(5)]
        assert [item.id async for item in client.chat.completions.list(limit=2)] == made
        assert {model.id async for model in client.models.list()} >= {"gpt-4o"}


class TestEnds:
    @pytest.mark.parametrize("data", [None, [], "absent"])
    async def test_no_data(self, data: Any, client: AsyncOpenAI, server: Server) -> None:
        reply = {"object": "list", "has_more": True, **({} if data == "absent" else {"data": data})}
        server.reply_with("/models", reply)
        server.reply_with("/chat/completions", reply)
        assert [item async for item in client.models.list()] == []
        page = await client.chat.completions.list()
        assert [item async for item in page] == []
        assert not page.has_next_page()
        assert page.next_page_info() is None
        with pytest.raises(RuntimeError, match="no next page"):
            await page.get_next_page()

    async def test_without_has_more(self, client: AsyncOpenAI, server: Server, pages: Any) -> None:
        pages(body("a"), body("b"), body(), path="/chat/completions")
        assert [item.id async for item in client.chat.completions.list()] == ["a", "b"]
        assert server.request_count == 3

    async def test_items_without_ids(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/chat/completions", {"data": [{}, 7, None], "has_more": True})
        page = await client.chat.completions.list()
        assert not page.has_next_page()
        assert len([item async for item in page]) == 3

    async def test_a_server_that_does_not_turn_the_page(self, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/chat/completions", body("a"))
        assert [item.id async for item in client.chat.completions.list()] == ["a", "a"]
        assert server.request_count == 2

    async def test_a_list_that_comes_whole(self, client: AsyncOpenAI) -> None:
        page = await client.models.list()
        assert isinstance(page, AsyncPage)
        assert not page.has_next_page()
        with pytest.raises(RuntimeError, match="has_next_page"):
            await page.get_next_page()

    async def test_a_page_of_nobodys(self) -> None:
        page = Decoder[Any].of(AsyncCursorPage[Model])(json.dumps(body("a", has_more=True)).encode())
        assert page.has_next_page()
        with pytest.raises(RuntimeError, match="not fetched by a client"):
            await page.get_next_page()

    async def test_pickling(self, client: AsyncOpenAI) -> None:
        page = await client.models.list()
        again = pickle.loads(pickle.dumps(page))
        assert [item.id for item in again.data] == [item.id for item in page.data]


class TestKinds:
    @pytest.mark.parametrize(
        ("kind", "first", "parameter"),
        [
            (AsyncCursorPage, body("a", has_more=True), {"after": "a"}),
            (AsyncConversationCursorPage, body("a", has_more=True, last_id="last"), {"after": "last"}),
            (AsyncNextCursorPage, body("a", has_more=True, next="cursor"), {"after": "cursor"}),
            (AsyncTokenPage, body("a", has_more=True, next="token"), {"page": "token"}),
        ],
    )
    async def test_cursors(
        self, kind: Any, first: Any, parameter: dict[str, str], client: AsyncOpenAI, server: Server, pages: Any
    ) -> None:
        pages(first, body("b", has_more=False))
        items = client.get_api_list("/x", model=Model, page=kind)
        assert [item.id async for item in items] == ["a", "b"]
        assert [r.query for r in server.journal] == [{}, parameter]

    @pytest.mark.parametrize("kind", [AsyncConversationCursorPage, AsyncNextCursorPage, AsyncTokenPage])
    async def test_no_cursor(self, kind: Any, client: AsyncOpenAI, server: Server) -> None:
        server.reply_with("/x", body("a", has_more=True, last_id=None, next=""))
        assert [item.id async for item in client.get_api_list("/x", model=Model, page=kind)] == ["a"]

    def test_as_the_reference(self) -> None:
        pagination = pytest.importorskip("openai.pagination")
        for name in (
            "AsyncPage",
            "AsyncCursorPage",
            "AsyncConversationCursorPage",
            "AsyncNextCursorPage",
            "AsyncTokenPage",
        ):
            theirs = getattr(pagination, name, None)
            if theirs is not None:
                ours = globals()[name]
                assert set(theirs.model_fields) <= set(ours.__struct_fields__), name
                for method in ("has_next_page", "next_page_info", "get_next_page", "iter_pages", "__aiter__"):
                    assert hasattr(ours, method)


class TestBlocking:
    def test_all_items_of_all_pages(self, blocking: OpenAI, own_server: Server) -> None:
        own_server.reply_with("/x", body("a", "b", has_more=True), times=1)
        own_server.reply_with("/x", body("c", has_more=False), times=1)
        page: Any = blocking.get("/x", cast_to=SyncCursorPage[Model])
        assert [item.id for item in page] == ["a", "b", "c"]
        assert own_server.journal[-1].query == {"after": "b"}

    def test_pages_one_by_one(self, blocking: OpenAI, own_server: Server) -> None:
        own_server.reply_with("/x", body("a", has_more=True), times=1)
        own_server.reply_with("/x", body(has_more=False), times=1)
        first: Any = blocking.get("/x", cast_to=SyncCursorPage[Model])
        assert [len(page.data) for page in first.iter_pages()] == [1, 0]


def test_replies_that_are_no_pages_get_no_links() -> None:
    reply = {"data": []}
    link(reply, None, None, whole=True)  # type: ignore[arg-type]
    assert reply == {"data": []}
