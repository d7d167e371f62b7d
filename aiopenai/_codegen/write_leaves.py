"""The writer of `_modules.txt`, the tables of the reference's small modules, with a line for each module.

A line names a module, the module here that has its names, and the names: `Name=Own` where that module calls it
otherwise, `Name=module:Own` where another one has it. Of resources only the blocking class is named.
`aiopenai._data.leaves` makes the modules from the tables; the build of a wheel writes them as files.
"""

from __future__ import annotations

from aiopenai._codegen.groups import Groups
from aiopenai._codegen.layout import Layout
from aiopenai._codegen.source import Source
from aiopenai._codegen.write_sockets import socket_classes


def tables(layout: Layout, groups: Groups, source: Source) -> dict[str, str]:
    """Both tables, by relative path."""
    return {
        "resources/_modules.txt": _table(_resources(groups, source)),
        "types/_modules.txt": _table(_types(layout)),
    }


def _table(modules: dict[str, dict[str, tuple[str, str]]]) -> str:
    lines: list[str] = []
    for module, names in sorted(modules.items()):
        homes = [home for home, _ in names.values()]
        main = max(sorted(set(homes)), key=homes.count)
        words = [_word(name, own, "" if home == main else f"{home}:") for name, (home, own) in names.items()]
        lines.append(f"{module or '.'} {main} {' '.join(words)}\n")
    return "".join(lines)


def _word(name: str, own: str, home: str) -> str:
    return name if own == name and not home else f"{name}={home}{own}"


def _types(layout: Layout) -> dict[str, dict[str, tuple[str, str]]]:
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for name, target in layout.offered.items():
        if not name.name.startswith("_"):
            place = layout.place(target)
            module = name.module.removeprefix("types.")
            found.setdefault(module, {})[name.name] = (place.group, place.name)
    return found


def _resources(groups: Groups, source: Source) -> dict[str, dict[str, tuple[str, str]]]:
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for module, offers in groups.offered(source).items():
        names = {
            name: (group.module.removeprefix("aiopenai.resources."), own)
            for name, (group, own) in offers.items()
            # A module of ours has its own names without a table.
            if group.module != f"aiopenai.resources.{module}".rstrip(".")
        }
        for node in groups.sockets(module):
            group, _ = groups.place(node)
            home = f"{group.module.removeprefix('aiopenai.resources.')}._connections"
            names |= {name: (home, name) for name in socket_classes(node)}
        if names:
            found[module] = names
    return found
