"""The writer of the modules of connections: run-time modules of the blocking classes, and stubs of all classes."""

from __future__ import annotations

from collections.abc import Iterator

from aiopenai._codegen.groups import PREFIXES, Group, Groups
from aiopenai._codegen.routes import ROUTES, WEBSOCKET_TYPES
from aiopenai._codegen.shapes import NONE, Name, Parameter, Part, Ref, Resource, Sender, Socket, parts, rename, without
from aiopenai._codegen.source import SourceError
from aiopenai._codegen.text import HEADER, Annotations, Imports, brief_docstring, docstring, filled, prose
from aiopenai._codegen.words import Words

__all__ = ["socket_classes", "socket_file", "socket_module", "socket_stub", "socket_types", "sockets_text"]


def socket_types(version: str) -> dict[str, str]:
    """The modules of `aiopenai/types` for the types of websockets, which are written by hand elsewhere."""
    found: dict[str, str] = {}
    for module, names in WEBSOCKET_TYPES.items():
        header = HEADER.format(
            title=f"Types of websockets, as the reference's `types.{module}` has them.", version=version
        )
        listed = "\n".join(f"    {each} as {each},  # noqa: PLC0414" for each in names)
        found[f"types/{module}.py"] = f"{header}from aiopenai._base.websocket_types import (\n{listed}\n)\n"
    return found


def socket_module(group: Group) -> str:
    """The module of a group's connections."""
    return f"{group.module}._connections"


def socket_file(group: Group) -> str:
    """The path of that module's file without its extension."""
    return "/".join(("resources", *group.path, "_connections"))


def socket_classes(node: Resource) -> list[str]:
    """The names of the blocking classes of a resource's connection, the base of its namespaces included."""
    assert node.socket is not None
    name = node.socket.name
    return [f"{name}Connection", f"{name}ConnectionManager", f"Base{name}ConnectionResource", *node.socket.parts]


def _sockets(group: Group) -> Iterator[tuple[Resource, Socket]]:
    for node in group.nodes:
        if node.socket is not None:
            yield node, node.socket


def _title(group: Group) -> str:
    return f"The connections of `client.{'.'.join(group.path)}`."


def sockets_text(groups: Groups, group: Group, words: Words, version: str) -> str:
    """The run-time module."""
    blocks: list[str] = []
    for node, socket in _sockets(group):
        if not isinstance(socket.received, Ref):
            raise SourceError(f"{socket.name}Connection: its events are no alias")
        place = groups.layout.place(socket.received.target)
        path = ".".join(node.path)
        doc = f'    """A connection of `client.{path}.connect`."""\n'
        event = filled(f'    _event = ("{place.package}", "{place.name}")') + "\n"
        blocks.append(f"class {socket.name}Connection(SyncConnection):\n{doc}{event}{_children(socket.children)}")
        route = filled(f'    _route = Route("{path}", {ROUTES[path]})') + "\n"
        doc = f'    """The result of `client.{path}.connect`."""\n'
        manager = f"class {socket.name}ConnectionManager(SyncConnectionManager):\n{doc}{route}"
        connect = next(each for each in node.by_hand if each.name == "connect")
        bound = next((each.default for each in connect.parameters if each.name == "max_queue_size"), "")
        limit = f"    _max_queue_size = {int(bound):_}\n" if bound else ""
        blocks.append(f'{manager}    _opens = "{socket.name}Connection"\n{limit}')
        base = f"Base{socket.name}ConnectionResource"
        blocks.append(
            f'class {base}(ConnectionPart):\n    """The base of the namespaces of `{socket.name}Connection`."""\n'
        )
        for each in socket.parts.values():
            senders = "".join(_sender(sender, words.sender(node.path, sender.event)) for sender in each.senders)
            blocks.append(f"class {each.name}({base}):\n{_children(each.children)}{senders}")
    imports = (
        "from aiopenai._base.sentinels import omit\n"
        "from aiopenai._live.connections import ConnectionPart, SyncConnection, part, sends, twins\n"
        "from aiopenai._live.handshake import Route\n"
        "from aiopenai._live.managers import SyncConnectionManager\n"
    )
    header = HEADER.format(title=_title(group), version=version)
    return f"{header}{imports}\n" + "\n".join(blocks) + "\n__getattr__ = twins(__name__)\n"


def _children(children: dict[str, str]) -> str:
    return "".join(filled(f'    {attribute} = part("{name}")') + "\n" for attribute, name in children.items())


def _sender(sender: Sender, doc: str) -> str:
    named = sorted(sender.parameters, key=lambda each: each.optional)
    texts = [
        "self",
        *(["*"] if named else []),
        *(f"{each.name}=omit" if each.optional else each.name for each in named),
    ]
    body = "\n" + brief_docstring(doc) if doc else " ...\n"
    return filled(f'    @sends("{sender.event}")') + "\n" + filled(f"    def {sender.name}({', '.join(texts)}):") + body


def socket_stub(groups: Groups, group: Group, words: Words, version: str) -> str:
    """The stub, with both kinds of classes."""
    return _StubWriter(groups, group, words).text(version)


class _StubWriter:
    def __init__(self, groups: Groups, group: Group, words: Words) -> None:
        self.group = group
        self.layout = groups.layout
        self.words = words
        own = {
            name
            for node, _ in _sockets(group)
            for each in socket_classes(node)
            for name in (each, f"Async{each}", each.replace("Base", "BaseAsync", 1))
        }
        self.imports = Imports(own)
        self.annotations = Annotations(self.imports, self._refer)

    def _refer(self, name: Name) -> str:
        place = self.layout.place(name)
        return self.imports.add(place.package, place.name, "Base")

    def text(self, version: str) -> str:
        blocks = [
            block
            for node, socket in _sockets(self.group)
            for prefix in PREFIXES
            for block in self._all(node, socket, prefix)
        ]
        header = HEADER.format(title=_title(self.group), version=version)
        return header + self.imports.text() + "\n" + "\n".join(blocks)

    def _all(self, node: Resource, socket: Socket, prefix: str) -> Iterator[str]:
        name = f"{prefix}{socket.name}Connection"
        path = ".".join(node.path)
        base = self.imports.add("aiopenai._live.typed", f"{prefix or 'Sync'}TypedConnection")
        received = self.annotations.text(rename(socket.received, self.layout.merged))
        sent = self.annotations.text(rename(socket.sent, self.layout.merged))
        lines = [
            filled(f"class {name}({base}[{received}, {sent}]):"),
            f'    """A connection of `client.{path}.connect`."""',
        ]
        yield "\n".join([*lines, *self._children(socket.children, prefix)]) + "\n"
        base = self.imports.add("aiopenai._live.typed", f"{prefix or 'Sync'}TypedManager")
        yield (
            filled(f"class {name}Manager({base}[{name}, {sent}]):")
            + f'\n    """The result of `client.{path}.connect`."""\n'
        )
        base = f"Base{prefix}{socket.name}ConnectionResource"
        yield f"class {base}:\n    _connection: {name}\n    def __init__(self, connection: {name}) -> None: ...\n"
        for each in socket.parts.values():
            yield self._part(node.path, each, prefix, base)

    def _children(self, children: dict[str, str], prefix: str) -> list[str]:
        cached = self.imports.add("functools", "cached_property") if children else ""
        return [
            f"    @{cached}\n{filled(f'    def {attribute}(self) -> {prefix}{name}: ...')}"
            for attribute, name in children.items()
        ]

    def _part(self, path: tuple[str, ...], each: Part, prefix: str, base: str) -> str:
        lines = [f"class {prefix}{each.name}({base}):", *self._children(each.children, prefix)]
        for sender in each.senders:
            named = sorted(sender.parameters, key=lambda parameter: parameter.optional)
            texts = ["self", *(["*"] if named else []), *map(self._parameter, named)]
            word = "async def" if prefix else "def"
            lines.append(filled(f"    {word} {sender.name}({', '.join(texts)}) -> None:"))
            lines.append(self._doc(path, sender, [parameter.name for parameter in named]))
        return "\n".join(lines) + "\n"

    def _doc(self, path: tuple[str, ...], sender: Sender, names: list[str]) -> str:
        words = self.words
        paragraphs = [prose(each) for each in (words.sender(path, sender.event), f"Sends `{sender.event}`.") if each]
        lines = [prose(f"{name}: {text}", "    ") for name in names if (text := words.sent(path, sender.event, name))]
        if lines:
            paragraphs.append("Args:\n" + "\n".join(lines))
        return docstring(paragraphs).rstrip("\n")

    def _parameter(self, parameter: Parameter) -> str:
        type_ = rename(parameter.type, self.layout.merged)
        if not parameter.optional:
            return f"{parameter.name}: {self.annotations.text(type_)}"
        omit = self.imports.add("aiopenai._base.sentinels", "omit")
        absent = self.imports.add("aiopenai._base.sentinels", "Omit")
        null = " | None" if NONE in parts(type_) else ""
        return f"{parameter.name}: {self.annotations.text(without(type_, NONE))} | {absent}{null} = {omit}"
