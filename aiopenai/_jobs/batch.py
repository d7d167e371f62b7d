"""A job through the Batch API: its lines in files of the API's size, and their results when they are there.

What was sent off is in a journal beside the output: of each part its lines, then its batch, then that its results are
collected. Whenever this process ends, the next one knows from it which lines are on their way; a batch that was made
in the moment of the end is found by the name of its part, which is in its metadata.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec

from aiopenai._jobs.bulk import Tokens
from aiopenai._jobs.lines import Asked, Log, failure
from aiopenai._jobs.run import Job, JobError, Progress, beside
from aiopenai.errors import NotFoundError

if TYPE_CHECKING:
    from aiopenai._client.client import AsyncOpenAI
    from aiopenai.types.batches import Batch

__all__ = ["MAX_BYTES", "MAX_LINES", "Batches"]

# The API's limits of one batch.
MAX_LINES = 50_000
MAX_BYTES = 200_000_000
# Files of one model and endpoint each; with more of them than this, the fullest is sent off.
MAX_OPEN = 64
# Seconds between looks: often at first, because small batches are done soon.
FIRST_LOOK = 0.5
LAST_LOOK = 60.0
SLOWER = 1.5
# How many of the newest batches are searched for one whose making was not written down.
SEARCHED = 1_000
PART = "aiopenai_part"
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})


class _Entry(msgspec.Struct, omit_defaults=True):
    """A line of the journal: a part began (`lines`), its batch was made, it was collected or given up (`over`).

    `lines` are pairs of first and last line numbers.
    """

    custom_id: str
    lines: list[tuple[int, int]] | None = None
    batch: str | None = None
    over: bool = False


class _Part(NamedTuple):
    lines: list[tuple[int, int]]
    batch: str | None


class _Response(msgspec.Struct):
    status_code: int = 0
    body: Any = None


class _Usage(msgspec.Struct):
    usage: Tokens | None = None


class _Result(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: Any = None


_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_result = msgspec.json.Decoder(_Result).decode


class _Bundle:
    """Lines for one batch, in a file that has no name."""

    def __init__(self, url: str, model: str | None, where: Path) -> None:
        self.url = url
        self.model = model
        self.file: IO[bytes] = tempfile.NamedTemporaryFile(dir=where, prefix=".batch-", suffix=".jsonl")  # noqa: SIM115
        self.size = 0
        self.count = 0
        self.lines: list[tuple[int, int]] = []

    def add(self, number: int, line: bytes) -> None:
        self.file.write(line)
        self.size += len(line)
        self.count += 1
        if self.lines and self.lines[-1][1] == number - 1:
            self.lines[-1] = self.lines[-1][0], number
        else:
            self.lines.append((number, number))


class Batches:
    """The batches of a job. Raises FilesError where the journal is none."""

    def __init__(self, job: Job, *, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES) -> None:
        self._job = job
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._path = beside(job.output_path, "batches")
        self._parts: dict[str, _Part] = {}
        self._journal: Log | None = None
        if self._path.exists():
            self._open()
            for raw in self._path.read_bytes().splitlines():
                self._replay(_decode_entry(raw))

    @property
    def under_way(self) -> int:
        """How many batches are not collected yet."""
        return len(self._parts)

    def _open(self) -> Log:
        if self._journal is None:
            self._journal = Log(self._path)
        return self._journal

    def _note(self, entry: _Entry) -> None:
        log = self._open()
        log.append(msgspec.json.encode(entry) + b"\n")
        log.sync()
        self._replay(entry)

    def _replay(self, entry: _Entry) -> None:
        name = entry.custom_id
        if entry.lines is not None:
            self._parts[name] = _Part(entry.lines, None)
        elif entry.over:
            self._parts.pop(name, None)
        elif name in self._parts:
            self._parts[name] = _Part(self._parts[name].lines, entry.batch)

    def close(self) -> None:
        """Let others write. A journal of nothing that is under way goes."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
            if not self._parts:
                self._path.unlink(missing_ok=True)

    async def ask(self, client: AsyncOpenAI, progress: Progress) -> None:
        """Send off what is left, and collect results until all are there."""
        await self._find_lost(client)
        for bundle in self._bundles():
            with bundle.file:
                await self._send_off(client, bundle)
                progress.note = f"{self.under_way:,} batches under way"
        pause = FIRST_LOOK
        gone = 0
        while self._parts:
            answered = 0
            for name, part in list(self._parts.items()):
                try:
                    batch = await client.batches.retrieve(part.batch or "")
                except NotFoundError:
                    gone += 1
                    self._note(_Entry(name, over=True))
                    continue
                if batch.status in _OVER:
                    await self._collect(client, name, part, batch, progress)
                elif batch.request_counts is not None:
                    answered += batch.request_counts.completed + batch.request_counts.failed
            progress.note = f"{self.under_way:,} batches under way with {answered:,} answered"
            if self._parts:
                await asyncio.sleep(pause)
                pause = min(pause * SLOWER, LAST_LOOK)
        progress.note = ""
        if gone:
            raise JobError(f"the server does not know {gone:,} of the batches any more, and their lines are not done")

    async def _find_lost(self, client: AsyncOpenAI) -> None:
        """Of parts without a batch: find it, or forget the part, whose lines are then left to ask."""
        lost = {name for name, part in self._parts.items() if part.batch is None}
        if not lost:
            return
        searched = 0
        async for batch in client.batches.list(limit=100):
            name = (batch.metadata or {}).get(PART, "")
            if name in lost:
                lost.discard(name)
                self._note(_Entry(name, batch=batch.id))
            searched += 1
            if not lost or searched >= SEARCHED:
                break
        for name in lost:
            self._note(_Entry(name, over=True))

    def _bundles(self) -> Iterator[_Bundle]:
        """What is left and not on its way, bundled."""
        taken = bytearray(self._job.lines + 1)
        for part in self._parts.values():
            for first, last in part.lines:
                taken[first : last + 1] = b"\1" * (last + 1 - first)
        filling: dict[tuple[str, str | None], _Bundle] = {}
        with contextlib.ExitStack() as files:
            for asked in self._job.pending():
                if taken[asked.number]:
                    continue
                key = asked.url, asked.model
                line = asked.line()
                if len(line) > self._max_bytes:
                    raise JobError(f"line {asked.number} is longer than a batch may be")
                bundle = filling.get(key)
                if bundle is not None and bundle.size + len(line) > self._max_bytes:
                    yield filling.pop(key)
                    bundle = None
                if bundle is None:
                    if len(filling) >= MAX_OPEN:
                        yield filling.pop(max(filling, key=lambda key: filling[key].count))
                    bundle = filling[key] = _Bundle(*key, self._job.output_path.absolute().parent)
                    files.enter_context(bundle.file)
                bundle.add(asked.number, line)
                if bundle.count >= self._max_lines:
                    yield filling.pop(key)
            yield from filling.values()

    async def _send_off(self, client: AsyncOpenAI, bundle: _Bundle) -> None:
        bundle.file.flush()
        name = f"part-{os.urandom(12).hex()}"
        uploaded = await client.files.create(file=Path(bundle.file.name), purpose="batch")
        self._note(_Entry(name, lines=bundle.lines))
        batch = await client.batches.create(
            input_file_id=uploaded.id,
            endpoint=_endpoint(bundle.url),
            completion_window="24h",
            metadata={PART: name},
        )
        self._note(_Entry(name, batch=batch.id))

    async def _collect(self, client: AsyncOpenAI, name: str, part: _Part, batch: Batch, progress: Progress) -> None:
        missing = sum(last - first + 1 for first, last in part.lines)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if not file_id:
                continue
            with contextlib.suppress(NotFoundError):  # an empty one, on some servers
                async for line in _lines(client, file_id):
                    self._take(line, progress)
                    missing -= 1
        if missing > 0:
            self._miss(part, batch, progress)
        self._job.sync()
        self._note(_Entry(name, over=True))

    def _miss(self, part: _Part, batch: Batch, progress: Progress) -> None:
        # What has no result is not done by this batch, and its reason is the batch's.
        why = f"the batch {batch.id} has {'ended' if batch.status == 'completed' else batch.status}"
        if batch.errors is not None and batch.errors.data:
            why = "; ".join(filter(None, [why, *(error.message for error in batch.errors.data[:5])]))
        for asked in self._lines_of(part):
            if self._job.broken(asked.custom_id, failure(asked.custom_id, f"batch_{batch.status}", why)):
                progress.failed += 1

    def _take(self, raw: bytes, progress: Progress) -> None:
        try:
            result = _decode_result(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JobError(f"the results of a batch are not what they should be: {error}") from error
        response = result.response
        if result.error is None and response is not None and response.status_code < 400:
            if self._job.finished(result.custom_id, raw + b"\n"):
                progress.done += 1
                with contextlib.suppress(msgspec.ValidationError):
                    progress.count(msgspec.convert(response.body, _Usage).usage)
        elif self._job.broken(result.custom_id, raw + b"\n"):
            progress.failed += 1

    def _lines_of(self, part: _Part) -> Iterator[Asked]:
        """The lines of a part that have no result."""
        ranges = iter(part.lines)
        first, last = next(ranges)
        for asked in self._job.input:
            while asked.number > last:
                following = next(ranges, None)
                if following is None:
                    return
                first, last = following
            if first <= asked.number and isinstance(asked, Asked):
                yield asked


def _endpoint(url: str) -> Any:
    return url if url.startswith("/v1/") else f"/v1{url}"


async def _lines(client: AsyncOpenAI, file_id: str) -> AsyncIterator[bytes]:
    """The lines of a file of the API, which may be bigger than the memory."""
    rest: list[bytes] = []
    async with client.files.with_streaming_response.content(file_id) as response:
        async for piece in response.iter_bytes():
            first, *others = piece.split(b"\n")
            rest.append(first)
            for line in others:
                whole = b"".join(rest)
                rest = [line]
                if whole.strip():
                    yield whole
    whole = b"".join(rest)
    if whole.strip():
        yield whole
