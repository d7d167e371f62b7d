"""aiopenai.lib.beta.agents: local files of environments, with the same requests as the reference's."""

from __future__ import annotations

import asyncio
import os
import pickle
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aiopenai import AsyncOpenAI, NotFoundError, OpenAI
from aiopenai.lib.beta.agents import (
    AgentFilePreparationError,
    AgentFileStagingError,
    PreparedAgentFiles,
    StagedAgentFile,
)
from tests.lib.scripted import Scripted, scripted

FILE = {"object": "file", "bytes": 3, "created_at": 1, "filename": "a", "purpose": "user_data", "status": "processed"}
PLACED = {"type": "environment_file", "path": "/workspace/a.txt", "size_bytes": 3, "environment_id": "env_1"}
UPLOADS = "POST /files"
PLACE = "POST /agents/environments/env_1/files"


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        server.replies = {UPLOADS: [{**FILE, "id": f"file_{n}"} for n in range(1, 4)], PLACE: [PLACED]}
        yield server


@pytest.fixture(params=["async", "blocking"])
async def files(request: pytest.FixtureRequest, server: Scripted) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Calls a method of `environments.files` in one of the clients."""
    settings: dict[str, Any] = {"api_key": "k", "base_url": server.base_url, "max_retries": 0}
    if request.param == "async":
        async with AsyncOpenAI(**settings) as client:

            def call(name: str, *args: Any, **kwargs: Any) -> Awaitable[Any]:
                method: Callable[..., Awaitable[Any]] = getattr(client.beta.agents.environments.files, name)
                return method(*args, **kwargs)

            yield call
        return
    with OpenAI(**settings) as blocking:

        def call_blocking(name: str, *args: Any, **kwargs: Any) -> Awaitable[Any]:
            method: Callable[..., Any] = getattr(blocking.beta.agents.environments.files, name)
            return asyncio.to_thread(method, *args, **kwargs)

        yield call_blocking


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"aaa")
    (root / "b.csv").write_bytes(b"bbb")
    (root / "sub" / "c.txt").write_bytes(b"ccc")
    return root


Files = Callable[..., Awaitable[Any]]


async def test_prepare(files: Files, folder: Path, server: Scripted) -> None:
    chosen = {"/workspace/in/x.txt": str(folder / "a.txt"), "/workspace/c": folder / "sub" / "c.txt"}
    prepared = await files("prepare", chosen, extra_headers={"x-own": "1"})
    assert prepared == PreparedAgentFiles(
        [
            {"type": "file_id", "file_id": "file_1", "path": "/workspace/in/x.txt"},
            {"type": "file_id", "file_id": "file_2", "path": "/workspace/c"},
        ],
        ["file_1", "file_2"],
    )
    assert server.lines() == [UPLOADS] * 2
    for sent, name, content in zip(server.sent, ("a.txt", "c.txt"), ("aaa", "ccc"), strict=True):
        assert sent.headers["x-own"] == "1"
        assert all(part in str(sent.body) for part in (name, content, "user_data"))
    assert await files("prepare", {}) == PreparedAgentFiles()


async def test_prepare_directory(files: Files, folder: Path) -> None:
    prepared = await files(
        "prepare_directory", folder, destination="/workspace/data", include=["**/*.txt", "a.*", "sub"]
    )
    assert [each["path"] for each in prepared.files] == ["/workspace/data/a.txt", "/workspace/data/sub/c.txt"]


@pytest.mark.parametrize(
    "destination",
    [
        "",
        "a",
        "/workspace",
        "/workspace/",
        "/other/a",
        "/workspace/a\x00b",
        "/workspace/a\\b",
        "/workspace//a",
        "/workspace/./a",
        "/workspace/a/..",
        "/workspace/a/",
        "/workspace/.codex",
        "/workspace/.codex/a",
        "/workspace/.managed-agents/a",
        "/workspace/.managed-agents-2/a",
        "/workspace/outputs",
    ],
    ids=repr,
)
async def test_bad_destinations(files: Files, folder: Path, server: Scripted, destination: str) -> None:
    with pytest.raises(ValueError, match="destination"):
        await files("prepare", {destination: folder / "a.txt"})
    with pytest.raises(ValueError, match="destination"):
        await files("upload", "env_1", file=b"x", path=destination)
    assert server.sent == []


async def test_bad_selections(files: Files, folder: Path, server: Scripted) -> None:
    (folder / "link").symlink_to(folder / "a.txt")
    (folder / "linked").symlink_to(folder / "sub")
    os.mkfifo(folder / "pipe")
    inside = folder / "a.txt"
    with pytest.raises(ValueError, match="is below '/workspace/a'"):
        await files("prepare", {"/workspace/a": inside, "/workspace/a/b/c": inside})
    for name, words in (("link", "symlink"), ("sub", "regular"), ("pipe", "regular")):
        with pytest.raises(ValueError, match=words):
            await files("prepare", {"/workspace/ok": inside, "/workspace/bad": folder / name})
    with pytest.raises(FileNotFoundError):
        await files("prepare", {"/workspace/ok": inside, "/workspace/bad": folder / "none"})
    directory: dict[str, Any] = {"destination": "/workspace/d", "include": ["*"]}
    for include in ("*.txt", [], [""], ["/etc/*"], ["../*"], ["*.none"]):
        with pytest.raises(ValueError, match="include"):
            await files("prepare_directory", folder, destination="/workspace/d", include=include)
    for include in (["link"], ["linked/*"], ["linked"]):
        with pytest.raises(ValueError, match="symlink"):
            await files("prepare_directory", folder, destination="/workspace/d", include=include)
    for root in (folder / "linked", inside, folder / "none"):
        with pytest.raises(ValueError, match="root"):
            await files("prepare_directory", root, **directory)
    assert server.sent == []


async def test_one_key_serves_one_upload(files: Files, folder: Path, server: Scripted) -> None:
    two = {"/workspace/a": folder / "a.txt", "/workspace/b": folder / "b.csv"}
    options: list[dict[str, Any]] = [{"extra_headers": {"idempotency-KEY": "k"}}, {"idempotency_key": "k"}]
    for each in options:
        with pytest.raises(ValueError, match="idempotency key"):
            await files("prepare", two, **each)
        with pytest.raises(ValueError, match="idempotency key"):
            await files("prepare_directory", folder, destination="/workspace/d", include=["*.*"], **each)
        assert server.sent == []
        await files("prepare", {"/workspace/a": folder / "a.txt"}, **each)
        assert server.rewind()[0].headers["idempotency-key"] == "k"


async def test_a_failed_preparation_carries_the_uploads(files: Files, folder: Path, server: Scripted) -> None:
    async def refuse(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"error": {"message": "no"}}, status=404)

    server.replies[UPLOADS] = [{**FILE, "id": "file_1"}, refuse]
    with pytest.raises(AgentFilePreparationError) as caught:
        await files("prepare", {"/workspace/a": folder / "a.txt", "/workspace/b": folder / "b.csv"})
    assert caught.value.prepared.uploaded_file_ids == ["file_1"]
    assert isinstance(caught.value.__cause__, NotFoundError)
    copied = pickle.loads(pickle.dumps(caught.value))
    assert (copied.prepared, str(copied)) == (caught.value.prepared, str(caught.value))


async def test_a_changed_file_fails(files: Files, folder: Path, server: Scripted) -> None:
    async def change(request: web.Request) -> web.Response:
        await request.read()
        (folder / "b.csv").write_bytes(b"changed")
        return web.json_response({**FILE, "id": "file_1"})

    server.replies[UPLOADS] = [change]
    with pytest.raises(AgentFilePreparationError) as caught:
        await files("prepare", {"/workspace/a": folder / "a.txt", "/workspace/b": folder / "b.csv"})
    assert "has changed" in str(caught.value.__cause__)
    assert caught.value.prepared.uploaded_file_ids == ["file_1"]


async def test_a_cancelled_preparation_carries_the_uploads(folder: Path, server: Scripted) -> None:
    second, done = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        second.set()
        await done.wait()
        return web.json_response({**FILE, "id": "file_2"})

    server.replies[UPLOADS] = [{**FILE, "id": "file_1"}, wait]
    async with AsyncOpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
        chosen = {"/workspace/a": folder / "a.txt", "/workspace/b": folder / "b.csv"}
        caught: list[Any] = []

        async def run() -> None:
            try:
                await client.beta.agents.environments.files.prepare(chosen)
            except asyncio.CancelledError as error:
                caught.append(error)
                raise

        task = asyncio.create_task(run())
        await second.wait()
        task.cancel()
        await asyncio.wait([task])
        done.set()
        assert task.cancelled()
        assert caught[0].prepared.uploaded_file_ids == ["file_1"]


async def test_upload(files: Files, folder: Path, server: Scripted) -> None:
    for file in (folder / "a.txt", ("other.txt", folder / "a.txt"), ("c.txt", b"aaa", "text/plain")):
        staged = await files("upload", "env_1", file=file, path="/workspace/a.txt", idempotency_key="k")
        assert isinstance(staged, StagedAgentFile)
        assert staged.file.path == "/workspace/a.txt"
        sent = server.rewind()
        assert [each.line for each in sent] == [UPLOADS, PLACE]
        assert "aaa" in str(sent[0].body)
        assert sent[1].body == {"type": "file_id", "file_id": staged.uploaded_file_id, "path": "/workspace/a.txt"}
        assert sent[1].headers["openai-beta"] == "agents=v1"
        assert sent[1].headers.get("idempotency-key") != "k"
    with pytest.raises(ValueError, match="environment_id"):
        await files("upload", "", file=b"x", path="/workspace/a")
    (folder / "link").symlink_to(folder / "a.txt")
    with pytest.raises(ValueError, match="symlink"):
        await files("upload", "env_1", file=folder / "link", path="/workspace/a")
    assert server.sent == []


async def test_a_file_that_is_not_placed(files: Files, server: Scripted) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=404)

    server.replies[PLACE] = [refuse]
    with pytest.raises(AgentFileStagingError) as caught:
        await files("upload", "env_1", file=("a", b"x"), path="/workspace/a")
    assert caught.value.uploaded_file_id == "file_1"
    assert isinstance(caught.value.__cause__, NotFoundError)
    assert pickle.loads(pickle.dumps(caught.value)).uploaded_file_id == "file_1"
    server.replies[UPLOADS] = [refuse]
    with pytest.raises(NotFoundError):
        await files("upload", "env_1", file=("a", b"x"), path="/workspace/a")


async def test_files_are_selected_and_opened_off_the_loop(
    folder: Path, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {}
    originals = {"lstat": Path.lstat, "open": Path.open}

    def watch(name: str) -> None:
        original: Any = originals[name]

        def watched(path: Path, *args: Any, **kwargs: Any) -> Any:
            if folder in path.parents:
                threads.setdefault(name, set()).add(threading.get_ident())
            return original(path, *args, **kwargs)

        monkeypatch.setattr(Path, name, watched)

    for name in originals:
        watch(name)
    async with AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        await client.beta.agents.environments.files.prepare_directory(
            folder, destination="/workspace/d", include=["**/*"]
        )
    assert threads.keys() == originals.keys()
    assert threading.get_ident() not in set().union(*threads.values())
