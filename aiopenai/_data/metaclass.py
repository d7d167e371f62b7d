"""The metaclass of reply types: msgspec Structs in which every field may be missing, made by name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from typing_extensions import dataclass_transform

from aiopenai._data.fields import fields_of

__all__ = ["ModelMeta", "built"]

_FieldInfo: Any = msgspec.field().__class__


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class ModelMeta(msgspec.StructMeta):
    """Makes the reply types, and objects of them for programs that call the types."""

    def __new__(
        mcls: type[Any],
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        bulk: bool = False,
        **config: Any,
    ) -> Any:
        annotations = _annotations(namespace)
        tag_field = config.get("tag_field")
        if tag_field is not None:
            # msgspec keeps the tag itself and allows no field of that name: it becomes a constant of the class.
            if tag_field in annotations:
                inherited = sum(len(getattr(base, "__struct_fields__", ())) for base in bases)
                namespace["__tag_position__"] = inherited + list(annotations).index(tag_field)
                del annotations[tag_field]
            namespace[tag_field] = config["tag"]
        config.setdefault("kw_only", True)
        # Replies are trees, so reference counting frees them; decoding is a fifth cheaper without the collector.
        # Pages are not: their attributes lead to their client.
        open_ended = config.get("dict") or any(getattr(base, "__dictoffset__", 0) for base in bases)
        config.setdefault("gc", bool(open_ended))
        # For programs that encode a reply with msgspec itself: leave out the fields that were missing.
        config.setdefault("omit_defaults", True)
        if bulk:
            config["forbid_unknown_fields"] = True
            namespace["__bulk__"] = True
        required = {name for base in bases for name in getattr(base, "__required__", ())}
        namespace["__required__"] = frozenset(required - annotations.keys() | _required(annotations, namespace, bulk))
        return cast("Any", msgspec.StructMeta).__new__(mcls, name, bases, namespace, **config)

    def __call__(cls, **values: Any) -> Any:
        """Returns an object with these fields. Nested objects may be given as dicts; unknown names are kept.

        Raises TypeError for missing fields.
        """
        fields = fields_of(cls)
        # The tag may be left out: the class implies it.
        missing = [
            field.name
            for field in fields.all
            if field.required and not (field.name in values or field.wire in values or field.name == fields.tag_field)
        ]
        if missing:
            raise TypeError(f"{cls.__name__}() is missing: {', '.join(missing)}")
        return built(cls, values)


def _required(annotations: Mapping[str, Any], namespace: dict[str, Any], bulk: bool) -> set[str]:
    """Returns the names of required fields, and gives these fields the default None.

    Servers leave out fields that the API always sends. With a default, the strict decoder accepts such a reply, four
    times as fast as the lenient path. Types in bulk keep their required fields: with all fields present, an object
    tells its document by itself.
    """
    required: set[str] = set()
    for name, annotation in annotations.items():
        value = namespace.get(name, msgspec.NODEFAULT)
        if value is msgspec.NODEFAULT:
            if "ClassVar" in str(annotation):
                continue
            default: Any = None
        elif isinstance(value, _FieldInfo) and value.default is value.default_factory is msgspec.NODEFAULT:
            default = msgspec.field(default=None, name=value.name)
        else:
            continue
        required.add(name)
        if not bulk:
            namespace[name] = default
    return required


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    """Returns the annotations in the namespace of a class body, to be changed there."""
    if sys.version_info >= (3, 14) and "__annotations__" not in namespace:
        # Python 3.14 has a function in their place, which makes them on demand.
        from annotationlib import Format, call_annotate_function

        annotate = namespace.pop("__annotate_func__", None) or namespace.pop("__annotate__", None)
        made = {} if annotate is None else call_annotate_function(annotate, Format.FORWARDREF)
        namespace["__annotations__"] = dict(made)
    return cast("dict[str, Any]", namespace.setdefault("__annotations__", {}))


def built(cls: Any, values: Mapping[str, Any]) -> Any:
    """Returns an object of `cls` with these values by name, in Python or in the API, as far as they fit."""
    from aiopenai._data.lenient import fitter

    fields = fields_of(cls)
    plain: dict[str, Any] = {field.wire: values[field.name] for field in fields.all if field.name in values}
    if fields.tag_field is not None:
        plain.setdefault(fields.tag_field, fields.tag)
    for name, value in values.items():
        if name not in fields.names:
            plain.setdefault(name, value)
    return fitter(cls)(plain)
