"""What the tests share: a clean environment, the local server, clients of it, and servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from aiopenai import AsyncOpenAI, OpenAI
from aiopenai.testing import Server
from tests import cover

# The same examples in every run, and nothing written beside the sources, which may lie where nobody can write.
# `--hypothesis-profile=default` searches at random.
# Without deadlines: a busy machine is no failure.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# A shell starts programs in the background with Ctrl-C ignored, and tests of interrupts would wait for it in vain.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Folders and files that run once, with the whole suite: they compare texts, files and the reference, or ask other
# programs. No interpreter makes a difference.
ONCE = {"benchmarks", "codegen", "conformance", "examples", "layers", "parity", "readme", "style", "typing", "wire"}
# Files that measure times run one after another in one process.
TIMED = {
    "test_blocking",
    "test_bridge",
    "test_concurrency",
    "test_hedging",
    "test_limiter",
    "test_loops",
    "test_benchmarks",
}
# The files that take longest, which begin first: the last ones to run are then short, and no process waits for another.
LONG = (
    "typing/test_stubs.py",
    "timed",
    "typing/test_typing.py",
    "codegen/test_generate.py",
    "typing/test_editors.py",
    "typing/test_wheel.py",
    "guards/test_garbage.py",
    "test_examples.py",
    "client/test_client.py",
    "client/test_interrupts.py",
    "guards/test_storms.py",
    "cli/test_main.py",
    "cli/test_run.py",
    "cli/test_run_files.py",
    "data/test_fidelity.py",
    "parity/test_requests.py",
    "parity/test_clouds.py",
    "parity/test_types.py",
    "wire/test_servers.py",
    "http/test_transport.py",
    "http/test_direct.py",
    "calls/test_events.py",
    "dropin/test_switch.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tests for `-m "not once"`, skips those on demand, and puts the long ones first."""
    demanded = "follow" in (config.getoption("markexpr") or "")
    first = {name: number for number, name in enumerate(LONG)}
    places: dict[pytest.Item, int] = {}
    for item in items:
        if not demanded and item.get_closest_marker("follow"):
            item.add_marker(pytest.mark.skip(reason="on demand: python -m pytest -m follow"))
        path = item.path.relative_to(Path(__file__).parent)
        if path.parts[0].removesuffix(".py").removeprefix("test_") in ONCE:
            item.add_marker("once")
        places[item] = first.get(_group(path), len(LONG))
    items.sort(key=places.__getitem__)


def _group(test: Path) -> str:
    """The tests that one process runs one after another: those of a file, or of all files that measure times."""
    return "timed" if test.stem in TIMED else test.as_posix()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each group of tests to one process, with `--dist loadgroup`.

    The marker `xdist_group` has no effect with pytest 9.2: pytest-xdist 3.8 writes the group into an attribute that
    pytest does not read any more.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(Path(nodeid.partition("::")[0]).relative_to("tests"))

    return Groups(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--branches",
        type=Path,
        metavar="FILE",
        help=f"fail below {cover.BOUND} %% of branches per core module; FILE gets the figures; see tests/cover.py",
    )


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Notes the test files of which a part runs: these are not measured."""
    for item in items:
        item.config.stash.setdefault(_PARTS, set()).add(item.path)


_PARTS = pytest.StashKey[set[Path]]()


@pytest.fixture(autouse=True, scope="module")
def _branches(request: pytest.FixtureRequest) -> Iterator[None]:
    """Measures the branches that a test file takes in its module, with `--branches`."""
    config, test = request.config, request.path
    in_part = test in config.stash.get(_PARTS, ()) or config.getoption("lf", False)
    in_part = in_part or any("::" in argument for argument in config.args)
    file, module = config.getoption("branches"), cover.module_of(test)
    with contextlib.nullcontext() if file is None or module is None or in_part else cover.measured(module, file):
        yield


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails if a core module is below the bound; a second try of failed tests sees the figures of the first."""
    file = session.config.getoption("branches")
    if file is None or hasattr(session.config, "workerinput"):
        return
    below = [share for share in cover.shares(file) if share.percent < cover.BOUND]
    if below and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names the core modules below the bound."""
    file = config.getoption("branches")
    for share in cover.shares(file) if file is not None else ():
        if share.percent < cover.BOUND:
            terminalreporter.write_line(share.line(), red=True)


@pytest.fixture(autouse=True, scope="module")
def _small_heap() -> None:
    """Hides the objects of earlier modules from the garbage collector, whose runs take many times as long with them."""
    gc.collect()
    gc.freeze()


CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """The environment of whoever runs the tests has no say in them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in list(os.environ):
            if name.startswith("OPENAI_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
                monkeypatch.delenv(name)
        yield


@pytest.fixture(params=["direct", "general"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A test that uses this runs on both transports, as far as they are in this process."""
    if request.param == "general":

        def unfit(_: Any) -> None:
            from aiopenai._http.direct import UnfitError

            raise UnfitError("the test wants the general transport")

        monkeypatch.setattr("aiopenai._http.direct.examine", unfit)
    return str(request.param)


@pytest.fixture
def chat() -> dict[str, Any]:
    """The arguments of a small chat call."""
    return {**CHAT}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-test", base_url=server.base_url) as client:
        yield client


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server with a loop and a thread of its own, for calls that block."""
    with Server() as server:
        yield server


@pytest.fixture
def blocking(own_server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="sk-test", base_url=own_server.base_url) as client:
        yield client


class RawServer:
    """A TCP server of which a test writes each byte, and which sees when a connection is closed."""

    def __init__(self, handler: Callable[[RawServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]):
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.connections = 0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.gone = asyncio.Event()

    async def start(self, **options: Any) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, **options)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._handler(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
        """Read one request: first line, headers by lower-case name, body."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        body = b""
        if "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        self.requests.append((head[0], headers, body))
        return head[0], headers, body

    async def watch(self, reader: asyncio.StreamReader) -> None:
        """Wait until the client has closed the connection, and say so in `gone`."""
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        self.gone.set()

    @staticmethod
    def head(*lines: str, status: str = "200 OK", length: int | None = None, kind: str = "application/json") -> bytes:
        """A reply's head; without a length the body is chunked."""
        framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        return "\r\n".join([f"HTTP/1.1 {status}", f"content-type: {kind}", framing, *lines, "", ""]).encode()

    @classmethod
    def reply(cls, body: bytes, *lines: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
        """A whole reply."""
        return cls.head(*lines, status=status, length=len(body), kind=kind) + body

    @staticmethod
    def chunk(data: bytes) -> bytes:
        """One HTTP chunk; an empty one ends the body."""
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@pytest.fixture
async def raw_server() -> AsyncIterator[Callable[..., Awaitable[RawServer]]]:
    """`await raw_server(handler)`: handler(server, reader, writer) is one connection's life."""
    servers: list[RawServer] = []

    async def start(handler: Any, **options: Any) -> RawServer:
        server = RawServer(handler)
        await server.start(**options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    """`await until(condition)`: let the loop run until it holds; for what other threads and the kernel do."""

    async def wait(condition: Callable[[], Any], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never came to be"
            await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def sse() -> Callable[..., bytes]:
    """`sse(chunk, ...)`: an event stream of these JSON texts or words, in the API's own framing."""

    def stream(events: Iterable[str], done: bool = True) -> bytes:
        return "".join(f"data: {event}\n\n" for event in [*events, *(["[DONE]"] if done else [])]).encode()

    return stream


def _chunk(text: str | None = None, finish: str | None = None) -> str:
    import json

    delta = {"content": text} if text is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return json.dumps({**head, "choices": [choice]})


@pytest.fixture
def chunk() -> Callable[..., str]:
    """`chunk(text, finish)`: one chunk of a chat stream, as JSON."""
    return _chunk


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of AWS: neither in the environment, nor in files of the user, nor from the machine."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
