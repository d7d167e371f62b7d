"""From the reference's source to the text of all files."""

from __future__ import annotations

from collections.abc import Collection

from aiopenai._codegen.layout import lay_out
from aiopenai._codegen.read_resources import read_resources
from aiopenai._codegen.read_types import read_types
from aiopenai._codegen.source import Source
from aiopenai._codegen.write_resources import ResourcesWriter
from aiopenai._codegen.write_types import TypesWriter


def generate(source: Source, namespaces: Collection[str] | None = None) -> dict[str, str]:
    """All files of some namespaces (None: of all), by path below the package. Raises `SourceError`."""
    resources = read_resources(source, namespaces)
    types = read_types(source)
    layout = lay_out(source, types, resources, namespaces is None)
    return {
        **TypesWriter(layout, resources, source.version).files(),
        **ResourcesWriter(layout, resources, source.version).files(),
    }
