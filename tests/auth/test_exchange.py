"""aiopenai.auth.exchange: one exchange for all callers, early refreshes, errors."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from aiopenai import AuthenticationError, OAuthError, OpenAIError
from aiopenai.auth import WorkloadIdentityAuth
from aiopenai.auth import exchange as module
from tests.auth.conftest import Endpoint


def identity(**more: Any) -> Any:
    provider = {"token_type": "jwt", "get_token": lambda: "subject"}
    return {"identity_provider_id": "idp_1", "service_account_id": "svc_1", "provider": provider, **more}


def auth(endpoint: Endpoint, **more: Any) -> WorkloadIdentityAuth:
    return WorkloadIdentityAuth(workload_identity=identity(**more), token_exchange_url=endpoint.url)


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_request_of_an_exchange(endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"})
    assert auth(endpoint).get_token() == "token"
    ((method, path, headers, body),) = endpoint.requests
    assert (method, path, headers["content-type"]) == ("POST", "/oauth/token", "application/json")
    assert "authorization" not in headers
    assert json.loads(body) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "subject",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "identity_provider_id": "idp_1",
        "service_account_id": "svc_1",
    }


def test_token_is_kept_until_its_refresh(endpoint: Endpoint, clock: Clock, until: Any) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": 3600})
    endpoint.say(200, {"access_token": "two", "expires_in": 3600})
    found = auth(endpoint)
    assert found.get_token() == "one"
    clock.now += 2_399
    assert found.get_token() == "one"
    assert len(endpoint.requests) == 1
    # 1,200 s before the expiry a refresh begins; the present token serves meanwhile.
    clock.now += 2
    endpoint.hold.clear()
    assert found.get_token() == "one"
    assert endpoint.asked.wait(30)
    assert found.get_token() == "one"
    endpoint.hold.set()
    for thread in threading.enumerate():
        if thread.name == "aiopenai-token-exchange":
            thread.join(30)
    assert found.get_token() == "two"
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("lifetime", "buffer", "fresh", "stale"), [(100, None, 49, 51), (100, 10, 89, 91), (100, 80, 49, 51)]
)
def test_refresh_at_half_the_lifetime_at_the_latest(
    endpoint: Endpoint, clock: Clock, lifetime: float, buffer: float | None, fresh: float, stale: float
) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": lifetime})
    found = auth(endpoint, **({} if buffer is None else {"refresh_buffer_seconds": buffer}))
    begun = clock.now
    found.get_token()
    clock.now = begun + fresh
    assert found._exchange is None
    found.get_token()
    assert len(endpoint.requests) == 1
    clock.now = begun + stale
    endpoint.asked.clear()
    found.get_token()
    assert endpoint.asked.wait(30)


async def test_a_thousand_callers_cause_one_exchange(endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "token", "expires_in": 3600})
    endpoint.hold.clear()
    found = auth(endpoint)
    callers = [asyncio.ensure_future(found.get_token_async()) for _ in range(1_000)]
    with ThreadPoolExecutor(8) as threads:
        others = [threads.submit(found.get_token) for _ in range(8)]
        await asyncio.to_thread(endpoint.asked.wait, 5)
        endpoint.hold.set()
        assert set(await asyncio.gather(*callers)) == {"token"}
        assert {each.result() for each in others} == {"token"}
    assert len(endpoint.requests) == 1


async def test_cancelled_caller_leaves_the_exchange_to_the_others(endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "token", "expires_in": 3600})
    endpoint.hold.clear()
    found = auth(endpoint)
    first = asyncio.ensure_future(found.get_token_async())
    second = asyncio.ensure_future(found.get_token_async())
    await asyncio.to_thread(endpoint.asked.wait, 5)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    endpoint.hold.set()
    assert await second == "token"
    assert len(endpoint.requests) == 1


async def test_all_waiting_callers_get_the_error(endpoint: Endpoint) -> None:
    endpoint.say(401, {"error": "invalid_grant", "error_description": "The subject token has expired."})
    endpoint.say(200, {"access_token": "token", "expires_in": 3600})
    endpoint.hold.clear()
    found = auth(endpoint)
    callers = [asyncio.ensure_future(found.get_token_async()) for _ in range(20)]
    await asyncio.to_thread(endpoint.asked.wait, 5)
    endpoint.hold.set()
    errors = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(error) for error in errors} == {OAuthError}
    assert len({id(error) for error in errors}) == 20
    assert len(endpoint.requests) == 1
    # The next caller asks again.
    assert await found.get_token_async() == "token"


def test_valid_token_survives_a_failed_refresh(endpoint: Endpoint, clock: Clock) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": 100})
    endpoint.say(500, {})
    found = auth(endpoint)
    found.get_token()
    clock.now += 60
    assert found.get_token() == "one"
    for thread in threading.enumerate():
        if thread.name == "aiopenai-token-exchange":
            thread.join(30)
    # The next refresh waits, so that a broken endpoint is not asked by each call.
    assert found.get_token() == "one"
    assert len(endpoint.requests) == 2
    clock.now += 60
    with pytest.raises(OpenAIError, match="status 500"):
        found.get_token()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused(endpoint: Endpoint, status: int) -> None:
    endpoint.say(status, {"error": "invalid_grant", "error_description": "No such identity."})
    with pytest.raises(OAuthError, match="No such identity") as caught:
        auth(endpoint).get_token()
    error = caught.value
    assert isinstance(error, AuthenticationError)
    assert (error.error, error.status_code, error.response.status_code) == ("invalid_grant", status, status)
    assert "subject" not in repr(vars(error.response))


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, {}, "status 500"),
        (302, {}, "status 302"),
        (200, b"", "not a JSON object"),
        (200, b"[]", "not a JSON object"),
        (200, b"<html>", "not a JSON object"),
        (200, {"expires_in": 3600}, "access_token"),
        (200, {"access_token": "", "expires_in": 3600}, "access_token"),
        (200, {"access_token": 7, "expires_in": 3600}, "access_token"),
        (200, {"access_token": "t"}, "expires_in"),
        (200, {"access_token": "t", "expires_in": "3600"}, "expires_in"),
        (200, {"access_token": "t", "expires_in": 0}, "expires_in"),
        (200, {"access_token": "t", "expires_in": -1}, "expires_in"),
        (200, {"access_token": "t", "expires_in": True}, "expires_in"),
    ],
)
def test_replies_that_are_no_token(endpoint: Endpoint, status: int, body: Any, message: str) -> None:
    endpoint.say(status, body)
    with pytest.raises(OpenAIError, match=message):
        auth(endpoint).get_token()
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ({"token_type": "saml", "get_token": lambda: "t"}, "'saml'"),
        ({"token_type": "jwt", "get_token": lambda: ""}, "no token"),
        ({"token_type": "id", "get_token": lambda: None}, "no token"),
    ],
    ids=["type", "empty", "none"],
)
def test_sources_that_give_no_token(endpoint: Endpoint, provider: Any, message: str) -> None:
    with pytest.raises(OpenAIError, match=message):
        auth(endpoint, provider=provider).get_token()
    assert endpoint.requests == []


async def test_error_of_a_source_passes_unchanged(endpoint: Endpoint) -> None:
    def get_token() -> str:
        raise LookupError("no card in the reader")

    found = auth(endpoint, provider={"token_type": "jwt", "get_token": get_token})
    with pytest.raises(LookupError, match="no card"):
        found.get_token()
    with pytest.raises(LookupError, match="no card"):
        await found.get_token_async()


def test_invalidated_token_is_not_used_again(endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "one", "expires_in": 3600})
    endpoint.say(200, {"access_token": "two", "expires_in": 3600})
    found = auth(endpoint)
    assert found.get_token() == "one"
    found.invalidate_token("another")
    assert found.get_token() == "one"
    found.invalidate_token("one")
    assert found.get_token() == "two"
    found.invalidate_token()
    assert found.get_token() == "two"
    assert len(endpoint.requests) == 3


def test_later_changes_of_the_identity_have_no_effect(endpoint: Endpoint) -> None:
    endpoint.say(200, {"access_token": "token", "expires_in": 3600})
    given = identity()
    found = WorkloadIdentityAuth(workload_identity=given, token_exchange_url=endpoint.url)
    given["service_account_id"] = "svc_2"
    found.get_token()
    assert json.loads(endpoint.requests[0][3])["service_account_id"] == "svc_1"
