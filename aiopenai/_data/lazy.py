"""The names of the packages of types, looked up when they are first used.

Here a group of the API is a module or two; in the reference each type has a module of its own, and programs import
from those: `from aiopenai.types.chat.chat_completion import Choice`. Such modules are made when somebody imports them.
`types/_modules.py` says which ones there are, as words per package: `@group` where what follows is defined,
`Name=Own` before the group's first module what `Name` usually means (`~Name=Own`: in modules of parameters), then each
module (with a colon if no type has its name) and those of its names that do not follow from its own (`Name=group:Own`
where another group has it): of `chat_completion`, `ChatCompletion` and `Choice`, which is `ChatCompletionChoice` here,
do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import typing_extensions

from aiopenai._data.unions import OneOf

if TYPE_CHECKING:
    # At run time it costs more than all that is done here.
    from importlib.abc import Loader

_TYPES = "aiopenai.types"


def lazily(package: str, modules: tuple[str, ...], homes: Mapping[str, str]) -> tuple[Any, Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose names live in its own `modules` or elsewhere.

    `homes` maps groups to the names that come from there, `name=own` where the group calls it otherwise.
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
            # Most programs need no parameter types at run time: ask for them first only where the name tells.
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
    """Whether a module defines a name, as far as can be told: classes know where they are from, aliases do not."""
    if isinstance(value, type) and not issubclass(value, OneOf):
        return value.__module__ == home
    return name[0].isupper() and not hasattr(typing_extensions, name) and not isinstance(value, TypeVar)


class _Deep(NamedTuple):
    """A module of the reference: the group that has its types, and what its names are called there."""

    stem: str
    group: str
    has_main: bool
    special: dict[str, str]


_packages: dict[str, dict[str, _Deep]] = {}


def _deep_modules(package: str) -> dict[str, _Deep]:
    found = _packages.get(package)
    if found is None:
        table: Mapping[str, str] = import_module(f"{_TYPES}._modules").MODULES
        found = _packages[package] = {}
        group = ""
        usual: dict[str, str] = {}
        module: _Deep | None = None
        for word in table.get(package, "").split():
            name, equals, own = word.partition("=")
            if word.startswith("@"):
                group, usual, module = word[1:], {}, None
            elif word.islower():
                stem = word.rstrip(":")
                module = found[stem] = _Deep(stem, group, stem == word, {})
            elif module is None:
                usual[name] = own
            else:
                mark = "~" if module.stem.endswith(("_param", "_params")) else ""
                module.special[name] = own if equals else usual.get(mark + name, name)
    return found


def _look_up(module: _Deep, others: Mapping[str, _Deep], name: str) -> Any:
    """A name of a module of the reference. Raises AttributeError where it has none such."""
    home = import_module(f"{_TYPES}.{module.group}")
    own = module.special.get(name)
    if own is not None and ":" in own:
        group, _, own = own.partition(":")
        home = import_module(f"{_TYPES}.{group}")
    elif own is None:
        flat = module.stem.replace("_", "")
        if module.has_main and name.lower() == flat:
            return getattr(home, name)
        prefix = "".join(word[:1].upper() + word[1:] for word in module.stem.split("_"))
        if module.has_main:
            prefix = next((each for each in _names(home) if each.lower() == flat), prefix)
        own = name if name.startswith(prefix) else prefix + name
        # Another module's main type begins like this one's: `chat_completion` has no `Chunk`.
        if any(other.has_main and other.stem.replace("_", "") == own.lower() for other in others.values()):
            raise AttributeError(own)
    return getattr(home, own)


def _names(home: ModuleType) -> list[str]:
    found: list[str] = []
    for kind in ("replies", "params"):
        try:
            found += vars(import_module(f"{home.__name__}.{kind}"))
        except ModuleNotFoundError:
            continue
    return found


class _Finder:
    """Makes the modules that the reference has and we have not."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(f"{_TYPES}."):
            return None
        package, _, stem = fullname[len(_TYPES) + 1 :].rpartition(".")
        loader = cast("Loader", self)
        return ModuleSpec(fullname, loader) if stem[:1] != "_" and stem in _deep_modules(package) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        package, _, stem = module.__name__[len(_TYPES) + 1 :].rpartition(".")
        others = _deep_modules(package)

        def find(name: str) -> Any:
            if not name.startswith("__"):
                try:
                    value = _look_up(others[stem], others, name)
                except AttributeError:
                    pass
                else:
                    setattr(module, name, value)
                    return value
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        vars(module)["__getattr__"] = find


sys.meta_path.append(_Finder())
