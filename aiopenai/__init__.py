"""A fast asyncio client for the OpenAI API: a drop-in for the reference SDK on aiohttp and msgspec.

    from aiopenai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(model="gpt-4o", messages=[...])

The names below are resolved when they are first used: importing the package imports nothing else.
"""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING

from aiopenai.version import VERSION as VERSION
from aiopenai.version import __version__ as __version__

if TYPE_CHECKING:
    from aiopenai import types as types
    from aiopenai.blocking import Client as Client
    from aiopenai.blocking import OpenAI as OpenAI
    from aiopenai.bulk import Result as Result
    from aiopenai.client import AsyncClient as AsyncClient
    from aiopenai.client import AsyncOpenAI as AsyncOpenAI
    from aiopenai.errors import (
        APIConnectionError as APIConnectionError,
    )
    from aiopenai.errors import (
        APIError as APIError,
    )
    from aiopenai.errors import (
        APIResponseValidationError as APIResponseValidationError,
    )
    from aiopenai.errors import (
        APIStatusError as APIStatusError,
    )
    from aiopenai.errors import (
        APITimeoutError as APITimeoutError,
    )
    from aiopenai.errors import (
        AuthenticationError as AuthenticationError,
    )
    from aiopenai.errors import (
        BadRequestError as BadRequestError,
    )
    from aiopenai.errors import (
        ConflictError as ConflictError,
    )
    from aiopenai.errors import (
        ContentFilterFinishReasonError as ContentFilterFinishReasonError,
    )
    from aiopenai.errors import (
        InternalServerError as InternalServerError,
    )
    from aiopenai.errors import (
        InvalidWebhookSignatureError as InvalidWebhookSignatureError,
    )
    from aiopenai.errors import (
        LengthFinishReasonError as LengthFinishReasonError,
    )
    from aiopenai.errors import (
        NotFoundError as NotFoundError,
    )
    from aiopenai.errors import (
        OAuthError as OAuthError,
    )
    from aiopenai.errors import (
        OpenAIError as OpenAIError,
    )
    from aiopenai.errors import (
        OutputValidationError as OutputValidationError,
    )
    from aiopenai.errors import (
        PermissionDeniedError as PermissionDeniedError,
    )
    from aiopenai.errors import (
        RateLimitError as RateLimitError,
    )
    from aiopenai.errors import (
        SubjectTokenProviderError as SubjectTokenProviderError,
    )
    from aiopenai.errors import (
        UnprocessableEntityError as UnprocessableEntityError,
    )
    from aiopenai.errors import (
        WebSocketConnectionClosedError as WebSocketConnectionClosedError,
    )
    from aiopenai.errors import (
        WebSocketQueueFullError as WebSocketQueueFullError,
    )
    from aiopenai.hedging import HedgePolicy as HedgePolicy
    from aiopenai.hooks import CallInfo as CallInfo
    from aiopenai.hooks import Hooks as Hooks
    from aiopenai.lib.streaming.assistants import AssistantEventHandler as AssistantEventHandler
    from aiopenai.lib.streaming.assistants import AsyncAssistantEventHandler as AsyncAssistantEventHandler
    from aiopenai.lib.tools import FunctionTool as FunctionTool
    from aiopenai.lib.tools import ResponsesFunctionTool as ResponsesFunctionTool
    from aiopenai.lib.tools import function_tool as function_tool
    from aiopenai.lib.tools import pydantic_function_tool as pydantic_function_tool
    from aiopenai.lib.tools import pydantic_responses_function_tool as pydantic_responses_function_tool
    from aiopenai.lib.tools import responses_function_tool as responses_function_tool
    from aiopenai.limits import Limiter as Limiter
    from aiopenai.models import BaseModel as BaseModel
    from aiopenai.request import Request as Request
    from aiopenai.response import (
        APIResponse as APIResponse,
    )
    from aiopenai.response import (
        AsyncAPIResponse as AsyncAPIResponse,
    )
    from aiopenai.response import (
        HttpxBinaryResponseContent as HttpxBinaryResponseContent,
    )
    from aiopenai.streaming import AsyncStream as AsyncStream
    from aiopenai.streaming import Partial as Partial
    from aiopenai.streaming import Stream as Stream
    from aiopenai.values import (
        DEFAULT_MAX_RETRIES as DEFAULT_MAX_RETRIES,
    )
    from aiopenai.values import (
        DEFAULT_TIMEOUT as DEFAULT_TIMEOUT,
    )
    from aiopenai.values import (
        NOT_GIVEN as NOT_GIVEN,
    )
    from aiopenai.values import (
        NotGiven as NotGiven,
    )
    from aiopenai.values import (
        Omit as Omit,
    )
    from aiopenai.values import (
        Timeout as Timeout,
    )
    from aiopenai.values import (
        not_given as not_given,
    )
    from aiopenai.values import (
        omit as omit,
    )

NoneType = type(None)

# Where the public names are; the imports above tell type checkers the same, and a test holds the two together.
_NAMES = {
    "blocking": "Client OpenAI",
    "client": "AsyncClient AsyncOpenAI",
    "errors": (
        "APIConnectionError APIError APIResponseValidationError APIStatusError APITimeoutError "
        "AuthenticationError BadRequestError ConflictError ContentFilterFinishReasonError InternalServerError "
        "InvalidWebhookSignatureError LengthFinishReasonError NotFoundError OAuthError OpenAIError "
        "OutputValidationError PermissionDeniedError RateLimitError SubjectTokenProviderError UnprocessableEntityError "
        "WebSocketConnectionClosedError WebSocketQueueFullError"
    ),
    "lib.streaming.assistants": "AssistantEventHandler AsyncAssistantEventHandler",
    "lib.tools": (
        "FunctionTool ResponsesFunctionTool function_tool pydantic_function_tool pydantic_responses_function_tool "
        "responses_function_tool"
    ),
    "bulk": "Result",
    "hedging": "HedgePolicy",
    "hooks": "CallInfo Hooks",
    "limits": "Limiter",
    "models": "BaseModel",
    "request": "Request",
    "response": "APIResponse AsyncAPIResponse HttpxBinaryResponseContent",
    "streaming": "AsyncStream Partial Stream",
    "values": "DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT NOT_GIVEN NotGiven Omit Timeout not_given omit",
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "types":
        return import_module("aiopenai.types")
    if name == "__all__":
        return ["VERSION", "NoneType", "__version__", "types", *_WHERE]
    if name not in _WHERE:
        raise AttributeError(f"module 'aiopenai' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"aiopenai.{_WHERE[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, "types"})


if _os.environ.get("OPENAI_LOG"):
    from aiopenai.logs import setup as _setup

    _setup(_os.environ["OPENAI_LOG"])
