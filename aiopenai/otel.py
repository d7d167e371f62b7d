"""OpenTelemetry for a client (the extra `aiopenai[otel]`), by the semantic conventions for generative AI.

    from aiopenai import otel

    otel.instrument(client)

Each call of a model is a span of kind CLIENT, `chat gpt-4o`, from its first attempt to the end of its reply or stream.
It is a child of the caller's span. Attempts after the first are events in it. The metrics are
`gen_ai.client.operation.duration`, `gen_ai.client.token.usage` and, for streams,
`gen_ai.client.operation.time_to_first_chunk`. Prompts and answers are not recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from aiopenai._calls.watching import CallInfo, Hooked, Hooks
from aiopenai.errors import OpenAIError
from aiopenai.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["instrument", "uninstrument"]

_SCHEMA = "https://opentelemetry.io/schemas/1.37.0"

# The operation of each path that has spans. The first four names are those of the conventions; others are left open.
_OPERATIONS = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/completions": "text_completion",
    "/embeddings": "embeddings",
    "/images/generations": "image_generation",
    "/images/edits": "image_edit",
    "/images/variations": "image_variation",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "translation",
    "/moderations": "moderation",
    "/videos": "video_generation",
}
_API_TYPES = {"/chat/completions": "chat_completions", "/responses": "responses"}
_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "stop": "gen_ai.request.stop_sequences",
    "encoding_format": "gen_ai.request.encoding_formats",
    "dimensions": "gen_ai.embeddings.dimension.count",
    "service_tier": "openai.request.service_tier",
}
# Attributes that are lists, also with one item.
_LISTS = frozenset({"stop", "encoding_format"})
# The buckets that the conventions advise: by default all durations would fall into the first one.
_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_FIRST_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
_TOKENS = [4**power for power in range(14)]


def instrument(
    client: Hooked, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> None:
    """Traces and measures the calls of `client`, and of copies that are made from now on.

    Without providers it is OpenTelemetry's global ones. A client is instrumented once, however often this is called.
    Raises OpenAIError where OpenTelemetry is not installed.
    """
    if _telemetry_of(client) is None:
        client.add_hooks(_Telemetry(tracer_provider, meter_provider))


def uninstrument(client: Hooked) -> None:
    """Undoes `instrument`."""
    telemetry = _telemetry_of(client)
    if telemetry is not None:
        client.remove_hooks(telemetry)


def _telemetry_of(client: Hooked) -> _Telemetry | None:
    return next((hooks for hooks in client.hooks if isinstance(hooks, _Telemetry)), None)


class _Telemetry(Hooks):
    """One instrumentation: hooks that record spans and metrics."""

    def __init__(self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise OpenAIError("OpenTelemetry is not installed: pip install 'aiopenai[otel]'") from error
        self._tracer = trace.get_tracer("aiopenai", __version__, tracer_provider, schema_url=_SCHEMA)
        self._kind = trace.SpanKind.CLIENT
        self._failed = trace.StatusCode.ERROR
        meter = metrics.get_meter("aiopenai", __version__, meter_provider, schema_url=_SCHEMA)

        def histogram(name: str, unit: str, description: str, buckets: list[Any]) -> Histogram:
            return meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=buckets)

        self._duration = histogram("gen_ai.client.operation.duration", "s", "How long a call took", _SECONDS)
        self._tokens = histogram("gen_ai.client.token.usage", "{token}", "Tokens of a call, by their type", _TOKENS)
        self._first_chunk = histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Time to a stream's first event", _FIRST_SECONDS
        )

    @override
    def on_request(self, call: CallInfo) -> None:
        operation = _OPERATIONS.get(call.template) if call.method == "POST" else None
        if operation is None or call.attempt > 1:
            return
        common = _common(call, operation)
        name = f"{operation} {call.model}" if call.model else operation
        span = self._tracer.start_span(name, kind=self._kind, attributes={**common, **_requested(call)})
        call.state[self] = span, common

    @override
    def on_retry(self, call: CallInfo) -> None:
        span, _ = self._of(call)
        if span is not None:
            told: dict[str, Any] = {"error.type": _name(call.error), "aiopenai.retry.wait": call.wait}
            span.add_event("aiopenai.retry", told)

    @override
    def on_response(self, call: CallInfo) -> None:
        if not call.stream:
            self._finish(call)

    @override
    def on_stream_first_event(self, call: CallInfo) -> None:
        span, common = self._of(call)
        if span is not None and call.first_event_after is not None:
            span.set_attribute("gen_ai.response.time_to_first_chunk", call.first_event_after)
            self._first_chunk.record(call.first_event_after, _answered(call, common))

    @override
    def on_stream_end(self, call: CallInfo) -> None:
        self._finish(call)

    @override
    def on_error(self, call: CallInfo) -> None:
        self._finish(call)

    def _of(self, call: CallInfo) -> tuple[Span | None, dict[str, Any]]:
        found: tuple[Span | None, dict[str, Any]] = call.state.get(self, (None, {}))
        return found

    def _finish(self, call: CallInfo) -> None:
        span, common = self._of(call)
        if span is None:
            return
        attributes = _answered(call, common)
        for kind, count in (("input", call.input_tokens), ("output", call.output_tokens)):
            if count is not None:
                span.set_attribute(f"gen_ai.usage.{kind}_tokens", count)
                self._tokens.record(count, {**attributes, "gen_ai.token.type": kind})
        if call.response_id is not None:
            span.set_attribute("gen_ai.response.id", call.response_id)
        if call.finish_reasons:
            span.set_attribute("gen_ai.response.finish_reasons", call.finish_reasons)
        if call.error is not None:
            attributes["error.type"] = _name(call.error)
            span.set_status(self._failed, str(call.error))
        span.set_attributes(attributes)
        self._duration.record(call.elapsed, attributes)
        span.end()


def _common(call: CallInfo, operation: str) -> dict[str, Any]:
    """Returns the attributes that spans and metrics share."""
    server = urlsplit(call.path if "://" in call.path else call.base_url)
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "openai",
        # The name before version 1.37 of the conventions: most backends still look for it.
        "gen_ai.system": "openai",
        "server.address": server.hostname or "",
        "server.port": server.port or (80 if server.scheme == "http" else 443),
    }
    if call.model is not None:
        attributes["gen_ai.request.model"] = call.model
    return attributes


def _requested(call: CallInfo) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, attribute in _PARAMETERS.items():
        value = call.parameters.get(name)
        # One choice is the default, and is not recorded.
        if value is not None and not (name == "n" and value == 1):
            attributes[attribute] = [value] if name in _LISTS and isinstance(value, str) else value
    if call.stream:
        attributes["gen_ai.request.stream"] = True
    if call.template in _API_TYPES:
        attributes["openai.api.type"] = _API_TYPES[call.template]
    return attributes


def _answered(call: CallInfo, common: dict[str, Any]) -> dict[str, Any]:
    return {**common, "gen_ai.response.model": call.response_model} if call.response_model else dict(common)


def _name(error: BaseException | None) -> str:
    return type(error).__qualname__
