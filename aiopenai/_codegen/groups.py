"""The modules of `aiopenai/resources`: which resources each holds, and under which names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aiopenai._codegen.layout import HOLDERS, Layout, group_of
from aiopenai._codegen.shapes import Name, Resource
from aiopenai._codegen.source import Source

# The forms of a resource's class: the prefix and the suffix of its name.
PREFIXES = ("", "Async")
SUFFIXES = ("", "WithRawResponse", "WithStreamingResponse", "AsRequest")


def forms(name: str, *, views: bool = True) -> list[str]:
    """The names of a resource's classes, the blocking one first."""
    suffixes = SUFFIXES if views else SUFFIXES[:1]
    return [f"{prefix}{name}{suffix}" for suffix in suffixes for prefix in PREFIXES]


@dataclass
class Group:
    """One module: its path (`("chat",)`), its resources, and the name of each one's class."""

    path: tuple[str, ...]
    nodes: list[Resource]
    classes: dict[tuple[str, ...], str]
    is_package: bool

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return ".".join(("aiopenai.resources", *self.path))

    @property
    def file(self) -> str:
        """The path of the module's file without its extension."""
        return "/".join(("resources", *self.path, *(["__init__"] if self.is_package else [])))


class Groups:
    """The modules of resources, by path."""

    def __init__(self, resources: Iterable[Resource], layout: Layout) -> None:
        self.resources = list(resources)
        self.layout = layout
        homes: dict[tuple[str, str], Resource] = {}
        nodes = [node for resource in self.resources for node in resource.walk()]
        for node in sorted(nodes, key=lambda node: len(node.path)):
            homes.setdefault((node.module, node.name), node)
        self._homes = homes
        # The order is that of the namespaces. A shared resource counts by the shortest of its paths.
        found: dict[tuple[str, ...], list[Resource]] = {}
        for node in nodes:
            if self.home(node) is node:
                found.setdefault(group_of(node.path), []).append(node)
        self.groups = {path: self._group(path, members) for path, members in found.items()}

    def _group(self, path: tuple[str, ...], nodes: list[Resource]) -> Group:
        own = ".".join(("resources", *path))
        package = path in HOLDERS or any(node.module != own for node in nodes)
        return Group(path, nodes, _class_names(nodes), package)

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups.values())

    def home(self, node: Resource) -> Resource:
        """Returns the place of a resource's class. Several namespaces may offer the same class."""
        return self._homes[node.module, node.name]

    def place(self, node: Resource) -> tuple[Group, str]:
        """The module and the name of a resource's class."""
        home = self.home(node)
        group = self.groups[group_of(home.path)]
        return group, group.classes[home.path]

    def has_sockets(self) -> bool:
        """Returns whether a resource has a websocket."""
        return any(node.socket for node in self._homes.values())

    def sockets(self, module: str) -> list[Resource]:
        """The resources with a websocket that one of the reference's modules defines, by its name below `resources`."""
        return [node for node in self._homes.values() if node.socket and node.module == f"resources.{module}"]

    def offered(self, source: Source) -> dict[str, dict[str, tuple[Group, str]]]:
        """The reference's modules of resources, by dotted name below `resources`, and the classes that each offers.

        Names are those of the blocking classes.
        """
        found: dict[str, dict[str, tuple[Group, str]]] = {}
        known = {(node.module, node.name): self.place(node) for node in self._homes.values()}
        for module in source.modules("resources"):
            tree = source.tree(module)
            names = tree.public if tree.is_package else [name for of, name in known if of == module]
            offers: dict[str, tuple[Group, str]] = {}
            for name in names:
                target = source.follow(Name(module, name))
                if isinstance(target, Name) and (target.module, target.name) in known:
                    offers[name] = known[target.module, target.name]
            if offers:
                found[module.removeprefix("resources").removeprefix(".")] = offers
        return found


def has_views(node: Resource) -> bool:
    """Returns whether a resource has views: it has a call, or a resource below it."""
    return bool(node.methods or node.children)


def _class_names(nodes: Sequence[Resource]) -> dict[tuple[str, ...], str]:
    """Returns the reference's names. If two are equal, the deeper one gets the parent resource's name as a prefix."""
    found: dict[tuple[str, ...], str] = {}
    # The reference's packages offer their own resources, and not those below.
    for node in sorted(nodes, key=lambda node: len(node.path)):
        name = node.name
        for above in reversed(node.path[:-1]):
            if name not in found.values():
                break
            name = "".join(word.capitalize() for word in above.split("_")) + name
        found[node.path] = name
    return found
