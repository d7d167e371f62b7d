"""The modules of `openai`: views of aiopenai's, with the reply types and clients of drop-in mode."""

# pyright: basic

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from typing_extensions import override

from aiopenai._data.leaves import AbsentModuleError
from aiopenai.version import REFERENCE_VERSION

__all__ = ["STRUCTS", "View", "home_of", "make_view"]

# The settings of the module's own client, which are aiopenai's.
_SETTING_NAMES = (
    "api_key admin_api_key organization project webhook_secret base_url timeout max_retries default_headers "
    "default_query http_client api_type api_version azure_endpoint azure_ad_token azure_ad_token_provider "
    "bedrock_token_provider"
)
_SETTINGS = frozenset(_SETTING_NAMES.split())
# A module of the reference that has, beside its own names, those that it imports from the root.
_WITH_ROOT = "lib.azure"
# Replies stay Structs, and clients aiopenai's own.
STRUCTS = False
_CLIENT_NAMES = (
    "OpenAI Client AsyncOpenAI AsyncClient AzureOpenAI AsyncAzureOpenAI BedrockOpenAI AsyncBedrockOpenAI Stream "
    "AsyncStream FinalRequestOptions"
)
_CLIENTS = frozenset(_CLIENT_NAMES.split())
_STATES = frozenset({"ChatCompletionStreamState", "ResponseStreamState"})
_OF_BASE_CLIENT = {"SyncAPIClient": "OpenAI", "AsyncAPIClient": "AsyncOpenAI", "Client": "OpenAI"}


def home_of(name: str) -> tuple[ModuleType, ...] | None:
    """Returns the modules here that have the names of a module of `openai`; None if there are none.

    Raises AbsentModuleError for a public module of the reference without a counterpart.
    """
    below = name.partition(".")[2]
    found: list[ModuleType] = []
    try:
        found.append(import_module(f"aiopenai.{below}" if below else "aiopenai"))
    except AbsentModuleError:
        # It says more than that there is no such module.
        raise
    except ModuleNotFoundError as error:
        if error.name is None or not f"aiopenai.{below}".startswith(error.name):
            raise
    if below == _WITH_ROOT:
        found.append(import_module("aiopenai"))
    return tuple(found) or None


class View(ModuleType):
    """A module whose names are looked up in modules of aiopenai at their first use."""

    _homes: tuple[ModuleType, ...]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__all__", "__title__", "__version__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = self._found(name)
        if name not in _SETTINGS or self.__name__ != "openai":
            vars(self)[name] = value
        return value

    def _found(self, name: str) -> Any:
        if (own := _special(self.__name__, name)) is not None:
            return own
        for home in self._homes:
            try:
                value = getattr(home, name)
            except AttributeError:
                continue
            if isinstance(value, ModuleType) and value.__name__.startswith("aiopenai."):
                return import_module(f"openai.{value.__name__.partition('.')[2]}")
            return value if STRUCTS else _exported(value)
        try:
            return import_module(f"{self.__name__}.{name}")
        except ModuleNotFoundError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        if name in _SETTINGS and self.__name__ == "openai" and not isinstance(value, ModuleType):
            setattr(sys.modules["aiopenai"], name, value)
        else:
            super().__setattr__(name, value)

    @override
    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *(name for home in self._homes for name in dir(home))})


def _special(module: str, name: str) -> Any:
    """Returns a name that is not aiopenai's own; None for all others."""
    if name in ("__version__", "VERSION"):
        return REFERENCE_VERSION
    if name == "__title__":
        return "openai"
    if (found := _of_httpx(module, name)) is not None:
        return found
    if STRUCTS:
        return None
    if name in ("BaseModel", "GenericModel") and not module.startswith("openai.types"):
        return import_module("aiopenai._dropin.twins").BaseModel
    if name in _STATES and module.startswith("openai.lib.streaming"):
        return getattr(import_module("aiopenai._dropin.states"), name)
    if module == "openai._models" and name in ("construct_type", "construct_type_unchecked"):
        return _construct_type
    if name in _CLIENTS or (module == "openai._base_client" and name in _OF_BASE_CLIENT):
        clients = import_module("aiopenai._dropin.clients")
        return getattr(clients, {**_OF_BASE_CLIENT, "AsyncClient": "AsyncOpenAI"}.get(name, name))
    return None


# The reference's names from its HTTP library; without it, aiopenai has others.
_OF_HTTP_LIBRARY = frozenset({"Response", "Transport", "AsyncTransport"})


def _of_httpx(module: str, name: str) -> Any:
    """Returns a name that the reference has from its HTTP library; None for all others."""
    if name not in _OF_HTTP_LIBRARY or module not in ("openai", "openai._types"):
        return None
    return getattr(import_module("aiopenai._reference.http_libraries"), name)


def _construct_type(*, value: Any, type_: Any, metadata: Any = None) -> Any:
    """Returns a value as a type as far as it fits, without validation."""
    convert = import_module("aiopenai._dropin.builders").converter(type_)
    return value if convert is None else convert(value)


def _exported(value: Any) -> Any:
    return import_module("aiopenai._dropin.twins").export(value)


def make_view(name: str) -> View:
    """Returns the module of a name. Raises ModuleNotFoundError if aiopenai has no such module."""
    homes = home_of(name)
    if homes is None:
        raise ModuleNotFoundError(f"No module named {name!r} in aiopenai, which `openai` resolves to", name=name)
    view = View(name)
    vars(view)["_homes"] = homes
    return view
