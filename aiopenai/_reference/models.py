"""The functions and classes of `openai._models`: replies from plain values, and the options of one request."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypeVar, cast, get_origin

import msgspec
from typing_extensions import Required, Self, TypedDict

from aiopenai._base.sentinels import NotGiven, is_left_out, not_given
from aiopenai._data.codec import Decoder, Node
from aiopenai._data.dumping import as_sent
from aiopenai._reference.guards import strip_not_given

T = TypeVar("T")

__all__ = [
    "EagerIterable",
    "FinalRequestOptions",
    "FinalRequestOptionsInput",
    "add_request_id",
    "build",
    "construct_type",
    "construct_type_unchecked",
    "is_basemodel",
    "is_basemodel_type",
    "set_pydantic_config",
    "validate_type",
]

EagerIterable: TypeAlias = list[T]


def construct_type(*, value: object, type_: Any, metadata: Any = None) -> Any:
    """Returns an object of a type from plain values, as far as they fit. The rest is kept as it is."""
    try:
        raw = msgspec.json.encode(as_sent(value))
    except (TypeError, RecursionError):
        # Not JSON, so there is no reply that it could come from.
        return value
    return Decoder.of(type_)(raw)


def construct_type_unchecked(*, value: object, type_: Any) -> Any:
    """Returns `construct_type` of a value."""
    return construct_type(value=value, type_=type_)


def validate_type(*, type_: Any, value: object) -> Any:
    """Returns an object of a type from plain values. Raises ValueError for values that do not fit."""
    if hasattr(type_, "model_validate"):
        return type_.model_validate(value)
    try:
        return Decoder.of(type_).validate(msgspec.json.encode(as_sent(value)))
    except (TypeError, msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not a {getattr(type_, '__name__', type_)}: {error}") from error


def build(base_model_cls: Any, *args: Any, **values: Any) -> Any:
    """Returns an object of a type with these values, as far as they fit. Raises TypeError for positional arguments."""
    if args:
        raise TypeError(
            f"Received positional arguments which are not supported; Keyword arguments must be used: {args}"
        )
    return base_model_cls.construct(**values)


def is_basemodel(type_: Any) -> bool:
    """Returns whether a type, or a part of a union, is a reply type or a pydantic model."""
    variants = getattr(type_, "__args__", ()) if get_origin(type_) is not None else ()
    return is_basemodel_type(type_) or any(is_basemodel(variant) for variant in variants)


def is_basemodel_type(type_: Any) -> bool:
    """Returns whether a type is a reply type or a pydantic model."""
    cls = get_origin(type_) or type_
    if not isinstance(cls, type):
        return False
    pydantic = sys.modules.get("pydantic")
    return issubclass(cls, Node) or (pydantic is not None and issubclass(cls, pydantic.BaseModel))


def add_request_id(obj: Any, request_id: str | None) -> None:
    """Stores the id of the request in a reply, as `_request_id`."""
    obj._request_id = request_id


def set_pydantic_config(kind: Any, config: Any) -> None:
    """Sets the configuration that pydantic uses for a TypedDict or a dataclass."""
    kind.__pydantic_config__ = config


class FinalRequestOptionsInput(TypedDict, total=False):
    """The values of `FinalRequestOptions` as a dict."""

    method: Required[str]
    url: Required[str]
    params: Mapping[str, object]
    headers: Any
    max_retries: int
    timeout: Any
    files: Any
    idempotency_key: str
    content: Any
    json_data: Any
    extra_json: Mapping[str, object]
    follow_redirects: bool
    security: Mapping[str, bool]
    synthesize_event_and_data: bool
    stream_mode: Literal["legacy", "events"]


class FinalRequestOptions:
    """The options of one request, as `client.request` takes them and hooks of clients see them."""

    params: Mapping[str, object]
    headers: Any

    def __init__(
        self,
        *,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        headers: Any = not_given,
        max_retries: int | NotGiven = not_given,
        timeout: Any = not_given,
        files: Any = None,
        idempotency_key: str | None = None,
        post_parser: Any = not_given,
        follow_redirects: bool | None = None,
        security: Mapping[str, bool] | None = None,
        synthesize_event_and_data: bool | None = None,
        stream_mode: Literal["legacy", "events"] = "legacy",
        content: Any = None,
        json_data: Any = None,
        extra_json: Mapping[str, object] | None = None,
    ) -> None:
        self.method = method
        self.url = url
        self.params = params or {}
        self.headers = headers
        self.max_retries = max_retries
        self.timeout = timeout
        self.files = files
        self.idempotency_key = idempotency_key
        self.post_parser = post_parser
        self.follow_redirects = follow_redirects
        self.security = {"bearer_auth": True, "admin_api_key_auth": True} if security is None else security
        self.synthesize_event_and_data = synthesize_event_and_data
        self.stream_mode = stream_mode
        self.content = content
        self.json_data = json_data
        self.extra_json = extra_json

    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Returns options with these values. Names in mappings whose value is `not_given` are left out."""
        return cls(**{name: strip_not_given(value) for name, value in values.items()})

    model_construct = construct

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Returns a copy; `update` sets attributes of the copy."""
        twin = copy.deepcopy(self) if deep else copy.copy(self)
        vars(twin).update(update or {})
        return twin

    def get_max_retries(self, max_retries: int) -> int:
        """Returns the number of retries: that of the request, or else the given one."""
        return max_retries if is_left_out(self.max_retries) else cast("int", self.max_retries)
