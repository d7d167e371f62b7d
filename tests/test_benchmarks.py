"""The benchmark suite's pieces work and tell the truth; how fast anything is, is not tested here."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from benchmarks import answers, process, report, runner, server, worker
from benchmarks.clients import CLIENTS, ClientError
from benchmarks.process import Child, ChildError, Cores
from benchmarks.rows import FULL, IMPORTS, QUICK, ROWS, SUBJECT, Budget, Plan, Row
from benchmarks.runner import Results, RowResult
from benchmarks.stats import Sample, ratios, spread

TINY = Plan(rounds=1, turns=2, seconds=0.001, imports=1)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = await server.start()
    yield server.port_of(listening)
    listening.close()
    await listening.wait_closed()


def _request(path: str = "/v1/chat/completions", *, stream: bool = False) -> bytes:
    body = json.dumps(answers.question(stream=stream)).encode()
    return f"POST {path} HTTP/1.1\r\nHost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


# Server


async def test_server_answers_requests_in_pieces_and_several_at_once(port: int) -> None:
    chat, stream = answers.chat_answer(), answers.stream_answer()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    one = _request()
    for cut in (1, 20, len(one) - 1):
        writer.write(one[:cut])
        await writer.drain()
        writer.write(one[cut:])
        assert await reader.readexactly(len(chat)) == chat
    writer.write(_request() + _request(stream=True) + _request())
    assert await reader.readexactly(2 * len(chat) + len(stream)) == chat + stream + chat
    writer.close()
    await writer.wait_closed()


async def test_server_refuses_what_it_does_not_know(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request("/v1/embeddings"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 404 ")
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
    assert b"HTTP/1.1 411 " in await reader.read()
    writer.close()
    await writer.wait_closed()


def test_the_stream_has_the_chunks_it_promises() -> None:
    body = answers.stream_answer()
    assert body.count(b"data: {") == answers.STREAM_CHUNKS == 1_000
    assert body.count(b"data: [DONE]") == 1
    texts = [answers.chunk(index)["choices"][0]["delta"].get("content", "") for index in range(answers.STREAM_CHUNKS)]
    assert len("".join(texts)) == answers.STREAM_CHARACTERS


# Clients and turns


@pytest.mark.parametrize("name", ["tuned", "naive"])
async def test_a_handwritten_client_gives_the_whole_answer_and_checks_the_status(name: str, port: int) -> None:
    factory = CLIENTS[name].load()
    client = factory(f"http://127.0.0.1:{port}/v1")
    assert await client.chat() == answers.CHAT_TEXT
    assert await client.stream() == answers.STREAM_CHARACTERS
    await client.close()
    lost = factory(f"http://127.0.0.1:{port}/elsewhere")
    with pytest.raises(ClientError, match="404"):
        await lost.chat()
    with pytest.raises(ClientError, match="404"):
        await lost.stream()
    await lost.close()


async def test_the_bare_client_gives_the_whole_answer_and_checks_the_status(port: int) -> None:
    factory = CLIENTS["bare"].load()
    client = factory(f"http://127.0.0.1:{port}/v1")
    assert await client.chat() == answers.CHAT_TEXT
    await client.close()
    lost = factory(f"http://127.0.0.1:{port}/elsewhere")
    with pytest.raises(ClientError, match="404"):
        await lost.chat()
    await lost.close()


@pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="the reference is not installed")
async def test_the_reference_gives_the_whole_answer(port: int) -> None:
    client = CLIENTS["openai"].load()(f"http://127.0.0.1:{port}/v1")
    assert await client.chat() == answers.CHAT_TEXT
    assert await client.stream() == answers.STREAM_CHARACTERS
    await client.close()


class _Fake:
    """A client that needs no server."""

    def __init__(self, base_url: str) -> None:
        self.closed = False

    async def chat(self) -> str:
        return answers.CHAT_TEXT

    async def stream(self) -> int:
        return 1

    async def close(self) -> None:
        self.closed = True


def test_a_turn_makes_at_least_its_calls_and_closes_its_client() -> None:
    made: list[_Fake] = []

    def factory(base_url: str) -> _Fake:
        made.append(_Fake(base_url))
        return made[-1]

    sample = worker.take_turn(factory, "", "chat", 7, 0.0)
    assert sample.calls == 7 * 10
    assert sample.wall > 0
    sample = worker.take_turn(factory, "", "construct", 1, 60.0)
    assert sample.calls == 200
    assert all(client.closed for client in made)


def test_a_turn_that_gets_the_wrong_answer_has_no_time() -> None:
    with pytest.raises(worker.WrongAnswerError, match="1 characters"):
        worker.take_turn(_Fake, "", "stream", 1, 0.0)


# Rows and figures


def test_every_row_names_known_clients() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert SUBJECT in row.clients
        known = IMPORTS if row.workload == "import" else CLIENTS
        assert set(row.clients) <= set(known)
        for budget in row.budgets:
            if budget.rival is not None:
                # A budget that a quick run could not judge would pass unseen.
                assert budget.rival in QUICK.clients_of(row)
        assert FULL.clients_of(row) == row.clients
        assert FULL.turns_of(row) * FULL.rounds >= 5
    with pytest.raises(ValueError, match="rival"):
        Budget("throughput", 1)


def test_ratios_pair_neighbouring_turns() -> None:
    fast = [Sample(10, 1.0, 0.5), None, Sample(10, 2.0, 1.0)]
    slow = [Sample(5, 1.0, 1.0), Sample(5, 9.0, 9.0), Sample(5, 4.0, 4.0)]
    result = ratios(slow, fast, "wall")
    assert result is not None
    assert result.values == (2.0, 4.0)
    assert (result.median, result.low, result.high) == (3.0, 2.5, 3.5)
    cpu = ratios(slow, fast, "cpu")
    assert cpu is not None
    assert cpu.values == (4.0, 8.0)
    assert ratios([], fast, "wall") is None
    assert spread([]) is None
    one = spread([7.0])
    assert one is not None
    assert one.low == one.high == 7.0


def _result(budget: Budget, subject: float, rival: float | None) -> RowResult:
    row = Row("x", "a row", "chat", (SUBJECT, "tuned"), budgets=(budget,))
    samples: dict[str, list[Sample | None]] = {
        SUBJECT: [Sample(1, subject, subject)],
        "tuned": [None if rival is None else Sample(1, rival, rival)],
    }
    return RowResult(row, samples, {} if rival is not None else {"tuned": "OSError: gone"})


@pytest.mark.parametrize(
    ("budget", "subject", "rival", "expected"),
    [
        (Budget("throughput", 0.85, "tuned"), 2.0, 1.8, (0.9, True)),
        (Budget("throughput", 0.85, "tuned"), 2.0, 1.6, (0.8, False)),
        (Budget("time", 1.25, "tuned"), 1.2, 1.0, (1.2, True)),
        (Budget("time", 1.25, "tuned"), 1.25, 1.0, (1.25, False)),
        (Budget("time", 200), 150e-6, None, (150.0, True)),
        (Budget("time", 200), 250e-6, None, (250.0, False)),
        (Budget("throughput", 9, "tuned"), 1.0, None, None),
    ],
)
def test_budgets_are_judged_on_the_median(
    budget: Budget, subject: float, rival: float | None, expected: tuple[float, bool] | None
) -> None:
    result = _result(budget, subject, rival)
    assert report.verdict(result, budget) == (None if expected is None else (pytest.approx(expected[0]), expected[1]))
    text = report.as_text(Results(TINY, Cores(None, None), "", (result,)))
    mark = "----" if expected is None else "PASS" if expected[1] else "FAIL"
    assert f"[{mark}]" in text
    assert ("OSError: gone" in text) is (rival is None)


# Processes


def test_children_see_no_setting_that_tilts_a_client() -> None:
    env = process.environment({"PATH": "x", "OPENAI_BASE_URL": "y", "https_proxy": "z", "NO_PROXY": "w"})
    assert set(env) == {"PATH", "PYTHONPATH"}


async def test_a_child_that_ends_is_an_error_with_its_exit_code() -> None:
    child = await Child.start("benchmarks.worker", "nobody")
    with pytest.raises(ChildError, match=r"benchmarks\.worker nobody: ended with exit code 2"):
        await child.receive(60)
    await child.stop()


async def test_a_run_end_to_end() -> None:
    rows = [
        Row("chat", "chat, two at once", "chat", (SUBJECT, "tuned", "bare"), concurrency=2),
        Row("stream", "a stream", "stream", (SUBJECT, "bare"), unit="stream"),
        Row("import", "imports", "import", ("tuned",), unit="process"),
    ]
    seen: list[str] = []
    results = await runner.run(rows, TINY, seen.append)
    chat, stream, imports = results.rows
    for name in ("tuned", "bare"):
        assert [sample is not None and sample.calls >= 20 for sample in chat.samples[name]] == [True, True]
    # A client that cannot do a row says so and leaves the others alone.
    assert stream.samples["bare"] == [None, None]
    assert "no streams" in stream.errors["bare"]
    assert len(imports.samples["tuned"]) == 1
    text = report.as_text(results)
    assert "chat, two at once" in text
    document = json.loads(json.dumps(report.as_json(replace(results, plan=TINY))))
    assert [row["name"] for row in document["rows"]] == ["chat", "stream", "import"]
    assert document["rows"][0]["clients"]["bare"]["wall_us"]["median"] > 0
    assert seen
