"""The payloads in `servers/`: replies and streams in the shapes of real servers, with invented contents.

Each file is a server. A payload begins with `=== chat|responses whole|stream: title`. A whole reply is one line of
JSON. A stream is a list of lines, each of which begins with a word:

    head J        the fields that all following chunks begin with
    choice J      the fields that the choices of the following chunks have beside `index`, `delta`, `finish_reason`
    delta J [J]   a chunk with this delta, and further fields of the chunk
    finish R [J [J]]  a chunk with this finish reason, its delta, and further fields
    usage J       a chunk with no choices and this usage
    event J       a chunk or event with these fields
    data T        data as it stands, or as a JSON string
    line T        a line that is no data: a comment or a field
    name T        the name of the next event
    [DONE]        the end mark
    named         events have their types as names;  crlf, nospace: the framing
    calls N...    the names of the tool calls in the result
    fails T       the text of the error that ends the call
    body J        JSON in place of a stream;  page T: a page in place of a stream
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

SERVERS = Path(__file__).parent / "servers"
_DECODER = json.JSONDecoder()


class Payload:
    """One reply or stream of a server."""

    def __init__(self, server: str, heading: str, lines: list[str]) -> None:
        kind, _, self.title = heading.partition(": ")
        self.call, self.form = kind.split()
        self.id = f"{server}-{self.call}-{self.form}-{re.sub('[^a-z0-9]+', '_', self.title.lower())}"
        self.fails: str | None = None
        self.calls: list[str] = []
        self.content_type = "application/json" if self.form == "whole" else "text/event-stream"
        self.events: list[Any] = []
        """The JSON of the data before the end or the error."""
        self.failure: Any = None
        self._framing = {"end": "\n", "space": " "}
        self._named = False
        self._head: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._name = ""
        self._text: list[str] = []
        for line in lines:
            self._take(line)
        self.body = "".join(self._text).replace("\n", self._framing["end"]).encode()

    def _take(self, line: str) -> None:
        if line.startswith("{") or line == "[DONE]":
            if self.form == "whole":
                self._text.append(line)
                self.events.append(json.loads(line))
            else:
                self._write(line)
            return
        word, _, rest = line.partition(" ")
        takes = getattr(self, f"_{word}_line")
        takes(rest)

    def _head_line(self, rest: str) -> None:
        self._head = json.loads(rest)

    def _choice_line(self, rest: str) -> None:
        self._choice = json.loads(rest)

    def _delta_line(self, rest: str) -> None:
        delta, more = _values(rest, 2)
        self._chunk(delta, None, more)

    def _finish_line(self, rest: str) -> None:
        reason, _, values = rest.partition(" ")
        delta, more = _values(values, 2)
        self._chunk(delta, reason, more)

    def _usage_line(self, rest: str) -> None:
        self._event({"choices": [], "usage": json.loads(rest)})

    def _event_line(self, rest: str) -> None:
        self._event(json.loads(rest))

    def _data_line(self, rest: str) -> None:
        self._write(json.loads(rest) if rest.startswith('"') else rest)

    def _line_line(self, rest: str) -> None:
        self._text.append(f"{rest}\n\n")

    def _name_line(self, rest: str) -> None:
        self._name = rest

    def _named_line(self, _: str) -> None:
        self._named = True

    def _crlf_line(self, _: str) -> None:
        self._framing["end"] = "\r\n"

    def _nospace_line(self, _: str) -> None:
        self._framing["space"] = ""

    def _calls_line(self, rest: str) -> None:
        self.calls = rest.split()

    def _fails_line(self, rest: str) -> None:
        self.fails = rest

    def _body_line(self, rest: str) -> None:
        self.content_type = "application/json"
        self._text.append(rest)

    def _page_line(self, rest: str) -> None:
        self.content_type = "text/html"
        self._text.append(rest.replace("\\n", "\n"))

    def _chunk(self, delta: Any, reason: str | None, more: dict[str, Any]) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, **self._choice}
        self._event({"choices": [choice], **more})

    def _event(self, fields: dict[str, Any]) -> None:
        event = {**self._head, **fields}
        if self._named and "type" in event:
            self._name = event["type"]
        self._write(json.dumps(event, separators=(",", ":"), ensure_ascii=False))

    def _write(self, data: str) -> None:
        if self._name:
            self._text.append(f"event:{self._framing['space']}{self._name}\n")
        self._text.append(f"data:{self._framing['space']}{data}\n\n")
        if data.strip() != "[DONE]" and self.failure is None:
            event = json.loads(data)
            if event.get("error") or self._name == "error":
                self.failure = event
            else:
                self.events.append(event)
        self._name = ""


def _values(text: str, count: int) -> list[Any]:
    """The JSON values on a line, filled up with empty objects."""
    values: list[Any] = []
    at = 0
    while at < len(text):
        value, at = _DECODER.raw_decode(text, at)
        values.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return [*values, *({} for _ in range(count - len(values)))]


def payloads() -> list[Payload]:
    """All payloads, by server."""
    found: list[Payload] = []
    for file in sorted(SERVERS.glob("*.txt")):
        sections = file.read_text(encoding="utf-8").split("\n=== ")[1:]
        for section in sections:
            heading, *lines = section.strip("\n").split("\n")
            found.append(Payload(file.stem, heading, lines))
    return found
