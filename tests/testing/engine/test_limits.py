"""Rate limits and latencies of the local server."""

from __future__ import annotations

import http.client
import json
import statistics
import urllib.error
import urllib.request
from typing import Any

import pytest

from aiopenai._jobs.bucket import duration
from aiopenai.testing import RateLimits, Server, slow_tail


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ask(server: Server, path: str = "/chat/completions", **body: Any) -> tuple[int, Any, Any]:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], **body}
    request = urllib.request.Request(
        server.base_url + path,
        data=None if path == "/models" else json.dumps(body).encode(),
        headers={"Authorization": "Bearer x", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.headers, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.load(error)


def test_requests() -> None:
    clock = Clock()
    limits = RateLimits(rpm=60, burst=3, clock=clock)
    with Server(limits=limits) as server:
        for left in (2, 1, 0):
            status, headers, _ = ask(server)
            assert status == 200
            assert headers["x-ratelimit-limit-requests"] == "60"
            assert headers["x-ratelimit-remaining-requests"] == str(left)
            assert duration(headers["x-ratelimit-reset-requests"]) == 3 - left
            assert "x-ratelimit-limit-tokens" not in headers
        clock.now += 0.25
        status, headers, body = ask(server)
        assert status == 429
        assert headers["retry-after"] == "1"
        assert headers["retry-after-ms"] == "750"
        assert body["error"]["type"] == "requests"
        assert body["error"]["code"] == "rate_limit_exceeded"
        assert "Please try again in 750ms" in body["error"]["message"]
        clock.now += 0.75
        assert ask(server)[0] == 200
    assert (limits.admitted, limits.refused) == (4, 1)


def test_tokens_are_charged_as_used() -> None:
    clock = Clock()
    limits = RateLimits(tpm=6_000, burst=2, clock=clock)
    with Server(limits=limits) as server:
        _, headers, body = ask(server)
        used = body["usage"]["total_tokens"]
        assert headers["x-ratelimit-remaining-tokens"] == str(200 - used)
        # What it might cost has to be there, though it will cost less.
        status, _, body = ask(server, max_tokens=199)
        assert status == 429
        assert body["error"]["type"] == "tokens"
        clock.now += 2
        assert ask(server, max_tokens=199)[0] == 200
        # What never fits needs a full bucket.
        clock.now += 2
        assert ask(server, max_tokens=10_000)[0] == 200
    assert limits.charged == 3 * used


def test_what_costs_no_tokens_is_not_limited() -> None:
    limits = RateLimits(rpm=1, burst=1)
    with Server(limits=limits) as server:
        for _ in range(3):
            assert ask(server, "/models")[0] == 200
    assert limits.admitted == 0


def test_a_refused_connection_stays_open() -> None:
    with Server(limits=RateLimits(rpm=1, burst=1)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for status in (200, 429, 429):
            connection.request("POST", "/v1/moderations", '{"input": "x"}', {"Authorization": "Bearer x"})
            reply = connection.getresponse()
            reply.read()
            assert reply.status == status
        connection.close()
        assert server.connections == 1


@pytest.mark.parametrize("wrong", [{"rpm": 0}, {"tpm": -1}, {"burst": 0}])
def test_limits_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        RateLimits(**wrong)


def test_slow_tail() -> None:
    latency = slow_tail(0.1, share=0.02, factor=20)
    found = [latency() for _ in range(20_000)]
    slow = [each for each in found if each > 1]
    assert 0.015 < len(slow) / len(found) < 0.025
    assert statistics.median(found) == pytest.approx(0.1, rel=0.02)
    again = slow_tail(0.1, share=0.02, factor=20)
    assert found[:100] == [again() for _ in range(100)]


def test_a_server_takes_as_long_as_it_is_told() -> None:
    waits = iter([0.0, 0.05])
    with Server(latency=lambda: next(waits)) as server:
        assert ask(server)[0] == 200
        assert ask(server)[0] == 200
    assert next(waits, None) is None
