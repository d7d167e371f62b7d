"""aiopenai.lib.polling: what is asked and when it ends, beside the reference; limits, uploads, strange servers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aiopenai import AsyncOpenAI, InternalServerError, OpenAI
from aiopenai.lib import polling
from tests.lib.scripted import Reply, Scripted, reference, scripted

RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "assistant_id": "asst_1", "status": "queued"}
FILE = {"id": "file-1", "object": "vector_store.file", "vector_store_id": "vs_1", "status": "in_progress"}
BATCH = {"id": "vsfb_1", "object": "vector_store.files_batch", "vector_store_id": "vs_1", "status": "in_progress"}
VIDEO = {"id": "video_1", "object": "video", "status": "queued"}
UPLOADED = {"id": "file-1", "object": "file", "status": "uploaded", "filename": "a", "purpose": "assistants"}
NOW = {"openai-poll-after-ms": "1"}


def states(reply: dict[str, Any], *statuses: str) -> list[Reply]:
    return [{**reply, "status": status, "_headers": NOW} for status in statuses]


def counts(*pending: int) -> list[Reply]:
    return [{**BATCH, "file_counts": {"in_progress": each, "total": 2}, "_headers": NOW} for each in pending]


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        yield server


@pytest.fixture
async def client(server: Scripted) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-test", base_url=server.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that polling wants to sleep, which it need not do."""
    wanted: list[float] = []
    sleep = asyncio.sleep

    async def nap(seconds: float) -> None:
        wanted.append(seconds)
        await sleep(0)

    monkeypatch.setattr("aiopenai.lib.polling.asyncio.sleep", nap)
    return wanted


Helper = Callable[..., Awaitable[Any]]
RUNS = "/threads/thread_1/runs"
FILES = "/vector_stores/vs_1/files"
BATCHES = "/vector_stores/vs_1/file_batches"
# Per case: the helper, its resource, the reference's method, the arguments, and the replies.
CASES: dict[str, tuple[Helper, str, str, dict[str, Any], dict[str, list[Reply]]]] = {
    "run": (
        polling.poll_run,
        "beta.threads.runs",
        "poll",
        {"run_id": "run_1", "thread_id": "thread_1", "extra_headers": {"X-Own": "1"}, "extra_query": {"a": "b"}},
        {f"GET {RUNS}/run_1": states(RUN, "queued", "in_progress", "cancelling", "unheard_of", "requires_action")},
    ),
    "run, created": (
        polling.create_run_and_poll,
        "beta.threads.runs",
        "create_and_poll",
        {
            "thread_id": "thread_1",
            "assistant_id": "asst_1",
            "include": ["step_details.tool_calls[*].file_search.results[*].content"],
            "metadata": {"a": "b"},
            "poll_interval_ms": 2,
            "extra_headers": {"X-Own": "1"},
            "timeout": 30,
        },
        {f"POST {RUNS}": [RUN], f"GET {RUNS}/run_1": states(RUN, "in_progress", "incomplete")},
    ),
    "run, with tool outputs": (
        polling.submit_tool_outputs_and_poll,
        "beta.threads.runs",
        "submit_tool_outputs_and_poll",
        {
            "run_id": "run_1",
            "thread_id": "thread_1",
            "tool_outputs": [{"tool_call_id": "call_1", "output": "4"}],
        },
        {
            f"POST {RUNS}/run_1/submit_tool_outputs": [RUN],
            f"GET {RUNS}/run_1": states(RUN, "in_progress", "completed"),
        },
    ),
    "run, with its thread": (
        polling.create_thread_and_run_poll,
        "beta.threads",
        "create_and_run_poll",
        {
            "assistant_id": "asst_1",
            "thread": {"messages": [{"role": "user", "content": "hi"}]},
            "extra_headers": {"X-Own": "1"},
        },
        {"POST /threads/runs": [RUN], f"GET {RUNS}/run_1": states(RUN, "in_progress", "expired")},
    ),
    "vector store file": (
        polling.poll_vector_store_file,
        "vector_stores.files",
        "poll",
        {"file_id": "file-1", "vector_store_id": "vs_1", "max_wait_seconds": 30},
        {f"GET {FILES}/file-1": states(FILE, "in_progress", "in_progress", "failed")},
    ),
    "vector store file, of an unknown status": (
        polling.poll_vector_store_file,
        "vector_stores.files",
        "poll",
        {"file_id": "file-1", "vector_store_id": "vs_1"},
        {f"GET {FILES}/file-1": states(FILE, "unheard_of")},
    ),
    "vector store file, created": (
        polling.create_vector_store_file_and_poll,
        "vector_stores.files",
        "create_and_poll",
        {"file_id": "file-1", "vector_store_id": "vs_1", "attributes": {"a": 1.5}, "poll_interval_ms": 1},
        {f"POST {FILES}": [FILE], f"GET {FILES}/file-1": states(FILE, "in_progress", "completed")},
    ),
    "vector store file, uploaded": (
        polling.upload_vector_store_file,
        "vector_stores.files",
        "upload",
        {"vector_store_id": "vs_1", "file": ("a.txt", b"content"), "chunking_strategy": {"type": "auto"}},
        {"POST /files": [UPLOADED], f"POST {FILES}": [FILE]},
    ),
    "vector store file, uploaded and waited for": (
        polling.upload_vector_store_file_and_poll,
        "vector_stores.files",
        "upload_and_poll",
        {"vector_store_id": "vs_1", "file": ("a.txt", b"content"), "attributes": {"a": True}, "max_wait_seconds": 9},
        {
            "POST /files": [UPLOADED],
            f"POST {FILES}": [FILE],
            f"GET {FILES}/file-1": states(FILE, "in_progress", "cancelled"),
        },
    ),
    "batch": (
        polling.poll_file_batch,
        "vector_stores.file_batches",
        "poll",
        {"batch_id": "vsfb_1", "vector_store_id": "vs_1"},
        {f"GET {BATCHES}/vsfb_1": counts(2, 1, 0)},
    ),
    "batch, created": (
        polling.create_file_batch_and_poll,
        "vector_stores.file_batches",
        "create_and_poll",
        {"vector_store_id": "vs_1", "file_ids": ["file-1", "file-2"], "poll_interval_ms": 1},
        {f"POST {BATCHES}": [BATCH], f"GET {BATCHES}/vsfb_1": counts(1, 0)},
    ),
    "batch, uploaded": (
        polling.upload_file_batch_and_poll,
        "vector_stores.file_batches",
        "upload_and_poll",
        {
            "vector_store_id": "vs_1",
            # One at a time, or else the reference has them in the order of their ends.
            "max_concurrency": 1,
            "files": [("a.txt", b"first"), ("b.txt", b"second")],
            "file_ids": ["file-0"],
            "chunking_strategy": {"type": "auto"},
        },
        {
            "POST /files": [UPLOADED, {**UPLOADED, "id": "file-2"}],
            f"POST {BATCHES}": [BATCH],
            f"GET {BATCHES}/vsfb_1": counts(2, 0),
        },
    ),
    "video": (
        polling.poll_video,
        "videos",
        "poll",
        {"video_id": "video_1"},
        {"GET /videos/video_1": states(VIDEO, "queued", "in_progress", "failed")},
    ),
    "video, created": (
        polling.create_video_and_poll,
        "videos",
        "create_and_poll",
        {"prompt": "a cat", "model": "sora-2", "seconds": "4", "poll_interval_ms": 3},
        {"POST /videos": [VIDEO], "GET /videos/video_1": states(VIDEO, "in_progress", "completed")},
    ),
    "file": (
        polling.wait_for_processing,
        "files",
        "wait_for_processing",
        {"id": "file-1", "poll_interval": 0.001},
        {"GET /files/file-1": states(UPLOADED, "uploaded", "uploaded", "processed")},
    ),
}


def below(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", CASES)
async def test_everything_asked_and_answered_is_as_with_the_reference(
    case: str, server: Scripted, client: AsyncOpenAI
) -> None:
    helper, path, method, arguments, server.replies = CASES[case]
    async with reference(server) as other:
        expected = await getattr(below(other, path), method)(**arguments)
    sent = server.rewind()
    with OpenAI(api_key="sk-test", base_url=server.base_url) as blocking:
        for call in (
            partial(helper, below(client, path)),
            getattr(below(client, path), method),
            partial(asyncio.to_thread, getattr(below(blocking, path), method)),
        ):
            answer = await call(**arguments)
            assert server.rewind() == sent
            assert answer.to_dict() == expected.to_dict()
            assert type(answer).__name__ == type(expected).__name__


async def test_the_pause_is_the_callers_else_the_servers_else_a_second(
    server: Scripted, client: AsyncOpenAI, naps: list[float]
) -> None:
    hints = [None, "1500", "soon", None, "-1", "nan", "1e300", "0", "2.5"]
    server.replies["GET /videos/video_1"] = [
        *({**VIDEO, "_headers": {"openai-poll-after-ms": hint} if hint else {}} for hint in hints),
        {**VIDEO, "status": "completed"},
    ]
    await polling.poll_video(client.videos, video_id="video_1")
    assert naps == [1.0, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 0.0, 0.0025]
    assert all("x-stainless-custom-poll-interval" not in sent.headers for sent in server.rewind())

    naps.clear()
    await polling.poll_video(client.videos, video_id="video_1", poll_interval_ms=70)
    assert naps == [0.07] * len(hints)
    assert {sent.headers["x-stainless-custom-poll-interval"] for sent in server.sent} == {"70"}
    assert {sent.headers["x-stainless-poll-helper"] for sent in server.sent} == {"true"}


async def test_options_go_to_all_calls_but_those_of_one_request(server: Scripted, client: AsyncOpenAI) -> None:
    server.replies = {
        "POST /files": [UPLOADED],
        f"POST {FILES}": [FILE],
        f"GET {FILES}/file-1": states(FILE, "completed"),
    }
    await polling.upload_vector_store_file_and_poll(
        client.vector_stores.files,
        vector_store_id="vs_1",
        file=b"content",
        extra_headers={"X-Own": "1"},
        extra_query={"a": "b"},
        extra_body={"more": True},
        timeout=7,
        idempotency_key="once",
    )
    upload, create, poll = server.sent
    for sent in server.sent:
        assert sent.headers["x-own"] == "1"
        assert sent.headers["x-stainless-read-timeout"] == "7.0"
        assert sent.line.endswith("?a=b")
    assert create.headers["idempotency-key"] == "once"
    assert create.body == {"file_id": "file-1", "more": True}
    assert "idempotency-key" not in upload.headers
    assert "idempotency-key" not in poll.headers
    assert b"more" not in upload.body


# Limits


async def test_a_vector_store_file_that_takes_too_long(
    server: Scripted, client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies = {f"GET {FILES}/file-1": [FILE], f"POST {FILES}": [FILE], "POST /files": [UPLOADED]}
    now = 1_000.0
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        nonlocal now
        now += seconds
        naps.append(seconds)

    monkeypatch.setattr("aiopenai.lib.polling.asyncio.sleep", nap)
    monkeypatch.setattr("aiopenai.lib.polling.time.monotonic", lambda: now)
    files = client.vector_stores.files
    with pytest.raises(TimeoutError, match="file-1"):
        await polling.poll_vector_store_file(files, file_id="file-1", vector_store_id="vs_1", max_wait_seconds=2.5)
    assert naps == [1.0, 1.0, 0.5]
    assert len(server.rewind()) == 3

    with pytest.raises(TimeoutError):
        await polling.create_vector_store_file_and_poll(
            files, file_id="file-1", vector_store_id="vs_1", max_wait_seconds=0
        )
    assert server.lines() == [f"POST {FILES}"]


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
async def test_limits_that_cannot_be_kept_are_refused_before_anything_is_sent(
    seconds: float, server: Scripted, client: AsyncOpenAI
) -> None:
    files = client.vector_stores.files
    for helper, arguments in (
        (polling.poll_vector_store_file, {"file_id": "file-1"}),
        (polling.create_vector_store_file_and_poll, {"file_id": "file-1"}),
        (polling.upload_vector_store_file_and_poll, {"file": b""}),
    ):
        with pytest.raises(ValueError, match="max_wait_seconds"):
            await helper(files, vector_store_id="vs_1", max_wait_seconds=seconds, **arguments)  # type: ignore[operator]
    assert server.sent == []


async def test_a_file_that_takes_too_long(server: Scripted, client: AsyncOpenAI, naps: list[float]) -> None:
    server.replies["GET /files/file-1"] = [UPLOADED]
    with pytest.raises(RuntimeError, match="file-1"):
        await polling.wait_for_processing(client.files, id="file-1", poll_interval=0, max_wait_seconds=0.01)
    server.replies["GET /files/file-1"] = states(UPLOADED, "error")
    file = await polling.wait_for_processing(client.files, id="file-1", max_wait_seconds=0)
    assert file.status == "error"


async def test_cancelling_ends_the_wait(server: Scripted, client: AsyncOpenAI) -> None:
    asked = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        asked.set()
        return web.json_response(VIDEO)

    server.replies["GET /videos/video_1"] = [answer]
    task = asyncio.ensure_future(polling.poll_video(client.videos, video_id="video_1", poll_interval_ms=60_000))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "reply", [{}, {"file_counts": None}, {"file_counts": {"in_progress": "2"}}, {"file_counts": 3}]
)
async def test_a_batch_without_counts_has_its_status(
    reply: dict[str, Any], server: Scripted, client: AsyncOpenAI
) -> None:
    server.replies[f"GET {BATCHES}/vsfb_1"] = [
        {**reply, "status": "in_progress", "_headers": NOW},
        {**reply, "status": "completed"},
    ]
    batch = await polling.poll_file_batch(client.vector_stores.file_batches, batch_id="vsfb_1", vector_store_id="vs_1")
    assert batch.status == "completed"
    assert len(server.sent) == 2


# Uploads


async def test_uploads_are_bounded_and_keep_their_order(server: Scripted, client: AsyncOpenAI) -> None:
    running = most = number = 0
    full = asyncio.Event()

    async def upload(request: web.Request) -> web.Response:
        nonlocal running, most, number
        mine, number = number, number + 1
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await full.wait()
        text = (await request.read()).partition(b"\r\n\r\n")[2]
        # Those that began first end last.
        for _ in range(30 - 10 * (mine % 3)):
            await asyncio.sleep(0)
        running -= 1
        name = next(line for line in text.decode().split("\r\n") if line.startswith("content "))
        return web.json_response({**UPLOADED, "id": f"file-{name.removeprefix('content ')}"})

    server.replies = {
        "POST /files": [upload],
        f"POST {BATCHES}": [BATCH],
        f"GET {BATCHES}/vsfb_1": counts(0),
    }
    taken = 0

    def files() -> Any:
        nonlocal taken
        for each in range(9):
            taken += 1
            # A generator's files exist when they are asked for, no sooner.
            assert taken - 3 <= number
            yield f"content {each}".encode()

    await polling.upload_file_batch_and_poll(
        client.vector_stores.file_batches, vector_store_id="vs_1", files=files(), max_concurrency=3, file_ids=["own"]
    )
    assert most == 3
    assert server.sent[-2].body == {"file_ids": ["own", *(f"file-{each}" for each in range(9))]}


async def test_a_failed_upload_ends_the_others_and_says_which(
    server: Scripted, client: AsyncOpenAI, tmp_path: Path, until: Callable[..., Awaitable[None]]
) -> None:
    started = asyncio.Event()
    ended = 0

    async def wait_for_ever(request: web.Request) -> web.Response:
        nonlocal ended
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1
        raise AssertionError

    async def fail(request: web.Request) -> web.Response:
        await request.read()
        await started.wait()
        return web.json_response({"error": {"message": "out of order"}}, status=500)

    server.replies["POST /files"] = [fail, wait_for_ever]
    path = tmp_path / "report.pdf"
    path.write_bytes(b"content")
    with pytest.raises(InternalServerError, match="out of order") as caught:
        await polling.upload_file_batch_and_poll(
            client.vector_stores.file_batches,
            vector_store_id="vs_1",
            files=[path, b"secret", b"3rd"],
            max_concurrency=2,
        )
    (text,) = caught.value.__notes__
    assert text.startswith(("It was files[0] ('report.pdf') that", "It was files[1] that"))
    assert "secret" not in text
    assert server.lines() == ["POST /files"] * 2
    await until(lambda: ended)


async def test_which_file_failed_is_said_without_its_content(server: Scripted, client: AsyncOpenAI) -> None:
    named = io.BytesIO(b"secret")
    named.name = "named.txt"  # type: ignore[attr-defined]
    for file, shown in ((("tuple.txt", b"secret"), " ('tuple.txt')"), (named, " ('named.txt')"), (b"secret", "")):
        server.replies["POST /files"] = [web.json_response({"error": {"message": "no"}}, status=500)]
        with pytest.raises(InternalServerError) as caught:
            await polling.upload_file_batch_and_poll(
                client.vector_stores.file_batches, vector_store_id="vs_1", files=[file]
            )
        assert caught.value.__notes__ == [f"It was files[0]{shown} that could not be uploaded."]


async def test_concurrency_below_one_is_refused(server: Scripted, client: AsyncOpenAI) -> None:
    with pytest.raises(ValueError, match="max_concurrency"):
        await polling.upload_file_batch_and_poll(
            client.vector_stores.file_batches, vector_store_id="vs_1", files=[b""], max_concurrency=0
        )


async def test_without_files_there_is_nothing_to_upload(server: Scripted, client: AsyncOpenAI) -> None:
    server.replies = {f"POST {BATCHES}": [BATCH], f"GET {BATCHES}/vsfb_1": counts(0)}
    await polling.upload_file_batch_and_poll(
        client.vector_stores.file_batches, vector_store_id="vs_1", files=[], file_ids=["file-1"]
    )
    assert server.sent[0].body == {"file_ids": ["file-1"]}
