"""The reference's module paths, made when they are imported.

In the reference each type and each resource has a module of its own: `from openai.types.chat.chat_completion import
Choice`. Here a group of the API is a module or two. The tables `types/_modules.txt` and `resources/_modules.txt` have a
line for each module of the reference: its path, the module here that has its names, and the names (`Name=Own` where
they differ, `Name=module:Own` where another module has it). In a wheel these modules are files, which are found first.
`_reference/_modules.txt` is the table of the reference's internal modules, such as `openai._types`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    # At run time it costs more than all that is done here.
    from importlib.abc import Loader

__all__ = [
    "RESOURCE_FORMS",
    "AbsentModuleError",
    "defines",
    "fill",
    "find_imported",
    "importing",
    "internal",
    "named",
    "offered",
    "read_line",
    "spec_of",
    "table",
]

# The packages that have a table, and the package of each table. The longer paths come first.
_ROOTS = {
    "aiopenai.types": "aiopenai.types",
    "aiopenai.resources": "aiopenai.resources",
    "aiopenai": "aiopenai._reference",
}
# Public modules of the reference that have no counterpart, and their contents.
_ABSENT = {
    "aiopenai.lib.browser": "the browser toolset",
}
# The prefix and the suffix of the blocking class's name in the names of a resource's other classes.
RESOURCE_FORMS = [
    (prefix, suffix)
    for suffix in ("WithStreamingResponse", "WithRawResponse", "AsRequest", "")
    for prefix in ("Async", "")
]


class AbsentModuleError(ModuleNotFoundError):
    """The import of a public module of the reference that aiopenai does not have."""


def read_line(line: str) -> dict[str, tuple[str, str]]:
    """The names of one module of a table, by the part of its line after the path: the module and the name of each."""
    home, *words = line.split()
    found: dict[str, tuple[str, str]] = {}
    for word in words:
        name, _, own = word.partition("=")
        there, colon, other = own.rpartition(":")
        found[name] = (there if colon else home, other or name)
    return found


@lru_cache(maxsize=len(_ROOTS))
def _lines(root: str) -> Mapping[str, str]:
    """The lines of a table by module path."""
    # `get_data` also reads from a zip file. Few programs import these modules.
    import pkgutil

    text = cast("bytes", pkgutil.get_data(_ROOTS[root], "_modules.txt")).decode()
    return {path: rest for path, _, rest in (line.partition(" ") for line in text.splitlines())}


def table(root: str, home: str) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """Yields the reference's modules with names from one module here, and the names of each."""
    for path, rest in _lines(root).items():
        if path != "." and rest.startswith(f"{home} "):
            yield path, read_line(rest)


@lru_cache(maxsize=len(_ROOTS))
def _packages(root: str) -> frozenset[str]:
    """The paths that other paths lie below."""
    return frozenset(path[:at] for path in _lines(root) for at, letter in enumerate(path) if letter == ".")


def _split(module: str) -> tuple[str, str] | None:
    """A module's root and its path below that; None for modules elsewhere."""
    for root in _ROOTS:
        if module == root or module.startswith(f"{root}."):
            return root, module[len(root) + 1 :] or "."
    return None


def offered(module: str) -> Callable[[str], Any] | None:
    """A function that finds the names which a table has for a module; None where it has none."""
    root, path = _split(module) or ("", "")
    line = _lines(root).get(path) if root else None
    if line is None:
        return None
    names = read_line(line)
    views = root == "aiopenai.resources"

    def find(name: str) -> Any:
        for prefix, suffix in RESOURCE_FORMS if views else (("", ""),):
            if name.startswith(prefix) and name.endswith(suffix):
                place = names.get(name[len(prefix) : len(name) - len(suffix)])
                if place is not None:
                    home, own = place
                    return getattr(import_module(f"{root}.{home}"), f"{prefix}{own}{suffix}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find


def defines(module: str, name: str) -> bool | None:
    """Returns whether a module of a table has a name of its own; None for modules without a table."""
    root, path = _split(module) or ("", "")
    line = _lines(root).get(path) if root else None
    return None if line is None else name in read_line(line)


def find_imported(module: str, name: str) -> Any:
    """Returns a name that the reference's module has from an import. Raises AttributeError if it cannot have one."""
    # Python asks for names of its own, such as `__path__`.
    if name.startswith("__"):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    # By name, because few programs ask for such names.
    return import_module("aiopenai._reference.imported").find_imported(module, name)


def named(module: str, name: str) -> Any:
    """Returns a name that a table has for a module, or that the reference's module has from an import.

    Raises AttributeError without one.
    """
    look_up = offered(module)
    if look_up is not None:
        try:
            return look_up(name)
        except AttributeError:
            pass
    return find_imported(module, name)


def importing(module: str) -> Callable[[str], Any]:
    """Returns `__getattr__` of a module with a path of the reference's."""

    def find(name: str) -> Any:
        value = named(module, name)
        setattr(sys.modules[module], name, value)
        return value

    return find


def internal(name: str) -> ModuleType | None:
    """Returns an internal module of the reference, such as `_types`, as an attribute of the root; None for others."""
    path = f"aiopenai.{name}"
    return import_module(path) if not name.startswith("__") and spec_of(path) is not None else None


def spec_of(name: str) -> ModuleSpec | None:
    """Returns the specification of a module that a table has; None for all others.

    Raises AbsentModuleError for a public module of the reference without a counterpart.
    """
    if (contents := _ABSENT.get(name)) is not None:
        raise AbsentModuleError(
            f"No module named {name!r}: aiopenai does not have {contents} of openai. Use the reference for it.",
            name=name,
        )
    root, below = _split(name) or ("", "")
    if not root or below not in _lines(root):
        return None
    return ModuleSpec(name, cast("Loader", _Maker()), is_package=below in _packages(root))


class _Maker:
    """Makes the modules of the tables that are no files."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        fill(module)


def fill(module: ModuleType) -> None:
    """Gives a module of a table its names. Packages of a wheel, which are folders with stubs, call it themselves."""
    root, below = cast("tuple[str, str]", _split(module.__name__))
    names = read_line(_lines(root)[below])
    vars(module).update(__getattr__=importing(module.__name__), __dir__=lambda: sorted({*vars(module), *names}))
