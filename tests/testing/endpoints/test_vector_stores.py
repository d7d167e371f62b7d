from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError, omit
from tests.testing.strict import collect, strict


async def upload(client: AsyncOpenAI, data: bytes, name: str = "a.txt") -> str:
    return (await client.files.create(file=(name, data), purpose="assistants")).id


async def ready(client: AsyncOpenAI, *texts: bytes, attributes: Any = None) -> tuple[str, list[str]]:
    """A store with files that are read."""
    store = await client.vector_stores.create(name="s")
    ids = [await upload(client, text, f"{number}.txt") for number, text in enumerate(texts)]
    files = [{"file_id": one, "attributes": (attributes or {}).get(number, {})} for number, one in enumerate(ids)]
    batch = await client.vector_stores.file_batches.create(store.id, files=files)
    for _ in range(2):
        batch = strict(await client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id))
    assert batch.status == "completed"
    return store.id, ids


async def test_a_stores_life(client: AsyncOpenAI) -> None:
    stores = client.vector_stores
    expires = {"anchor": "last_active_at", "days": 2}
    store = strict(await stores.create(name="s", metadata={"a": "b"}, expires_after=expires))
    assert (store.status, store.file_counts.total, store.metadata) == ("completed", 0, {"a": "b"})
    assert store.expires_at == store.created_at + 2 * 86_400
    store = strict(await stores.update(store.id, name="t", expires_after=None))
    assert (store.name, store.expires_at) == ("t", None)
    others = [(await stores.create()).id for _ in range(2)]
    assert [one.id for one in await collect(stores.list(limit=1))] == [*reversed(others), store.id]
    page = await stores.list(before=store.id, limit=1)
    assert [one.id for one in page.data] == [others[0]]
    assert strict(await stores.delete(store.id)).deleted
    with pytest.raises(NotFoundError):
        await stores.retrieve(store.id)


async def test_a_store_reads_its_files(client: AsyncOpenAI) -> None:
    ids = [await upload(client, b"one two"), await upload(client, b"\xff\xfe")]
    store = strict(await client.vector_stores.create(file_ids=ids))
    statuses = [store.status]
    while store.status == "in_progress":
        store = strict(await client.vector_stores.retrieve(store.id))
        statuses.append(store.status)
    assert statuses == ["in_progress", "in_progress", "completed"]
    counts = store.file_counts
    assert (counts.completed, counts.failed, counts.total, store.usage_bytes) == (1, 1, 2, 7)


async def test_a_files_life(client: AsyncOpenAI) -> None:
    files = client.vector_stores.files
    store = (await client.vector_stores.create()).id
    good, bad = await upload(client, b"one\n\ntwo"), await upload(client, b" ")
    file = strict(await files.create(store, file_id=good, attributes={"year": 2024}))
    assert (file.status, file.attributes) == ("in_progress", {"year": 2024})
    raw = await files.with_raw_response.retrieve(good, vector_store_id=store)
    assert raw.headers["openai-poll-after-ms"] == "10"
    raw = await files.with_raw_response.retrieve(good, vector_store_id=store)
    assert "openai-poll-after-ms" not in raw.headers
    assert strict(await files.retrieve(good, vector_store_id=store)).status == "completed"
    await files.create(store, file_id=bad)
    for _ in range(2):
        file = strict(await files.retrieve(bad, vector_store_id=store))
    assert file.status == "failed"
    assert file.last_error is not None
    assert file.last_error.code == "unsupported_file"
    updated = await files.update(good, vector_store_id=store, attributes={"year": 2025})
    assert strict(updated).attributes == {"year": 2025}
    assert [part.text async for part in files.content(good, vector_store_id=store)] == ["one", "two"]
    assert [one.id for one in await collect(files.list(store, filter="completed"))] == [good]
    assert strict(await files.delete(good, vector_store_id=store)).deleted
    with pytest.raises(NotFoundError):
        await files.retrieve(good, vector_store_id=store)
    # The file itself is still there.
    await client.files.retrieve(good)


async def test_batches_of_files(client: AsyncOpenAI) -> None:
    batches = client.vector_stores.file_batches
    store = (await client.vector_stores.create()).id
    ids = [await upload(client, b"one"), await upload(client, b"two")]
    batch = strict(await batches.create(store, file_ids=ids))
    assert (batch.status, batch.file_counts.in_progress) == ("in_progress", 2)
    assert [file.status for file in await collect(batches.list_files(batch.id, vector_store_id=store))] == [
        "in_progress"
    ] * 2
    assert (await batches.retrieve(batch.id, vector_store_id=store)).status == "in_progress"
    batch = strict(await batches.retrieve(batch.id, vector_store_id=store))
    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    other = await batches.create(store, file_ids=[await upload(client, b"three")])
    cancelled = strict(await batches.cancel(other.id, vector_store_id=store))
    assert (cancelled.status, cancelled.file_counts.cancelled) == ("cancelled", 1)
    failing = await batches.create(store, file_ids=[await upload(client, b"\xff")])
    for _ in range(2):
        failing = await batches.retrieve(failing.id, vector_store_id=store)
    assert failing.status == "failed"


async def test_search(client: AsyncOpenAI) -> None:
    search = client.vector_stores.search
    attributes = {0: {"year": 2024, "kind": "a"}, 1: {"year": 2025}}
    store, ids = await ready(client, b"Red fish.\n\nBlue fish.", b"A blue boat.", b"Nothing", attributes=attributes)
    found = await collect(search(store, query="blue fish"))
    assert [(result.file_id, result.score) for result in found] == [(ids[0], 1.0), (ids[1], 0.5)]
    assert [part.text for part in found[0].content] == ["Blue fish.", "Red fish."]
    assert found[0].filename == "0.txt"
    assert [one.file_id for one in await collect(search(store, query=["boat", "x"], max_num_results=1))] == [ids[1]]
    best = await collect(search(store, query="blue fish", ranking_options={"score_threshold": 0.9}))
    assert [one.file_id for one in best] == [ids[0]]

    async def by(**wanted: Any) -> list[int]:
        results = await collect(search(store, query="blue nothing", filters=wanted))
        return sorted(ids.index(one.file_id) for one in results)

    assert await by(type="eq", key="year", value=2025) == [1]
    assert await by(type="ne", key="year", value=2025) == [0, 2]
    assert await by(type="gte", key="year", value=2024) == [0, 1]
    assert await by(type="in", key="kind", value=["a"]) == [0]
    assert await by(type="nin", key="kind", value=["a"]) == [1, 2]
    early: Any = {"type": "lt", "key": "year", "value": 2025}
    late: Any = {"type": "gt", "key": "year", "value": 2024}
    assert await by(type="or", filters=[early, late]) == [0, 1]
    assert await by(type="and", filters=[early, late]) == []
    for wrong in ({"type": "like"}, {"type": "lt", "key": "year", "value": "x"}):
        with pytest.raises(BadRequestError, match=r"[Ff]ilter|like"):
            await by(**wrong)


async def test_bad_calls(client: AsyncOpenAI) -> None:
    store = (await client.vector_stores.create()).id
    with pytest.raises(NotFoundError):
        await client.vector_stores.files.create(store, file_id="file-none")
    with pytest.raises(BadRequestError, match="file_ids"):
        await client.vector_stores.file_batches.create(store)
    with pytest.raises(BadRequestError, match="file_id"):
        await client.vector_stores.file_batches.create(store, files=[{}])  # type: ignore[typeddict-item]
    known = await upload(client, b"x")
    with pytest.raises(NotFoundError):
        await client.vector_stores.file_batches.create(store, file_ids=[known, "file-none"])
    assert await collect(client.vector_stores.files.list(store)) == []
    await client.vector_stores.files.create(store, file_id=known)
    with pytest.raises(BadRequestError, match="attributes"):
        await client.vector_stores.files.update(known, vector_store_id=store, extra_body={}, attributes=omit)  # type: ignore[arg-type]
    with pytest.raises(BadRequestError, match="odd"):
        await client.vector_stores.files.list(store, filter="odd")  # type: ignore[arg-type]
    with pytest.raises(BadRequestError, match="before"):
        await client.vector_stores.list(before="vs_none")
