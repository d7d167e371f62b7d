"""The engine that asks a job's lines call by call, and stops early where going on is of no use."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from aiopenai._jobs.failures import JobError, UnreadableReplyError
from aiopenai._jobs.job import RequestJob
from aiopenai._jobs.limiter import Limiter
from aiopenai._jobs.lines import RequestLine, failed_line, finished_line, valid_json
from aiopenai._jobs.progress import JobProgress, reason_of
from aiopenai._jobs.result import Result
from aiopenai._jobs.state import JobLines
from aiopenai.errors import APIConnectionError, APIStatusError, AuthenticationError

if TYPE_CHECKING:
    from aiopenai._calls.raw import LegacyAPIResponse
    from aiopenai._client.client import AsyncOpenAI

__all__ = ["IN_A_ROW", "ask_lines", "is_fatal"]

# So many failures in a row that are not the requests' own end the job.
IN_A_ROW = 20
# Statuses that say something about one request. All others can hold for every request of a job.
_OWN_STATUSES = frozenset({400, 409, 411, 413, 415, 422, 424, 431, 451})


class _Reply(NamedTuple):
    status_code: int
    request_id: str | None
    content: msgspec.Raw


class _MaybeError(msgspec.Struct):
    """The fields of a reply that may stand in place of its result."""

    error: Any = None
    detail: Any = None
    errors: Any = None
    message: Any = None
    msg: Any = None
    error_message: Any = None
    error_msg: Any = None
    base_resp: Any = None


_decode_error = msgspec.json.Decoder(_MaybeError).decode


async def ask_lines(client: AsyncOpenAI, lines: JobLines, limiter: Limiter, progress: JobProgress) -> None:
    """Asks the lines that are left. Raises JobError where all further requests would fail for the same reason.

    Lines that failed for that reason are left for the next run.
    """
    progress.waits = limiter.words_of_wait
    job = RequestJob(client, lines.pending(), limiter, read=_whole, on_trouble=progress.note_trouble)
    outcomes = _Outcomes(lines, progress)
    stopped: JobError | None = None
    try:
        async with aclosing(job.results()) as results:
            async for result in results:
                progress.count(result.usage)
                if result.error is None:
                    outcomes.reply(result)
                elif stopped is None:
                    stopped = outcomes.failure(result, result.error)
                    if stopped is not None:
                        # Replies that are here already are kept.
                        await job.halt()
    finally:
        progress.waits = str
    if stopped is None:
        stopped = outcomes.end()
    if stopped is not None:
        raise stopped


class _Outcomes:
    """Writes results and failures. A failure that may hold for all requests is written after the next reply only."""

    def __init__(self, lines: JobLines, progress: JobProgress) -> None:
        self._lines = lines
        self._progress = progress
        self._held: list[tuple[RequestLine, Exception]] = []
        self._replies = 0

    def reply(self, result: Result[Any]) -> None:
        line: Any = result.request
        reply: _Reply = result.unwrap()
        self._replies += 1
        self._progress.trouble = ""
        self._release()
        self._lines.finished(
            line.custom_id, finished_line(line.custom_id, reply.status_code, reply.request_id, reply.content, line.key)
        )
        self._progress.done += 1

    def failure(self, result: Result[Any], error: Exception) -> JobError | None:
        """Takes a failure; returns the reason to stop, if it is one."""
        line: Any = result.request
        reason = ": ".join(reason_of(error))
        self._progress.trouble = reason
        if is_fatal(error):
            return JobError(f"{reason}{_cure(error)}")
        if not _may_hold_for_all(error):
            self._replies += 1
            self._release()
            self._write(line, error)
            return None
        self._held.append((line, error))
        if len(self._held) < IN_A_ROW:
            return None
        return JobError(f"{IN_A_ROW} requests in a row failed, the last one with {reason}{_cure(error)}")

    def end(self) -> JobError | None:
        """Ends the job; returns the reason of its failure if no request at all was answered."""
        if not self._held:
            return None
        _, error = self._held[-1]
        number = len(self._held)
        # A single request can make a server fail.
        alone = number == 1 and isinstance(error, APIStatusError) and error.status_code >= 500
        if self._replies or alone:
            self._release()
            return None
        requests = "the only request" if number == 1 else f"all {number} requests"
        return JobError(f"{requests} failed, the last one with {': '.join(reason_of(error))}{_cure(error)}")

    def _release(self) -> None:
        if self._held:
            held, self._held = self._held, []
            for line, error in held:
                self._write(line, error)

    def _write(self, line: RequestLine, error: Exception) -> None:
        self._lines.broken(line.custom_id, failed_line(line.custom_id, error, line.key))
        self._progress.fail(*reason_of(error))


def _whole(response: LegacyAPIResponse[Any]) -> _Reply:
    """Returns a reply that a result can hold. Raises UnreadableReplyError, and APIError for an error in its place."""
    try:
        content = valid_json(response.content)
        carried = any(msgspec.structs.astuple(_decode_error(content)))
    except msgspec.DecodeError as error:
        beginning = response.text[:200]
        raise UnreadableReplyError(f"the reply is not a JSON object; it begins with {beginning!r}") from error
    if carried:
        # A reply has its error beside a result or instead of it. Its type tells which.
        response.parse()
    return _Reply(response.status_code, response.request_id, msgspec.Raw(content))


def is_fatal(error: Exception) -> bool:
    """Returns whether all other requests will fail for the same reason."""
    # Imported after a failure: the rules need tenacity.
    from aiopenai.retry import quota_used_up

    if isinstance(error, AuthenticationError) or quota_used_up(error):
        return True
    return isinstance(error, APIStatusError) and _is_closed(error)


def _is_closed(error: APIStatusError) -> bool:
    """Returns whether the server names a time for the next request that is too far away to wait for it."""
    from aiopenai.retry import MAX_RETRY_AFTER

    return error.retry_after is not None and error.retry_after > MAX_RETRY_AFTER


def _may_hold_for_all(error: Exception) -> bool:
    from aiopenai.retry import never_fits

    if isinstance(error, APIStatusError):
        return error.status_code not in _OWN_STATUSES and not never_fits(error)
    return isinstance(error, (APIConnectionError, UnreadableReplyError))


def _cure(error: Exception) -> str:
    """Returns the cure of an error that ends a job."""
    if isinstance(error, APIConnectionError):
        return "; check --base-url and the network"
    if not isinstance(error, APIStatusError):
        return ""
    if error.retry_after is not None and _is_closed(error):
        return f"; the server allows the next request in {_spoken(error.retry_after)}"
    cures = {401: "check the API key", 402: "check the account's credit", 403: "check the key's permissions"}
    cures[404] = "check --model and --base-url"
    cure = cures.get(error.status_code)
    return f"; {cure}" if cure else ""


def _spoken(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:,.1f} h"
