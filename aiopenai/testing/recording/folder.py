"""The folder of a recording: one readable file for each request, and one for the body of its reply.

`0003-chat-completions.json` has the request, and the status, headers and times of the reply. The body lies beside it,
to the byte, as `0003-chat-completions.reply.json`, `.sse`, `.mp3` or the like. Websockets have `.messages.jsonl`.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiopenai.testing.engine.multipart import media_type
from aiopenai.testing.engine.values import Object

__all__ = ["Closing", "Exchange", "Folder", "Message", "grouped", "stored_line", "stored_message"]

_FORMAT = 1
_NAME = re.compile(r"(\d{4,})-[\w.-]*\.json")
_FILE = re.compile(r"\d{4,}-[\w.-]+")
_BODY = ".reply"
_MESSAGES = ".messages.jsonl"
_SUFFIXES = {
    "application/json": ".json",
    "application/octet-stream": ".bin",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "text/event-stream": ".sse",
    "text/plain": ".txt",
}


@dataclass(slots=True)
class Message:
    """A message of a websocket. `at` is in seconds since the request."""

    at: float
    by_client: bool
    data: str | bytes


@dataclass(slots=True)
class Closing:
    """The end of a websocket. `code` is None for a connection that broke off."""

    at: float
    by_client: bool
    code: int | None
    reason: str = ""


@dataclass(slots=True)
class Exchange:
    """One request and its reply.

    path: the path as sent, without the query.
    query: the pairs of the query as sent.
    headers: the headers of the request that say how to read its body.
    websocket: whether the request is the handshake of a websocket.
    content: the body of the request, see `bodies.described`.
    body: the whole body of the reply, not compressed.
    pieces: the times in seconds since the request, and the sizes, of the pieces in which the body arrived.
    cut: whether the reply broke off.
    messages: the messages and the end of a websocket; None for other requests, and for a handshake that failed.
    name: the name of its file.
    content_file: the name of the file with the body or the messages; None for an empty body.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    content: Object
    websocket: bool = False
    status: int = 0
    reply_headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes = b""
    pieces: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    cut: bool = False
    messages: list[Message | Closing] | None = None
    name: str = ""
    content_file: str | None = None

    def content_type(self) -> str:
        """Returns the content type of the reply."""
        return next((value for name, value in self.reply_headers if name == "content-type"), "")


class Folder:
    """A folder with a recording. It need not exist before the first exchange is written."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def names(self) -> list[str]:
        """Returns the names of the files with requests, in the order in which the requests were made."""
        found = [each.name for each in self.path.glob("*.json")] if self.path.is_dir() else []
        requests = [name for name in found if _NAME.fullmatch(name) and not name.endswith(f"{_BODY}.json")]
        return sorted(requests, key=lambda name: int(name.partition("-")[0]))

    def last_number(self) -> int:
        """Returns the number of the last exchange; 0 if there is none."""
        names = self.names()
        return int(names[-1].partition("-")[0]) if names else 0

    def empty(self) -> None:
        """Deletes the files of the recording. Other files stay."""
        prefixes = {name.removesuffix(".json") for name in self.names()}
        for each in list(self.path.iterdir()) if prefixes else ():
            if _FILE.fullmatch(each.name) and (each.name.partition(".")[0] in prefixes):
                each.unlink()

    def write(self, number: int, exchange: Exchange) -> None:
        """Writes an exchange. The file with the request comes last, so it never names a file that is missing."""
        self.path.mkdir(parents=True, exist_ok=True)
        stem = f"{number:04}-{_slug(exchange.path)}"
        exchange.name = f"{stem}.json"
        reply: Object = {"status": exchange.status, "headers": grouped(exchange.reply_headers)}
        if exchange.messages is not None:
            reply["messages"] = stem + _MESSAGES
            lines = "".join(f"{json.dumps(stored_line(each), ensure_ascii=False)}\n" for each in exchange.messages)
            self._replace(stem + _MESSAGES, lines.encode("utf-8", "surrogatepass"))
        elif exchange.body:
            reply["body"] = f"{stem}{_BODY}{_suffix(exchange.content_type())}"
            self._replace(reply["body"], exchange.body)
        if exchange.pieces:
            reply["pieces"] = [f"{at:.3f} s, {size} bytes" for at, size in exchange.pieces]
        if exchange.cut:
            reply["cut"] = True
        request: Object = {
            "method": exchange.method,
            "path": exchange.path,
            **({"websocket": True} if exchange.websocket else {}),
            **({"query": grouped(exchange.query)} if exchange.query else {}),
            **({"headers": exchange.headers} if exchange.headers else {}),
            **exchange.content,
        }
        text = json.dumps({"format": _FORMAT, "request": request, "reply": reply}, ensure_ascii=False, indent=2)
        self._replace(exchange.name, f"{text}\n".encode("utf-8", "surrogatepass"))

    def read(self, name: str) -> Exchange:
        """Reads an exchange without its body and messages. Raises `ValueError` for a file of another form."""
        try:
            stored = json.loads((self.path / name).read_bytes())
            if stored["format"] != _FORMAT:
                raise ValueError(f"its format is {stored['format']!r}, and this version reads format {_FORMAT}")
            request, reply = stored["request"], stored["reply"]
            named = ("method", "path", "query", "headers", "websocket")
            return Exchange(
                method=request["method"],
                path=request["path"],
                query=_pairs(request.get("query", {})),
                headers=request.get("headers", {}),
                websocket=bool(request.get("websocket", False)),
                content={key: value for key, value in request.items() if key not in named},
                status=int(reply["status"]),
                reply_headers=_pairs(reply["headers"]),
                pieces=[_piece(each) for each in reply.get("pieces", ())],
                cut=bool(reply.get("cut", False)),
                messages=[] if "messages" in reply else None,
                name=name,
                content_file=reply.get("messages") or reply.get("body"),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.path / name} is not a recorded request: {error}; record it again") from error

    def body_of(self, exchange: Exchange) -> bytes:
        """Returns the body of the reply, as its file has it now. Raises `ValueError` if the file cannot be read."""
        if exchange.content_file is None:
            return b""
        path = self.path / exchange.content_file
        try:
            return path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error}; record {exchange.name} again") from None

    def messages_of(self, exchange: Exchange) -> list[Message | Closing]:
        """Returns the messages of a websocket. Raises `ValueError` for a file that cannot be read."""
        path = self.path / (exchange.content_file or "")
        try:
            lines = path.read_text(encoding="utf-8", errors="surrogatepass").split("\n")
            return [stored_message(json.loads(line)) for line in lines if line.strip()]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} cannot be read: {error}; record {exchange.name} again") from error

    def _replace(self, name: str, data: bytes) -> None:
        """Writes a file in one step: a program that is killed leaves no half of it."""
        temporary = self.path / f".{name}.part"
        temporary.write_bytes(data)
        os.replace(temporary, self.path / name)


def _slug(path: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_]+", "-", path.removeprefix("/v1")).strip("-")
    return text[:60].rstrip("-") or "root"


def _suffix(content_type: str) -> str:
    kind = media_type(content_type)
    return _SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ".bin"


def grouped(pairs: list[tuple[str, str]]) -> dict[str, str | list[str]]:
    """Returns pairs as an object; the values of a repeated name are a list."""
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = found.get(name)
        found[name] = value if before is None else [*([before] if isinstance(before, str) else before), value]
    return found


def _pairs(grouped: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    return [
        (name, value) for name, values in grouped.items() for value in ([values] if isinstance(values, str) else values)
    ]


def _piece(text: str) -> tuple[float, int]:
    at, size = text.removesuffix(" bytes").split(" s, ")
    return float(at), int(size)


def stored_line(each: Message | Closing) -> Object:
    """Returns the line of the file for a message. JSON is readable where it can be restored to the letter."""
    side = {"at": round(each.at, 3), "from": "client" if each.by_client else "server"}
    if isinstance(each, Closing):
        return {**side, "close": each.code, "reason": each.reason}
    if isinstance(each.data, bytes):
        return {**side, "base64": base64.b64encode(each.data).decode()}
    try:
        value = json.loads(each.data)
        if _compact(value) == each.data:
            return {**side, "json": value}
    except (ValueError, RecursionError):
        pass
    # A text whose white space or escapes the encoder of this module does not give back.
    return {**side, "text": each.data}


def stored_message(line: Any) -> Message | Closing:
    """Returns the message of a line of the file."""
    at, by_client = float(line["at"]), line["from"] == "client"
    if "close" in line:
        return Closing(at, by_client, line["close"], line.get("reason", ""))
    if "base64" in line:
        return Message(at, by_client, base64.b64decode(line["base64"]))
    if "json" in line:
        return Message(at, by_client, _compact(line["json"]))
    return Message(at, by_client, line["text"])


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
