"""Replies and pages as HTML, for the output of a notebook's cell: short, escaped, without keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any, cast

import msgspec

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._base.headers import REDACTED
from aiopenai._base.redaction import redacted

__all__ = ["page_html", "reply_html"]

_TEXT_LENGTH = 4_000
_VALUE_LENGTH = 300
_ITEMS = 3
_DEPTH = 3
_ROWS = 20
_COLUMNS = 6
_SECRET_NAMES = re.compile(r"(?:^|_)(?:secret|password|api_key|access_token|token)$")


def reply_html(reply: msgspec.Struct) -> str:
    """Returns a reply: its class, id, model and tokens, the text of its answer, and its fields folded up."""
    fields = _fields_of(reply)
    text = _text_of(reply)
    parts = [_head(reply)]
    if text:
        parts.append(f'<div style="white-space: pre-wrap">{escape(_cut(redacted(text), _TEXT_LENGTH))}</div>')
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(_shown(name, value))}</td></tr>" for name, value in fields)
    opened = "" if text else ' open=""'
    parts.append(f"<details{opened}><summary>{len(fields)} fields</summary><table>{rows}</table></details>")
    return f"<div>{''.join(parts)}</div>"


def page_html(page: msgspec.Struct, items: Iterable[Any], more: bool) -> str:
    """Returns a page: a table of its first items, and whether another page follows."""
    found = list(items)
    shown = [dict(_fields_of(item)) if isinstance(item, msgspec.Struct) else {"item": item} for item in found[:_ROWS]]
    columns = _columns(shown)
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(name, row.get(name)))}</td>' for name in columns)}</tr>" for row in shown
    )
    count = f"{len(found)} items" if len(found) <= _ROWS else f"the first {_ROWS} of {len(found)} items"
    follows = "; another page follows" if more else ""
    title = f"<b>{escape(type(page).__name__)}</b>: {count}{follows}"
    return f"<div>{title}<table><tr>{head}</tr>{rows}</table></div>"


def _head(reply: msgspec.Struct) -> str:
    """Returns the class, and the id, model and tokens as far as the reply has them."""
    parts = [f"<b>{escape(type(reply).__name__)}</b>"]
    for name in ("id", "model"):
        value = getattr(reply, name, None)
        if isinstance(value, str):
            parts.append(f"<code>{escape(_shown(name, value))}</code>")
    tokens = getattr(getattr(reply, "usage", None), "total_tokens", None)
    if isinstance(tokens, int):
        parts.append(f"{tokens:,} tokens")
    return " · ".join(parts)


def _text_of(reply: Any) -> str:
    """Returns the text of an answer; empty for a reply that has none."""
    for name in ("output_text", "text"):
        text = getattr(reply, name, None)
        if isinstance(text, str):
            return text
    choices = getattr(reply, "choices", None)
    if not is_list(choices) or not choices:
        return ""
    message = getattr(choices[0], "message", None)
    text = getattr(message, "content", None) if message is not None else getattr(choices[0], "text", None)
    return text if isinstance(text, str) else ""


def _fields_of(node: msgspec.Struct) -> list[tuple[str, Any]]:
    """Returns the fields that are not empty, with the unknown ones."""
    pairs = cast("Any", node).__rich_repr__()
    return [(name, value) for name, value in pairs if value is not None]


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Returns the first columns that hold plain values."""
    names = dict.fromkeys(name for row in rows for name in row)
    plain = [name for name in names if not any(isinstance(row.get(name), (list, dict, msgspec.Struct)) for row in rows)]
    return plain[:_COLUMNS]


def _shown(name: str, value: Any) -> str:
    """Returns a value as a short text."""
    if _SECRET_NAMES.search(name) and isinstance(value, str):
        return REDACTED
    text = value if isinstance(value, str) else _short(value, _DEPTH)
    return _cut(redacted(text), _VALUE_LENGTH)


def _short(value: Any, depth: int) -> str:
    if value is None:
        return ""
    if isinstance(value, msgspec.Struct):
        if not depth:
            return f"{type(value).__name__}(...)"
        inside = ", ".join(f"{name}={_inner(name, each, depth)}" for name, each in _fields_of(value))
        return f"{type(value).__name__}({inside})"
    if is_list(value):
        inside = ", ".join(_inner("", each, depth) for each in value[:_ITEMS])
        return f"[{inside}{f', ... {len(value):,} items' if len(value) > _ITEMS else ''}]" if depth else "[...]"
    if is_mapping(value):
        inside = ", ".join(f"{key!r}: {_inner(str(key), value[key], depth)}" for key in list(value)[:_ITEMS])
        return f"{{{inside}{', ...' if len(value) > _ITEMS else ''}}}" if depth else "{...}"
    return str(value)


def _inner(name: str, value: Any, depth: int) -> str:
    if isinstance(value, str):
        # Before the cut, which would leave the beginning of a key.
        return repr(REDACTED if _SECRET_NAMES.search(name) else _cut(redacted(value), _VALUE_LENGTH))
    return _short(value, depth - 1)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
