"""The import paths that programs may rely on: each name is there, in the package and at its published module."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import aiopenai

# Published modules, and the names that each offers.
PUBLISHED = {
    "aiopenai.version": "VERSION __version__",
    "aiopenai.errors": (
        "APIConnectionError APIError APIResponseValidationError APIStatusError APITimeoutError AuthenticationError "
        "BadRequestError ConflictError ContentFilterFinishReasonError InternalServerError InvalidWebhookSignatureError "
        "LengthFinishReasonError NotFoundError OAuthError OpenAIError OutputValidationError PermissionDeniedError "
        "RateLimitError SubjectTokenProviderError UnprocessableEntityError WebSocketConnectionClosedError "
        "WebSocketQueueFullError"
    ),
    "aiopenai.retry": "delay policy retry_after worth_retrying",
    "aiopenai._calls.watching": "CallInfo Hooks",
    "aiopenai._jobs.limiter": "Limiter",
    "aiopenai.response": (
        "APIResponse AsyncAPIResponse HTTPRequest HTTPResponse Headers HttpxBinaryResponseContent LegacyAPIResponse"
    ),
    "aiopenai.tokens": "count",
    "aiopenai.otel": "instrument uninstrument",
    "aiopenai.distributed": "Worker",
    "aiopenai.testing": "Server serve_forever RateLimits slow_tail Fault Prepared ReceivedRequest Part webhook_event",
    "aiopenai.testing.pytest_plugin": "openai_server",
    "aiopenai.types": "",
    "aiopenai.types.chat": "ChatCompletion ChatCompletionChunk",
    "aiopenai.types.chat.chat_completion": "ChatCompletion Choice",
    "aiopenai.types.responses": "Response",
    "aiopenai.types.shared_params": "Metadata",
    "aiopenai.resources": "",
    "aiopenai.resources.chat": "Chat Completions",
    "aiopenai.resources.responses": "Responses",
    "aiopenai.auth": "WorkloadIdentityAuth x509_workload_identity k8s_service_account_token_provider",
    "aiopenai.providers": "bedrock vertex",
    "aiopenai.helpers": "LocalAudioPlayer Microphone",
    "aiopenai.helpers.local_audio_player": "LocalAudioPlayer",
    "aiopenai.helpers.microphone": "Microphone",
    "aiopenai.lib.live": (
        "AsyncTranscriptGrouper TranscriptGrouper TranscriptSegment TranscriptSegmentCloseReason "
        "TranscriptSegmentClosedEvent"
    ),
    "aiopenai.lib.realtime_translation": (
        "AsyncTranslationConnection AsyncTranslationSession TranslationConnection TranslationSession"
    ),
    "aiopenai.lib.responses_websocket": (
        "AsyncResponsesWebSocketLane AsyncResponsesWebSocketSession ResponsesWebSocketAccumulator "
        "ResponsesWebSocketBufferError ResponsesWebSocketError ResponsesWebSocketLane ResponsesWebSocketLimits "
        "ResponsesWebSocketOutput ResponsesWebSocketSession ResponsesWebSocketSnapshot"
    ),
    "aiopenai.lib.azure": "AzureOpenAI AsyncAzureOpenAI MutuallyExclusiveAuthError",
    "aiopenai.lib.bedrock": "BedrockOpenAI AsyncBedrockOpenAI",
    "aiopenai.lib.embeddings": "",
    "aiopenai.lib.parsing": "",
    "aiopenai.lib.polling": "",
    "aiopenai.lib.schema": "",
    "aiopenai.lib.streaming": "AssistantEventHandler AsyncAssistantEventHandler",
    "aiopenai.lib.streaming.assistants": "AssistantEventHandler AsyncAssistantEventHandler",
    "aiopenai.lib.streaming.chat": "AsyncChatCompletionStreamManager ChatCompletionStreamManager",
    "aiopenai.lib.streaming.responses": "AsyncResponseStreamManager ResponseStreamManager",
    "aiopenai.lib.tools": "function_tool pydantic_function_tool",
    "aiopenai.lib.uploads": "",
    "aiopenai.lib.webhooks": "unwrap verify_signature",
}
ROOT_NAMES = (
    "APIConnectionError APIError APIResponse APIResponseValidationError APIStatusError APITimeoutError "
    "AssistantEventHandler AsyncAPIResponse AsyncAssistantEventHandler AsyncBedrockOpenAI AsyncClient AsyncOpenAI "
    "AsyncStream BedrockOpenAI "
    "AuthenticationError BadRequestError BaseModel CallInfo Client ConflictError ContentFilterFinishReasonError "
    "DataResidency RequestOptions __title__ file_from_path "
    "DEFAULT_MAX_RETRIES DEFAULT_TIMEOUT FunctionTool HedgePolicy Hooks HttpxBinaryResponseContent "
    "InternalServerError InvalidWebhookSignatureError LengthFinishReasonError Limiter NOT_GIVEN NoneType NotFoundError "
    "NotGiven OAuthError Omit OpenAI OpenAIError OutputValidationError Partial PermissionDeniedError RateLimitError "
    "ReconnectingEvent ReconnectingOverrides "
    "Request ResponsesFunctionTool Result Stream SubjectTokenProviderError Timeout UnprocessableEntityError VERSION "
    "WebSocketConnectionClosedError WebSocketQueueFullError __version__ function_tool not_given omit "
    "pydantic_function_tool pydantic_responses_function_tool responses_function_tool types "
    "AsyncComputerDriver AsyncComputerToolset ComputerDriver ComputerToolset"
)
NAMES_OF_HTTP_LIBRARIES = (
    "DEFAULT_CONNECTION_LIMITS DefaultAioHttpClient DefaultAsyncHttpx2Client DefaultAsyncHttpxClient "
    "DefaultHttpx2Client DefaultHttpxClient ProxiesTypes Transport"
)


@pytest.mark.parametrize("path", PUBLISHED)
def test_published_modules(path: str) -> None:
    module = importlib.import_module(path)
    assert [name for name in PUBLISHED[path].split() if not hasattr(module, name)] == []


def test_names_of_the_package() -> None:
    has_library = any(map(importlib.util.find_spec, ("httpx2", "httpx")))
    names = f"{ROOT_NAMES} {NAMES_OF_HTTP_LIBRARIES if has_library else ''}".split()
    assert sorted(aiopenai.__all__) == sorted(names)
    assert [name for name in names if not hasattr(aiopenai, name)] == []


def test_a_star_import_needs_no_http_library() -> None:
    missing = "import sys; sys.modules |= {'httpx': None, 'httpx2': None}"
    script = f"{missing}; from aiopenai import *; print(OpenAI.__name__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=100)
    assert (done.stdout, done.stderr) == ("OpenAI\n", "")


def test_names_of_the_reference() -> None:
    openai = pytest.importorskip("openai", reason="the reference SDK is not installed")
    assert set(openai.__all__) - set(aiopenai.__all__) == set()
    types = importlib.import_module("openai.types")
    names = {name for name in dir(types) if not name.startswith("_")} - {"annotations"}
    assert [name for name in sorted(names) if not hasattr(aiopenai.types, name)] == []
    assert aiopenai.RequestOptions.__annotations__.keys() == openai.RequestOptions.__annotations__.keys()


@pytest.mark.parametrize("name", ["auth", "lib", "providers", "resources", "types"])
def test_subpackages_are_attributes(name: str) -> None:
    assert getattr(aiopenai, name) is importlib.import_module(f"aiopenai.{name}")


@pytest.mark.parametrize("name", sorted(aiopenai._OLD))
def test_names_of_before_release_one(name: str) -> None:
    from aiopenai.lib._old_api import APIRemovedInV1

    stub = getattr(aiopenai, name)
    assert stub.create is stub
    with pytest.raises(APIRemovedInV1, match=name) as caught:
        stub.create(model="x")
    assert caught.value.symbol == name


def test_file_from_path(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"text")
    assert aiopenai.file_from_path(str(tmp_path / "a.txt")) == ("a.txt", b"text")
