"""Write `aiopenai/resources`: a module per namespace, and the class that holds them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiopenai._codegen.layout import HOLDERS, Layout, group_of
from aiopenai._codegen.shapes import (
    NONE,
    Alias,
    Method,
    Name,
    Parameter,
    Ref,
    Resource,
    Type,
    Value,
    parts,
    rename,
    without,
)
from aiopenai._codegen.text import HEADER, Annotations, Imports

PAGES = {
    "AsyncPage": "page",
    "AsyncCursorPage": "cursor_page",
    "AsyncConversationCursorPage": "conversation_cursor_page",
    "AsyncNextCursorPage": "next_cursor_page",
    "AsyncTokenPage": "token_page",
}
DECORATORS = frozenset({*PAGES.values(), "get", "post", "put", "patch", "delete", "streamed"})
# Parameters that can hold what an earlier reply held; the encoder looks for reply objects there.
REPLAYED = frozenset({"messages", "input", "items"})


class ResourcesWriter:
    """The files of `aiopenai/resources`, as text by relative path."""

    def __init__(self, layout: Layout, resources: Iterable[Resource], version: str) -> None:
        self.layout = layout
        self.resources = list(resources)
        self.version = version

    def files(self) -> dict[str, str]:
        """All files."""
        modules: dict[tuple[str, ...], list[Resource]] = {}
        for resource in self.resources:
            for node in resource.walk():
                modules.setdefault(group_of(node.path), []).append(node)
        found = {"resources/__init__.py": self._root()}
        for path, nodes in modules.items():
            file = "/".join(path) + ("/__init__" if path in HOLDERS else "")
            found[f"resources/{file}.py"] = _ModuleWriter(self, path, nodes).text()
        return found

    def header(self, title: str) -> str:
        """The first lines of a file."""
        return HEADER.format(title=title, version=self.version)

    def _root(self) -> str:
        imports = "".join(
            f"    from aiopenai.resources.{'.'.join(group_of(each.path))} import {each.name}\n"
            for each in self.resources
        )
        properties = "".join(_lazy_property(each.path[-1], each.name, group_of(each.path)) for each in self.resources)
        return (
            self.header("The namespaces of a client, each imported when it is first used.")
            + "from __future__ import annotations\n\nfrom functools import cached_property\n"
            + "from typing import TYPE_CHECKING\n\nfrom aiopenai.endpoint import M, Resource\n\n"
            + f"if TYPE_CHECKING:\n{imports}\n\n"
            + 'class Resources(Resource[M]):\n    """What a client offers."""\n'
            + properties
        )


def _lazy_property(attribute: str, name: str, module: tuple[str, ...]) -> str:
    return (
        f"\n    @cached_property\n    def {attribute}(self) -> {name}[M]:\n"
        f"        from aiopenai.resources.{'.'.join(module)} import {name}\n\n        return {name}(self)\n"
    )


class _ModuleWriter:
    def __init__(self, writer: ResourcesWriter, path: tuple[str, ...], nodes: list[Resource]) -> None:
        self.writer = writer
        self.layout = writer.layout
        self.path = path
        self.nodes = nodes
        self.classes = self._class_names()
        names = set(self.classes.values())
        # What the decorators are given exists at run time; annotations are for type checkers alone.
        self.early = Imports(names)
        self.late = Imports(names)
        self.annotations = Annotations(self.late, self._late)
        if any(method.name == "list" for node in nodes for method in node.methods):
            self.annotations.shadowed = frozenset({"list"})

    def _class_names(self) -> dict[tuple[str, ...], str]:
        """The reference's names; where two are alike, the later one is preceded by what holds it."""
        found: dict[tuple[str, ...], str] = {}
        for node in self.nodes:
            name = node.name
            for above in reversed(node.path[:-1]):
                if name not in found.values():
                    break
                name = "".join(word.capitalize() for word in above.split("_")) + name
            found[node.path] = name
        return found

    def _early(self, name: Name) -> str:
        place = self.layout.place(name)
        return self.early.add(place.package, place.name, "Base")

    def _late(self, name: Name) -> str:
        place = self.layout.place(name)
        if (place.package, place.name) in self.early.names:
            return self.early.names[place.package, place.name]
        return self.late.add(place.package, place.name, "".join(map(str.capitalize, place.group.split("."))))

    def text(self) -> str:
        """The whole module."""
        # Replies first: their names are imported at run time, annotations then use the same imports.
        for node in self.nodes:
            for method in node.methods:
                self._runtime_type(method.reply)
                if method.event is not None:
                    self._runtime_type(method.event)
        body = "\n\n".join(self._class(node) for node in self.nodes)
        endpoint = "aiopenai.endpoint"
        for name in ("Async", "AsyncRaw", "AsyncStreaming", "M", "Resource"):
            self.early.add(endpoint, name)
        if any(node.methods for node in self.nodes):
            self.late.add(endpoint, "CallOptions")
            self.late.add("typing_extensions", "Unpack")
        # `from typing import` at run time costs nothing, and keeps the block for type checkers to our own types.
        late = self.late.text(indent="    ")
        if late or any(self._elsewhere(child) for node in self.nodes for child in node.children):
            self.early.add("typing", "TYPE_CHECKING")
            late += "".join(
                f"    from aiopenai.resources.{'.'.join(group_of(child.path))} import {child.name}\n"
                for node in self.nodes
                for child in node.children
                if self._elsewhere(child)
            )
            late = f"\nif TYPE_CHECKING:\n{late}"
        if any(node.children for node in self.nodes):
            self.early.add("functools", "cached_property")
        title = f"Resources of `client.{'.'.join(self.path)}`."
        return (
            self.writer.header(title)
            + "from __future__ import annotations\n\n"
            + self.early.text()
            + late
            + "\n\n"
            + body
        )

    def _elsewhere(self, child: Resource) -> bool:
        return child.path not in self.classes

    def _class(self, node: Resource) -> str:
        name = self.classes[node.path]
        blocks = [f'class {name}(Resource[M]):\n    """`client.{".".join(node.path)}`"""\n']
        for child in node.children:
            if self._elsewhere(child):
                blocks.append(_lazy_property(child.path[-1], child.name, group_of(child.path)).lstrip("\n"))
            else:
                own = self.classes[child.path]
                blocks.append(
                    f"    @cached_property\n    def {child.path[-1]}(self) -> {own}[M]:\n        return {own}(self)\n"
                )
        for view, mode in (("raw", "AsyncRaw"), ("streaming", "AsyncStreaming")):
            blocks.append(
                f"    @property\n    def with_{view}_response(self: {name}[Async]) -> {name}[{mode}]:\n"
                f"        return {name}(self, {mode})\n"
            )
        # In a class body `@delete` means the decorator only until a method `delete` is defined.
        methods = sorted(node.methods, key=lambda method: method.name in DECORATORS)
        blocks += [self._streamed(method) if method.streaming else self._method(method) for method in methods]
        return "\n".join(blocks)

    def _runtime_type(self, type_: Type) -> str:
        """A reply type as a value."""
        if isinstance(type_, Ref):
            return self._early(type_.target)
        if type_ == Value("HttpxBinaryResponseContent"):
            return self.early.add("aiopenai.response", "HttpxBinaryResponseContent")
        if type_ == NONE:
            return "None"
        if isinstance(type_, Value):
            return self.early.add("aiopenai.values", type_.name)
        return Annotations(self.early, self._early).text(type_)

    def _method(self, method: Method) -> str:
        item = method.reply if method.event is None or method.reply != NONE else method.event
        reply = self._runtime_type(item)
        decorator = PAGES[method.page] if method.page else method.verb.lower()
        facts = self._facts(method)
        if method.page and method.verb != "GET":
            facts.insert(0, f'verb="{method.verb}"')
        self.early.add("aiopenai.endpoint", decorator)
        arguments = ", ".join([f'"{method.path}"', reply, *facts])
        return (
            f"    @{decorator}({arguments})\n    {self._signature(method.name, method, method.parameters, reply)} ...\n"
        )

    def _streamed(self, method: Method) -> str:
        reply = self._runtime_type(method.reply)
        event = self._runtime_type(method.event or NONE)
        self.early.add("aiopenai.endpoint", "streamed")
        variants = [(f"_{method.name}", method.parameters, reply)]
        variants.append((f"_{method.name}_streaming", method.streaming or (), event))
        both = reply if reply == event else f"{reply} | {event}"
        variants.append((f"_{method.name}_either", method.either or (), both))
        lines = [
            f"    {self._signature(name, method, parameters, returned)} ...\n"
            for name, parameters, returned in variants
        ]
        names = [name for name, *_ in variants]
        arguments = [f'"{method.verb}"', f'"{method.path}"', reply, event, *names, *self._facts(method)]
        return "\n".join(lines) + f"\n    {method.name} = streamed({', '.join(arguments)})\n"

    def _signature(self, name: str, method: Method, parameters: tuple[Parameter, ...], returned: str) -> str:
        positional = [each for each in parameters if method.places.get(each.name) == "path"]
        named = [each for each in parameters if each not in positional]
        # The path's parameters in the path's order is the order of the reference.
        texts = ["self", *(f"{each.name}: {self.annotations.text(self._here(each.type))}" for each in positional)]
        if named:
            texts.append("*")
        for each in sorted(named, key=lambda each: each.optional):
            type_ = self._here(each.type)
            if each.optional:
                omit = self.early.add("aiopenai.values", "omit")
                absent = self.late.add("aiopenai.values", "Omit")
                text = self.annotations.text(without(type_, NONE))
                null = " | None" if NONE in parts(type_) else ""
                texts.append(f"{each.name}: {text} | {absent}{null} = {omit}")
            else:
                texts.append(f"{each.name}: {self.annotations.text(type_)}")
        texts.append("**options: Unpack[CallOptions]")
        return f"def {name}({', '.join(texts)}) -> {returned}:"

    def _here(self, type_: Type) -> Type:
        return rename(type_, self.layout.merged)

    def _facts(self, method: Method) -> list[str]:
        """What is not as it usually is for the verb."""
        facts: list[str] = []
        usual = "query" if method.verb in {"GET", "DELETE"} else "body"
        for place in ("query", "body"):
            names = [each.name for each in method.parameters if method.places[each.name] == place]
            if place != usual and names:
                facts.append(f"{place}={_names(names)}")
        if method.files:
            facts.append(f"files={_names(method.files)}")
        headers = dict(method.headers)
        accept = headers.pop("Accept", None)
        if headers:
            facts.append(f"headers={_mapping(headers)}")
        if method.header_names:
            facts.append(f"header_params={_mapping(method.header_names)}")
        if accept is not None:
            facts.append(f'accept="{accept}"')
        if method.security != "bearer":
            facts.append(f'security="{method.security}"')
        if method.wire:
            facts.append(f"wire={_mapping(method.wire)}")
        replayed = [each.name for each in method.parameters if each.name in REPLAYED and self._has_role(each.type)]
        if replayed:
            facts.append(f"replay={_names(replayed)}")
        return facts

    def _has_role(self, type_: Type) -> bool:
        """Whether messages are among what a parameter takes."""
        if isinstance(type_, Ref):
            definition = self.layout.definitions[self.layout.merged.get(type_.target, type_.target)]
            if isinstance(definition, Alias):
                return self._has_role(definition.type)
            return any(field.name == "role" for field in definition.fields)
        return any(self._has_role(part) for part in parts(type_))


def _names(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"


def _mapping(values: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in values.items()) + "}"
