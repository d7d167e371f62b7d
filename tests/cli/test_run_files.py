"""The files of `run`: results of changed requests, files that collide, streams, a disk that fails."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiopenai.__main__ import main
from aiopenai.testing import Server

ROOT = Path(__file__).parents[2]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def line(number: int, text: str | None = None, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text or f"number {number};"}]
    body = {"model": "gpt-4o", "messages": messages, **body}
    return {"custom_id": f"r-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in lines))
    return path


def said(path: Path) -> dict[str, str]:
    """The answers in an output file by `custom_id`; each id is there once."""
    found: dict[str, str] = {}
    for each in map(json.loads, path.read_text().splitlines()):
        assert each["custom_id"] not in found
        found[each["custom_id"]] = each["response"]["body"]["choices"][0]["message"]["content"]
    return found


def run(*arguments: object) -> int:
    return main(["run", *map(str, arguments)])


def spawn(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "aiopenai", "run", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, env=environment, text=True, timeout=60, check=False, **options)


class TestChangedRequests:
    """A result counts for the request that it answers, and for no other one of the same id."""

    def test_a_line_on_top_of_prompts(self, server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(folder / "in.txt", "one;", "two;")
        assert run(source, "-o", "out.jsonl", "--model", "gpt-4o") == 0
        before = (folder / "out.jsonl").read_bytes()
        write(source, "zero;", "one;", "two;")
        assert run(source, "-o", "out.jsonl", "--model", "gpt-4o") == 2
        assert (folder / "out.jsonl").read_bytes() == before
        assert server.request_count == 2
        text = capsys.readouterr().err
        assert "2 requests have another content or model" in text
        assert "--ask-changed" in text
        assert run(source, "-o", "out.jsonl", "--model", "gpt-4o", "--ask-changed") == 0
        assert said(folder / "out.jsonl") == {
            f"line-{n}": f"You said: {t};" for n, t in enumerate(("zero", "one", "two"), 1)
        }

    def test_another_model(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.txt", "one;")
        assert run(source, "-o", "out.jsonl", "--model", "gpt-4o") == 0
        assert run(source, "-o", "out.jsonl", "--model", "gpt-4o-mini") == 2
        assert run(source, "-o", "out.jsonl", "--model", "gpt-4o-mini", "--ask-changed") == 0
        assert server.requests_for("/chat/completions")[-1].json()["model"] == "gpt-4o-mini"

    @pytest.mark.parametrize(
        "changed",
        [line(2, "else"), line(2, temperature=0.5), {**line(2), "url": "/v1/responses"}, line(2, model="gpt-4o-mini")],
        ids=["text", "parameter", "endpoint", "model"],
    )
    def test_a_batch_line(self, server: Server, folder: Path, changed: Any) -> None:
        source = write(folder / "in.jsonl", line(1), line(2), line(3))
        assert run(source, "-o", "out.jsonl") == 0
        write(source, line(1), changed, line(3), line(4))
        assert run(source, "-o", "out.jsonl") == 2
        assert server.request_count == 3
        assert run(source, "-o", "out.jsonl", "--ask-changed") in (0, 1)
        # The changed one and the new one.
        assert server.request_count == 5

    def test_another_file(self, server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(write(folder / "a.jsonl", line(1), line(2)), "-o", "out.jsonl") == 0
        assert run(write(folder / "b.jsonl", line(1, "else"), line(2, "other")), "-o", "out.jsonl") == 2
        assert "b.jsonl" not in said(folder / "out.jsonl")
        # Requests with ids of their own do not hurt; the user learns of the others.
        capsys.readouterr()
        assert run(write(folder / "c.jsonl", line(3)), "-o", "out.jsonl") == 0
        assert "out.jsonl also has 2 results of requests that are not in" in capsys.readouterr().err
        assert said(folder / "out.jsonl").keys() == {"r-1", "r-2", "r-3"}

    def test_another_form_is_no_change(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.jsonl", line(1))
        assert run(source, "-o", "out.jsonl") == 0
        body = dict(reversed(line(1)["body"].items()))
        source.write_text(
            json.dumps({"body": body, **line(1), "url": "/chat/completions"}, indent=None, separators=(" , ", " : "))
        )
        assert run(source, "-o", "out.jsonl") == 0
        assert server.request_count == 1

    def test_a_failed_line_that_was_mended(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.jsonl", line(1), line(2, messages=[]))
        assert run(source, "-o", "out.jsonl") == 1
        assert (folder / "out.errors.jsonl").exists()
        write(source, line(1), line(2))
        assert run(source, "-o", "out.jsonl") == 0
        assert said(folder / "out.jsonl")["r-2"] == "You said: number 2;"
        assert not (folder / "out.errors.jsonl").exists()

    def test_results_of_the_batch_api_count_for_their_id(self, server: Server, folder: Path) -> None:
        write(folder / "out.jsonl", {"id": "batch_req_1", "custom_id": "r-1", "response": {"status_code": 200}})
        assert run(write(folder / "in.jsonl", line(1), line(2)), "-o", "out.jsonl") == 0
        assert server.request_count == 1


class TestCollisions:
    """No file that the job writes may be the input, or another file of the job."""

    @pytest.mark.parametrize("more", [[], ["--retry-failed"], ["--batch"]], ids=["plain", "retry", "batch"])
    @pytest.mark.parametrize("kind", ["", ".errors", ".retrying", ".batches", ".new", ".errors.new"])
    @POSIX
    def test_the_input(self, server: Server, folder: Path, kind: str, more: list[str]) -> None:
        name = f"x{kind}.jsonl"
        source = write(folder / name, line(1))
        os.link(source, folder / "hard.jsonl")
        (folder / "soft.jsonl").symlink_to(source)
        (folder / "sub").mkdir()
        (folder / "way").symlink_to(folder / "sub")
        content = source.read_bytes()
        for given in (name, source, "./sub/../" + name, "hard.jsonl", "soft.jsonl"):
            for output in ("x.jsonl", folder / "x.jsonl", "way/../x.jsonl"):
                assert run(given, "-o", output, *more) == 2
                assert source.read_bytes() == content
                assert sorted(path.name for path in folder.iterdir()) == sorted(
                    [name, "hard.jsonl", "soft.jsonl", "sub", "way"]
                )
        assert server.request_count == 0

    @POSIX
    def test_standard_input(self, server: Server, folder: Path) -> None:
        source = write(folder / "x.errors.jsonl", line(1))
        with source.open() as stream:
            done = spawn("-", "-o", "x.jsonl", "--retry-failed", cwd=folder, stdin=stream)
        assert done.returncode == 2
        assert "would be the input itself (standard input)" in done.stderr
        assert [path.name for path in folder.iterdir()] == ["x.errors.jsonl"]

    @POSIX
    def test_two_of_its_own(self, server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(folder / "in.jsonl", line(1))
        (folder / "x.errors.jsonl").symlink_to(folder / "x.jsonl")
        assert run(source, "-o", "x.jsonl") == 2
        assert "are the same file" in capsys.readouterr().err

    @pytest.mark.parametrize("content", ["dear diary", "dear diary\n", '{"a": 1}\n', '"text"', "[1, 2"])
    def test_an_output_of_something_else(self, server: Server, folder: Path, content: str) -> None:
        other = folder / "diary.txt"
        other.write_text(content)
        assert run(write(folder / "in.jsonl", line(1)), "-o", other) == 2
        assert other.read_text() == content

    def test_an_output_of_requests(self, server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        other = write(folder / "requests.jsonl", line(1), line(2))
        content = other.read_bytes()
        assert run(write(folder / "in.jsonl", line(1), line(2)), "-o", other) == 2
        assert "line 1 is a request" in capsys.readouterr().err
        assert other.read_bytes() == content


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "bom": lambda raw: b"\xef\xbb\xbf" + raw,
    "blank": lambda raw: b"\n" + raw + b"\n \n\t\n",
    "crlf": lambda raw: raw.replace(b"\n", b"\r\n"),
    "between": lambda raw: raw.replace(b"\n", b"\n\n", 1),
    "zeros": lambda raw: raw + b"\0" * 100,
    "bom-torn": lambda raw: b"\xef\xbb\xbf" + raw.rstrip(),
}


class TestResuming:
    @pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
    def test_an_edited_output(self, server: Server, folder: Path, edit: Any) -> None:
        source = write(folder / "in.jsonl", line(1), line(2))
        output = folder / "out.jsonl"
        assert run(source, "-o", output) == 0
        output.write_bytes(edit(output.read_bytes()))
        write(source, line(1), line(2), line(3))
        assert run(source, "-o", output) == 0
        assert server.request_count == 3
        text = output.read_bytes().decode("utf-8-sig")
        found = [json.loads(each)["custom_id"] for each in text.splitlines() if each.strip()]
        assert sorted(found) == ["r-1", "r-2", "r-3"]

    def test_only_a_bom(self, server: Server, folder: Path) -> None:
        (folder / "out.jsonl").write_bytes(b"\xef\xbb\xbf")
        assert run(write(folder / "in.jsonl", line(1)), "-o", "out.jsonl") == 0
        assert len((folder / "out.jsonl").read_bytes().splitlines()) == 1


@POSIX
class TestStreams:
    """`-`, pipes and devices have their usual meaning."""

    def test_standard_output(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.jsonl", *map(line, range(20)))
        server.fault(status=400, match=lambda request: b"number 7;" in request.body)
        for output in ("-", "/dev/stdout", "/dev/fd/1"):
            done = spawn(source, "-o", output, cwd=folder)
            found = [json.loads(each) for each in done.stdout.splitlines()]
            assert {each["custom_id"] for each in found} == {f"r-{number}" for number in range(20)}
            assert "20 of 20" in done.stderr or "19 of 20" in done.stderr
            assert [path.name for path in folder.iterdir()] == ["in.jsonl"]
            failed = [each for each in found if each["response"]["status_code"] == 400]
            assert (done.returncode, len(failed)) == ((1, 1) if output == "-" else (0, 0))

    def test_standard_output_in_a_file(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.jsonl", line(1), line(2))
        output = folder / "log"
        output.write_text("first\n")
        with output.open("a") as stream:
            assert spawn(source, "-o", "/dev/stdout", cwd=folder, stdout=stream).returncode == 0
        first, *others = output.read_text().splitlines()
        assert first == "first"
        assert len(others) == 2

    @pytest.mark.parametrize("name", ["-", "/dev/stdin"])
    def test_standard_input(self, server: Server, folder: Path, name: str) -> None:
        text = "".join(json.dumps(line(number)) + "\n" for number in range(3))
        for _ in range(2):
            done = spawn(name, "-o", "out.jsonl", cwd=folder, input=text)
            assert done.returncode == 0, done.stderr
        assert said(folder / "out.jsonl").keys() == {"r-0", "r-1", "r-2"}
        assert server.request_count == 3
        bad = spawn(name, "-o", "out.jsonl", cwd=folder, input=text + "{\n")
        assert "line 4: " in bad.stderr

    def test_a_pipe_through(self, server: Server, folder: Path) -> None:
        done = spawn("-", "-o", "-", "--model", "gpt-4o", cwd=folder, input="One?\nTwo?\n")
        assert sorted(json.loads(each)["custom_id"] for each in done.stdout.splitlines()) == ["line-1", "line-2"]
        assert list(folder.iterdir()) == []

    def test_a_named_pipe(self, server: Server, folder: Path) -> None:
        os.mkfifo(folder / "pipe")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "aiopenai", "run", "pipe", "-o", "/dev/null"]
        with subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            write(folder / "pipe", line(1), line(2))
            _, errors = child.communicate(timeout=30)
        assert child.returncode == 0
        assert b"2 of 2 done" in errors

    def test_the_null_device(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.jsonl", line(1))
        done = spawn(source, "-o", "/dev/null", cwd=folder)
        assert (done.returncode, done.stdout) == (0, "")
        assert "1 of 1 done" in done.stderr
        assert not list(Path("/dev").glob("null.*"))

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_a_closed_stream(self, server: Server, folder: Path, number: int) -> None:
        source = write(folder / "in.jsonl", line(1), line(2))
        done = spawn(source, "-o", "out.jsonl", cwd=folder, preexec_fn=lambda: os.close(number))
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        assert said(folder / "out.jsonl").keys() == {"r-1", "r-2"}

    def test_closed_input_as_the_input(self, folder: Path) -> None:
        done = spawn("-", "-o", "out.jsonl", cwd=folder, preexec_fn=lambda: os.close(0))
        assert done.returncode == 2
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_full_terminal(self, server: Server, folder: Path, number: int) -> None:
        """A message that cannot be shown costs no result."""
        source = write(folder / "in.jsonl", line(1), line(2))
        with open("/dev/full", "w") as full:
            done = spawn(source, "-o", "out.jsonl", cwd=folder, **{"stdout" if number == 1 else "stderr": full})
        assert said(folder / "out.jsonl").keys() == {"r-1", "r-2"}
        if number == 1:
            assert done.returncode == 1
            assert done.stderr == "aiopenai: standard output: No space left on device\n"
        else:
            assert done.returncode == 0

    def test_a_reader_that_is_gone(self, server: Server, folder: Path) -> None:
        source = write(folder / "in.jsonl", *map(line, range(50)))
        reader, writer = os.pipe()
        os.close(reader)
        done = spawn(source, "-o", "-", cwd=folder, stdout=writer)
        os.close(writer)
        assert done.returncode == 1
        assert "standard output: Broken pipe" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("option", ["--retry-failed", "--batch"])
    def test_no_state_in_a_stream(self, folder: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(write(folder / "in.jsonl", line(1)), "-o", "-", option) == 2
        assert f"{option} needs an output file" in capsys.readouterr().err

    def test_no_file_at_all(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("none", "."):
            assert run(name, "-o", "out.jsonl") == 2
            assert f"{name} is not a file" in capsys.readouterr().err
        assert list(folder.iterdir()) == []


@POSIX
class TestBrokenDisk:
    """A disk that fails stops the job at once, with one line, and leaves lines that the next run can read."""

    def broken(self, monkeypatch: pytest.MonkeyPatch, name: str, number: int, after: int) -> list[int]:
        """Has a call of the system fail after so many times, for regular files."""
        real = getattr(os, name)
        calls: list[int] = []

        def fail(fd: int, *rest: Any) -> Any:
            import stat

            if stat.S_ISREG(os.fstat(fd).st_mode):
                calls.append(fd)
                if len(calls) > after:
                    if name == "close":
                        real(fd)
                    elif name == "write":
                        real(fd, rest[0][: len(rest[0]) // 2])
                        if len(calls) == after + 1:
                            return len(rest[0]) // 2
                    raise OSError(number, os.strerror(number))
            return real(fd, *rest)

        monkeypatch.setattr(os, name, fail)
        return calls

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
    @pytest.mark.parametrize("name", ["write", "fsync", "close"])
    def test_in_a_job(
        self,
        server: Server,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        name: str,
        number: int,
    ) -> None:
        monkeypatch.setattr("aiopenai._jobs.syncing.SYNC_SECONDS", 0.02)
        server.latency = 0.0 if name == "close" else 0.01
        source = write(folder / "in.jsonl", *map(line, range(300)))
        with monkeypatch.context() as patch:
            self.broken(patch, name, number, after=5 if name == "write" else 0)
            assert run(source, "-o", "out.jsonl", "--concurrency", "2") == 1
        text = capsys.readouterr().err
        (last,) = [each for each in text.splitlines() if os.strerror(number) in each]
        assert last.startswith("aiopenai run: out.")
        assert "Traceback" not in text
        assert "the same command goes on from there" in last
        if name != "close":
            assert server.request_count < 100
        server.latency = 0.0
        assert run(source, "-o", "out.jsonl") == 0
        assert said(folder / "out.jsonl").keys() == {f"r-{number}" for number in range(300)}

    def test_a_full_device(self, server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(folder / "in.jsonl", *map(line, range(500)))
        assert run(source, "-o", "/dev/full", "--concurrency", "2") == 1
        assert capsys.readouterr().err.startswith("aiopenai run: /dev/full: No space left on device; 0 of 500 done")
        assert server.request_count < 20

    def test_an_output_that_cannot_be_opened(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = write(folder / "in.jsonl", line(1))
        assert run(source, "-o", "none/out.jsonl") == 2
        assert "No such file or directory" in capsys.readouterr().err
        assert run(source, "-o", ".") == 2
