"""The options that the types of the low-level verbs allow are those that the verbs take."""

from __future__ import annotations

from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai._calls.request_options import RequestOptions
from aiopenai.testing import Server

VALUES: dict[str, Any] = {
    "headers": {"x-mine": "1"},
    "max_retries": 0,
    "timeout": 7.0,
    "params": {"q": "1"},
    "extra_json": {"b": 2},
    "idempotency_key": "own-key",
    "follow_redirects": False,
    "security": {"bearer_auth": True},
    "stream_mode": "events",
    "synthesize_event_and_data": True,
}


def test_the_names_and_that_all_are_optional() -> None:
    assert set(RequestOptions.__annotations__) == set(VALUES)
    assert RequestOptions.__required_keys__ == frozenset()


def test_the_names_are_those_of_the_reference() -> None:
    theirs = pytest.importorskip("openai._types").RequestOptions
    assert set(VALUES) == set(theirs.__annotations__)


@pytest.mark.parametrize("name", VALUES)
async def test_each_is_taken(name: str, client: AsyncOpenAI, server: Server) -> None:
    server.reply_with("/x", {})
    await client.post("/x", cast_to=object, body={"a": 1}, options={name: VALUES[name]})
    sent = server.journal[-1]
    seen = {
        "headers": sent.headers.get("x-mine") == "1",
        "timeout": float(sent.headers["x-stainless-read-timeout"]) == 7,
        "params": sent.query == {"q": "1"},
        "extra_json": sent.json() == {"a": 1, "b": 2},
        "idempotency_key": sent.headers.get("idempotency-key") == "own-key",
    }
    assert [key for key, found in seen.items() if found] == ([name] if name in seen else [])
