"""The lines of a job's files: requests in the form of the Batch API or prompts, and results in the API's form.

A result also has a `request_hash`, which ties it to the content of its request: to its endpoint and its body, with the
model. The hash does not depend on white space or on the order of keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
from typing import Any, NamedTuple

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._calls.request import Request
from aiopenai._data.codec import decode_json
from aiopenai._jobs.items import endpoint_of
from aiopenai.errors import APIStatusError

__all__ = [
    "BOM",
    "CHAT",
    "BadLine",
    "RequestLine",
    "ResultLine",
    "failed_line",
    "failure",
    "finished_line",
    "is_batch_line",
    "prompt_line",
    "request_line",
    "result_line",
    "valid_json",
    "with_hash",
]

CHAT = "/v1/chat/completions"
BOM = b"\xef\xbb\xbf"

# Keys of requests, and pairs of keys. A line that has them is a request, right or broken, and no prompt.
_REQUEST_KEYS = ("custom_id", "body", "messages")
_REQUEST_PAIRS = (("url", "method"), ("model", "input"), ("model", "prompt"), ("role", "content"))
_BROKEN_REQUEST = re.compile(rb'\{.*"(?:custom_id|body|messages)"\s*:', re.DOTALL)
# One key of a request over several lines, a request that Python printed or that has lost its beginning, and the
# brackets of JSON over several lines.
_PIECE_OF_REQUEST = re.compile(
    rb"""[\s\[{,]*(?:["']?(?:custom_id|body|messages)["']|["'](?:url|method)["'])\s*:|[\[{]{1,3}\Z|[\]}]{1,3},?\Z"""
)
_SURROGATES = re.compile("[\ud800-\udfff]")


class BadLine(NamedTuple):
    """A line of the input that cannot be sent."""

    number: int
    reason: str


class RequestLine(Request[Any], eq=False, kw_only=True):
    """A line of the input as a request, with the model that batches are made by.

    `key` is the hash of the request's content.
    """

    custom_id: str
    number: int
    key: str
    model: str | None = None

    def line(self, url: str) -> bytes:
        """Returns the line in the form of the Batch API, with the URL that the service has for its endpoint."""
        body = msgspec.Raw(self.content)
        return _encode_line(_BatchLine(custom_id=self.custom_id, url=url, body=body)) + b"\n"


class ResultLine(msgspec.Struct):
    """The parts of a result line that a later run needs.

    Lines of the Batch API itself have no hash. Only requests have a `url`.
    """

    custom_id: str
    request_hash: str | None = None
    url: Any = None


class _BatchLine(msgspec.Struct):
    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


class _Route(msgspec.Struct):
    model: Any = None
    stream: Any = None


class _Answer(msgspec.Struct):
    status_code: int
    request_id: str | None
    body: Any


class _Reason(msgspec.Struct):
    code: str
    message: str


class _Outcome(msgspec.Struct):
    id: str
    custom_id: str
    response: _Answer | None = None
    error: _Reason | None = None
    request_hash: str | msgspec.UnsetType = msgspec.UNSET


_encode_line = msgspec.json.encode
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_decode_any = msgspec.json.Decoder().decode
_decode_batch_line = msgspec.json.Decoder(_BatchLine).decode
_decode_route = msgspec.json.Decoder(_Route).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode
result_line = msgspec.json.Decoder(ResultLine).decode


def is_batch_line(raw: bytes) -> bool:
    """Returns whether a line is a request or several, right or wrong, or a piece of one, and no prompt."""
    if not raw.startswith((b"{", b"[")):
        return _PIECE_OF_REQUEST.match(raw) is not None
    try:
        line = _decode_any(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _BROKEN_REQUEST.match(raw) is not None or _PIECE_OF_REQUEST.match(raw) is not None
    return any(map(_is_request, line if is_list(line) else [line]))


def _is_request(value: Any) -> bool:
    if not is_mapping(value):
        return False
    return any(key in value for key in _REQUEST_KEYS) or any(value.keys() >= {*pair} for pair in _REQUEST_PAIRS)


def prompt_line(raw: bytes, number: int, custom_id: str, model: str | None) -> RequestLine:
    """Returns a prompt as a request: a JSON string, or any other text.

    Raises ValueError for bytes that are no text in UTF-8, and for an empty prompt.
    """
    text = raw.decode()
    if b"\0" in raw:
        raise ValueError("a NUL is in the line: the file must be text in UTF-8")
    if raw.startswith(b'"'):
        # Otherwise it is a text that begins with a quotation mark.
        with contextlib.suppress(msgspec.DecodeError):
            text = msgspec.json.decode(raw, type=str)
    if not text.strip():
        raise ValueError("the prompt is empty")
    body = _encode_line({"model": model, "messages": [{"role": "user", "content": text}]})
    return _line_of(number, custom_id, CHAT, body, model)


def request_line(raw: bytes, number: int, model: str | None) -> RequestLine:
    """Returns a line of a batch file as a request; `model` is for a body without one.

    Raises ValueError for a line that is none: msgspec's errors are ValueErrors too.
    """
    # msgspec does not look into the strings of a part that it skips.
    raw.decode()
    line = _decode_batch_line(raw)
    if not line.custom_id:
        raise ValueError("`custom_id` is empty")
    if line.method != "POST":
        raise ValueError(f"`method` must be POST, not {line.method[:20]!r}")
    content = bytes(line.body)
    if not content.startswith(b"{"):
        raise ValueError("`body` must be an object")
    route = _decode_route(content)
    if route.stream:
        raise ValueError("`stream` must be false: a result holds a whole reply")
    if route.model is None and model is not None:
        content = _encode_line({**msgspec.json.decode(content), "model": model})
    else:
        model = route.model if isinstance(route.model, str) else None
    return _line_of(number, line.custom_id, line.url, content, model)


def _line_of(number: int, custom_id: str, url: str, content: bytes, model: str | None) -> RequestLine:
    endpoint = endpoint_of("POST", url)
    return RequestLine(
        endpoint=endpoint,
        path=endpoint.path,
        content=content,
        custom_id=custom_id,
        number=number,
        key=_key_of(endpoint.path, content),
        model=model,
    )


def _key_of(path: str, content: bytes) -> str:
    # A body with a number beyond a float is sent and hashed as it is.
    with contextlib.suppress(msgspec.DecodeError):
        content = _encode_sorted(_decode_any(content))
    return hashlib.blake2b(path.encode() + b"\n" + content, digest_size=16).hexdigest()


def finished_line(
    custom_id: str,
    status: int,
    request_id: str | None,
    content: bytes | msgspec.Raw,
    request_hash: str | None = None,
) -> bytes:
    """Returns a line of the output. `content` is the reply as received, or made valid before as `Raw`."""
    if not isinstance(content, msgspec.Raw):
        content = msgspec.Raw(valid_json(content))
    return _result_of(custom_id, request_hash, response=_Answer(status, request_id, content))


def failed_line(custom_id: str, error: Exception, request_hash: str | None = None) -> bytes:
    """Returns a line of the failures: with the reply if the server sent one."""
    if not isinstance(error, APIStatusError):
        return failure(custom_id, type(error).__name__, str(error), request_hash)
    status, request_id, response = error.status_code, error.request_id, error.response
    try:
        return _result_of(custom_id, request_hash, response=_Answer(status, request_id, _cleaned(response.json())))
    except (ValueError, RecursionError):
        text = _cleaned(response.text)
        return _result_of(custom_id, request_hash, response=_Answer(status, request_id, text))


def failure(custom_id: str, code: str, message: str, request_hash: str | None = None) -> bytes:
    """Returns a line of the failures for a request without a reply."""
    return _result_of(custom_id, request_hash, error=_Reason(code, _cleaned(message)))


def _result_of(
    custom_id: str, request_hash: str | None, response: _Answer | None = None, error: _Reason | None = None
) -> bytes:
    name = f"batch_req_{os.urandom(12).hex()}"
    return _encode_line(_Outcome(name, custom_id, response, error, request_hash or msgspec.UNSET)) + b"\n"


def with_hash(raw: bytes, request_hash: str) -> bytes:
    """Returns a result line of the Batch API with the hash of its request. Raises `msgspec.DecodeError`."""
    parts: dict[str, Any] = dict(_decode_parts(valid_json(raw)))
    return _encode_line({**parts, "request_hash": request_hash}) + b"\n"


def valid_json(content: bytes) -> bytes:
    """Returns a JSON object as any reader can parse it, on one line. Raises `msgspec.DecodeError` for anything else.

    Servers send bytes that are not UTF-8, half surrogate pairs, a byte order mark, NaN. These become U+FFFD, nothing,
    and null. A content without them stays as it is.
    """
    try:
        try:
            content.decode()
            _skip(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            content = _encode_line(_cleaned(decode_json(content)))
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None
    if not content.lstrip().startswith(b"{"):
        raise msgspec.DecodeError("not a JSON object")
    # Line breaks are white space here: the strings of JSON cannot have them.
    return content.replace(b"\r", b" ").replace(b"\n", b" ")


def _cleaned(value: Any) -> Any:
    """Returns a JSON value without the parts that JSON cannot hold."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_mapping(value):
        return {_SURROGATES.sub("\ufffd", key): _cleaned(each) for key, each in value.items()}
    if is_list(value):
        return [_cleaned(each) for each in value]
    return value
