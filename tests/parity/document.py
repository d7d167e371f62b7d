"""The examples in the OpenAPI document: what the API answers, in its own words."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

DOCUMENT = Path(__file__).parents[3] / "shared" / "openapi.yml"

_PATH = re.compile(r"  (/\S*):$")
_VERB = re.compile(r"    (get|post|put|patch|delete):$")
_TITLE = re.compile(r" +(?:- )?title: (.+)$")
_RESPONSE = re.compile(r"( +)(?:- )?response: (?:\|-?|(\".+\"))$")

# What the examples have that JSON has not, each with what it becomes.
_REPAIRS = [
    # Lines of which nothing but dots is given.
    (re.compile(r"^ *\.{3,}.*$", re.MULTILINE), ""),
    (re.compile(r'^ *("\w+": )?\{ ?\.\.\. ?\},?$', re.MULTILINE), ""),
    # Names without quotes, values of Python's.
    (re.compile(r"^( *)(\w+):", re.MULTILINE), r'\1"\2":'),
    (re.compile(r": None,$", re.MULTILINE), ": null,"),
    # Commas that are missing, and those before the end.
    (re.compile(r'(["\d\]}el])\n( *")'), r"\1,\n\2"),
    (re.compile(r",(?=\s*[]}])"), ""),
]


class Example(NamedTuple):
    """`label` is unique; `text` is the reply's body as the document has it."""

    label: str
    verb: str
    path: str
    text: str

    @property
    def streams(self) -> bool:
        """Whether the reply is a stream of events."""
        return self.text.startswith(("event:", "data:")) or bool(re.search(r" Streaming\b", self.label))

    def json(self) -> Any:
        """The body as a value, where it is JSON but for slips of its writers. Raises ValueError else."""
        text = self.text
        for pattern, replacement in _REPAIRS:
            text = pattern.sub(replacement, text)
        return json.loads(text)

    def events(self) -> str:
        """The body as server-sent events: what it shows, or a line of JSON each, or one. Raises ValueError else."""
        lines = [line for line in self.text.splitlines() if line.strip(" .")]
        if self.text.startswith(("event:", "data:")):
            return "".join(_event_line(line) for line in lines)
        try:
            events = [json.loads(line) for line in lines]
        except ValueError:
            events = [self.json()]
        return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def _event_line(line: str) -> str:
    data = line.removeprefix("data: ")
    if not data.startswith("{"):
        return f"{line}\n\n" if line == "data: [DONE]" else f"{line}\n"
    # Some have a brace too many at the end, and some no `data`.
    return f"data: {data[: json.JSONDecoder().raw_decode(data)[1]]}\n\n"


def examples() -> Iterator[Example]:
    """All example replies of all operations, in the document's order; none where there is no document.

    A reader of lines, not of YAML: the document is machine-made, and a parser for 3 MB of it takes longer than all
    tests that need it.
    """
    if not DOCUMENT.exists():
        return
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    path = verb = title = ""
    counts: dict[str, int] = {}
    for number, line in enumerate(lines):
        if found := _PATH.match(line):
            path, verb = found[1], ""
        elif line == "components:":
            return
        elif found := _VERB.match(line):
            verb, title = found[1].upper(), ""
        elif found := _TITLE.match(line):
            title = found[1]
        elif verb and (found := _RESPONSE.match(line)):
            label = " ".join(filter(None, (verb, path, title)))
            counts[label] = counts.get(label, 0) + 1
            # What YAML has in double quotes is JSON.
            text = json.loads(found[2]).strip() if found[2] else _block(lines, number + 1, len(found[1]))
            yield Example(label if counts[label] == 1 else f"{label} {counts[label]}", verb, path, text)


def _block(lines: list[str], start: int, indent: int) -> str:
    """A literal block: all lines that are indented further than its key."""
    end = start
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return textwrap.dedent("\n".join(lines[start:end])).strip()


def operations() -> Iterator[tuple[str, str]]:
    """Verb and path of all operations, in the document's order; none where there is no document."""
    if not DOCUMENT.exists():
        return
    path = ""
    with DOCUMENT.open(encoding="utf-8") as lines:
        for line in lines:
            if found := _PATH.match(line):
                path = found[1]
            elif line == "components:\n":
                return
            elif found := _VERB.match(line):
                yield found[1].upper(), path
