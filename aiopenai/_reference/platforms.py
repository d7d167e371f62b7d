"""The names of `openai._base_client` for the machine and the interpreter that a program runs on."""

from __future__ import annotations

import platform
import sys
from typing import Literal, TypeAlias

from typing_extensions import override

__all__ = [
    "Arch",
    "OtherArch",
    "OtherPlatform",
    "Platform",
    "get_architecture",
    "get_platform",
    "get_python_runtime",
    "get_python_version",
    "platform_headers",
]

_SYSTEMS: dict[str, SystemName] = {
    "darwin": "MacOS",
    "windows": "Windows",
    "freebsd": "FreeBSD",
    "openbsd": "OpenBSD",
    "linux": "Linux",
}
_MACHINES: dict[str, MachineName] = {
    "arm64": "arm64",
    "aarch64": "arm64",
    "arm": "arm",
    "x86_64": "x64",
    "amd64": "x64",
}


class OtherPlatform:
    """An operating system without a name in the API's list."""

    def __init__(self, name: str) -> None:
        self.name = name

    @override
    def __str__(self) -> str:
        return f"Other:{self.name}"


class OtherArch:
    """An architecture without a name in the API's list."""

    def __init__(self, name: str) -> None:
        self.name = name

    @override
    def __str__(self) -> str:
        return f"other:{self.name}"


SystemName: TypeAlias = Literal["MacOS", "Linux", "Windows", "FreeBSD", "OpenBSD", "iOS", "Android", "Unknown"]
MachineName: TypeAlias = Literal["x32", "x64", "arm", "arm64", "unknown"]
Platform: TypeAlias = OtherPlatform | SystemName
Arch: TypeAlias = OtherArch | MachineName


def get_platform() -> Platform:
    """Returns the operating system."""
    whole = platform.platform().lower()
    if "iphone" in whole or "ipad" in whole:
        return "iOS"
    # Android's kernel is Linux.
    if "android" in whole:
        return "Android"
    return _SYSTEMS.get(platform.system().lower()) or (OtherPlatform(whole) if whole else "Unknown")


def get_architecture() -> Arch:
    """Returns the architecture of the processor."""
    machine = platform.machine().lower()
    if machine in _MACHINES:
        return _MACHINES[machine]
    if sys.maxsize <= 2**32:
        return "x32"
    return OtherArch(machine) if machine else "unknown"


def get_python_runtime() -> str:
    """Returns the name of the interpreter."""
    return platform.python_implementation()


def get_python_version() -> str:
    """Returns the version of the interpreter."""
    return platform.python_version()


def platform_headers(version: str, *, platform: Platform | None) -> dict[str, str]:
    """Returns the headers by which the reference describes itself and the machine."""
    return {
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": version,
        "X-Stainless-OS": str(platform or get_platform()),
        "X-Stainless-Arch": str(get_architecture()),
        "X-Stainless-Runtime": get_python_runtime(),
        "X-Stainless-Runtime-Version": get_python_version(),
    }
