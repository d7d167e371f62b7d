"""Preparation: options of the call before those of the client, one body for all attempts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, HedgePolicy, Timeout, not_given, omit
from aiopenai._calls.preparation import CallDefaults, add_query, prepare
from aiopenai._calls.request import Endpoint, Request, shown_path

DEFAULTS = CallDefaults(timeout=Timeout(9), max_retries=7, deadline=3.0, hedge=HedgePolicy(after=1))


def made(defaults: CallDefaults = DEFAULTS, once: bool = False, method: str = "POST", **fields: Any) -> Any:
    endpoint = Endpoint(method=method, path=fields.pop("path", "/chat/completions"))
    return prepare(Request(endpoint=endpoint, path=endpoint.path, **fields), "http://h/x", defaults, None, once=once)


class TestOptions:
    def test_of_the_client(self) -> None:
        call = made(body={})
        assert (call.timeout, call.max_retries, call.deadline, call.hedge) == (Timeout(9), 7, 3.0, DEFAULTS.hedge)

    def test_of_the_call(self) -> None:
        own = HedgePolicy()
        call = made(body={}, options={"timeout": None, "max_retries": 0, "deadline": None, "hedge": own})
        assert (call.timeout, call.max_retries, call.deadline, call.hedge) == (Timeout(None), 0, None, own)
        same = made(body={}, options={"timeout": not_given, "max_retries": not_given, "hedge": not_given})
        assert (same.timeout, same.max_retries, same.hedge) == (Timeout(9), 7, DEFAULTS.hedge)

    def test_once(self) -> None:
        call = made(body={}, once=True, options={"max_retries": 5, "retry": AsyncPolicy()})
        assert (call.max_retries, call.retry) == (0, None)

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"max_retries": -1}, ValueError),
            ({"max_retries": True}, TypeError),
            ({"deadline": 0}, ValueError),
            ({"deadline": float("inf")}, ValueError),
            ({"deadline": True}, ValueError),
            ({"hedge": 1}, TypeError),
            ({"retry": 1}, TypeError),
            ({"timeout": "1"}, TypeError),
        ],
        ids=str,
    )
    def test_wrong_ones(self, options: Any, error: type[Exception]) -> None:
        with pytest.raises(error, match=next(iter(options))):
            made(options=options)

    @pytest.mark.parametrize("missing", ["stop", "wait", "retry"])
    def test_half_a_policy(self, missing: str) -> None:
        shape = SimpleNamespace(**{name: None for name in ("stop", "wait", "retry") if name != missing})
        with pytest.raises(TypeError, match="retry must be a tenacity policy"):
            made(options={"retry": shape})


class AsyncPolicy:
    """The shape of a tenacity policy."""

    stop = wait = retry = None


class TestBodies:
    @pytest.mark.parametrize(
        ("fields", "body", "again"),
        [
            ({"body": {"a": 1}}, b'{"a":1}', True),
            ({"content": b"raw"}, b"raw", True),
            ({"content": bytearray(b"raw")}, bytearray(b"raw"), True),
            ({}, None, True),
            ({"body": {"a": 1}, "method": "GET"}, None, True),
        ],
        ids=str,
    )
    def test_forms(self, fields: Any, body: Any, again: bool) -> None:
        call = made(**fields)
        assert call.body == body
        assert call.rebuildable is again

    def test_a_generator(self) -> None:
        assert not made(content=iter([b""])).rebuildable

    def test_files(self) -> None:
        assert made(body={}, files=[("file", b"data")]).rebuildable


class TestHedges:
    @pytest.mark.parametrize(
        ("fields", "hedged"),
        [
            ({"body": {}}, True),
            ({"body": {"store": True}}, False),
            ({"path": "/responses", "body": {}}, False),
            ({"path": "/responses", "body": {"store": False}}, True),
            ({"path": "/files", "body": {}}, False),
            ({"path": "/files", "body": {}, "options": {"idempotency_key": "k"}}, True),
            ({"path": "/files", "files": [("f", b"")], "options": {"idempotency_key": "k"}}, False),
            ({"path": "/files", "method": "GET"}, True),
            ({"content": iter([b""]), "options": {"idempotency_key": "k"}}, False),
        ],
        ids=range(9),
    )
    def test_only_what_may_be_sent_twice(self, fields: Any, hedged: bool) -> None:
        assert (made(**fields).hedge is not None) is hedged


class TestQueries:
    def test_they_are_joined(self) -> None:
        assert add_query("http://h/x", "", None, {}) == "http://h/x"
        assert add_query("http://h/x", "v=1", {"a": 1}, {"b": 2}) == "http://h/x?v=1&a=1&b=2"
        assert add_query("http://h/x?y=1", "v=1", {"a": 1}) == "http://h/x?y=1&v=1&a=1"
        assert add_query("http://h/x", {"a": 1, "b": 2}, {"a": 3, "b": omit}) == "http://h/x?a=3"
        assert add_query("http://h/x", {"a": omit}) == "http://h/x"

    def test_shown_paths(self) -> None:
        assert shown_path("/models") == "/models"
        assert shown_path("/models?api-key=sesame") == "/models"
        assert "sesame" not in shown_path("http://u:sesame@h/models?key=sesame")


async def test_reprs_show_no_headers(client: AsyncOpenAI) -> None:
    request: Any = client.models.list.request(extra_headers={"Api-Key": "sesame"})
    call = client._prepare(request)
    assert "sesame" not in f"{call!r}{call.__rich_repr__()}{request!r}{request.__rich_repr__()}"
