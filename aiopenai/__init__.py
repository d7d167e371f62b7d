"""A fast asyncio client for the OpenAI API: a drop-in for the reference SDK on aiohttp and msgspec.

    from aiopenai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(model="gpt-4o", messages=[...])

The names below are resolved when they are first used: importing the package imports nothing else.
"""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING

from aiopenai.version import VERSION, __version__

if TYPE_CHECKING:
    from aiopenai import types
    from aiopenai.client import AsyncClient, AsyncOpenAI
    from aiopenai.errors import (
        APIConnectionError,
        APIError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConflictError,
        ContentFilterFinishReasonError,
        InternalServerError,
        InvalidWebhookSignatureError,
        LengthFinishReasonError,
        NotFoundError,
        OAuthError,
        OpenAIError,
        PermissionDeniedError,
        RateLimitError,
        SubjectTokenProviderError,
        UnprocessableEntityError,
        WebSocketConnectionClosedError,
        WebSocketQueueFullError,
    )
    from aiopenai.models import Model as BaseModel
    from aiopenai.request import Request
    from aiopenai.response import APIResponse, AsyncAPIResponse, HttpxBinaryResponseContent
    from aiopenai.streaming import AsyncStream, Partial
    from aiopenai.values import (
        DEFAULT_MAX_RETRIES,
        DEFAULT_TIMEOUT,
        NOT_GIVEN,
        NotGiven,
        Omit,
        Timeout,
        not_given,
        omit,
    )

NoneType = type(None)

_MODULES = {
    "client": ("AsyncClient", "AsyncOpenAI"),
    "errors": (
        "APIConnectionError",
        "APIError",
        "APIResponseValidationError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "ConflictError",
        "ContentFilterFinishReasonError",
        "InternalServerError",
        "InvalidWebhookSignatureError",
        "LengthFinishReasonError",
        "NotFoundError",
        "OAuthError",
        "OpenAIError",
        "PermissionDeniedError",
        "RateLimitError",
        "SubjectTokenProviderError",
        "UnprocessableEntityError",
        "WebSocketConnectionClosedError",
        "WebSocketQueueFullError",
    ),
    "models": ("Model",),
    "request": ("Request",),
    "response": ("APIResponse", "AsyncAPIResponse", "HttpxBinaryResponseContent"),
    "streaming": ("AsyncStream", "Partial"),
    "values": (
        "DEFAULT_MAX_RETRIES",
        "DEFAULT_TIMEOUT",
        "NOT_GIVEN",
        "NotGiven",
        "Omit",
        "Timeout",
        "not_given",
        "omit",
    ),
}
_WHERE = {name: (module, name) for module, names in _MODULES.items() for name in names}
_WHERE["BaseModel"] = ("models", "Model")

__all__ = [  # noqa: PLE0604 - the names of the table
    "NoneType",
    "VERSION",
    "__version__",
    "types",
    *(name for name in _WHERE if name != "Model"),
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "types":
        return import_module("aiopenai.types")
    if name not in _WHERE:
        raise AttributeError(f"module 'aiopenai' has no attribute {name!r}")
    module, attribute = _WHERE[name]
    value = globals()[name] = getattr(import_module(f"aiopenai.{module}"), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if _os.environ.get("OPENAI_LOG"):
    from aiopenai.logs import setup as _setup

    _setup(_os.environ["OPENAI_LOG"])
