"""`python -m aiopenai run --batch`, whole and interrupted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai import APIStatusError, AsyncOpenAI, BadRequestError, InternalServerError
from aiopenai.__main__ import main
from aiopenai._jobs import batches as engines
from aiopenai._jobs.batches import BatchEngine
from aiopenai._jobs.failures import JobError, UsageError
from aiopenai._jobs.inputs import opened_source
from aiopenai._jobs.progress import JobProgress, Prices
from aiopenai._jobs.state import JobFiles
from aiopenai.testing import Server


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "FIRST_LOOK", 0.001)
    monkeypatch.setattr(engines, "LAST_LOOK", 0.01)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="x", base_url=server.base_url) as client:
        yield client


def line(number: int, *, url: str = "/v1/chat/completions", **body: Any) -> dict[str, Any]:
    own = {"messages": [{"role": "user", "content": f"number {number}"}]} if "chat" in url else {"input": f"{number}"}
    return {"custom_id": f"r-{number}", "method": "POST", "url": url, "body": {"model": "gpt-4o", **own, **body}}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    return path


def ids(path: Path) -> Counter[str]:
    return Counter(json.loads(each)["custom_id"] for each in path.read_text().splitlines())


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


class Run:
    """One run of a process: the files are opened, worked on and closed."""

    def __init__(self, tmp_path: Path, ask_changed: bool = False, **limits: int) -> None:
        self.output = tmp_path / "out.jsonl"
        self.errors = tmp_path / "out.errors.jsonl"
        self.journal = tmp_path / "out.batches.jsonl"
        with opened_source(tmp_path / "in.jsonl") as source:
            self.job = JobFiles(source, self.output, ask_changed=ask_changed)
        self.progress = JobProgress(self.job.total, Prices(), done=self.job.done, failed=self.job.failed)
        self.progress.begin()
        self.said: list[str] = []
        self.batches = BatchEngine(self.job, ask_changed=ask_changed, say=self.said.append, **limits)

    async def __call__(self, client: AsyncOpenAI) -> Run:
        try:
            await self.batches.ask(client, self.progress)
        finally:
            self.batches.close()
            self.job.close()
        return self


async def batches_of(client: AsyncOpenAI) -> list[Any]:
    return [batch async for batch in client.batches.list()]


class TestAll:
    async def test_results_as_of_calls(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(20)))
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(20)}
        assert (run.progress.done, run.progress.failed) == (20, 0)
        assert run.progress.written > 0
        assert names(tmp_path) == ["in.jsonl", "out.jsonl"]
        (batch,) = await batches_of(client)
        assert batch.endpoint == "/v1/chat/completions"

    async def test_split_at_the_limits(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(10)))
        run = await Run(tmp_path, max_lines=4)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(10)}
        assert sorted(batch.request_counts.total for batch in await batches_of(client)) == [2, 4, 4]

    async def test_split_at_the_bytes(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(10)))
        run = await Run(tmp_path, max_bytes=500)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(10)}
        for batch in await batches_of(client):
            content = await client.files.content(batch.input_file_id)
            assert len(content.content) <= 500

    async def test_a_line_that_fits_nowhere(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", line(1))
        with pytest.raises(JobError, match="line 1 is longer"):
            await Run(tmp_path, max_bytes=10)(client)

    async def test_one_endpoint_and_model_a_batch(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(
            tmp_path / "in.jsonl",
            line(1),
            line(2, url="/v1/responses"),
            line(3, model="gpt-4o-mini"),
            line(4),
            line(5, url="/v1/responses"),
        )
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(1, 6)}
        assert Counter(batch.request_counts.total for batch in await batches_of(client)) == {1: 1, 2: 2}

    async def test_failures(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", line(1), line(2, messages=[]), line(3))
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {"r-1": 1, "r-3": 1}
        assert ids(run.errors) == {"r-2": 1}
        assert (run.progress.done, run.progress.failed) == (2, 1)

    async def test_a_batch_that_fails(self, server: Server, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(3)))
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while not run.batches.under_way:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for each in await batches_of(client):
            await client.batches.cancel(each.id)
        await task
        done = ids(run.output) + ids(run.errors)
        assert done == {f"r-{number}": 1 for number in range(3)}
        for each in map(json.loads, run.errors.read_text().splitlines()):
            assert each["error"]["code"] == "batch_cancelled"

    def test_command(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", *map(line, range(5)))
        with Server() as server:
            arguments = [
                "run",
                str(source),
                "-o",
                str(tmp_path / "out.jsonl"),
                "--base-url",
                server.base_url,
                "--batch",
            ]
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("OPENAI_API_KEY", "x")
                assert main(arguments) == 0
        assert ids(tmp_path / "out.jsonl") == {f"r-{number}": 1 for number in range(5)}


class TestInterrupted:
    """After each request that a run makes, the run ends; the next one goes on, and no line is asked twice."""

    @pytest.mark.parametrize("after", range(1, 9))
    async def test_after_any_request(self, server: Server, client: AsyncOpenAI, tmp_path: Path, after: int) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(6)))
        hang = server.fault(delay=60, times=None, match=lambda _: server.request_count > after)
        first = Run(tmp_path, max_lines=4)
        task = asyncio.ensure_future(first(client))
        while not hang.applied and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.clear_faults()
        run = await Run(tmp_path, max_lines=4)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(6)}
        assert not run.journal.exists()
        # The request that hangs has reached the server, and the batch that it made was found.
        assert sum(batch.request_counts.total for batch in await batches_of(client)) == 6

    async def test_results_that_are_there_already(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        """Killed in the middle of the results, or gone on call by call elsewhere."""
        write(tmp_path / "in.jsonl", *map(line, range(4)))
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while not run.batches.under_way:  # noqa: ASYNC110
            await asyncio.sleep(0)
        run.job.finished("r-2", b'{"custom_id": "r-2"}\n')
        await task
        assert ids(run.output) == {f"r-{number}": 1 for number in range(4)}

    async def test_batches_that_are_gone(self, server: Server, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(4)))
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while not run.batches.under_way:  # noqa: ASYNC110
            await asyncio.sleep(0)
        while not await batches_of(client):
            pass
        server.clear()
        with pytest.raises(JobError, match="does not know"):
            await task
        again = await Run(tmp_path)(client)
        assert ids(again.output) == {f"r-{number}": 1 for number in range(4)}

    def test_calls_do_not_ask_what_batches_do(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(tmp_path / "in.jsonl", line(1))
        write(tmp_path / "out.batches.jsonl", {"custom_id": "part-1", "lines": [[1, 1]]})
        with Server() as server, pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", "x")
            arguments = ["run", str(source), "-o", str(tmp_path / "out.jsonl"), "--base-url", server.base_url]
            assert main(arguments) == 2
            assert server.request_count == 0
        assert "--batch collects them" in capsys.readouterr().err


class Results:
    """Answers of the API's own making: the batch, and the lines of its results."""

    def __init__(self, server: Server, lines: list[bytes], **batch: Any) -> None:
        whole = {
            "id": "batch_1",
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": 1,
            "input_file_id": "file_in",
            "status": "completed",
            "output_file_id": "file_out",
            **batch,
        }
        server.reply_with("/batches/batch_1", whole)
        server.reply_with("/batches", whole)
        server.reply_with("/files/file_out/content", b"\n".join(lines), content_type="application/jsonl")


def result(number: int, **more: Any) -> bytes:
    body = {
        "id": "x",
        "object": "chat.completion",
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    response = {"status_code": 200, "request_id": "req_1", "body": {**body, **more}}
    return json.dumps(
        {"id": f"batch_req_{number}", "custom_id": f"r-{number}", "response": response, "error": None}
    ).encode()


class TestTornResults:
    """A line that cannot be read costs its own request and no other one."""

    @pytest.mark.parametrize(
        "torn",
        [
            result(1)[:-20],
            b"\x00" * 50,
            b"<html>",
            b"[]",
            b'{"custom_id": 1}',
            b"{}",
            b'{"id": "x"}',
        ],
        ids=["torn", "zeros", "html", "array", "number", "empty", "no-id"],
    )
    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_one(self, server: Server, client: AsyncOpenAI, tmp_path: Path, torn: bytes, place: int) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(3)))
        lines = [result(0), result(2)]
        lines.insert(place, torn)
        Results(server, lines)
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {"r-0": 1, "r-2": 1}
        assert ids(run.errors) == {"r-1": 1}
        (failed,) = map(json.loads, run.errors.read_text().splitlines())
        assert failed["error"]["message"] == "its result in the batch batch_1 cannot be read"
        assert run.said == ["1 line of the results of the batch batch_1 cannot be read; their requests count as failed"]
        assert not run.journal.exists()
        assert (run.progress.read, run.progress.written) == (6, 8)

    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            (result(1, x=float("nan")), None),
            (result(1, x="caf").replace(b'"caf"', b'"caf\xe9"'), "caf\ufffd"),
            (result(1, x="half").replace(b'"half"', b'"half \\ud83d"'), "half \ufffd"),
        ],
        ids=["nan", "latin1", "surrogate"],
    )
    async def test_badly_encoded(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path, raw: bytes, value: Any
    ) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(2)))
        Results(server, [b"\xef\xbb\xbf" + result(0), b"", raw])
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {"r-0": 1, "r-1": 1}
        last = json.loads(run.output.read_text().splitlines()[-1])
        assert last["response"]["body"]["x"] == value
        assert run.progress.written == 8
        assert run.said == []

    async def test_usage_of_any_form(self, server: Server, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", line(0), line(1))
        Results(server, [result(0, usage={"prompt_tokens": "3", "completion_tokens": 4.0}), result(1, usage=None)])
        run = await Run(tmp_path)(client)
        assert (run.progress.read, run.progress.written) == (3, 4)

    async def test_results_of_other_requests_are_left_out(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path
    ) -> None:
        write(tmp_path / "in.jsonl", line(0))
        Results(server, [result(7), result(0), result(0)])
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {"r-0": 1}

    async def test_failed_lines(self, server: Server, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", line(0), line(1))
        refused = json.dumps({"custom_id": "r-0", "response": {"status_code": 400, "body": {"error": "no"}}}).encode()
        expired = json.dumps({"custom_id": "r-1", "response": None, "error": {"code": "batch_expired"}}).encode()
        Results(server, [refused, expired])
        run = await Run(tmp_path)(client)
        assert ids(run.errors) == {"r-0": 1, "r-1": 1}
        assert run.progress.failures()[0].startswith("1 x status 400: ")


class TestNoRoom:
    """Lines that exceed the limit of enqueued tokens are left, and sent when another batch has ended."""

    REFUSED = "Enqueued token limit reached for gpt-4o in organization org-1. Limit: 90,000 enqueued tokens."

    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engines, "FIRST_RETRY", 0.02)
        monkeypatch.setattr(engines, "LAST_RETRY", 0.05)

    def failed(self, **error: Any) -> dict[str, Any]:
        return {
            "id": "batch_no",
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": 1,
            "input_file_id": "file_in",
            "status": "failed",
            "errors": {"object": "list", "data": [error]},
        }

    @pytest.mark.parametrize(
        "error",
        [{"code": "token_limit_exceeded", "message": "too many"}, {"message": REFUSED}],
        ids=["code", "message"],
    )
    async def test_later(self, server: Server, client: AsyncOpenAI, tmp_path: Path, error: Any) -> None:
        """The second and the third batch are refused once each."""
        write(tmp_path / "in.jsonl", *map(line, range(6)))
        made = [0]

        def refused(request: Any) -> bool:
            made[0] += request.method == "POST" and request.path == "/v1/batches"
            return request.method == "POST" and request.path == "/v1/batches" and made[0] in (2, 3)

        server.fault(status=200, body=self.failed(**error), times=2, match=refused)
        server.reply_with("/batches/batch_no", self.failed(**error))
        run = await Run(tmp_path, max_lines=2)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(6)}
        assert not run.errors.exists()
        assert not run.journal.exists()

    async def test_when_made(self, server: Server, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(6)))
        body = {"error": {"code": "token_limit_exceeded", "message": self.REFUSED}}
        server.fault(
            status=400, body=body, times=2, match=lambda request: request.method == "POST" and "batches" in request.path
        )
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(6)}
        # Refused alone, a batch is cut in halves.
        assert max(batch.request_counts.total for batch in await batches_of(client)) <= 3

    async def test_never(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "MAX_REFUSALS", 3)
        write(tmp_path / "in.jsonl", line(1))
        server.fault(
            status=400,
            body={"error": {"message": self.REFUSED}},
            times=None,
            match=lambda request: request.method == "POST" and "batches" in request.path,
        )
        run = Run(tmp_path)
        with pytest.raises(JobError, match=r"had no room for a batch 3 times in a row: .*Enqueued token limit"):
            await run(client)
        server.clear_faults()
        assert ids((await Run(tmp_path)(client)).output) == {"r-1": 1}

    async def test_other_refusals(self, server: Server, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", line(1))
        server.fault(status=400, match=lambda request: request.method == "POST" and "batches" in request.path)
        with pytest.raises(BadRequestError):
            await Run(tmp_path)(client)
        # Its part is looked for, and its lines are sent again.
        assert ids((await Run(tmp_path)(client)).output) == {"r-1": 1}

    async def test_is_shown(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "FIRST_RETRY", 30.0)
        write(tmp_path / "in.jsonl", line(1))
        server.fault(
            status=400,
            body={"error": {"message": self.REFUSED}},
            match=lambda request: request.method == "POST" and "batches" in request.path,
        )
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while "limit of enqueued tokens" not in run.progress.facts():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert "others wait for 30 s" in run.progress.facts()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class TestLooking:
    @pytest.mark.parametrize(
        "fault",
        [{"status": 500}, {"status": 503}, {"status": 429, "headers": {"retry-after-ms": "1"}}, {"reset": True}],
        ids=["500", "503", "429", "reset"],
    )
    @pytest.mark.parametrize("path", ["/batches/", "/content"])
    async def test_a_server_that_fails_for_a_while(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path, fault: Any, path: str
    ) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(4)))
        found = server.fault(times=5, match=lambda request: request.method == "GET" and path in request.path, **fault)
        run = Run(tmp_path)
        troubles: list[str] = []

        async def watch() -> None:
            while True:
                troubles.append(run.progress.trouble)
                await asyncio.sleep(0)

        watching = asyncio.ensure_future(watch())
        await run(client.with_options(max_retries=0))
        watching.cancel()
        assert ids(run.output) == {f"r-{number}": 1 for number in range(4)}
        assert found.applied == 5
        assert any(troubles)
        assert run.progress.trouble == ""

    async def test_but_not_for_ever(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engines, "MAX_FAILED_LOOKS", 3)
        write(tmp_path / "in.jsonl", line(1))
        server.fault(status=500, times=None, match=lambda request: request.method == "GET")
        with pytest.raises(InternalServerError):
            await Run(tmp_path)(client.with_options(max_retries=0))
        server.clear_faults()
        assert ids((await Run(tmp_path)(client)).output) == {"r-1": 1}

    @pytest.mark.parametrize(
        "fault", [{"status": 401}, {"status": 429, "headers": {"retry-after": "9999"}}], ids=["401", "hours"]
    )
    async def test_a_refusal(self, server: Server, client: AsyncOpenAI, tmp_path: Path, fault: Any) -> None:
        write(tmp_path / "in.jsonl", line(1))
        server.fault(times=None, match=lambda request: request.method == "GET", **fault)
        with pytest.raises(APIStatusError):
            await Run(tmp_path)(client.with_options(max_retries=0))

    async def test_an_unknown_status(
        self, server: Server, client: AsyncOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "in.jsonl", line(0))
        Results(server, [result(0)], status="paused")
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while "1 with the unknown status 'paused'" not in run.progress.facts():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert run.said == ["the batch batch_1 has the unknown status 'paused'; its end is waited for"]
        server.clear_replies()
        Results(server, [result(0)])
        await task
        assert ids(run.output) == {"r-0": 1}
        # A batch that never ends is given up some day.
        monkeypatch.setattr(engines, "MAX_BATCH_SECONDS", 0.0)
        write(tmp_path / "in.jsonl", line(0), line(1))
        server.clear_replies()
        Results(server, [], status="paused")
        with pytest.raises(JobError, match="have not ended within"):
            await Run(tmp_path)(client)


class TestChanged:
    """Lines that are under way are sent once, and their results are not taken for those of other requests."""

    async def under_way(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while not [part for part in run.batches._journal.parts.values() if part.batch]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert run.journal.exists()

    @pytest.mark.parametrize("how", ["on top", "in place", "removed"])
    async def test_lines(self, client: AsyncOpenAI, tmp_path: Path, how: str) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(3)))
        await self.under_way(client, tmp_path)
        lines = {
            "on top": [line(9), *map(line, range(3))],
            "in place": [line(0), line(1, model="gpt-4o-mini"), line(2)],
            "removed": [line(0), line(2)],
        }[how]
        write(tmp_path / "in.jsonl", *lines)
        with pytest.raises(UsageError, match="under way in a batch have changed; restore them"):
            await Run(tmp_path)(client)
        run = await Run(tmp_path, ask_changed=True)(client)
        assert ids(run.output) == {each["custom_id"]: 1 for each in lines}
        assert not run.journal.exists()

    async def test_lines_that_are_added(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(3)))
        await self.under_way(client, tmp_path)
        write(tmp_path / "in.jsonl", *map(line, range(5)))
        run = await Run(tmp_path)(client)
        assert ids(run.output) == {f"r-{number}": 1 for number in range(5)}
        assert sum(batch.request_counts.total for batch in await batches_of(client)) == 5

    async def test_meanwhile(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", *map(line, range(3)))
        run = Run(tmp_path)
        task = asyncio.ensure_future(run(client))
        while not [part for part in run.batches._journal.parts.values() if part.batch]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        write(tmp_path / "in.jsonl", line(9), *map(line, range(3)))
        with pytest.raises(JobError, match="has changed while its lines were under way"):
            await task
        assert not run.output.read_bytes()

    async def test_results_are_tied_to_their_requests(self, client: AsyncOpenAI, tmp_path: Path) -> None:
        write(tmp_path / "in.jsonl", line(0))
        run = await Run(tmp_path)(client)
        assert len(json.loads(run.output.read_text())["request_hash"]) == 32
        write(tmp_path / "in.jsonl", line(0, model="gpt-4o-mini"))
        with pytest.raises(UsageError, match="another content or model"):
            Run(tmp_path)
