"""The facts of an HTTP call that differ from the usual ones for its verb, as source text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aiopenai._codegen.helpers import PREPARED
from aiopenai._codegen.layout import Layout
from aiopenai._codegen.shapes import Alias, Generic, Method, Name, Ref, Type, Union, parts

# The options of every call, as parameters of a stub: annotation and default. `CallOptions` has the same.
CALL_OPTIONS = (
    ("extra_headers", "Headers | None", "None"),
    ("extra_query", "Query | None", "None"),
    ("extra_body", "Body | None", "None"),
    ("timeout", "TimeoutTypes | NotGiven", "not_given"),
    ("max_retries", "int | NotGiven", "not_given"),
    ("retry", "BaseRetrying | None", "None"),
    ("idempotency_key", "str | None", "None"),
    ("deadline", "float | NotGiven | None", "not_given"),
    ("hedge", "HedgePolicy | NotGiven | None", "not_given"),
)
OPTION_NAMES = frozenset(name for name, _, _ in CALL_OPTIONS)
# The option that some methods of the reference have as a parameter of their own.
OPTIONS = frozenset({"idempotency_key"})
# Parameters that can hold parts of an earlier reply; the encoder looks for reply objects there.
REPLAYED = frozenset({"messages", "input", "items"})


class Facts:
    """The facts of methods, by the definitions that their parameters name."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def of(self, path: Sequence[str], method: Method) -> list[str]:
        """Returns the facts that differ from the usual ones for the verb."""
        facts: list[str] = []
        usual = "query" if method.verb in {"GET", "DELETE"} else "body"
        for place in ("query", "body"):
            names = [each.name for each in method.parameters if method.places[each.name] == place]
            if place != usual and names:
                facts.append(f"{place}={_names(names)}")
        if method.files:
            facts.append(f"{'may_upload' if method.may_upload else 'files'}={_names(method.files)}")
            uploads = [each for each in method.parameters if each.name in method.files]
            facts.append(f"or_object={_names([each.name for each in uploads if self._has_object(each.type)])}")
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
        if (prepare := PREPARED.get(f"{'.'.join(path)}.{method.name}")) is not None:
            facts.append(f'prepare="{prepare}"')
        if method.wire:
            facts.append(f"wire={_mapping(method.wire)}")
        replayed = [each.name for each in method.parameters if each.name in REPLAYED and self._has_role(each.type)]
        if replayed:
            facts.append(f"replay={_names(replayed)}")
        return facts

    def _nested(self, path: str, type_: Type, above: tuple[Name, ...]) -> Iterator[tuple[str, str]]:
        """Returns the keys inside a parameter that have another name on the wire: the path to each, and that name."""
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

    def _has_object(self, type_: Type) -> bool:
        """Returns whether an object may replace an upload."""
        if isinstance(type_, Ref):
            definition = self.layout.definitions[self.layout.merged.get(type_.target, type_.target)]
            return not isinstance(definition, Alias) or self._has_object(definition.type)
        return isinstance(type_, Union) and any(map(self._has_object, type_.args))

    def _has_role(self, type_: Type) -> bool:
        """Returns whether a parameter takes messages."""
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
