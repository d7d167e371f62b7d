"""The outcome of one request of a job."""

from __future__ import annotations

import json

import pytest

from aiopenai import AsyncOpenAI, Request
from aiopenai._calls.request import Endpoint
from aiopenai._jobs.result import Result
from aiopenai.testing import Server


def test_a_reply() -> None:
    result: Result[str] = Result(3, {"custom_id": "a"})
    result.reply, result.attempts = "text", 2
    assert result.ok
    assert result.unwrap() == "text"
    assert result.custom_id == "a"
    assert repr(result) == "<Result 3 ok, 2 attempts>"


def test_an_error() -> None:
    request: Request[str] = Request(endpoint=Endpoint(method="GET", path="/x"), path="/x")
    result = Result(0, request)
    result.error = LookupError("no")
    assert not result.ok
    assert result.custom_id is None
    assert repr(result) == "<Result 0 LookupError, 0 attempts>"
    with pytest.raises(LookupError, match="no"):
        result.unwrap()


async def test_rows_of_a_table(server: Server, client: AsyncOpenAI) -> None:
    server.fault(status=400)
    requests = [client.responses.create.request(model="m", input=text) for text in ("one", "two")]
    rows = [result.to_dict() for result in await client.gather(requests, concurrency=1)]
    failed, done = rows
    assert (failed["ok"], failed["error_type"], failed["reply"]) == (False, "BadRequestError", None)
    assert (done["ok"], done["error"], done["reply"]["object"]) == (True, None, "response")
    assert done["usage"]["total_tokens"] > 0
    assert json.loads(json.dumps(rows)) == rows


@pytest.mark.parametrize("name", ["pandas", "polars"])
async def test_results_as_a_data_frame(name: str, server: Server, client: AsyncOpenAI) -> None:
    library = pytest.importorskip(name)
    server.fault(status=400)
    requests = [client.responses.create.request(model="m", input=text) for text in ("one", "two", "three")]
    results = await client.gather(requests, concurrency=1)
    frame = library.DataFrame([result.to_dict() for result in results])
    assert list(frame["ok"]) == [False, True, True]
    assert next(iter(frame["error_type"])) == "BadRequestError"
    assert frame["attempts"].sum() == 3
