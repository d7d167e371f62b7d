"""The rooms of the house: a room imports only from the rooms below it, and has no import cycles inside."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

PACKAGE = Path(__file__).parents[1] / "aiopenai"
# Each room, and the rooms that its modules may import. A room is a folder or a module of the package.
BASE = {"version", "_base"}
DATA = {*BASE, "_data"}
HTTP = {*DATA, "errors", "_http"}
CALLS = {*HTTP, "retry", "_calls", "types"}
LIVE = {*CALLS, "_live"}
LIB = {*LIVE, "lib"}
CLIENT = {*LIB, "resources", "providers", "_client"}
JOBS = {*CLIENT, "_jobs"}
ARROWS: dict[str, set[str]] = {
    "version": set(),
    "_base": BASE,
    "errors": BASE,
    "retry": {*BASE, "errors"},
    "_data": DATA,
    "types": {*DATA, "types"},
    "_http": HTTP,
    "_calls": CALLS,
    "_live": LIVE,
    "lib": LIB,
    "resources": {*LIB, "resources"},
    "auth": {*HTTP, "retry", "auth"},
    "providers": {*CALLS, "providers"},
    "_client": CLIENT,
    "_jobs": JOBS,
    "_cli": {*JOBS, "__init__", "_cli"},
    # The names that only programs written for the reference ask for.
    "_reference": {*CLIENT, "_reference"},
    # Public doors and optional features: nothing below imports them.
    "hooks": {"_calls"},
    "response": {"_calls", "_http"},
    "pagination": {"_calls", "_data"},
    "limits": {"_jobs"},
    "tokens": {*DATA, "errors"},
    "otel": {*CALLS, "hooks"},
    "distributed": JOBS,
    "helpers": {*BASE, "errors", "helpers"},
    "dropin": {*BASE, "_dropin"},
    "_dropin": {*CLIENT, "_dropin", "_reference", "dropin", "__init__"},
    "__main__": {"_cli"},
    "__init__": {*JOBS, "auth", "types"},
    # The local server and the generator stand aside.
    "testing": {*BASE, "testing"},
    "_codegen": {"_codegen"},
}
# The rooms of the local server, below its public door.
TESTING: dict[str, set[str]] = {
    "memory": {"memory"},
    "engine": {"memory", "engine"},
    "content": {"memory", "engine", "content"},
    "endpoints": {"memory", "engine", "content", "endpoints"},
    "recording": {"engine", "recording"},
    "controls": {"memory", "engine", "recording"},
    "server": {"memory", "engine", "content", "endpoints", "controls"},
    "pytest_plugin": {"server"},
    "__init__": {"engine", "content", "server"},
}
# Rooms in which imports inside functions and for typing count as imports.
STRICT_ROOMS = {"testing"}
# Rooms that another opens when it is used for the first time, and never before.
OPENED_LATE = {("_client", "_jobs"), ("_client", "auth"), ("lib", "_client"), ("_calls", "lib"), ("_cli", "testing")}
AIOHTTP_AT_RUN_TIME = {"_http", "testing"}


class Import(NamedTuple):
    target: str
    line: int
    late: bool
    for_typing: bool


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def is_typing_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path) -> Iterator[Import]:
    """All imports of a module, those inside functions included, as absolute names."""
    package = ("aiopenai", *path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {id(node) for block in ast.walk(tree) if is_typing_block(block) for node in ast.walk(block)}
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    late = {id(node) for each in ast.walk(tree) if isinstance(each, functions) for node in ast.walk(each)}
    for node in ast.walk(tree):
        where = (getattr(node, "lineno", 0), id(node) in late, id(node) in typing)
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, *where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], node.module] if node.level else [node.module]
            prefix = ".".join(part for part in base if part)
            yield from (Import(f"{prefix}.{alias.name}", *where) for alias in node.names)


def imported_room(target: str) -> str | None:
    """The room that an absolute name belongs to; None outside the package."""
    first, _, rest = target.partition(".")
    name = rest.partition(".")[0]
    if first != "aiopenai":
        return None
    return name if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file() else "__init__"


def module_of(target: str) -> str | None:
    """The module of the package that an absolute name is, or is in."""
    parts = target.split(".")
    for end in range(len(parts), 0, -1):
        path = PACKAGE.joinpath(*parts[1:end])
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            return ".".join(parts[:end])
    return None


MODULES = sorted(PACKAGE.rglob("*.py"))


def test_every_module_has_a_room() -> None:
    assert {room(path) for path in MODULES} == set(ARROWS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path: Path) -> None:
    here = room(path)
    for target, line, late, for_typing in imports(path):
        where = f"{path.relative_to(PACKAGE)}:{line} imports {target}"
        if target.partition(".")[0] == "aiohttp":
            assert for_typing or here in AIOHTTP_AT_RUN_TIME, where
        there = imported_room(target)
        if there is None or there in ARROWS[here]:
            continue
        assert late or for_typing, where
        assert (here, there) in OPENED_LATE, where


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.joinpath("testing").rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_of_the_local_server_follow_its_arrows(path: Path) -> None:
    parts = path.relative_to(PACKAGE / "testing").with_suffix("").parts
    prefix = "aiopenai.testing."
    for each in imports(path):
        if each.target.startswith(prefix):
            there = each.target.removeprefix(prefix).partition(".")[0]
            assert there in TESTING[parts[0]], f"{path.relative_to(PACKAGE)}:{each.line} imports {each.target}"


@pytest.mark.parametrize("name", sorted({room(path) for path in MODULES} - {"types", "resources"}))
def test_no_cycles_inside_a_room(name: str) -> None:
    """Outside of `STRICT_ROOMS`, imports for typing and inside functions do not count: they do not run at import."""
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        if room(path) != name:
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        own = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        graph[own] = {
            there
            for each in imports(path)
            if name in STRICT_ROOMS or not (each.late or each.for_typing)
            if (there := module_of(each.target)) not in (None, own)
            if imported_room(there + ".x") == name
        }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


# Classes whose attributes with a leading underscore aiohttp and asyncio may rename at any time.
AIOHTTP_CLASSES = (
    aiohttp.ClientResponse,
    aiohttp.ClientSession,
    aiohttp.StreamReader,
    aiohttp.TCPConnector,
    aiohttp.client_exceptions.ClientConnectorError,
    aiohttp.client_proto.ResponseHandler,
    aiohttp.client_reqrep.ClientRequest,
    aiohttp.connector.Connection,
)
AIOHTTP_INTERNALS = ("aiohttp.client_proto", "aiohttp.client_reqrep", "aiohttp.http_parser", "aiohttp.streams")
PRIVATE = PACKAGE / "_http" / "private"


def private_names() -> set[str]:
    """The private names of aiohttp's classes: of classes, slots, and attributes that methods assign to `self`."""
    names = {"_sock", "_ssl_protocol"}
    for cls in AIOHTTP_CLASSES:
        for each in cls.__mro__[:-1]:
            names.update(vars(each))
            tree = (
                ast.parse(textwrap.dedent(inspect.getsource(each))) if each.__module__.startswith("aiohttp") else None
            )
            for node in ast.walk(tree) if tree is not None else ():
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    names.add(node.attr)
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


@pytest.mark.parametrize("path", sorted((PACKAGE / "_http").rglob("*.py")), ids=lambda path: path.name)
def test_private_names_of_aiohttp_are_used_in_one_place(path: Path) -> None:
    """`self._name` is a name of our own, unless a class overrides or reads that of a base of aiohttp's."""
    if PRIVATE in path.parents:
        return
    forbidden = private_names()
    for each in imports(path):
        assert not each.target.startswith(AIOHTTP_INTERNALS), f"{path.name}:{each.line} imports {each.target}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in forbidden:
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            assert own, f"{path.name}:{node.lineno} uses {ast.unparse(node)}"
        elif isinstance(node, ast.Constant) and node.value in forbidden:
            # A slot, or a name given to getattr: slots are declared in `__slots__` of our own classes only.
            assert f'"{node.value}",' in path.read_text(encoding="utf-8"), f"{path.name}:{node.lineno}"
        elif isinstance(node, ast.ClassDef) and any("aiohttp" in ast.unparse(base) for base in node.bases):
            methods = {each.name for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
            assert not methods & forbidden, f"{path.name}: {node.name} overrides {methods & forbidden}"


def test_the_search_for_private_names_finds_them() -> None:
    assert {
        "_acquired",
        "_conns",
        "_waiters",
        "_release",
        "_buffer",
        "_eof",
        "_protocol",
        "_request",
    } <= private_names()
