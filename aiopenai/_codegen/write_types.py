"""The writer of `aiopenai/types`: per group a module of Structs, one of TypedDicts, and a package with both."""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Iterable

from aiopenai._codegen.layout import Layout
from aiopenai._codegen.routes import WEBSOCKET_TYPES
from aiopenai._codegen.shapes import (
    NONE,
    OBJECT,
    Alias,
    Class,
    Field,
    Generic,
    Name,
    Resource,
    Type,
    Union,
    needs,
    references,
    rename,
)
from aiopenai._codegen.text import HEADER, WIDTH, Annotations, Imports, filled, grouped, import_line, in_order
from aiopenai._codegen.unions import Unions, nested
from aiopenai._codegen.words import Words

# Fields that make up the bulk of a reply: their replies are not kept a second time as received.
BULK = frozenset({"embedding", "b64_json"})
NARROWED = "  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]"
# The same for lists, which no type checker lets be narrowed.
NARROWED_LIST = "  # type: ignore[assignment]"


class TypesWriter:
    """The files of `aiopenai/types`, as text by relative path."""

    def __init__(self, layout: Layout, resources: Iterable[Resource], words: Words, version: str) -> None:
        self.layout = layout
        self.words = words
        self.version = version
        resources = list(resources)
        self.has_sockets = any(node.socket for resource in resources for node in resource.walk())
        methods = [method for resource in resources for node in resource.walk() for method in node.methods]
        replies = [rename(method.reply, layout.merged) for method in methods]
        events = [rename(method.event, layout.merged) for method in methods if method.event is not None]
        self.unions = Unions(layout.definitions, [*replies, *events])
        self.bulk = self._bulk(replies)

    def files(self) -> dict[str, str]:
        """Returns the text of all files, by path."""
        found: dict[str, str] = {}
        for group, kinds in sorted(self.layout.groups.items()):
            folder = group.replace(".", "/")
            for kind in sorted(kinds):
                found[f"types/{folder}/{kind}.py"] = self._module(group, kind)
        # Empty ones too: programs may import them.
        packages = {package for group in (*self.layout.groups, *self.layout.exports) for package in _parents(group)} | {
            ""
        }
        for package in sorted(packages):
            file = f"types/{package.replace('.', '/')}/__init__".replace("//", "/")
            found[f"{file}.py"], found[f"{file}.pyi"] = self._package(package)
        return found

    def _header(self, title: str) -> str:
        return HEADER.format(title=title, version=self.version)

    def _bulk(self, replies: list[Type]) -> set[Name]:
        found: set[Name] = set()
        for reply in replies:
            tree: set[Name] = set()
            queue = list(references(reply))
            while queue:
                name = queue.pop()
                if name not in tree:
                    tree.add(name)
                    queue += needs(self.layout.definitions[name])
            classes = {name for name in tree if isinstance(self.layout.definitions[name], Class)}
            if any(field in BULK for name in classes for field in self.unions.all_fields(name)):
                found |= classes
        return found

    def _module(self, group: str, kind: str) -> str:
        places = self.layout.places
        members = [name for name, place in places.items() if (place.group, place.kind) == (group, kind)]
        writer = _Replies(self, members) if kind == "replies" else _Params(self, members)
        title = f"{'Reply' if kind == 'replies' else 'Parameter'} types of `{group}`."
        return self._header(title) + writer.text()

    def _own(self, group: str, kind: str) -> list[str]:
        """The public names that a module of a group defines."""
        places = self.layout.places.values()
        return sorted(
            place.name for place in places if (place.group, place.kind) == (group, kind) and place.name[0] != "_"
        )

    def _package(self, package: str) -> tuple[str, str]:
        """A package and its stub: the names of its own modules, and those that the reference exports from elsewhere."""
        kinds = sorted(self.layout.groups.get(package, ()), reverse=True)
        title = f"Types of `{package}`." if package else "The types of the API, in packages as the reference has them."
        homes: dict[str, list[str]] = {}
        # Not `import *`, which would also offer the names that the modules import.
        static = [
            import_line(f"aiopenai.types.{package}.{kind}", [f"{name} as {name}" for name in self._own(package, kind)])
            for kind in kinds
        ]
        offered: dict[str, list[str]] = {}
        renamed: list[str] = []
        for name, target in sorted(self.layout.exports.get(package, {}).items()):
            place = self.layout.place(target)
            if place.group != package or place.name != name:
                homes.setdefault(place.group, []).append(name if name == place.name else f"{name}={place.name}")
                # An import under another name would be private to the module.
                own = f"{name}: TypeAlias = {place.name}"
                renamed += [own] if name != place.name else []
                offered.setdefault(place.package, []).append(f"{name} as {name}" if name == place.name else place.name)
        if not package and self.has_sockets:
            for module, listed in WEBSOCKET_TYPES.items():
                homes[module] = [name for name in listed if name[0].isupper()]
                offered[f"aiopenai.types.{module}"] = [f"{name} as {name}" for name in homes[module]]
        static += [import_line(module, names) for module, names in sorted(offered.items())]
        static += [f"{line}\n" for line in renamed]
        if not static:
            return self._header(title), self._header(title)
        modules = ", ".join(f'"{kind}"' for kind in kinds) + ("," if len(kinds) == 1 else "")
        tables = "".join(f'    "{group}": {_wrapped(names)},\n' for group, names in sorted(homes.items()))
        runtime = (
            self._header(title)
            + "from aiopenai._data.lazy import lazily\n\n"
            + f"__getattr__, __dir__ = lazily(__name__, ({modules}), {{"
            + (f"\n{tables}}})\n" if tables else "})\n")
        )
        alias = "from typing import TypeAlias\n\n" if renamed else ""
        return runtime, self._header(title) + alias + "".join(static)


def _wrapped(names: list[str]) -> str:
    """Returns names as one string of several lines."""
    lines: list[str] = [""]
    for name in names:
        if len(lines[-1]) + len(name) > WIDTH - 13:
            lines.append("")
        lines[-1] += f"{name} "
    lines[-1] = lines[-1].rstrip()
    quoted = [f'"{line}"' for line in lines]
    return (
        quoted[0]
        if len(quoted) == 1 and len(quoted[0]) < WIDTH // 2
        else "(\n" + "".join(f"        {line}\n" for line in quoted)[:-1] + ")"
    )


class _Module:
    """One module of definitions."""

    # The lines before the imports.
    preamble = ""

    def __init__(self, types: TypesWriter, members: list[Name]) -> None:
        self.types = types
        self.layout = types.layout
        self.names = {name: self.layout.places[name].name for name in members}
        self.group = self.layout.places[members[0]].group
        self.imports = Imports(self.names.values())
        self.annotations = Annotations(self.imports, self.refer)
        self.defined: set[Name] = set()
        self.forward = False

    def refer(self, name: Name) -> str:
        """Returns a definition's name in this module, and imports it from another one."""
        if name in self.names:
            self.forward |= name not in self.defined
            return self.names[name]
        place = self.layout.places[name]
        prefix = "".join(word.capitalize() for word in place.group.rpartition(".")[2].split("_"))
        return self.imports.add(place.module, place.name, prefix)

    def order(self) -> list[Name]:
        """The order of definitions."""
        hard: dict[Name, list[Name]] = {}
        soft: dict[Name, list[Name]] = {}
        for name in self.names:
            definition = self.layout.definitions[name]
            hard[name] = list(definition.bases if isinstance(definition, Class) else needs(definition))
            soft[name] = list(needs(definition))
        return in_order(list(self.names), hard, soft)

    def text(self) -> str:
        """The module below its header."""
        blocks: list[str] = []
        for name in self.order():
            definition = self.layout.definitions[name]
            if isinstance(definition, Alias):
                self.forward = False
                blocks.append(self.alias(definition))
            else:
                blocks.append(self.klass(definition))
            self.defined.add(name)
        return self.preamble + self.imports.text() + "\n" + "".join(blocks)

    def alias(self, definition: Alias) -> str:
        """An alias, as text."""
        raise NotImplementedError

    def klass(self, definition: Class) -> str:
        """A class, as text."""
        raise NotImplementedError


class _Params(_Module):
    # Annotations stay text: nothing is worked out on import.
    preamble = "from __future__ import annotations\n\n"

    def alias(self, definition: Alias) -> str:
        """`X: TypeAlias = ...`, as a string where it names something that comes later."""
        text = self.annotations.text(definition.type)
        start = f"{self.names[definition.name]}: {self.imports.add('typing', 'TypeAlias')} = "
        return _statement(start, f'"{text}"' if self.forward else text)

    def klass(self, definition: Class) -> str:
        """A TypedDict; keys that no class body can spell are in one made by a call."""
        name = self.names[definition.name]
        base = self.imports.add("typing_extensions", "TypedDict")
        if any(not _is_attribute(field.name) for field in definition.fields):
            keys = "".join(f'"{field.name}": {self._field(field)}, ' for field in definition.fields)
            return filled(f'{name} = {base}("{name}", {{{keys[:-2]}}}, total=False)') + "\n"
        bases = ", ".join(map(self.refer, definition.bases)) or base
        lines = [_statement(f"    {field.name}: ", self._field(field)) for field in definition.fields]
        return filled(f"class {name}({bases}, total=False):") + "\n" + ("".join(lines) or "    pass\n")

    def _field(self, field: Field) -> str:
        text = self.annotations.text(field.type)
        return f"{self.imports.add('typing_extensions', 'Required')}[{text}]" if field.required else text


class _Replies(_Module):
    def __init__(self, types: TypesWriter, members: list[Name]) -> None:
        super().__init__(types, members)
        self.unions = types.unions

    def alias(self, definition: Alias) -> str:
        """An alias that the decoder can use."""
        name = self.names[definition.name]
        if self.unions.is_native(definition.type) or not isinstance(definition.type, Union):
            type_alias = self.imports.add("typing", "TypeAlias")
            return _statement(f"{name}: {type_alias} = ", self._text(definition.type, name, []))
        return self._one_of(name, definition.type)

    def _one_of(self, name: str, type_: Union) -> str:
        """Returns the text of a union that msgspec cannot decode. At run time it is an object of our decoder."""
        variants = " | ".join(self.annotations.text(part) for part in type_.args if part != NONE)
        optional = " | None" if NONE in type_.args else ""
        discriminator = self.unions.discriminator(type_) if len(self.unions.classes(type_)) > 1 else None
        told = f', discriminator="{discriminator}"' if discriminator else ""
        one_of = self.imports.add("aiopenai._data.structs", "one_of")
        self.imports.add("typing", "TYPE_CHECKING")
        type_alias = self.imports.add("typing", "TypeAlias")
        # If the reference takes any object, one that fits none of the classes stays a dict.
        anything = " dict[str, object]" if OBJECT in type_.args else ""
        return (
            _statement(f"{name}: {type_alias} = ", f"{variants}{optional}")
            + "if not TYPE_CHECKING:\n"
            + filled(f'    {name} = {one_of}("{name}", ({name},{anything}){told})')
            + "\n"
        )

    def _text(self, type_: Type, owner: str, before: list[str]) -> str:
        """An annotation that msgspec understands; unions that it does not get a name of their own, in `before`."""
        if all(self.unions.is_native(each) for each in nested(type_)):
            return self.annotations.text(type_)
        if isinstance(type_, Generic):
            texts = [self._text(part, owner, before) for part in type_.args]
            return f"{self.annotations.builtin(type_.origin)}[{', '.join(texts)}]"
        if not isinstance(type_, Union):
            return self.annotations.text(type_)
        rest = tuple(part for part in type_.args if part != NONE)
        if self.unions.is_native(type_) or len(rest) == 1:
            return " | ".join(self._text(part, owner, before) for part in type_.args)
        shadowed, self.annotations.shadowed = self.annotations.shadowed, frozenset()
        before.append(self._one_of(owner, Union(rest, type_.discriminator)))
        self.annotations.shadowed = shadowed
        return f"{owner} | None" if len(rest) < len(type_.args) else owner

    def klass(self, definition: Class) -> str:
        """A Struct class, after the unions that its fields need."""
        name = self.names[definition.name]
        before: list[str] = []
        bases = ", ".join(map(self.refer, definition.bases)) or self._base(definition)
        options = ""
        if definition.name in self.unions.tags:
            tag_field, tag = self.unions.tags[definition.name]
            options += f', tag_field="{tag_field}", tag={tag}'
        if definition.name in self.types.bulk:
            options += ", bulk=True"
        lines: list[str] = []
        inherited: dict[str, Field] = {}
        for base in definition.bases:
            inherited |= self.unions.all_fields(base)
        # In `object: ...; data: dict[str, object]` the second `object` would be the field.
        self.annotations.shadowed = frozenset(field.name for field in definition.fields)
        for field in definition.fields:
            known = inherited.get(field.wire)
            # Narrower than in the base. This is sound, because replies are not assigned to through the base.
            narrowed = known is not None and (known.type, known.required) != (field.type, field.required)
            lists = any(isinstance(each, Generic) for each in nested(field.type))
            comment = (NARROWED_LIST if lists else NARROWED) if narrowed else ""
            lines.append(self._field(name, field, before, comment))
            lines.append(self._doc(self.types.words.field(f"{self.group}.{name}.{field.name}")))
        self.annotations.shadowed = frozenset()
        if definition.variables:
            generic = self.imports.add("typing", "Generic")
            if "output_parsed" in definition.properties:
                generic = self.imports.add("aiopenai._data.structs", "OutputParsed")
            bases += f", {generic}[{', '.join(map(self.annotations.text, definition.variables))}]"
        head = filled(f"class {name}({bases}{options}):")
        doc = self._doc(self.types.words.type(f"{self.group}.{name}"))
        return "".join(before) + head + "\n" + (doc + "".join(lines) or "    pass\n")

    def _doc(self, words: str) -> str:
        """A docstring, of a class or of the field above it."""
        if not words:
            return ""
        return textwrap.fill(f'"""{words}"""', WIDTH, initial_indent="    ", subsequent_indent="    ") + "\n"

    def _field(self, owner: str, field: Field, before: list[str], comment: str) -> str:
        self.forward = False
        words = field.name.split("_")
        text = self._text(field.type, owner + "".join(word[:1].upper() + word[1:] for word in words), before)
        if self.forward:
            text = '"' + text.replace('"', "'") + '"'
        default = ""
        if field.wire != field.name:
            msgspec_field = self.imports.add("msgspec", "field")
            value = "" if field.default is None else f"default={field.default}, "
            default = f' = {msgspec_field}({value}name="{field.wire}")'
        elif field.default is not None:
            default = f" = {field.default}"
            if field.default.startswith("field("):
                self.imports.add("msgspec", "field")
                # `dict` alone would be a dict of anything.
                default = default.replace("=dict)", f"={text})").replace("=list)", f"={text})")
        return _statement(f"    {field.name}: ", text, default + comment)

    def _base(self, definition: Class) -> str:
        """The hand-written base of a class without another one."""
        names = {field.name for field in definition.fields}
        if "embedding" in names:
            return self.imports.add("aiopenai._data.vectors", "Vector", "Base")
        base = "Model"
        if "output_text" in definition.properties:
            base = "OutputText" if "output" in names else "MessageText"
        return self.imports.add("aiopenai._data.structs", base, "Base")


def _statement(start: str, type_: str, end: str = "") -> str:
    """Returns a line with a type in it, broken if it is too long."""
    code, hash_, comment = end.partition("  #")
    return filled(start + grouped(type_, WIDTH - len(start) - len(code)) + code) + hash_ + comment + "\n"


def _is_attribute(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _parents(group: str) -> list[str]:
    words = group.split(".")
    return [".".join(words[: index + 1]) for index in range(len(words))]
