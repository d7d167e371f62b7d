"""aiopenai._data.sse against a literal reading of the standard, at every split."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiopenai._data.sse import ServerSentEvent, SSEError, SSEParser

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"


@dataclass
class Standard:
    """The standard's interpretation, character by character and in its own words: slow, and obviously right."""

    data: bytes = b""
    name: bytes = b""
    id_buffer: str | None = None
    last_id: str | None = None
    retry: int | None = None
    events: list[ServerSentEvent] = field(default_factory=list)

    def run(self, stream: bytes) -> list[ServerSentEvent]:
        if stream[:3] == b"\xef\xbb\xbf":
            stream = stream[3:]
        line = b""
        i = 0
        while i < len(stream):
            byte = stream[i : i + 1]
            i += 1
            if byte == b"\r" and stream[i : i + 1] == b"\n":
                i += 1
            if byte in (b"\r", b"\n"):
                self.line(line)
                line = b""
            else:
                line += byte
        return self.events

    def line(self, line: bytes) -> None:
        if line == b"":
            self.dispatch()
        elif line[:1] == b":":
            pass
        elif b":" in line:
            name, value = line.split(b":", 1)
            self.process(name, value[1:] if value[:1] == b" " else value)
        else:
            self.process(line, b"")

    def process(self, name: bytes, value: bytes) -> None:
        if name == b"event":
            self.name = value
        elif name == b"data":
            self.data += value + b"\n"
        elif name == b"id" and b"\0" not in value:
            self.id_buffer = value.decode("utf-8", "replace")
        elif name == b"retry" and value and all(digit in b"0123456789" for digit in value) and len(value) <= 18:
            self.retry = int(value)

    def dispatch(self) -> None:
        self.last_id = self.id_buffer
        if self.data:
            self.events.append(
                ServerSentEvent(self.name.decode("utf-8", "replace"), self.data[:-1], self.last_id, self.retry)
            )
        self.data = self.name = b""
        self.retry = None


def feed_all(chunks: list[bytes]) -> list[ServerSentEvent]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def feed_data_all(chunks: list[bytes]) -> list[tuple[str, bytes]]:
    parser = SSEParser()
    events: list[tuple[str, bytes]] = []
    for chunk in chunks:
        found = parser.feed_data(chunk)
        names = parser.event_names
        if names is None:
            names = [b""] * len(found)
        else:
            assert any(names)
        events += zip([name.decode("utf-8", "replace") for name in names], found, strict=True)
    return events


def check(chunks: list[bytes]) -> None:
    expected = Standard().run(b"".join(chunks))
    assert feed_all(chunks) == expected
    assert feed_data_all(chunks) == [(event.event, event.data) for event in expected]


fragments = st.sampled_from(
    [
        b"data: ", b"data:", b"data", b"data :", b"Data: ", b" data: ", b"event: ", b"event:", b"event", b"id: ", b"id",
        b"retry: ", b"retry:", b": ping", b":", b" ", b"x", b"{}", b"[DONE]", b"\0", b"10", b"-1", b"\xc2\xb2",
        b"9" * 19, b"\xe2\x80\xa8", b"\xff", b"\xef\xbb\xbf", b"\xef", b"\n", b"\r", b"\r\n", b"\n\n", b"\n\n\n",
        b"\r\r", b"\r\n\r\n", b"\n\r", b"data: {}\n\n", b"data: \n\n", b"event: e\ndata: {}\n\n",
        b"event: \ndata: x\n\n", b"id: 7\n\n", b"event: e\n\n", b"\n\ndata: ", b"\n\nevent: ", b"\ndata: ",
    ]
)  # fmt: skip
# Mostly well-formed batches, so that the fast lanes run on nearly all of a stream and on nothing else.
regular = st.lists(
    st.one_of(
        st.builds(lambda text: b"data: " + text + b"\n\n", st.binary(max_size=5)),
        st.builds(
            lambda name, text: b"event: " + name + b"\ndata: " + text + b"\n\n",
            st.binary(max_size=3),
            st.binary(max_size=5),
        ),
    ),
    max_size=6,
).map(b"".join)
streams = st.one_of(st.lists(fragments, max_size=24).map(b"".join), regular)


@st.composite
def split_streams(draw: st.DrawFn) -> list[bytes]:
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@pytest.mark.once
@settings(max_examples=1500)
@given(split_streams())
def test_any_stream_at_random_splits(chunks: list[bytes]) -> None:
    check(chunks)


@pytest.mark.once
@settings(max_examples=300)
@given(streams)
def test_any_stream_at_every_split(stream: bytes) -> None:
    check([stream[i : i + 1] for i in range(len(stream))])
    for cut in range(len(stream) + 1):
        check([stream[:cut], stream[cut:]])


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [b"a", b"b", b"c"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b": comment\n\n:\n\ndata: a\n: inside\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"]),
        (b"data:a\n\ndata: a\n\ndata:  a\n\n", [b"a", b"a", b" a"]),
        (b"data: a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce\n\n", [b"a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce"]),
        (b"id: 1\n\nevent: e\n\n\n\n", []),
        (b"unknown: 1\ndata: a\nUNKNOWN\n\n", [b"a"]),
        (b"data: \xff\xfe\n\n", [b"\xff\xfe"]),
        (b"data: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: unfinished\n", []),
    ],
)
def test_data(stream: bytes, expected: list[bytes]) -> None:
    check([stream])
    assert SSEParser().feed_data(stream) == expected
    assert [event.data for event in SSEParser().feed(stream)] == expected


def test_a_name_without_data_does_not_reach_the_next_event() -> None:
    events = SSEParser().feed(b"event: lost\n\ndata: a\n\nevent: kept\ndata: b\n\ndata: c\n\n")
    assert [(event.event, event.data) for event in events] == [("", b"a"), ("kept", b"b"), ("", b"c")]


def test_ids_persist_and_are_ignored_with_nul() -> None:
    parser = SSEParser()
    assert parser.last_event_id is None
    events = parser.feed(b"data: a\n\nid: 1\n\ndata: b\n\nid: 2\0\ndata: c\n\nid\ndata: d\n\n")
    assert [event.id for event in events] == [None, "1", "1", ""]
    assert parser.last_event_id == ""
    assert parser.feed_data(b"id: 9\ndata: e\n\n") == [b"e"]
    assert parser.last_event_id == "9"


def test_retry_takes_ascii_digits_only() -> None:
    parser = SSEParser()
    values = [b"10", b"-1", b"1.5", b"", b"\xc2\xb2", b"9" * 5000, b"0"]
    events = parser.feed(b"".join(b"retry: %s\ndata: a\n\n" % value for value in values))
    assert [event.retry for event in events] == [10, None, None, None, None, None, 0]
    assert parser.retry == 0
    assert parser.feed(b"retry: 250\n\n") == []
    assert parser.retry == 250


def test_names_of_a_batch() -> None:
    parser = SSEParser()
    assert parser.event_names is None
    assert parser.feed_data(b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n") == [b"1", b"2"]
    assert parser.event_names == [b"a", b"b"]
    assert parser.feed_data(b"data: 3\n\n") == [b"3"]
    assert parser.event_names is None
    assert parser.feed_data(b"data: 4\n\nevent: error\ndata: 5\n\n") == [b"4", b"5"]
    assert parser.event_names == [b"", b"error"]
    assert parser.feed_data(b"data: ") == []
    assert parser.event_names is None


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r", b"\r\n\n"])
def test_an_event_is_dispatched_as_soon_as_its_blank_line_ends(ending: bytes) -> None:
    # The LF of a final CR LF carries no news: the event must not wait for it.
    wait = ending.removesuffix(b"\n") if ending.endswith(b"\r\n") else ending
    assert SSEParser().feed_data(b"data: a" + wait) == [b"a"]


@pytest.mark.parametrize(
    ("stream", "pending"),
    [
        (b"", False),
        (b"\n", False),
        (b"data: a\n\n", False),
        (b"data: a\r\n\r", False),
        (b"data: a\n\n: keep-alive\n", False),
        (b": keep-al", False),
        (b"data: a\n", True),
        (b"data: a\n\ndata: {", True),
        (b"data: a\n\neve", True),
    ],
)
def test_pending(stream: bytes, pending: bool) -> None:
    parser = SSEParser()
    parser.feed_data(stream)
    assert parser.pending is pending
    parser.end()
    assert not parser.pending


def test_end_gives_the_unfinished_event_and_starts_anew() -> None:
    parser = SSEParser()
    parser.feed(b"id: 1\nretry: 2\ndata: a\n\n")
    parser.feed(b"event: e\nretry: 1\nid: 55\ndata: [DONE]")
    assert parser.end() == ServerSentEvent("e", b"[DONE]", "55", 1)
    assert (parser.last_event_id, parser.retry) == ("1", 2)
    assert parser.end() is None
    assert parser.feed(b"\xef\xbb\xbfdata: b\n\n") == [ServerSentEvent("", b"b", "1", None)]
    parser.feed(b"event: only\n")
    assert parser.end() is None


@settings(max_examples=300)
@given(split_streams(), st.integers(0, 24))
def test_the_bound_does_not_depend_on_the_split(chunks: list[bytes], bound: int) -> None:
    whole = b"".join(chunks)

    def fails(pieces: list[bytes]) -> bool:
        parser = SSEParser(max_event_bytes=bound)
        try:
            for piece in pieces:
                parser.feed_data(piece)
                assert len(parser._tail) <= bound + 2
            # The last event is measured when it ends.
            parser.feed_data(b"\n\n\n")
        except SSEError:
            assert not parser.pending
            return True
        return False

    expected = fails([whole])
    assert fails(chunks) is expected
    assert fails([whole[i : i + 1] for i in range(len(whole))]) is expected


def test_the_bound() -> None:
    assert SSEParser(max_event_bytes=10).feed_data(b"data: 1234\n\n" * 5) == [b"1234"] * 5
    with pytest.raises(SSEError, match="max_event_bytes=10"):
        SSEParser(max_event_bytes=10).feed_data(b"data: 1\n\ndata: 12345\n\n")
    parser = SSEParser(max_event_bytes=1000)
    with pytest.raises(SSEError):
        any(parser.feed(b"data: x\n") for _ in range(1001))
    assert issubclass(SSEError, ValueError)


def test_json() -> None:
    assert ServerSentEvent(data=b'{"a": [1, null]}').json() == {"a": [1, None]}
    for data in (b"", b"{", b"[DONE]", b'"\xff"'):
        with pytest.raises(SSEError, match="not JSON") as caught:
            ServerSentEvent(data=data).json()
        assert caught.value.__cause__ is not None


def test_an_event_is_a_value() -> None:
    event = ServerSentEvent("e", b"d", "1", 2)
    assert repr(event) == "ServerSentEvent(event='e', data=b'd', id='1', retry=2)"
    assert pickle.loads(pickle.dumps(event)) == event
    assert hash(event) == hash(ServerSentEvent("e", b"d", "1", 2))
    with pytest.raises(AttributeError):
        event.data = b""  # type: ignore[misc]


@pytest.mark.parametrize("piece", [64 * 1024, 1024])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_long_events_take_linear_time(piece: int, newline: bytes) -> None:
    def seconds(megabytes: int) -> float:
        stream = b"data: " + b"x" * (megabytes << 20) + newline * 2
        chunks = [stream[i : i + piece] for i in range(0, len(stream), piece)]
        best = float("inf")
        for _ in range(3):
            parser = SSEParser()
            start = time.process_time()
            sizes = [len(data) for chunk in chunks for data in parser.feed_data(chunk)]
            best = min(best, time.process_time() - start)
            assert sizes == [megabytes << 20]
        return best

    # Eight times the bytes: linear code takes about 8 times as long, quadratic code 64 times.
    assert seconds(32) < 30 * seconds(4)


def test_recordings_split_small_and_large() -> None:
    if not RECORDINGS.is_dir():
        pytest.skip("the recordings are not here")
    for path in sorted(RECORDINGS.glob("*.sse")):
        stream = path.read_bytes()
        expected = Standard().run(stream)
        assert expected[-1].data == b"[DONE]"
        for size in (1, 7, 4096, len(stream)):
            chunks = [stream[i : i + size] for i in range(0, len(stream), size)]
            assert feed_all(chunks) == expected
            assert [data for _, data in feed_data_all(chunks)] == [event.data for event in expected]


@pytest.mark.once
def test_a_fuzz_of_many_streams() -> None:
    """At length by a command: see `sse_fuzz`."""
    from .sse_fuzz import fuzz

    assert fuzz(seed=1, streams=3_000) > 100_000


# ---- errors beside the events


STRAY: list[tuple[bytes, tuple[int, bytes, bytes] | None]] = [
    (b"error: overloaded\n\n", (0, b"error", b"overloaded")),
    (b'error:{"code":400}\n\n', (0, b"error", b'{"code":400}')),
    (b"data: a\n\ndata: b\n\nerror: x\n\ndata: c\n\n", (2, b"error", b"x")),
    (b"error: x\ndata: a\n\n", (0, b"error", b"x")),
    (b'data: a\n\n{"error": 1}\n\n', (1, b"", b'{"error": 1}')),
    (b"error: x\n\nerror: y\n\n", (0, b"error", b"x")),
    (b"data: error: x\n\n", None),
    (b"error\n\nerror:\n\n", None),
    (b": error: x\n\nerrors: x\n\n error: x\n\n", None),
    (b'event: error\ndata: {"error": 1}\n\n', None),
]


@pytest.mark.parametrize(("stream", "stray"), STRAY)
def test_errors_beside_the_events(stream: bytes, stray: tuple[int, bytes, bytes] | None) -> None:
    parser = SSEParser()
    events = parser.feed_data(stream)
    assert parser.stray == stray
    assert events == [event.data for event in Standard().run(stream)]
    assert parser.feed_data(b"data: a\n\n") == [b"a"]
    assert parser.stray is None


def test_an_error_at_the_end_of_the_stream() -> None:
    parser = SSEParser()
    assert parser.feed_data(b'{"error": "x"}') == []
    assert parser.stray is None
    assert parser.end() is None
    assert parser.stray == (0, b"", b'{"error": "x"}')
    assert parser.end() is None
    assert parser.stray is None
