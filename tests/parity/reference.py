"""The reference's interface, found by looking at what is installed; and what of it is not one HTTP call.

Imports the reference when its functions are called, so that tests can be collected where it is not installed.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import typing_extensions

# Two of a name in packages that share a module here: the class is called otherwise, in its repr say.
RENAMED = {
    "types.admin.organization.projects.groups.RoleDeleteResponse": "GroupsRoleDeleteResponse",
    "types.admin.organization.projects.users.RoleCreateResponse": "UsersRoleCreateResponse",
    "types.admin.organization.projects.users.RoleDeleteResponse": "UsersRoleDeleteResponse",
    "types.admin.organization.projects.users.RoleListResponse": "UsersRoleListResponse",
    "types.admin.organization.projects.users.RoleRetrieveResponse": "UsersRoleRetrieveResponse",
}


class Export(NamedTuple):
    """A public name of a module or package; `module` is below the reference's own, `types.chat` say."""

    module: str
    name: str
    value: Any

    @property
    def label(self) -> str:
        return f"{self.module}.{self.name}"


def client(kind: str = "AsyncOpenAI") -> Any:
    """One of the reference's clients; the test is skipped where it is not installed."""
    import pytest

    reference: Any = pytest.importorskip("openai", reason="the reference SDK is not installed")
    return getattr(reference, kind)(api_key="test", admin_api_key="test")


def methods(kind: str = "AsyncOpenAI") -> dict[str, Callable[..., Any]]:
    """Every public method of every resource of a client, bound, by its name from the client on."""
    root = client(kind)
    resource = type(root.models).__mro__[1]

    def below(holder: Any, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        for name in dir(type(holder)):
            found = inspect.getattr_static(type(holder), name)
            if name.startswith(("_", "with_")):
                continue
            if inspect.isfunction(found) and holder is not root:
                yield prefix + name, getattr(holder, name)
            elif isinstance(found, (cached_property, property)) and isinstance(
                child := getattr(holder, name), resource
            ):
                yield from below(child, f"{prefix}{name}.")

    return dict(below(root, ""))


def signatures(method: Callable[..., Any]) -> list[inspect.Signature]:
    """The method's overloads, or its one signature; without `self`."""
    function = inspect.unwrap(getattr(method, "__func__", method))
    overloads = list(typing_extensions.get_overloads(function))
    if len(overloads) < 2:
        # Of several that are `deprecated` Python keeps one: the signature behind them says the rest.
        overloads.append(function)
    found = [inspect.signature(each) for each in overloads]
    return [
        each.replace(parameters=[value for name, value in each.parameters.items() if name != "self"]) for each in found
    ]


def exports() -> Iterator[Export]:
    """What the packages of types offer."""
    for package in modules():
        if hasattr(package, "__path__"):
            for name, value in vars(package).items():
                if not (name.startswith("_") or isinstance(value, (types.ModuleType, __future__._Feature))):
                    yield Export(_below(package), name, value)


def modules() -> Iterator[types.ModuleType]:
    """All modules of types, packages included."""
    root = importlib.import_module("openai.types")
    yield root
    for found in pkgutil.walk_packages(root.__path__, "openai.types."):
        yield importlib.import_module(found.name)


def definitions() -> Iterator[Export]:
    """What each module of types offers that it made itself, by the list that it keeps of it."""
    for module in modules():
        for name in getattr(module, "__all__", ()):
            yield Export(_below(module), name, getattr(module, name))


def _below(module: types.ModuleType) -> str:
    return module.__name__.partition(".")[2]


def is_model(value: Any) -> bool:
    """Whether this is a class of replies."""
    return isinstance(value, type) and hasattr(value, "model_fields")
