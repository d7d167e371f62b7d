from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiopenai.testing.recording.pieces import cut_up, joined, retimed

EVENTS = [b"data: one\n\n", b"data: two\r\n\r\n", b"data: three\n\n"]


def test_unchanged_bodies_keep_their_pieces() -> None:
    pieces = [(0.1, b"da"), (0.2, b"ta: one\n\nx")]
    sizes = retimed(pieces, joined(pieces), whole=False)
    assert sizes == [(0.1, 2), (0.2, 10)]
    assert cut_up(joined(pieces), sizes) == pieces


def test_whole_bodies_are_one_piece_at_its_last_time() -> None:
    assert retimed([(0.1, b"abc"), (0.3, b"de")], b"xyz", whole=True) == [(0.3, 3)]


def test_events_of_a_changed_body_come_with_their_last_byte() -> None:
    body = b"".join(EVENTS)
    pieces = [(0.1, body[:5]), (0.2, body[5:30]), (0.3, body[30:])]
    clean = body.replace(b"one", b"<redacted>")
    sizes = retimed(pieces, clean, whole=False)
    assert [at for at, _ in sizes] == [0.2, 0.2, 0.3]
    assert [piece for _, piece in cut_up(clean, sizes)] == [EVENTS[0].replace(b"one", b"<redacted>"), *EVENTS[1:]]


def test_edited_bodies_are_cut_after_each_event() -> None:
    assert cut_up(b"data: a\n\ndata: b", [(0.5, 3)]) == [(0.5, b"data: a\n\n"), (0.5, b"data: b")]
    assert cut_up(b"", []) == []


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=6), st.binary(max_size=12))
def test_no_byte_is_lost(parts: list[bytes], clean: bytes) -> None:
    pieces = [(float(number), part) for number, part in enumerate(parts)]
    for body in (clean, joined(pieces)):
        sizes = retimed(pieces, body, whole=False)
        assert b"".join(piece for _, piece in cut_up(body, sizes)) == body
        assert [at for at, _ in sizes] == sorted(at for at, _ in sizes)
