"""A fuzz of the event stream parser against the oracle of `test_sse`, which follows the standard byte by byte.

At length: `python -m tests.data.sse_fuzz --seconds 600 --seed 7`.
"""

from __future__ import annotations

import argparse
import random
import time

from .test_sse import check

# The pieces that mean something to the grammar, and some that look as if they did.
PIECES = [
    b"\n", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b":", b": ", b" ", b"data", b"data:", b"data: ",
    b"event:", b"event: ", b"id:", b"id: ", b"retry:", b"retry: 12", b"error: x", b"Data: a", b"data : a", b"[DONE]",
    b'{"a":1}', b"{", b"\xef\xbb\xbf", b"\xef\xbb", b"\xff\xfe", b"\0", b"0",
    "\u00e9\u2028\U0001f600".encode(), b"x" * 40,
    b"data: x\n\n", b"event: e\ndata: y\n\n", b": ping\n\n", b"data\n\n", b"\n\n\n",
]  # fmt: skip


def stream(chooser: random.Random) -> bytes:
    """A stream of random pieces, now and then with random bytes."""
    parts: list[bytes] = []
    for _ in range(chooser.randrange(60)):
        parts.append(chooser.choice(PIECES) if chooser.random() < 0.97 else chooser.randbytes(chooser.randrange(5)))
    return b"".join(parts)


def split(whole: bytes, chooser: random.Random) -> list[bytes]:
    """The stream in chunks, of one byte to all of it."""
    size = chooser.choice([1, 2, 3, 7, 50, len(whole) + 1])
    chunks: list[bytes] = []
    at = 0
    while at < len(whole):
        step = chooser.randrange(1, size + 1)
        chunks.append(whole[at : at + step])
        at += step
    return chunks


def fuzz(seed: int, seconds: float = float("inf"), streams: int | None = None) -> int:
    """Checks streams until the time or the number is up. Returns the number of bytes."""
    chooser = random.Random(seed)
    end = time.monotonic() + seconds
    total = count = 0
    while time.monotonic() < end and (streams is None or count < streams):
        whole = stream(chooser)
        check(split(whole, chooser))
        total += len(whole)
        count += 1
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    print(f"{fuzz(options.seed, options.seconds):,} bytes equal the oracle")


if __name__ == "__main__":
    main()
