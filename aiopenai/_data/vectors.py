"""Embeddings: one block of memory, turned into a list of floats at the first access.

The API sends a vector as base64 of 32-bit floats (little-endian), five times shorter than as decimal numbers. msgspec
decodes the base64 with the rest, so that a reply holds the bytes themselves. A list of Python floats is six times as
large and takes longer to make than the rest of the reply. The attribute `embedding` makes it at its first access.
"""

from __future__ import annotations

import sys
from array import array
from binascii import b2a_base64
from typing import Any, cast

from aiopenai._data.model import Model

__all__ = ["Vector", "encoded"]

_ITEM = array("f").itemsize


class _Floats:
    """The attribute `embedding`, in front of the field of the Struct.

    The Struct keeps one form only: the received bytes, then a view of the array or the list made of them. msgspec can
    encode all three.
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
        """Returns the vector as an array of 32-bit floats, the same array each time, without making a list.

        `numpy.asarray(...)` of it is a view. A change of the array shows in `embedding` until the first access to
        that: from then on the list is the vector, and arrays are copies of it. Raises TypeError for a vector
        without floats, such as the base64 of `encoding_format="base64"`.
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
            raise TypeError("the embedding is not floats: call embeddings.create without encoding_format")
        return array("f", cast("list[float]", value))


def encoded(node: Vector) -> None:
    """Turns `embedding` into base64, for calls that ask for it."""
    slot = _slot(node)
    value = slot.__get__(node)
    if value.__class__ is bytes:
        slot.__set__(node, _text(value))


def _slot(node: Vector) -> Any:
    """Returns the descriptor of the field that the Struct has itself."""
    return cast("Any", type(node)).embedding.slot


def _is_floats(raw: bytes) -> bool:
    """Returns whether bytes can be floats; others stay the text that was received."""
    return bool(raw) and len(raw) % _ITEM == 0


def _array(raw: bytes) -> array[float]:
    made = array("f", raw)
    if sys.byteorder == "big":
        made.byteswap()
    return made


def _text(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
