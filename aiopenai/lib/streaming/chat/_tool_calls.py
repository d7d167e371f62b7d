"""The tool calls of a streamed choice: the call that each delta belongs to, and the calls as far as they have come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from aiopenai._base.aliases import is_mapping
from aiopenai._data.codec import decode_json
from aiopenai.lib.streaming.growing import MISSING, Strings, Tree
from aiopenai.lib.streaming.partial_json import parse_partial

__all__ = ["GrowingToolCall", "GrowingToolCalls"]


class GrowingToolCall:
    """One tool call of a choice."""

    __slots__ = (
        "_parsed",
        "_parsed_since",
        "_since",
        "_strict_tool",
        "_tools",
        "arguments",
        "id",
        "index",
        "name",
        "tree",
    )

    def __init__(self, index: int, moment: int, delta: Mapping[str, Any], tools: list[Any]) -> None:
        self.index = index
        """The number of the call in its events."""
        self._since = moment
        self._tools = tools
        # None until the tool has been looked up.
        self._strict_tool: bool | None = None
        # The value of the complete arguments, and the moment at which they were complete.
        self._parsed: Any = None
        self._parsed_since: int | None = None
        self.tree = Tree(moment, delta)
        self.arguments: Strings | None = None
        self.name: Strings | None = None
        self.id: str | None = None
        self._look()

    def _look(self) -> None:
        self.id = self.tree.last("id") or None
        function = self.tree.nodes.get("function")
        if isinstance(function, Tree):
            self.arguments = function.strings("arguments")
            self.name = function.strings("name")

    def merge(self, moment: int, delta: Mapping[str, Any]) -> None:
        """Takes any delta of this call."""
        self.tree.merge(moment, delta)
        self._look()

    @property
    def is_function(self) -> bool:
        """Whether it calls a function, as it does without a type and with an empty one."""
        kind = self.tree.last("type")
        return bool(kind == "function") if kind else "function" in self.tree.nodes

    @property
    def function_name(self) -> str:
        """The function's name so far."""
        return self.name.cut(self.name.size) if self.name is not None else ""

    @property
    def whole_arguments(self) -> str:
        """The arguments so far."""
        return self.arguments.cut(self.arguments.size) if self.arguments is not None else ""

    @property
    def is_complete(self) -> bool:
        """Whether the arguments so far are a JSON document."""
        try:
            decode_json(self.whole_arguments)
        except msgspec.DecodeError:
            return False
        return True

    def finish(self, moment: int, parsed: Any) -> None:
        """Notes the value of the complete arguments."""
        self._parsed = parsed
        self._parsed_since = moment

    @property
    def _strict(self) -> bool:
        if self._strict_tool is None:
            if self.name is None or not self._tools:
                return False
            from aiopenai.lib.parsing import get_input_tool_by_name

            tool = get_input_tool_by_name(input_tools=self._tools, name=self.function_name)
            self._strict_tool = bool(tool and tool.get("function", {}).get("strict"))
        return self._strict_tool

    def cut(self, size: int) -> Any:
        """Returns the values in the first `size` characters of the arguments, if the tool is strict."""
        if size <= 0 or self.arguments is None or not self._strict:
            return None
        return parse_partial(self.arguments.cut(size))

    def upto(self, moment: int) -> Any:
        """Returns the call as it was at a moment, as plain values."""
        plain = self.tree.upto(moment)
        if plain is not MISSING and self.is_function and is_mapping(function := plain.get("function")):
            whole = self._parsed_since is not None and self._parsed_since <= moment
            size = -1 if self.arguments is None else self.arguments.size_at(moment)
            parsed = self._parsed if whole else self.cut(size)
            if parsed is not None or moment > self._since:
                plain["function"] = {**function, "parsed_arguments": parsed}
            plain["type"] = plain.get("type") or "function"
        return plain


class GrowingToolCalls:
    """The tool calls of a choice, in the order in which they began.

    A delta names its call by index, id and name, and servers leave out or repeat each of them. In this order:

    1. An index that is new begins a call, unless the id of the delta is known and no name comes with it.
    2. Under a known index, another id together with a name begins a call. Another id alone does not, nor does one with
       the same name while the arguments are incomplete: some servers make a new id for each delta. The first one stays.
    3. Under a known index, a name without an id begins a call if it differs from the name so far. It is a further
       piece of the name if both together begin the name of a tool, or if the call has an id and neither the call nor
       the delta has arguments.
    4. Without an index, a known id belongs to its call. Another id together with a name begins a call.
    5. Without index and id, a name begins a call, unless it repeats the name of a call with incomplete arguments, or
       both names together begin the name of a tool.
    6. All other deltas continue the call of their index, or the latest call.

    A call is numbered by its index, or by the next free number if the index is missing or taken.
    """

    __slots__ = ("_by_index", "_calls", "_latest", "_tool_names", "_tools")

    def __init__(self, tools: list[Any]) -> None:
        self._tools = tools
        # None until a name comes that may be a piece of one.
        self._tool_names: frozenset[str] | None = None
        self._calls: dict[int, GrowingToolCall] = {}
        # The latest call under each index that the server has sent.
        self._by_index: dict[int, GrowingToolCall] = {}
        self._latest: GrowingToolCall | None = None

    def known(self, index: Any) -> GrowingToolCall | None:
        """Returns the call that a delta with this index, and without id and name, continues."""
        return self._by_index.get(index)

    def take(self, moment: int, delta: Mapping[str, Any]) -> GrowingToolCall:
        """Adds a delta to its call, and returns the call."""
        index = delta.get("index")
        if isinstance(index, str) and index.isdecimal():
            index = int(index)
        function = delta.get("function")
        name = function.get("name") if is_mapping(function) else None
        call = self._owner(index, delta.get("id") or None, name or None, function)
        if call is None:
            return self._begin(moment, index, delta)
        call.merge(moment, delta)
        if isinstance(index, int):
            self._by_index.setdefault(index, call)
        self._latest = call
        return call

    def _begin(self, moment: int, index: Any, delta: Mapping[str, Any]) -> GrowingToolCall:
        number = index if isinstance(index, int) and index not in self._calls else max(self._calls, default=-1) + 1
        call = self._calls[number] = self._latest = GrowingToolCall(number, moment, delta, self._tools)
        if isinstance(index, int):
            self._by_index[index] = call
        return call

    def _owner(self, index: Any, id: Any, name: Any, function: Any) -> GrowingToolCall | None:
        """Returns the call that a delta continues; None if it begins one."""
        if isinstance(index, int):
            known = self._by_index.get(index)
            if known is None:
                return self._with_id(id) if name is None else None
            if name is None or not known.function_name:
                return known if id is None or known.id in (None, id) or name is None else None
            if id is not None and id != known.id:
                # An id may follow its name, and some servers make a new id for each piece of the arguments.
                is_same = known.id is None or (_has_arguments(known) and not known.is_complete)
                return known if is_same and name == known.function_name else None
            if id is not None:
                return known
            if name == known.function_name:
                return None if _is_next(known, function) else known
            return known if self._is_piece(known, name, function) else None
        if id is not None and (known := self._with_id(id)) is not None:
            return known
        latest = self._latest
        if name is None:
            return latest
        if id is not None or latest is None:
            return None
        if name == latest.function_name:
            return None if _is_next(latest, function) or _has_nothing_new(latest, function) else latest
        return latest if self._belongs_to_a_name(latest, name) else None

    def _is_piece(self, call: GrowingToolCall, name: str, function: Any) -> bool:
        """Whether a delta under the index of a call continues the call's name."""
        if _has_arguments(call):
            return False
        if self._belongs_to_a_name(call, name):
            return True
        return call.id is not None and not function.get("arguments") and call.function_name not in self._names

    def _belongs_to_a_name(self, call: GrowingToolCall, name: str) -> bool:
        """Whether the call's name and a piece are the beginning of a tool's name, and the piece itself is no tool."""
        joined = f"{call.function_name}{name}"
        return name not in self._names and any(each.startswith(joined) for each in self._names)

    @property
    def _names(self) -> frozenset[str]:
        if self._tool_names is None:
            functions = [tool.get("function") for tool in self._tools if is_mapping(tool)]
            self._tool_names = frozenset(str(each.get("name")) for each in functions if is_mapping(each))
        return self._tool_names

    def _with_id(self, id: Any) -> GrowingToolCall | None:
        if id is None:
            return None
        return next((call for call in self._calls.values() if call.id == id), None)

    def all(self) -> list[GrowingToolCall]:
        """Returns the calls by number."""
        return [self._calls[number] for number in sorted(self._calls)]

    def upto(self, moment: int) -> list[Any]:
        """Returns the calls as they were at a moment, as plain values."""
        calls = [call.upto(moment) for call in self.all()]
        return [call for call in calls if call is not MISSING]


def _has_arguments(call: GrowingToolCall) -> bool:
    return call.arguments is not None and call.arguments.size > 0


def _has_nothing_new(call: GrowingToolCall, function: Any) -> bool:
    """Whether a delta that repeats the name of a call adds no arguments to a call that has none."""
    return not (function.get("arguments") or _has_arguments(call))


def _is_next(call: GrowingToolCall, function: Any) -> bool:
    """Whether a delta that repeats the name of a call begins another one: the call's arguments are complete."""
    return function.get("arguments") != "" and call.is_complete
