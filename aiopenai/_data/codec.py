"""Bytes to replies and bodies to bytes.

Decoding is strict first: one cached `msgspec.json.Decoder` per type, straight from the bytes. Only when that refuses
does lenient.py build the same types from plain values. Each node of a reply can tell what was received for it
(unknown fields, null or missing), and this must cost next to nothing:

- msgspec calls `__post_init__` of each object that it makes. Ours is `_made.append`, a C function, so the decoder
  leaves a list of the nodes in the order of their making: +0.08 us for a chunk of three nodes (0.46 -> 0.54 us),
  where a Python `__post_init__` costs +0.4 us, and +1.1 us if it is to be safe in threads.
- A loop then gives each node a pair (the reply's bytes, its number in that order). No node is referred to from there,
  so there are no cycles, which Structs without GC must not have.
- When somebody asks, the bytes are decoded again: once to plain values, once to nodes. The same number leads to the
  node's twin, and walking both trees together to its JSON object. Duplicate keys and unions need no special care.
"""

from __future__ import annotations

import gc
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, repeat
from typing import Any, Generic, TypeVar, cast, get_args

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.sentinels import NotGiven, Omit
from aiopenai._data.lenient import OneOf, fit, fitter

__all__ = ["Decoder", "Node", "decode_json", "documents", "encode", "node_made", "received"]

T = TypeVar("T")

# Events that arrived together keep their bytes together, this many at a time: fewer would cost more, and more would
# hold more of a stream's bytes for somebody who keeps its last event only.
_TOGETHER = 32

# A reply of at least this many bytes that has fewer than one object per 4 KB is one big string or array: it is built
# from its plain values, which the nodes then share, instead of being kept a second time as bytes.
_BULKY = 64 * 1024
_BYTES_PER_OBJECT = 4 * 1024

# From here on a map takes less time than a loop: a third for hundreds.
_MANY_NODES = 5

# Decoders that are kept of types that cannot keep theirs; the oldest goes first.
_MAX_DECODERS = 128

_decode_plain: Callable[[bytes | str], Any] = msgspec.json.Decoder().decode


def decode_json(raw: bytes | str) -> Any:
    """The plain values of a JSON document. Raises `msgspec.DecodeError` for what is none, and for nothing else.

    What servers send although msgspec refuses it passes too: half surrogate pairs (`"\\ud83d"`, from strings cut by
    length), NaN and Infinity (log-probabilities), numbers beyond a float, a byte order mark, bytes that are not UTF-8.
    """
    try:
        return _decode_plain(raw)
    except (msgspec.DecodeError, UnicodeError) as error:
        import json

        try:
            return json.loads(raw if isinstance(raw, str) else raw.decode("utf-8-sig", "replace"))
        except ValueError:
            raise msgspec.DecodeError(str(error)) from error
        except RecursionError:
            raise _too_deep() from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> msgspec.DecodeError:
    return msgspec.DecodeError("JSON is nested too deeply")


# What the nodes of one reply (or of a few events) have in common: the bytes, the strict decoder, and later the JSON
# object of each node (then the bytes are let go of). A list, because that is made in a tenth of an object's time.
_Shared = list[Any]
Source = tuple[_Shared, int]


class Node:
    """The slots that every reply object has beside its fields: where it came from, and its request's id."""

    __slots__ = ("_request_id", "_source")


_set_source: Callable[[Any, Any], None] = cast("Any", Node)._source.__set__

_made: list[Any] = []
node_made: Callable[[Any], None] = _made.append
# The list of nodes being made is one for the process, so decoding takes turns. The decoder holds the GIL all the
# while anyway. Reentrant, because a finalizer that the garbage collector runs inside a decode may decode too.
_turn = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: globals().__setitem__("_turn", threading.RLock()))


_decoding = False


def _set_sources(nodes: list[Any], shared: _Shared) -> None:
    if len(nodes) > _MANY_NODES:
        # `any` makes the map run: the slot's setter gives None.
        any(map(_set_source, nodes, zip(repeat(shared), count())))
    else:
        for index, node in enumerate(nodes):
            _set_source(node, (shared, index))


def _decode_hook(kind: type, value: Any) -> Any:
    # The other type that msgspec leaves to its hook is `object`, which is any value.
    return fit(value, kind) if issubclass(kind, OneOf) else value


class Decoder(Generic[T]):
    """Decodes JSON bytes to `kind`; make one per type and keep it (`Decoder.of`)."""

    __slots__ = ("_bulk", "_fit", "_told", "kind", "strict")

    _cache: dict[Any, Decoder[Any]] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.strict: Callable[[bytes], T] = msgspec.json.Decoder(kind, dec_hook=_decode_hook).decode
        self._fit: Callable[[Any], Any] | None = None
        self._bulk: bool = getattr(kind, "__bulk__", False)
        # Nothing can be left out, and what is unknown is refused: what was received need not be asked of the bytes.
        self._told = self._bulk and _all_required(kind)

    @classmethod
    def of(cls, kind: Any) -> Decoder[Any]:
        """The decoder of a type, made at its first use. Reply types keep theirs: it goes when they go."""
        keeps = isinstance(kind, type) and issubclass(kind, Node)
        found: Decoder[Any] | None = kind.__dict__.get("__decoder__") if keeps else cls._cache.get(kind)
        if found is not None:
            return found
        # One at a time: msgspec lets other threads see what it knows of a class while it is still finding out.
        with _turn:
            made = cls(kind)
            if keeps:
                cast("Any", kind).__decoder__ = made
            else:
                if len(cls._cache) >= _MAX_DECODERS:
                    del cls._cache[next(iter(cls._cache))]
                cls._cache[kind] = made
            return made

    def __call__(self, raw: bytes) -> T:
        """Decode one JSON document.

        Raises `msgspec.DecodeError` for what is not JSON (or does not fit a class of the user's own), and nothing else.
        """
        if len(raw) < _BULKY or self._bulk or _has_objects(raw):
            try:
                return self.validate(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
        return self.lenient(raw)

    def validate(self, raw: bytes) -> T:
        """Decode one JSON document strictly. Raises `msgspec.ValidationError` for what is not of the type.

        For what msgspec cannot read at all: `msgspec.DecodeError`, UnicodeDecodeError, RecursionError.
        """
        global _decoding  # noqa: PLW0603
        strict = self.strict
        made = _made
        with _turn:
            if _decoding:
                return self._validate_inside(raw)
            if made:
                # What others make with msgspec itself (`msgspec.convert`) is noted too, and nobody waits for it.
                made.clear()
            _decoding = True
            # The collector would look for cycles among thousands of new objects, again and again, and there are none:
            # more than half of the time that a reply of 3 MB takes. Nothing else runs meanwhile.
            paused = len(raw) >= _BULKY and gc.isenabled()
            if paused:
                gc.disable()
            try:
                value = strict(raw)
                if not self._bulk or self._needs_source(raw):
                    _set_sources(made, [(raw,), strict, None])
                return value
            finally:
                _decoding = False
                made.clear()
                if paused:
                    gc.enable()

    def _validate_inside(self, raw: bytes) -> T:
        """The same while another document is being decoded, whose nodes are in the list already."""
        made = _made
        first = len(made)
        try:
            value = self.strict(raw)
            if not self._bulk or self._needs_source(raw):
                _set_sources(made[first:], [(raw,), self.strict, None])
            return value
        finally:
            del made[first:]

    def _needs_source(self, raw: bytes) -> bool:
        """Whether what a big array of plain objects was received as cannot be told from the objects."""
        return not (self._told or (len(raw) >= _BULKY and b"null" not in raw))

    def many(self, raws: Sequence[bytes], longest: int | None = None) -> tuple[list[T], Exception | None]:
        """Decode a batch, skipping empty documents; what could be decoded, and the error that stopped it if one did.

        Who knows that none of them is longer than so many bytes can say so.
        """
        global _decoding  # noqa: PLW0603
        values: list[T] = []
        made = _made
        strict = self.strict
        if longest is None:
            longest = max(map(len, raws), default=0)
        with _turn:
            alone = longest < _BULKY and not (made or _decoding or self._bulk)
            try:
                for start in range(0, len(raws), _TOGETHER):
                    part = raws[start : start + _TOGETHER]
                    if alone:
                        # What `validate` does, for several at once: a quarter less than one by one.
                        _decoding = True
                        try:
                            decoded = [strict(raw) for raw in part]
                        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                            made.clear()
                            _decoding = False
                        else:
                            _set_sources(made, [part, strict, None])
                            made.clear()
                            values += decoded
                            continue
                    for raw in part:
                        if raw:
                            values.append(self(raw))
            except msgspec.DecodeError as error:
                return values, error
            finally:
                if alone:
                    _decoding = False
                    made.clear()
        return values, None

    def lenient(self, raw: bytes) -> T:
        """Decode by way of plain values. Raises `msgspec.DecodeError` for what is not JSON, and for nothing else."""
        plain = decode_json(raw)
        fit_kind = self._fit
        if fit_kind is None:
            fit_kind = self._fit = fitter(self.kind)
        try:
            return cast("T", fit_kind(plain))
        except RecursionError:
            raise _too_deep() from None


def _has_objects(raw: bytes) -> bool:
    """Whether a long document is made of objects; otherwise it is one big string or array."""
    enough = len(raw) // _BYTES_PER_OBJECT
    # Objects are rarely as long as 256 bytes on average: nearly always the beginning tells.
    return raw.count(b"{", 0, len(raw) // 16) >= enough or raw.count(b"{") >= enough


def _all_required(kind: Any) -> bool:
    """Whether no class in there has a field that may be missing."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return all(info.required and _all_required(info.type) for info in msgspec.structs.fields(kind))
    return all(map(_all_required, get_args(kind)))


def documents(node: Node) -> Sequence[bytes] | None:
    """The JSON documents that a node was decoded from, with others that came together; None where they are not kept."""
    try:
        source: Any = node._source  # type: ignore[attr-defined]
    except AttributeError:
        return None
    return cast("Source", source)[0][0] if source.__class__ is tuple else None


def received(source: Source) -> dict[str, Any] | None:
    """The JSON object that a node was decoded from, or None where that cannot be told."""
    shared, index = source
    raws, strict, table = shared
    if table is None:
        table = _objects(raws, strict)
        shared[:] = None, strict, table
    return table[index] if index < len(table) else None


def _objects(raws: Sequence[bytes], strict: Callable[[bytes], Any]) -> list[dict[str, Any] | None]:
    with _turn:
        first = len(_made)
        twins = [strict(raw) for raw in raws]
        made = _made[first:]
        del _made[first:]
    number = {id(node): index for index, node in enumerate(made)}
    table: list[dict[str, Any] | None] = [None] * len(made)
    todo: list[tuple[Any, Any]] = [(twin, decode_json(raw)) for twin, raw in zip(twins, raws, strict=True)]
    while todo:
        node, plain = todo.pop()
        if is_list(node):
            todo += zip(node, plain, strict=False)
        elif is_mapping(node):
            todo += ((value, plain[key]) for key, value in node.items())
        elif (index := number.get(id(node))) is not None:
            table[index] = plain
            for name, wire in zip(node.__struct_fields__, node.__struct_encode_fields__, strict=True):
                value = getattr(node, name)
                if value is not None and wire in plain:
                    todo.append((value, plain[wire]))
    return table


class _UnsettledError(Exception):
    """Somewhere in the body stands `omit`, or an iterator, which can be read only once."""


def _encode_hook(value: Any) -> Any:
    if isinstance(value, (Omit, NotGiven)):
        raise _UnsettledError
    name = type(value).__name__
    if isinstance(value, (list, tuple, dict)):
        raise TypeError(f"the keys of a JSON object are strings, and not of type {name}")
    if not isinstance(value, (type, io.IOBase)):
        if callable(dump := getattr(value, "model_dump", None)):  # a pydantic model of the user's
            return dump(mode="json", by_alias=True, exclude_unset=True)
        if is_mapping(value):
            return dict(value)
        if isinstance(value, Iterator):
            raise _UnsettledError
        if isinstance(value, Iterable):
            return list(cast("Any", value))
    what = f"the class {value.__name__}" if isinstance(value, type) else f"an object of type {name}"
    raise TypeError(f"{what} cannot be sent as JSON")


_encode: Callable[[Any], bytes] = msgspec.json.Encoder(enc_hook=_encode_hook).encode


def encode(body: Any, replay: Sequence[str] = ()) -> bytes:
    """Encode a JSON body in one go.

    `replay` names the parameters that can hold objects of earlier replies (messages, input items); those are sent as
    they were received, without what they were parsed into, which takes a look at each of their values. Nothing else is
    walked or copied, unless the body holds `omit` (left out, at any depth) or iterators.
    Raises TypeError that names the parameter for a value that JSON cannot have.
    """
    try:
        for name in replay:
            value = body.get(name)
            if value is not None and value.__class__ is not str:
                if value.__class__ is not list and isinstance(value, Iterator):
                    value = _settled(value)
                    body = {**body, name: value}
                if _holds_reply(value):
                    body = {**body, name: _plain(value)}
        try:
            return _encode(body)
        except _UnsettledError:
            body = _settled(body)
            return _encode(body)
    except _UnsettledError:
        raise TypeError("`omit` can stand in dicts and lists only") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(_name_culprit(body, error)) from error


_SCALARS: frozenset[type] = frozenset({str, int, float, bool, type(None)})


def _holds_reply(value: Any) -> bool:
    """Whether a reply object is in there. The usual classes are told by identity: this runs for each call."""
    kind = value.__class__
    if kind is dict:
        items: Iterable[Any] = value.values()
    elif kind is list or kind is tuple:
        items = value
    elif issubclass(kind, msgspec.Struct):
        return True
    elif is_mapping(value):
        items = value.values()
    elif isinstance(value, (list, tuple)):
        items = cast("Sequence[Any]", value)
    else:
        return False
    for item in items:
        kind = item.__class__
        if kind is str or (kind is dict and _SCALARS.issuperset(map(type, item.values()))):
            # Nearly all are messages like {"role": "user", "content": "..."}.
            continue
        if _holds_reply(item):
            return True
    return False


def _plain(value: Any) -> Any:
    if isinstance(value, Node):
        return cast("Any", value).__to_sent__()
    if is_mapping(value):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    return value


def _settled(value: Any) -> Any:
    """The body without the values that are `omit`, and with iterators read, at any depth."""
    if is_mapping(value):
        return {key: _settled(item) for key, item in value.items() if not isinstance(item, (Omit, NotGiven))}
    if isinstance(value, (list, tuple, Iterator)) and not isinstance(value, io.IOBase):
        entries = cast("Iterable[Any]", value)
        return [_settled(item) for item in entries if not isinstance(item, (Omit, NotGiven))]
    return value


def _name_culprit(body: Any, error: Exception) -> str:
    if is_mapping(body):
        for name, value in body.items():
            try:
                _encode(value)
            except _UnsettledError:
                continue
            except (TypeError, ValueError, RecursionError) as reason:
                hint = "; `parse` and `stream` take classes" if name == "response_format" else ""
                return f"parameter {name!r}: {reason}{hint}"
    return str(error)
