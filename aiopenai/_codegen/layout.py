"""The module and the name of every definition, and the choice of those that are needed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiopenai._codegen.shapes import (
    Alias,
    Class,
    Definition,
    Generic,
    Name,
    Resource,
    Type,
    Types,
    Value,
    needs,
    parts,
    references,
    rename,
)
from aiopenai._codegen.source import Module, Source, SourceError

# The group of the definitions that several groups share, and of unused ones.
SHARED = "shared"
# Groups in which equal classes of two modules stay apart: the repr of a webhook event must not name another event.
UNMERGED = frozenset({"webhooks"})
# Namespaces that only hold namespaces: each namespace below them has modules of its own.
HOLDERS = frozenset({("admin",), ("admin", "organization"), ("beta",)})
# Types of arguments, never of replies.
ARGUMENT_GENERICS = frozenset({"Iterable", "SequenceNotStr", "Sequence", "Mapping"})


@dataclass
class Layout:
    """The definitions that are written: by our group, kind and name.

    `places` maps definitions to their places. `merged` maps a definition to the equal one that replaces it.
    `exports` maps the reference's packages (below `types`) to the names that they offer. `offered` maps the definitions
    in scope to themselves, and the names of moved modules to their present definitions.
    """

    definitions: dict[Name, Definition]
    places: dict[Name, Place]
    merged: dict[Name, Name]
    exports: dict[str, dict[str, Name]]
    groups: dict[str, set[str]]
    offered: dict[Name, Name]

    def place(self, name: Name) -> Place:
        """Returns the place of a definition of the reference."""
        return self.places[self.merged.get(name, name)]


@dataclass(frozen=True)
class Place:
    """A definition's place: `aiopenai.types.<group>.<kind>.<name>`."""

    group: str
    kind: str
    name: str

    @property
    def module(self) -> str:
        """The module that defines it."""
        return f"aiopenai.types.{self.group}.{self.kind}"

    @property
    def package(self) -> str:
        """The package that offers it."""
        return f"aiopenai.types.{self.group}"


def lay_out(source: Source, types: Types, resources: Iterable[Resource], everything: bool) -> Layout:
    """Chooses groups, scope and names. Raises `SourceError` if names clash or groups need each other."""
    everywhere = [node for resource in resources for node in resource.walk()]
    groups = _groups(source, types)
    wanted = _scope(types, everywhere, groups, everything)
    definitions = {name: types.definitions[name] for name in types.definitions if name in wanted}
    exported: dict[Name, str] = {}
    for package in sorted(types.exports, key=lambda package: package.count(".")):
        for name, target in types.exports[package].items():
            if target in definitions:
                exported.setdefault(target, name)
    merged = _merge(definitions, groups, exported)
    definitions = {name: _renamed(definition, merged) for name, definition in definitions.items() if name not in merged}
    places = _places(definitions, groups, exported)
    exports = {
        package.removeprefix("types").removeprefix("."): {
            name: target for name, target in names.items() if target in wanted
        }
        for package, names in types.exports.items()
    }
    by_group: dict[str, set[str]] = {}
    for place in places.values():
        by_group.setdefault(place.group, set()).add(place.kind)
    offered = {name: name for name in types.definitions if name in wanted}
    offered |= {name: target for name, target in types.redirects.items() if target in wanted}
    layout = Layout(definitions, places, merged, exports, by_group, offered)
    _check_order(layout)
    return layout


def group_of(path: Sequence[str]) -> tuple[str, ...]:
    """The group of a namespace: namespaces that only hold others are looked through."""
    depth = 1
    while tuple(path[:depth]) in HOLDERS and depth < len(path):
        depth += 1
    return tuple(path[:depth])


def _groups(source: Source, types: Types) -> dict[str, str]:
    """Reference module -> group: its namespace, or for modules of a package that holds namespaces the one that uses it.

    Modules with several users belong to the holding package itself, at the root to `SHARED`.
    """
    groups: dict[str, str] = {}
    held: dict[str, str] = {}
    for name in types.definitions:
        package = tuple(name.module.split(".")[1:-1])
        if package in HOLDERS or not package:
            held[name.module] = ".".join(package) or SHARED
        else:
            groups[name.module] = ".".join(group_of(package))
    users: dict[str, set[str]] = {module: set() for module in held}
    for module in source.modules("resources"):
        group = ".".join(group_of(module.split(".")[1:]))
        for bound in source.tree(module).bindings.values():
            target = source.follow(bound) if isinstance(bound, Name) else bound
            used = target.name if isinstance(target, Module) else target.module if isinstance(target, Name) else ""
            if used in users and group:
                users[used].add(group)
    known = {module: next(iter(found)) for module, found in users.items() if len(found) == 1}
    grown = True
    while grown:
        grown = False
        for module in sorted(held.keys() - known.keys()):
            importers = types.importers.get(module, set())
            if importers <= known.keys() | groups.keys():
                found = users[module] | {known.get(each) or groups[each] for each in importers}
                if len(found) == 1:
                    known[module] = found.pop()
                    grown = True
    return groups | {module: known.get(module, held[module]) for module in held}


def _scope(types: Types, resources: list[Resource], groups: dict[str, str], everything: bool) -> set[Name]:
    """Returns the definitions that are needed: those of the resources, and the exports of their packages."""
    if everything:
        return set(types.definitions)
    namespaces = {resource.path[0] for resource in resources}
    queue = [
        name
        for name in types.definitions
        if groups[name.module].split(".")[0] in namespaces or name.module.startswith("types.shared")
    ]
    for resource in resources:
        for method in resource.methods:
            for parameter in (*method.parameters, *(method.streaming or ())):
                queue.extend(references(parameter.type))
            queue.extend(references(method.reply))
            queue.extend(references(method.event) if method.event else ())
    wanted: set[Name] = set()
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue.extend(needs(types.definitions[name]))
    return wanted


def _renamed(definition: Definition, names: dict[Name, Name]) -> Definition:
    if isinstance(definition, Alias):
        return dataclasses.replace(definition, type=rename(definition.type, names))
    return dataclasses.replace(
        definition,
        bases=tuple(names.get(base, base) for base in definition.bases),
        fields=tuple(dataclasses.replace(field, type=rename(field.type, names)) for field in definition.fields),
    )


def _merge(definitions: dict[Name, Definition], groups: dict[str, str], exported: dict[Name, str]) -> dict[Name, Name]:
    """Returns the definitions to merge: each equals another one of its group, and no package exports it."""
    merged: dict[Name, Name] = {}
    while True:
        first: dict[object, Name] = {}
        found: dict[Name, Name] = {}
        for name in sorted(definitions, key=lambda name: name not in exported):
            if name in merged:
                continue
            definition = _renamed(definitions[name], merged)
            shape = dataclasses.replace(definition, name=Name("", ""))
            # Classes without fields are equal by chance, so they stay apart.
            if isinstance(shape, Class) and not shape.fields:
                continue
            group = groups[name.module]
            key = (group, name.module if group in UNMERGED else None, shape)
            if name in exported:
                first.setdefault(key, name)
            elif key in first:
                found[name] = first[key]
            else:
                first[key] = name
        if not found:
            return merged
        merged = {name: found.get(target, target) for name, target in merged.items()} | found


def _places(
    definitions: dict[Name, Definition], groups: dict[str, str], exported: dict[Name, str]
) -> dict[Name, Place]:
    places: dict[Name, Place] = {}
    taken: dict[tuple[str, str], Name] = {}
    kinds = _kinds(definitions)
    for name in sorted(definitions, key=lambda name: (name not in exported, name.module.count("."))):
        group = groups[name.module]
        own = exported[name] if name in exported else _full_name(name, definitions)
        for above in reversed(name.module.split(".")[1:-1]):
            if (group, own) not in taken:
                break
            own = camel(above) + own
        if (group, own) in taken:
            raise SourceError(f"{name} and {taken[group, own]} are both {group}.{own}")
        taken[group, own] = name
        places[name] = Place(group, kinds[name], own)
    return {name: places[name] for name in definitions}


def _full_name(name: Name, definitions: dict[Name, Definition]) -> str:
    """Returns the name of a module's inner definition: the name of the module's main class, then its own."""
    if name.name.startswith("_"):
        return name.name
    stem = name.module.rpartition(".")[2]
    prefix = next((each.name for each in definitions if each.module == name.module and is_main(each)), camel(stem))
    return name.name if name.name.startswith(prefix) else prefix + name.name


def is_main(name: Name) -> bool:
    """Returns whether a module is named after this definition."""
    return name.name.lower() == name.module.rpartition(".")[2].replace("_", "")


def camel(snake: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in snake.split("_"))


def _kinds(definitions: dict[Name, Definition]) -> dict[Name, str]:
    """Returns `replies` or `params`. An alias belongs to the kind of its parts."""
    kinds: dict[Name, str] = {}
    models = {name.module for name, each in definitions.items() if isinstance(each, Class) and each.kind == "model"}

    def kind(name: Name) -> str:
        if name not in kinds:
            definition = definitions[name]
            if isinstance(definition, Class):
                kinds[name] = "replies" if definition.kind == "model" else "params"
            else:
                used = {kind(each) for each in references(definition.type)}
                argument = name.module.endswith(("_param", "_params")) and not (used or name.module in models)
                kinds[name] = "params" if "params" in used or argument or _is_argument(definition.type) else "replies"
        return kinds[name]

    for name in definitions:
        kind(name)
    return kinds


def _is_argument(type_: Type) -> bool:
    if isinstance(type_, Value) or (isinstance(type_, Generic) and type_.origin in ARGUMENT_GENERICS):
        return True
    return any(_is_argument(part) for part in parts(type_))


def _check_order(layout: Layout) -> None:
    """Raises `SourceError` for modules that need each other in a circle."""
    imports: dict[str, set[str]] = {}
    for name, definition in layout.definitions.items():
        here = layout.places[name].module
        used = {layout.places[each].module for each in needs(definition)}
        imports.setdefault(here, set()).update(used - {here})
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        if module in above:
            raise SourceError(f"modules need each other: {' -> '.join((*above[above.index(module) :], module))}")
        if module not in done:
            for used in sorted(imports.get(module, ())):
                visit(used, (*above, module))
            done.add(module)

    for module in sorted(imports):
        visit(module, ())
