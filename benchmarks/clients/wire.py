"""The replies as hand-written structs: every field of a chat completion and of a chunk.

The structs set ``gc=False``: a decoded reply has no cycles, and decoding gets about a fifth cheaper.
"""

from __future__ import annotations

from typing import Final

import msgspec


class _Wire(msgspec.Struct, gc=False):
    pass


class TopLogprob(_Wire):
    token: str
    logprob: float
    bytes: list[int] | None = None


class TokenLogprob(_Wire):
    token: str
    logprob: float
    top_logprobs: list[TopLogprob]
    bytes: list[int] | None = None


class Logprobs(_Wire):
    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


class Function(_Wire):
    arguments: str
    name: str


class ToolCall(_Wire):
    id: str
    type: str
    function: Function | None = None


class UrlCitation(_Wire):
    end_index: int
    start_index: int
    title: str
    url: str


class Annotation(_Wire):
    type: str
    url_citation: UrlCitation


class Audio(_Wire):
    id: str
    data: str
    expires_at: int
    transcript: str


class Message(_Wire):
    role: str
    content: str | None = None
    refusal: str | None = None
    annotations: list[Annotation] | None = None
    audio: Audio | None = None
    function_call: Function | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(_Wire):
    index: int
    message: Message
    finish_reason: str
    logprobs: Logprobs | None = None


class PromptDetails(_Wire):
    audio_tokens: int | None = None
    cached_tokens: int | None = None


class CompletionDetails(_Wire):
    accepted_prediction_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    rejected_prediction_tokens: int | None = None


class Usage(_Wire):
    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    completion_tokens_details: CompletionDetails | None = None
    prompt_tokens_details: PromptDetails | None = None


class ChatCompletion(_Wire):
    id: str
    choices: list[Choice]
    created: int
    model: str
    object: str
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: Usage | None = None


class FunctionDelta(_Wire):
    arguments: str | None = None
    name: str | None = None


class ToolCallDelta(_Wire):
    index: int
    id: str | None = None
    function: FunctionDelta | None = None
    type: str | None = None


class Delta(_Wire):
    content: str | None = None
    function_call: FunctionDelta | None = None
    refusal: str | None = None
    role: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChunkChoice(_Wire):
    delta: Delta
    index: int
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class ChatCompletionChunk(_Wire):
    id: str
    choices: list[ChunkChoice]
    created: int
    model: str
    object: str
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: Usage | None = None


encode: Final = msgspec.json.Encoder().encode
decode_completion: Final = msgspec.json.Decoder(ChatCompletion).decode
decode_chunk: Final = msgspec.json.Decoder(ChatCompletionChunk).decode


class RealtimeUsage(_Wire):
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class RealtimeResponse(_Wire):
    id: str | None = None
    object: str | None = None
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: RealtimeUsage | None = None


class TextDelta(_Wire, tag_field="type", tag="response.output_text.delta"):
    event_id: str
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str


class ResponseDone(_Wire, tag_field="type", tag="response.done"):
    event_id: str
    response: RealtimeResponse


class Committed(_Wire, tag_field="type", tag="input_audio_buffer.committed"):
    event_id: str
    item_id: str
    previous_item_id: str | None = None


decode_event: Final = msgspec.json.Decoder(TextDelta | ResponseDone | Committed).decode
