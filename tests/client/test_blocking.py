"""The blocking client: the same calls without `await`, wherever a program makes them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import os
import signal
import socketserver
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tenacity import AsyncRetrying, stop_after_attempt, wait_none

import aiopenai
from aiopenai import (
    APIConnectionError,
    APIStatusError,
    AsyncOpenAI,
    NotFoundError,
    OpenAI,
    OpenAIError,
    RateLimitError,
    Stream,
)
from aiopenai._calls.paging import SyncCursorPage, SyncPage
from aiopenai._calls.raw import APIResponse, LegacyAPIResponse
from aiopenai._client.loops import MAX_SHARED
from aiopenai.testing import Server
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk
from tests.conftest import CHAT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server in a thread of its own: this thread has no loop."""
    with Server() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="sk-test", base_url=server.base_url) as client:
        yield client


MODELS = b'{"object":"list","data":[]}'
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(MODELS), MODELS)


class OneReply(socketserver.ThreadingTCPServer):
    """A server that answers one request per connection and closes it then, without having said so.

    The first `silent` requests are never answered; `asked` tells when one has come.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, silent: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), OneReplyHandler)
        self.silent = silent
        self.asked = threading.Event()
        self.closed = threading.Semaphore(0)
        self.over = threading.Event()
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.closed.release()

    def __enter__(self) -> OneReply:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class OneReplyHandler(socketserver.BaseRequestHandler):
    server: OneReply

    def handle(self) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.request.recv(65536)
        if self.server.silent:
            self.server.silent -= 1
            self.server.asked.set()
            self.server.over.wait(timeout=30)
        else:
            self.request.sendall(REPLY)


def content(stream: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def run(program: str, server: Server, *, expect: int = 0, **env: str) -> str:
    """Run a program in a process of its own, with every warning an error; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-test", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (expect, ""), done.stderr
    return done.stdout


class TestCalls:
    def test_a_call(self, client: OpenAI) -> None:
        completion = client.chat.completions.create(**CHAT)
        assert isinstance(completion, ChatCompletion)
        assert completion.choices[0].message.content == "You said: hi"
        assert completion._request_id

    def test_errors(self, client: OpenAI, server: Server) -> None:
        with pytest.raises(NotFoundError) as caught:
            client.models.retrieve("no-such-model")
        assert caught.value.status_code == 404
        server.fault(status=429, times=1)
        with pytest.raises(RateLimitError):
            client.with_options(max_retries=0).models.list()
        assert client.models.list().data

    def test_retries(self, client: OpenAI, server: Server) -> None:
        server.fault(status=500, headers={"retry-after-ms": "1"}, times=2)
        raw = client.models.with_raw_response.list()
        assert raw.retries_taken == 2

    def test_wrong_arguments(self, client: OpenAI, server: Server) -> None:
        with pytest.raises(TypeError, match="no_such"):
            client.chat.completions.create(**CHAT, no_such=1)  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="model"):
            client.models.retrieve("")
        assert not server.journal

    def test_verbs(self, client: OpenAI) -> None:
        assert client.get("/models/gpt-4o", cast_to=dict[str, Any])["id"] == "gpt-4o"
        assert client.post("/chat/completions", cast_to=ChatCompletion, body=CHAT).object == "chat.completion"
        stream = client.post(
            "/chat/completions",
            cast_to=ChatCompletion,
            body={**CHAT, "stream": True},
            stream=True,
            stream_cls=Stream[ChatCompletionChunk],
        )
        assert content(stream) == "You said: hi"
        with pytest.raises(APIStatusError):
            client.delete("/no/such", cast_to=object)

    def test_a_request_made_before(self, client: OpenAI) -> None:
        request = client.chat.completions.create.request(**CHAT)
        assert client.send(request).choices
        streamed = client.chat.completions.create.request(**CHAT, stream=True)
        assert content(client.send(streamed)) == "You said: hi"


class TestPages:
    def test_walking(self, client: OpenAI) -> None:
        for number in range(3):
            client.files.create(file=(f"{number}.txt", b"text"), purpose="batch")
        assert [file.filename for file in client.files.list(limit=2, order="asc")] == ["0.txt", "1.txt", "2.txt"]
        first = client.files.list(limit=2, order="asc")
        assert isinstance(first, SyncCursorPage)
        assert [len(page.data) for page in first.iter_pages()] == [2, 1]
        assert first.has_next_page()
        assert [file.filename for file in first.get_next_page().data] == ["2.txt"]

    def test_raw(self, client: OpenAI) -> None:
        page = client.models.with_raw_response.list().parse()
        assert isinstance(page, SyncPage)
        assert [model.id for model in page]


class TestRawReplies:
    def test_with_its_headers(self, client: OpenAI) -> None:
        raw = client.chat.completions.with_raw_response.create(**CHAT)
        assert isinstance(raw, LegacyAPIResponse)
        assert (raw.status_code, raw.headers["content-type"]) == (200, "application/json")
        assert raw.parse().choices
        assert raw.http_request.method == "POST"
        assert client.with_raw_response.models.list().parse().data

    def test_of_a_stream(self, client: OpenAI) -> None:
        raw = client.chat.completions.with_raw_response.create(**CHAT, stream=True)
        assert content(raw.parse()) == "You said: hi"

    def test_unread(self, client: OpenAI, tmp_path: Path) -> None:
        create = client.chat.completions.with_streaming_response.create
        with create(**CHAT) as response:
            assert isinstance(response, APIResponse)
            assert response.parse().choices
        with create(**CHAT) as response:
            text = response.text()
            assert response.read() == text.encode()
            assert response.json()["choices"]
        with create(**CHAT) as response:
            assert all(len(piece) <= 7 for piece in response.iter_bytes(7))
        with create(**CHAT) as response:
            assert "".join(response.iter_text()).startswith("{")
        with create(**CHAT) as response:
            assert "".join(response.iter_lines()).endswith("}")
        with create(**CHAT) as response:
            response.stream_to_file(tmp_path / "reply.json")
        assert (tmp_path / "reply.json").read_text().startswith("{")
        with create(**CHAT, stream=True) as response:
            assert content(response.parse()) == "You said: hi"

    def test_left_unread(self, client: OpenAI, server: Server) -> None:
        with client.chat.completions.with_streaming_response.create(**CHAT) as response:
            assert response.status_code == 200
        with pytest.raises(OpenAIError, match="closed"):
            response.read()
        assert client.chat.completions.create(**CHAT)

    def test_binary(self, client: OpenAI) -> None:
        file = client.files.create(file=b"some text", purpose="batch")
        assert client.files.content(file.id).read() == b"some text"


class TestStreams:
    def test_iterating(self, client: OpenAI) -> None:
        stream = client.chat.completions.create(**CHAT, stream=True)
        assert isinstance(stream, Stream)
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        first = next(stream)
        assert first.choices
        assert content(stream) == "You said: hi"
        assert list(stream) == []
        with pytest.raises(StopIteration):
            next(stream)

    def test_a_thousand_use_one_connection(self, client: OpenAI, server: Server) -> None:
        for _ in range(50):
            assert content(client.chat.completions.create(**CHAT, stream=True)) == "You said: hi"
        assert server.connections == 1

    def test_left_half_read(self, client: OpenAI, server: Server) -> None:
        server.answer = "word " * 200
        for _ in client.chat.completions.create(**CHAT, stream=True):
            break
        gc.collect()
        named = client.chat.completions.create(**CHAT, stream=True)
        for _ in named:
            break
        assert client.chat.completions.create(**CHAT).choices
        assert content(named).count("word") >= 199
        with client.chat.completions.create(**CHAT, stream=True) as stream:
            next(stream)
        assert client.chat.completions.create(**CHAT).choices

    def test_calls_while_a_stream_is_open(self, client: OpenAI) -> None:
        stream = client.chat.completions.create(**CHAT, stream=True)
        for _ in stream:
            assert client.chat.completions.create(**CHAT).choices

    def test_a_stream_that_breaks_off(self, client: OpenAI, server: Server) -> None:
        server.answer = "word " * 400
        server.fault(cut_after=20_000)
        stream = client.with_options(max_retries=0).chat.completions.create(**CHAT, stream=True)
        with pytest.raises(APIConnectionError) as caught:
            list(stream)
        assert caught.value.partial.text.startswith("word word")
        assert client.chat.completions.create(**CHAT).choices

    def test_read_on_in_another_thread(self, client: OpenAI) -> None:
        stream = client.chat.completions.create(**CHAT, stream=True)
        next(stream)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(content, stream).result() == "You said: hi"


@pytest.mark.usefixtures("transport")
class TestFreed:
    """A stream or reply that is dropped gives its loop back at once, without the garbage collector."""

    @pytest.mark.parametrize("how", ["left", "cut and left", "cut", "raw", "unread", "lines", "helper"])
    def test_loops(self, how: str, client: OpenAI, server: Server) -> None:
        server.answer = "word " * 400
        client = client.with_options(max_retries=0)

        def use() -> None:
            if how.startswith("cut"):
                server.fault(cut_after=3000)
            if how == "raw":
                client.chat.completions.with_raw_response.create(**CHAT, stream=True).parse()
            elif how in ("unread", "lines"):
                response = client.chat.completions.with_streaming_response.create(**CHAT).__enter__()
                next(response.iter_lines() if how == "lines" else response.iter_bytes(3))
            elif how == "helper":
                next(iter(client.chat.completions.stream(**CHAT).__enter__()))
            elif how == "cut":
                with contextlib.suppress(APIConnectionError):
                    list(client.chat.completions.create(**CHAT, stream=True))
            else:
                next(client.chat.completions.create(**CHAT, stream=True))

        use()
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                use()
                # Here a stream learns that it was cut.
                client.models.list()
        finally:
            gc.enable()
        assert len(client._runners._made) <= 2


class TestThreads:
    def test_many_at_once(self, client: OpenAI, server: Server) -> None:
        with ThreadPoolExecutor(32) as pool:
            replies = list(pool.map(lambda _: client.chat.completions.create(**CHAT), range(320)))
        assert all(reply.choices for reply in replies)
        assert server.connections <= 32

    def test_closing_after_many(self, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        with OpenAI(api_key="k", base_url=server.base_url) as client, ThreadPoolExecutor(8) as pool:
            together = threading.Barrier(8)

            def call(_: int) -> object:
                together.wait(timeout=10)
                return client.chat.completions.create(**CHAT)

            assert len(list(pool.map(call, range(16)))) == 16
        assert not caplog.records

    def test_dropping_after_many(self, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        client = OpenAI(api_key="k", base_url=server.base_url)
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(client.chat.completions.create, **CHAT) for _ in range(16)]
            assert all(call.result().choices for call in calls)
        del client, calls
        gc.collect()
        assert not caplog.records

    def test_threads_that_come_and_go_find_warm_connections(self, client: OpenAI, server: Server) -> None:
        for _ in range(10):
            thread = threading.Thread(target=client.models.list)
            thread.start()
            thread.join()
        assert server.connections == 1

    def test_threads_share_few_loops(self, client: OpenAI, server: Server) -> None:
        with ThreadPoolExecutor(12) as pool:
            calls: list[Any] = [pool.submit(client.models.list) for _ in range(60)]
            calls += [pool.submit(client.models.with_raw_response.list) for _ in range(60)]
            assert all(call.result(30) for call in calls)
        assert 1 <= len(client._runners._shared) <= MAX_SHARED
        assert not client._runners._idle
        assert server.connections <= 12

    @pytest.mark.parametrize("way", ["hooks", "retry", "call retry", "key", "connector"])
    def test_code_of_the_program_runs_in_its_own_thread(self, server: Server, way: str) -> None:
        ran: list[int] = []

        def note(*_: Any) -> Any:
            ran.append(threading.get_ident())
            return "sk-test"

        options: dict[str, Any] = {"api_key": note if way == "key" else "sk-test"}
        policy = AsyncRetrying(stop=stop_after_attempt(9), after=note, wait=wait_none())
        if way == "retry":
            options["retry"] = policy
        if way == "connector":
            options["connector"] = lambda: [note(), aiohttp.TCPConnector()][1]
        with OpenAI(base_url=server.base_url, **options) as client, ThreadPoolExecutor(8) as pool:
            if way == "hooks":
                client.on_request(note)
            if "retry" in way:
                server.fault(status=500, times=8)
            together = threading.Barrier(8)

            def call() -> int:
                together.wait(timeout=10)
                client.models.list(**({"retry": policy} if way == "call retry" else {}))
                return threading.get_ident()

            mine = {each.result(30) for each in [pool.submit(call) for _ in range(8)]}
            assert not client._runners._shared
        assert ran
        assert set(ran) <= mine


class TestJobs:
    def test_map(self, client: OpenAI) -> None:
        requests = (client.chat.completions.create.request(**CHAT) for _ in range(50))
        results = list(client.map(requests, concurrency=8, ordered=True))
        assert [result.index for result in results] == list(range(50))
        assert all(result.unwrap().choices for result in results)
        assert client.models.list().data

    def test_left_early(self, client: OpenAI) -> None:
        results = client.map((client.models.list.request() for _ in iter(int, 1)), concurrency=4)
        assert next(results).ok
        results.close()
        assert client.models.list().data

    def test_gather(self, client: OpenAI) -> None:
        lines = [{"url": "/v1/chat/completions", "body": CHAT}, {"url": "/v1/no/such", "body": {}}]
        good, bad = client.gather(lines)
        assert good.ok
        assert isinstance(bad.error, NotFoundError)
        with pytest.raises(TypeError, match="iterable"):
            client.map(3)  # type: ignore[call-overload]


class TestInsideARunningLoop:
    async def test_calls_and_streams(self, client: OpenAI) -> None:
        assert client.chat.completions.create(**CHAT).choices
        assert content(client.chat.completions.create(**CHAT, stream=True)) == "You said: hi"
        with client.chat.completions.with_streaming_response.create(**CHAT) as response:
            assert response.json()["choices"]
        with OpenAI(api_key="k", base_url=client.base_url) as other:
            assert other.models.list().data


class TestLife:
    def test_the_same_constructor(self) -> None:
        assert inspect.signature(OpenAI) == inspect.signature(AsyncOpenAI)
        assert aiopenai.Client is OpenAI
        with pytest.raises(OpenAIError, match="OPENAI_API_KEY"):
            OpenAI()

    def test_repr_without_the_key(self) -> None:
        assert repr(OpenAI(api_key="sk-secret")) == "<OpenAI base_url='https://api.openai.com/v1/'>"

    def test_methods_show_their_arguments(self, client: OpenAI) -> None:
        create = client.chat.completions.create
        assert "max_completion_tokens" in inspect.signature(create).parameters
        assert inspect.signature(create) == inspect.signature(AsyncOpenAI(api_key="k").chat.completions.create)

    def test_sessions_of_a_loop_are_refused(self) -> None:
        with pytest.raises(TypeError, match="connector"):
            OpenAI(api_key="k", http_client=object())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="function"):
            OpenAI(api_key="k", connector=object())  # type: ignore[arg-type]

    def test_closed(self, server: Server) -> None:
        client = OpenAI(api_key="k", base_url=server.base_url)
        assert client.models.list().data
        client.close()
        client.close()
        assert client.is_closed()
        with pytest.raises(APIConnectionError, match="closed"):
            client.models.list()

    def test_copies_share_connections(self, client: OpenAI, server: Server) -> None:
        assert client.models.list().data
        assert client.with_options(timeout=5).models.list().data
        assert server.connections == 1

    def test_a_server_that_closes_idle_connections(self) -> None:
        with OneReply() as server, OpenAI(api_key="k", base_url=server.base_url, max_retries=0) as client:
            for _ in range(20):
                assert client.post("/models", cast_to=dict[str, Any], body={})["object"] == "list"
                assert server.closed.acquire(timeout=30)

    def test_keys_from_a_function(self, server: Server) -> None:
        async def later() -> str:
            return "sk-later"

        for source in (lambda: "sk-now", later):
            with OpenAI(api_key=source, base_url=server.base_url) as client:
                assert client.models.list().data
        assert [request.headers["authorization"] for request in server.journal] == ["Bearer sk-now", "Bearer sk-later"]

    def test_dropped_without_closing(self, server: Server) -> None:
        client = OpenAI(api_key="k", base_url=server.base_url)
        assert client.models.list().data
        stream = client.chat.completions.create(**CHAT, stream=True)
        next(stream)
        del client, stream
        gc.collect()


class TestProcesses:
    def test_exit_without_closing(self, server: Server) -> None:
        program = """
            from aiopenai import OpenAI
            client = OpenAI()
            print(client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}]).object)
            stream = client.chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True)
            print(next(stream).object)
        """
        assert run(program, server).split() == ["chat.completion", "chat.completion.chunk"]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    def test_fork_after_first_use(self, server: Server) -> None:
        program = """
            import os, warnings
            from aiopenai import OpenAI, OpenAIError
            chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
            client = OpenAI(max_retries=0)
            client.chat.completions.create(**chat)
            stream = client.chat.completions.create(**chat, stream=True)
            next(stream)
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
            children = []
            for number in range(3):
                if (child := os.fork()) == 0:
                    for _ in range(5):
                        client.chat.completions.create(**chat)
                    try:
                        list(stream)
                    except OpenAIError as error:
                        code = 0 if "forked" in str(error) or error is None else 1
                    else:
                        code = 0  # all of it was here before the fork
                    raise SystemExit(code)
                children.append(child)
            for child in children:
                print(os.waitpid(child, 0)[1])
            print(len(list(stream)) > 0)
            for _ in range(5):
                client.chat.completions.create(**chat)
            print("parent")
        """
        assert run(program, server).split() == ["0", "0", "0", "True", "parent"]

    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    @pytest.mark.parametrize("inside", [False, True])
    def test_ctrl_c(self, inside: bool) -> None:
        program = f"""
            import asyncio, logging, signal, time
            from aiopenai import OpenAI
            logging.getLogger("aiopenai").setLevel("ERROR")  # a notebook is not warned of the blocking client
            # Whoever starts the tests may ignore it, and children inherit that.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            def main():
                with OpenAI(api_key="k") as client:
                    begun = time.monotonic()
                    try:
                        client.models.list()
                    except KeyboardInterrupt:
                        print("interrupted", client.models.list().object, time.monotonic() - begun < 20)
            async def notebook():
                main()
            loop = asyncio.new_event_loop(); loop.set_debug(False)
            {"loop.run_until_complete(notebook())" if inside else "main()"}
            loop.close()
        """
        with OneReply(silent=1) as server:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
                cwd=ROOT,
                env={**os.environ, "OPENAI_BASE_URL": server.base_url},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            with process:
                assert server.asked.wait(timeout=30)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=20)
        assert (out, err) == ("interrupted list True\n", "")


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    ("host", "connector"),
    [("127.0.0.1", "None"), ("localhost", "None"), ("localhost", "aiohttp.TCPConnector")],
    ids=["address", "name", "general"],
)
def test_atexit(warm: bool, host: str, connector: str, server: Server) -> None:
    """The interpreter starts no threads any more: neither the first import nor a look-up of a name may need one."""
    program = f"""
        import atexit
        {"import aiohttp" if connector != "None" else ""}
        from aiopenai import OpenAI
        client = OpenAI(connector={connector})
        chat = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": "hi"}}]}}
        {"client.models.list()" if warm else ""}
        @atexit.register
        def last():
            print(client.models.list().object)
            print(len(list(client.chat.completions.create(**chat, stream=True))) > 1)
            print(*(result.ok for result in client.map([client.models.list.request()])))
            client.close()
    """
    url = server.base_url.replace("127.0.0.1", host)
    assert run(program, server, OPENAI_BASE_URL=url).split() == ["list", "True", "True"]


def test_greenlets(server: Server) -> None:
    pytest.importorskip("gevent")
    server.fault(delay=0.1, times=None)
    program = """
        from gevent import monkey
        monkey.patch_all()
        import gevent
        from aiopenai import OpenAI
        client = OpenAI(max_retries=0)
        chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        def use():
            stream = client.chat.completions.create(**chat, stream=True)
            return client.models.list().object, len(list(stream)) > 1
        jobs = [gevent.spawn(use) for _ in range(12)]
        gevent.joinall(jobs)
        print(*{job.value for job in jobs}, *(job.exception for job in jobs if job.exception))
        print(use())
    """
    assert run(program, server).split("\n")[:2] == ["('list', True)"] * 2


def test_async_client_does_not_run_coroutines() -> None:
    with pytest.raises(TypeError, match="await"):
        AsyncOpenAI(api_key="k").run(asyncio.sleep(0))
