"""A fast asyncio client for the OpenAI API: a drop-in for the reference SDK on aiohttp and msgspec.

    from aiopenai import AsyncOpenAI

    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(model="gpt-4o", messages=[...])

A program that needs only one blocking client finds it in the package itself:

    aiopenai.api_key = "..."
    completion = aiopenai.chat.completions.create(model="gpt-4o", messages=[...])

The names below are resolved at their first use: importing the package imports nothing else.
"""

from __future__ import annotations

import os as _os
import sys as _sys
from typing import TYPE_CHECKING

from aiopenai.version import VERSION as VERSION
from aiopenai.version import __version__ as __version__

if TYPE_CHECKING:
    from collections.abc import Awaitable as _Awaitable
    from collections.abc import Callable as _Callable
    from collections.abc import Mapping as _Mapping

    from aiohttp import ClientSession as _ClientSession

    from aiopenai import auth as auth
    from aiopenai import lib as lib
    from aiopenai import providers as providers
    from aiopenai import resources as resources
    from aiopenai import types as types
    from aiopenai._base.sentinels import NOT_GIVEN as NOT_GIVEN
    from aiopenai._base.sentinels import NotGiven as NotGiven
    from aiopenai._base.sentinels import Omit as Omit
    from aiopenai._base.sentinels import not_given as not_given
    from aiopenai._base.sentinels import omit as omit
    from aiopenai._base.timeouts import DEFAULT_MAX_RETRIES as DEFAULT_MAX_RETRIES
    from aiopenai._base.timeouts import DEFAULT_TIMEOUT as DEFAULT_TIMEOUT
    from aiopenai._base.timeouts import Timeout as Timeout
    from aiopenai._base.timeouts import TimeoutTypes as _TimeoutTypes
    from aiopenai._base.websocket_types import ReconnectingEvent as ReconnectingEvent
    from aiopenai._base.websocket_types import ReconnectingOverrides as ReconnectingOverrides
    from aiopenai._calls.binary import HttpxBinaryResponseContent as HttpxBinaryResponseContent
    from aiopenai._calls.hedging import HedgePolicy as HedgePolicy
    from aiopenai._calls.raw import APIResponse as APIResponse
    from aiopenai._calls.raw import AsyncAPIResponse as AsyncAPIResponse
    from aiopenai._calls.request import Request as Request
    from aiopenai._calls.request_options import RequestOptions as RequestOptions
    from aiopenai._calls.streaming import AsyncStream as AsyncStream
    from aiopenai._calls.streaming import Partial as Partial
    from aiopenai._calls.streaming import Stream as Stream
    from aiopenai._calls.watching import CallInfo as CallInfo
    from aiopenai._calls.watching import Hooks as Hooks
    from aiopenai._client.azure import AsyncAzureOpenAI as AsyncAzureOpenAI
    from aiopenai._client.azure import AzureOpenAI as AzureOpenAI
    from aiopenai._client.bedrock import AsyncBedrockOpenAI as AsyncBedrockOpenAI
    from aiopenai._client.bedrock import BedrockOpenAI as BedrockOpenAI
    from aiopenai._client.blocking import Client as Client
    from aiopenai._client.blocking import OpenAI as OpenAI
    from aiopenai._client.client import AsyncClient as AsyncClient
    from aiopenai._client.client import AsyncOpenAI as AsyncOpenAI
    from aiopenai._client.configuration import DataResidency as DataResidency
    from aiopenai._data.structs import BaseModel as BaseModel
    from aiopenai._jobs.limiter import Limiter as Limiter
    from aiopenai._jobs.result import Result as Result
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
    from aiopenai.lib.computer import AsyncComputerDriver as AsyncComputerDriver
    from aiopenai.lib.computer import AsyncComputerToolset as AsyncComputerToolset
    from aiopenai.lib.computer import ComputerDriver as ComputerDriver
    from aiopenai.lib.computer import ComputerToolset as ComputerToolset
    from aiopenai.lib.files import file_from_path as file_from_path
    from aiopenai.lib.streaming.assistants import AssistantEventHandler as AssistantEventHandler
    from aiopenai.lib.streaming.assistants import AsyncAssistantEventHandler as AsyncAssistantEventHandler
    from aiopenai.lib.tools import FunctionTool as FunctionTool
    from aiopenai.lib.tools import ResponsesFunctionTool as ResponsesFunctionTool
    from aiopenai.lib.tools import function_tool as function_tool
    from aiopenai.lib.tools import pydantic_function_tool as pydantic_function_tool
    from aiopenai.lib.tools import pydantic_responses_function_tool as pydantic_responses_function_tool
    from aiopenai.lib.tools import responses_function_tool as responses_function_tool

    # The namespaces of the module's own client.
    _client = OpenAI()
    admin = _client.admin
    audio = _client.audio
    batches = _client.batches
    beta = _client.beta
    chat = _client.chat
    completions = _client.completions
    containers = _client.containers
    content_provenance_checks = _client.content_provenance_checks
    conversations = _client.conversations
    decisions = _client.decisions
    embeddings = _client.embeddings
    evals = _client.evals
    files = _client.files
    fine_tuning = _client.fine_tuning
    images = _client.images
    live = _client.live
    models = _client.models
    moderations = _client.moderations
    realtime = _client.realtime
    responses = _client.responses
    safety = _client.safety
    skills = _client.skills
    uploads = _client.uploads
    vector_stores = _client.vector_stores
    videos = _client.videos
    webhooks = _client.webhooks

    timeout: _TimeoutTypes
    max_retries: int

# The settings of the module's own client, which reads them at its first use and after each change.
api_key: str | _Callable[[], str | _Awaitable[str]] | None = None
admin_api_key: str | None = None
organization: str | None = None
project: str | None = None
webhook_secret: str | None = None
base_url: str | None = None
default_headers: _Mapping[str, str] | None = None
default_query: _Mapping[str, object] | None = None
http_client: _ClientSession | None = None
api_type: str | None = _os.environ.get("OPENAI_API_TYPE")
api_version: str | None = _os.environ.get("OPENAI_API_VERSION")
azure_endpoint: str | None = _os.environ.get("AZURE_OPENAI_ENDPOINT")
azure_ad_token: str | None = None
azure_ad_token_provider: _Callable[[], str] | None = None
bedrock_token_provider: _Callable[[], str] | None = None

NoneType = type(None)
__title__ = "aiopenai"

# The modules of the public names. The imports above tell type checkers the same; a test compares both.
_NAMES = {
    "_client.bedrock": "AsyncBedrockOpenAI BedrockOpenAI",
    "_client.blocking": "Client OpenAI",
    "_client.client": "AsyncClient AsyncOpenAI",
    "_client.configuration": "DataResidency",
    "errors": (
        "APIConnectionError APIError APIResponseValidationError APIStatusError APITimeoutError "
        "AuthenticationError BadRequestError ConflictError ContentFilterFinishReasonError InternalServerError "
        "InvalidWebhookSignatureError LengthFinishReasonError NotFoundError OAuthError OpenAIError "
        "OutputValidationError PermissionDeniedError RateLimitError SubjectTokenProviderError UnprocessableEntityError "
        "WebSocketConnectionClosedError WebSocketQueueFullError"
    ),
    "lib.files": "file_from_path",
    "lib.streaming.assistants": "AssistantEventHandler AsyncAssistantEventHandler",
    "lib.tools": (
        "FunctionTool ResponsesFunctionTool function_tool pydantic_function_tool pydantic_responses_function_tool "
        "responses_function_tool"
    ),
    "_base.websocket_types": "ReconnectingEvent ReconnectingOverrides",
    "_jobs.result": "Result",
    "_calls.hedging": "HedgePolicy",
    "_calls.watching": "CallInfo Hooks",
    "_jobs.limiter": "Limiter",
    "_data.structs": "BaseModel",
    "_calls.request": "Request",
    "lib.computer": "AsyncComputerDriver AsyncComputerToolset ComputerDriver ComputerToolset",
    "_calls.request_options": "RequestOptions",
    "_calls.binary": "HttpxBinaryResponseContent",
    "_calls.raw": "APIResponse AsyncAPIResponse",
    "_calls.streaming": "AsyncStream Partial Stream",
    "_base.sentinels": "NOT_GIVEN NotGiven Omit not_given omit",
    "_base.timeouts": "DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT Timeout",
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names.split()}
# A star import brings these only where the package httpx2 or httpx is installed, which each needs.
_OF_HTTP_LIBRARIES = (
    *("DEFAULT_CONNECTION_LIMITS", "DefaultAioHttpClient", "DefaultAsyncHttpx2Client", "DefaultAsyncHttpxClient"),
    *("DefaultHttpx2Client", "DefaultHttpxClient", "ProxiesTypes", "Transport"),
)
# Names that a star import does not bring, as in the reference.
_UNLISTED = {
    "AsyncAzureOpenAI": "_client.azure",
    "AzureOpenAI": "_client.azure",
    **dict.fromkeys(_OF_HTTP_LIBRARIES, "_reference.http_libraries"),
    **dict.fromkeys(
        (
            *("_AmbiguousModuleClientUsageError", "_AzureModuleClient", "_BedrockModuleClient", "_ModuleClient"),
            *("_has_azure_ad_credentials", "_has_azure_credentials", "_has_openai_credentials"),
        ),
        "_reference.runtime",
    ),
}
# Subpackages that are attributes without an import of their own.
_PACKAGES = frozenset({"auth", "lib", "providers", "resources", "types"})
# Names of before release 1.0: stubs that say what replaces them.
_OLD = frozenset(
    {
        *("Audio", "ChatCompletion", "Completion", "Customer", "Deployment", "Edit", "Embedding", "Engine"),
        *("ErrorObject", "File", "FineTune", "FineTuningJob", "Image", "Model", "Moderation"),
    }
)
_DEFAULTS = {"timeout": "DEFAULT_TIMEOUT", "max_retries": "DEFAULT_MAX_RETRIES"}
_SPACES = (
    "admin audio batches beta chat completions containers content_provenance_checks conversations decisions embeddings "
    "evals files fine_tuning images live models moderations realtime responses safety skills uploads vector_stores "
    "videos webhooks"
)
_NAMESPACES = frozenset(_SPACES.split())


if not TYPE_CHECKING:
    # Hidden from type checkers, which know all names from above and report others.

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _PACKAGES:
            return import_module(f"aiopenai.{name}")
        if name == "__all__":
            from importlib.util import find_spec

            has_library = any(map(find_spec, ("httpx2", "httpx")))
            listed = _OF_HTTP_LIBRARIES if has_library else ()
            return ["VERSION", "NoneType", "__title__", "__version__", "types", *_WHERE, *listed]
        value: object
        if name in ("_load_client", "_reset_client"):
            module = import_module("aiopenai._client.module")
            return module.load if name == "_load_client" else module.reset
        if name in _NAMESPACES:
            value = import_module("aiopenai._client.module").Namespace(name)
        elif name in _DEFAULTS:
            value = getattr(import_module("aiopenai._base.timeouts"), _DEFAULTS[name])
        elif home := _WHERE.get(name) or _UNLISTED.get(name):
            from aiopenai._base.collector import undisturbed

            value = getattr(undisturbed(import_module, f"aiopenai.{home}"), name)
        elif name.startswith("_") and (module := import_module("aiopenai._data.leaves").internal(name)) is not None:
            return module
        elif name in _OLD:
            value = import_module("aiopenai.lib._old_api").APIRemovedInV1Proxy(symbol=name)
        else:
            hint = ""
            if not name.startswith("_"):
                public = [each for each in __dir__() if not each.startswith("_")]
                hint = import_module("aiopenai._base.suggestions").suggestion(name, public)
            raise AttributeError(f"module 'aiopenai' has no attribute {name!r}{hint}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_WHERE, *_UNLISTED, *_NAMESPACES, *_DEFAULTS, *_PACKAGES})


class _ReferencePaths:
    """The finder of the reference's module paths that are no files; their tables are read at the first such import."""

    @staticmethod
    def find_spec(name: str, path: object, target: object = None) -> object:
        """Returns the specification of a module of a table; None for all others."""
        if not name.startswith("aiopenai."):
            return None
        from aiopenai._data.leaves import spec_of

        return spec_of(name)


_sys.meta_path.append(_ReferencePaths)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

if _os.environ.get("OPENAI_LOG"):
    from aiopenai._base.logs import setup as _setup

    _setup(_os.environ["OPENAI_LOG"])
