"""The unions that msgspec decodes by itself, and the tags that it needs for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from aiopenai._codegen.shapes import (
    NONE,
    OBJECT,
    Alias,
    Choice,
    Class,
    Definition,
    Field,
    Generic,
    Name,
    Ref,
    Type,
    Union,
    parts,
)


class Unions:
    """Tags and verdicts for the unions of reply types."""

    def __init__(self, definitions: dict[Name, Definition], extra: Iterable[Type]) -> None:
        self.definitions = definitions
        self.tags: dict[Name, tuple[str, str]] = {}
        unions = [type_ for type_ in self._everywhere(extra) if len(self.classes(type_)) > 1]
        proposals: Counter[tuple[Name, str]] = Counter()
        chosen = [(self.classes(type_), self._tag_field(type_)) for type_ in unions]
        for classes, field in chosen:
            if field is not None:
                proposals.update((name, field) for name in classes)
        for classes, field in chosen:
            # A class has one tag only: the tag of most of its unions.
            if field is not None and all(
                proposals[name, field] == max(count for (other, _), count in proposals.items() if other == name)
                for name in classes
            ):
                for name in classes:
                    self._tag(name, field)

    def _tag(self, name: Name, field: str) -> None:
        self.tags[name] = (field, self.constants(name)[field])
        definition = self.definitions[name]
        for base in definition.bases if isinstance(definition, Class) else ():
            # A tag cannot be a field as well, an inherited one neither.
            if field in self.all_fields(base):
                self._tag(base, field)

    def _everywhere(self, extra: Iterable[Type]) -> Iterator[Type]:
        for definition in self.definitions.values():
            if isinstance(definition, Alias):
                yield from nested(definition.type)
            elif definition.kind == "model":
                for field in definition.fields:
                    yield from nested(field.type)
        for type_ in extra:
            yield from nested(type_)

    def members(self, type_: Type) -> list[Type]:
        """Returns the members of a type, with aliases resolved. A type that is not a union has one member."""
        found: list[Type] = []
        if isinstance(type_, Ref) and isinstance(alias := self.definitions[type_.target], Alias):
            found = self.members(alias.type)
        elif isinstance(type_, Union):
            for part in type_.args:
                found += [member for member in self.members(part) if member not in found]
        else:
            found = [type_]
        return found

    def classes(self, type_: Type) -> list[Name]:
        """The classes among the members of a type."""
        return [
            member.target
            for member in self.members(type_)
            if isinstance(member, Ref)
            and isinstance(definition := self.definitions[member.target], Class)
            and definition.kind == "model"
        ]

    def all_fields(self, name: Name) -> dict[str, Field]:
        """A class's fields by wire name, inherited ones first."""
        definition = self.definitions[name]
        found: dict[str, Field] = {}
        if isinstance(definition, Class):
            for base in definition.bases:
                found |= self.all_fields(base)
            found |= {field.wire: field for field in definition.fields}
        return found

    def constants(self, name: Name) -> dict[str, str]:
        """The required fields of a class that can have one string only: wire name -> that string's source text."""
        found: dict[str, str] = {}
        for wire, field in self.all_fields(name).items():
            choices = self.members(field.type)
            if field.required and len(choices) == 1 and isinstance(choices[0], Choice):
                values = choices[0].values
                if len(values) == 1 and values[0].startswith('"') and wire == field.name:
                    found[wire] = values[0]
        return found

    def discriminator(self, type_: Type) -> str | None:
        """Returns the field that tells the classes of a union apart: the one that the reference names, else any."""
        classes = self.classes(type_)
        declared = self._declared(type_)
        if declared is not None:
            return declared
        common = [field for field in self.all_fields(classes[0]) if field in ("type", "object", "role", "event")]
        for field in common:
            known = [values for name in classes if (values := self._literals(name, field))]
            flat = [value for values in known for value in values]
            if len(known) == len(classes) and len(set(flat)) == len(flat):
                return field
        return None

    def _declared(self, type_: Type) -> str | None:
        if isinstance(type_, Union):
            return type_.discriminator or next(filter(None, map(self._declared, type_.args)), None)
        if isinstance(type_, Ref) and isinstance(alias := self.definitions[type_.target], Alias):
            return self._declared(alias.type)
        return None

    def _literals(self, name: Name, wire: str) -> tuple[str, ...]:
        field = self.all_fields(name).get(wire)
        choices = self.members(field.type) if field is not None else []
        return tuple(value for choice in choices if isinstance(choice, Choice) for value in choice.values)

    def _tag_field(self, type_: Type) -> str | None:
        """The field that can be the tag of all classes of a union."""
        constants = [self.constants(name) for name in self.classes(type_)]
        declared = self._declared(type_)
        for field in [declared] if declared is not None else list(constants[0]):
            values = [constant.get(field) for constant in constants]
            if None not in values and len(set(values)) == len(values):
                return field
        return None

    def is_native(self, type_: Type) -> bool:
        """Returns whether msgspec decodes a union: at most one list, and at most one dict or tagged classes."""
        members = [member for member in self.members(type_) if member != NONE]
        if len(members) < 2 or (OBJECT in members and not self.classes(type_)):
            return True
        arrays = [member for member in members if isinstance(member, Generic) and member.origin == "list"]
        objects = [member for member in members if isinstance(member, Generic) and member.origin == "dict"]
        classes = self.classes(type_)
        if len(arrays) > 1 or len(objects) + bool(classes) > 1 or OBJECT in members:
            return False
        tags = [self.tags.get(name) for name in classes]
        if len(classes) < 2:
            return True
        return None not in tags and len({tag[0] for tag in tags if tag}) == 1 and len(set(tags)) == len(tags)


def nested(type_: Type) -> Iterator[Type]:
    """A type and all types in it."""
    yield type_
    for part in parts(type_):
        yield from nested(part)
