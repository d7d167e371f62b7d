"""The words of docstrings: our own sentences about methods, parameters, types and fields, kept in text files.

A file holds one entry a line, `key: text`; a line that begins with two spaces continues the entry above it. Keys are
dotted paths, or parameter names in `dictionary.txt`, which answers where `parameters.txt` has no entry. `senders.txt`
describes the methods of connections that send an event, by socket and event, and their parameters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["FILES", "FOLDER", "Words", "WordsError", "entries", "read_words"]

FILES = ("methods", "parameters", "senders", "dictionary", "types", "fields")
"""The names of the files, without `.txt`."""

FOLDER = Path(__file__).parent / "words"
_ENTRY = re.compile(r"([\w.]+): (\S.*)")


class WordsError(Exception):
    """A file of words has an invalid line, or a key twice. The message names the file and the line."""


def entries(text: str, name: str) -> dict[str, str]:
    """The entries of one file. Raises `WordsError`."""
    found: dict[str, str] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            key = ""
        elif line.startswith("  ") and key:
            found[key] += f" {line.strip()}"
        elif match := _ENTRY.fullmatch(line.rstrip()):
            key = match[1]
            if key in found:
                raise WordsError(f"{name}:{number}: {key} has an entry already")
            found[key] = match[2]
        else:
            raise WordsError(f"{name}:{number}: neither `key: text` nor a continuation of an entry")
    return found


@dataclass
class Words:
    """The entries of all files, by file. `used` are the keys that were requested and found, as `file:key`."""

    methods: dict[str, str] = field(default_factory=dict[str, str])
    parameters: dict[str, str] = field(default_factory=dict[str, str])
    senders: dict[str, str] = field(default_factory=dict[str, str])
    dictionary: dict[str, str] = field(default_factory=dict[str, str])
    types: dict[str, str] = field(default_factory=dict[str, str])
    fields: dict[str, str] = field(default_factory=dict[str, str])
    used: set[str] = field(default_factory=set[str])
    silent: set[str] = field(default_factory=set[str])

    def _find(self, file: str, key: str) -> str:
        found: str | None = getattr(self, file).get(key)
        if found is None:
            return ""
        self.used.add(f"{file}:{key}")
        return found.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')

    def method(self, path: str) -> str:
        """The sentence about a method; a method without one is noted in `silent`."""
        found = self._find("methods", path)
        if not found:
            self.silent.add(path)
        return found

    def parameter(self, method: str, name: str) -> str:
        """The line about a parameter of a method."""
        usual = self._find("dictionary", name)
        return self._find("parameters", f"{method}.{name}") or usual

    def sender(self, socket: tuple[str, ...], event: str) -> str:
        """Returns the sentences about a method that sends an event; one without any is noted in `silent`."""
        found = self._like("senders", socket, event)
        if not found:
            self.silent.add(".".join((*socket, event)))
        return found

    def sent(self, socket: tuple[str, ...], event: str, name: str) -> str:
        """Returns the line about a field of a sent event, or about the same parameter of the method over HTTP."""
        method = event.rpartition(".")[2]
        return (
            self._like("senders", socket, f"{event}.{name}")
            or self._like("parameters", socket, f"{method}.{name}")
            or self._find("dictionary", name)
        )

    def _like(self, file: str, socket: tuple[str, ...], key: str) -> str:
        """Returns the entry of a socket, or of one with the same events: `live.forks`, or `live`; `beta.x`, or `x`."""
        for path in (socket, socket[:-1], socket[1:]):
            if path and (found := self._find(file, ".".join((*path, key)))):
                return found
        return ""

    def option(self, name: str) -> str:
        """The line about an option of every call."""
        return self._find("dictionary", name)

    def type(self, path: str) -> str:
        """The sentence about a type, `group.Type`."""
        return self._find("types", path)

    def field(self, path: str) -> str:
        """The line about a field, `group.Type.field`."""
        return self._find("fields", path)

    def unknown(self) -> list[str]:
        """Returns the unused keys, as `file: key`. The shared dictionary may have names for later use."""
        return [
            f"{file}.txt: {key}"
            for file in FILES
            if file != "dictionary"
            for key in getattr(self, file)
            if f"{file}:{key}" not in self.used and not _is_elsewhere(key)
        ]


def _is_elsewhere(key: str) -> bool:
    """Returns whether a key is that of a socket's `connect`, which another writer looks up."""
    return "connect" in key.split(".")[-2:]


def read_words(folder: Path = FOLDER) -> Words:
    """The words in a folder; a file that is absent has no entries. Raises `WordsError`."""
    words = Words()
    for file in FILES:
        path = folder / f"{file}.txt"
        if path.is_file():
            setattr(words, file, entries(path.read_text(encoding="utf-8"), path.name))
    return words
