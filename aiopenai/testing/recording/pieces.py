"""The pieces in which a body arrived: their times and sizes, also after credentials were removed."""

from __future__ import annotations

import re

__all__ = ["cut_up", "joined", "retimed"]

_END_OF_EVENT = re.compile(rb"(?:\r\n|\r|\n)(?:\r\n|\r|\n)")


def joined(pieces: list[tuple[float, bytes]]) -> bytes:
    """Returns the whole body."""
    return b"".join(data for _, data in pieces)


def retimed(pieces: list[tuple[float, bytes]], body: bytes, *, whole: bool) -> list[tuple[float, int]]:
    """Returns times and sizes of the pieces of `body`, which is the text of the pieces without credentials.

    whole: whether the body is one piece, at the time of its last one.
    """
    sizes = [(at, len(data)) for at, data in pieces]
    if whole:
        return [(sizes[-1][0], len(body))]
    if joined(pieces) == body:
        return sizes
    # Credentials are removed within lines, so both bodies have the same number of events.
    found: list[tuple[float, int]] = []
    number = end = 0
    before = _events(joined(pieces))
    after = _events(body)
    for at, size in sizes:
        end += size
        while number < len(after) and (number >= len(before) or before[number][1] <= end):
            start, stop = after[number]
            found.append((at, stop - start))
            number += 1
    found += [(sizes[-1][0], stop - start) for start, stop in after[number:]]
    return found


def cut_up(body: bytes, pieces: list[tuple[float, int]]) -> list[tuple[float, bytes]]:
    """Returns the pieces of a body with their times. A body that was edited since is cut after each event."""
    if sum(size for _, size in pieces) != len(body):
        first = pieces[0][0] if pieces else 0.0
        return [(first, body[start:stop]) for start, stop in _events(body)]
    found: list[tuple[float, bytes]] = []
    start = 0
    for at, size in pieces:
        found.append((at, body[start : start + size]))
        start += size
    return found


def _events(body: bytes) -> list[tuple[int, int]]:
    """Returns the start and the end of each event of a stream; of other bodies, of the whole."""
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END_OF_EVENT.finditer(body):
        found.append((start, match.end()))
        start = match.end()
    return [*found, (start, len(body))] if start < len(body) else found
