"""Request bodies in a readable form, which is stored and which is compared.

The form has no accidents of a client: no white space and no order of keys of JSON, no boundary and no order of the
parts of a form, and no content type of a part.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl

from aiopenai.testing.engine.multipart import Part, media_type, parse_multipart
from aiopenai.testing.engine.values import Object, is_array, is_object
from aiopenai.testing.recording.cleaning import Cleaner

__all__ = ["canonical", "described", "without"]

# Longer texts in forms are stored by their hash.
_LONGEST_TEXT = 4096


def described(body: bytes, content_type: str, cleaner: Cleaner) -> Object:
    """Returns a request body as a JSON object with one key for its kind: `json`, `form`, `text`, `sha256`; or none."""
    if not body:
        return {}
    kind = media_type(content_type)
    try:
        if kind == "multipart/form-data":
            return {"form": _form([(part.name, _part(part, cleaner)) for part in parse_multipart(content_type, body)])}
        text = body.decode("utf-8")
    except ValueError:
        # Neither a form in the framing of RFC 7578 nor text.
        return _content(body, cleaner)
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(text, keep_blank_values=True)
        return {"form": _form([(name, {"text": cleaner.field(name, value)}) for name, value in pairs])}
    try:
        return {"json": cleaner.value(json.loads(text))}
    except (ValueError, RecursionError):
        return _content(body, cleaner)


def _form(parts: list[tuple[str, Object]]) -> Object:
    """Returns the parts of a form by their names; those that share a name are a list."""
    form: dict[str, Any] = {}
    for name, part in sorted(parts, key=lambda part: part[0]):
        if name not in form:
            form[name] = part
        elif isinstance(form[name], list):
            form[name].append(part)
        else:
            form[name] = [form[name], part]
    return form


def _part(part: Part, cleaner: Cleaner) -> Object:
    content = _content(part.data, cleaner)
    if part.filename is not None:
        return {"filename": cleaner.text(part.filename), **content}
    return {**content, "text": cleaner.field(part.name, content["text"])} if "text" in content else content


def _content(data: bytes, cleaner: Cleaner) -> Object:
    """Returns a short text as it is, and other data by its size and hash."""
    try:
        text = cleaner.text(data.decode("utf-8")) if len(data) <= _LONGEST_TEXT else None
    except UnicodeDecodeError:
        text = None
    if text is not None and "\0" not in text:
        return {"text": text}
    clean = cleaner.binary(data)
    return {"sha256": hashlib.sha256(clean).hexdigest(), "bytes": len(clean)}


def without(value: Any, ignored: frozenset[str], path: str = "") -> Any:
    """Returns a JSON value without the ignored keys: names at any depth, or dotted paths that pass through lists."""
    if not ignored:
        return value
    if is_array(value):
        return [without(item, ignored, path) for item in value]
    if not is_object(value):
        return value
    kept: dict[str, Any] = {}
    for name, item in value.items():
        here = f"{path}.{name}" if path else name
        if name not in ignored and here not in ignored:
            kept[name] = without(item, ignored, here)
    return kept


def canonical(value: Any) -> str:
    """Returns one text for all equal JSON values. 1 and 1.0 are equal, as in JSON; 1 and true are not."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if is_array(value):
        return [_plain(item) for item in value]
    if is_object(value):
        return {name: _plain(item) for name, item in value.items()}
    return value
