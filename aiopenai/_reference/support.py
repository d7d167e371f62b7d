"""Small functions of `openai._base_client` and `openai._utils`: headers, paths, logs, signatures, JSON, deltas."""

# The values are those of callers, of any type.
# pyright: basic

from __future__ import annotations

import inspect
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timezone
from typing import Any, TypeVar
from urllib.parse import quote

from typing_extensions import override

from aiopenai._base.logs import setup
from aiopenai._base.sentinels import is_left_out
from aiopenai._client.configuration import chosen_url

__all__ = [
    "SENSITIVE_HEADERS",
    "SensitiveHeadersFilter",
    "_merge_headers",
    "_merge_mappings",
    "accumulate_delta",
    "assert_signatures_in_sync",
    "function_has_argument",
    "get_http_method_for_logging",
    "has_more_than_n_keys",
    "is_async_azure_client",
    "is_azure_client",
    "json_safe",
    "log",
    "logger",
    "openapi_dumps",
    "parse_date",
    "parse_datetime",
    "path_template",
    "resolve_data_residency",
    "setup_logging",
]

K = TypeVar("K")

logger = log = logging.getLogger("aiopenai")
SENSITIVE_HEADERS = frozenset({"api-key", "authorization", "x-amz-security-token"})

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# A dot may be percent-encoded: URL libraries and proxies decode it.
_DOTS = re.compile(r"(?:\.|%2[eE]){1,2}")
# RFC 3986, sections 3.3 to 3.5: the characters that stay as they are in a path, a query and a fragment.
_SAFE_IN = {"": "!$&'()*+,;=:@", "?": "!$'()*+,;:@/?", "#": "!$&'()*+,;=:@/?"}
# Numbers above this are milliseconds.
_LARGEST_SECONDS = 2e10
_LENGTH_OF_DATE = len("2020-01-02")


def _merge_mappings(first: Mapping[K, Any], second: Mapping[K, Any]) -> dict[K, Any]:
    """Returns both mappings as one, without values that are left out. Those of the second mapping win."""
    return {key: value for key, value in {**first, **second}.items() if not is_left_out(value)}


def _merge_headers(*mappings: Mapping[str, Any]) -> dict[str, str]:
    """Returns the headers of all mappings as one. Names are compared without case.

    A later mapping replaces a header, or removes it with a value that is left out.
    """
    found: dict[str, tuple[str, Any]] = {}
    for mapping in mappings:
        found |= {name.lower(): (name, value) for name, value in mapping.items()}
    return {name: value for name, value in found.values() if not is_left_out(value)}


def path_template(template: str, /, **values: Any) -> str:
    """Returns a path, with its query and fragment, with the placeholders replaced and percent-encoded.

    Raises KeyError without a value, and ValueError if a segment of the path becomes `.` or `..`.
    """
    head, *fragment = template.split("#", 1)
    path, *query = head.split("?", 1)
    made = _filled(path, values, "")
    for segment in made.split("/"):
        if _DOTS.fullmatch(segment):
            raise ValueError(f"Constructed path {made!r} contains dot-segment {segment!r} which is not allowed")
    made += "".join(f"?{_filled(each, values, '?')}" for each in query)
    return made + "".join(f"#{_filled(each, values, '#')}" for each in fragment)


def _filled(template: str, values: Mapping[str, Any], part: str) -> str:
    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            raise KeyError(f"a value for placeholder {{{name}}} was not provided")
        value = values[name]
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        return quote(str(value), safe=_SAFE_IN[part])

    return _PLACEHOLDER.sub(value_of, template)


def get_http_method_for_logging(method: str) -> str:
    """Returns a method of HTTP in capitals; `<custom>` for others."""
    known = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
    return method.upper() if method.upper() in known else "<custom>"


def setup_logging() -> None:
    """Sets the level of the package's logger to that of the environment variable OPENAI_LOG."""
    setup(os.environ.get("OPENAI_LOG", ""))


class SensitiveHeadersFilter(logging.Filter):
    """Replaces credentials in the headers of log records whose arguments are a dict with `headers`."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        args: Any = record.args
        if isinstance(args, dict) and isinstance(headers := args.get("headers"), dict):
            args["headers"] = {
                name: "<redacted>" if str(name).lower() in SENSITIVE_HEADERS else value
                for name, value in headers.items()
            }
        return True


def function_has_argument(function: Callable[..., Any], name: str) -> bool:
    """Returns whether a function has a parameter."""
    return name in inspect.signature(function).parameters


def assert_signatures_in_sync(
    source: Callable[..., Any],
    check: Callable[..., Any],
    *,
    exclude_params: Iterable[str] = (),
    description: str = "",
) -> None:
    """Raises AssertionError if a function lacks parameters of another, or has them with other annotations."""
    own, excluded = inspect.signature(check).parameters, set(exclude_params)
    errors: list[str] = []
    for name, parameter in inspect.signature(source).parameters.items():
        if name in excluded:
            continue
        if name not in own:
            errors.append(f"the `{name}` param is missing")
        elif own[name].annotation != parameter.annotation:
            errors.append(f"the `{name}` param is {own[name].annotation!r}, not {parameter.annotation!r}")
    if errors:
        lines = "\n\n".join(errors)
        raise AssertionError(f"{len(errors)} differences between the signatures{description}:\n\n{lines}")


def json_safe(data: object) -> object:
    """Returns nested values with dates as texts, and iterables as lists."""
    if isinstance(data, Mapping):
        return {json_safe(key): json_safe(value) for key, value in data.items()}
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, bytearray)):
        return [json_safe(item) for item in data]
    return data.isoformat() if isinstance(data, date) else data


def openapi_dumps(obj: Any) -> bytes:
    """Returns values as JSON; models without fields that were not set. Raises TypeError and ValueError for others."""

    def plain(value: Any) -> Any:
        if isinstance(value, date):
            return value.isoformat()
        if hasattr(value, "model_dump"):
            return value.model_dump(exclude_unset=True, mode="json", by_alias=True)
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    # Not msgspec, which has no hook for texts that are not UTF-8, and writes NaN as null.
    return json.dumps(obj, default=plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def parse_datetime(value: Any) -> datetime:
    """Returns a moment from a text, or from seconds or milliseconds since 1970. Raises ValueError for other texts."""
    if isinstance(value, datetime):
        return value
    text = value.decode() if isinstance(value, bytes) else str(value)
    try:
        return _moment(float(text))
    except ValueError:
        if len(text) <= _LENGTH_OF_DATE:
            raise ValueError(f"a moment must have a time, unlike {text!r}") from None
        return datetime.fromisoformat(_isoformat(text))


def _moment(number: float) -> datetime:
    while abs(number) > _LARGEST_SECONDS:
        number /= 1000
    return datetime.fromtimestamp(number, tz=timezone.utc)


def _isoformat(text: str) -> str:
    """Returns a text in the form that Python 3.10 reads: no `Z`, and six digits after the point."""
    text = re.sub(r"[zZ]$", "+00:00", text.strip())
    return re.sub(r"\.(\d{1,9})", lambda found: "." + found[1][:6].ljust(6, "0"), text)


def parse_date(value: Any) -> date:
    """Returns a day from a text, or from seconds or milliseconds since 1970. Raises ValueError for other texts."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = value.decode() if isinstance(value, bytes) else str(value)
    if (found := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)) is not None:
        return date(*map(int, found.groups()))
    return _moment(float(text)).date()


def has_more_than_n_keys(obj: Mapping[str, Any], n: int) -> bool:
    """Returns whether a mapping has more than `n` keys."""
    return len(obj) > n


def resolve_data_residency(
    data_residency: Any, base_url: Any, *, provider: object | None = None, websocket_base_url: Any = None
) -> Any:
    """Returns the base URL of a region, or the given one, or None. Raises ValueError if several are given."""
    if data_residency is None:
        return None if is_left_out(base_url) else base_url
    for name, value in (("websocket_base_url", websocket_base_url), ("provider", provider)):
        if value is not None:
            raise ValueError(f"data_residency and {name} exclude each other: pass only one of them")
    return chosen_url(base_url, data_residency, None)


def is_azure_client(client: object) -> bool:
    """Returns whether a client is a blocking one of Azure."""
    from aiopenai._client.azure import AzureOpenAI

    return isinstance(client, AzureOpenAI)


def is_async_azure_client(client: object) -> bool:
    """Returns whether a client is an asynchronous one of Azure."""
    from aiopenai._client.azure import AsyncAzureOpenAI

    return isinstance(client, AsyncAzureOpenAI)


def accumulate_delta(acc: dict[Any, Any], delta: Mapping[Any, Any]) -> dict[Any, Any]:
    """Adds a delta to the value received so far: texts and numbers grow, and entries are joined by their index.

    Returns `acc`. Raises TypeError for entries of a list without an index.
    """
    for key, piece in delta.items():
        known: Any = acc.get(key)
        if known is None and _is_indexed(piece):
            # One chunk can hold several pieces of an entry.
            known = []
        if known is None or key in ("index", "type"):
            acc[key] = piece
        elif isinstance(known, dict) and isinstance(piece, dict):
            acc[key] = accumulate_delta(known, piece)
        elif isinstance(known, list) and isinstance(piece, list):
            acc[key] = _joined(known, piece)
        elif (isinstance(known, str) and isinstance(piece, str)) or _are_numbers(known, piece):
            total: Any = known
            acc[key] = total + piece
    return acc


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float)) for value in values)


def _is_indexed(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) and "index" in entry for entry in value)


def _joined(known: list[Any], pieces: list[Any]) -> list[Any]:
    if all(isinstance(each, (str, int, float)) for each in known) and (known or not _is_indexed(pieces)):
        return [*known, *pieces]
    for piece in pieces:
        if not isinstance(piece, dict):
            raise TypeError(f"An entry of a list must be a dict with an index, not {piece!r}")
        index = piece.get("index")
        if not isinstance(index, int):
            raise TypeError(f"An entry of a list must have an integer `index`, unlike {piece!r}")
        if index < len(known) and isinstance(known[index], dict):
            known[index] = accumulate_delta(known[index], piece)
        else:
            known.insert(index, piece)
    return known
