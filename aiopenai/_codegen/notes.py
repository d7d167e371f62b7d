"""The drift between two releases as an entry of the changelog: one line for each kind of change."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

__all__ = ["changelog"]

_WIDTH = 120
_LINE = re.compile(r"([-+~]) (resource|method|parameter|type|field|value) ([^ :]+)(?:: (.*))?")
# The kinds in the order in which a reader looks for them, with their names. A part belongs to the owner before its dot.
_PLURALS = {
    "resource": "namespaces",
    "method": "methods",
    "parameter": "parameters",
    "type": "types",
    "field": "fields",
    "value": "values",
}
_PARTS = {"parameter", "field"}
_VERBS = {"+": "New", "-": "Removed", "~": "Changed"}


def changelog(before: str, after: str, found: Iterable[str]) -> str:
    """Returns the differences from one release to another, as Markdown."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for line in found:
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"not a line of the drift: {line!r}")
        sign, kind, name, detail = match.groups()
        if kind == "field" and name.endswith(".="):
            # An alias has its own type in the place of fields.
            kind, name = "type", name.removesuffix(".=")
        if kind == "parameter" and name.endswith(".()"):
            # A method sends another request.
            kind, name = "method", name.removesuffix(".()")
        owner, _, part = name.rpartition(".") if kind in _PARTS else (name, "", detail if kind == "value" else "")
        groups.setdefault((sign, kind), {}).setdefault(owner, []).append((part or "").strip("'"))
    if not groups:
        return f"- Level with the reference {after}: its interface is that of {before}."
    lines = [f"- Level with the reference {after} (before: {before})."]
    for sign, verb in _VERBS.items():
        for kind, plural in _PLURALS.items():
            owners = groups.get((sign, kind))
            if owners:
                lines += _wrapped(f"{verb} {plural}: {', '.join(_named(*each) for each in owners.items())}.")
    return "\n".join(lines)


def _named(owner: str, parts: list[str]) -> str:
    named = ", ".join(f"`{part}`" for part in parts if part)
    return f"`{owner}` ({named})" if named else f"`{owner}`"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
