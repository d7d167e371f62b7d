"""The steps from the reference's source to the text of all files."""

from __future__ import annotations

from collections.abc import Collection

from aiopenai._codegen.groups import Groups
from aiopenai._codegen.layout import lay_out
from aiopenai._codegen.read_resources import read_resources
from aiopenai._codegen.read_types import read_types
from aiopenai._codegen.source import Source
from aiopenai._codegen.words import Words, read_words
from aiopenai._codegen.write_leaves import tables
from aiopenai._codegen.write_resources import ResourcesWriter
from aiopenai._codegen.write_sockets import socket_types
from aiopenai._codegen.write_stubs import StubsWriter
from aiopenai._codegen.write_types import TypesWriter


def generate(source: Source, namespaces: Collection[str] | None = None, words: Words | None = None) -> dict[str, str]:
    """Returns the files of some namespaces (None: all), by path below the package.

    Raises `SourceError` and `WordsError`.

    `words` are those of the generator's own files where none are given.
    """
    words = read_words() if words is None else words
    resources = read_resources(source, namespaces)
    types = read_types(source)
    layout = lay_out(source, types, resources, namespaces is None)
    groups = Groups(resources, layout)
    return {
        **TypesWriter(layout, resources, words, source.version).files(),
        **ResourcesWriter(groups, words, source.version).files(),
        **StubsWriter(groups, source, words, source.version).files(),
        **tables(layout, groups, source),
        **(socket_types(source.version) if groups.has_sockets() else {}),
    }
