"""Deprecated methods: each warns once per call, at the caller's line, in both clients and all views."""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import aiopenai
from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.testing import Server
from tests.parity.surface import methods, resolve

THREADS = """
    create retrieve update delete create_and_run create_and_run_poll create_and_run_stream
    messages.create messages.retrieve messages.update messages.list messages.delete
    runs.create runs.retrieve runs.update runs.list runs.cancel runs.submit_tool_outputs runs.create_and_poll
    runs.create_and_stream runs.poll runs.stream runs.submit_tool_outputs_and_poll runs.submit_tool_outputs_stream
    runs.steps.retrieve runs.steps.list
"""
VIDEOS = """
    create retrieve list delete remix edit extend create_character get_character download_content create_and_poll poll
"""
# Each deprecated method, with a part of its warning.
DEPRECATED = {
    "audio.translations.create": "deprecated",
    "images.create_variation": "deprecated",
    **{f"beta.assistants.{name}": "deprecated" for name in ("create", "retrieve", "update", "list", "delete")},
    **{f"beta.threads.{name}": "in favor of the Responses API" for name in THREADS.split()},
    "files.retrieve_content": "`files.content()`",
    "fine_tuning.checkpoints.permissions.retrieve": "`fine_tuning.checkpoints.permissions.list()`",
    **{f"videos.{name}": "24 September 2026" for name in VIDEOS.split()},
}
VIEWS = ("with_raw_response", "with_streaming_response", "as_request")

Caught = list[warnings.WarningMessage]


def split(name: str) -> tuple[str, str]:
    path, _, method = name.rpartition(".")
    return path, method


def unknown_argument(call: Callable[..., Any]) -> Caught:
    """The warnings of a call that is refused before anything is sent."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(TypeError, match="no_such_argument"):
            run(call(no_such_argument=1), caught)
    return caught


def run(coroutine: Any, caught: Caught) -> None:
    """Runs a coroutine, which refuses the argument; its function warned when it was called."""
    assert inspect.iscoroutine(coroutine)
    assert len(caught) == 1
    coroutine.send(None)


def check(caught: Caught, text: str) -> None:
    (warning,) = caught
    assert warning.category is DeprecationWarning
    assert warning.filename == __file__
    assert text in str(warning.message)


@pytest.fixture(params=[AsyncOpenAI, OpenAI], ids=["async", "blocking"])
def either(request: pytest.FixtureRequest) -> Any:
    # Nothing is sent, so no connection is there to close.
    return request.param(api_key="k", base_url="http://127.0.0.1:1")


@pytest.fixture
def own_server() -> Iterator[Server]:
    with Server(poll_after_ms=1) as server:
        yield server


@pytest.fixture
def blocking(own_server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="k", base_url=own_server.base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def caught() -> Iterator[Caught]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeprecationWarning)
        yield caught


def test_the_count() -> None:
    assert len(DEPRECATED) == 47


def test_each_method_warns_if_it_is_deprecated(either: Any) -> None:
    names = [method.name for method in methods(type(either))]
    assert DEPRECATED.keys() <= {*names}
    for name in names:
        method = resolve(either, name)
        text = getattr(method, "__deprecated__", None)
        assert (text is None) == (name not in DEPRECATED), name
        if text is not None:
            check(unknown_argument(method), DEPRECATED[name])
            check(unknown_argument(method), text)


@pytest.mark.parametrize("view", VIEWS)
def test_each_method_of_the_views_warns(either: Any, view: str) -> None:
    found = 0
    for name, text in DEPRECATED.items():
        path, method = split(name)
        call = getattr(getattr(resolve(either, path), view), method, None)
        if call is None:
            continue
        found += 1
        check(unknown_argument(call), text)
    assert found == 37


def test_requests_made_from_a_method_warn(either: Any) -> None:
    check(unknown_argument(either.videos.create.request), DEPRECATED["videos.create"])


def test_signatures_and_names_are_the_methods(either: Any) -> None:
    create = either.videos.create
    assert list(inspect.signature(create).parameters)[:2] == ["prompt", "input_reference"]
    assert create.__name__ == "create"
    assert create.__qualname__ == f"{type(either.videos).__name__}.create"
    assert "`POST /videos`" in create.__doc__


def test_the_warning_is_an_error_where_the_program_says_so(either: Any) -> None:
    with pytest.raises(DeprecationWarning, match="Sora"):
        either.videos.retrieve("video_1")


class TestOncePerCall:
    async def test_async(self, client: AsyncOpenAI, caught: Caught) -> None:
        call = client.videos.create(prompt="x")
        # At the call, not at the await.
        check(caught, "Sora")
        video = await call
        await client.videos.with_raw_response.retrieve(video.id)
        async with client.videos.with_streaming_response.retrieve(video.id) as reply:
            await reply.read()
        assert len(caught) == 3
        assert [each.id async for each in client.videos.list(limit=1)] == [video.id]
        await client.send(client.videos.as_request.retrieve(video.id))
        await client.send(client.videos.retrieve.request(video.id))
        assert len(caught) == 6
        assert {each.filename for each in caught} == {__file__}

    def test_blocking(self, blocking: OpenAI, caught: Caught) -> None:
        video = blocking.videos.create(prompt="x")
        check(caught, "Sora")
        blocking.videos.with_raw_response.retrieve(video.id)
        with blocking.videos.with_streaming_response.retrieve(video.id) as reply:
            reply.read()
        assert [each.id for each in blocking.videos.list(limit=1)] == [video.id]
        assert len(caught) == 4
        assert {each.filename for each in caught} == {__file__}

    async def test_helpers_async(self, own_server: Server, caught: Caught) -> None:
        async with AsyncOpenAI(api_key="k", base_url=own_server.base_url, max_retries=0) as client:
            await client.videos.create_and_poll(prompt="x")
            check(caught, "Sora")
            assistant = await client.beta.assistants.create(model="gpt-4o")
            thread = await client.beta.threads.create()
            caught.clear()
            runs = client.beta.threads.runs
            await runs.create_and_poll(assistant_id=assistant.id, thread_id=thread.id)
            check(caught, "Responses API")
            caught.clear()
            async with runs.stream(assistant_id=assistant.id, thread_id=thread.id) as stream:
                await stream.until_done()
            check(caught, "Responses API")

    def test_helpers_blocking(self, blocking: OpenAI, caught: Caught) -> None:
        blocking.videos.create_and_poll(prompt="x")
        check(caught, "Sora")
        assistant = blocking.beta.assistants.create(model="gpt-4o")
        caught.clear()
        run = blocking.beta.threads.create_and_run_poll(assistant_id=assistant.id)
        check(caught, "Responses API")
        caught.clear()
        with blocking.beta.threads.runs.stream(assistant_id=assistant.id, thread_id=run.thread_id) as stream:
            stream.until_done()
        check(caught, "Responses API")

    async def test_a_replaced_method(
        self, client: AsyncOpenAI, caught: Caught, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[str] = []

        async def retrieve(resource: Any, video_id: str, **options: Any) -> Any:
            seen.append(video_id)
            return None

        monkeypatch.setattr(type(client.videos), "retrieve", retrieve)
        await client.videos.with_raw_response.retrieve("video_1")
        assert seen == ["video_1"]
        check(caught, "Sora")


def test_the_stubs_say_the_same() -> None:
    """The text of each mark in the stubs is the text of the warning."""
    root = Path(aiopenai.__file__).parent / "resources"
    client = AsyncOpenAI(api_key="k")
    stubs = {
        name: root / f"{module}.pyi"
        for name, module in (("videos", "videos"), ("beta.threads.runs", "beta/threads/__init__"), ("files", "files"))
    }
    for path, stub in stubs.items():
        resource = resolve(client, path)
        tree = ast.parse(stub.read_text())
        (owner,) = (
            node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == type(resource).__name__
        )
        marked = {
            node.name: ast.literal_eval(mark.args[0])
            for node in owner.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for mark in node.decorator_list
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "deprecated"
        }
        assert marked
        assert marked == {name: getattr(resource, name).__deprecated__ for name in marked}
        assert {f"{path}.{name}" for name in marked} == {name for name in DEPRECATED if split(name)[0] == path}
