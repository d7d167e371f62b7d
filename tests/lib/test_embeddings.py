from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
from array import array
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAI, omit
from aiopenai._data.codec import Decoder
from aiopenai.testing import Server
from aiopenai.types import CreateEmbeddingResponse

ARGS: dict[str, Any] = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 4}
FLOATS = [0.5, -1.25, 3.0, 2.0**-20]


def text(floats: list[float]) -> str:
    made = array("f", floats)
    if sys.byteorder == "big":
        made.byteswap()
    return b64encode(made.tobytes()).decode()


ENCODED = text(FLOATS)


def reply(embedding: Any = ENCODED, **more: Any) -> dict[str, Any]:
    item = {"object": "embedding", "index": 0, "embedding": embedding}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": [item], "model": "m", "usage": usage, **more}


def decode(value: dict[str, Any]) -> CreateEmbeddingResponse:
    return Decoder.of(CreateEmbeddingResponse)(json.dumps(value).encode())


Answer = Callable[[dict[str, Any]], Awaitable[AsyncOpenAI]]


@pytest.fixture
async def answering(raw_server: Any) -> AsyncIterator[Answer]:
    """`await answering(value)`: a client whose server answers everything with that."""
    clients: list[AsyncOpenAI] = []

    async def start(value: dict[str, Any]) -> AsyncOpenAI:
        async def handler(server: Any, reader: Any, writer: Any) -> None:
            while True:
                await server.request(reader)
                writer.write(server.reply(json.dumps(value).encode()))

        server = await raw_server(handler)
        clients.append(AsyncOpenAI(api_key="k", base_url=server.base_url))
        return clients[-1]

    yield start
    for client in clients:
        await client.close()


class TestCreate:
    async def test_asks_for_base64_and_gives_floats(self, client: AsyncOpenAI, server: Server) -> None:
        for arguments in (ARGS, {**ARGS, "encoding_format": omit}):
            found = await client.embeddings.create(**arguments)
            assert server.journal[-1].json()["encoding_format"] == "base64"
            plain = await client.embeddings.create(**ARGS, encoding_format="float")
            assert server.journal[-1].json()["encoding_format"] == "float"
            assert found == plain
            assert [type(number) for number in found.data[1].embedding] == [float] * 4
            assert found.data[1].as_array() == plain.data[1].as_array() == array("f", plain.data[1].embedding)

    async def test_base64_that_was_asked_for(self, client: AsyncOpenAI) -> None:
        found = await client.embeddings.create(**ARGS, encoding_format="base64")
        floats = await client.embeddings.create(**ARGS)
        for item, other in zip(found.data, floats.data, strict=True):
            assert item.embedding == text(other.embedding)  # type: ignore[comparison-overlap]
            with pytest.raises(TypeError, match="not floats"):
                item.as_array()
        for twin in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
            assert twin == found
            assert twin.to_dict() == found.to_dict()

    async def test_raw(self, client: AsyncOpenAI) -> None:
        found = await client.embeddings.create(**ARGS)
        raw = await client.embeddings.with_raw_response.create(**ARGS)
        assert raw.parse() == found
        assert isinstance(raw.json()["data"][0]["embedding"], str)
        async with client.embeddings.with_streaming_response.create(**ARGS) as response:
            assert await response.parse() == found

    async def test_blocking(self, client: AsyncOpenAI, server: Server) -> None:
        with OpenAI(api_key="k", base_url=server.base_url) as blocking:
            assert await asyncio.to_thread(blocking.embeddings.create, **ARGS) == await client.embeddings.create(**ARGS)

    async def test_the_callers_arguments_stay_as_they_are(self, client: AsyncOpenAI) -> None:
        body = {"dimensions": 3}
        await client.embeddings.create(input="a", model="text-embedding-3-small", extra_body=body)
        assert body == {"dimensions": 3}

    async def test_lists_although_base64_was_asked_for(self, answering: Answer) -> None:
        client = await answering(reply(FLOATS))
        for options in ({}, {"encoding_format": "base64"}, {"encoding_format": "float"}):
            (item,) = (await client.embeddings.create(input="a", model="m", **options)).data
            assert item.embedding == FLOATS
            assert item.as_array() == array("f", FLOATS)

    async def test_a_server_that_sends_more(self, answering: Answer) -> None:
        value = reply(id="e-1", object=None)
        value["data"][0]["extra"] = 1
        client = await answering(value)
        found = await client.embeddings.create(input="a", model="m")
        assert found.data[0].embedding == FLOATS
        assert found.model_extra == {"id": "e-1"}
        assert found.data[0].model_extra == {"extra": 1}
        assert found.to_dict() == {**value, "data": [{**value["data"][0], "embedding": FLOATS}]}
        # The base64 is nowhere any more.
        assert not isinstance(found._source, dict)
        assert not isinstance(found.data[0]._source, dict)
        asked = await client.embeddings.create(input="a", model="m", encoding_format="base64")
        assert asked.to_dict() == value

    @pytest.mark.parametrize("data", [None, [], [None], {}, "x", [{"embedding": None}], [{}]])
    async def test_strange_replies(self, answering: Answer, data: Any) -> None:
        client = await answering({"data": data})
        for options in ({}, {"encoding_format": "base64"}):
            found = await client.embeddings.create(input="a", model="m", **options)
            assert found.to_dict() == {"data": data}


async def test_as_the_reference(server: Server) -> None:
    openai = pytest.importorskip("openai")
    async with (
        AsyncOpenAI(api_key="k", base_url=server.base_url) as ours,
        openai.AsyncOpenAI(api_key="k", base_url=server.base_url) as theirs,
    ):
        for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
            found = await ours.embeddings.create(**ARGS, **options)
            expected = await theirs.embeddings.create(**ARGS, **options)
            assert found.to_dict(warnings=False) == expected.to_dict(warnings=False)
            assert found.model_dump_json(warnings=False) == expected.model_dump_json(warnings=False)
