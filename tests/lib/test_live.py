"""Transcript groupers: the reference's segments for the same events, handlers, timers and refusals."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import random
import re
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from aiopenai import OpenAIError
from aiopenai._data.codec import Decoder
from aiopenai.lib import live
from aiopenai.lib.live import AsyncTranscriptGrouper, TranscriptGrouper, groupers
from aiopenai.lib.live import timing as own_timing
from aiopenai.types.live import ServerEvent

KINDS = {"user": "session.input_transcript.delta", "assistant": "session.output_transcript.delta"}
_ids = iter(range(10**9))


def said(speaker: str, text: Any, start: Any, end: Any, **fields: Any) -> Any:
    given = {"event_id": f"e{next(_ids)}", "type": KINDS[speaker], "delta": text, "start_ms": start, "end_ms": end}
    return SimpleNamespace(**{**given, **fields})


class Clock:
    """The clock of a grouper, which a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now / 1000


def record(grouper: Any) -> list[tuple[Any, ...]]:
    """The updates of a grouper as they arrive, with ids that do not depend on other groupers."""
    seen: list[tuple[Any, ...]] = []

    def plain(segment: Any) -> tuple[Any, ...]:
        values = dataclasses.astuple(segment)
        return tuple(re.sub(r"^segment_\d+_", "", each) if isinstance(each, str) else each for each in values)

    grouper.on("segment.updated", lambda segment: seen.append(plain(segment)))
    grouper.on("segment.closed", lambda event: seen.append((event.reason, *plain(event.segment))))
    return seen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(own_timing, "time", clock)
    return clock


def segments(events: list[Any], **options: Any) -> list[tuple[Any, ...]]:
    """The updates for events that arrive at once, and a close."""
    with TranscriptGrouper(**options) as grouper:
        seen = record(grouper)
        for event in events:
            grouper.push(event)
    return seen


# The reference's own updates


class Driven:
    """A grouper of the reference or of aiopenai without threads: its timer fires when the clock gets there."""

    def __init__(self, grouper: Any, state: Any, clock: Clock) -> None:
        self.grouper, self.state, self.clock = grouper, state, clock
        self.seen = record(grouper)

    def until(self, now: float, tick: Callable[[], Any]) -> None:
        """Lets the clock go on to a time, with all ticks that are due before."""
        while (delay := self.state.delay()) is not None and self.clock.now + delay <= now:
            self.clock.now += delay
            tick()
        self.clock.now = max(self.clock.now, now)


def conversation(seed: int) -> Iterator[tuple[float, Any]]:
    """Events of two people at random, with the time from one to the next."""
    chance = random.Random(seed)
    words = ["mhm", "Yes.", " uh-huh ", "hello", "O", "kay!", " there", "…", "mm", " hmm", "é", "\ufeffright", ""]
    at = 0
    for _ in range(40):
        at = max(0, at + chance.choice([0, 0, 40, 200, 600, 1500, 2500, -300 if chance.random() < 0.2 else 100]))
        length = chance.choice([0, 80, 80, 300, 900, 1200])
        speaker = chance.choice(["user", "user", "assistant"])
        wait = chance.choice([0.0, 0.0, 20.0, 60.0, 500.0, 1999.5, 2600.0])
        yield wait, said(speaker, chance.choice(words), at, at + length)
        if chance.random() < 0.2:
            other = "assistant" if speaker == "user" else "user"
            yield 10.0, said(other, chance.choice(words), at, at + length)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"min_turn_separation_ms": 0, "additional_acknowledgments": ["Oh-Kay", " O ", "!"]},
    {"backchannel_max_duration_ms": 0},
    {"assistant_silence_ms": 700.5, "backchannel_isolation_ms": 300.25, "min_turn_separation_ms": 99.9},
]


@pytest.mark.parametrize("options", OPTIONS, ids=["defaults", "phrases", "nothing-dropped", "fractions"])
def test_updates_are_those_of_the_reference(clock: Clock, monkeypatch: pytest.MonkeyPatch, options: Any) -> None:
    reference = pytest.importorskip("openai.lib.live", reason="the reference SDK is not installed")
    module = pytest.importorskip("openai.lib.live._transcript_grouper")
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(reference.TranscriptGrouper, "_schedule", lambda self: None)
    monkeypatch.setattr(groupers._Grouper, "_set_timer", lambda self: None)
    reasons: set[str] = set()
    for seed in range(120):
        made = reference.TranscriptGrouper(**options), TranscriptGrouper(**options)
        results: list[Any] = []
        for grouper in made:
            clock.now = 1000.0
            theirs = grouper is made[0]
            driven = Driven(grouper, grouper._state if theirs else grouper._turns, clock)

            def tick(driven: Driven = driven) -> None:
                driven.grouper._updates.extend(driven.state.tick())
                (driven.grouper._dispatch if hasattr(driven.grouper, "_dispatch") else driven.grouper._deliver)()

            for wait, event in conversation(seed):
                driven.until(clock.now + wait, tick)
                grouper.push(event)
            driven.until(clock.now + 1234, tick)
            grouper.close()
            results.append(driven.seen)
        assert results[1] == results[0], f"seed {seed}"
        reasons |= {update[0] for update in results[0] if len(update) == 7}
    assert reasons >= {"speaker_change", "inactivity", "timestamp_reset", "manual"}


def test_names_and_signatures_are_those_of_the_reference() -> None:
    reference = pytest.importorskip("openai.lib.live", reason="the reference SDK is not installed")
    for name in live.__all__:
        assert hasattr(reference, name)
    for name in ("TranscriptGrouper", "AsyncTranscriptGrouper"):
        ours, theirs = (inspect.signature(getattr(module, name)).parameters.values() for module in (live, reference))
        assert [(each.name, each.kind, each.default) for each in ours] == [
            (each.name, each.kind, each.default) for each in theirs
        ]
    for name in ("TranscriptSegment", "TranscriptSegmentClosedEvent"):
        ours, theirs = getattr(live, name), getattr(reference, name)
        assert [field.name for field in dataclasses.fields(ours)] == [f.name for f in dataclasses.fields(theirs)]


# The rules, without the reference


def test_segments_of_two_speakers() -> None:
    seen = segments(
        [said("user", "Hi", 0, 300), said("user", " there", 300, 600), said("assistant", "Hello", 2000, 2400)]
    )
    assert seen == [
        ("0", None, "user", "Hi", 0, 300),
        ("0", None, "user", "Hi there", 0, 600),
        ("speaker_change", "0", None, "user", "Hi there", 0, 600),
        ("1", "0", "assistant", "Hello", 2000, 2400),
        ("manual", "1", "0", "assistant", "Hello", 2000, 2400),
    ]


@pytest.mark.parametrize("text", ["mhm", "Uh-huh!", "  OK. ", "Roger"], ids=["plain", "hyphen", "edges", "own-phrase"])
def test_an_acknowledgement_makes_no_segment(text: str) -> None:
    events = [said("user", "So", 0, 400), said("assistant", text, 500, 700), said("user", "then", 600, 3000)]
    seen = segments(events, additional_acknowledgments=["roger"])
    assert {update[-4] for update in seen} == {"user"}
    assert seen[-1][-3] == "So then"
    kept = segments(events, additional_acknowledgments=["roger"], backchannel_max_duration_ms=0)
    assert "assistant" in {update[-4] for update in kept}


def test_a_decoded_event_and_the_end_of_the_session() -> None:
    raw = b'{"type":"session.input_transcript.delta","event_id":"a","delta":"Hi","start_ms":0,"end_ms":9}'
    decode = Decoder.of(ServerEvent)
    grouper = TranscriptGrouper()
    seen = record(grouper)
    grouper.push(decode(raw))
    grouper.push(decode(raw))
    grouper.push(decode(b'{"type":"session.closed","event_id":"b"}'))
    assert [update[0] for update in seen] == ["0", "session_closed"]
    with pytest.raises(OpenAIError, match="closed and takes no more events"):
        grouper.push(decode(raw))
    grouper.close()
    assert len(seen) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"event_id": None},
        {"event_id": ""},
        {"delta": 5},
        {"start_ms": -1},
        {"start_ms": True},
        {"end_ms": 10.5},
        {"end_ms": float("nan")},
        {"end_ms": 2**53},
        {"start_ms": 30, "end_ms": 29},
    ],
    ids=["no-id", "empty-id", "no-text", "negative", "bool", "fraction", "nan", "too-large", "backwards"],
)
def test_a_malformed_event_is_refused_and_changes_nothing(fields: dict[str, Any]) -> None:
    grouper = TranscriptGrouper()
    seen = record(grouper)
    with pytest.raises(OpenAIError, match="is malformed"):
        grouper.push(said("user", "x", 0, 20, **fields))
    grouper.push(said("user", "y", 0, 20))
    grouper.close()
    assert [update[-3] for update in seen] == ["y", "y"]


def test_an_object_that_is_no_event_is_refused() -> None:
    with pytest.raises(OpenAIError, match="not dict"):
        TranscriptGrouper().push({"type": "session.closed"})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [TranscriptGrouper, AsyncTranscriptGrouper], ids=["blocking", "async"])
@pytest.mark.parametrize(
    "options",
    [
        {"min_turn_separation_ms": -1},
        {"assistant_silence_ms": 2**31},
        {"backchannel_max_duration_ms": float("nan")},
        {"backchannel_isolation_ms": True},
        {"additional_acknowledgments": "mhm"},
        {"additional_acknowledgments": [5]},
    ],
    ids=["negative", "too-long", "nan", "bool", "one-string", "no-phrases"],
)
def test_impossible_options_are_refused(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(OpenAIError, match=next(iter(options))):
        kind(**options)


# Handlers and timers


def test_handlers_of_the_blocking_grouper() -> None:
    grouper = TranscriptGrouper()
    calls: list[str] = []

    @grouper.on("segment.updated")
    def again(segment: live.TranscriptSegment) -> None:
        calls.append(segment.text)
        if segment.text == "a":
            # A handler may push; its updates come after this one.
            grouper.push(said("user", "b", 10, 20))
            calls.append("pushed")

    def once(segment: live.TranscriptSegment) -> None:
        calls.append("once")

    assert grouper.once("segment.updated", once).off("segment.closed", once) is grouper
    with grouper:
        grouper.push(said("user", "a", 0, 10))
        # Words that might have a partner of the same times are held.
        assert calls == []
        grouper.push(said("user", "", 30, 40))
        grouper.push(said("user", "c", 10, 20))
    assert calls == ["a", "pushed", "once", "ac", "acb"]


def test_an_exception_of_a_handler_reaches_the_caller_and_the_grouper_goes_on() -> None:
    grouper = TranscriptGrouper()
    seen: list[str] = []

    def fails_first(segment: live.TranscriptSegment) -> None:
        seen.append(segment.text)
        if len(seen) == 1:
            raise LookupError("mine")

    grouper.on("segment.updated", fails_first)
    grouper.push(said("user", "a", 0, 10))
    with pytest.raises(LookupError, match="mine"):
        grouper.push(said("user", "b", 20, 30))
    grouper.push(said("user", "c", 30, 40))
    assert seen == ["a", "ab", "abc"]


def test_a_silence_ends_a_segment_in_a_daemon_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[Any] = []
    over = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda args: (failures.append(args.exc_value), over.set()))
    grouper = TranscriptGrouper(assistant_silence_ms=20)
    daemons: list[bool] = []

    def fails(event: live.TranscriptSegmentClosedEvent) -> None:
        daemons.append(threading.current_thread().daemon)
        raise LookupError(event.reason)

    grouper.on("segment.closed", fails)
    grouper.push(said("assistant", "Hello", 0, 10))
    assert over.wait(30)
    assert daemons == [True]
    assert [str(failure) for failure in failures] == ["inactivity"]
    grouper.close()


async def test_a_silence_ends_a_segment_in_the_loop() -> None:
    contexts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.put_nowait(context))
    async with AsyncTranscriptGrouper(assistant_silence_ms=20) as grouper:
        seen = record(grouper)

        async def fails(event: live.TranscriptSegmentClosedEvent) -> None:
            await asyncio.sleep(0)
            raise LookupError(event.reason)

        grouper.once("segment.closed", fails)
        await grouper.push(said("assistant", "Hello", 0, 10))
        context = await asyncio.wait_for(contexts.get(), 30)
        assert repr(context["exception"]) == "LookupError('inactivity')"
        assert [update[0] for update in seen] == ["0", "inactivity"]


def test_one_timer_serves_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[float] = []
    own = TranscriptGrouper._started_timer

    def counted(self: TranscriptGrouper, seconds: float) -> Any:
        started.append(seconds)
        return own(self, seconds)

    monkeypatch.setattr(TranscriptGrouper, "_started_timer", counted)
    with TranscriptGrouper(assistant_silence_ms=60_000) as grouper:
        grouper.push(said("user", "a", 0, 5))
        grouper.push(said("assistant", "a", 10_000, 10_005))
        for at in range(10_010, 10_500, 10):
            grouper.push(said("assistant", "a", at, at + 5))
    assert len(started) <= 4


async def test_handlers_of_the_asynchronous_grouper() -> None:
    grouper = AsyncTranscriptGrouper()
    calls: list[str] = []

    @grouper.on("segment.updated")
    async def slow(segment: live.TranscriptSegment) -> None:
        calls.append(f"begin {segment.text}")
        await asyncio.sleep(0)
        # A handler that pushes does not wait for itself.
        if segment.text == "ab":
            await grouper.push(said("user", "c", 20, 30))
        calls.append(f"end {segment.text}")

    await grouper.push(said("user", "a", 0, 10))
    await asyncio.gather(grouper.push(said("user", "b", 10, 20)), grouper.push(said("user", "d", 20, 30)))
    texts = [call.partition(" ")[2] for call in calls]
    assert texts[::2] == texts[1::2]
    assert texts[-1] in ("abcd", "abdc")
    await grouper.close()
    await grouper.close()


async def test_a_cancelled_push_does_not_stop_a_handler() -> None:
    grouper = AsyncTranscriptGrouper()
    begun, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @grouper.on("segment.updated")
    async def waits(segment: live.TranscriptSegment) -> None:
        begun.set()
        await go.wait()
        ended.set()

    await grouper.push(said("user", "a", 0, 10))
    pushing = asyncio.create_task(grouper.push(said("user", "b", 10, 20)))
    await asyncio.wait_for(begun.wait(), 30)
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    assert not ended.is_set()
    go.set()
    await asyncio.wait_for(ended.wait(), 30)
    await grouper.close()


async def test_an_exception_of_an_asynchronous_handler_reaches_the_caller() -> None:
    grouper = AsyncTranscriptGrouper()

    @grouper.once("segment.updated")
    async def fails(segment: live.TranscriptSegment) -> None:
        raise LookupError(segment.text)

    await grouper.push(said("user", "a", 0, 10))
    with pytest.raises(LookupError, match="a"):
        await grouper.push(said("user", "b", 10, 20))
    await grouper.close()


def test_a_grouper_stays_in_its_loop() -> None:
    grouper = AsyncTranscriptGrouper()
    asyncio.run(grouper.push(said("user", "", 0, 10)))
    with pytest.raises(OpenAIError, match="another event loop"):
        asyncio.run(grouper.close())
