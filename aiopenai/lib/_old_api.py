"""The names of the official package before its release 1.0. The error of each stub names the replacement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from typing_extensions import Self, override

from aiopenai._data.leaves import find_imported
from aiopenai.errors import OpenAIError

__all__ = ["REPLACEMENTS", "SYMBOLS", "APIRemovedInV1", "APIRemovedInV1Proxy"]

if not TYPE_CHECKING:
    # Hidden from type checkers, which report misspelt names.

    def __getattr__(name: str) -> Any:
        return APIRemovedInV1Proxy(symbol=name) if name in REPLACEMENTS else find_imported(__name__, name)


# The old names, and the resources of a client that replace them.
REPLACEMENTS = {
    "Audio": "client.audio",
    "ChatCompletion": "client.chat.completions",
    "Completion": "client.completions",
    "Customer": None,
    "Deployment": None,
    "Edit": "client.chat.completions",
    "Embedding": "client.embeddings",
    "Engine": "client.models",
    "ErrorObject": "the exceptions of aiopenai.errors",
    "File": "client.files",
    "FineTune": "client.fine_tuning.jobs",
    "FineTuningJob": "client.fine_tuning.jobs",
    "Image": "client.images",
    "Model": "client.models",
    "Moderation": "client.moderations",
}
SYMBOLS = list(REPLACEMENTS)


class APIRemovedInV1(OpenAIError):  # noqa: N818 - the reference's name
    """A name of before release 1.0 was used."""

    def __init__(self, *, symbol: str) -> None:
        instead = REPLACEMENTS.get(symbol)
        cure = f"use {instead} instead, where `client = OpenAI()`" if instead else "nothing replaces it"
        super().__init__(f"{symbol} was removed in release 1.0 of the API's package: {cure}.")
        self.symbol = symbol


class APIRemovedInV1Proxy:
    """The stub of an old name: each attribute is the stub again, and a call raises APIRemovedInV1."""

    def __init__(self, *, symbol: str) -> None:
        self._symbol = symbol

    def __getattr__(self, name: str) -> Self:
        if name.startswith("__"):
            # Protocols of Python's own, such as copying, must not find the stub.
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise APIRemovedInV1(symbol=self._symbol)

    @override
    def __repr__(self) -> str:
        return f"<{self._symbol}, removed in release 1.0>"
