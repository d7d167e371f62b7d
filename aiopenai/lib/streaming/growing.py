"""Values that grow with a stream, and their earlier states.

Each delta is noted once, in constant time, with its moment: a number that only rises. Strings are kept as pieces and
joined on access, and an earlier state is cut from the same text. So an accumulated stream costs time in proportion to
its length, and a snapshot in proportion to its own size.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.structs import ModelMeta

__all__ = [
    "MISSING",
    "REPLACED",
    "Entries",
    "EventMeta",
    "Items",
    "Late",
    "OnlyKnown",
    "Strings",
    "Text",
    "Tree",
    "Value",
    "late",
]

T = TypeVar("T")

MISSING: Any = object()


class Text:
    """A string that grows."""

    __slots__ = ("_pieces", "_whole", "size")

    def __init__(self, whole: str = "") -> None:
        self._whole = whole
        self._pieces: list[str] = []
        self.size = len(whole)

    def append(self, piece: str) -> None:
        """Adds a piece at the end."""
        self._pieces.append(piece)
        self.size += len(piece)

    def cut(self, size: int) -> str:
        """Returns the first `size` characters."""
        if self._pieces:
            self._whole += "".join(self._pieces)
            self._pieces.clear()
        return self._whole if size == len(self._whole) else self._whole[:size]


def _size_at(at: array[int], sizes: array[int], moment: int) -> int:
    number = bisect_right(at, moment)
    return sizes[number - 1] if number else -1


class Strings(Text):
    """A string that grows, with its state at any moment."""

    __slots__ = ("_at", "_sizes")

    def __init__(self) -> None:
        super().__init__()
        # Arrays of machine numbers: a long stream has as many entries as chunks.
        self._at = array("q")
        self._sizes = array("q")

    def add(self, moment: int, piece: str) -> int:
        """Adds a piece that came at `moment`. Returns the new size."""
        self._pieces.append(piece)
        self.size = size = self.size + len(piece)
        self._at.append(moment)
        self._sizes.append(size)
        return size

    def size_at(self, moment: int) -> int:
        """Returns the size at a moment; -1 before the first piece."""
        return _size_at(self._at, self._sizes, moment)

    def merge(self, moment: int, value: Any) -> None:
        """Adds a piece, if it is one."""
        if isinstance(value, str):
            self.add(moment, value)

    def upto(self, moment: int) -> Any:
        """Returns its value at a moment."""
        size = self.size_at(moment)
        return MISSING if size < 0 else self.cut(size)


class Entries:
    """A list that grows, with its state at any moment."""

    __slots__ = ("_at", "_entries", "_sizes")

    def __init__(self) -> None:
        self._at = array("q")
        self._sizes = array("q")
        self._entries: list[Any] = []

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self._entries)

    def add(self, moment: int, entries: list[Any]) -> int:
        """Adds entries that came at `moment`. Returns the new size."""
        self._entries += entries
        self._at.append(moment)
        self._sizes.append(len(self._entries))
        return len(self._entries)

    def cut(self, size: int) -> list[Any]:
        """Returns the first `size` entries."""
        return self._entries[:size]

    def upto(self, moment: int) -> Any:
        """Returns its value at a moment."""
        size = _size_at(self._at, self._sizes, moment)
        return MISSING if size < 0 else self.cut(size)


class Value:
    """A value that later ones replace, or that numbers are added to. Null and the empty string replace nothing."""

    __slots__ = ("_adds", "_at", "_fixed", "_values")

    def __init__(self, moment: int, value: Any, *, adds: bool = False, fixed: bool = False) -> None:
        self._at = [moment]
        self._values = [value]
        self._adds = adds
        self._fixed = fixed

    @property
    def last(self) -> Any:
        """The value now."""
        return self._values[-1]

    def merge(self, moment: int, value: Any) -> None:
        """Takes the value that came at `moment`."""
        last = self._values[-1]
        if value is None or value == "" or (self._fixed and last not in (None, "")):
            return
        if self._adds and _is_number(last):
            if not _is_number(value):
                return
            value += last
        if value != last or value.__class__ is not last.__class__:
            self._at.append(moment)
            self._values.append(value)

    def upto(self, moment: int) -> Any:
        """Returns its value at a moment."""
        number = bisect_right(self._at, moment)
        return self._values[number - 1] if number else MISSING


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Tree:
    """A JSON object that grows by deltas. Strings are continued, numbers added, objects and lists merged.

    Strings that identify or classify are not continued, although many servers send them again with each delta:

    - an id (`id`, and keys that end in `_id`) keeps its first value;
    - a name is continued, unless a delta repeats the whole of it;
    - the keys in `REPLACED` (`index`, `type`, `role`, `format`, `status` ...) take the newest value.

    Null and the empty string change nothing that is there.
    """

    __slots__ = ("_since", "nodes")

    def __init__(self, moment: int, delta: Mapping[str, Any]) -> None:
        self._since = moment
        self.nodes: dict[str, GrowingNode] = {}
        self.merge(moment, delta)

    def merge(self, moment: int, value: Any) -> None:
        """Merges the delta that came at `moment`, if it is one."""
        if not is_mapping(value):
            return
        nodes = self.nodes
        for key, part in value.items():
            node = nodes.get(key)
            if node is None or (part is not None and isinstance(node, Value) and node.last is None):
                nodes[key] = _grown(moment, key, part)
            elif part is not None and not (key == "name" and _says(node, part)):
                node.merge(moment, part)

    def upto(self, moment: int) -> Any:
        """Returns its plain values at a moment."""
        if self._since > moment:
            return MISSING
        values = {key: node.upto(moment) for key, node in self.nodes.items()}
        return {key: value for key, value in values.items() if value is not MISSING}

    def last(self, key: str) -> Any:
        """Returns the value of a key now; None without one."""
        node = self.nodes.get(key)
        if isinstance(node, Value):
            return node.last
        return node.cut(node.size) if isinstance(node, Strings) else None

    def strings(self, key: str) -> Strings | None:
        """Returns the growing string of a key, if it has one."""
        node = self.nodes.get(key)
        return node if isinstance(node, Strings) else None


class Items:
    """A list that grows by deltas. Objects with an `index` are merged by it, all others are added at the end."""

    __slots__ = ("_nodes", "_since")

    def __init__(self, moment: int, delta: list[Any]) -> None:
        self._since = moment
        self._nodes: dict[int, GrowingNode] = {}
        self.merge(moment, delta)

    def merge(self, moment: int, value: Any) -> None:
        """Merges the delta that came at `moment`, if it is one."""
        nodes = self._nodes
        for entry in value if is_list(value) else ():
            index = entry.get("index") if is_mapping(entry) else None
            if not isinstance(index, int):
                index = max(nodes, default=-1) + 1
            node = nodes.get(index)
            if node is None:
                nodes[index] = _grown(moment, "", entry)
            else:
                node.merge(moment, entry)

    def upto(self, moment: int) -> Any:
        """Returns its plain values at a moment."""
        if self._since > moment:
            return MISSING
        values = [self._nodes[index].upto(moment) for index in sorted(self._nodes)]
        return [value for value in values if value is not MISSING]


GrowingNode: TypeAlias = Strings | Value | Tree | Items

REPLACED = frozenset(
    {"index", "type", "role", "format", "status", "object", "model", "language", "encoding", "mime_type", "media_type"}
)


def _is_id(key: str) -> bool:
    return key == "id" or key.endswith("_id")


def _grown(moment: int, key: str, value: Any) -> GrowingNode:
    if isinstance(value, str):
        if key in REPLACED or _is_id(key):
            return Value(moment, value, fixed=_is_id(key))
        strings = Strings()
        strings.add(moment, value)
        return strings
    if is_mapping(value):
        return Tree(moment, value)
    if is_list(value):
        return Items(moment, value)
    return Value(moment, value, adds=key not in REPLACED, fixed=_is_id(key))


def _says(node: GrowingNode, value: Any) -> bool:
    return isinstance(node, Strings) and isinstance(value, str) and node.cut(node.size) == value


class OnlyKnown:
    """Tells whether the documents of events have only the fields that a type knows.

    The unknown fields of an event itself take several times its decoding. A strict decoder for the part in question,
    which refuses unknown fields, takes half of it.
    """

    __slots__ = ("_answer", "_asked", "_decode")

    def __init__(self, kind: Any) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        # Events that arrived together are a batch. The answer for it stays when the documents themselves are dropped,
        # as they are when an event of the batch is asked for its JSON object.
        self._asked: Any = None
        self._answer = False

    def __call__(self, event: Any) -> bool:
        # As `batch_of`, without its call: each event asks.
        source: Any = getattr(event, "_source", None)
        batch = source[0] if source.__class__ is tuple else None
        if batch is not self._asked:
            self._asked = batch
            self._answer = batch is not None and self._fit(batch[0])
        return self._answer

    def _fit(self, raws: Sequence[bytes] | None) -> bool:
        decode = self._decode
        try:
            for raw in raws or ():
                decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        return raws is not None


class Late(Protocol):
    """A growing value of which an event shows the state at the time of the event."""

    def cut(self, size: int) -> Any:
        """Returns its state when it had `size`."""
        ...


class _LateField:
    """A field that makes its value on the first access. Until then it holds a pair: the growing value, and its size."""

    def __init__(self, member: Any) -> None:
        self._get = member.__get__
        self._set = member.__set__

    def __get__(self, event: Any, owner: type | None = None) -> Any:
        if event is None:
            return self
        value = self._get(event)
        if value.__class__ is tuple:
            whole, size = cast("tuple[Late, int]", value)
            value = whole.cut(size)
            self._set(event, value)
        return value

    def __set__(self, event: Any, value: Any) -> None:
        self._set(event, value)


class EventMeta(ModelMeta):
    """The metaclass of the helpers' events: they are made at C speed, and their fields may be late."""

    # ModelMeta's own `__call__` builds objects from any values, and takes ten times as long.
    __call__: Any = msgspec.StructMeta.__call__


def late(*names: str) -> Callable[[type[T]], type[T]]:
    """Returns a class decorator that makes these fields late."""

    def decorate(cls: type[T]) -> type[T]:
        for name in names:
            setattr(cls, name, _LateField(getattr(cls, name)))
        return cls

    return decorate
