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
_RESPONSE = re.compile(r"( +)(?:- )?response: \|-?$")

_ELLIPSIS = re.compile(r"^ *\.{3,}.*$", re.MULTILINE)
_TRAILING = re.compile(r",(?=\s*[]}])")


class Example(NamedTuple):
    """`label` is unique; `text` is the reply's body as the document has it."""

    label: str
    verb: str
    path: str
    text: str

    def json(self) -> Any:
        """The body as a value, where it is JSON but for its last commas and an ellipsis. Raises ValueError else."""
        return json.loads(_TRAILING.sub("", _ELLIPSIS.sub("", self.text)))

    def events(self) -> str:
        """The body as server-sent events: as it is, or a line of JSON each. Raises ValueError else."""
        if self.text.startswith("event:"):
            return self.text + "\n\n"
        data = [line for line in self.text.splitlines() if line.strip(" .")]
        for line in data:
            json.loads(line)
        return "".join(f"data: {line}\n\n" for line in [*data, "[DONE]"])


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
            yield Example(
                label if counts[label] == 1 else f"{label} {counts[label]}",
                verb,
                path,
                _block(lines, number + 1, len(found[1])),
            )


def _block(lines: list[str], start: int, indent: int) -> str:
    """A literal block: all lines that are indented further than its key."""
    end = start
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return textwrap.dedent("\n".join(lines[start:end])).strip()
