from __future__ import annotations

import json
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, BadRequestError, ConflictError, NotFoundError
from aiopenai.testing import Server
from tests.testing.strict import collect, strict

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def line(number: int, **changes: Any) -> dict[str, Any]:
    return {"custom_id": f"c{number}", "method": "POST", "url": "/v1/chat/completions", "body": CHAT, **changes}


async def make(client: AsyncOpenAI, *lines: Any, endpoint: Any = "/v1/chat/completions", **options: Any) -> Any:
    data = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines).encode()
    file = await client.files.create(file=("in.jsonl", data), purpose="batch")
    created = await client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **options)
    return strict(created)


async def finish(client: AsyncOpenAI, batch: Any) -> Any:
    statuses = [batch.status]
    while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
        batch = strict(await client.batches.retrieve(batch.id))
        statuses.append(batch.status)
    return batch, statuses


async def results(client: AsyncOpenAI, file_id: str | None) -> list[Any]:
    if file_id is None:
        return []
    return [json.loads(entry) for entry in (await client.files.content(file_id)).text.splitlines()]


async def test_lines_are_run(client: AsyncOpenAI, server: Server) -> None:
    server.answer = str.upper
    bad = {**CHAT, "messages": []}
    lines = [line(1), line(2, body=bad), line(3, body={**CHAT, "stream": True}), "", line(4)]
    after = {"anchor": "created_at", "seconds": 3600}
    batch, statuses = await finish(client, await make(client, *lines, metadata={"a": "b"}, output_expires_after=after))
    assert statuses == ["validating", "in_progress", "completed"]
    assert batch.request_counts.to_dict() == {"total": 4, "completed": 2, "failed": 2}
    assert batch.metadata == {"a": "b"}
    assert (batch.model, batch.completed_at is not None) == ("gpt-4o", True)
    done = await results(client, batch.output_file_id)
    assert [entry["custom_id"] for entry in done] == ["c1", "c4"]
    assert done[0]["response"]["status_code"] == 200
    assert done[0]["response"]["body"]["choices"][0]["message"]["content"] == "HI"
    failed = await results(client, batch.error_file_id)
    assert [entry["response"]["body"]["error"]["param"] for entry in failed] == ["messages", "stream"]
    assert batch.usage.output_tokens == 2
    output = await client.files.retrieve(batch.output_file_id)
    assert (output.purpose, output.filename) == ("batch_output", f"{batch.id}_output.jsonl")
    assert output.expires_at == output.created_at + 3600
    # Not over HTTP: nobody sent these requests.
    assert server.requests_for("/chat/completions") == []


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/responses", {"model": "gpt-4o", "input": "hi"}),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "hi"}),
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "hi"}),
        ("/v1/moderations", {"input": "hi"}),
        ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "hi"}),
        ("/v1/images/edits", {"model": "gpt-image-1", "prompt": "hi", "images": [{"file_id": "file-1"}]}),
        ("/v1/videos", {"prompt": "hi"}),
    ],
)
async def test_every_endpoint(client: AsyncOpenAI, endpoint: str, body: Any) -> None:
    batch, _ = await finish(client, await make(client, line(1, url=endpoint, body=body), endpoint=endpoint))
    (entry,) = await results(client, batch.output_file_id)
    assert entry["response"]["status_code"] == 200
    assert batch.error_file_id is None


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([], "empty_file", None),
        (["{"], "invalid_json_line", 1),
        (["[]"], "invalid_json_line", 1),
        ([line(1), line(1)], "duplicate_custom_id", 2),
        ([line(1), line(2, url="/v1/embeddings")], "mismatched_endpoint", 2),
        ([line(1, method="GET")], "invalid_method", 1),
        ([line(1, body=None)], "missing_required_parameter", 1),
    ],
)
async def test_bad_files_fail(client: AsyncOpenAI, lines: Any, code: str, number: int | None) -> None:
    batch, statuses = await finish(client, await make(client, *lines))
    assert statuses == ["validating", "failed"]
    assert [(error.code, error.line) for error in batch.errors.data] == [(code, number)]
    assert batch.failed_at is not None


async def test_a_file_that_goes(client: AsyncOpenAI) -> None:
    batch = await make(client, line(1))
    await client.files.delete(batch.input_file_id)
    batch, _ = await finish(client, batch)
    assert batch.errors.data[0].code == "file_not_found"


async def test_cancel(client: AsyncOpenAI) -> None:
    batch = await make(client, line(1))
    assert strict(await client.batches.cancel(batch.id)).status == "cancelling"
    assert (await client.batches.cancel(batch.id)).status == "cancelling"
    batch, _ = await finish(client, await client.batches.retrieve(batch.id))
    assert batch.status == "cancelled"
    with pytest.raises(ConflictError):
        await client.batches.cancel(batch.id)


async def test_list(client: AsyncOpenAI) -> None:
    made = [await make(client, line(1)) for _ in range(3)]
    listed = await collect(client.batches.list(limit=2))
    assert [batch.id for batch in listed] == [batch.id for batch in reversed(made)]


async def test_unfinished_ones_say_when_to_look(client: AsyncOpenAI) -> None:
    batch = await make(client, line(1))
    waits = []
    for _ in range(3):
        raw = await client.batches.with_raw_response.retrieve(batch.id)
        waits.append(raw.headers.get("openai-poll-after-ms"))
    assert waits == ["10", None, None]


async def test_bad_calls(client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError):
        await client.batches.create(input_file_id="file-none", endpoint="/v1/responses", completion_window="24h")
    other = await client.files.create(file=b"x", purpose="user_data")
    with pytest.raises(BadRequestError, match="purpose"):
        await client.batches.create(input_file_id=other.id, endpoint="/v1/responses", completion_window="24h")
    with pytest.raises(NotFoundError):
        await client.batches.retrieve("batch_none")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_when_to_look_can_be_told() -> None:
    async with Server(poll_after_ms=3) as server, AsyncOpenAI(api_key="x", base_url=server.base_url) as client:
        raw = await client.videos.with_raw_response.create(prompt="x")
        assert raw.headers["openai-poll-after-ms"] == "3"
