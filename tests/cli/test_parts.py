"""The parts of the command line: options, standard streams, the loop, messages."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from aiopenai.__main__ import main
from aiopenai._cli.loop import cancel_on, run_async
from aiopenai._cli.output import OutputError, notify, open_standard_streams, say, silence


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--rpm", "abc"], "argument --rpm: 'abc' is not a number"),
            (["--rpm", "0"], "argument --rpm: '0' is not a positive number"),
            (["--rpm", "-3"], "argument --rpm: '-3' is not a positive number"),
            (["--tpm", "nan"], "argument --tpm: 'nan' is not a positive number"),
            (["--tpm", "1e999"], "argument --tpm: '1e999' is not a positive number"),
            (["--timeout", ""], "argument --timeout: '' is not a number"),
            (["--concurrency", "many"], "argument --concurrency: 'many' is not a whole number"),
            (["--concurrency", "0"], "argument --concurrency: 0 is less than 1"),
            (["--concurrency", "1.5"], "argument --concurrency: '1.5' is not a whole number"),
            (["--max-retries", "-1"], "argument --max-retries: -1 is less than 0"),
            (["--price-in", "$3"], "argument --price-in: '$3' is not a number"),
            (["--price-out", "-1"], "argument --price-out: '-1' is not 0 or a positive number"),
        ],
    )
    def test_of_run(self, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["run", "in", "-o", "out", *arguments])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["serve", "--port", "http"], "argument --port: 'http' is not a whole number"),
            (["serve", "--port", "65536"], "argument --port: 65536 is not a port: the highest one is 65535"),
            (["serve", "--latency", "soon"], "argument --latency: 'soon' is not a number"),
            (["demo", "--calls", "few"], "argument --calls: 'few' is not a whole number"),
        ],
    )
    def test_of_others(self, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(arguments)
        assert said in capsys.readouterr().err

    def test_prompts_without_a_model(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "prompts.txt").write_text("One?\nTwo?\n")
        assert main(["run", str(tmp_path / "prompts.txt"), "-o", str(tmp_path / "out.jsonl")]) == 2
        text = capsys.readouterr().err
        assert "prompts.txt has prompts and no requests: --model says which model answers them" in text
        assert "malformed" not in text
        assert [path.name for path in tmp_path.iterdir()] == ["prompts.txt"]


class Failing(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


class TestOutput:
    def test_say(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        say("a", 1, end="!")
        assert capsys.readouterr().out == "a 1!"
        monkeypatch.setattr(sys, "stdout", Failing(BrokenPipeError()))
        with pytest.raises(BrokenPipeError):
            say("a")
        monkeypatch.setattr(sys, "stdout", Failing(OSError(28, "No space left on device")))
        with pytest.raises(OutputError, match="standard output: No space left on device"):
            say("a")

    @pytest.mark.parametrize("error", [OSError(28, "full"), BrokenPipeError(), ValueError("closed")])
    def test_note(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        monkeypatch.setattr(sys, "stderr", Failing(error))
        notify("nothing happens")

    def test_silence_without_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        silence()

    def test_streams_that_are_closed(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        monkeypatch.setattr(sys, "stderr", None)
        open_standard_streams()
        for stream in (sys.stdout, sys.stderr):
            stream.write("x")
            stream.flush()
            stream.close()
        assert capfd.readouterr() == ("x", "x")

    def test_a_terminal_with_few_characters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
        open_standard_streams()
        say("caf\u00e9", flush=True)
        assert raw.getvalue().rstrip() == b"caf?"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
class TestLoop:
    @pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_cancel(self, monkeypatch: pytest.MonkeyPatch, loop: str, number: signal.Signals) -> None:
        if loop == "asyncio":
            monkeypatch.setitem(sys.modules, "uvloop", None)
        ended = False

        async def work() -> None:
            nonlocal ended
            cancel_on(signal.SIGTERM)
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
            try:
                await asyncio.sleep(30)
            finally:
                ended = True

        with pytest.raises(KeyboardInterrupt):
            run_async(work())
        assert ended

    def test_result(self) -> None:
        async def work() -> int:
            return 7

        assert run_async(work()) == 7

    def test_a_system_without_handlers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "uvloop", None)

        def fail(*_: Any) -> None:
            raise NotImplementedError

        monkeypatch.setattr("asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler", fail)

        async def work() -> int:
            return 7

        assert run_async(work()) == 7


class TestMain:
    @pytest.mark.parametrize(
        ("error", "code", "said"),
        [
            (KeyboardInterrupt(), 130, "aiopenai: interrupted"),
            (BrokenPipeError(), 1, ""),
            (OutputError("standard output: full"), 1, "aiopenai: standard output: full"),
        ],
        ids=["interrupt", "pipe", "full"],
    )
    def test_errors(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        error: BaseException,
        code: int,
        said: str,
    ) -> None:
        def fail(_: Any) -> int:
            raise error

        monkeypatch.setattr("aiopenai._cli.serve._serve", fail)
        monkeypatch.setattr("aiopenai._cli.main.silence", lambda: None)
        assert main(["serve"]) == code
        assert capsys.readouterr().err.strip() == said
