"""Fields of events, which are objects or dicts, and of which a server may get any wrong."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from aiopenai._base.aliases import is_list, is_mapping
from aiopenai._data.codec import Decoder, encode
from aiopenai._data.structs import Model

__all__ = ["as_received", "field_of", "index_of", "list_of", "observed", "optional_text_of", "text_of"]


def as_received(event: Any) -> Any:
    """Returns an event that a program made with pydantic, such as a class of the reference, as a received one."""
    dump = None if isinstance(event, Model) else getattr(event, "model_dump", None)
    if dump is None:
        return event
    from aiopenai.types.responses import ResponsesServerEvent

    return Decoder.of(ResponsesServerEvent)(encode(dump(mode="json", by_alias=True, exclude_unset=True)))


def field_of(source: Any, name: str) -> Any:
    """Returns a field, or None."""
    return source.get(name) if is_mapping(source) else getattr(source, name, None)


def text_of(source: Any, name: str) -> str:
    """Returns a field. Raises ValueError if it is no str."""
    text = field_of(source, name)
    if not isinstance(text, str):
        raise ValueError(f"the event's field {name} must be a string, not {type(text).__name__}")
    return text


def optional_text_of(source: Any, name: str) -> str | None:
    """Returns a field, or None. Raises ValueError if it is something else."""
    return None if field_of(source, name) is None else text_of(source, name)


def index_of(event: Any, name: str) -> int:
    """Returns an index. Raises ValueError if it is no int, or negative."""
    index = field_of(event, name)
    if not isinstance(index, int) or isinstance(index, bool) or index < 0:
        raise ValueError(f"the event's field {name} must be an int of 0 or more, not {index!r}")
    return index


def list_of(value: Any, name: str) -> list[Any]:
    """Returns a value. Raises ValueError if it is no list."""
    if not is_list(value):
        raise ValueError(f"the field {name} must be a list, not {type(value).__name__}")
    return value


def observed(source: Any) -> dict[str, Any]:
    """Returns a copy of the fields that were received: missing ones stay missing, null ones are None."""
    if isinstance(source, Model):
        return source.to_dict()
    return dict(deepcopy(source)) if is_mapping(source) else {}
