"""`aiopenai bench`: its load, its figures and its reports, beside delays that are known."""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiopenai import AsyncOpenAI
from aiopenai._cli import bench_load
from aiopenai._cli.bench import prompts_of
from aiopenai._cli.bench_figures import figures_of, percentile
from aiopenai._cli.bench_html import html_report
from aiopenai._cli.bench_load import LoadLevel, LoadPlan, Sample, run_level
from aiopenai._cli.connection import CommandError
from aiopenai.testing import Server

Command = Callable[..., tuple[int, str, str]]
BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "one two three four five"}]}


def level(**options: Any) -> LoadLevel:
    return LoadLevel(
        **{"concurrency": None, "rate": None, "poisson": True, "seconds": 1.0, "requests": None, **options}
    )


async def test_times_are_those_of_the_server(server: Server, client: AsyncOpenAI) -> None:
    server.latency, server.token_delay = 0.05, 0.1
    run = level(concurrency=4, requests=4)
    await run_level(client, LoadPlan([BODY], stream=True, with_usage=True, seed=0), run)
    figures = figures_of(run)
    assert (figures["requests"], figures["errors"]) == (4, {})
    # The first event is the role, without a token. A busy machine is late and never early.
    assert 145 < figures["time_to_first_token_ms"]["p50"] < 1_000
    assert 95 < figures["time_between_tokens_ms"]["p50"] < 1_000
    assert figures["latency_ms"]["p50"] > 500
    assert figures["client_cpu"] > 0


async def test_latency_counts_from_the_scheduled_start(server: Server, client: AsyncOpenAI) -> None:
    server.latency = 0.05
    run = level(rate=200.0, poisson=False, requests=20)
    await run_level(client, LoadPlan([BODY], stream=False, with_usage=False, seed=0), run)
    first = min(run.samples, key=lambda sample: sample.scheduled)
    starts = sorted(sample.scheduled - first.scheduled for sample in run.samples)
    assert starts == pytest.approx([number / 200 for number in range(20)])
    # No request waits for another: more are in flight than one server after the other would allow.
    assert run.most_in_flight > 1
    # A level of less than a second is its own busiest second.
    assert run.busiest >= run.cpu > 0
    assert all(sample.total >= 0.05 + sample.late for sample in run.samples)


def test_poisson_has_the_rate_and_the_spread_of_its_name() -> None:
    run = level(rate=100.0, requests=20_000)
    starts = list(run.starts(7))
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert statistics.mean(gaps) == pytest.approx(0.01, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.01, rel=0.05)
    assert list(run.starts(7)) == starts != list(run.starts(8))
    assert all(at <= 1.0 for at in level(rate=100.0).starts(1))


def test_percentiles() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0, 5.0], share) for share in (0, 50, 75, 90, 100)] == [1, 3, 4, 4.6, 5]
    assert percentile([7.0], 99) == 7.0


def test_errors_are_counted_by_kind(local: Server, command: Command) -> None:
    chats = 0

    def odd(request: Any) -> bool:
        nonlocal chats
        chats += 1
        # The first request examines the server.
        return chats % 2 == 0

    local.fault(status=429, times=None, match=odd)
    code, out, _ = command("bench", "--model", "m", "--concurrency", "2", "--requests", "6", "--json")
    assert code == 0
    (figures,) = json.loads(out)["levels"]
    assert figures["requests"] == 6
    assert [(kind.split()[0], error["count"]) for kind, error in figures["errors"].items()] == [("RateLimitError", 3)]


def test_table_and_report(local: Server, command: Command, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, out, err = command(
        *("bench", "--model", "<m>", "--concurrency", "1,3", "--requests", "6", "--prompt-words", "3"),
        *("--html", str(page), "--max-tokens", "5", "--extra-body", '{"top_k": 1}'),
    )
    assert code == 0, err
    assert "1 at a time" in out
    assert "3 at a time" in out
    body = local.journal[-1].json()
    assert (body["top_k"], body["max_tokens"], body["stream_options"]) == (1, 5, {"include_usage": True})
    text = page.read_text(encoding="utf-8")
    assert "&lt;m&gt;" in text
    assert "<m>" not in text
    assert "http" not in text.replace(local.base_url, "")
    pictures = [part + "</svg>" for part in text.split("</svg>")[:-1]]
    assert len(pictures) == 7
    for picture in pictures:
        ElementTree.fromstring(picture[picture.index("<svg") :])


def test_server_without_stream_options(local: Server, command: Command) -> None:
    local.fault(status=400, times=None, match=lambda request: b"stream_options" in request.body)
    code, out, _ = command("bench", "--model", "m", "--concurrency", "1", "--requests", "2", "--json")
    assert code == 0
    assert json.loads(out)["levels"][0]["tokens_per_second"] > 0


def test_whole_answers_at_a_rate(local: Server, command: Command) -> None:
    code, out, _ = command("bench", "--model", "m", "--rate", "100", "--requests", "5", "--no-stream", "--json")
    (figures,) = json.loads(out)["levels"]
    assert code == 0
    assert (figures["arrivals"], figures["time_to_first_token_ms"], figures["requests"]) == ("poisson", None, 5)


def test_wrong_model_is_found_before_the_load(local: Server, command: Command) -> None:
    local.fault(status=404)
    code, _, err = command("bench", "--model", "m")
    assert code == 1
    assert "NotFoundError" in err
    assert local.request_count == 1


def test_says_when_the_client_is_the_limit() -> None:
    run = level(concurrency=1)
    # Half a core on average, with the start and the end, and a whole one in between.
    run.samples, run.lags, run.wall, run.cpu, run.busiest = [Sample(0.0)], [0.0], 1.0, 0.5, 0.97
    figures = figures_of(run)
    assert figures["client_is_limit"]
    page = html_report({"server": "s"}, ("level",), [("one",)], [(run, figures)])
    assert "The client is the limit at 1 at a time" in page
    run.busiest = 0.6
    assert not figures_of(run)["client_is_limit"]
    run.lags = [0.05]
    assert figures_of(run)["client_is_late"]


async def test_the_busiest_second_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    used = iter([0.0, 0.2, 1.1, 1.2])
    clocks = types.SimpleNamespace(perf_counter=lambda: next(seconds) * 0.5, process_time=lambda: next(used))
    monkeypatch.setattr(bench_load, "time", clocks)
    run = level(concurrency=1)
    # The clock runs half a second at each look: 0.2, 0.9 and 0.1 of a core follow each other. Then `used` has ended.
    with pytest.raises(RuntimeError, match="StopIteration"):
        await bench_load._watch(run)
    assert run.busiest == pytest.approx(0.9)


def test_prompts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    messages = [{"role": "user", "content": "b"}]
    lines = ["plain", "", json.dumps("two\nlines"), json.dumps({"messages": messages})]
    path.write_text("\n".join([*lines, json.dumps({"body": {"messages": messages}})]), encoding="utf-8")
    found = prompts_of(argparse.Namespace(prompts=path))
    assert [each[0]["content"] for each in found] == ["plain", "two\nlines", "b", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "line 1 is not JSON"),
        (b'{"a": 1}', "without a list `messages`"),
        (b"\n", "has no prompts"),
        (b"\xff", "cannot be read"),
    ],
    ids=["json", "object", "empty", "encoding"],
)
def test_bad_prompts(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=words):
        prompts_of(argparse.Namespace(prompts=path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "0"], "argument --rate: "),
        (["--concurrency", "1,x"], "argument --concurrency: "),
        (["--rate", "1", "--concurrency", "1"], "not allowed with argument"),
        (["--extra-body", "[]"], "argument --extra-body: "),
    ],
    ids=["rate", "concurrency", "both", "body"],
)
def test_bad_usage(arguments: list[str], words: str, command: Command) -> None:
    code, _, err = command("bench", "--model", "m", *arguments)
    assert code == 2
    assert words in err
