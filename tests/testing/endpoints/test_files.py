from __future__ import annotations

import io
from typing import Any

import aiohttp
import pytest

from aiopenai.testing import Server
from tests.testing.http import Api


def form(data: bytes = b"a\r\n\x00b", filename: str | None = "x.jsonl", **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in {"purpose": "batch", **fields}.items():
        if value:
            form.add_field(name.replace("__", "[") + ("]" if "__" in name else ""), value)
    form.add_field("file", io.BytesIO(data) if filename else data.decode(), filename=filename)
    return form


async def upload(api: Api, **options: Any) -> Any:
    return await api.ok("POST", "/files", data=form(**options))


async def test_a_files_life(api: Api) -> None:
    file = await upload(api)
    assert file == {
        "id": file["id"],
        "object": "file",
        "bytes": 5,
        "created_at": file["created_at"],
        "expires_at": None,
        "filename": "x.jsonl",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    path = f"/files/{file['id']}"
    assert await api.ok("GET", path) == file
    got = await api("GET", path + "/content")
    assert got.body == b"a\r\n\x00b"
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == 'attachment; filename="x.jsonl"'
    assert await api.ok("DELETE", path) == {"id": file["id"], "object": "file", "deleted": True}
    for method, suffix in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert "No such File" in (await api.fails(404, method, path + suffix))["message"]


async def test_an_odd_name_and_a_big_file(api: Api) -> None:
    data = bytes(range(256)) * 8_000
    file = await upload(api, data=data, filename='sn\u00f6w "1".bin')
    assert file["filename"] == 'sn\u00f6w "1".bin'
    got = await api("GET", f"/files/{file['id']}/content")
    assert got.body == data
    assert got.headers["content-disposition"] == 'attachment; filename="sn_w _1_.bin"'


async def test_expiry(api: Api) -> None:
    file = await upload(api, expires_after__anchor="created_at", expires_after__seconds="3600")
    assert file["expires_at"] == file["created_at"] + 3600


async def test_list(api: Api) -> None:
    ids = [(await upload(api, purpose=("batch", "vision")[number % 2]))["id"] for number in range(4)]
    assert [file["id"] for file in (await api.ok("GET", "/files"))["data"]] == ids[::-1]
    listed = await api.ok("GET", "/files?order=asc&purpose=vision&limit=1")
    assert [file["id"] for file in listed["data"]] == [ids[1]]
    assert listed["has_more"] is True
    listed = await api.ok("GET", f"/files?order=asc&purpose=vision&limit=1&after={ids[1]}")
    assert [file["id"] for file in listed["data"]] == [ids[3]]
    assert listed["has_more"] is False


async def test_the_journal_knows_the_parts(api: Api) -> None:
    await upload(api)
    (request,) = api.server.requests_for("/files")
    purpose, file = request.multipart()
    assert (purpose.name, purpose.text, purpose.filename) == ("purpose", "batch", None)
    assert (file.name, file.data, file.filename) == ("file", b"a\r\n\x00b", "x.jsonl")
    assert file.content_type is not None


async def test_files_are_bounded_by_their_bytes() -> None:
    async with (
        Server(max_stored_bytes=100) as server,
        aiohttp.ClientSession(headers={"authorization": "Bearer x"}) as session,
    ):
        api = Api(server, session)
        first = await upload(api, data=b"x" * 60)
        second = await upload(api, data=b"x" * 60)
        await api.fails(404, "GET", f"/files/{first['id']}")
        await api.ok("GET", f"/files/{second['id']}")
        third = await upload(api, data=b"x" * 200)
        await api.ok("GET", f"/files/{third['id']}")


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"purpose": ""}, "purpose"),
        ({"purpose": "fun"}, "purpose"),
        ({"filename": None}, "file"),
        ({"expires_after__seconds": "3600"}, "expires_after[anchor]"),
        ({"expires_after__seconds": "3600", "expires_after__anchor": "x"}, "expires_after[anchor]"),
        ({"expires_after__seconds": "1", "expires_after__anchor": "created_at"}, "expires_after[seconds]"),
        ({"expires_after__seconds": "x", "expires_after__anchor": "created_at"}, "expires_after[seconds]"),
    ],
)
async def test_bad_input(api: Api, options: dict[str, Any], param: str) -> None:
    assert (await api.fails(400, "POST", "/files", data=form(**options)))["param"] == param


async def test_no_multipart_no_file(api: Api) -> None:
    assert "multipart" in (await api.fails(400, "POST", "/files", {"purpose": "batch"}))["message"]
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    body = b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x--\r\n'
    assert (await api.fails(400, "POST", "/files", data=body, headers=boundary))["param"] == "file"
