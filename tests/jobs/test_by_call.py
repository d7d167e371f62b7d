"""A job call by call: limits per model, early stops, replies of any form."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, InternalServerError, OpenAI, RateLimitError
from aiopenai._base.deadlines import within
from aiopenai._jobs.by_call import IN_A_ROW, ask_lines, is_fatal
from aiopenai._jobs.failures import JobError
from aiopenai._jobs.inputs import opened_source
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.progress import JobProgress
from aiopenai._jobs.state import JobFiles
from aiopenai.testing import Server


def line(number: int, model: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"number {number};"}]}
    return {"custom_id": f"r-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


def ids(path: Path) -> Counter[str]:
    return Counter(each["custom_id"] for each in read(path))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []


class Run:
    """The files of a job, and its runs."""

    def __init__(self, folder: Path, lines: list[Any]) -> None:
        self.source = folder / "in.jsonl"
        self.source.write_text("".join(json.dumps(each) + "\n" for each in lines))
        self.output = folder / "out.jsonl"
        self.errors = folder / "out.errors.jsonl"
        self.progress = JobProgress(0)

    async def __call__(self, client: AsyncOpenAI, concurrency: int = 100, **options: Any) -> None:
        with opened_source(self.source) as source:
            job = JobFiles(source, self.output, **options)
            self.progress = JobProgress(job.total, done=job.done, failed=job.failed)
            try:
                await ask_lines(client, job, Limiter(concurrency), self.progress)
            finally:
                job.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    return lambda *lines: Run(tmp_path, list(lines))


def many(number: int, model: str = "gpt-4o") -> Iterator[Any]:
    return (line(each, model) for each in range(number))


async def test_an_attempt_that_fails_is_a_trouble(
    server: Server, client: AsyncOpenAI, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles: list[BaseException] = []
    monkeypatch.setattr(JobProgress, "note_trouble", lambda _, error: troubles.append(error))
    server.fault(status=500, times=1)
    job = run(line(1))
    await job(client)
    assert [type(error) for error in troubles] == [InternalServerError]
    assert (job.progress.done, job.progress.failed) == (1, 0)


class TestEarlyStops:
    """An error that holds for all requests ends the job, and the lines stay to be asked."""

    @pytest.mark.parametrize(
        "fault",
        [
            {"status": 402},
            {"status": 403},
            {"status": 404, "body": {"error": {"code": "model_not_found", "message": "no such model"}}},
            {"status": 404, "body": "<html>", "content_type": "text/html"},
            {"status": 405},
            {"status": 500},
            {"status": 503},
            {"status": 529},
            {"reset": True},
            {"body": "<html>Log in</html>", "content_type": "text/html"},
        ],
        ids=["402", "403", "model", "404", "405", "500", "503", "529", "reset", "html"],
    )
    @pytest.mark.parametrize("number", [2, 300])
    async def test_for_every_line(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run], fault: Any, number: int
    ) -> None:
        server.fault(times=None, **fault)
        job = run(*many(number))
        with pytest.raises(JobError, match="failed, the last one with"):
            await job(client.with_options(max_retries=0))
        assert server.request_count <= IN_A_ROW + 70
        assert job.progress.failed == job.progress.done == 0
        assert job.progress.trouble
        assert not job.errors.exists()
        server.clear_faults()
        await job(client)
        assert ids(job.output) == {f"r-{each}": 1 for each in range(number)}

    async def test_in_the_middle(self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]) -> None:
        """The account's credit ends after a while."""
        server.fault(status=402, times=None, match=lambda request: server.request_count > 50)
        job = run(*many(400))
        with pytest.raises(JobError, match="check the account's credit"):
            await job(client, concurrency=4)
        assert len(read(job.output)) >= 46
        assert not job.errors.exists()
        assert server.request_count < 50 + IN_A_ROW + 10

    async def test_one_fewer_in_a_row_is_no_reason(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        bad = {f"number {number};".encode() for number in range(5, 5 + IN_A_ROW - 1)}
        server.fault(status=403, times=None, match=lambda request: any(each in request.body for each in bad))
        job = run(*many(60))
        await job(client, concurrency=1)
        assert len(read(job.output)) == 60 - (IN_A_ROW - 1)
        assert len(read(job.errors)) == job.progress.failed == IN_A_ROW - 1
        # One more is one.
        bad.add(f"number {5 + IN_A_ROW - 1};".encode())
        job.output.unlink()
        job.errors.unlink()
        with pytest.raises(JobError, match=f"{IN_A_ROW} requests in a row"):
            await job(client, concurrency=1)

    async def test_failures_of_the_requests_own(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        server.fault(status=400, times=None)
        job = run(*many(60))
        await job(client)
        assert job.progress.failed == len(read(job.errors)) == 60

    async def test_failures_that_no_reply_followed(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        server.fault(status=500, times=None, match=lambda request: b"number 2;" in request.body)
        job = run(*many(3))
        await job(client.with_options(max_retries=0), concurrency=1)
        assert ids(job.errors) == {"r-2": 1}

    async def test_a_single_request_that_a_server_fails_at(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        server.fault(status=500, times=None)
        job = run(line(1))
        await job(client.with_options(max_retries=0))
        assert ids(job.errors) == {"r-1": 1}

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ({"status": 401}, "check the API key"),
            ({"status": 429, "body": {"error": {"code": "insufficient_quota", "message": "no"}}}, "insufficient_quota"),
            (
                {"status": 429, "body": {"error": {"type": "insufficient_balance", "message": "no"}}},
                "insufficient_balance",
            ),
            ({"status": 429, "headers": {"retry-after": "12000"}}, "the next request in 3.3 h"),
            ({"status": 429, "headers": {"retry-after": "600"}}, "the next request in 10 min"),
            ({"status": 503, "headers": {"retry-after": "86400"}}, "the next request in 24.0 h"),
        ],
        ids=["key", "quota", "balance", "hours", "minutes", "maintenance"],
    )
    async def test_at_the_first(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run], fault: Any, reason: str
    ) -> None:
        job = run(*many(200))
        server.fault(times=None, match=lambda _: server.request_count > 20, **fault)
        with pytest.raises(JobError, match=reason):
            await job(client, concurrency=2)
        assert server.request_count < 30
        # Answers that were there are kept.
        assert len(read(job.output)) == 20
        assert not job.errors.exists()

    async def test_an_unreachable_server_is_named_meanwhile(self, run: Callable[..., Run]) -> None:
        job = run(*many(2))
        async with AsyncOpenAI(api_key="x", base_url="http://127.0.0.1:9/v1", max_retries=1) as client:
            with pytest.raises(JobError, match="check --base-url"):
                await job(client)
        assert "APIConnectionError" in job.progress.facts()


class TestLimits:
    async def test_a_model_with_small_limits_beside_a_large_one(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        """Each model has its own bucket: 20 a second, full with 5, beside 10,000 a second."""
        state = {"level": 5.0, "at": time.monotonic(), "refused": 0.0}

        def over(request: Any) -> bool:
            if b'"small"' not in request.body:
                return False
            now = time.monotonic()
            state["level"] = min(5.0, state["level"] + (now - state["at"]) * 20)
            state["at"] = now
            if state["level"] >= 1:
                state["level"] -= 1
                return False
            state["refused"] += 1
            return True

        server.fault(status=429, headers={"retry-after-ms": "60"}, times=None, match=over)
        lines = [line(each, "small" if each % 4 == 0 else "large") for each in range(160)]
        job = run(*lines)
        await job(client)
        assert ids(job.output) == {f"r-{each}": 1 for each in range(160)}
        # The large one did not wait for the small one.
        models = [request.json()["model"] for request in server.requests_for("/chat/completions")]
        last_large = max(index for index, model in enumerate(models) if model == "large")
        assert models[last_large:].count("small") > 10
        assert state["refused"] < 120

    async def test_a_request_too_large_is_refused_alone(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        message = "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 61000."
        body = {"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": message}}
        server.fault(
            status=429,
            body=body,
            headers={"retry-after": "60"},
            times=None,
            match=lambda request: b"number 3;" in request.body,
        )
        job = run(*many(30))
        # The others do not wait for the seconds that the refusal names.
        await within(30, job(client, concurrency=1))
        assert ids(job.errors) == {"r-3": 1}
        assert server.request_count == 30

    async def test_a_reset_as_a_unix_time(self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]) -> None:
        headers = {
            "x-ratelimit-limit-requests": "60000",
            "x-ratelimit-remaining-requests": "59990",
            "x-ratelimit-reset-requests": str(int(time.time()) + 1),
        }
        server.fault(headers=headers, times=None)
        job = run(*many(150))
        await job(client)
        assert len(read(job.output)) == 150


def reply(text: str, **usage: Any) -> bytes:
    usage = usage or {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    head = '{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    return (
        head + '"message":{"role":"assistant","content":' + text + '}}],"usage":' + json.dumps(usage) + "}"
    ).encode()


class TestReplies:
    @pytest.mark.parametrize(
        ("body", "content"),
        [
            (reply('"half \\ud83d pair"'), "half \ufffd pair"),
            (reply('"half \\uDE00"'), "half \ufffd"),
            (reply('"\\ud83d\\ude00"'), "\U0001f600"),
            (reply("NaN"), None),
            (reply("-Infinity"), None),
            (reply('"caf\\u00e9"').replace(b"\\u00e9", b"\xe9"), "caf\ufffd"),
            (b"\xef\xbb\xbf" + reply('"x"'), "x"),
            (reply('"x"').replace(b",", b",\r\n"), "x"),
            (reply('"x"', prompt_tokens=3.0, completion_tokens=4.0), "x"),
            (reply('"x"', prompt_tokens="3", completion_tokens="4"), "x"),
            (reply('"\\ud800"', prompt_tokens=3.0, completion_tokens="4"), "\ufffd"),
            (reply('"x"', input_tokens=3, output_tokens=4, more={"a": None}), "x"),
        ],
        ids=["high", "low", "pair", "nan", "inf", "latin1", "bom", "breaks", "floats", "texts", "both", "responses"],
    )
    async def test_a_reply_of_any_form_is_a_valid_line(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run], body: bytes, content: str | None
    ) -> None:
        server.reply_with("/chat/completions", body)
        job = run(line(1))
        await job(client)
        (raw,) = job.output.read_bytes().splitlines()
        found = json.loads(raw.decode(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        assert found["response"]["body"]["choices"][0]["message"]["content"] == content
        assert found["error"] is None
        assert (job.progress.read, job.progress.written) == (3, 4)

    @pytest.mark.parametrize("body", [b"[1]", b"null", b'"text"', b"", b"{", b"[" * 5000 + b"]" * 5000])
    async def test_no_object(self, server: Server, client: AsyncOpenAI, run: Callable[..., Run], body: bytes) -> None:
        server.reply_with("/chat/completions", body, times=1, content_type="application/json")
        job = run(line(1), line(2))
        await job(client, concurrency=1)
        (failed,) = read(job.errors)
        assert failed["error"]["code"] == "UnreadableReplyError"

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"message": "overloaded", "code": 503}},
            {"error": "overloaded"},
            {"error": {"message": "overloaded"}, "id": "x", "object": "chat.completion"},
        ],
    )
    async def test_an_error_with_status_200_is_a_failure(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run], body: Any
    ) -> None:
        server.reply_with("/chat/completions", body, times=1)
        job = run(line(1), line(2))
        await job(client, concurrency=1)
        (failed,) = read(job.errors)
        assert "overloaded" in failed["error"]["message"]
        assert len(read(job.output)) == 1

    async def test_a_reply_with_an_error_beside_its_result(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        error = {"code": "server_error", "message": "x"}
        failed = {"id": "r", "object": "response", "status": "failed", "error": error, "output": []}
        server.reply_with("/responses", failed)
        job = run(line(1, url="/v1/responses", body={"model": "m", "input": "x"}))
        await job(client)
        assert len(read(job.output)) == 1

    async def test_failures_of_any_form_are_valid_lines(
        self, server: Server, client: AsyncOpenAI, run: Callable[..., Run]
    ) -> None:
        body = b'{"error": {"message": "half \\ud83d", "n": NaN, "code": null}}'
        server.reply_with("/chat/completions", body, status=400, content_type="application/json")
        job = run(line(1))
        await job(client)
        (failed,) = read(job.errors)
        assert failed["response"]["body"]["error"] == {"message": "half \ufffd", "n": None, "code": None}


async def test_refusals_without_end_stop_the_job(
    server: Server, client: AsyncOpenAI, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiopenai._jobs.sending.PATIENCE", 1)
    server.fault(status=429, headers={"retry-after-ms": "1"}, times=None)
    job = run(*many(100))
    with pytest.raises(JobError, match=RateLimitError.__name__):
        await job(client, concurrency=4)
    assert not job.errors.exists()


@pytest.mark.parametrize(("more", "fatal"), [(0, False), (1, True)], ids=["the longest wait", "longer"])
def test_a_wait_that_is_too_long_ends_the_job(more: int, fatal: bool) -> None:
    from aiopenai.retry import MAX_RETRY_AFTER

    with Server() as server, OpenAI(api_key="x", base_url=server.base_url, max_retries=0) as client:
        server.fault(status=429, headers={"retry-after": str(int(MAX_RETRY_AFTER) + more)})
        with pytest.raises(RateLimitError) as caught:
            client.models.retrieve("gpt-4o")
    assert is_fatal(caught.value) is fatal
