from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiopenai.testing.engine.multipart import parse_multipart

TYPE = "multipart/form-data; boundary=BOUNDARY"
HEAD = b'Content-Disposition: form-data; name="a"\r\n\r\n'


@given(st.lists(st.binary()), st.binary(max_size=5))
def test_round_trip(values: list[bytes], preamble: bytes) -> None:
    body = preamble + b"\r\n" if preamble else b""
    for value in values:
        body += b"--BOUNDARY\r\n" + HEAD + value + b"\r\n"
    assert [part.data for part in parse_multipart(TYPE, body + b"--BOUNDARY--\r\n")] == values


@given(st.binary())
def test_garbage_is_a_value_error(data: bytes) -> None:
    for body in (data, b"--BOUNDARY\r\n" + data, b"--BOUNDARY\r\n" + HEAD + data):
        with contextlib.suppress(ValueError):
            parse_multipart(TYPE, body)


def test_headers() -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="f%22[]"; filename="a\\"; b.txt"\r\nContent-Type: text/x\r\n'
        b"X-A: b\r\n\r\nx\r\n--B\r\ncontent-disposition: form-data; filename=plain; name=b; odd\r\n\r\n\r\n--B--"
    )
    first, second = parse_multipart('multipart/form-data; boundary="B"', body)
    assert (first.name, first.filename, first.content_type) == ('f"[]', 'a"; b.txt', "text/x")
    assert first.headers["x-a"] == "b"
    assert first.text == "x"
    assert (second.name, second.filename, second.content_type, second.data) == ("b", "plain", None, b"")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("multipart/form-data", b"--BOUNDARY--"),
        (TYPE, b""),
        (TYPE, b"--BOUNDARY"),
        (TYPE, b"--BOUNDARYx"),
        (TYPE, b"--BOUNDARY\r\n" + HEAD + b"never closed"),
        (TYPE, b"--BOUNDARY\r\nX: y\r\n\r\nx\r\n--BOUNDARY--"),
        (TYPE, b"--BOUNDARY\r\nnonsense\r\n\r\nx\r\n--BOUNDARY--"),
    ],
)
def test_malformed(content_type: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"boundary|multipart|part"):
        parse_multipart(content_type, body)
