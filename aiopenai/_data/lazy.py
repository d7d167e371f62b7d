"""The names of the packages of types, looked up at their first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

import typing_extensions

from aiopenai._data.unions import OneOf


def lazily(package: str, modules: tuple[str, ...], homes: Mapping[str, str]) -> tuple[Any, Callable[[], list[str]]]:
    """Returns `__getattr__` and `__dir__` of a package with names from its own `modules` and from elsewhere.

    `homes` maps groups to the names that come from there, `name=own` if the group has another name for it.
    """
    namespace = vars(sys.modules[package])
    foreign: dict[str, tuple[str, str]] = {}
    for group, offered in homes.items():
        for item in offered.split():
            name, _, own = item.partition("=")
            foreign[name] = (group, own or name)

    def find(name: str) -> Any:
        if not name.startswith("_"):
            if name in foreign:
                group, own = foreign[name]
                namespace[name] = value = getattr(import_module(f"aiopenai.types.{group}"), own)
                return value
            if name.islower():
                try:
                    return import_module(f"{package}.{name}")
                except ModuleNotFoundError:
                    raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
            # Most programs need no parameter types at run time: their module comes first for names of such types only.
            for module in reversed(modules) if name.endswith(("Param", "Params")) else modules:
                found = vars(import_module(f"{package}.{module}"))
                if name in found:
                    namespace[name] = value = found[name]
                    return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        found = namespace.keys() | foreign.keys()
        for module in modules:
            home = f"{package}.{module}"
            found |= {name for name, value in vars(import_module(home)).items() if _is_offered(name, value, home)}
        return sorted(name for name in found if not name.startswith("_") or name.endswith("__"))

    return find, names


def _is_offered(name: str, value: Any, home: str) -> bool:
    """Returns whether a module defines a name, as far as is known: classes know their module, aliases do not."""
    if isinstance(value, type) and not issubclass(value, OneOf):
        return value.__module__ == home
    return name[0].isupper() and not hasattr(typing_extensions, name) and not isinstance(value, TypeVar)
