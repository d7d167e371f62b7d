"""`python -m aiopenai run --batch`, and what becomes of it when it is interrupted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai.__main__ import main
from aiopenai._jobs import batches as engines
from aiopenai._jobs.batches import BatchEngine
from aiopenai._jobs.failures import JobError
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
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def ids(path: Path) -> Counter[str]:
    return Counter(json.loads(each)["custom_id"] for each in path.read_text().splitlines())


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


class Run:
    """One run of a process: the files are opened, worked on and closed."""

    def __init__(self, tmp_path: Path, **limits: int) -> None:
        self.output = tmp_path / "out.jsonl"
        self.errors = tmp_path / "out.errors.jsonl"
        self.journal = tmp_path / "out.batches.jsonl"
        with opened_source(tmp_path / "in.jsonl") as source:
            self.job = JobFiles(source, self.output)
        self.progress = JobProgress(self.job.total, Prices(), done=self.job.done, failed=self.job.failed)
        self.progress.begin()
        self.batches = BatchEngine(self.job, **limits)

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
        # The request that hangs has been made, whether or not anybody heard of it: what it made was found.
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
