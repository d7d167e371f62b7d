"""Imports point downwards only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "aiopenai"
# From the bottom up; a name stands for a module, or for a package with all below it.
# fmt: off
LAYERS = [
    "version", "values", "headers", "urls", "errors", "logs", "querystring", "sse", "runner", "lenient", "lazy",
    "codec", "models", "vectors", "types", "request", "response", "multipart", "retry", "hedging", "paging", "hooks",
    "streaming", "transport", "direct", "methods", "arguments", "endpoint", "tokens", "lib", "verbs", "limits", "bulk",
    "resources", "client", "blocking", "otel", "module_client", "__init__", "demo", "joblines", "run", "runbatch",
    "distributed", "__main__",
]
# fmt: on
ASIDE = {"testing", "_codegen"}
AIOHTTP_AT_RUN_TIME = {"transport", "direct", "testing"}


class Import(NamedTuple):
    target: str
    line: int
    for_typing: bool


def layer(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path) -> Iterator[Import]:
    """All imports of a module, those inside functions included, as absolute names."""
    package = ("aiopenai", *path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {id(node) for block in ast.walk(tree) if is_typing_block(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, id(node) in typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], node.module] if node.level else [node.module]
            prefix = ".".join(part for part in base if part)
            yield from (Import(f"{prefix}.{alias.name}", node.lineno, id(node) in typing) for alias in node.names)


def imported_layer(target: str) -> str | None:
    """The layer that an absolute name belongs to; None outside the package."""
    first, _, rest = target.partition(".")
    name = rest.partition(".")[0]
    if first != "aiopenai":
        return None
    return name if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file() else "__init__"


MODULES = sorted(PACKAGE.rglob("*.py"))


def test_every_module_has_a_layer() -> None:
    assert {layer(path) for path in MODULES} == {*LAYERS, *ASIDE}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    here = layer(path)
    for target, line, for_typing in imports(path):
        where = f"{path.name}:{line} imports {target}"
        if target.partition(".")[0] == "aiohttp":
            assert for_typing or here in AIOHTTP_AT_RUN_TIME, where
        there = imported_layer(target)
        if there is None or there == here or here in ASIDE:
            continue
        # The command `serve` starts the server; nothing else knows of it.
        assert there not in ASIDE or (here, there) == ("__main__", "testing"), where
        assert there in ASIDE or LAYERS.index(there) < LAYERS.index(here), where
