"""JSON bytes to values of a type: strict first, lenient if that fails.

The strict path is one `msgspec.json.Decoder` per type, straight from the bytes. The lenient path builds the same types
from plain values, as far as they fit (lenient.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar, cast, get_args

import msgspec

from aiopenai._base.aliases import is_list
from aiopenai._base.cache import BoundedCache
from aiopenai._base.collector import undisturbed
from aiopenai._data.fields import check_complete
from aiopenai._data.plain import TooDeepError, decode_json
from aiopenai._data.provenance import Node, all_decoded, decoded
from aiopenai._data.unions import class_of, has_union, plain_hook, union_classes

__all__ = ["Decoder"]

T = TypeVar("T")

# Documents that arrive together keep their bytes together, this many at a time. Smaller batches cost more time; larger
# ones keep more of a stream alive for a program that keeps its last event only.
_TOGETHER = 32

# A document of at least this many bytes with fewer than one object per 4 KB is one big string or array. It is built
# from its plain values, which its objects then share, instead of being kept a second time as bytes.
_BULKY = 64 * 1024
_BYTES_PER_OBJECT = 4 * 1024

_making = threading.RLock()
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Decoder(Generic[T]):
    """Decodes JSON bytes to `kind`; make one per type and keep it (`Decoder.of`)."""

    __slots__ = ("_bulk", "_complete", "_fit", "_plain", "_special", "_unions", "kind", "strict")

    _cache: BoundedCache[Any, Decoder[Any]] = BoundedCache(256)

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.strict: Callable[[bytes], T] = msgspec.json.Decoder(kind, dec_hook=plain_hook).decode
        self._unions = {class_of(each): _steps(each, names) for each, names in union_classes(kind).items()}
        # A document that is such a union itself takes the lenient path.
        self._plain = has_union(kind)
        self._fit: Callable[[Any], Any] | None = None
        self._bulk: bool = getattr(kind, "__bulk__", False)
        # No field can be missing, and unknown ones are refused: the objects themselves tell their documents.
        self._complete = self._bulk and _all_required(kind)
        self._special = self._bulk or self._plain or bool(self._unions)

    @classmethod
    def of(cls, kind: Any) -> Decoder[Any]:
        """Returns the decoder of a type, made at its first use. A reply type keeps its own, and takes it along."""
        own: Any = getattr(kind, "__decoder__", None)
        # A type inherits that of its base.
        found: Decoder[Any] | None = own if own.__class__ is cls and own.kind is kind else cls._cache.get(kind)
        if found is not None:
            return found
        # One thread at a time: msgspec shows other threads a class that it has not fully analysed yet.
        with _making:
            made = cls(kind)
        if isinstance(kind, type) and issubclass(kind, Node):
            cast("Any", kind).__decoder__ = made
        else:
            cls._cache[kind] = made
        return made

    def decode(self, raw: bytes) -> T:
        """Decodes one JSON document.

        Raises `msgspec.DecodeError` for input that is not JSON (or does not fit a class of the user), nothing else.
        """
        try:
            return self._special_fast(raw) if self._special or len(raw) >= _BULKY else decoded(self.strict, raw)[0]
        except _REFUSED:
            return self.lenient(raw)

    # The name costs a caller less than the call of an object.
    __call__ = decode

    def _special_fast(self, raw: bytes) -> T:
        """Decodes a long document, or one of a special type, by the strict path as far as possible."""
        long = len(raw) >= _BULKY
        if self._plain or (long and not (self._bulk or _has_objects(raw))):
            return self.lenient(raw)
        keep = not self._bulk or self._needs_source(raw)
        value, nodes = undisturbed(decoded, self.strict, raw, keep) if long else decoded(self.strict, raw, keep)
        if self._unions:
            self._fit_unions(nodes)
        return value

    def _fit_unions(self, nodes: list[Any]) -> None:
        """Fits the fields with unions that msgspec cannot express, of which it has made plain values."""
        unions = self._unions
        for node in nodes:
            if (steps := unions.get(node.__class__)) is not None:
                for get, put, fit_field in steps:
                    value = get(node)
                    if value and (value.__class__ is dict or value.__class__ is list):
                        put(node, fit_field(value))

    def validate(self, raw: bytes) -> T:
        """Decodes one JSON document strictly. Raises `msgspec.ValidationError` for a value that is not of the type.

        Input that msgspec cannot read raises `msgspec.DecodeError`, UnicodeDecodeError or RecursionError.
        """
        special = self._special or len(raw) >= _BULKY
        value = self._special_fast(raw) if special else decoded(self.strict, raw)[0]
        check_complete(value)
        return value

    def _needs_source(self, raw: bytes) -> bool:
        """Returns whether a big array of plain objects has to keep its document to tell null from missing."""
        return not (self._complete or (len(raw) >= _BULKY and b"null" not in raw))

    def many(
        self, raws: Sequence[bytes], longest: int | None = None, made: list[Any] | None = None
    ) -> tuple[list[T], Exception | None]:
        """Decodes a batch, skipping empty documents. Returns the values, and the error that stopped it, if any.

        `longest` is an upper bound of the documents' lengths, for callers that know one. `made` gets the reply objects
        of the documents that were decoded together, in the order of their making.
        """
        values: list[T] = []
        if longest is None:
            longest = max(map(len, raws), default=0)
        together = longest < _BULKY and not (self._bulk or self._plain)
        try:
            for start in range(0, len(raws), _TOGETHER):
                part = raws[start : start + _TOGETHER]
                if together:
                    # As `decoded`, for several at once: a quarter less time than one by one.
                    try:
                        some, nodes = all_decoded(self.strict, part)
                        if self._unions:
                            self._fit_unions(nodes)
                        values += some
                        if made is not None:
                            made += nodes
                        continue
                    except _REFUSED:
                        pass
                for raw in part:
                    if raw:
                        values.append(self(raw))
        except msgspec.DecodeError as error:
            return values, error
        return values, None

    def lenient(self, raw: bytes) -> T:
        """Decodes by way of plain values. Raises `msgspec.DecodeError` for input that is not JSON, nothing else."""
        plain = decode_json(raw)
        if is_list(plain) and (field := _list_field(self.kind)) is not None:
            # Some servers answer with the bare array.
            plain = {field: plain}
        fit_kind = self._fit
        if fit_kind is None:
            # Most processes never need it.
            from aiopenai._data.lenient import fitter

            fit_kind = self._fit = fitter(self.kind)
        try:
            return cast("T", fit_kind(plain))
        except RecursionError:
            raise TooDeepError from None


_Step: TypeAlias = tuple[Callable[[Any], Any], Callable[[Any, Any], None], Callable[[Any], Any]]


def _steps(kind: Any, names: tuple[str, ...]) -> list[_Step]:
    """Returns getter, setter and fitter of the fields with unions."""
    from aiopenai._data.lenient import fitter

    cls = class_of(kind)
    types = {info.name: info.type for info in msgspec.structs.fields(kind)}
    return [(getattr(cls, name).__get__, getattr(cls, name).__set__, fitter(types[name])) for name in names]


def _list_field(kind: Any) -> str | None:
    """Returns the field that holds the items of a list reply or a page; None for other types."""
    fields: tuple[str, ...] = getattr(class_of(kind), "__struct_fields__", ())
    return "data" if "data" in fields else None


def _has_objects(raw: bytes) -> bool:
    """Returns whether a long document is made of objects; otherwise it is one big string or array."""
    enough = len(raw) // _BYTES_PER_OBJECT
    # Objects rarely have more than 256 bytes on average: nearly always the beginning tells.
    return raw.count(b"{", 0, len(raw) // 16) >= enough or raw.count(b"{") >= enough


def _all_required(kind: Any) -> bool:
    """Returns whether no class in a type has a field that may be missing."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return all(info.required and _all_required(info.type) for info in msgspec.structs.fields(kind))
    return all(map(_all_required, get_args(kind)))
