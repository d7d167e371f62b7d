"""Workers by themselves, and as workers of a real Ray and a real Dask with two processes, where these are installed."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI, OpenAIError
from aiopenai._jobs import partitions
from aiopenai._jobs.failures import FilesError, JobError, LockedError
from aiopenai._jobs.outputs import ResultFile
from aiopenai.distributed import Worker
from aiopenai.testing import RateLimits, Server

ROOT = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and locks")
KEY = "sk-canary"

Start = Callable[..., Worker]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Start]:
    """`start(...)`: a worker of the server's, the only one unless said otherwise."""
    workers: list[Worker] = []

    def make(**options: Any) -> Worker:
        client = options.pop("client", partial(AsyncOpenAI, base_url=server.base_url, api_key=KEY))
        worker = Worker(tmp_path / "job", **{"workers": 1, "client": client, **options})
        workers.append(worker)
        return worker

    yield make
    for worker in workers:
        worker.close()


def line(number: int | str, **more: Any) -> dict[str, Any]:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": f"number {number};"}]}
    return {"custom_id": f"r-{number}", "method": "POST", "url": "/v1/chat/completions", "body": body, **more}


def texts(*numbers: int | str) -> list[str]:
    return [json.dumps(line(number)) for number in numbers]


def said(answer: str | dict[str, Any]) -> str:
    found = json.loads(answer) if isinstance(answer, str) else answer
    return found["response"]["body"]["choices"][0]["message"]["content"]


def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.002)


class TestForms:
    def test_texts(self, start: Start) -> None:
        answers = start()([*texts(1, 2), "  \n", texts(3)[0] + "\n"])
        assert [json.loads(each)["custom_id"] for each in answers] == ["r-1", "r-2", "r-3"]
        assert said(answers[1]) == "You said: number 2;"
        assert not any("\n" in each for each in answers)

    def test_objects(self, start: Start, server: Server) -> None:
        one = line(1)
        one["body"]["stop"] = None
        answers = start()(iter([one, line(2)]))
        assert [each["custom_id"] for each in answers] == ["r-1", "r-2"]
        assert answers[0]["error"] is None
        bodies = [request.json() for request in server.requests_for("/chat/completions")]
        # In an object of the program's own, null is sent.
        assert sorted("stop" in body for body in bodies) == [False, True]

    def test_prompts(self, start: Start) -> None:
        worker = start(model="gpt-4o")
        answers = worker(["one;", '"two\\nlines"'])
        assert [said(each) for each in answers] == ["You said: one;", "You said: two\nlines"]
        rows = worker([{"prompt": '"quoted" and {}'}, {"prompt": "named", "custom_id": 7}])
        assert [said(each) for each in rows] == ['You said: "quoted" and {}', "You said: named"]
        assert rows[1]["custom_id"] == "7"
        names = {json.loads(each)["custom_id"] for each in answers} | {rows[0]["custom_id"]}
        assert len(names) == 3

    def test_a_table_of_texts(self, start: Start) -> None:
        table = start()({"text": texts(1, 2), "path": ["a", "a"]})
        assert table["custom_id"] == ["r-1", "r-2"]
        assert [said(each) for each in table["text"]] == ["You said: number 1;", "You said: number 2;"]

    def test_a_table_of_fields(self, start: Start, server: Server) -> None:
        class Column(list[Any]):
            def tolist(self) -> list[Any]:
                return list(self)

        class Arrow:
            def to_pylist(self) -> list[dict[str, Any]]:
                return [line(3)]

        rows = [line(1), line(2)]
        rows[0]["body"]["stop"] = None  # as tables have it, where another row has a value
        rows[0]["body"]["messages"] = Column(rows[0]["body"]["messages"])
        table = start()({name: Column(row[name] for row in rows) for name in rows[0]})
        assert table["custom_id"] == ["r-1", "r-2"]
        assert not any("stop" in request.json() for request in server.requests_for("/chat/completions"))
        assert start()(Arrow())["custom_id"] == ["r-3"]

    def test_nothing(self, start: Start, tmp_path: Path) -> None:
        assert start()([]) == []
        assert start()({"text": []}) == {"custom_id": [], "text": []}
        assert not (tmp_path / "job").exists()

    @pytest.mark.parametrize(
        ("partition", "error", "why"),
        [
            ("text", TypeError, "iterable"),
            ([1], TypeError, "int"),
            (5, TypeError, "int"),
            ([{"prompt": "x"}], ValueError, "model"),
            ({"custom_id": ["a"], "url": ["/x"], "body": [{"when": threading}]}, TypeError, "module.*as text"),
        ],
    )
    def test_what_is_none(self, start: Start, partition: Any, error: type[Exception], why: str) -> None:
        with pytest.raises(error, match=why):
            start()(partition)

    def test_a_data_frame_is_no_list_of_its_columns(self, start: Start) -> None:
        class Frame(list[str]):
            columns = ("text",)

        with pytest.raises(TypeError, match="Frame"):
            start()(Frame(["text"]))

    def test_bad_lines_are_failures(self, start: Start, server: Server) -> None:
        bad = ["{", '{"custom_id": "a"}', texts(1)[0], json.dumps(line(2, url="https://example.com/v1/x")), "\ud800"]
        answers = [json.loads(each) for each in start()([*texts(1), *bad])]
        assert server.request_count == 1
        assert answers[0]["error"] is None
        assert {each["error"]["code"] for each in answers[1:]} == {"bad_line"}
        assert len({each["custom_id"] for each in answers}) == 6
        assert "was there before" in answers[3]["error"]["message"]


class TestForeignCharacters:
    """Files with characters at which text readers cut lines, and with byte order marks."""

    TEXT = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"

    def lines(self) -> list[str]:
        bodies = [line(number) for number in range(3)]
        for body in bodies:
            body["body"]["messages"][0]["content"] += self.TEXT
        return [json.dumps(body, ensure_ascii=False) for body in bodies]

    @pytest.mark.parametrize("bom", ["", "\ufeff"])
    def test_whole_files(self, start: Start, bom: str) -> None:
        """As Ray's `read_binary_files` has them."""
        content = (bom + "\r\n".join(self.lines()) + "\n\n").encode()
        table = start()({"bytes": [content, bom.encode() + json.dumps(line("last")).encode()], "path": ["a", "b"]})
        assert table["custom_id"] == ["r-0", "r-1", "r-2", "r-last"]
        assert [said(each) for each in table["text"][:3]] == [f"You said: number {n};{self.TEXT}" for n in range(3)]

    def test_whole_files_of_prompts(self, start: Start) -> None:
        table = start(model="gpt-4o")({"bytes": [b"\xef\xbb\xbfone;\ntwo;\n"]})
        assert [said(each) for each in table["text"]] == ["You said: one;", "You said: two;"]

    @pytest.mark.parametrize("kind", [str, str.encode], ids=["text", "bytes"])
    def test_lines(self, start: Start, kind: Any) -> None:
        first, *others = self.lines()
        answers = start()([kind("\ufeff" + first), *map(kind, others)])
        assert [said(json.loads(each)) for each in answers] == [f"You said: number {n};{self.TEXT}" for n in range(3)]

    def test_a_column_of_texts(self, start: Start) -> None:
        first, *others = self.lines()
        table = start()({"text": ["\ufeff" + first, *others]})
        assert table["custom_id"] == ["r-0", "r-1", "r-2"]

    def test_dask_reads_them_whole(self, tmp_path: Path) -> None:
        bag = pytest.importorskip("dask.bag")
        path = tmp_path / "in.jsonl"
        path.write_text("\ufeff" + "\n".join(self.lines()) + "\n", encoding="utf-8")
        assert len(bag.read_text(str(path)).compute(scheduler="sync")) == 3


class TestMixedTexts:
    def test_one_request_makes_all_texts_requests(self, start: Start, server: Server) -> None:
        answers = [json.loads(each) for each in start(model="gpt-4o")(["{", '{"messages": []}', *texts(1)])]
        assert [each["error"] and each["error"]["code"] for each in answers] == ["bad_line", "bad_line", None]
        assert server.request_count == 1


class TestBrokenDisk:
    @pytest.mark.parametrize("name", ["write", "fsync"])
    def test_is_one_clear_error(self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        worker = start()
        with monkeypatch.context() as patch:

            def fail(*_: Any) -> Any:
                raise OSError(28, "No space left on device")

            patch.setattr(f"aiopenai._jobs.outputs.os.{name}", fail)
            with pytest.raises(FilesError, match="No space left on device") as caught:
                worker(texts(1, 2))
            assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        assert len(worker(texts(1, 2))) == 2

    def test_a_folder_that_cannot_be_made(self, start: Start, tmp_path: Path) -> None:
        (tmp_path / "job").write_text("a file")
        with pytest.raises(FilesError, match="File exists"):
            start()(texts(1))


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "error"),
        [
            ({"workers": 0}, ValueError),
            ({"rpm": 0}, ValueError),
            ({"tpm": -1}, ValueError),
            ({"concurrency": 0}, ValueError),
            ({"client": KEY}, TypeError),
        ],
    )
    def test_wrong_ones(self, tmp_path: Path, options: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error) as caught:
            Worker(tmp_path, **{"workers": 2, **options})
        assert KEY not in str(caught.value)

    def test_a_client_is_not_what_makes_one(self, tmp_path: Path, client: AsyncOpenAI) -> None:
        with pytest.raises(TypeError, match="makes one") as caught:
            Worker(tmp_path, workers=1, client=client)  # type: ignore[arg-type]
        assert "sk-" not in str(caught.value)

    def test_the_key_is_the_machines(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Start
    ) -> None:
        worker = start(client=None)
        with pytest.raises(OpenAIError, match="OPENAI_API_KEY"):
            worker(texts(1))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        data = pickle.dumps(worker)
        assert KEY.encode() not in data
        assert KEY not in repr(worker)
        assert said(pickle.loads(data)(texts(1))[0]) == "You said: number 1;"

    def test_nothing_of_the_engines_is_imported(self) -> None:
        code = "import sys, aiopenai.distributed; sys.exit(bool({'ray', 'dask', 'aiohttp'} & {*sys.modules}))"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


class TestCheckpoints:
    def test_what_is_finished_is_not_asked_again(self, start: Start, server: Server, tmp_path: Path) -> None:
        first = start()(texts(*range(20)))
        assert start()(texts(*range(20))) == first
        assert server.request_count == 20
        (file,) = (tmp_path / "job").iterdir()
        assert sorted(file.read_text().splitlines()) == sorted(first)
        # Another question is another partition.
        start()([texts(0)[0].replace("number", "question")])
        assert server.request_count == 21

    def test_what_is_left_of_a_partition(self, start: Start, server: Server, tmp_path: Path) -> None:
        start()(texts(*range(20)))
        (file,) = (tmp_path / "job").iterdir()
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:5]) + lines[5][:40])
        again = start()(texts(*range(20)))
        assert [json.loads(each)["custom_id"] for each in again] == [f"r-{number}" for number in range(20)]
        assert server.request_count == 35
        assert len(file.read_bytes().splitlines()) == 20

    def test_failures(self, start: Start, server: Server, tmp_path: Path) -> None:
        server.fault(status=400, times=2)
        worker = start()
        first = worker(texts(*range(5)))
        assert sum(json.loads(each)["response"]["status_code"] == 400 for each in first) == 2
        assert worker(texts(*range(5))) == first
        assert server.request_count == 5
        assert len(list((tmp_path / "job").glob("*.errors.jsonl"))) == 1
        again = start(retry_failed=True)(texts(*range(5)))
        assert server.request_count == 7
        assert {json.loads(each)["response"]["status_code"] for each in again} == {200}
        assert not list((tmp_path / "job").glob("*.errors.jsonl"))

    def test_where_going_on_is_of_no_use(self, start: Start, server: Server) -> None:
        server.fault(status=401, times=None)
        with pytest.raises(JobError, match="AuthenticationError") as caught:
            start()(texts(*range(5)))
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        server.clear_faults()
        assert len(start()(texts(*range(5)))) == 5

    def test_a_file_of_something_else(self, start: Start, tmp_path: Path) -> None:
        start()(texts(1))
        (file,) = (tmp_path / "job").iterdir()
        file.write_text("dear diary\nfine weather\n")
        with pytest.raises(FilesError, match="not a result"):
            start()(texts(1))

    @POSIX
    def test_a_partition_that_another_worker_has(
        self, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worker = start()
        worker(texts(1))
        (file,) = (tmp_path / "job").iterdir()
        log = ResultFile(file)
        monkeypatch.setattr(partitions, "LOCK_SECONDS", 0.0)
        monkeypatch.setattr(partitions, "LOCK_LOOK_SECONDS", 0.001)
        with pytest.raises(LockedError):
            worker(texts(1))
        monkeypatch.setattr(partitions, "LOCK_SECONDS", 10.0)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(worker, texts(1))
            log.close()
            assert len(waiting.result(10)) == 1

    @POSIX
    def test_a_killed_process(self, start: Start, server: Server, tmp_path: Path) -> None:
        server.latency = 0.02
        (tmp_path / "in.jsonl").write_text("\n".join(texts(*range(100))))
        code = (
            "from aiopenai.distributed import Worker\n"
            "from functools import partial\n"
            "import aiopenai, pathlib, sys\n"
            "client = partial(aiopenai.AsyncOpenAI, base_url=sys.argv[1], api_key='sk-test')\n"
            "worker = Worker(sys.argv[2], workers=1, concurrency=4, client=client)\n"
            "worker(pathlib.Path(sys.argv[3]).read_text().splitlines())\n"
        )
        arguments = [server.base_url, tmp_path / "job", tmp_path / "in.jsonl"]
        with subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT) as child:
            until(lambda: server.request_count >= 40)
            child.kill()
        assert len(start()(texts(*range(100)))) == 100
        assert 100 <= server.request_count <= 104


class TestProcess:
    def test_threads_have_one_client_and_one_limiter(self, start: Start, server: Server) -> None:
        made: list[AsyncOpenAI] = []

        def client() -> AsyncOpenAI:
            made.append(AsyncOpenAI(base_url=server.base_url, api_key=KEY))
            return made[-1]

        server.latency = 0.02
        worker = start(concurrency=5, client=client)
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(worker, [texts(*range(begin, begin + 20)) for begin in range(0, 80, 20)])
            assert sum(map(len, answers)) == 80
        assert len(made) == 1
        assert server.connections <= 5

    def test_closing_breaks_off_what_is_under_way(self, start: Start, server: Server, tmp_path: Path) -> None:
        server.latency = 60
        worker = start()
        with ThreadPoolExecutor(1) as pool:
            broken = pool.submit(worker, texts(*range(10)))
            until(lambda: server.request_count == 10)
            worker.close()
            assert isinstance(broken.exception(10), CancelledError)
        # It is no failure to be broken off, and a worker can go on.
        assert not list((tmp_path / "job").glob("*.errors.jsonl"))
        server.latency = 0
        assert len(worker(texts(*range(10)))) == 10

    def test_shares_of_what_the_headers_tell(self, tmp_path: Path) -> None:
        limits = RateLimits(rpm=6_000, burst=1)
        with Server(limits=limits) as server, ThreadPoolExecutor(2) as pool:
            workers = [Worker(tmp_path, workers=2, client=named_client(server.base_url, name)) for name in "ab"]
            begin = time.monotonic()
            lines = [texts(*(f"{name}{number}" for number in range(150))) for name in "ab"]
            answers = list(pool.map(lambda worker, partition: worker(partition), workers, lines))
            seconds = time.monotonic() - begin
            assert [len(each) for each in answers] == [150, 150]
            check_shares(server, limits, seconds, number=300, known=False)
            for worker in workers:
                worker.close()


def named_client(url: str, name: str | None = None) -> Callable[[], AsyncOpenAI]:
    """Makes clients whose requests tell the process, or the name."""

    def client() -> AsyncOpenAI:
        return AsyncOpenAI(base_url=url, api_key="sk-test", default_headers={"x-worker": name or str(os.getpid())})

    return client


def check_shares(server: Server, limits: RateLimits, seconds: float, *, number: int, known: bool) -> None:
    """Two workers, 100 requests a second and as many at once: hardly any refusal, and each had the half of it."""
    arrived: dict[str, list[float]] = {}
    for request in server.requests_for("/chat/completions"):
        arrived.setdefault(request.headers["x-worker"], []).append(request.arrived)
    assert len(arrived) == 2
    assert limits.admitted == number
    assert seconds >= (number - 100) / 100
    # A worker that learns the limits from the first reply has sent some requests by then.
    assert limits.refused <= (0.02 if known else 0.1) * number
    for times in arrived.values():
        assert len(times) >= 0.4 * number
        # A worker's bucket has 50 at the start, and 50 more come in each second. If the replies tell the
        # limits, it may also use the rest of the other one.
        busiest = max(sum(begin <= each < begin + 1 for each in times) for begin in times)
        assert busiest <= (115 if known else 165)


def files_of(folder: Path, count: int, each: int) -> list[str]:
    paths = []
    for file in range(count):
        path = folder / f"in-{file}.jsonl"
        path.write_text("".join(text + "\n" for text in texts(*(f"{file}-{number}" for number in range(each)))))
        paths.append(str(path))
    return paths


def killer(server: Server, pids: Path) -> threading.Thread:
    """Kills one of the workers when something is done and much is not."""

    def kill() -> None:
        until(lambda: server.request_count >= 60, 60.0)  # engines take their time to start
        os.kill(int(next(pids.iterdir()).name), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def leaving_its_pid(url: str, pids: Path) -> Callable[[], AsyncOpenAI]:
    pids.mkdir()

    # In here, because engines send functions of modules by name, and the workers do not know this module.
    def client() -> AsyncOpenAI:
        (pids / str(os.getpid())).touch()
        return AsyncOpenAI(base_url=url, api_key="sk-test")

    return client


def check_job(server: Server, tmp_path: Path, run: Callable[[], list[str]]) -> None:
    """A job of 400 lines in 4 files, one of whose two workers is killed, and the same job once more."""
    server.latency = 0.03
    thread = killer(server, tmp_path / "pids")
    answers = run()
    thread.join()
    expected = {f"r-{file}-{number}": 1 for file in range(4) for number in range(100)}
    assert Counter(json.loads(each)["custom_id"] for each in answers) == expected
    assert Counter(json.loads(each)["error"] for each in answers) == {None: 400}
    assert len(list((tmp_path / "pids").iterdir())) >= 2
    # Each of the two has eight on their way at most.
    asked = server.request_count
    assert 400 <= asked <= 408
    assert sorted(run()) == sorted(answers)
    assert server.request_count == asked


@pytest.fixture(scope="class")
def cluster() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        import dask.bag
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
            Client(cluster),
        ):
            yield dask.bag


@POSIX
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask is not installed")
class TestDask:
    def test_a_job(self, cluster: Any, server: Server, tmp_path: Path) -> None:
        paths = files_of(tmp_path, 4, 100)
        client = leaving_its_pid(server.base_url, tmp_path / "pids")

        def run() -> list[str]:
            worker = Worker(tmp_path / "job", workers=2, concurrency=8, client=client)
            answers = cluster.read_text(paths, files_per_partition=1).map_partitions(worker)
            found: list[str] = answers.compute()
            return found

        check_job(server, tmp_path, run)

    @pytest.mark.parametrize("rpm", [6_000, None])
    def test_shares(self, cluster: Any, tmp_path: Path, rpm: int | None) -> None:
        from distributed import get_client

        client = get_client()
        limits = RateLimits(rpm=6_000, burst=1)
        with Server(limits=limits) as server:
            worker = Worker(tmp_path, workers=2, rpm=rpm, client=named_client(server.base_url))
            client.wait_for_workers(2)
            addresses = client.scheduler_info()["workers"]
            begin = time.monotonic()
            # Not as a bag: each process must get one of the two.
            parts = [
                client.submit(worker, [line(number) for number in range(start, start + 150)], workers=[address])
                for start, address in zip((0, 150), addresses, strict=True)
            ]
            answers = [each for part in client.gather(parts) for each in part]
            seconds = time.monotonic() - begin
            assert [each["custom_id"] for each in answers] == [f"r-{number}" for number in range(300)]
            check_shares(server, limits, seconds, number=300, known=rpm is not None)


@pytest.fixture(scope="class")
def data() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        import ray.data

        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            logging_level="ERROR",
        )
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield ray.data
        ray.shutdown()


@POSIX
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
# Of Ray's own settings, when it sets them; older ones also leave pipes and processes to be collected.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
class TestRay:
    def test_a_job(self, data: Any, server: Server, tmp_path: Path) -> None:
        paths = files_of(tmp_path, 4, 100)
        settings = {
            "checkpoints": tmp_path / "job",
            "workers": 2,
            "concurrency": 8,
            "client": leaving_its_pid(server.base_url, tmp_path / "pids"),
        }

        def run() -> list[str]:
            lines = data.read_text(paths, override_num_blocks=len(paths))
            answers = lines.map_batches(
                Worker, fn_constructor_kwargs=settings, compute=data.ActorPoolStrategy(size=2), batch_size=None
            )
            return [row["text"] for row in answers.take_all()]

        check_job(server, tmp_path, run)

    @pytest.mark.parametrize("batch_format", ["numpy", "pyarrow"])
    def test_tables(self, data: Any, server: Server, tmp_path: Path, batch_format: str) -> None:
        """Lines that the engine has parsed, and prompts."""
        url = server.base_url
        rows: list[dict[str, Any]] = [line(1), line(2)]
        rows[0]["body"]["temperature"] = 0.5
        options = {
            "fn_constructor_kwargs": {
                "checkpoints": tmp_path / "job",
                "workers": 1,
                "model": "gpt-4o",
                "client": partial(AsyncOpenAI, base_url=url, api_key="sk-test"),
            },
            "compute": data.ActorPoolStrategy(size=1),
            "batch_size": None,
            "batch_format": batch_format,
        }
        prompts = data.from_items([{"prompt": "one;", "custom_id": "p-1"}]).map_batches(Worker, **options).take_all()
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lines = data.read_json(str(tmp_path / "in.jsonl")).map_batches(Worker, **options).take_all()
        assert [(row["custom_id"], said(row["text"])) for row in prompts] == [("p-1", "You said: one;")]
        assert sorted((row["custom_id"], said(row["text"])) for row in lines) == [
            ("r-1", "You said: number 1;"),
            ("r-2", "You said: number 2;"),
        ]
        sent = [request.json().get("temperature", "none") for request in server.requests_for("/chat/completions")]
        assert sorted(map(str, sent)) == ["0.5", "none", "none"]
