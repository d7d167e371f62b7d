"""Token counts of prompts, by tiktoken (the extra `aiopenai[tokens]`) and its vocabularies.

The rules for chat messages are those that OpenAI has published for its models: 3 tokens for each message, the tokens
of its texts, 1 more for a `name`, and 3 that begin the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from aiopenai._base.aliases import is_mapping
from aiopenai.errors import OpenAIError

if TYPE_CHECKING:
    from aiopenai._data.structs import Model

__all__ = ["PER_MESSAGE", "PER_NAME", "PRIMING", "Encoding", "count"]

PER_MESSAGE = 3
PER_NAME = 1
PRIMING = 3


class Encoding(Protocol):
    """The part of `tiktoken.Encoding` that `count` needs."""

    # Not `encode`, which raises for a text such as `<|endoftext|>`. The API takes it as text.
    def encode_ordinary(self, text: str) -> list[int]:
        """Returns the tokens of a text."""
        ...


def count(
    messages: str | Iterable[Mapping[str, Any] | Model], model: str, *, encoding: Encoding | str | None = None
) -> int:
    """Returns the number of tokens of chat messages, or of a text, as `model` counts them.

    Messages are dicts or reply objects. The texts of content parts are counted. Images, audio and files raise
    ValueError, because their cost is unknown here. Names and arguments of tool calls are counted; the API adds a few
    tokens that it does not document. `encoding`, an object of tiktoken or its name, replaces the model's own.

    The first use of a vocabulary reads it from tiktoken's cache (`TIKTOKEN_CACHE_DIR`) or from the network, and blocks
    meanwhile. A service should do it once at its start, or in a thread.

    Raises OpenAIError if tiktoken, the vocabulary or the model's encoding is missing.
    """
    encode = (_encoding(model, encoding) if encoding is None or isinstance(encoding, str) else encoding).encode_ordinary
    if isinstance(messages, str):
        return len(encode(messages))
    total = PRIMING
    for number, message in enumerate(messages):
        total += PER_MESSAGE
        for name, text in _texts(number, message):
            total += len(encode(text))
            if name == "name":
                total += PER_NAME
    return total


def _texts(number: int, message: object) -> Iterable[tuple[str, str]]:
    """Yields the texts of a message that are counted, each with the name of its field."""
    fields = _fields(message)
    if fields is None:
        raise TypeError(f"messages[{number}] must be a dict or a message of a reply, not {type(message).__name__}")
    for name, value in fields.items():
        where = f"messages[{number}][{name!r}]"
        if isinstance(value, str):
            yield name, value
        elif value is None or value == []:
            continue
        elif name == "function_call":
            yield from _call(where, value)
        elif name == "content" and _is_several(value):
            for part in cast("Iterable[object]", value):
                yield name, _text_of_part(where, part)
        elif name == "tool_calls" and _is_several(value):
            for called in cast("Iterable[object]", value):
                kinds = _fields(called) or {}
                yield from _call(where, kinds.get("function") or kinds.get("custom"))
        else:
            raise ValueError(f"{where} costs tokens that cannot be counted here")


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Returns the fields of a dict or of a reply object; None for other values."""
    if is_mapping(value):
        return value
    return cast("Mapping[str, Any]", value.to_dict()) if hasattr(value, "to_dict") else None


def _is_several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, Mapping)


def _text_of_part(where: str, part: object) -> str:
    fields = _fields(part) or {}
    for kind in ("text", "refusal"):
        if isinstance(text := fields.get(kind), str):
            return text
    raise ValueError(f"{where} has a part of type {fields.get('type')!r}: its tokens cannot be counted here")


def _call(where: str, called: object) -> Iterable[tuple[str, str]]:
    fields = _fields(called)
    if fields is None:
        raise ValueError(f"{where} has a call of an unknown type: its tokens cannot be counted here")
    for name in ("name", "arguments", "input"):
        if isinstance(text := fields.get(name), str):
            # Not as "name": the name of a function does not name an author.
            yield f"call.{name}", text


def _encoding(model: str, name: str | None) -> Encoding:
    try:
        # By its name, so that type checkers do not need it.
        tiktoken: Any = import_module("tiktoken")
    except ImportError as error:
        raise OpenAIError("Counting tokens needs tiktoken: pip install 'aiopenai[tokens]'") from error
    if name is None:
        try:
            name = tiktoken.encoding_name_for_model(model)
        except KeyError as error:
            raise OpenAIError(
                f"tiktoken {tiktoken.__version__} does not know how the model {model!r} counts: "
                "pass `encoding`, 'o200k_base' say."
            ) from error
    try:
        return cast("Encoding", tiktoken.get_encoding(name))
    # tiktoken lets exceptions of its HTTP client and of the file system pass.
    except Exception as error:
        raise OpenAIError(
            f"tiktoken could not load its vocabulary {name!r} ({type(error).__name__}); it is fetched from the network "
            "unless the directory TIKTOKEN_CACHE_DIR has it."
        ) from error
