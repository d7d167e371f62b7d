from __future__ import annotations

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, NotFoundError
from tests.testing.strict import collect, strict


async def test_a_containers_life(client: AsyncOpenAI) -> None:
    file = await client.files.create(file=("a.csv", b"1,2"), purpose="assistants")
    made = strict(await client.containers.create(name="one", file_ids=[file.id], memory_limit="4g"))
    assert (made.status, made.memory_limit) == ("running", "4g")
    other = await client.containers.create(name="two", network_policy={"type": "disabled"})
    assert [one.id for one in await collect(client.containers.list())] == [other.id, made.id]
    assert [one.id for one in await collect(client.containers.list(name="one"))] == [made.id]
    assert strict(await client.containers.retrieve(made.id)).name == "one"
    (held,) = await collect(client.containers.files.list(made.id))
    assert held.path == "/mnt/data/a.csv"
    await client.containers.delete(made.id)
    with pytest.raises(NotFoundError):
        await client.containers.retrieve(made.id)
    with pytest.raises(NotFoundError):
        await client.containers.files.retrieve(held.id, container_id=made.id)


async def test_files(client: AsyncOpenAI) -> None:
    box = (await client.containers.create(name="one")).id
    files = client.containers.files
    sent = strict(await files.create(box, file=("b.txt", b"abc")))
    known = await client.files.create(file=("a.csv", b"1,2"), purpose="assistants")
    linked = strict(await files.create(box, file_id=known.id))
    assert (sent.bytes, linked.path) == (3, "/mnt/data/a.csv")
    assert strict(await files.retrieve(sent.id, container_id=box)).path == "/mnt/data/b.txt"
    assert (await files.content.retrieve(linked.id, container_id=box)).content == b"1,2"
    await files.delete(sent.id, container_id=box)
    assert [one.id for one in await collect(files.list(box))] == [linked.id]
    with pytest.raises(BadRequestError, match="file"):
        await files.create(box)
    other = (await client.containers.create(name="two")).id
    with pytest.raises(NotFoundError):
        await files.retrieve(linked.id, container_id=other)
