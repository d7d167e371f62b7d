"""Embeddings: lists of floats for whoever looks at them, one block of memory until then.

The API sends a vector as base64 of 32-bit floats (little-endian), five times shorter than as decimal numbers. msgspec
decodes the base64 while it decodes the reply, so what a reply holds are the bytes themselves. A list of Python floats,
which is six times as large and takes longer to make than all the rest, is made when somebody asks for one.
"""

from __future__ import annotations

import sys
from array import array
from binascii import b2a_base64
from typing import Any, cast

from aiopenai._data.structs import Model

__all__ = ["Vector", "encoded"]

_ITEM = array("f").itemsize


class _Floats:
    """The attribute `embedding`, before the Struct's own.

    The Struct keeps what came, as bytes, then a view of the array that was made of them, or the list that was; never
    two of them. All of it is something that msgspec can encode.
    """

    def __init__(self, slot: Any) -> None:
        self.slot = slot

    def __get__(self, node: Any, _: Any = None) -> Any:
        if node is None:
            return self
        value = self.slot.__get__(node)
        if value.__class__ is bytes:
            value = _array(value).tolist() if _is_floats(value) else _text(value)
        elif value.__class__ is memoryview:
            value = value.tolist()
        else:
            return value
        self.slot.__set__(node, value)
        return value

    def __set__(self, node: Any, value: Any) -> None:
        self.slot.__set__(node, value)


class Vector(Model):
    """The base of reply types with an `embedding`: a list of floats."""

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        own: Any = cls
        if "embedding" in own.__dict__:
            own.embedding = _Floats(own.embedding)
            # For msgspec, which makes bytes of base64.
            own.__annotations__ = {**own.__annotations__, "embedding": list[float] | bytes}

    def as_array(self) -> array[float]:
        """The vector as an array of 32-bit floats, the same one each time and without a list being made.

        `numpy.asarray(...)` of it is a view. What is changed in it shows in `embedding` until that is first looked
        at: from then on the list is the vector, and arrays are copies of it. Raises TypeError where there are no
        floats: the base64 that was asked for.
        """
        slot = _slot(self)
        value = slot.__get__(self)
        if value.__class__ is memoryview:
            return cast("array[float]", value.obj)
        if value.__class__ is bytes and _is_floats(value):
            made = _array(value)
            # A view, because msgspec can encode that.
            slot.__set__(self, memoryview(made))
            return made
        if not isinstance(value, list):
            raise TypeError("the embedding is not floats; without an encoding_format it will be")
        return array("f", cast("list[float]", value))


def encoded(node: Vector) -> None:
    """Have `embedding` be base64, for whoever asked for that."""
    slot = _slot(node)
    value = slot.__get__(node)
    if value.__class__ is bytes:
        slot.__set__(node, _text(value))


def _slot(node: Vector) -> Any:
    """The Struct's own descriptor of the field."""
    return cast("Any", type(node)).embedding.slot


def _is_floats(raw: bytes) -> bool:
    """What cannot be floats stays the text that it was."""
    return bool(raw) and len(raw) % _ITEM == 0


def _array(raw: bytes) -> array[float]:
    made = array("f", raw)
    if sys.byteorder == "big":
        made.byteswap()
    return made


def _text(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
