"""The names of `openai._module_client`: the resources of the module's own client, and the classes of these proxies."""

from __future__ import annotations

from typing import Any

from aiopenai._client.module import Namespace

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # One class serves all resources.
    value = globals()[name] = Namespace if name.endswith("Proxy") else Namespace(name)
    return value
