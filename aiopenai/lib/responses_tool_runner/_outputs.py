"""The outputs of function calls: text, or content parts."""

from __future__ import annotations

from typing import Any

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai.lib.responses_tool_runner._native import is_text_or_none

__all__ = ["checked_output"]

# The fields of each kind of part beside `type`, `detail` and `prompt_cache_breakpoint`.
_FIELDS = {
    "input_text": ("text",),
    "input_image": ("file_id", "image_url"),
    "input_file": ("file_data", "file_id", "file_url", "filename"),
}
_DETAILS: dict[str, tuple[Any, ...]] = {
    "input_image": (None, "auto", "low", "high", "original"),
    "input_file": ("auto", "low", "high"),
}
# A part needs one of these, and not empty.
_SOURCES = {"input_image": ("file_id", "image_url"), "input_file": ("file_data", "file_id", "file_url")}


def checked_output(output: Any) -> str | list[dict[str, Any]]:
    """Returns an output of a function as plain values. Raises ValueError unless it is text or a list of parts."""
    if type(output) is str:
        return output
    if not is_list(output):
        raise ValueError(f"The output of a function is a str or a list of content parts, not {type(output).__name__}")
    return [_part(part) for part in output]


def _part(part: Any) -> dict[str, Any]:
    kind: Any = part.get("type") if is_mapping(part) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise ValueError(f"The type of a content part is one of {', '.join(_FIELDS)}, not {kind!r}")
    fields = {name: value for name, value in part.items() if name not in ("type", "detail", "prompt_cache_breakpoint")}
    if unknown := fields.keys() - set(_FIELDS[kind]):
        raise ValueError(f"A content part of the type {kind} has no {', '.join(map(repr, sorted(map(str, unknown))))}")
    if not all(map(is_text_or_none, fields.values())) or (kind == "input_text" and fields.get("text") is None):
        raise ValueError(f"The values of a content part of the type {kind} are str")
    sources = _SOURCES.get(kind)
    if sources is not None and not any(str(fields.get(name) or "").strip() for name in sources):
        raise ValueError(f"A content part of the type {kind} needs {' or '.join(sources)}")
    found = {"type": kind, **fields}
    if "detail" in part:
        if part["detail"] not in _DETAILS.get(kind, ()):
            raise ValueError(f"The `detail` of a content part of the type {kind} is invalid: {part['detail']!r}")
        found["detail"] = part["detail"]
    if "prompt_cache_breakpoint" in part:
        if part["prompt_cache_breakpoint"] not in (None, {"mode": "explicit"}):
            raise ValueError("A `prompt_cache_breakpoint` is None or {'mode': 'explicit'}")
        found["prompt_cache_breakpoint"] = part["prompt_cache_breakpoint"]
    return found
