"""`LazyProxy` of `openai._utils`, and the reference's proxies: of `resources` and of packages that are optional."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Generic, TypeVar, cast

from typing_extensions import override

from aiopenai.errors import OpenAIError

__all__ = [
    "INSTRUCTIONS",
    "NUMPY_INSTRUCTIONS",
    "PANDAS_INSTRUCTIONS",
    "SOUNDDEVICE_INSTRUCTIONS",
    "LazyProxy",
    "MissingDependencyError",
    "NumpyProxy",
    "PandasProxy",
    "ResourcesProxy",
    "SounddeviceProxy",
    "format_instructions",
    "has_numpy",
    "numpy",
    "pandas",
    "resources",
    "sounddevice",
]

T = TypeVar("T")

INSTRUCTIONS = "`{library}` is not installed, and this feature needs it: pip install {library}"


class LazyProxy(ABC, Generic[T]):
    """An object that stands for another, which `__load__` makes at each use.

    A proxy of a proxy gives the inner one for all attributes.
    """

    def __getattr__(self, name: str) -> object:
        proxied = self.__get_proxied__()
        return proxied if _is_proxy(proxied) else getattr(proxied, name)

    @override
    def __repr__(self) -> str:
        proxied = self.__get_proxied__()
        return type(proxied).__name__ if _is_proxy(proxied) else repr(proxied)

    @override
    def __str__(self) -> str:
        proxied = self.__get_proxied__()
        return type(proxied).__name__ if _is_proxy(proxied) else str(proxied)

    @override
    def __dir__(self) -> Iterable[str]:
        proxied = self.__get_proxied__()
        return [] if _is_proxy(proxied) else dir(proxied)

    @property  # type: ignore[misc]
    @override
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            proxied: object = self.__get_proxied__()
        except Exception:
            # `isinstance` asks for the class, and must not raise.
            return type(self)
        return type(proxied) if _is_proxy(proxied) else proxied.__class__

    def __get_proxied__(self) -> T:
        """Returns the object that the proxy stands for."""
        return self.__load__()

    def __as_proxied__(self) -> T:
        """Returns the proxy itself; for type checkers, the object that it stands for."""
        return cast("T", self)

    @abstractmethod
    def __load__(self) -> T:
        """Makes, or finds, the object that the proxy stands for."""


def _is_proxy(value: object) -> bool:
    # Not `isinstance`, which asks for the `__class__` of the object behind a proxy.
    return issubclass(type(value), LazyProxy)


class ResourcesProxy(LazyProxy[Any]):
    """The module `resources`, imported at its first use."""

    @override
    def __load__(self) -> Any:
        return import_module("aiopenai.resources")


class MissingDependencyError(OpenAIError):
    """An optional package is not installed."""


def format_instructions(*, library: str, extra: str) -> str:
    """Returns the message for a package that is not installed. `extra` is the reference's extra with this package."""
    del extra
    return INSTRUCTIONS.format(library=library)


class _OptionalPackage(LazyProxy[Any]):
    """An optional package, imported at its first use. Raises MissingDependencyError if it is not installed."""

    _library: str

    @override
    def __load__(self) -> Any:
        try:
            return import_module(self._library)
        except ImportError as error:
            raise MissingDependencyError(INSTRUCTIONS.format(library=self._library)) from error


class NumpyProxy(_OptionalPackage):
    """The package numpy."""

    _library = "numpy"


class PandasProxy(_OptionalPackage):
    """The package pandas."""

    _library = "pandas"


class SounddeviceProxy(_OptionalPackage):
    """The package sounddevice."""

    _library = "sounddevice"


NUMPY_INSTRUCTIONS = INSTRUCTIONS.format(library="numpy")
PANDAS_INSTRUCTIONS = INSTRUCTIONS.format(library="pandas")
SOUNDDEVICE_INSTRUCTIONS = INSTRUCTIONS.format(library="sounddevice")

numpy = NumpyProxy()
pandas = PandasProxy()
sounddevice = SounddeviceProxy()
resources = ResourcesProxy()


def has_numpy() -> bool:
    """Returns whether numpy is installed."""
    return find_spec("numpy") is not None
