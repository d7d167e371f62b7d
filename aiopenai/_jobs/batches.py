"""The engine that sends a job's lines through the Batch API, and collects the results when they are there.

The lines of each batch are in the journal until its results are in the output. So the next run knows from the journal
which lines are on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from aiopenai._jobs.bundles import MAX_BYTES, MAX_LINES, Bundle, bundled
from aiopenai._jobs.by_call import is_fatal
from aiopenai._jobs.failures import JobError, UsageError
from aiopenai._jobs.journal import BatchJournal, BatchPart, line_key
from aiopenai._jobs.lines import RequestLine, failure, valid_json, with_hash
from aiopenai._jobs.outputs import beside
from aiopenai._jobs.progress import JobProgress, reason_of
from aiopenai._jobs.state import JobFiles
from aiopenai._jobs.usage import tokens_of
from aiopenai.errors import APIConnectionError, APIError, APIStatusError, NotFoundError

if TYPE_CHECKING:
    from aiopenai._client.client import AsyncOpenAI
    from aiopenai.types import FileObject
    from aiopenai.types.batches import Batch

__all__ = ["BatchEngine"]

# Seconds between looks: small batches are done soon.
FIRST_LOOK = 0.5
LAST_LOOK = 60.0
SLOWER = 1.5
# Looks in a row that may fail: about an hour, as the client itself tries several times.
MAX_FAILED_LOOKS = 60
# The API ends a batch after 24 hours. A server that does not has two days.
MAX_BATCH_SECONDS = 48 * 3600.0
# Azure's file statuses before a file can be used. OpenAI's `uploaded` is no such status.
_UNPROCESSED = frozenset({"pending", "running"})
MAX_PROCESSING_SECONDS = 1800.0
# Seconds until the next try when the limit of enqueued tokens is reached and no own batch is under way.
FIRST_RETRY = 60.0
LAST_RETRY = 600.0
# Refusals in a row for that limit before the job ends.
MAX_REFUSALS = 20
# The newest batches that are searched for one that is not in the journal.
SEARCHED = 1_000
PART = "aiopenai_part"
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_UNDER_WAY = frozenset({"validating", "in_progress", "finalizing", "cancelling"})
_TRANSIENT = frozenset({408, 409, 425, 429})


class _Answered(msgspec.Struct):
    status_code: int = 0
    body: msgspec.Raw = msgspec.Raw(b"null")


class _BatchResult(msgspec.Struct):
    custom_id: str
    response: _Answered | None = None
    error: Any = None


class _Room(NamedTuple):
    """The room for further batches: all for None, else `parts` of them; 0 means none before `retry_at`."""

    parts: int | None = None
    retry_at: float = 0.0


_decode_result = msgspec.json.Decoder(_BatchResult).decode


class BatchEngine:
    """The batches of a job. Raises FilesError for a journal that is none.

    `say` gets messages about single batches. With `ask_changed`, batches whose lines have changed are given up.
    """

    def __init__(
        self,
        job: JobFiles,
        *,
        ask_changed: bool = False,
        say: Callable[[str], object] = str,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._job = job
        self._ask_changed = ask_changed
        self._say = say
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._journal = BatchJournal(beside(job.output_path, "batches"))
        self._room = _Room()
        self._retry_pause = FIRST_RETRY
        self._refusals = self._failed_looks = self._gone = 0
        self._unknown: dict[str, str] = {}
        self._all_sent = False

    @property
    def under_way(self) -> int:
        """The number of batches that are not collected yet."""
        return len(self._journal.parts)

    def close(self) -> None:
        """Lets others write the journal."""
        self._journal.close()

    async def ask(self, client: AsyncOpenAI, progress: JobProgress) -> None:
        """Sends the lines that are left, and collects results until all are there. Raises JobError and APIError."""
        loop = asyncio.get_running_loop()
        self._check_lines()
        await self._find_lost(client)
        pause = FIRST_LOOK
        end = loop.time() + MAX_BATCH_SECONDS
        while True:
            if not self._all_sent:
                self._all_sent = await self._send_left(client, progress)
            if not self.under_way and self._all_sent:
                break
            ended = await self._look_at_all(client, progress)
            if ended:
                end = loop.time() + MAX_BATCH_SECONDS
            elif loop.time() > end:
                raise JobError(f"{self.under_way:,} batches have not ended within {MAX_BATCH_SECONDS / 3600:g} hours")
            if self.under_way or not self._all_sent:
                pause = FIRST_LOOK if ended else min(pause * SLOWER, LAST_LOOK)
                await asyncio.sleep(pause)
        progress.note = ""
        if self._gone:
            raise JobError(f"the server does not know {self._gone:,} of the batches any more; their lines are left")

    # Sending

    def _check_lines(self) -> None:
        """Makes sure that the lines on their way are still in the input. Raises UsageError."""
        for name, part in list(self._journal.parts.items()):
            if self._lines_of(part) is not None:
                continue
            if not self._ask_changed:
                raise UsageError(
                    f"lines of {self._job.input.name} that are under way in a batch have changed; restore them, or "
                    "give these batches up with --ask-changed"
                )
            self._journal.over(name)

    def _lines_of(self, part: BatchPart) -> dict[str, str] | None:
        """Returns the hash of each request of a part by `custom_id`; None if the input has other lines there now."""
        lines = list(self._job.input.lines_in(part.lines))
        if part.keys and [line_key(line) for line in lines] != part.key_list():
            return None
        return {line.custom_id: line.key for line in lines}

    async def _find_lost(self, client: AsyncOpenAI) -> None:
        """Finds the batches of parts that have none in the journal. A part without one is left."""
        lost = {name for name, part in self._journal.parts.items() if part.batch is None}
        if not lost:
            return
        searched = 0
        async for batch in client.batches.list(limit=100):
            name = (batch.metadata or {}).get(PART, "")
            if name in lost:
                lost.discard(name)
                self._journal.made(name, batch.id)
            searched += 1
            if not lost or searched >= SEARCHED:
                break
        for name in lost:
            self._journal.over(name)

    async def _send_left(self, client: AsyncOpenAI, progress: JobProgress) -> bool:
        """Sends as many batches as there is room for; returns whether all lines are sent."""
        loop = asyncio.get_running_loop()
        if self._room.parts == 0 and (self.under_way or loop.time() < self._room.retry_at):
            return False
        room = self._room.parts
        if room is not None:
            # One batch at a time from the first refusal on: each one that ends makes room for the next.
            room = 1
            self._room = _Room(0, loop.time() + self._retry_pause)
        folder = self._job.output_path.absolute().parent
        lines = self._left()
        limits: Any = {"max_lines": lambda: self._max_lines, "max_bytes": self._max_bytes}
        for bundle in bundled(lines, folder, url_of=client.batch_url, **limits):
            if room is not None and room <= 0:
                return False
            if not await self._send(client, bundle):
                return False
            room = None if room is None else room - 1
            progress.note = f"{self.under_way:,} batches under way"
        return True

    def _left(self) -> Iterator[RequestLine]:
        """Yields the lines that are left and not on their way."""
        taken = bytearray(self._job.lines + 1)
        for part in self._journal.parts.values():
            for first, last in part.lines:
                taken[first : last + 1] = b"\1" * (last + 1 - first)
        for line in self._job.pending():
            if line.number >= len(taken) or not taken[line.number]:
                yield line

    async def _send(self, client: AsyncOpenAI, bundle: Bundle) -> bool:
        """Sends a bundle; returns False if the server has no room for it."""
        name = f"part-{os.urandom(12).hex()}"
        uploaded = await client.files.create(file=bundle.flush(), purpose="batch")
        uploaded = await _processed(client, uploaded)
        self._journal.begin(name, bundle.ranges, bundle.keys)
        url: Any = client.batch_url(bundle.path)
        try:
            batch = await client.batches.create(
                input_file_id=uploaded.id, endpoint=url, completion_window="24h", metadata={PART: name}
            )
        except APIStatusError as error:
            if not _is_no_room(error.code, error.message):
                raise
            self._refuse(name, error.message)
            return False
        self._journal.made(name, batch.id)
        return True

    def _refuse(self, name: str, reason: str) -> None:
        """Leaves the lines of a part that the server has no room for: the next try is when another one has ended."""
        loop = asyncio.get_running_loop()
        part = self._journal.parts[name]
        self._journal.over(name)
        self._all_sent = False
        self._refusals += 1
        if self._refusals >= MAX_REFUSALS:
            raise JobError(f"the server had no room for a batch {self._refusals} times in a row: {reason}")
        if not self.under_way:
            # No own batch can make room: this one may be too big by itself.
            self._max_lines = max(1, part.size // 2)
        self._room = _Room(0, loop.time() + self._retry_pause)
        self._retry_pause = min(self._retry_pause * 2, LAST_RETRY)

    # Collecting

    async def _look_at_all(self, client: AsyncOpenAI, progress: JobProgress) -> bool:
        """Looks at each batch once and collects those that are over; returns whether there were any."""
        answered = 0
        ended = False
        for name, part in list(self._journal.parts.items()):
            try:
                batch = await client.batches.retrieve(part.batch or "")
                if batch.status in _OVER:
                    ended = await self._end(client, name, part, batch, progress) or ended
                else:
                    self._note_status(batch)
                    counts = batch.request_counts
                    answered += 0 if counts is None else counts.completed + counts.failed
            except NotFoundError:
                self._gone += 1
                self._journal.over(name)
            except APIError as error:
                self._failed_look(error, progress)
                break
            else:
                self._failed_looks = 0
                progress.trouble = ""
        progress.note = self._remark(answered)
        return ended

    def _failed_look(self, error: APIError, progress: JobProgress) -> None:
        """Records that the server did not answer. Raises the error if another try is of no use."""
        status = error.status_code if isinstance(error, APIStatusError) else 0
        transient = isinstance(error, APIConnectionError) or status >= 500 or status in _TRANSIENT
        self._failed_looks += 1
        if not transient or is_fatal(error) or self._failed_looks > MAX_FAILED_LOOKS:
            raise error
        progress.trouble = ": ".join(reason_of(error))

    def _note_status(self, batch: Batch) -> None:
        if batch.status in _UNDER_WAY:
            self._unknown.pop(batch.id, None)
        elif batch.id not in self._unknown:
            self._unknown[batch.id] = batch.status
            self._say(f"the batch {batch.id} has the unknown status {batch.status!r}; its end is waited for")

    def _remark(self, answered: int) -> str:
        if self._room.parts == 0:
            wait = max(self._room.retry_at - asyncio.get_running_loop().time(), 0.0)
            until = "until one ends" if self.under_way else f"for {wait:,.0f} s"
            return f"{self.under_way:,} batches under way, others wait {until} (limit of enqueued tokens)"
        text = f"{self.under_way:,} batches under way with {answered:,} answered"
        if self._unknown:
            text += f", {len(self._unknown)} with the unknown status {next(iter(self._unknown.values()))!r}"
        return text

    async def _end(self, client: AsyncOpenAI, name: str, part: BatchPart, batch: Batch, progress: JobProgress) -> bool:
        """Collects a batch that is over; returns False if the server had no room for it."""
        errors = (batch.errors.data if batch.errors is not None else None) or []
        for error in errors if batch.status == "failed" else ():
            if _is_no_room(error.code, error.message):
                self._refuse(name, error.message or "")
                return False
        await self._collect(client, part, batch, progress)
        self._job.sync()
        self._journal.over(name)
        self._unknown.pop(batch.id, None)
        self._refusals = 0
        self._retry_pause = FIRST_RETRY
        if self._room.parts is not None:
            self._room = _Room(1)
        return True

    async def _collect(self, client: AsyncOpenAI, part: BatchPart, batch: Batch, progress: JobProgress) -> None:
        hashes = self._lines_of(part)
        if hashes is None:
            raise JobError(f"{self._job.input.name} has changed while its lines were under way; restore it")
        unreadable = 0
        for file_id in (batch.output_file_id, batch.error_file_id):
            if not file_id:
                continue
            with contextlib.suppress(NotFoundError):  # an empty file, on some servers
                async for raw in _lines_of_file(client, file_id):
                    unreadable += not self._take(raw, hashes, progress)
        if unreadable:
            lines = "1 line" if unreadable == 1 else f"{unreadable:,} lines"
            self._say(f"{lines} of the results of the batch {batch.id} cannot be read; their requests count as failed")
        reason = _reason_of_end(batch, unreadable)
        code = f"batch_{batch.status}"
        for custom_id, request_hash in hashes.items():
            if self._job.broken(custom_id, failure(custom_id, code, reason, request_hash)):
                progress.fail(code, reason)

    def _take(self, raw: bytes, hashes: dict[str, str], progress: JobProgress) -> bool:
        """Takes a line of results and its request out of `hashes`; returns False if it cannot be read."""
        try:
            raw = valid_json(raw)
            result = _decode_result(raw)
        except msgspec.DecodeError:
            return False
        custom_id, response = result.custom_id, result.response
        request_hash = hashes.pop(custom_id, None)
        if request_hash is None:
            return True
        line = with_hash(raw, request_hash)
        if not result.error and response is not None and response.status_code < 400:
            if self._job.finished(custom_id, line):
                progress.done += 1
                progress.count(tokens_of(bytes(response.body)))
        elif self._job.broken(custom_id, line):
            progress.fail(*_reason_of_line(result))
        return True


async def _processed(client: AsyncOpenAI, file: FileObject) -> FileObject:
    """Returns a file once it can be used: Azure answers an upload before it has read it. Raises JobError."""
    loop = asyncio.get_running_loop()
    end = loop.time() + MAX_PROCESSING_SECONDS
    pause = FIRST_LOOK
    status: str | None = file.status
    while status in _UNPROCESSED:
        if loop.time() > end:
            raise JobError(f"the server has not processed the file {file.id} within {MAX_PROCESSING_SECONDS:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * SLOWER, LAST_LOOK)
        file = await client.files.retrieve(file.id)
        status = file.status
    return file


def _is_no_room(code: str | None, message: str | None) -> bool:
    """Returns whether an error says that too many tokens wait in batches."""
    return code == "token_limit_exceeded" or "enqueued token" in (message or "").lower()


def _reason_of_end(batch: Batch, unreadable: int) -> str:
    """Returns the reason why a line has no result in a batch that is over."""
    if unreadable:
        return f"its result in the batch {batch.id} cannot be read"
    reason = f"the batch {batch.id} has {'ended without its result' if batch.status == 'completed' else batch.status}"
    if batch.errors is not None and batch.errors.data:
        reason = "; ".join(filter(None, [reason, *(error.message for error in batch.errors.data[:5])]))
    return reason


def _reason_of_line(result: _BatchResult) -> tuple[str, str]:
    status = 0 if result.response is None else result.response.status_code
    body = b"null" if result.response is None else bytes(result.response.body)
    return f"status {status}" if status else "error", str(result.error or body.decode())[:160]


async def _lines_of_file(client: AsyncOpenAI, file_id: str) -> AsyncIterator[bytes]:
    """Yields the lines of a file of the API, which may be larger than the memory."""
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
