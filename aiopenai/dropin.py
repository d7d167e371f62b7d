"""The switch: after `import aiopenai.dropin`, `import openai` and all modules below it resolve to aiopenai.

Import it first, before a framework imports `openai`. Replies are then real pydantic objects, which frameworks subclass
and check. `AIOPENAI_DROPIN_REPLIES=structs` keeps aiopenai's own reply types, which are faster.
`python -m aiopenai exec PROGRAM` does the same for a program and its child processes, without a change in them.
`python -m aiopenai.dropin --build-shim DIRECTORY` writes a wheel named `openai` that depends on aiopenai.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from types import ModuleType
from typing import Any

from typing_extensions import override

from aiopenai.version import REFERENCE_VERSION

__all__ = ["install", "opened", "uninstall"]


class _Distribution(Distribution):
    """The metadata of `openai`, for programs that ask its version."""

    @override
    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: openai\nVersion: {REFERENCE_VERSION}\nRequires-Dist: aiopenai\n"

    @override
    def locate_file(self, path: Any) -> Any:
        raise FileNotFoundError(f"{path}: the distribution `openai` is aiopenai, and has no files of its own")


class _Finder(DistributionFinder):
    """Finds `openai` and the modules below it."""

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "openai" and not fullname.startswith("openai."):
            return None
        from aiopenai._dropin import views

        if views.home_of(fullname) is None:
            return None
        spec = ModuleSpec(fullname, self, origin="aiopenai.dropin", is_package=True)  # type: ignore[arg-type]  # pyright: ignore
        spec.submodule_search_locations = []
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from aiopenai._dropin import views

        return views.make_view(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Does nothing: the names of the module are looked up at their first use."""

    @override
    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        return [_Distribution()] if context is not None and context.name == "openai" else []


_finder = _Finder()


def install(*, replies: str | None = None) -> None:
    """Lets `openai` resolve to aiopenai from now on; a second call changes nothing.

    `replies` is "pydantic" (the default) or "structs". Raises RuntimeError if another `openai` is imported already,
    and ValueError for other `replies`.
    """
    chosen = replies or os.environ.get("AIOPENAI_DROPIN_REPLIES") or "pydantic"
    if chosen not in ("pydantic", "structs"):
        raise ValueError(f"replies must be 'pydantic' or 'structs', not {chosen!r}")
    if _finder in sys.meta_path:
        return
    if "openai" in sys.modules:
        where = getattr(sys.modules["openai"], "__file__", None)
        raise RuntimeError(
            f"openai is imported already, from {where}: import aiopenai.dropin before the first import of openai"
        )
    from aiopenai._dropin import identity, views

    views.STRUCTS = chosen == "structs"
    identity.take()
    sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Undoes `install`: the next `import openai` finds the installed package. Modules imported before keep theirs."""
    if _finder not in sys.meta_path:
        return
    from aiopenai._dropin import identity

    sys.meta_path.remove(_finder)
    identity.restore()
    for name in [each for each in sys.modules if each == "openai" or each.startswith("openai.")]:
        del sys.modules[name]


def opened() -> ModuleType:
    """Returns the module `openai` of the switch, for a package of that name which stands for aiopenai."""
    install()
    return importlib.import_module("openai")


if __name__ == "__main__":
    from aiopenai._dropin.shim import build_shim

    if len(sys.argv) != 3 or sys.argv[1] != "--build-shim":
        sys.exit("usage: python -m aiopenai.dropin --build-shim DIRECTORY")
    sys.stdout.write(f"{build_shim(sys.argv[2])}\n")
else:
    install()
