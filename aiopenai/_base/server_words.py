"""The words of an error in a reply, in the forms of many servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping

__all__ = ["message_of", "other_words"]

# How much of the words a message shows, in characters, and how many errors of a list.
_SHOWN = 500
_ERRORS_SHOWN = 10
# The names under which servers other than the API say why they failed.
_NAMES = (
    "message",
    "detail",
    "errors",
    "msg",
    "error_message",
    "error_msg",
    "status_msg",
    "base_resp",
    "title",
    "error",
)


def message_of(body: Mapping[str, Any]) -> object:
    """Returns the message of an error object, with the upstream provider's words that a router adds to it.

    OpenRouter says "Provider returned error", and has the cause in `metadata.raw`.
    """
    message = body.get("message")
    metadata = body.get("metadata")
    raw = metadata.get("raw") if is_mapping(metadata) else None
    if not raw or not isinstance(message, str) or (isinstance(raw, str) and raw in message):
        return message
    name = metadata.get("provider_name") if is_mapping(metadata) else None
    words = _words_of(raw)
    return f"{message} ({name}: {words})" if isinstance(name, str) and name else f"{message} ({words})"


def other_words(body: Any, depth: int = 5) -> str:
    """Returns the words of an error in another form than the API's: FastAPI's `detail`, or a list of errors.

    `depth` is the number of levels that are searched.
    """
    if isinstance(body, str):
        return body[:_SHOWN]
    if not depth:
        return ""
    if is_list(body):
        found = [other_words(each, depth - 1) for each in body[:_ERRORS_SHOWN]]
        return "; ".join(filter(None, found))[:_SHOWN]
    if not is_mapping(body):
        return ""
    return next((words for name in _NAMES if (words := other_words(body.get(name), depth - 1))), "")


def _words_of(raw: Any) -> str:
    """Returns the words of an upstream error, which may be text, JSON, or JSON in a string."""
    import json

    if isinstance(raw, str) and raw.lstrip()[:1] == "{":
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return str(raw)[:_SHOWN]
    if is_mapping(raw):
        inner = raw.get("error") or raw
        said = inner.get("message") if is_mapping(inner) else inner
        raw = said if isinstance(said, str) and said else json.dumps(dict(raw), default=str)
    return f"{raw}"[:_SHOWN]
