"""Small sounds in the formats of the API, with their text in the comment of the file.

A sound is a quiet tone or silence, a third of a second for each word. A transcription reads the text from the comment.
"""

from __future__ import annotations

import io
import math
import re
import struct
import wave
from array import array
from urllib.parse import quote, unquote
from zlib import crc32

__all__ = ["CONTENT_TYPES", "said", "sound", "spoken_seconds"]

CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}

_RATE = 24_000
_SECONDS_A_WORD = 1 / 3
_MAX_SECONDS = 60.0
_comment = re.compile(rb"said=([^;]*);").search

# Frames of silence: MPEG-1 layer III of 128 kbit/s at 44.1 kHz; AAC-LC, mono, at 44.1 kHz; 20 ms of Opus.
_MP3_FRAME = b"\xff\xfb\x90\xc4" + bytes(413)
_MP3_SECONDS = 1152 / 44_100
_AAC_FRAME = b"\xff\xf1\x50\x40\x01\xbf\xfc" + b"\x00\xc8\x00\x80\x23\x80"
_AAC_SECONDS = 1024 / 44_100
_OPUS_FRAME = b"\xf8\xff\xfe"
_OPUS_SECONDS = 0.02


def spoken_seconds(text: str) -> float:
    """Returns the seconds that it takes to say a text."""
    return min(max(1, len(text.split())) * _SECONDS_A_WORD, _MAX_SECONDS)


def said(data: bytes) -> str | None:
    """Returns the text of a sound of this server; None for other sounds."""
    found = _comment(data)
    return None if found is None else unquote(found[1].decode("latin-1"))


def sound(text: str, kind: str) -> bytes:
    """Returns a sound file of a kind in `CONTENT_TYPES`. Raw PCM (24 kHz, 16 bit) has no place for the text."""
    comment = f"said={quote(text, safe=' ')};".encode()
    seconds = spoken_seconds(text)
    if kind == "pcm":
        return _samples(text, seconds)
    if kind == "wav":
        return _wav(_samples(text, seconds), comment)
    if kind == "flac":
        return _flac(comment)
    if kind == "opus":
        return _opus(comment, math.ceil(seconds / _OPUS_SECONDS))
    if kind == "aac":
        return _id3(comment) + _AAC_FRAME * math.ceil(seconds / _AAC_SECONDS)
    return _id3(comment) + _MP3_FRAME * math.ceil(seconds / _MP3_SECONDS)


def _samples(text: str, seconds: float) -> bytes:
    """Returns the samples of a tone, one for each text."""
    period = 40 + crc32(text.encode()) % 80
    cycle = array("h", (round(2000 * math.sin(2 * math.pi * step / period)) for step in range(period)))
    count = int(seconds * _RATE)
    samples = (cycle * (count // period + 1))[:count]
    return struct.pack(f"<{count}h", *samples)


def _wav(samples: bytes, comment: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(_RATE)
        writer.writeframes(samples)
    data = buffer.getvalue()
    comment += b"\0" * (1 + (len(comment) + 1) % 2)
    extra = b"INFOICMT" + struct.pack("<I", len(comment)) + comment
    data += b"LIST" + struct.pack("<I", len(extra)) + extra
    return b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:]


def _id3(comment: bytes) -> bytes:
    """Returns an ID3v2.4 tag with a title. Its sizes have 7 bits a byte."""

    def size(number: int) -> bytes:
        return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))

    frame = b"TIT2" + size(len(comment) + 1) + b"\0\0\x03" + comment
    return b"ID3\x04\0\0" + size(len(frame)) + frame


def _vorbis_comment(comment: bytes) -> bytes:
    vendor = b"local"
    return struct.pack("<I", len(vendor)) + vendor + struct.pack("<II", 1, len(comment)) + comment


def _flac(comment: bytes) -> bytes:
    """Returns the head of a stream without frames: 24 kHz, one channel, 16 bit (RFC 9639, 8.2)."""
    packed = _RATE << 44 | 15 << 36
    info = struct.pack(">HH6xQ16x", 4096, 4096, packed)
    tags = _vorbis_comment(comment)
    return b"fLaC\x00" + len(info).to_bytes(3, "big") + info + b"\x84" + len(tags).to_bytes(3, "big") + tags


def _opus(comment: bytes, frames: int) -> bytes:
    """Returns Ogg pages: head, tags (RFC 7845), then up to 255 packets of silence a page."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, _RATE, 0, 0)
    # A page has room for 65,025 bytes. The longest text, 4,096 characters, has 49,152 bytes when quoted.
    pages = [_page(2, 0, 0, [head]), _page(0, 0, 1, [b"OpusTags" + _vorbis_comment(comment)])]
    done = 0
    while done < frames:
        count = min(255, frames - done)
        done += count
        pages.append(_page(4 if done == frames else 0, done * 960, len(pages), [_OPUS_FRAME] * count))
    return b"".join(pages)


def _page(flags: int, position: int, number: int, packets: list[bytes]) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    head = b"OggS\0" + struct.pack("<BqIIIB", flags, position, 1, number, 0, len(lacing)) + lacing
    page = head + b"".join(packets)
    return page[:22] + struct.pack("<I", _ogg_crc(page)) + page[26:]


def _ogg_table() -> list[int]:
    table: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


_TABLE = _ogg_table()


def _ogg_crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ byte]
    return value
