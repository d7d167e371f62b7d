"""`python -m aiopenai run`: a file of requests, answered line by line into another file."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from aiopenai._cli.connection import add_target_options, client_of
from aiopenai._cli.loop import cancel_on, run_async
from aiopenai._cli.options import positive, positive_number, seconds, zero_or_more
from aiopenai._cli.output import notify, say
from aiopenai._cli.target import CommandTarget, TargetError, target

if TYPE_CHECKING:
    from aiopenai._jobs.inputs import InputSource
    from aiopenai._jobs.progress import JobProgress
    from aiopenai._jobs.state import JobFiles

__all__ = ["add_arguments"]


class _End(NamedTuple):
    """An end of the job that is not its completion: the exit code and the message."""

    code: int
    message: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.description = (
        "Answer a file of requests: the lines of a batch file, or prompts with --model. A job that was killed goes on "
        "with the same command. Exit codes: 0 all done, 1 some failed, 2 bad usage."
    )
    parser.add_argument("input", help="requests, a line each, as the Batch API takes them, or prompts; - is stdin")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="results, a line each, as the Batch API gives them; - is stdout, which then gets the failures too",
    )
    parser.add_argument(
        "--out-format",
        choices=["jsonl", "parquet"],
        help="parquet: also a table of results and failures, made at the end of the lines in a .jsonl file beside it; "
        "this is the default for a name that ends in .parquet",
    )
    parser.add_argument("--model", help="for prompts, and for lines that name none")
    parser.add_argument("--template", help="the prompt of each row of a CSV file: {name} is the value of a column")
    parser.add_argument("--concurrency", type=positive, default=1_000, help="at most so many at a time (%(default)s)")
    parser.add_argument("--rpm", type=positive_number, help="at most so many requests per minute")
    parser.add_argument("--tpm", type=positive_number, help="at most so many tokens per minute")
    parser.add_argument(
        "--max-retries", type=zero_or_more, default=5, help="further attempts of each request (%(default)s)"
    )
    parser.add_argument("--timeout", type=positive_number, help="seconds of one attempt")
    parser.add_argument("--batch", action="store_true", help="through the Batch API: slower, and cheaper")
    parser.add_argument("--retry-failed", action="store_true", help="only the lines that failed before")
    parser.add_argument("--skip-bad", action="store_true", help="go on without the lines that are no requests")
    parser.add_argument(
        "--ask-changed",
        action="store_true",
        help="ask lines again that have changed since their result, which is dropped",
    )
    parser.add_argument("--price-in", type=seconds, metavar="DOLLARS", help="of a million tokens read")
    parser.add_argument("--price-out", type=seconds, metavar="DOLLARS", help="of a million tokens written")
    add_target_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from aiopenai._jobs.failures import FilesError, UsageError
    from aiopenai._jobs.inputs import opened_source

    try:
        with opened_source(arguments.input) as source:
            return _run_source(arguments, source)
    except (UsageError, FilesError) as error:
        return _failed(2, str(error))


def _run_source(arguments: argparse.Namespace, source: InputSource) -> int:
    """Opens the job, works on it and closes it. Raises UsageError and FilesError before the work begins."""
    from aiopenai._jobs.failures import FilesError, UsageError
    from aiopenai._jobs.outputs import is_stream
    from aiopenai._jobs.progress import JobProgress, Prices
    from aiopenai._jobs.state import JobFiles

    if arguments.batch and is_stream(arguments.output):
        raise UsageError("--batch needs an output file, not a stream: its journal is beside it")
    table = _table_path(arguments, source)
    job = JobFiles(
        source,
        arguments.output if table is None else table.with_suffix(".jsonl"),
        model=arguments.model,
        template=arguments.template,
        retry_failed=arguments.retry_failed,
        skip_bad=arguments.skip_bad,
        ask_changed=arguments.ask_changed,
        say=_note,
    )
    prices = Prices(arguments.price_in, arguments.price_out)
    progress = JobProgress(job.total, prices, done=job.done, failed=job.failed)
    end = _work(arguments, job, progress)
    rows = 0
    try:
        job.close()
        if table is not None and end is None:
            from aiopenai._jobs.parquet import write_table

            rows = write_table(table, (job.output_path, job.failures_path))
    except FilesError as error:
        end = end or _End(1, _goes_on(str(error), job, progress))
    if end is not None:
        return _failed(*end)
    _summarize(job, progress)
    if table is not None:
        say(f"{table} is a table of {rows:,} results and failures; the lines are in {job.output_path}")
    return 1 if progress.failed else 0


def _table_path(arguments: argparse.Namespace, source: InputSource) -> Path | None:
    """Returns the path of the Parquet file; None for lines. Raises UsageError and FilesError."""
    from aiopenai._jobs.failures import UsageError
    from aiopenai._jobs.outputs import is_stream
    from aiopenai._jobs.parquet import loaded_arrow, takes_table

    path: Path = arguments.output
    if arguments.out_format == "jsonl" or (arguments.out_format is None and path.suffix.lower() != ".parquet"):
        return None
    if is_stream(path):
        raise UsageError("--out-format parquet needs an output file, not a stream")
    if path.suffix.lower() == ".jsonl":
        raise UsageError(f"--out-format parquet: {path} is the name of the lines beside the table; use .parquet")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file for the output")
    if source.is_same_file(path):
        raise UsageError(f"the output would be the input itself ({source.name}); choose another output file")
    if not takes_table(path):
        raise UsageError(f"{path} is no Parquet file; choose another output file")
    # Before the first request: without pyarrow the replies could not be written.
    loaded_arrow()
    return path


def _work(arguments: argparse.Namespace, job: JobFiles, progress: JobProgress) -> _End | None:
    """Asks the lines that are left."""
    from aiopenai._jobs.failures import FilesError, JobError, UsageError
    from aiopenai.errors import OpenAIError

    try:
        if job.left:
            with target(None, {}) if arguments.local else contextlib.nullcontext() as server:
                run_async(_asking(arguments, job, progress, server))
        job.complete()
    except (UsageError, ValueError) as error:
        return _End(2, str(error))
    except (JobError, FilesError, OpenAIError, TargetError) as error:
        return _End(1, _goes_on(str(error), job, progress))
    except KeyboardInterrupt:
        where = "" if job.stream else f", all of them in {job.output_path}; the same command goes on from there"
        return _End(130, f"stopped with {progress.done:,} of {job.total:,} done{where}")
    return None


async def _asking(
    arguments: argparse.Namespace, job: JobFiles, progress: JobProgress, server: CommandTarget | None
) -> None:
    from aiopenai._base.sentinels import not_given
    from aiopenai._jobs.failures import UsageError
    from aiopenai._jobs.reporting import reporting
    from aiopenai._jobs.syncing import while_syncing
    from aiopenai.errors import OpenAIError

    cancel_on(signal.SIGTERM)
    options: dict[str, Any] = {"max_retries": arguments.max_retries, "timeout": arguments.timeout or not_given}
    try:
        client = client_of(server, arguments.base_url, **options)
    except OpenAIError as error:
        raise UsageError(str(error)) from error
    progress.begin()
    async with client, reporting(progress, sys.stderr):
        await while_syncing(job, _engine(arguments, client, job, progress))


async def _engine(arguments: argparse.Namespace, client: Any, job: JobFiles, progress: JobProgress) -> None:
    """Asks by the engine that the options choose."""
    from aiopenai._jobs.batches import BatchEngine
    from aiopenai._jobs.by_call import ask_lines
    from aiopenai._jobs.failures import UsageError
    from aiopenai._jobs.limiter import Limiter

    if job.stream:
        limiter = Limiter(arguments.concurrency, rpm=arguments.rpm, tpm=arguments.tpm)
        await ask_lines(client, job, limiter, progress)
        return
    engine = BatchEngine(job, ask_changed=arguments.ask_changed, say=_note)
    try:
        if arguments.batch:
            await engine.ask(client, progress)
            return
        if engine.under_way:
            raise UsageError("batches are under way for these files: --batch collects them")
        limiter = Limiter(arguments.concurrency, rpm=arguments.rpm, tpm=arguments.tpm)
        await ask_lines(client, job, limiter, progress)
    finally:
        engine.close()


def _summarize(job: JobFiles, progress: JobProgress) -> None:
    """Shows the end of the job: on standard error if the results go to a stream."""
    show = notify if job.stream else say
    show(progress.summary())
    for line in progress.failures():
        show(f"  {line}")
    if progress.failed and not job.stream:
        show(f"failures are in {job.failures_path}; --retry-failed tries them again")


def _goes_on(reason: str, job: JobFiles, progress: JobProgress) -> str:
    text = f"{reason}; {progress.done:,} of {job.total:,} done"
    return text if job.stream else f"{text}, the same command goes on from there"


def _failed(code: int, message: str) -> int:
    _note(" ".join(message.split()))
    return code


def _note(text: str) -> None:
    notify(f"aiopenai run: {text}")
