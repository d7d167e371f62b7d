"""Polling of long-running operations: runs, files of vector stores and their batches, videos, files.

One loop retrieves until the state is final. Between two requests it sleeps for the `poll_interval_ms` of the caller,
else for the `openai-poll-after-ms` of the server, else for a second. Each function is a method of its first argument,
the asynchronous resource. Call options apply to all calls of a function, except `extra_body` and `idempotency_key`,
which apply to the call that creates an object.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from operator import length_hint
from typing import TYPE_CHECKING, Any

from aiopenai._base.sentinels import Omit, is_left_out, omit
from aiopenai._http.multipart import file_name
from aiopenai.lib.calls import further, note, take_options

if TYPE_CHECKING:
    from aiopenai._base.aliases import FileTypes, SequenceNotStr
    from aiopenai.types.beta.threads import Run
    from aiopenai.types.files import FileObject
    from aiopenai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch
    from aiopenai.types.videos import Video

__all__ = [
    "create_file_batch_and_poll",
    "create_run_and_poll",
    "create_thread_and_run_poll",
    "create_vector_store_file_and_poll",
    "create_video_and_poll",
    "poll_file_batch",
    "poll_run",
    "poll_vector_store_file",
    "poll_video",
    "submit_tool_outputs_and_poll",
    "upload_file_batch_and_poll",
    "upload_vector_store_file",
    "upload_vector_store_file_and_poll",
    "wait_for_processing",
]

DEFAULT_INTERVAL = 1.0
"""The seconds between two requests where neither the caller nor the server names an interval."""

# A day. A longer interval is no advice on polling.
_MAX_HINT_MS = 24 * 60 * 60 * 1000

_RUN_DONE = frozenset({"requires_action", "cancelled", "completed", "failed", "expired", "incomplete"})
_FILE_DONE = frozenset({"processed", "error", "deleted"})


class _Deadline:
    """A moment after which `error` is raised in place of the next request."""

    def __init__(self, seconds: float, error: Exception) -> None:
        self._end = time.monotonic() + seconds
        self._error = error

    def left(self) -> float:
        """Returns the seconds that are left. Raises the error when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._error
        return left


async def _until(
    done: Callable[[Any], bool],
    ask: Callable[[], Awaitable[Any]],
    *,
    interval: float | None = None,
    deadline: _Deadline | None = None,
) -> Any:
    """Calls `ask` for an `APIResponse` until its value is done. `interval` is in seconds."""
    pause = DEFAULT_INTERVAL if interval is None else interval
    while True:
        reply = await ask()
        value = reply.parse()
        if done(value):
            return value
        if interval is None:
            pause = _hint(reply.headers.get("openai-poll-after-ms"), pause)
        if deadline is None:
            await asyncio.sleep(pause)
        else:
            await asyncio.sleep(min(pause, deadline.left()))
            deadline.left()


def _hint(header: str | None, otherwise: float) -> float:
    """Returns the seconds in the header of the server, or `otherwise` for an invalid header."""
    try:
        milliseconds = float(header or "")
    except ValueError:
        return otherwise
    return milliseconds / 1000 if 0 <= milliseconds <= _MAX_HINT_MS else otherwise


async def _poll(
    resource: Any,
    done: Callable[[Any], bool],
    poll_interval_ms: int | Omit,
    options: dict[str, Any],
    deadline: _Deadline | None = None,
    **which: str,
) -> Any:
    """Retrieves from the resource until done, with the poll headers of the reference."""
    options = further(options)
    headers: dict[str, Any] = {"X-Stainless-Poll-Helper": "true", **(options.get("extra_headers") or {})}
    interval: float | None = None
    if not isinstance(poll_interval_ms, Omit) and not is_left_out(poll_interval_ms):
        headers["X-Stainless-Custom-Poll-Interval"] = str(poll_interval_ms)
        interval = poll_interval_ms / 1000
    options["extra_headers"] = headers
    retrieve = resource.with_raw_response.retrieve
    return await _until(done, lambda: retrieve(**which, **options), interval=interval, deadline=deadline)


# Runs


def _run_is_done(run: Run) -> bool:
    # An unknown status of a run is not final, as in the reference. For other resources it is.
    return run.status in _RUN_DONE


async def poll_run(
    resource: Any, /, *, run_id: str, thread_id: str, poll_interval_ms: int | Omit = omit, **options: Any
) -> Run:
    """`beta.threads.runs.poll`: waits until a run has ended or requires an action."""
    run: Run = await _poll(resource, _run_is_done, poll_interval_ms, options, run_id=run_id, thread_id=thread_id)
    return run


async def create_run_and_poll(
    resource: Any, /, *, thread_id: str, poll_interval_ms: int | Omit = omit, **arguments: Any
) -> Run:
    """`beta.threads.runs.create_and_poll`: starts a run and waits for it."""
    options = take_options(arguments)
    run: Run = await resource.create(thread_id=thread_id, stream=False, **arguments, **options)
    return await poll_run(resource, run_id=run.id, thread_id=thread_id, poll_interval_ms=poll_interval_ms, **options)


async def submit_tool_outputs_and_poll(
    resource: Any, /, *, run_id: str, thread_id: str, poll_interval_ms: int | Omit = omit, **arguments: Any
) -> Run:
    """`beta.threads.runs.submit_tool_outputs_and_poll`: submits outputs to a run and waits for it."""
    options = take_options(arguments)
    run: Run = await resource.submit_tool_outputs(
        run_id=run_id, thread_id=thread_id, stream=False, **arguments, **options
    )
    return await poll_run(resource, run_id=run.id, thread_id=thread_id, poll_interval_ms=poll_interval_ms, **options)


async def create_thread_and_run_poll(resource: Any, /, *, poll_interval_ms: int | Omit = omit, **arguments: Any) -> Run:
    """`beta.threads.create_and_run_poll`: creates a thread with a run, and waits for the run."""
    options = take_options(arguments)
    run: Run = await resource.create_and_run(stream=False, **arguments, **options)
    return await poll_run(
        resource.runs, run_id=run.id, thread_id=run.thread_id, poll_interval_ms=poll_interval_ms, **options
    )


# Files of vector stores


def _is_processed(file: VectorStoreFile) -> bool:
    return file.status != "in_progress"


def _checked_wait(seconds: float | Omit) -> float | None:
    """Returns a valid time limit, or None. Raises ValueError before the first request, so that nothing is half done."""
    if isinstance(seconds, Omit) or is_left_out(seconds):
        return None
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"max_wait_seconds must be a finite, non-negative number, not {seconds!r}")
    return seconds


async def poll_vector_store_file(
    resource: Any,
    /,
    *,
    file_id: str,
    vector_store_id: str,
    poll_interval_ms: int | Omit = omit,
    max_wait_seconds: float | Omit = omit,
    **options: Any,
) -> VectorStoreFile:
    """`vector_stores.files.poll`: waits until a file is processed, or has failed (see its `last_error`).

    Raises TimeoutError `max_wait_seconds` after the start, for 0 at once. A request on its way is not cancelled.
    """
    wait = _checked_wait(max_wait_seconds)
    deadline: _Deadline | None = None
    if wait is not None:
        late = TimeoutError(f"The vector store file {file_id!r} was not processed within {wait} seconds.")
        deadline = _Deadline(wait, late)
        deadline.left()
    file: VectorStoreFile = await _poll(
        resource,
        _is_processed,
        poll_interval_ms,
        options,
        deadline,
        file_id=file_id,
        vector_store_id=vector_store_id,
    )
    return file


async def create_vector_store_file_and_poll(
    resource: Any,
    /,
    *,
    file_id: str,
    vector_store_id: str,
    poll_interval_ms: int | Omit = omit,
    max_wait_seconds: float | Omit = omit,
    **arguments: Any,
) -> VectorStoreFile:
    """`vector_stores.files.create_and_poll`: attaches a file to a store and waits until it is processed."""
    _checked_wait(max_wait_seconds)
    options = take_options(arguments)
    await resource.create(vector_store_id=vector_store_id, file_id=file_id, **arguments, **options)
    return await poll_vector_store_file(
        resource,
        file_id=file_id,
        vector_store_id=vector_store_id,
        poll_interval_ms=poll_interval_ms,
        max_wait_seconds=max_wait_seconds,
        **options,
    )


async def upload_vector_store_file(
    resource: Any, /, *, vector_store_id: str, file: FileTypes, **arguments: Any
) -> VectorStoreFile:
    """`vector_stores.files.upload`: uploads a file and attaches it to a store, without waiting for its processing."""
    options = take_options(arguments)
    file_id = await _upload(resource, file, options)
    attached: VectorStoreFile = await resource.create(
        vector_store_id=vector_store_id, file_id=file_id, **arguments, **options
    )
    return attached


async def upload_vector_store_file_and_poll(
    resource: Any,
    /,
    *,
    vector_store_id: str,
    file: FileTypes,
    max_wait_seconds: float | Omit = omit,
    **arguments: Any,
) -> VectorStoreFile:
    """`vector_stores.files.upload_and_poll`: uploads a file, attaches it and waits until it is processed."""
    _checked_wait(max_wait_seconds)
    options = take_options(arguments)
    file_id = await _upload(resource, file, options)
    return await create_vector_store_file_and_poll(
        resource,
        file_id=file_id,
        vector_store_id=vector_store_id,
        max_wait_seconds=max_wait_seconds,
        **arguments,
        **options,
    )


async def _upload(resource: Any, file: FileTypes, options: dict[str, Any]) -> str:
    uploaded: FileObject = await resource._client.resources.files.create(
        file=file, purpose="assistants", **further(options)
    )
    return uploaded.id


# Batches of files


def _batch_is_done(batch: VectorStoreFileBatch) -> bool:
    # The counts decide, as in the reference. The status decides for servers without counts.
    pending: object = getattr(batch.file_counts, "in_progress", None)
    return pending <= 0 if isinstance(pending, int) else batch.status != "in_progress"


async def poll_file_batch(
    resource: Any, /, *, batch_id: str, vector_store_id: str, poll_interval_ms: int | Omit = omit, **options: Any
) -> VectorStoreFileBatch:
    """`vector_stores.file_batches.poll`: waits until no file is in progress. `file_counts` has the results."""
    batch: VectorStoreFileBatch = await _poll(
        resource, _batch_is_done, poll_interval_ms, options, batch_id=batch_id, vector_store_id=vector_store_id
    )
    return batch


async def create_file_batch_and_poll(
    resource: Any, /, *, vector_store_id: str, poll_interval_ms: int | Omit = omit, **arguments: Any
) -> VectorStoreFileBatch:
    """`vector_stores.file_batches.create_and_poll`: attaches files to a store and waits until all are processed."""
    options = take_options(arguments)
    batch: VectorStoreFileBatch = await resource.create(vector_store_id=vector_store_id, **arguments, **options)
    return await poll_file_batch(
        resource, batch_id=batch.id, vector_store_id=vector_store_id, poll_interval_ms=poll_interval_ms, **options
    )


async def upload_file_batch_and_poll(
    resource: Any,
    /,
    *,
    vector_store_id: str,
    files: Iterable[FileTypes],
    max_concurrency: int = 5,
    file_ids: SequenceNotStr[str] = (),
    **arguments: Any,
) -> VectorStoreFileBatch:
    """`vector_stores.file_batches.upload_and_poll`: uploads files, attaches them and `file_ids`, and waits for all.

    `files` may be a generator. At most `max_concurrency` files are taken from it and uploaded at a time. The first
    failure cancels the other uploads, and a note of its error names the file. The batch has `file_ids` first, and then
    the files in their order. Raises ValueError for a `max_concurrency` below 1.
    """
    if max_concurrency < 1:
        raise ValueError(f"max_concurrency must be at least 1, not {max_concurrency}")
    options = take_options(arguments)
    uploaded = await _upload_all(resource, files, max_concurrency, options)
    return await create_file_batch_and_poll(
        resource, vector_store_id=vector_store_id, file_ids=[*file_ids, *uploaded], **arguments, **options
    )


async def _upload_all(
    resource: Any, files: Iterable[FileTypes], max_concurrency: int, options: dict[str, Any]
) -> list[str]:
    numbered = enumerate(files)
    uploaded: dict[int, str] = {}

    async def work() -> None:
        # All workers share one iterator, which they advance without awaiting, so each file has one worker.
        for number, file in numbered:
            try:
                uploaded[number] = await _upload(resource, file, options)
            except Exception as error:
                note(error, f"It was files[{number}]{_described(file)} that could not be uploaded.")
                raise

    # There are no more workers than files, where the number of files is known.
    count = min(max_concurrency, max(1, length_hint(files, max_concurrency)))
    workers = [asyncio.ensure_future(work()) for _ in range(count)]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    return [uploaded[number] for number in sorted(uploaded)]


def _described(file: FileTypes) -> str:
    """Returns the name of a file in brackets, where it has one: never its content."""
    name: object = file[0] if isinstance(file, tuple) else file_name(file)
    return f" ({name!r})" if isinstance(name, str) and name else ""


# Videos


def _video_is_done(video: Video) -> bool:
    return video.status not in ("queued", "in_progress")


async def poll_video(resource: Any, /, *, video_id: str, poll_interval_ms: int | Omit = omit, **options: Any) -> Video:
    """`videos.poll`: waits until a video is completed, or has failed (see its `error`)."""
    video: Video = await _poll(resource, _video_is_done, poll_interval_ms, options, video_id=video_id)
    return video


async def create_video_and_poll(resource: Any, /, *, poll_interval_ms: int | Omit = omit, **arguments: Any) -> Video:
    """`videos.create_and_poll`: creates a video and waits for it."""
    options = take_options(arguments)
    video: Video = await resource.create(**arguments, **options)
    return await poll_video(resource, video_id=video.id, poll_interval_ms=poll_interval_ms, **options)


# Files


def _file_is_done(file: FileObject) -> bool:
    return file.status in _FILE_DONE


async def wait_for_processing(
    resource: Any, /, *, id: str, poll_interval: float = 5.0, max_wait_seconds: float = 30 * 60, **options: Any
) -> FileObject:
    """`files.wait_for_processing`: waits until an uploaded file is processed, or has failed.

    `poll_interval` is in seconds. Raises RuntimeError after `max_wait_seconds`, as the reference does.
    """
    late = RuntimeError(f"The file {id} was not processed within {max_wait_seconds} seconds.")
    retrieve = resource.with_raw_response.retrieve
    file: FileObject = await _until(
        _file_is_done,
        lambda: retrieve(file_id=id, **options),
        interval=poll_interval,
        deadline=_Deadline(max_wait_seconds, late),
    )
    return file
