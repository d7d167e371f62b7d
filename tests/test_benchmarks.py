"""The benchmark suite's pieces work and tell the truth; how fast anything is, is not tested here."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from aiopenai.types import CreateEmbeddingResponse, FileObject
from aiopenai.types.chat import ChatCompletion, ChatCompletionChunk
from aiopenai.types.realtime import InputAudioBufferCommittedEvent, ResponseDoneEvent, ResponseTextDeltaEvent
from aiopenai.types.responses import Response
from benchmarks import __main__ as command
from benchmarks import answers, check, drivers, load, many_sockets, node_worker, process, report, runner, scale, server
from benchmarks.clients import CLIENTS, ClientError, Operation, UnsupportedError, operation
from benchmarks.clients.bare import Bare
from benchmarks.control import Control
from benchmarks.drivers import Turn, WrongAnswerError, drive
from benchmarks.process import Child, ChildError, Cores
from benchmarks.rows import FULL, QUICK, ROWS, SUBJECT, Budget, Plan, Row, faster, under, within
from benchmarks.runner import Results, RowResult
from benchmarks.stats import UNITS, Sample, measured, percentile, ratios, spread

TINY = Plan(rounds=1, turns=2, seconds=0.001, shorter=1_000)
TURN = Turn(
    driver="lanes", operation="chat", model=answers.MODEL, concurrency=1, seconds=0.0, loop="asyncio", least=2, per=1,
    count=0,
)  # fmt: skip

SOCKET_OPERATIONS = {"socket_events", "socket_appends"}

needs_reference = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the reference is missing")


class Listening:
    """The server, in a thread, for what blocks while it waits for answers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(10)
        self.port, self.tls_port = self._server.ports
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def stop(self) -> None:
        async def ended() -> None:
            self._server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        asyncio.run_coroutine_threadsafe(ended(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.stop()


@pytest.fixture
def control(listening: Listening) -> Iterator[Control]:
    control = Control(listening.base_url)
    yield control
    control.close()


def _request(path: str = "/v1/chat/completions", body: dict[str, Any] | None = None) -> bytes:
    raw = json.dumps(answers.question() if body is None else body).encode()
    return f"POST {path} HTTP/1.1\r\nHost: x\r\ncontent-length: {len(raw)}\r\n\r\n".encode() + raw


# Server


async def test_server_answers_requests_in_pieces_and_several_at_once(listening: Listening) -> None:
    chat, stream = answers.answer(answers.chat_completion()), b"".join(answers.stream_pieces())
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    one = _request()
    for cut in (1, 20, len(one) - 1):
        writer.write(one[:cut])
        await writer.drain()
        writer.write(one[cut:])
        assert await reader.readexactly(len(chat)) == chat
    writer.write(one + _request(body=answers.question(stream=True)) + one)
    assert await reader.readexactly(2 * len(chat) + len(stream)) == chat + stream + chat
    # A body that is too large to be kept is counted, and what follows it is not swallowed.
    writer.write(_request(body={"model": "m", "messages": "x" * 300_000}) + one)
    assert await reader.readexactly(2 * len(chat)) == chat + chat
    writer.close()
    await writer.wait_closed()


async def test_server_refuses_what_it_does_not_know(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(_request("/v1/moderations"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
    assert b"HTTP/1.1 411 " in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_server_breaks_refuses_and_keeps_its_pace(listening: Listening) -> None:
    client = Bare(listening.base_url)
    assert await client.chat(answers.SLOW) == answers.CHAT_TEXT
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await client.stream(answers.PACED) == answers.characters(answers.PACED_CHUNKS)
    assert loop.time() - begin > (answers.PACED_CHUNKS - 2) * answers.PACE_SECONDS
    with pytest.raises(ClientError, match="400"):
        await client.chat(answers.REFUSED)
    with pytest.raises(ConnectionError):
        await client.chat(answers.BROKEN)
    with pytest.raises(ConnectionError):
        await client.stream(answers.BROKEN)
    await client.close()


async def test_server_holds_answers_back_until_they_are_released(listening: Listening, control: Control) -> None:
    client = Bare(listening.base_url)
    task = asyncio.ensure_future(client.chat(answers.HELD))
    while not control.held():  # noqa: ASYNC110  (another process could not set an event either)
        await asyncio.sleep(0)
    assert not task.done()
    control.release()
    assert await task == answers.CHAT_TEXT
    assert control.held() == 0
    assert control.cpu() > 0
    await client.close()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ChatCompletion, answers.chat_completion(3)),
        (ChatCompletionChunk, answers.chunk(0)),
        (Response, answers.response()),
        (FileObject, answers.files()["data"][0]),
        (CreateEmbeddingResponse, answers.embeddings(as_base64=False)),
        (ResponseTextDeltaEvent, answers.text_delta(0)),
        (ResponseDoneEvent, answers.response_done(1)),
        (InputAudioBufferCommittedEvent, answers.committed(1)),
    ],
)
def test_answers_are_what_the_api_sends(kind: Any, value: dict[str, Any]) -> None:
    # As strict as can be: an answer that only the lenient path takes would measure the wrong one.
    msgspec.convert(json.loads(json.dumps(value)), kind)


def test_the_stream_has_the_chunks_it_promises() -> None:
    body = b"".join(answers.stream_pieces())
    assert body.count(b"data: {") == answers.STREAM_CHUNKS == 1_000
    assert body.count(b"data: [DONE]") == 1
    texts = [answers.chunk(index)["choices"][0]["delta"].get("content", "") for index in range(answers.STREAM_CHUNKS)]
    assert len("".join(texts)) == answers.expected("stream", answers.MODEL)


# Clients


async def _all_operations(name: str, listening: Listening, *, without: frozenset[str] = frozenset()) -> set[str]:
    """Do what the client can do, check the answers; what it did."""
    client = CLIENTS[name].load()(listening.base_url)
    done: set[str] = set()
    for one in get_args(Operation):
        try:
            method = operation(client, one)
        except UnsupportedError:
            continue
        if one not in without:
            assert await method() == answers.expected(one, answers.MODEL), one
            done.add(one)
    if "socket_events" in done:
        assert await operation(client, "socket_events")(answers.SLOW) == answers.expected("socket_events", answers.SLOW)
    await client.close()
    return done


async def test_aiopenai_gives_the_right_answers(listening: Listening) -> None:
    from aiopenai.types import Embedding

    without = frozenset[str]() if hasattr(Embedding, "as_array") else frozenset({"embed_buffers"})
    assert await _all_operations(SUBJECT, listening, without=without) == set(get_args(Operation)) - without


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("tuned", {"chat", "stream", "upload", *SOCKET_OPERATIONS}),
        ("naive", set(get_args(Operation))),
        ("bare", {"chat", "stream", "upload", *SOCKET_OPERATIONS}),
        ("encode", {"upload"}),
        ("sent", {"upload"}),
    ],
)
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # as naive as can be
async def test_handwritten_clients_give_the_right_answers(
    name: str, operations: set[str], listening: Listening
) -> None:
    assert await _all_operations(name, listening) == operations


@pytest.mark.parametrize("name", ["tuned", "naive", "bare"])
async def test_handwritten_clients_check_the_status(name: str, listening: Listening) -> None:
    lost = CLIENTS[name].load()(f"http://127.0.0.1:{listening.port}/elsewhere")
    for one in ("chat", "stream"):
        with pytest.raises(ClientError, match="404"):
            await operation(lost, one)()
    await lost.close()


@needs_reference
@pytest.mark.parametrize("name", ["openai", "openai-aiohttp"])
async def test_the_reference_gives_the_right_answers(name: str, listening: Listening) -> None:
    # Those left out take the reference seconds.
    done = await _all_operations(name, listening, without=frozenset({"upload", "logprobs", "embed_floats"}))
    assert {"chat", "stream", "embed_lists", "respond", "list_files", "agent_loop", *SOCKET_OPERATIONS} <= done


@pytest.mark.skipif(importlib.util.find_spec("liter_llm") is None, reason="liter-llm is missing")
async def test_liter_llm_gives_the_right_answers(listening: Listening) -> None:
    assert await _all_operations("liter-llm", listening) == {"chat", "stream"}


@pytest.mark.skipif(importlib.util.find_spec("openai_oxide") is None, reason="openai-oxide is missing")
async def test_openai_oxide_gives_the_right_answers(listening: Listening) -> None:
    assert await _all_operations("oxide", listening) == {"chat"}


async def _results_of_node(operation: Operation) -> RowResult:
    row = Row("x", "x", ("node",), operation=operation, concurrency=2, least=2, subject="node")
    return (await runner.run([row], TINY)).rows[0]


@pytest.mark.skipif(node_worker.version() is None, reason="node or its SDK is missing")
@pytest.mark.parametrize("name", ["chat", "stream"])
async def test_the_sdk_for_node_gives_the_right_answers(name: Operation) -> None:
    result = await _results_of_node(name)
    assert result.errors == {}
    assert [sample is not None and sample.calls >= 4 and sample.cpu > 0 for sample in result.samples["node"]] == [
        True,
        True,
    ]


@pytest.mark.skipif(node_worker.version() is None, reason="node or its SDK is missing")
async def test_the_sdk_for_node_says_what_it_does_not_do() -> None:
    result = await _results_of_node("upload")
    assert "no lanes of upload" in result.errors["node"]


async def test_without_node_the_report_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = await _results_of_node("chat")
    assert result.errors == {"node": "node is missing"}


def test_a_client_says_what_it_cannot_do() -> None:
    with pytest.raises(UnsupportedError, match="Bare has no respond"):
        operation(Bare("http://127.0.0.1:1/v1"), "respond")


@pytest.mark.parametrize(("name", "loads"), [("naive", True), (SUBJECT, False)])
async def test_contexts_are_loaded_for_calls_and_not_for_a_pool(name: str, loads: bool, listening: Listening) -> None:
    client = CLIENTS[name].load()(listening.base_url)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await operation(client, "agent_loop")() == answers.AGENT_CALLS
    taken = loop.time() - begin
    await client.close()
    assert (taken > (answers.AGENT_CALLS - 1) * answers.CONTEXT_SECONDS) == loads


@pytest.mark.parametrize("name", ["aiopenai", "bare"])
async def test_many_sockets_report_losses(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    # This process keeps its cores.
    monkeypatch.setattr(process, "settle", lambda _: None)
    assert await many_sockets.measure(name, 3, 20, 1) == 0
    assert f"{name}: 3 sockets, 20 events/s for 1 s: 60 events, 0 sockets with a loss" in capsys.readouterr().out
    monkeypatch.setattr(answers, "characters", lambda _: -1)
    assert await many_sockets.measure(name, 2, 20, 1) == 1


# Drivers


def _maker(name: str, listening: Listening) -> Callable[[], Any]:
    factory = CLIENTS[name].load()
    return lambda: factory(listening.base_url)


@pytest.mark.parametrize(
    ("turn", "calls", "more"),
    [
        (replace(TURN, concurrency=3), 6, {"p50", "p99"}),
        (replace(TURN, operation="stream", per=1_000), 2_000, {"p50", "p99"}),
        (replace(TURN, driver="flood", model=answers.SLOW, concurrency=9), 9, {"errors"}),
        (replace(TURN, driver="paced", concurrency=2, count=5, seconds=0.02), 5, {"p50", "p99"}),
        (replace(TURN, driver="scheduled", concurrency=2, count=5, seconds=0.02), 5, {"p50", "p99", "p999"}),
        (
            replace(TURN, driver="paced", operation="socket_events", concurrency=3, count=3, seconds=0.02, per=1_000),
            3_000,
            {"p50", "p99"},
        ),
        (replace(TURN, driver="heavy"), 3, {"blocked"}),
        (replace(TURN, driver="construct", seconds=60.0), 200, set[str]()),
        (replace(TURN, driver="first"), 1, set[str]()),
        (replace(TURN, driver="memory", model=answers.HELD, concurrency=5), 5, {"rss"}),
        (replace(TURN, driver="soak", count=300), 270, {"growth", "sockets", "left"}),
    ],
    ids=lambda value: value.driver if isinstance(value, Turn) else "",
)
def test_drivers(turn: Turn, calls: int, more: set[str], listening: Listening, control: Control) -> None:
    sample = drive(turn, _maker(SUBJECT, listening), control, blocking=False)
    assert sample.calls == calls
    assert sample.wall > 0
    on_linux = sys.platform == "linux"
    assert set(sample.more) - {"server"} == (more if on_linux else more - {"rss", "growth", "sockets", "left"})
    assert sample.more.get("errors", 0) == 0
    assert sample.more.get("left", 0) == 0
    assert set(sample.more) <= set(UNITS)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_blocking_clients_are_driven_in_threads(concurrency: int, listening: Listening, control: Control) -> None:
    turn = replace(TURN, concurrency=concurrency)
    sample = drive(turn, _maker("aiopenai-blocking", listening), control, blocking=True)
    assert sample.calls == 2 * concurrency
    sample = drive(replace(turn, operation="stream"), _maker("aiopenai-blocking", listening), control, blocking=True)
    assert sample.calls == 2 * concurrency


class _Fake:
    """A client that needs no server and has but one answer."""

    def __init__(self) -> None:
        self.closed = False

    async def chat(self, model: str = "") -> str:
        return "no"

    stream = chat

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("driver", ["lanes", "paced", "heavy", "flood", "soak"])
def test_a_turn_that_gets_the_wrong_answer_has_no_time_and_closes_its_client(driver: str, control: Control) -> None:
    made: list[_Fake] = []

    def make() -> _Fake:
        made.append(_Fake())
        return made[-1]

    with pytest.raises(WrongAnswerError, match="gave 'no'"):
        drive(replace(TURN, driver=driver, count=100), make, control, blocking=False)
    assert [client.closed for client in made] == [True]


def test_a_wave_that_fails_while_warming_up_is_tried_again(control: Control) -> None:
    class Hesitant(_Fake):
        calls = 0

        async def chat(self, model: str = "") -> str:
            self.calls += 1
            if self.calls == 4:
                raise TimeoutError
            return answers.CHAT_TEXT

    client = Hesitant()
    # Two calls, a wave of three with the failure, another wave, and what is timed.
    assert drive(replace(TURN, concurrency=3), lambda: client, control, blocking=False).calls == 6
    assert client.calls == 2 + 3 + 3 + 6


def test_a_failure_that_does_not_happen_is_found_out() -> None:
    class Unshakable(_Fake):
        async def chat(self, model: str = "") -> str:
            return answers.CHAT_TEXT

    async def one() -> None:
        await drivers._one_way_or_another(Unshakable().chat, drivers._FAILED, drivers.random.Random(1))

    with pytest.raises(WrongAnswerError, match="did not fail"):
        asyncio.run(one())


async def test_the_watch_sees_what_keeps_the_loop() -> None:
    with drivers._watch() as longest:
        await asyncio.sleep(0)
        end = drivers.time.perf_counter() + 0.02
        while drivers.time.perf_counter() < end:
            pass
        await asyncio.sleep(0)
    assert longest[0] >= 0.02


# Rows and figures


def test_every_row_names_known_clients_and_measures() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert row.subject in row.clients
        assert set(row.clients) <= set(row.scripts if row.driver == "script" else CLIENTS)
        assert row.driver == "script" or row.driver in drivers.ASYNC
        assert {*row.measures, *(budget.measure for budget in row.budgets)} <= set(UNITS)
        for budget in row.budgets:
            assert budget.rival is None or budget.rival in row.clients
        assert FULL.clients_of(row) == row.clients
        turns = sum(FULL.turns_of(row, number) for number in range(1, FULL.rounds + 1))
        assert turns >= 5 or row.driver == "soak"
    # A quick run looks at the subject beside somebody wherever it looks at all.
    assert all(len(QUICK.clients_of(row)) != 1 for row in ROWS if row.driver != "soak")
    with pytest.raises(ValueError, match="rival"):
        Budget("faster", 1, "cpu")


def test_ratios_pair_neighbouring_turns() -> None:
    fast = [Sample(10, 1.0, 0.5), None, Sample(10, 2.0, 1.0, {"rss": 2.0})]
    slow = [Sample(5, 1.0, 1.0), Sample(5, 9.0, 9.0), Sample(5, 4.0, 4.0, {"rss": 5.0})]
    result = ratios(slow, fast, "wall")
    assert result is not None
    assert result.values == (2.0, 4.0)
    assert (result.median, result.low, result.high) == (3.0, 2.5, 3.5)
    cpu = ratios(slow, fast, "cpu")
    assert cpu is not None
    assert cpu.values == (4.0, 8.0)
    rss = ratios(slow, fast, "rss")
    assert rss is not None
    assert rss.values == (2.5,)
    assert ratios([], fast, "wall") is None
    assert measured(fast, "growth") is None
    assert spread([]) is None
    one = spread([7.0])
    assert one is not None
    assert one.low == one.high == 7.0
    assert (percentile([3, 1, 2], 0.5), percentile([3, 1, 2], 0.99)) == (2, 3)


def _result(budget: Budget, subject: float, rival: float | None, error: str = "OSError: gone") -> RowResult:
    row = Row("x", "a row", (SUBJECT, "tuned"), budgets=(budget,))
    samples: dict[str, list[Sample | None]] = {
        SUBJECT: [Sample(1, subject, subject, {"server": 99.0})],
        "tuned": [None if rival is None else Sample(1, rival, rival)],
    }
    return RowResult(row, samples, {} if rival is not None else {"tuned": error})


def _document(*results: RowResult) -> dict[str, Any]:
    return report.as_document(Results(TINY, Cores(None, None), "asyncio", results))


@pytest.mark.parametrize(
    ("budget", "subject", "rival", "expected"),
    [
        (faster(2, "tuned"), 2.0, 4.0, (2.0, True)),
        (faster(2, "tuned", "wall"), 2.0, 3.8, (1.9, False)),
        (within(1.25, "tuned"), 1.2, 1.0, (1.2, True)),
        (within(1.25, "tuned"), 1.3, 1.0, (1.3, False)),
        (under(200, "wall"), 150e-6, None, (150.0, True)),
        (under(200, "wall"), 250e-6, None, (250.0, False)),
        (faster(9, "tuned"), 1.0, None, None),
        (under(5, "growth"), 1.0, None, None),
    ],
)
def test_budgets_are_judged_on_the_median(
    budget: Budget, subject: float, rival: float | None, expected: tuple[float, bool] | None
) -> None:
    result = _result(budget, subject, rival)
    assert report.verdict(result, budget) == (None if expected is None else (pytest.approx(expected[0]), expected[1]))
    document = _document(result)
    mark = "----" if expected is None else "PASS" if expected[1] else "FAIL"
    assert f"[{mark}]" in report.as_text(document)
    assert f"| {mark} |" in report.as_markdown(document)
    assert ("OSError: gone" in report.as_text(document)) is (rival is None)
    assert "server was busy for 99%" in report.as_text(document)


def test_what_is_written_tells_nothing_of_the_machine_but_its_kind() -> None:
    error = "ImportError: cannot import name x from y (/home/somebody/y/__init__.py), http://127.0.0.1:9/v1"
    text = json.dumps(_document(_result(faster(1, "tuned"), 1.0, None, error)))
    assert "somebody" not in text
    assert "cannot import name x from y (...), http://127.0.0.1:9/v1" in text
    assert str(process.ROOT) not in text


@pytest.mark.parametrize(
    ("value", "measure", "text"),
    [(12.34, "cpu", "12.3 us"), (12_345, "wall", "12.3 ms"), (2.5e6, "p99", "2.50 s"), (3, "errors", "3")],
)
def test_figures_have_units(value: float, measure: str, text: str) -> None:
    assert report.shown(value, measure) == text


# The check


def test_a_ratio_that_got_worse_is_found() -> None:
    budget = faster(1, "tuned")
    then = _document(_result(budget, 1.0, 4.0))
    assert check.losses(_document(_result(budget, 1.0, 3.5)), then) == []
    assert check.losses(_document(_result(budget, 1.0, 9.0)), then) == []
    (loss,) = check.losses(_document(_result(budget, 1.0, 3.3)), then)
    assert str(loss) == "x: cpu of tuned was 4.00 x aiopenai's and is 3.30 x (-18%)"
    # The rival may be missing where it is not installed; the subject may not.
    assert check.losses(_document(_result(budget, 1.0, None)), then) == []
    broken = _result(budget, 1.0, 4.0)
    broken.samples[SUBJECT] = [None]
    broken.errors[SUBJECT] = "TypeError: no"
    assert [loss.now for loss in check.losses(_document(broken), then)] == [0.0]
    assert check.losses(then, {"rows": []}) == []


@pytest.mark.parametrize(("now", "again", "code"), [(3.9, 3.9, 0), (3.0, 3.9, 0), (3.0, 3.0, 1)])
def test_what_looks_slower_is_measured_again(
    now: float, again: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    budget = faster(1, "tuned")
    command.write(_document(_result(budget, 1.0, 4.0)), tmp_path)
    runs = [Results(TINY, Cores(None, None), "", (_result(budget, 1.0, rival),)) for rival in (now, again)]
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "_measure", lambda rows, plan: runs.pop(0))
    before = (tmp_path / "results.json").read_text()
    assert command.main(["--quick", "--check"]) == code
    assert len(runs) == (1 if now > 3.4 else 0)
    assert ("slower: x: cpu of tuned" in capsys.readouterr().err) is bool(code)
    assert (tmp_path / "results.json").read_text() == before


def test_a_check_without_a_common_ratio_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    command.write(_document(_result(faster(1, "tuned"), 1.0, 4.0)), tmp_path)
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "_measure", lambda rows, plan: Results(TINY, Cores(None, None), "", ()))
    assert command.main(["--quick", "--check"]) == 1
    assert "nothing to check" in capsys.readouterr().err


def test_nothing_to_check_against_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "_measure", lambda rows, plan: Results(TINY, Cores(None, None), "", ()))
    assert command.main(["--quick", "--check"]) == 1


def test_a_full_run_writes_the_results_and_a_quick_one_only_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results")
    results = Results(TINY, Cores(0, 1), "uvloop", (_result(faster(1, "tuned"), 1.0, 4.0),))
    monkeypatch.setattr(command, "_measure", lambda rows, plan: results)
    assert command.main(["--quick", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["clients"]["tuned"]["samples"]
    assert command.main(["--row", "chat-1"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert command.main(["--quick", "--out", str(tmp_path / "elsewhere")]) == 0
    assert command.main([]) == 0
    for folder in ("elsewhere", "results"):
        assert "4.00" in (tmp_path / folder / "table.md").read_text()
        assert "samples" not in (tmp_path / folder / "results.json").read_text()


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is missing")
def test_pictures(tmp_path: Path) -> None:
    # In a process of its own: matplotlib warns of things that are not ours, and warnings are errors here.
    def row(name: str, concurrency: int, costs: dict[str, float]) -> RowResult:
        samples: dict[str, list[Sample | None]] = {
            client: [Sample(1, cost / 1e6, cost / 1e6)] for client, cost in costs.items()
        }
        return RowResult(Row(name, name, tuple(costs), concurrency=concurrency), samples)

    chats = [row(f"chat-{count}", count, {SUBJECT: 50.0, "naive": 51.0, "openai": 1e3}) for count in (1, 100, 1000)]
    events = row("socket-events", 1, {SUBJECT: 1.25, "openai": 37.0})
    document = _document(*chats, row("stream", 1, {SUBJECT: 2e3, "openai": 9e4}), events)
    (tmp_path / "results.json").write_text(json.dumps(document))
    code = (
        "import json, pathlib, sys; from benchmarks import pictures; folder = pathlib.Path(sys.argv[1]);"
        "pictures.draw(json.loads((folder / 'results.json').read_text()), folder)"
    )
    drawn: list[dict[str, str]] = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=process.environment())
        drawn.append({path.name: path.read_text() for path in tmp_path.glob("*.svg")})
    assert set(drawn[0]) == {"cost-per-call.svg", "cost-per-chunk.svg", "cost-per-event.svg"}
    # The rows of streams count 1,000 chunks, those of websockets each event.
    for name, figure in (("cost-per-chunk.svg", "90"), ("cost-per-event.svg", "37")):
        assert f">{figure}<" in drawn[0][name]
    # The same figures give the same files: a new run shows in a diff what has changed.
    assert drawn[0] == drawn[1]
    assert all("aiopenai" in text for text in drawn[0].values())
    for text in drawn[0].values():
        assert "logarithmic scale" in text
        # The machine and the versions, and nothing that a dark page would show as a white box.
        assert platform.python_version() in text
        assert "fill: #ffffff" not in text


# Processes


def test_children_see_no_setting_that_tilts_a_client() -> None:
    env = process.environment({"PATH": "x", "OPENAI_BASE_URL": "y", "https_proxy": "z", "NO_PROXY": "w"})
    assert set(env) == {"PATH", "PYTHONPATH"}
    assert process.environment({}, trusting=Path("a"))["SSL_CERT_FILE"] == "a"


async def test_a_child_that_ends_is_an_error_with_its_exit_code() -> None:
    child = await Child.start("benchmarks.worker", "nobody")
    with pytest.raises(ChildError, match=r"benchmarks\.worker nobody: ended with exit code 2"):
        await child.receive(60)
    assert child.lost
    await child.stop()


async def test_a_run_end_to_end() -> None:
    rows = [
        Row("chat", "chat, two at once", (SUBJECT, "bare"), concurrency=2, budgets=(faster(1, "bare"),)),
        Row("secure", "chat over TLS", (SUBJECT, "naive"), tls=True, least=2),
        Row("files", "a list", (SUBJECT, "bare"), operation="list_files", fresh=True),
        Row("soak", "soak", (SUBJECT,), driver="soak", count=10_000, measures=("growth",), fresh=True),
        Row("script", "a script", ("this",), driver="script", subject="this", scripts={"this": "import this_is_not"}),
        Row("script2", "a script", ("this",), driver="script", subject="this", scripts={"this": "import json; URL"}),
    ]
    seen: list[str] = []
    results = await runner.run(rows, TINY, seen.append)
    chat, secure, files, soak, script, script2 = results.rows
    for name in (SUBJECT, "bare"):
        assert [sample is not None and sample.calls >= 20 for sample in chat.samples[name]] == [True, True]
    for name in (SUBJECT, "naive"):
        assert [sample is not None and sample.calls >= 2 for sample in secure.samples[name]] == [True, True]
    # A client that cannot do a row says so and leaves the others alone.
    assert files.samples["bare"] == [None, None]
    assert "Bare has no list_files" in files.errors["bare"]
    assert None not in files.samples[SUBJECT]
    assert [sample is not None and sample.calls for sample in soak.samples[SUBJECT]] == [9]
    assert "this_is_not" in script.errors["this"]
    assert script2.errors == {}
    text = report.as_text(report.as_document(results))
    assert "chat, two at once" in text
    document = json.loads(json.dumps(report.as_document(results, samples=True)))
    assert [row["name"] for row in document["rows"]] == [row.name for row in rows]
    assert document["rows"][0]["clients"]["bare"]["figures"]["wall"]["median"] > 0
    assert seen


# Scale and load


async def test_a_job_reports_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    await scale.run_map(50, 5)
    counts = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert counts == [str(number) for number in range(0, 51, 5)]


async def test_streams_report_how_late_their_events_are(capsys: pytest.CaptureFixture[str]) -> None:
    await scale.run_streams(4, 0.2, 0.1)
    out = capsys.readouterr().out
    assert "4 streams, an event every 0.1 s in each, 0.2 s: 12 events" in out
    assert "latest" in out


def test_flights_are_rows_of_the_suite() -> None:
    rows = list(scale.flight_rows((1, 20_000)))
    assert [(row.concurrency, row.clients) for row in rows] == [
        (1, ("aiopenai", "naive", "bare")),
        (20_000, ("aiopenai", "naive", "bare")),
    ]


async def test_latency_is_reported_at_each_share_of_the_throughput(capsys: pytest.CaptureFixture[str]) -> None:
    await load.compare(["bare"], seconds=0.05, calibration=0.01)
    out = capsys.readouterr().out
    assert [word for word in out.split() if word.endswith("%")] == ["50%", "90%"]
    assert "bare asyncio protocol" in out


def test_missed_budgets_are_listed_first() -> None:
    missed = _document(_result(faster(9, "tuned"), 1.0, 2.0))
    assert report.missed(missed)[0] == "Missed in this run:"
    assert "- " + missed["rows"][0]["title"] in report.missed(missed)[2]
    assert report.missed(_document(_result(faster(1, "tuned"), 1.0, 2.0))) == ["All budgets hold in this run."]


def test_the_readme_lists_the_budgets_that_the_committed_run_missed() -> None:
    document = json.loads((command.RESULTS / "results.json").read_text(encoding="utf-8"))
    readme = " ".join((process.ROOT / "README.md").read_text(encoding="utf-8").split())
    for line in report.missed(document)[2:]:
        assert line.removeprefix("- ") in readme
