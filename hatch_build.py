"""The build of a wheel: the reference's module paths become stubs, so that type checkers and editors find them.

They are lines of three tables, from which `aiopenai._data.leaves` makes the modules when they are imported.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The folders that the tables stand in, and the packages whose modules they list.
ROOTS = {"types": "aiopenai.types", "resources": "aiopenai.resources", "_reference": "aiopenai"}
# What precedes and follows the name of a resource's blocking class in the names of its classes.
FORMS = [
    (prefix, suffix)
    for suffix in ("", "WithRawResponse", "WithStreamingResponse", "AsRequest")
    for prefix in ("", "Async")
]

# A folder without this file is a namespace package, whose finder comes before that of the tables.
_PACKAGE = "import sys\n\nfrom aiopenai._data.leaves import fill\n\nfill(sys.modules[__name__])\n"


class LeafModules(BuildHookInterface):
    """Adds the stubs to the wheel. At run time the modules are made as in the tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files and tell the builder where they go."""
        if self.target_name != "wheel" or version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp())
        package = Path(self.root, "aiopenai")
        for number, (path, text) in enumerate(leaf_files(package)):
            file = self._folder / str(number)
            file.write_text(text, encoding="utf-8")
            build_data["force_include"][str(file)] = path

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the files."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder)


def leaf_files(package: Path) -> Iterator[tuple[str, str]]:
    """All files, by path in the wheel."""
    for root, above in ROOTS.items():
        lines = (package / root / "_modules.txt").read_text(encoding="utf-8").splitlines()
        table = {path: words.split() for path, _, words in (line.partition(" ") for line in lines)}
        packages = {path[:at] for path in table for at, letter in enumerate(path) if letter == "."}
        for path, (home, *words) in table.items():
            below = package.parent / above.replace(".", "/") / path.replace(".", "/")
            # A module of the tree offers the names of its line itself.
            if path == "." or below.with_suffix(".py").is_file() or (below / "__init__.py").is_file():
                continue
            folder = [*above.split("."), *path.split(".")]
            file = "/".join(folder)
            if path in packages:
                yield f"{file}/__init__.py", _PACKAGE
                file += "/__init__"
            else:
                del folder[-1]
            yield f"{file}.pyi", leaf_text(package, folder, root, home, words)


def leaf_text(package: Path, folder: list[str], root: str, home: str, words: list[str]) -> str:
    """A stub in a folder that offers the names of a line.

    It has imports, and the list of names if one has another name at its home.
    """
    imports: dict[str, list[tuple[str, str]]] = {}
    names: list[str] = []
    for word in words:
        name, _, own = word.partition("=")
        there, colon, other = own.rpartition(":")
        module, own = (there if colon else home), (other or name)
        for prefix, suffix in FORMS if root == "resources" else (("", ""),):
            offered, imported = f"{prefix}{name}{suffix}", f"{prefix}{own}{suffix}"
            if suffix and not has_class(package, module, imported):
                continue
            names.append(offered)
            imports.setdefault(module, []).append((imported, offered))
    # `import X as X` offers X to other modules. There are 1,900 stubs, and the size of the wheel has a limit: relative
    # imports save a sixth of theirs.
    renamed = any(imported != offered for each in imports.values() for imported, offered in each)
    lines = [
        f"from {relative(f'{ROOTS[root]}.{module}', folder)} import "
        + ", ".join(
            imported if renamed and imported == offered else f"{imported} as {offered}" for imported, offered in each
        )
        for module, each in imports.items()
    ]
    if renamed:
        lines.append(f"__all__ = [{', '.join(map(repr, names))}]")
    return "".join(f"{line}\n" for line in lines)


def relative(module: str, folder: list[str]) -> str:
    """The name of a module in an import of a file in a folder."""
    path = module.split(".")
    shared = next((at for at, pair in enumerate(zip(path, folder, strict=False)) if pair[0] != pair[1]), None)
    shared = min(len(path), len(folder)) if shared is None else shared
    return "." * (len(folder) - shared + 1) + ".".join(path[shared:])


def has_class(package: Path, module: str, name: str) -> bool:
    """Whether a module of resources has a class: a resource without calls has no views."""
    below = package / "resources" / module.replace(".", "/")
    stub = below.with_suffix(".pyi")
    text = (stub if stub.is_file() else below / "__init__.pyi").read_text(encoding="utf-8")
    return f"\nclass {name}(" in text or f"\nclass {name}:" in text
