"""A neutral description of an interface: types, classes, aliases, resources and their methods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, TypeAlias


class Name(NamedTuple):
    """A definition of the reference: its module below the package (`types.chat.chat_completion`) and its name there."""

    module: str
    name: str


@dataclass(frozen=True)
class Builtin:
    """A type that needs no definition: `str`, `None`, `object`, `datetime`, ..."""

    name: str


@dataclass(frozen=True)
class Value:
    """A type of `aiopenai._base` or another hand-written module, e.g. `FileTypes`, `Omit`."""

    name: str


@dataclass(frozen=True)
class Variable:
    """A type variable."""

    name: str


@dataclass(frozen=True)
class Ref:
    """A class or an alias of the reference. `args` are the values of its type variables."""

    target: Name
    args: tuple[Type, ...] = ()


@dataclass(frozen=True)
class Choice:
    """`Literal[...]`, with the values' source text."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Generic:
    """`list[X]`, `dict[K, V]`, `Iterable[X]`, ..."""

    origin: str
    args: tuple[Type, ...]


@dataclass(frozen=True)
class Union:
    """A union. `discriminator` is the wire name of the field that tells its variants apart, if named."""

    args: tuple[Type, ...]
    discriminator: str | None = None


@dataclass(frozen=True)
class Text:
    """A type as source text, its names those that `helpers.NAMES` knows."""

    text: str


Type: TypeAlias = Text | Builtin | Value | Variable | Ref | Choice | Generic | Union
NONE = Builtin("None")
STR = Builtin("str")
OBJECT = Builtin("object")


@dataclass(frozen=True)
class Field:
    """A field of a class: `default` is the source text of its default, `wire` its name in JSON."""

    name: str
    type: Type
    wire: str
    default: str | None = None
    required: bool = True


@dataclass(frozen=True)
class Class:
    """A response class (`kind="model"`) or a TypedDict (`kind="params"`), generic over `variables`."""

    name: Name
    kind: Literal["model", "params"]
    bases: tuple[Name, ...]
    fields: tuple[Field, ...]
    properties: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()


@dataclass(frozen=True)
class Alias:
    """A name for a type expression."""

    name: Name
    type: Type


Definition: TypeAlias = Class | Alias


@dataclass
class Types:
    """Every definition below `types`, in source order, and the exports of each package by name.

    `redirects` maps the names of moved modules to their present definitions.
    """

    definitions: dict[Name, Definition] = field(default_factory=dict[Name, Definition])
    exports: dict[str, dict[str, Name]] = field(default_factory=dict[str, dict[str, Name]])
    importers: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    redirects: dict[Name, Name] = field(default_factory=dict[Name, Name])


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method; `type` is without `Omit`, `optional` says that it may be left out.

    `default` is the source text of one that is not `omit`.
    """

    name: str
    type: Type
    optional: bool
    positional: bool = False
    default: str = ""


Place: TypeAlias = Literal["path", "query", "body", "header"]


@dataclass(frozen=True)
class Variant:
    """One of several signatures of a method: `values` are those of the parameter that chooses the reply."""

    parameters: tuple[Parameter, ...]
    reply: Type
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """One HTTP call.

    `event` is the type of a stream's events: with `streaming` and `either` the method streams when asked to, without
    them always. `variants` are the signatures by reply where the parameter `chosen_by` decides that. `files` are the
    parameters that are uploads, with `may_upload` only where one is given; `typed_parts` maps the fields of a form
    to content types, `sole_part` is the one that is sent as it is when nothing else is given. `needs` are the sets of
    parameters of which one must be there, where that does not follow from the signature.
    """

    name: str
    verb: str
    path: str
    parameters: tuple[Parameter, ...]
    places: dict[str, Place]
    wire: dict[str, str]
    reply: Type
    page: str | None = None
    event: Type | None = None
    streaming: tuple[Parameter, ...] | None = None
    either: tuple[Parameter, ...] | None = None
    files: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict[str, str])
    header_names: dict[str, str] = field(default_factory=dict[str, str])
    security: Literal["bearer", "admin"] = "bearer"
    may_upload: bool = False
    typed_parts: dict[str, str] = field(default_factory=dict[str, str])
    sole_part: str | None = None
    events: Literal["", "bare", "named"] = ""
    needs: tuple[tuple[str, ...], ...] = ()
    chosen_by: str | None = None
    variants: tuple[Variant, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True)
class ByHand:
    """A method whose body is written by hand."""

    name: str
    parameters: tuple[Parameter, ...]
    deprecated: bool = False


@dataclass(frozen=True)
class Sender:
    """A method of a connection that sends one event."""

    name: str
    event: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Part:
    """A namespace of a connection: the classes of its own namespaces by attribute, and its methods."""

    name: str
    children: dict[str, str]
    senders: tuple[Sender, ...]


@dataclass(frozen=True)
class Socket:
    """A connection: `name` begins the names of its classes, `received` and `sent` are the types of its events.

    `children` are the classes of its namespaces by attribute, `parts` all of its namespaces by class.
    """

    name: str
    received: Type
    sent: Type
    children: dict[str, str]
    parts: dict[str, Part]


@dataclass(frozen=True)
class Resource:
    """A resource class: `path` is how a client reaches it (`("chat", "completions")`)."""

    path: tuple[str, ...]
    name: str
    module: str
    methods: tuple[Method, ...]
    children: tuple[Resource, ...]
    by_hand: tuple[ByHand, ...] = ()
    socket: Socket | None = None

    def walk(self) -> Iterator[Resource]:
        """This resource and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


def parts(type_: Type) -> tuple[Type, ...]:
    """The types that a type is directly made of."""
    return type_.args if isinstance(type_, (Ref, Generic, Union)) else ()


def references(type_: Type) -> Iterator[Name]:
    """Every definition that a type names, in order, repeats included."""
    if isinstance(type_, Ref):
        yield type_.target
    for part in parts(type_):
        yield from references(part)


def needs(definition: Definition) -> Iterator[Name]:
    """Every definition that another one names, bases first, repeats included."""
    if isinstance(definition, Alias):
        yield from references(definition.type)
    else:
        yield from definition.bases
        for field_ in definition.fields:
            yield from references(field_.type)


def rename(type_: Type, names: dict[Name, Name]) -> Type:
    """Returns the type with its references replaced."""
    if isinstance(type_, Ref):
        type_ = replace(type_, target=names.get(type_.target, type_.target))
    if isinstance(type_, (Ref, Generic, Union)):
        return replace(type_, args=tuple(rename(part, names) for part in type_.args))
    return type_


def union(types: tuple[Type, ...], discriminator: str | None = None) -> Type:
    """A flat union without repeats and with `None` last; one member is no union."""
    flat: list[Type] = []
    for type_ in types:
        for part in type_.args if isinstance(type_, Union) else (type_,):
            if part not in flat:
                flat.append(part)
        if isinstance(type_, Union) and type_.discriminator:
            discriminator = discriminator or type_.discriminator
    if NONE in flat:
        flat = [part for part in flat if part != NONE] + [NONE]
    return flat[0] if len(flat) == 1 else Union(tuple(flat), discriminator)


def without(type_: Type, *unwanted: Type) -> Type:
    """A type less some members of its union."""
    if isinstance(type_, Union):
        return union(tuple(part for part in type_.args if part not in unwanted), type_.discriminator)
    return type_
