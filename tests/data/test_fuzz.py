"""Damaged and foreign documents for every reply type: an error of one kind, or a reply that is given back as received.

`python -m tests.data.test_fuzz 600` runs for ten minutes, with another seed each time.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import msgspec

from aiopenai._data.codec import Decoder, decode_json, portable_json
from aiopenai._data.structs import Model
from tests.data.test_fidelity import KINDS, TAGS, Maker, check, same

SECONDS = 4.0
TOKENS = [b"null", b"NaN", b"-1e999", b'"\\ud83d"', b"{}", b"[]", b"true", b'"', b"{", b"]", b"\xff", b"\x00", b","]


def damaged(source: random.Random, raw: bytes) -> bytes:
    """A document with a few bytes lost, doubled, exchanged or put in."""
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(raw) + 1)
        change = source.randrange(5)
        if change == 0:
            raw = raw[:at]
        elif change == 1:
            raw = raw[:at] + raw[at + source.randrange(1, 9) :]
        elif change == 2:
            raw = raw[:at] + source.choice(TOKENS) + raw[at:]
        elif change == 3:
            end = at + source.randrange(1, 60)
            raw = raw[:end] + raw[at:end] + raw[end:]
        else:
            raw = raw[:at] + bytes([source.randrange(256)]) + raw[at + 1 :]
    return raw


def try_bytes(kind: Any, raw: bytes) -> None:
    """Decodes any bytes: no other error than one, and what decodes can be used and given back."""
    decoder = Decoder.of(kind)
    try:
        reply = decoder(raw)
    except msgspec.DecodeError:
        for strict in (decode_json, portable_json):
            try:
                strict(raw)
            except msgspec.DecodeError:
                continue
            raise AssertionError(f"JSON was refused: {raw!r}") from None
        return
    msgspec.json.decode(portable_json(raw))
    values, error = decoder.many([raw, b"", raw])
    assert error is None
    assert len(values) == 2
    if isinstance(reply, Model):
        plain = decode_json(raw)
        plain = {"data": plain} if isinstance(plain, list) else plain
        # Repeated keys and infinities compare by their text, as NaN does.
        assert json.dumps(reply.to_dict(), sort_keys=True) == json.dumps(_floats(reply, plain), sort_keys=True)
        repr(reply)
        reply.to_json()


def _floats(reply: Model, plain: Any) -> Any:
    """The plain values, with whole numbers as the reply has them: JSON does not tell 1 from 1.0."""
    dumped = reply.to_dict()
    return dumped if same(dumped, plain) else plain


def fuzz(seed: int, seconds: float) -> int:
    source = random.Random(seed)
    end = time.monotonic() + seconds
    names = sorted(KINDS)
    source.shuffle(names)
    count = 0
    while time.monotonic() < end:
        name = names[count % len(names)]
        kind = KINDS[name]
        maker = Maker(f"fuzz {seed} {count}")
        value = maker.valid(kind)
        count += 1
        if count % 3 == 0:
            check(kind, maker.spoiled(value, TAGS))
        elif count % 3 == 1:
            # The document of another type.
            check(kind, Maker(f"fuzz {seed} {count}").valid(KINDS[source.choice(names)]))
        else:
            raw = json.dumps(value, ensure_ascii=source.random() < 0.5).encode("utf-8", "surrogatepass")
            damage = damaged(source, raw)
            try:
                try_bytes(kind, damage)
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}, number {count}: {damage!r}") from error
    return count


def test_fuzz() -> None:
    assert fuzz(20261129, SECONDS) > 50


if __name__ == "__main__":
    number = random.SystemRandom().randrange(2**32)
    print("seed", number, "documents", fuzz(number, float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
