"""The methods with hand-written bodies, which make several calls or none, and the place of each body.

Names, parameters and types are the reference's, except for the differences listed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from aiopenai._codegen.routes import ROUTES

__all__ = ["ADDED", "HELPERS", "NAMES", "PREPARED", "STREAMS", "Helper"]


@dataclass(frozen=True)
class Helper:
    """A method by hand: `kind` is its decorator, `where` its body, `returns` its annotation in the async client.

    `types` replaces annotations of the reference's, `extra` adds parameters: annotation and default. The blocking
    client has the same annotations without `Async`. `like` names the method of the same resource from which a method
    that the reference lacks takes its parameters, less those in `less`. `streamed` is the annotation with
    `stream=True`.
    """

    kind: Literal["helper", "managed", "plain", "post", "connect"]
    where: str
    returns: str
    types: dict[str, str] = field(default_factory=dict[str, str])
    extra: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    like: str = ""
    less: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    streamed: str = ""


_RUN = "Run"
_RESUME = {"resume": ("bool", "True")}
_CHAT_FORMAT = {"response_format": "type[ResponseFormatT]"}
_HANDLER = {"event_handler": "AsyncAssistantEventHandlerT | None"}
_ASSISTANT = "AsyncAssistantStreamManager[AsyncAssistantEventHandlerT]"
_POLLING = "aiopenai.lib.polling"
_TOOLS = "Iterable[Callable[..., object] | type[object] | Mapping[str, object]]"
_LOOP = {
    "max_turns": ("int", "10"),
    "max_parallel": ("int", "8"),
    "tool_timeout": ("float | Mapping[str, float] | None", "None"),
    "raise_errors": ("bool", "False"),
}
_APPROVAL = "Callable[[ResponseInputItemMcpApprovalRequest], bool | Awaitable[bool]] | None"
_RESPONSE_RUN = "ParsedResponse[TextFormatT], ResponseUsage"
_CHAT_RUN = "ParsedChatCompletion[ResponseFormatT], CompletionUsage"
_AGENTS = "aiopenai.lib.beta.agents"
_PATHS = {"files": "Mapping[str, str | PathLike[str]]"}
_DIRECTORY = {"root": "str | PathLike[str]", "include": "Sequence[str]"}

HELPERS = {
    "chat.completions.parse": Helper(
        "post", "aiopenai.lib.parsing:prepare_chat", "ParsedChatCompletion[ResponseFormatT]", _CHAT_FORMAT
    ),
    "chat.completions.stream": Helper(
        "managed",
        "aiopenai.lib.streaming.chat:stream",
        "AsyncChatCompletionStreamManager[ResponseFormatT]",
        {"response_format": "CompletionCreateParamsResponseFormat | type[ResponseFormatT]"},
    ),
    "chat.completions.run_tools": Helper(
        "managed",
        "aiopenai.lib.running:run_chat_tools",
        f"ToolRun[{_CHAT_RUN}]",
        {**_CHAT_FORMAT, "tools": _TOOLS},
        _LOOP,
        like="parse",
        less=frozenset({"n", "stream"}),
        required=frozenset({"tools"}),
        streamed=f"AsyncToolRunStream[ChatCompletionStreamEvent | ToolRunEvent, {_CHAT_RUN}]",
    ),
    "responses.run_tools": Helper(
        "managed",
        "aiopenai.lib.running:run_response_tools",
        f"ToolRun[{_RESPONSE_RUN}]",
        {"text_format": "type[TextFormatT]", "tools": _TOOLS},
        {**_LOOP, "approve_mcp": (_APPROVAL, "None")},
        like="parse",
        less=frozenset({"background", "parse_as", "stream"}),
        required=frozenset({"tools"}),
        streamed=f"AsyncToolRunStream[ResponseStreamEvent | ToolRunEvent, {_RESPONSE_RUN}]",
    ),
    "responses.parse": Helper(
        "post",
        "aiopenai.lib.parsing:prepare_response",
        "ParsedResponse[TextFormatT]",
        {"text_format": "type[TextFormatT]", "parse_as": "type[TextFormatT] | None"},
    ),
    "responses.stream": Helper(
        "managed",
        "aiopenai.lib.streaming.responses:stream",
        "AsyncResponseStreamManager[TextFormatT]",
        {"text_format": "type[TextFormatT]"},
        _RESUME,
    ),
    "beta.agents.environments.files.prepare": Helper(
        "helper", f"{_AGENTS}._files:prepare", "PreparedAgentFiles", _PATHS
    ),
    "beta.agents.environments.files.prepare_directory": Helper(
        "helper", f"{_AGENTS}._files:prepare_directory", "PreparedAgentFiles", _DIRECTORY
    ),
    "beta.agents.environments.files.upload": Helper("helper", f"{_AGENTS}._files:upload", "StagedAgentFile"),
    "beta.agents.sessions.stream": Helper(
        "managed",
        "aiopenai.lib.streaming.agents._streams:stream_session",
        "AsyncAgentSessionStream[AgentOutputT]",
        {
            "output_type": "type[AgentOutputT] | None",
            "tool_handlers": "Mapping[str, AsyncToolHandler] | None",
            "on_tool_error": "AsyncToolErrorHandler | None",
        },
    ),
    "beta.agents.sessions.artifacts.for_result": Helper(
        "plain", f"{_AGENTS}._artifacts:for_result", "AsyncAgentResultArtifacts", {"result": "AgentTurnResult[object]"}
    ),
    "beta.threads.create_and_run_poll": Helper("helper", f"{_POLLING}:create_thread_and_run_poll", _RUN),
    "beta.threads.create_and_run_stream": Helper(
        "managed", "aiopenai.lib.streaming.assistants:create_and_run_stream", _ASSISTANT, _HANDLER
    ),
    "beta.threads.runs.create_and_poll": Helper("helper", f"{_POLLING}:create_run_and_poll", _RUN),
    "beta.threads.runs.create_and_stream": Helper(
        "managed",
        "aiopenai.lib.streaming.assistants:create_and_stream",
        _ASSISTANT,
        _HANDLER,
        # Only the reference's blocking client takes this parameter.
        {"reasoning_effort": ("ReasoningEffort | Omit | None", "omit")},
    ),
    "beta.threads.runs.poll": Helper("helper", f"{_POLLING}:poll_run", _RUN),
    "beta.threads.runs.stream": Helper("managed", "aiopenai.lib.streaming.assistants:stream", _ASSISTANT, _HANDLER),
    "beta.threads.runs.submit_tool_outputs_and_poll": Helper(
        "helper", f"{_POLLING}:submit_tool_outputs_and_poll", _RUN
    ),
    "beta.threads.runs.submit_tool_outputs_stream": Helper(
        "managed", "aiopenai.lib.streaming.assistants:submit_tool_outputs_stream", _ASSISTANT, _HANDLER
    ),
    "files.wait_for_processing": Helper("helper", f"{_POLLING}:wait_for_processing", "FileObject"),
    "uploads.upload_file_chunked": Helper(
        "helper",
        "aiopenai.lib.uploads:upload_file_chunked",
        "Upload",
        {"file": "str | PathLike[str] | bytes | BinaryIO"},
        {"progress": ("Callable[[int, int], object] | None", "None")},
    ),
    "vector_stores.files.create_and_poll": Helper(
        "helper", f"{_POLLING}:create_vector_store_file_and_poll", "VectorStoreFile"
    ),
    "vector_stores.files.poll": Helper("helper", f"{_POLLING}:poll_vector_store_file", "VectorStoreFile"),
    "vector_stores.files.upload": Helper("helper", f"{_POLLING}:upload_vector_store_file", "VectorStoreFile"),
    "vector_stores.files.upload_and_poll": Helper(
        "helper", f"{_POLLING}:upload_vector_store_file_and_poll", "VectorStoreFile"
    ),
    "vector_stores.file_batches.create_and_poll": Helper(
        "helper", f"{_POLLING}:create_file_batch_and_poll", "VectorStoreFileBatch"
    ),
    "vector_stores.file_batches.poll": Helper("helper", f"{_POLLING}:poll_file_batch", "VectorStoreFileBatch"),
    "vector_stores.file_batches.upload_and_poll": Helper(
        "helper", f"{_POLLING}:upload_file_batch_and_poll", "VectorStoreFileBatch"
    ),
    "videos.create_and_poll": Helper("helper", f"{_POLLING}:create_video_and_poll", "Video"),
    "videos.poll": Helper("helper", f"{_POLLING}:poll_video", "Video"),
    "webhooks.unwrap": Helper(
        "plain", "aiopenai.lib.webhooks:unwrap", "UnwrapWebhookEvent", {"headers": "HeadersLike"}
    ),
    "webhooks.verify_signature": Helper(
        "plain", "aiopenai.lib.webhooks:verify_signature", "None", {"headers": "HeadersLike"}
    ),
}

# The arguments of every `connect`.
_CONNECTING = {
    "extra_query": "Query",
    "extra_headers": "Headers",
    "websocket_connection_options": "WebSocketConnectionOptions",
    "on_reconnecting": "AsyncReconnectingHandler | None",
}
HELPERS.update(
    {f"{path}.connect": Helper("connect", "aiopenai._live.managers:connect", "", _CONNECTING) for path in ROUTES}
)
HELPERS["responses.pool"] = Helper(
    "plain",
    "aiopenai._live.pools:pool",
    "AsyncResponsePool[AsyncResponses]",
    extra={"size": ("int", "8")},
    like="connect",
    less=frozenset({*_CONNECTING, "max_retries", "initial_delay", "max_delay", "max_queue_size"}),
)

# HTTP methods whose request is adjusted before it is sent, and whose reply is finished.
_RESUMING = "aiopenai._calls.resuming:prepare"
PREPARED: dict[str, str] = {
    "embeddings.create": "aiopenai.lib.embeddings:prepare",
    "responses.create": _RESUMING,
    "responses.retrieve": _RESUMING,
    "beta.responses.create": _RESUMING,
    "beta.responses.retrieve": _RESUMING,
    "beta.agents.sessions.create": f"{_AGENTS}._events:prepare_session",
}
# Parameters of HTTP methods that the reference's lack: annotation and default. They are not sent.
ADDED: dict[str, dict[str, tuple[str, str]]] = {
    name: _RESUME for name, prepare in PREPARED.items() if prepare == _RESUMING
}
ADDED["beta.agents.sessions.create"] = {
    "output_type": ("type[AgentOutputT] | None", "None"),
    "tool_handlers": ("Mapping[str, AsyncToolHandler] | None", "None"),
}
# The streams of HTTP methods that have a class of their own: their annotation in the async client.
STREAMS = {"beta.agents.sessions.create": "AsyncAgentSessionEventStream[AgentOutputT]"}

# The modules of the names in the texts above.
NAMES = {
    "AgentOutputT": "aiopenai.lib.beta.agents._results",
    "AgentResultArtifacts": "aiopenai.lib.beta.agents",
    "AgentSessionEventStream": "aiopenai.lib.beta.agents",
    "AgentSessionStream": "aiopenai.lib.streaming.agents",
    "AgentTurnResult": "aiopenai.lib.beta.agents",
    "AssistantEventHandlerT": "aiopenai.lib.streaming.assistants",
    "AssistantStreamManager": "aiopenai.lib.streaming.assistants",
    "AsyncAgentResultArtifacts": "aiopenai.lib.beta.agents",
    "AsyncAgentSessionEventStream": "aiopenai.lib.beta.agents",
    "AsyncAgentSessionStream": "aiopenai.lib.streaming.agents",
    "AsyncAssistantEventHandlerT": "aiopenai.lib.streaming.assistants",
    "AsyncAssistantStreamManager": "aiopenai.lib.streaming.assistants",
    "AsyncChatCompletionStreamManager": "aiopenai.lib.streaming.chat",
    "AsyncReconnectingHandler": "aiopenai._live.link",
    "AsyncResponsePool": "aiopenai._live.pools",
    "AsyncResponseStreamManager": "aiopenai.lib.streaming.responses",
    "AsyncToolErrorHandler": "aiopenai.lib.beta.agents._dispatch",
    "AsyncToolHandler": "aiopenai.lib.streaming.agents",
    "AsyncToolRunStream": "aiopenai.lib.running",
    "Awaitable": "collections.abc",
    "BinaryIO": "typing",
    "Callable": "collections.abc",
    "ChatCompletionStreamEvent": "aiopenai.lib.streaming.chat",
    "ChatCompletionStreamManager": "aiopenai.lib.streaming.chat",
    "CompletionCreateParamsResponseFormat": "aiopenai.types.chat",
    "CompletionUsage": "aiopenai.types",
    "FileObject": "aiopenai.types.files",
    "Headers": "aiopenai._base.aliases",
    "HeadersLike": "aiopenai.lib.webhooks",
    "Iterable": "collections.abc",
    "Literal": "typing",
    "Mapping": "collections.abc",
    "Omit": "aiopenai._base.sentinels",
    "ParsedChatCompletion": "aiopenai.types.chat",
    "ParsedResponse": "aiopenai.types.responses",
    "PathLike": "os",
    "PreparedAgentFiles": "aiopenai.lib.beta.agents",
    "Query": "aiopenai._base.aliases",
    "ReasoningEffort": "aiopenai.types.shared",
    "ReconnectingHandler": "aiopenai._live.link",
    "ResponseFormatT": "aiopenai.lib.streaming.chat",
    "ResponseInputItemMcpApprovalRequest": "aiopenai.types.responses",
    "ResponsePool": "aiopenai._live.pools",
    "ResponseStreamEvent": "aiopenai.lib.streaming.responses",
    "ResponseStreamManager": "aiopenai.lib.streaming.responses",
    "ResponseUsage": "aiopenai.types.responses",
    "Run": "aiopenai.types.beta.threads",
    "Sequence": "collections.abc",
    "StagedAgentFile": "aiopenai.lib.beta.agents",
    "TextFormatT": "aiopenai.lib.streaming.responses",
    "ToolErrorHandler": "aiopenai.lib.beta.agents._dispatch",
    "ToolHandler": "aiopenai.lib.streaming.agents",
    "ToolRun": "aiopenai.lib.running",
    "ToolRunEvent": "aiopenai.lib.running",
    "ToolRunStream": "aiopenai.lib.running",
    "UnwrapWebhookEvent": "aiopenai.types.webhooks",
    "Upload": "aiopenai.types.uploads",
    "VectorStoreFile": "aiopenai.types.vector_stores",
    "VectorStoreFileBatch": "aiopenai.types.vector_stores",
    "Video": "aiopenai.types.videos",
    "WebSocketConnectionOptions": "aiopenai._base.websocket_types",
}
