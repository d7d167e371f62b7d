"""Write `aiopenai/resources`: a module per namespace, and the class that holds them all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from aiopenai._codegen.helpers import HELPERS, NAMES, PREPARED
from aiopenai._codegen.layout import HOLDERS, Layout, group_of
from aiopenai._codegen.shapes import (
    NONE,
    Alias,
    ByHand,
    Generic,
    Method,
    Name,
    Parameter,
    Ref,
    Resource,
    Text,
    Type,
    Union,
    Value,
    parts,
    rename,
    without,
)
from aiopenai._codegen.source import SourceError
from aiopenai._codegen.text import ALIASES, HEADER, SOURCES, Annotations, Imports, filled, import_line

PAGES = {
    "AsyncPage": "page",
    "AsyncCursorPage": "cursor_page",
    "AsyncConversationCursorPage": "conversation_cursor_page",
    "AsyncNextCursorPage": "next_cursor_page",
    "AsyncTokenPage": "token_page",
}
DECORATORS = frozenset({*PAGES.values(), "get", "post", "put", "patch", "delete", "streamed", "events", "chosen"})
# How many signatures `endpoint.chosen` takes.
SIGNATURES = 7
# What every method takes already.
OPTIONS = frozenset({"idempotency_key"})
# Parameters that can hold what an earlier reply held; the encoder looks for reply objects there.
REPLAYED = frozenset({"messages", "input", "items"})


class ResourcesWriter:
    """The files of `aiopenai/resources`, as text by relative path."""

    def __init__(self, layout: Layout, resources: Iterable[Resource], version: str) -> None:
        self.layout = layout
        self.resources = list(resources)
        self.version = version
        self.homes: dict[tuple[str, str], Resource] = {}
        nodes = [node for resource in self.resources for node in resource.walk()]
        for node in sorted(nodes, key=lambda node: len(node.path)):
            self.homes.setdefault((node.module, node.name), node)
        # In the order of the namespaces, those that several have by the shortest of their paths.
        self.homes = {(node.module, node.name): node for node in nodes if self.home(node) is node}

    def files(self) -> dict[str, str]:
        """All files."""
        modules: dict[tuple[str, ...], list[Resource]] = {}
        for node in self.homes.values():
            modules.setdefault(group_of(node.path), []).append(node)
        found = {"resources/__init__.py": self._root()}
        for path, nodes in modules.items():
            file = "/".join(path) + ("/__init__" if path in HOLDERS else "")
            found[f"resources/{file}.py"] = _ModuleWriter(self, path, nodes).text()
        return found

    def home(self, node: Resource) -> Resource:
        """Where the class of a resource is: several namespaces may offer the same one."""
        return self.homes[node.module, node.name]

    def header(self, title: str) -> str:
        """The first lines of a file."""
        return HEADER.format(title=title, version=self.version)

    def _root(self) -> str:
        imports = "".join(import_line(_module(self.home(each).path), [each.name], "    ") for each in self.resources)
        properties = "".join(_lazy_property(each.path[-1], each.name, self.home(each).path) for each in self.resources)
        return (
            self.header("The namespaces of a client, each imported when it is first used.")
            + "from __future__ import annotations\n\nfrom functools import cached_property\n"
            + "from typing import TYPE_CHECKING\n\nfrom aiopenai._calls.methods import M, Resource\n\n"
            + f"if TYPE_CHECKING:\n{imports}\n"
            + 'class Resources(Resource[M]):\n    """What a client offers."""\n'
            + properties
        )


def _module(path: Sequence[str]) -> str:
    return f"aiopenai.resources.{'.'.join(group_of(path))}"


def _lazy_property(attribute: str, name: str, path: Sequence[str]) -> str:
    return (
        f"    @cached_property\n    def {attribute}(self) -> {name}[M]:\n"
        f"        from {_module(path)} import {name}\n        return {name}(self)\n"
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
        body = "\n".join(self._class(node) for node in self.nodes)
        endpoint = "aiopenai._calls.methods"
        for name in ("AsyncRaw", "AsyncStreaming", "BlockingRaw", "BlockingStreaming", "M", "Resource", "View"):
            self.early.add(endpoint, name)
        if any(node.methods for node in self.nodes):
            self.late.add(endpoint, "CallOptions")
            self.late.add("typing_extensions", "Unpack")
        for node in self.nodes:
            for child in node.children:
                if self._elsewhere(child):
                    self.late.add(_module(self.writer.home(child).path), child.name)
        if any(node.children for node in self.nodes):
            self.early.add("functools", "cached_property")
        late = self.late.text(indent="    ")
        if late:
            self.early.add("typing", "TYPE_CHECKING")
            late = f"\nif TYPE_CHECKING:\n{late}"
        title = f"Resources of `client.{'.'.join(self.path)}`."
        return (
            self.writer.header(title)
            + "from __future__ import annotations\n\n"
            + self.early.text()
            + late
            + "\n"
            + body
        )

    def _elsewhere(self, child: Resource) -> bool:
        return self.writer.home(child).path not in self.classes

    def _class(self, node: Resource) -> str:
        name = self.classes[node.path]
        blocks = [f'class {name}(Resource[M]):\n    """`client.{".".join(node.path)}`"""\n']
        for child in node.children:
            if self._elsewhere(child):
                blocks.append(_lazy_property(child.path[-1], child.name, self.writer.home(child).path))
            else:
                own = self.classes[self.writer.home(child).path]
                blocks.append(
                    f"    @cached_property\n    def {child.path[-1]}(self) -> {own}[M]:\n        return {own}(self)\n"
                )
        blocks += (
            filled(
                f"    with_{view.lower()}_response: View[{name}[Async{view}], {name}[Blocking{view}]]"
                f" = View(Async{view}, Blocking{view})"
            )
            + "\n"
            for view in ("Raw", "Streaming")
        )
        # In a class body `@delete` means the decorator only until a method `delete` is defined.
        for method in sorted(node.methods, key=lambda method: method.name in DECORATORS):
            write = self._chosen if method.variants else self._streamed if method.streaming else self._method
            blocks.append(write(method))
        # Without blank lines between methods: the whole surface stays below 25,000 lines.
        blocks += (self._by_hand(node, each) for each in node.by_hand)
        return "".join(blocks)

    def _by_hand(self, node: Resource, method: ByHand) -> str:
        """A method whose body is elsewhere."""
        helper = HELPERS[f"{'.'.join(node.path)}.{method.name}"]
        self.early.add("aiopenai._calls.methods", helper.kind)
        arguments = [f'"{helper.where}"']
        if helper.kind == "post":
            like = next(each for each in node.methods if each.name == "create")
            like = replace(like, parameters=method.parameters, places=dict.fromkeys(self._names_of(method), "body"))
            reply = helper.returns.partition("[")[0]
            # Its class is wanted at run time.
            self.early.add(NAMES[reply], reply)
            arguments = [f'"{like.path}"', reply, f'prepare="{helper.where}"', *self._facts(like)]
        return (
            filled(f"    @{helper.kind}({', '.join(arguments)})")
            + "\n"
            + self._signature(
                method.name, method.parameters, self._text(helper.returns), options=helper.kind != "plain"
            )
        )

    def _names_of(self, method: ByHand) -> list[str]:
        return [each.name for each in method.parameters]

    def _text(self, text: str) -> str:
        """Source text with its names imported."""

        def named(match: re.Match[str]) -> str:
            name = match[0]
            if name in NAMES:
                if (NAMES[name], name) in self.early.names:
                    return self.early.names[NAMES[name], name]
                return self.late.add(NAMES[name], name)
            return name

        return re.sub(r"(?<![\w.])[A-Z]\w*", named, text)

    def _annotation(self, type_: Type) -> str:
        return self._text(type_.text) if isinstance(type_, Text) else self.annotations.text(type_)

    def _runtime_type(self, type_: Type) -> str:
        """A reply type as a value."""
        if isinstance(type_, Ref):
            return self._early(type_.target)
        if type_ == Value("HttpxBinaryResponseContent"):
            return self.early.add("aiopenai._calls.binary", "HttpxBinaryResponseContent")
        if type_ == NONE:
            return "None"
        if isinstance(type_, Value):
            return self.early.add(SOURCES.get(type_.name, ALIASES), type_.name)
        return Annotations(self.early, self._early).text(type_)

    def _method(self, method: Method) -> str:
        returned = reply = self._runtime_type(method.reply if method.event is None else method.event)
        decorator = PAGES[method.page] if method.page else method.verb.lower()
        facts = self._facts(method)
        if method.page and method.verb != "GET":
            facts.insert(0, f'verb="{method.verb}"')
        arguments = [f'"{method.path}"', reply, *facts]
        if method.event is not None:
            decorator = "events"
            arguments.insert(0, f'"{method.verb}"')
        self.early.add("aiopenai._calls.methods", decorator)
        return (
            filled(f"    @{decorator}({', '.join(arguments)})")
            + "\n"
            + self._signature(method.name, method.parameters, returned)
        )

    def _streamed(self, method: Method) -> str:
        reply = self._runtime_type(method.reply)
        event = self._runtime_type(method.event or NONE)
        self.early.add("aiopenai._calls.methods", "streamed")
        variants = [(f"_{method.name}", method.parameters, reply)]
        variants.append((f"_{method.name}_streaming", method.streaming or (), event))
        both = reply if reply == event else f"{reply} | {event}"
        variants.append((f"_{method.name}_either", method.either or (), both))
        lines = [self._signature(name, parameters, returned) for name, parameters, returned in variants]
        names = [name for name, *_ in variants]
        arguments = [f'"{method.verb}"', f'"{method.path}"', reply, event, *names, *self._facts(method)]
        return "".join(lines) + filled(f"    {method.name} = streamed({', '.join(arguments)})") + "\n"

    def _chosen(self, method: Method) -> str:
        """A method whose reply depends on an argument: a signature each, those for streams too."""
        self.early.add("aiopenai._calls.methods", "chosen")
        signatures: list[tuple[str, tuple[Parameter, ...], str]] = []
        replies: list[str] = []
        for variant in method.variants:
            name = variant.values[0].strip('"') if variant.values else "any"
            reply = self._runtime_type(variant.reply)
            replies += (f"{value}: {reply}" for value in variant.values)
            signatures.append((f"_{method.name}_{name}", variant.parameters, reply))
        event = self._runtime_type(method.event or NONE)
        if method.streaming is not None and method.either is not None:
            stream = f"{self.late.add('aiopenai._calls.streaming', 'AsyncStream')}[{event}]"
            signatures.append((f"_{method.name}_streaming", method.streaming, stream))
            signatures.append((f"_{method.name}_either", method.either, f"{signatures[-2][2]} | {stream}"))
        if len(signatures) > SIGNATURES:
            raise SourceError(f"{'.'.join(self.path)}: {method.name} has too many signatures")
        lines = [self._signature(name, parameters, returned) for name, parameters, returned in signatures]
        names = [name for name, *_ in signatures]
        names += names[-1:] * (SIGNATURES - len(names))
        arguments = [f'"{method.verb}"', f'"{method.path}"', f'"{method.chosen_by}"', f"{{{', '.join(replies)}}}"]
        arguments += [event, *names, f"shown=_{method.name}_any", *self._facts(method)]
        return "".join(lines) + filled(f"    {method.name} = chosen({', '.join(arguments)})") + "\n"

    def _signature(self, name: str, parameters: tuple[Parameter, ...], returned: str, *, options: bool = True) -> str:
        positional = [each for each in parameters if each.positional]
        named = [each for each in parameters if not each.positional]
        texts = ["self"]
        for each in positional:
            optional = (
                f" = {each.default or self.early.add('aiopenai._base.sentinels', 'omit')}" if each.optional else ""
            )
            absent = (
                f" | {self.late.add('aiopenai._base.sentinels', 'Omit')}" if each.optional and not each.default else ""
            )
            texts.append(f"{each.name}: {self._annotation(self._here(each.type))}{absent}{optional}")
        if named:
            texts.append("*")
        for each in sorted(named, key=lambda each: each.optional):
            if each.name in OPTIONS:
                continue
            type_ = self._here(each.type)
            if each.default:
                texts.append(f"{each.name}: {self._annotation(type_)} = {each.default}")
            elif each.optional:
                omit = self.early.add("aiopenai._base.sentinels", "omit")
                absent = self.late.add("aiopenai._base.sentinels", "Omit")
                text = self._annotation(without(type_, NONE))
                null = " | None" if NONE in parts(type_) else ""
                texts.append(f"{each.name}: {text} | {absent}{null} = {omit}")
            else:
                texts.append(f"{each.name}: {self._annotation(type_)}")
        if options:
            texts.append("**options: Unpack[CallOptions]")
        return filled(f"    def {name}({', '.join(texts)}) -> {returned}: ...") + "\n"

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
            facts.append(f"{'may_upload' if method.may_upload else 'files'}={_names(method.files)}")
        if method.typed_parts:
            facts.append(f"typed_parts={_mapping(method.typed_parts)}")
        if method.sole_part is not None:
            facts.append(f'sole_part="{method.sole_part}"')
        if method.events:
            facts.append(f'events="{method.events}"')
        if method.needs:
            facts.append(f"needs={_names_of_names(method.needs)}")
        nested = [found for each in method.parameters for found in self._nested(each.name, each.type, ())]
        if nested:
            facts.append(f"nested={_mapping(dict(nested))}")
        headers = dict(method.headers)
        accept = headers.pop("Accept", None)
        if headers:
            facts.append(f"headers={_mapping(headers)}")
        if header_names := {name: header for name, header in method.header_names.items() if name not in OPTIONS}:
            facts.append(f"header_params={_mapping(header_names)}")
        if accept is not None:
            facts.append(f'accept="{accept}"')
        if method.security != "bearer":
            facts.append(f'security="{method.security}"')
        if (prepare := PREPARED.get(f"{'.'.join(self.path)}.{method.name}")) is not None:
            facts.append(f'prepare="{prepare}"')
        if method.wire:
            facts.append(f"wire={_mapping(method.wire)}")
        replayed = [each.name for each in method.parameters if each.name in REPLAYED and self._has_role(each.type)]
        if replayed:
            facts.append(f"replay={_names(replayed)}")
        return facts

    def _nested(self, path: str, type_: Type, above: tuple[Name, ...]) -> Iterator[tuple[str, str]]:
        """Keys inside of a parameter that have another name on the wire: the path to each, and that name."""
        if isinstance(type_, Union):
            for part in type_.args:
                yield from self._nested(path, part, above)
        elif isinstance(type_, Generic) and type_.args:
            yield from self._nested(f"{path}{'.*' if type_.origin == 'dict' else '[]'}", type_.args[-1], above)
        elif isinstance(type_, Ref) and type_.target not in above:
            definition = self.layout.definitions[self.layout.merged.get(type_.target, type_.target)]
            if isinstance(definition, Alias):
                yield from self._nested(path, definition.type, (*above, type_.target))
            elif definition.kind == "params":
                for base in definition.bases:
                    yield from self._nested(path, Ref(base), (*above, type_.target))
                for field in definition.fields:
                    if field.wire != field.name:
                        yield f"{path}.{field.name}", field.wire
                    yield from self._nested(f"{path}.{field.name}", field.type, (*above, type_.target))

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


def _names_of_names(sets: Sequence[Sequence[str]]) -> str:
    return f"({', '.join(map(_names, sets))})"


def _mapping(values: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": "{value}"' for key, value in values.items()) + "}"
