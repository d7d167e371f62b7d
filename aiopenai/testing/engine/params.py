"""Checks of parameters, with the API's error messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from aiopenai.testing.engine.replies import ApiError
from aiopenai.testing.engine.values import is_object
from aiopenai.testing.memory.state import State
from aiopenai.testing.memory.store import Store
from aiopenai.testing.memory.stored import StoredFile

__all__ = [
    "ARRAY",
    "BOOLEAN",
    "INTEGER",
    "NUMBER",
    "OBJECT",
    "STRING",
    "Param",
    "check",
    "check_metadata",
    "check_model",
    "expiry",
    "file_of",
    "invalid_value",
    "missing",
    "not_found",
    "query_boolean",
    "query_integer",
    "query_metadata",
    "stored",
    "unknown_model",
    "wrong_type",
]

T = TypeVar("T")


class Param(NamedTuple):
    """The types and values that a parameter allows. Null always passes: `check` looks after required parameters.

    low, high: the bounds of a number.
    choices: the allowed strings.
    """

    kinds: frozenset[type]
    label: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] | None = None

    def within(self, low: float | None = None, high: float | None = None) -> Param:
        """Returns the same parameter with bounds."""
        return self._replace(low=low, high=high)

    def one_of(self, *choices: str) -> Param:
        """Returns the same parameter with a list of values."""
        return self._replace(choices=choices)

    def __or__(self, other: Param) -> Param:
        return Param(self.kinds | other.kinds, f"one of {self.label} or {other.label}", choices=self.choices)


STRING = Param(frozenset({str}), "a string")
INTEGER = Param(frozenset({int}), "an integer")
NUMBER = Param(frozenset({int, float}), "a decimal")
BOOLEAN = Param(frozenset({bool}), "a boolean")
OBJECT = Param(frozenset({dict}), "an object")
ARRAY = Param(frozenset({list}), "an array")

_TYPE_NAMES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a decimal",
    bool: "a boolean",
    dict: "an object",
    list: "an array",
    type(None): "null",
}


def missing(param: str) -> ApiError:
    """Returns the error for a required parameter that was not given."""
    return ApiError(400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def wrong_type(param: str, expected: str, value: object) -> ApiError:
    """Returns the error for a value of the wrong JSON type."""
    got = _TYPE_NAMES.get(type(value), "something else")
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return ApiError(400, message, param=param, code="invalid_type")


def invalid_value(param: str, value: object, choices: tuple[str, ...]) -> ApiError:
    """Returns the error for a string that is not in a list."""
    listed = ", ".join(f"'{choice}'" for choice in choices)
    message = f"Invalid value: '{value}'. Supported values are: {listed}."
    return ApiError(400, message, param=param, code="invalid_value")


def check(
    body: Mapping[str, Any], params: Mapping[str, Param], required: tuple[str, ...] = (), *, where: str = ""
) -> None:
    """Checks the parameters of a call, or of an object in them. Raises `ApiError` 400 for the first invalid one.

    Names outside of `params` pass, because compatible servers have parameters of their own.

    where: the prefix of the names in errors, such as `agent.`.
    """
    for name in required:
        if name not in body:
            raise missing(where + name)
        if body[name] is None:
            raise wrong_type(where + name, params[name].label, None)
    for name, value in body.items():
        if value is not None and (param := params.get(name)) is not None:
            _check_one(where + name, value, param)


def _check_one(name: str, value: Any, param: Param) -> None:
    # By exact type: a bool is an int to `isinstance`, but not to the API.
    if type(value) not in param.kinds:
        raise wrong_type(name, param.label, value)
    if isinstance(value, int | float):
        word = "integer" if int in param.kinds and float not in param.kinds else "decimal"
        if param.low is not None and value < param.low:
            message = f"{word} below minimum value. Expected a value >= {param.low:g}, but got {value} instead."
            raise ApiError(400, f"Invalid '{name}': {message}", param=name, code=f"{word}_below_min_value")
        if param.high is not None and value > param.high:
            message = f"{word} above maximum value. Expected a value <= {param.high:g}, but got {value} instead."
            raise ApiError(400, f"Invalid '{name}': {message}", param=name, code=f"{word}_above_max_value")
    elif isinstance(value, str) and param.choices is not None and value not in param.choices:
        raise invalid_value(name, value, param.choices)


def check_model(model: str, state: State) -> None:
    """Raises `ApiError` 404 for a model that the server does not know."""
    if not state.knows_model(model):
        raise unknown_model(model)


def unknown_model(model: str) -> ApiError:
    """Returns the error for a model that the server does not know."""
    message = f"The model '{model}' does not exist or you do not have access to it."
    return ApiError(404, message, param="model", code="model_not_found")


def check_metadata(metadata: object) -> None:
    """Checks metadata: up to 16 pairs of strings, with keys of up to 64 characters and values of up to 512."""
    if metadata is None:
        return
    if not is_object(metadata):
        raise wrong_type("metadata", "an object", metadata)
    if len(metadata) > 16:
        message = f"Invalid 'metadata': too many properties. Expected at most 16, but got {len(metadata)} instead."
        raise ApiError(400, message, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        param = f"metadata.{key}"
        if type(value) is not str:
            raise wrong_type(param, "a string", value)
        if len(key) > 64 or len(value) > 512:
            raise ApiError(400, f"Invalid '{param}': string too long.", param=param, code="string_above_max_length")


def query_integer(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Returns an integer of the query string. Raises `ApiError` 400 for other values and outside of the bounds."""
    raw = query.get(name)
    if raw is None:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise wrong_type(name, "an integer", raw) from None
    _check_one(name, value, INTEGER.within(low, high))
    return value


def query_boolean(query: Mapping[str, str], name: str) -> bool:
    """Returns a boolean of the query string, false when absent. Raises `ApiError` 400 for other values."""
    raw = query.get(name, "false")
    if raw not in ("true", "false"):
        raise wrong_type(name, "a boolean", raw)
    return raw == "true"


def query_metadata(query: Mapping[str, str]) -> dict[str, str]:
    """Returns the metadata that a query asks for, as `metadata[key]=value`."""
    start, end = "metadata[", "]"
    return {
        name[len(start) : -len(end)]: value
        for name, value in query.items()
        if name.startswith(start) and name.endswith(end)
    }


def stored(store: Store[T], identity: str, noun: str) -> T:
    """Returns the object with this id. Raises `ApiError` 404; its message calls the object a `noun`."""
    found = store.get(identity)
    if found is None:
        raise not_found(identity, noun)
    return found


def file_of(identity: str, state: State, param: str = "id") -> StoredFile:
    """Returns the file with this id. Raises `ApiError` 404."""
    found = state.files.get(identity)
    if found is None:
        raise ApiError(404, f"No such File object: {identity}", param=param)
    return found


def not_found(identity: str, noun: str) -> ApiError:
    """Returns the error for an id that no object has."""
    return ApiError(404, f"No {noun} found with id '{identity}'.", param="id", code="not_found")


def expiry(given: Any, created: int, default: int | None = None) -> int | None:
    """Returns the time at which an object expires, by its `expires_after` with an anchor and seconds.

    Raises `ApiError` 400 for another anchor than `created_at`, or for less than an hour or more than 30 days.
    """
    if given is None:
        return default
    if not is_object(given):
        raise wrong_type("expires_after", "an object", given)
    for name in ("anchor", "seconds"):
        if name not in given:
            raise missing(f"expires_after[{name}]")
    if given["anchor"] != "created_at":
        raise invalid_value("expires_after[anchor]", given["anchor"], ("created_at",))
    seconds = str(given["seconds"])
    if not seconds.isdecimal() or not 3_600 <= int(seconds) <= 2_592_000:
        message = "Invalid 'expires_after[seconds]': expected an integer from 3600 to 2592000."
        raise ApiError(400, message, param="expires_after[seconds]", code="invalid_value")
    return created + int(seconds)
