"""`python -m aiopenai run`, as a shell runs it, and killed as a shell kills it."""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from aiopenai import OpenAIError, not_given
from aiopenai.__main__ import main
from aiopenai._cli.target import TargetError
from aiopenai._jobs import reporting, syncing
from aiopenai._jobs.failures import FilesError, JobError, UsageError
from aiopenai._jobs.inputs import opened_source
from aiopenai._jobs.journal import BatchJournal
from aiopenai._jobs.outputs import beside
from aiopenai._jobs.state import JobFiles
from aiopenai.testing import RateLimits, Server

Command = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        yield server


def line(number: int, **more: Any) -> dict[str, Any]:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"number {number};"}]}
    return {"custom_id": f"r-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in path.read_text().splitlines()]


def ids(path: Path) -> Counter[str]:
    return Counter(each["custom_id"] for each in read(path))


def _opened(source: Path, output: Path) -> JobFiles:
    with opened_source(source) as found:
        return JobFiles(found, output)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aiopenai", "run", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


class TestResults:
    def test_of_batch_lines(self, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(tmp_path / "in.jsonl", *map(line, range(50)))
        output = tmp_path / "out.jsonl"
        prices = ["--price-in", "1000000", "--price-out", "2000000"]
        assert main(["run", str(source), "-o", str(output), *prices]) == 0
        found = {each["custom_id"]: each for each in read(output)}
        assert found.keys() == {f"r-{number}" for number in range(50)}
        one = found["r-7"]
        assert one["error"] is None
        assert one["response"]["status_code"] == 200
        assert one["response"]["request_id"].startswith("req_")
        assert one["response"]["body"]["choices"][0]["message"]["content"] == "You said: number 7;"
        assert not (tmp_path / "out.errors.jsonl").exists()
        said = capsys.readouterr()
        assert "50 of 50 done, 0 failed" in said.out
        used = [each["response"]["body"]["usage"] for each in found.values()]
        cost = sum(each["prompt_tokens"] + 2 * each["completion_tokens"] for each in used)
        assert f"${cost:,}.0000" in said.out
        assert "sk-canary" not in said.out + said.err + output.read_text()

    def test_of_prompts(self, server: Server, tmp_path: Path) -> None:
        source = write(tmp_path / "prompts.txt", "One?", "Two?")
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl"), "--model", "gpt-4o"]) == 0
        assert ids(tmp_path / "out.jsonl") == {"line-1": 1, "line-2": 1}

    def test_of_a_table(self, server: Server, tmp_path: Path) -> None:
        source = write(tmp_path / "in.csv", "custom_id,name,age", "a,Ada,36", "b,Bob,41")
        arguments = ["-o", str(tmp_path / "out.jsonl"), "--model", "gpt-4o", "--template", "Greet {name}, {age};"]
        assert main(["run", str(source), *arguments]) == 0
        contents = {
            each["custom_id"]: each["response"]["body"]["choices"][0]["message"]["content"]
            for each in read(tmp_path / "out.jsonl")
        }
        assert contents == {"a": "You said: Greet Ada, 36;", "b": "You said: Greet Bob, 41;"}
        # Another template is another request.
        arguments[-1] = "Greet {name};"
        assert main(["run", str(source), *arguments]) == 2

    def test_again_is_nothing(self, server: Server, tmp_path: Path) -> None:
        arguments = ["run", str(write(tmp_path / "in.jsonl", line(1), line(2))), "-o", str(tmp_path / "out.jsonl")]
        assert main(arguments) == 0
        before = (tmp_path / "out.jsonl").read_bytes()
        assert main(arguments) == 0
        assert (tmp_path / "out.jsonl").read_bytes() == before
        assert server.request_count == 2

    def test_more_lines(self, server: Server, tmp_path: Path) -> None:
        output = str(tmp_path / "out.jsonl")
        assert main(["run", str(write(tmp_path / "in.jsonl", line(1))), "-o", output]) == 0
        assert main(["run", str(write(tmp_path / "in.jsonl", line(1), line(2))), "-o", output]) == 0
        assert server.request_count == 2

    def test_local(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", line(1))
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl"), "--local"]) == 0
        assert len(read(tmp_path / "out.jsonl")) == 1

    def test_limits(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        limits = RateLimits(rpm=6_000, burst=0.5)
        with Server(limits=limits) as server:
            source = write(tmp_path / "in.jsonl", *map(line, range(100)))
            monkeypatch.setenv("OPENAI_API_KEY", "x")
            arguments = ["--base-url", server.base_url, "--rpm", "6000", "--tpm", "100000000"]
            assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl"), *arguments]) == 0
        # A burst beyond the limit would be refused. On a busy machine, waits end late and arrivals bunch up.
        assert limits.refused <= 15

    def test_a_limit_that_the_server_does_not_tell(self, server: Server, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", *map(line, range(30)))
        began = time.monotonic()
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl"), "--rpm", "600"]) == 0
        # Ten in a second.
        assert time.monotonic() - began > 1
        assert server.request_count == 30


class TestFailures:
    def test_go_to_a_file_of_their_own(
        self, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fault = server.fault(status=400, times=None, match=lambda request: b"number 3;" in request.body)
        server.fault(body="<html>", content_type="text/html", match=lambda request: b"number 4;" in request.body)
        source, output, errors = (
            write(tmp_path / "in.jsonl", *map(line, range(9))),
            tmp_path / "o",
            tmp_path / "o.errors.jsonl",
        )
        arguments = ["run", str(source), "-o", str(output)]
        assert main(arguments) == 1
        assert len(read(output)) == 7
        failed = {each["custom_id"]: each for each in read(errors)}
        assert failed["r-3"]["response"]["status_code"] == 400
        assert failed["r-3"]["response"]["body"]["error"]["message"]
        assert failed["r-4"]["response"] is None
        assert failed["r-4"]["error"]["code"] == "UnreadableReplyError"
        assert "2 failed" in capsys.readouterr().out
        # They are done until --retry-failed.
        asked = server.request_count
        assert main(arguments) == 1
        assert server.request_count == asked
        assert main([*arguments, "--retry-failed"]) == 1
        assert ids(output)["r-4"] == 1
        assert ids(errors) == {"r-3": 1}
        assert server.request_count == asked + 2
        fault.times = 1
        assert main([*arguments, "--retry-failed"]) == 0
        assert ids(output) == {f"r-{number}": 1 for number in range(9)}
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "o"]

    def test_retry_asks_nothing_else(self, server: Server, tmp_path: Path) -> None:
        output = tmp_path / "out.jsonl"
        write(tmp_path / "out.errors.jsonl", {"custom_id": "r-1"})
        source = write(tmp_path / "in.jsonl", line(1), line(2))
        assert main(["run", str(source), "-o", str(output), "--retry-failed"]) == 0
        assert ids(output) == {"r-1": 1}
        assert main(["run", str(source), "-o", str(output)]) == 0
        assert ids(output) == {"r-1": 1, "r-2": 1}

    def test_a_retry_that_was_interrupted(self, server: Server, tmp_path: Path) -> None:
        """One of three is done and one has failed again: the third is left, with and without --retry-failed."""
        for again in ([], ["--retry-failed"]):
            output = write(tmp_path / "out.jsonl", {"custom_id": "r-1"})
            write(tmp_path / "out.errors.jsonl", {"custom_id": "r-2"})
            write(tmp_path / "out.retrying.jsonl", *({"custom_id": f"r-{number}"} for number in (1, 2, 3)))
            source = write(tmp_path / "in.jsonl", *map(line, (1, 2, 3)))
            asked = server.request_count
            assert main(["run", str(source), "-o", str(output), *again]) == 1
            assert server.request_count == asked + 1
            assert ids(output) == {"r-1": 1, "r-3": 1}
            assert not (tmp_path / "out.retrying.jsonl").exists()

    @pytest.mark.parametrize(
        "body", [{"error": {"code": "insufficient_quota", "message": "no"}}, None], ids=["quota", "key"]
    )
    def test_what_all_would_fail_for_ends_it(
        self, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: Any
    ) -> None:
        server.fault(status=429 if body else 401, body=body, times=None)
        source = write(tmp_path / "in.jsonl", *map(line, range(2_000)))
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl"), "--concurrency", "4"]) == 1
        assert server.request_count < 100
        assert not (tmp_path / "out.errors.jsonl").exists()
        assert "the same command goes on from there" in capsys.readouterr().err

    def test_no_server(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        source = write(tmp_path / "in.jsonl", *map(line, range(500)))
        arguments = ["--base-url", "http://127.0.0.1:9/v1", "--max-retries", "0"]
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl"), *arguments]) == 1
        said = capsys.readouterr().err
        assert "20 requests in a row failed" in said
        assert "check --base-url" in said


class TestBadUsage:
    def test_bad_lines(self, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(tmp_path / "in.jsonl", line(1), "{", line(1), line(2, url="elsewhere"), line(3))
        arguments = ["run", str(source), "-o", str(tmp_path / "out.jsonl")]
        assert main(arguments) == 2
        assert server.request_count == 0
        said = capsys.readouterr().err
        for number, why in ((2, "truncated"), (3, "was there before"), (4, "path")):
            (found,) = [each for each in said.splitlines() if f"line {number}: " in each]
            assert why in found
        assert "3 bad lines" in said
        assert main([*arguments, "--skip-bad"]) == 0
        assert ids(tmp_path / "out.jsonl") == {"r-1": 1, "r-3": 1}

    def test_many_bad_lines(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(tmp_path / "in.jsonl", *["{"] * 200)
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl")]) == 2
        said = capsys.readouterr().err
        assert "and 150 more bad lines" in said
        assert len(said.splitlines()) == 52

    def test_files(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(tmp_path / "in.jsonl", line(1))
        before = source.read_bytes()
        write(tmp_path / "diary.txt", "dear diary")
        for name, output in (("none", "o"), ("in.jsonl", "in.jsonl"), ("in.jsonl", "no/o"), ("in.jsonl", "diary.txt")):
            assert main(["run", str(tmp_path / name), "-o", str(tmp_path / output)]) == 2
        assert source.read_bytes() == before
        assert (tmp_path / "diary.txt").read_text() == "dear diary\n" or (tmp_path / "diary.txt").read_text() == ""
        capsys.readouterr()

    def test_no_key(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(tmp_path / "in.jsonl", line(1))
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl")]) == 2
        assert "OPENAI_API_KEY" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "wrong", [["--rpm", "0"], ["--concurrency", "-1"], ["--price-in", "x"], ["--max-retries", "-1"]]
    )
    def test_options(self, tmp_path: Path, wrong: list[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["run", "in", "-o", "out", *wrong])
        assert ended.value.code == 2

    def test_one_at_a_time(self, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        pytest.importorskip("fcntl")
        source, output = write(tmp_path / "in.jsonl", line(1)), tmp_path / "out.jsonl"
        job = _opened(source, output)
        assert main(["run", str(source), "-o", str(output)]) == 2
        assert "another job" in capsys.readouterr().err
        job.close()


class TestKilled:
    @POSIX
    def test_again_and_again(self, server: Server, tmp_path: Path) -> None:
        """SIGKILL at random moments: nothing that was finished is lost or asked again, and no line is there twice."""
        number, chance = 400, random.Random(7)
        server.latency = 0.01
        source = write(tmp_path / "in.jsonl", *map(line, range(number)))
        output = tmp_path / "out.jsonl"
        arguments = command(source, "-o", output, "--concurrency", "8")
        finished: set[str] = set()
        again: Counter[str] = Counter()
        kills = 0
        while True:
            asked = server.request_count
            with subprocess.Popen(
                arguments, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            ) as child:
                # From the first request on, so that each run gets a little further.
                while server.request_count == asked and child.poll() is None:
                    time.sleep(0.002)
                try:
                    child.wait(chance.random() * 0.25 if kills < 4 else 30)
                except subprocess.TimeoutExpired:
                    child.kill()
                    kills += 1
                assert child.stderr is not None
                assert b"Traceback" not in child.stderr.read()
            whole = output.read_bytes()
            now = {json.loads(each)["custom_id"] for each in whole[: whole.rfind(b"\n") + 1].splitlines()}
            assert finished <= now
            for request in server.requests_for("/chat/completions")[asked:]:
                content = request.json()["messages"][0]["content"]
                name = f"r-{content.removeprefix('number ').removesuffix(';')}"
                assert name not in finished
                again[name] += 1
            finished = now
            if child.returncode == 0:
                break
        assert kills == 4
        assert ids(output) == {f"r-{each}": 1 for each in range(number)}
        # Only requests in flight, eight at most, were sent twice.
        assert sum(again.values()) - number <= 8 * kills

    @POSIX
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_by_a_signal(self, server: Server, tmp_path: Path, number: signal.Signals) -> None:
        server.fault(delay=60, times=None, match=lambda request: server.request_count > 30)
        source, output = write(tmp_path / "in.jsonl", *map(line, range(200))), tmp_path / "out.jsonl"
        with subprocess.Popen(
            command(source, "-o", output), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            while server.request_count < 40:
                time.sleep(0.005)
            begin = time.monotonic()
            child.send_signal(number)
            _, said = child.communicate(timeout=40)
            # A tenth of a second; the rest is for machines that have other things to do. The replies take a minute.
            assert time.monotonic() - begin < 20
        assert child.returncode == 130
        assert "of 200 done" in said
        assert "the same command goes on from there" in said
        assert "Traceback" not in said
        done = len(read(output))
        assert f"{done} of 200" in said


class TestProgress:
    @pytest.mark.parametrize("rich", [True, False])
    def test_on_a_terminal(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
        if rich:
            pytest.importorskip("rich")
        else:
            monkeypatch.setitem(sys.modules, "rich.console", None)
            monkeypatch.setattr(reporting, "LINE_SECONDS", 0.0)
        monkeypatch.setattr(reporting, "BAR_SECONDS", 0.02)
        monkeypatch.setattr(syncing, "SYNC_SECONDS", 0.02)
        server.latency = 0.1
        stream = (tmp_path / "terminal").open("w+")
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, "stderr", stream)
        source = write(tmp_path / "in.jsonl", *map(line, range(5)))
        assert main(["run", str(source), "-o", str(tmp_path / "out.jsonl")]) == 0
        stream.seek(0)
        shown = stream.read()
        stream.close()
        assert "0 failed" in shown
        assert ("5/5" in shown) is rich


# Tables


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A CSV file in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text("custom_id,text\na,one\nb,two\n", encoding="utf-8")
    return "in.csv"


def test_a_table_of_results_and_failures(local: Server, command_line: Command, table: str) -> None:
    arrow = pytest.importorskip("pyarrow.parquet")
    local.fault(status=400, times=None, match=lambda request: b"two" in request.body)
    ask = ("run", table, "--template", "Say {text}", "--model", "m", "-o", "out.parquet", "--max-retries", "0")
    code, out, err = command_line(*ask)
    assert code == 1, err
    assert "1 x BadRequestError 400" in out
    assert "out.parquet is a table of 2 results and failures; the lines are in out.jsonl" in out
    rows = {row["custom_id"]: row for row in arrow.read_table("out.parquet").to_pylist()}
    assert (rows["a"]["ok"], rows["a"]["text"]) == (True, "All flows.")
    assert (rows["b"]["ok"], rows["b"]["status_code"]) == (False, 400)
    local.clear_faults()
    code, out, err = command_line(*ask, "--retry-failed")
    assert code == 0, err
    assert all(row["ok"] for row in arrow.read_table("out.parquet").to_pylist())
    assert local.request_count == 3


def test_a_job_that_stops_makes_no_table(local: Server, command_line: Command, table: str) -> None:
    pytest.importorskip("pyarrow.parquet")
    local.fault(status=401, times=None)
    code, _, err = command_line("run", table, "--template", "{text}", "--model", "m", "-o", "out.parquet")
    assert code == 1
    assert "check the API key" in err
    assert not Path("out.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "-", "--out-format", "parquet"], "needs an output file, not a stream"),
        (["-o", "out.jsonl", "--out-format", "parquet"], "use .parquet"),
        (["-o", ".", "--out-format", "parquet"], "is a folder"),
        (["-o", "in.csv", "--out-format", "parquet"], "would be the input itself"),
        (["-o", "notes.parquet"], "notes.parquet is no Parquet file; choose another output file"),
        (["-o", "out.parquet"], "pip install 'aiopenai[parquet]'"),
    ],
    ids=["stream", "lines", "folder", "input", "other-file", "no-pyarrow"],
)
def test_usage_of_tables(
    arguments: list[str],
    words: str,
    local: Server,
    command_line: Command,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    Path("notes.parquet").write_text("{}\n", encoding="utf-8")
    code, _, err = command_line("run", table, "--template", "{text}", "--model", "m", *arguments)
    assert code == 2
    assert words in err
    assert local.request_count == 0


def test_lines_in_a_file_of_any_name(local: Server, command_line: Command, table: str) -> None:
    path = Path("out.parquet")
    ask = ("run", table, "--template", "{text}", "--model", "m", "-o", str(path), "--out-format", "jsonl")
    assert command_line(*ask)[0] == 0
    assert [json.loads(line)["custom_id"] for line in path.read_text().splitlines()] == ["a", "b"]


@pytest.mark.parametrize("outcome", ["written", "disk", "stopped"])
def test_the_table_is_written_at_the_end(
    local: Server, command_line: Command, table: str, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    written: list[Any] = []

    def write_table(path: Path, logs: tuple[Path, ...]) -> int:
        written.append((str(path), [str(log) for log in logs]))
        if outcome == "disk":
            raise FilesError("the disk is full")
        return 2_345

    monkeypatch.setattr("aiopenai._jobs.parquet.loaded_arrow", lambda: None)
    monkeypatch.setattr("aiopenai._jobs.parquet.write_table", write_table)
    if outcome == "stopped":
        local.fault(status=401, times=None)
    code, out, err = command_line("run", table, "--template", "{text}", "--model", "m", "-o", "out.PARQUET")
    assert written == ([] if outcome == "stopped" else [("out.PARQUET", ["out.jsonl", "out.errors.jsonl"])])
    if outcome == "written":
        assert code == 0
        assert "out.PARQUET is a table of 2,345 results and failures; the lines are in out.jsonl" in out
    else:
        assert code == 1
        assert "is a table of" not in out
        assert ("the disk is full; 2 of 2 done, the same command goes on from there" in err) == (outcome == "disk")


def test_lines_without_a_table_say_nothing_of_one(local: Server, command_line: Command, table: str) -> None:
    code, out, _ = command_line("run", table, "--template", "{text}", "--model", "m", "-o", "out.jsonl")
    assert (code, "is a table" in out) == (0, False)
    assert {path.name for path in Path().iterdir()} == {"in.csv", "out.jsonl"}


# Options


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Notes the arguments of the parts that the command puts together."""
    noted: dict[str, Any] = {"says": []}

    def noting(place: str, name: str) -> None:
        home = importlib.import_module(place)
        real = getattr(home, name)

        def wrapped(*args: Any, **given: Any) -> Any:
            noted[name] = (args, given)
            return real(*args, **given)

        monkeypatch.setattr(home, name, wrapped)

    for place, name in (
        ("aiopenai._cli.run", "client_of"),
        ("aiopenai._cli.run", "cancel_on"),
        ("aiopenai._jobs.limiter", "Limiter"),
        ("aiopenai._jobs.batches", "BatchEngine"),
        ("aiopenai._jobs.state", "JobFiles"),
        ("aiopenai._jobs.progress", "Prices"),
        ("aiopenai._jobs.progress", "JobProgress"),
    ):
        noting(place, name)
    return noted


def prompts(path: Path) -> str:
    path.write_text('"one"\n')
    return str(path)


def test_defaults(local: Server, command_line: Command, tmp_path: Path, inside: dict[str, Any]) -> None:
    source = prompts(tmp_path / "in.jsonl")
    assert command_line("run", source, "-o", str(tmp_path / "o"), "--model", "m")[0] == 0
    assert inside["Limiter"] == ((1_000,), {"rpm": None, "tpm": None})
    assert inside["client_of"] == ((None, None), {"max_retries": 5, "timeout": not_given})
    assert inside["cancel_on"][0] == (signal.SIGTERM,)
    ((_, output), options), say = inside["JobFiles"], inside["JobFiles"][1].pop("say")
    assert output == tmp_path / "o"
    assert options == {
        "model": "m",
        "template": None,
        "retry_failed": False,
        "skip_bad": False,
        "ask_changed": False,
    }
    assert inside["Prices"] == ((None, None), {})
    assert inside["BatchEngine"][1]["ask_changed"] is False
    say("a message")
    assert command_line("--version")[2] == "aiopenai run: a message\n"


def test_options_reach_their_part(local: Server, command_line: Command, tmp_path: Path, inside: dict[str, Any]) -> None:
    source = prompts(tmp_path / "in.jsonl")
    options = "--concurrency 7 --rpm 6000 --tpm 90000 --max-retries 2 --timeout 9 --skip-bad --ask-changed"
    more = f"--price-in 1 --price-out 2 --base-url {local.base_url} --model m"
    assert command_line("run", source, "-o", str(tmp_path / "o"), *options.split(), *more.split())[0] == 0
    assert inside["Limiter"] == ((7,), {"rpm": 6_000, "tpm": 90_000})
    assert inside["client_of"] == ((None, local.base_url), {"max_retries": 2, "timeout": 9})
    given = inside["JobFiles"][1]
    assert [given[name] for name in ("retry_failed", "skip_bad", "ask_changed")] == [False, True, True]
    assert inside["Prices"] == ((1.0, 2.0), {})
    assert inside["BatchEngine"][1]["ask_changed"] is True
    assert command_line("run", source, "-o", str(tmp_path / "o"), "--retry-failed", "--model", "m")[0] == 0
    assert inside["JobFiles"][1]["retry_failed"] is True


def test_a_run_goes_on_with_its_counts(
    local: Server, command_line: Command, tmp_path: Path, inside: dict[str, Any]
) -> None:
    source, output = tmp_path / "in.jsonl", str(tmp_path / "o")
    write(source, line(1), line(2), line(3))
    local.fault(status=400, times=None, match=lambda request: b"number 2;" in request.body)
    assert command_line("run", str(source), "-o", output, "--price-in", "1")[0] == 1
    (total, prices), counts = inside["JobProgress"]
    assert (total, counts, prices.of(1_000_000, 1_000_000)) == (3, {"done": 0, "failed": 0}, 1.0)
    code, out, _ = command_line("run", str(source), "-o", output)
    assert inside["JobProgress"][0][0] == 3
    assert inside["JobProgress"][1] == {"done": 2, "failed": 1}
    # A failure of an earlier run is one of this job.
    assert code == 1
    assert f"failures are in {output}.errors.jsonl; --retry-failed tries them again" in out


def test_a_stream_keeps_no_state(local: Server, command_line: Command, tmp_path: Path, inside: dict[str, Any]) -> None:
    source = str(write(tmp_path / "in.jsonl", line(1), line(2)))
    local.fault(status=400, times=None, match=lambda request: b"number 2;" in request.body)
    code, out, err = command_line("run", source, "-o", "-", "--rpm", "600", "--tpm", "1000")
    assert code == 1
    assert {each["custom_id"] for each in map(json.loads, out.splitlines())} == {"r-1", "r-2"}
    assert "BatchEngine" not in inside
    assert inside["Limiter"] == ((1_000,), {"rpm": 600, "tpm": 1_000})
    # The summary goes beside the results, and names no file of failures.
    assert "1 failed" in err
    assert "BadRequestError" in err
    assert "--retry-failed" not in err
    local.fault(status=401, times=None)
    code, _, err = command_line("run", source, "-o", "-")
    assert code == 1
    assert "; 0 of 2 done" in err
    assert "goes on from there" not in err


def test_batches_need_a_file(local: Server, command_line: Command, tmp_path: Path) -> None:
    source = str(write(tmp_path / "in.jsonl", line(1)))
    code, _, err = command_line("run", source, "-o", "-", "--batch")
    assert (code, local.request_count) == (2, 0)
    assert "--batch needs an output file, not a stream" in err


def test_batches_and_calls_do_not_mix(local: Server, command_line: Command, tmp_path: Path) -> None:
    source, output = str(write(tmp_path / "in.jsonl", line(1))), tmp_path / "out.jsonl"
    with mock.patch("aiopenai._jobs.batches.BatchEngine.ask", side_effect=JobError("the batch goes on")) as ask:
        assert command_line("run", source, "-o", str(output), "--batch")[0] == 1
        assert ask.call_count == 1
    assert local.request_count == 0
    journal = BatchJournal(beside(output, "batches"))
    journal.begin("part", [(1, 1)], ["0" * 16])
    journal.close()
    code, _, err = command_line("run", source, "-o", str(output))
    assert (code, local.request_count) == (2, 0)
    assert "batches are under way for these files: --batch collects them" in err


@pytest.mark.parametrize("stream", [False, True], ids=["file", "stream"])
def test_an_interrupt_says_what_is_done(local: Server, command_line: Command, tmp_path: Path, stream: bool) -> None:
    source, output = str(write(tmp_path / "in.jsonl", *map(line, range(3)))), str(tmp_path / "out.jsonl")
    asked: list[Any] = []

    async def interrupted(client: Any, job: Any, limiter: Any, progress: Any) -> None:
        asked.append(client.is_closed())
        progress.done += 1
        raise KeyboardInterrupt

    with mock.patch("aiopenai._jobs.by_call.ask_lines", interrupted):
        code, _, err = command_line("run", source, "-o", "-" if stream else output)
    assert (code, asked) == (130, [False])
    assert "stopped with 1 of 3 done" in err
    assert (f", all of them in {output}; the same command goes on from there" in err) == (not stream)


@pytest.mark.parametrize(
    ("error", "code", "goes_on"),
    [
        (UsageError("wrong\n  usage"), 2, False),
        (ValueError("wrong value"), 2, False),
        (JobError("no use"), 1, True),
        (FilesError("no disk"), 1, True),
        (OpenAIError("no call"), 1, True),
        (TargetError("no server"), 1, True),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else None,
)
def test_errors_of_the_work(
    local: Server, command_line: Command, tmp_path: Path, error: Exception, code: int, goes_on: bool
) -> None:
    source, output = str(write(tmp_path / "in.jsonl", line(1))), tmp_path / "out.jsonl"
    with mock.patch("aiopenai._jobs.by_call.ask_lines", side_effect=error):
        found, out, err = command_line("run", source, "-o", str(output))
    assert (found, out) == (code, "")
    assert f"aiopenai run: {' '.join(str(error).split())}" in err
    assert ("; 0 of 1 done, the same command goes on from there" in err) == goes_on
    # The files are closed, and another job may write them.
    _opened(tmp_path / "in.jsonl", output).close()


def test_nothing_left_needs_no_server(command_line: Command, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", line(1)), tmp_path / "out.jsonl"
    write(output, {"custom_id": "r-1"})
    with mock.patch("aiopenai._cli.run.run_async", side_effect=AssertionError("nothing is left")):
        code, out, _ = command_line("run", str(source), "-o", str(output))
    assert (code, bool(out)) == (0, True)
