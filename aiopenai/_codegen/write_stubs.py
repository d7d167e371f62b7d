"""The writer of the stubs of `aiopenai/resources`: all classes of each resource with complete signatures."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from aiopenai._codegen.deprecations import deprecation
from aiopenai._codegen.facts import CALL_OPTIONS, OPTION_NAMES, OPTIONS
from aiopenai._codegen.groups import PREFIXES, SUFFIXES, Group, Groups, forms, has_views
from aiopenai._codegen.helpers import HELPERS, NAMES, STREAMS
from aiopenai._codegen.shapes import (
    NONE,
    ByHand,
    Method,
    Name,
    Parameter,
    Resource,
    Text,
    Type,
    parts,
    rename,
    without,
)
from aiopenai._codegen.source import Source
from aiopenai._codegen.text import HEADER, WIDTH, Annotations, Imports, docstring, filled, import_line, prose
from aiopenai._codegen.words import Words
from aiopenai._codegen.write_resources import like_create
from aiopenai._codegen.write_sockets import socket_file, socket_module, socket_stub

# The modules of the names in the annotations of the options.
_OPTION_SOURCES = {
    "Headers": "aiopenai._base.aliases",
    "Query": "aiopenai._base.aliases",
    "Body": "aiopenai._base.aliases",
    "TimeoutTypes": "aiopenai._base.timeouts",
    "NotGiven": "aiopenai._base.sentinels",
    "not_given": "aiopenai._base.sentinels",
    "BaseRetrying": "tenacity",
    "HedgePolicy": "aiopenai._calls.hedging",
}
# The end of the docstring of a view's class, after the name of the resource.
_VIEWS = {
    "WithRawResponse": "with replies that have their headers",
    "WithStreamingResponse": "with replies whose bodies are unread",
    "AsRequest": "with methods that return their requests without sending them",
}


@dataclass(frozen=True)
class _Signature:
    """One signature of a method: its parameters, and the parts of its reply type as source text.

    `event` is that of a stream. `given` is the whole return type of a method with a hand-written body.
    """

    parameters: tuple[Parameter, ...]
    reply: str = ""
    event: str = ""
    given: str = ""


class StubsWriter:
    """The stubs of `aiopenai/resources`, as text by relative path."""

    def __init__(self, groups: Groups, source: Source, words: Words, version: str) -> None:
        self.groups = groups
        self.words = words
        self.version = version
        self.offered = groups.offered(source)

    def files(self) -> dict[str, str]:
        """Returns the text of all files, by path."""
        found = {"resources/__init__.pyi": self._root()}
        for group in self.groups:
            found[f"{group.file}.pyi"] = _StubWriter(self, group).text()
            if any(node.socket for node in group.nodes):
                found[socket_file(group) + ".pyi"] = socket_stub(self.groups, group, self.words, self.version)
        return found

    def header(self, title: str) -> str:
        """The first lines of a file."""
        return HEADER.format(title=title, version=self.version)

    def foreign(self, module: str, own: Group | None) -> list[tuple[str, str]]:
        """The names that a module offers from others: the module and the name of each."""
        found: list[tuple[str, str]] = []
        for name, (group, class_name) in self.offered.get(module, {}).items():
            if group is not own and name == class_name:
                node = next(each for each in group.nodes if group.classes[each.path] == class_name)
                found += ((group.module, form) for form in forms(name, views=has_views(node)))
        return found

    def _options(self, view: str) -> str:
        """The part of a docstring about the options of all methods."""
        lines = [prose(f"{name}: {self.words.option(name)}", "        ") for name in sorted(OPTION_NAMES)]
        if view or all(line.endswith(": ") for line in lines):
            return ""
        return "\n\n    Every method that makes a call takes these options:\n\n" + "\n".join(lines) + "\n    "

    def _root(self) -> str:
        imports: dict[str, list[str]] = {}
        # Names of a client's attributes hide nothing here: classes are written with capitals.
        blocks: list[str] = []
        for form in forms("Resources"):
            view = form.removeprefix("Async").removeprefix("Resources")
            prefix = "Async" if form.startswith("Async") else ""
            base = "" if view else f"({prefix or 'Sync'}APIResource)"
            lines = [f"class {form}{base}:\n"]
            lines.append(
                f'    """The resources of a client{f", {_VIEWS[view]}" if view else ""}.{self._options(view)}"""\n'
            )
            if view:
                lines.append(f"    def __init__(self, resource: {prefix}Resources) -> None: ...\n")
            for each in self.groups.resources:
                group, name = self.groups.place(each)
                imported = f"{prefix}{name}{view}"
                imports.setdefault(group.module, []).append(f"{imported} as {imported}")
                lines.append(f"    @cached_property\n    def {each.path[-1]}(self) -> {imported}: ...\n")
            if not view:
                lines += _views(prefix, "Resources")
            blocks.append("".join(lines))
        listed = "".join(import_line(module, sorted(names)) for module, names in sorted(imports.items()))
        return (
            self.header("The namespaces of a client.")
            + "from functools import cached_property\n\n"
            + "from aiopenai._calls.resources import AsyncAPIResource, SyncAPIResource\n"
            + listed
            + "\n"
            + "\n".join(blocks)
        )


def _views(prefix: str, name: str) -> list[str]:
    """The properties of a resource that give its views."""
    views = (("with_raw_response", "WithRawResponse"), ("with_streaming_response", "WithStreamingResponse"))
    return [
        "    @cached_property\n" + filled(f"    def {attribute}(self) -> {prefix}{name}{view}: ...") + "\n"
        for attribute, view in (*views, ("as_request", "AsRequest"))
    ]


class _StubWriter:
    """One stub."""

    def __init__(self, writer: StubsWriter, group: Group) -> None:
        self.writer = writer
        self.group = group
        self.layout = writer.groups.layout
        own = {form for name in group.classes.values() for form in forms(name)}
        self.imports = Imports(own)
        self.annotations = Annotations(self.imports, self._refer)
        # The names of other modules that this one offers, as the reference's package does.
        self.foreign = writer.foreign(".".join(group.path), group)
        self.prefix = ""
        self.view = ""

    def _refer(self, name: Name) -> str:
        place = self.layout.place(name)
        return self.imports.add(place.package, place.name, "Base")

    def text(self) -> str:
        """The whole stub."""
        body = "\n".join(self._class(node, prefix, view) for node, prefix, view in self._classes())
        by_module: dict[str, list[str]] = {}
        for module, name in self.foreign:
            by_module.setdefault(module, []).append(f"{name} as {name}")
        foreign = "".join(import_line(module, names) for module, names in sorted(by_module.items()))
        title = f"Resources of `client.{'.'.join(self.group.path)}`."
        # The overload `stream: bool` overlaps `stream: Literal[True]`, as in the reference.
        header = self.writer.header(title) + "# pyright: reportOverlappingOverload=false\n"
        return header + self.imports.text() + foreign + "\n" + body

    def _classes(self) -> Iterable[tuple[Resource, str, str]]:
        for node in self.group.nodes:
            for view in SUFFIXES if has_views(node) else SUFFIXES[:1]:
                for prefix in PREFIXES:
                    yield node, prefix, view

    def _class(self, node: Resource, prefix: str, view: str) -> str:
        self.prefix, self.view = prefix, view
        name = self.group.classes[node.path]
        path = ".".join(node.path)
        if view:
            head = f"class {prefix}{name}{view}:\n"
            title = f"`client.{path}`, {_VIEWS[view]}."
        else:
            base = self.imports.add("aiopenai._calls.resources", f"{prefix or 'Sync'}APIResource")
            head = f"class {prefix}{name}({base}):\n"
            title = f"`client.{path}`"
        blocks = [head, textwrap.indent(textwrap.fill(f'"""{title}"""', WIDTH - 4), "    ") + "\n"]
        if view:
            blocks.append(f"    def __init__(self, resource: {prefix}{name}) -> None: ...\n")
        for each in node.children:
            if view and not has_views(each):
                continue
            group, other = self.writer.groups.place(each)
            other = f"{prefix}{other}{view}"
            if group is not self.group and (group.module, other) not in self.foreign:
                other = self.imports.add(group.module, other, "Base")
            blocks.append(f"    @{self._cached()}\n{filled(f'    def {each.path[-1]}(self) -> {other}: ...')}\n")
        if not view and has_views(node):
            self._cached()
            blocks += _views(prefix, name)
        # If a method is named `list`, `list` in later annotations would mean the method.
        listed = any(method.name == "list" for method in node.methods)
        self.annotations.shadowed = frozenset({"list"}) if listed else frozenset()
        blocks += (self._method(path, method) for method in node.methods)
        blocks += (self._by_hand(node, each) for each in node.by_hand)
        return "".join(blocks)

    def _cached(self) -> str:
        return self.imports.add("functools", "cached_property")

    def _method(self, path: str, method: Method) -> str:
        reply = self.annotations.text(self._here(method.reply))
        event = self.annotations.text(self._here(method.event)) if method.event is not None else ""
        signatures: list[_Signature] = []
        if method.variants:
            for variant in method.variants:
                own = self.annotations.text(self._here(variant.reply))
                signatures.append(_Signature(variant.parameters, own))
            last = signatures[-1].reply
            if method.streaming is not None and method.either is not None:
                signatures.append(_Signature(method.streaming, "", event))
                signatures.append(_Signature(method.either, last, event))
        elif method.streaming is not None:
            signatures.append(_Signature(method.parameters, reply))
            signatures.append(_Signature(method.streaming, "", event))
            signatures.append(_Signature(method.either or (), reply, event))
        elif event:
            signatures.append(_Signature(method.parameters, "", event))
        else:
            signatures.append(_Signature(method.parameters, reply))
        return self._defs(f"{path}.{method.name}", method, signatures)

    def _by_hand(self, node: Resource, method: ByHand) -> str:
        path = ".".join((*node.path, method.name))
        helper = HELPERS[path]
        returned = self._text(helper.returns)
        if helper.kind == "connect":
            returned = self.imports.add(
                socket_module(self.group), f"{self.prefix}{self.group.classes[node.path]}ConnectionManager"
            )
        if helper.kind == "post":
            return self._defs(path, like_create(node, method), [_Signature(method.parameters, returned)])
        if self.view:
            return ""
        if helper.streamed:
            return self._defs(path, method, self._streaming(method, returned, self._text(helper.streamed)))
        signature = _Signature(method.parameters, given=returned)
        return self._defs(path, method, [signature])

    def _streaming(self, method: ByHand, whole: str, stream: str) -> list[_Signature]:
        """The overloads of a method that returns another object with `stream=True`."""
        others = tuple(each for each in method.parameters if each.name != "stream")

        def signature(annotation: str, returned: str, default: str = "") -> _Signature:
            parameter = Parameter("stream", Text(annotation), bool(default), False, default)
            return _Signature((*others, parameter), given=returned)

        return [
            signature("Literal[False]", whole, "False"),
            signature("Literal[True]", stream),
            signature("bool", f"{whole} | {stream}"),
        ]

    def _defs(self, path: str, method: Method | ByHand, signatures: list[_Signature]) -> str:
        doc = self._doc(path, method, signatures)
        marks = ""
        if method.deprecated:
            self.imports.add("typing_extensions", "deprecated")
            marks += f'    @deprecated("{deprecation(path)}")\n'
        if len(signatures) > 1:
            marks = f"    @{self.imports.add('typing', 'overload')}\n{marks}"
        return "".join(marks + self._def(path, method, each, doc) for each in signatures)

    def _def(self, path: str, method: Method | ByHand, signature: _Signature, doc: str) -> str:
        helper = HELPERS.get(path)
        waits = bool(self.prefix) and self.view in ("", "WithRawResponse")
        if isinstance(method, Method) and method.page and not self.view:
            waits = False
        if isinstance(method, ByHand):
            assert helper is not None
            waits = waits and (helper.kind == "helper" or bool(helper.streamed))
        returned = signature.given or self._reply(path, method, signature)
        options = helper is None or helper.kind not in ("plain", "connect")
        own = helper is not None and helper.kind == "connect"
        texts = ["self", *self._parameters(signature.parameters, options, own=own)]
        word = "async def" if waits else "def"
        return filled(f"    {word} {method.name}({', '.join(texts)}) -> {returned}:") + "\n" + doc

    def _reply(self, path: str, method: Method | ByHand, signature: _Signature) -> str:
        """The type that a call returns."""
        assert isinstance(method, Method)
        texts = [signature.reply] if signature.reply else []
        if method.page:
            page = (
                f"{self.prefix}{method.page.removeprefix('Async')}"
                if self.prefix
                else method.page.replace("Async", "Sync")
            )
            page = f"{self.imports.add('aiopenai._calls.paging', page)}[{signature.reply}]"
            if self.prefix and not self.view:
                return f"{self.imports.add('aiopenai._calls.paging', 'AsyncPaginator')}[{signature.reply}, {page}]"
            texts = [page]
        if signature.event:
            if path in STREAMS:
                texts.append(self._text(STREAMS[path]))
            else:
                stream = self.imports.add("aiopenai._calls.streaming", f"{self.prefix}Stream")
                texts.append(f"{stream}[{signature.event}]")
        returned = " | ".join(texts)
        if self.view == "AsRequest":
            return f"{self.imports.add('aiopenai._calls.request', 'Request')}[{returned}]"
        if self.view == "WithRawResponse":
            return f"{self.imports.add('aiopenai._calls.raw', 'LegacyAPIResponse')}[{returned}]"
        if self.view:
            return f"{self.imports.add('aiopenai._calls.unparsed', f'{self.prefix}ResponseContextManager')}[{returned}]"
        return returned

    def _parameters(self, parameters: tuple[Parameter, ...], options: bool, *, own: bool = False) -> list[str]:
        shown = [each for each in parameters if own or each.name not in OPTIONS]
        named = sorted((each for each in shown if not each.positional), key=lambda each: each.optional)
        texts = [self._parameter(each) for each in shown if each.positional]
        if named or options:
            texts += ["*", *map(self._parameter, named)]
        if options:
            for name, annotation, default in CALL_OPTIONS:
                texts.append(f"{name}: {self._option(annotation)} = {self._option(default)}")
        return texts

    def _option(self, text: str) -> str:
        def named(match: re.Match[str]) -> str:
            name = match[0]
            return self.imports.add(_OPTION_SOURCES[name], name) if name in _OPTION_SOURCES else name

        return re.sub(r"\w+", named, text)

    def _parameter(self, parameter: Parameter) -> str:
        type_ = self._here(parameter.type)
        if not parameter.optional:
            return f"{parameter.name}: {self._annotation(type_)}"
        if parameter.default:
            return f"{parameter.name}: {self._annotation(type_)} = {parameter.default}"
        omit = self.imports.add("aiopenai._base.sentinels", "omit")
        absent = self.imports.add("aiopenai._base.sentinels", "Omit")
        text = self._annotation(without(type_, NONE))
        null = " | None" if NONE in parts(type_) else ""
        return f"{parameter.name}: {text} | {absent}{null} = {omit}"

    def _annotation(self, type_: Type) -> str:
        return self._text(type_.text) if isinstance(type_, Text) else self.annotations.text(type_)

    def _text(self, text: str) -> str:
        """Returns source text of `helpers`, with its names imported. For the blocking client they lack `Async`."""

        def named(match: re.Match[str]) -> str:
            name = match[0] if self.prefix else match[0].removeprefix("Async")
            return self.imports.add(NAMES[name], name) if name in NAMES else name

        return re.sub(r"(?<![\w.])[A-Z]\w*", named, text)

    def _here(self, type_: Type) -> Type:
        return rename(type_, self.layout.merged)

    def _doc(self, path: str, method: Method | ByHand, signatures: list[_Signature]) -> str:
        """The docstring: the sentence, the verb and the path, and a line per parameter; in views without the latter."""
        words = self.writer.words
        sentence = words.method(path)
        called = f"`{method.verb} {method.path}`" if isinstance(method, Method) else ""
        indent = " " * 8
        if self.view:
            text = textwrap.fill(sentence or called or path, WIDTH - 14, subsequent_indent=indent)
            return f'{indent}"""{text}"""\n'
        paragraphs = [prose(each, "") for each in (sentence, called) if each]
        helper = HELPERS.get(path)
        like = f"{path.rpartition('.')[0]}.{helper.like}" if helper is not None and helper.like else ""
        names = dict.fromkeys(each.name for signature in signatures for each in signature.parameters)
        lines = [
            prose(f"{name}: {text}", "    ")
            for name in names
            if name not in OPTIONS and (text := words.parameter(path, name) or (like and words.parameter(like, name)))
        ]
        if lines:
            paragraphs.append("Args:\n" + "\n".join(lines))
        if method.deprecated:
            paragraphs.insert(1, f"Deprecated: {deprecation(path)}")
        return docstring(paragraphs or [path])
