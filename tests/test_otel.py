from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiopenai import APIConnectionError, AsyncOpenAI, BadRequestError, OpenAI, OpenAIError, otel
from aiopenai.testing import Server

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

SOON = {"retry-after-ms": "1"}


class Telemetry:
    """The SDK, with everything kept in memory."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def instrument(self, client: Any) -> None:
        otel.instrument(client, tracer_provider=self.tracers, meter_provider=self.meters)

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    @property
    def span(self) -> Any:
        (span,) = self.spans
        return span

    def metrics(self) -> dict[str, list[Any]]:
        """The data points of each metric."""
        data: Any = self.reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
async def client(server: Server, telemetry: Telemetry) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-test", base_url=server.base_url) as client:
        telemetry.instrument(client)
        yield client


async def test_chat(client: AsyncOpenAI, telemetry: Telemetry, server: Server, chat: dict[str, Any]) -> None:
    completion = await client.chat.completions.create(**chat, temperature=0.5, max_tokens=50, stop="x", n=1, seed=3)
    span = telemetry.span
    assert span.name == "chat gpt-4o"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert span.instrumentation_scope.name == "aiopenai"
    assert completion.usage is not None
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": completion.model,
        "server.address": "127.0.0.1",
        "server.port": server.port,
    }
    assert dict(span.attributes) == {
        **common,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.seed": 3,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.response.id": completion.id,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": completion.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": completion.usage.completion_tokens,
        "openai.api.type": "chat_completions",
    }
    metrics = telemetry.metrics()
    assert metrics.keys() == {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}
    (duration,) = metrics["gen_ai.client.operation.duration"]
    assert dict(duration.attributes) == common
    assert duration.count == 1
    assert duration.explicit_bounds[-1] == 81.92
    assert duration.sum <= (span.end_time - span.start_time) / 1e9 + 0.05
    counts = {point.attributes["gen_ai.token.type"]: point for point in metrics["gen_ai.client.token.usage"]}
    assert counts["input"].sum == completion.usage.prompt_tokens
    assert counts["output"].sum == completion.usage.completion_tokens
    assert dict(counts["input"].attributes) == {**common, "gen_ai.token.type": "input"}
    assert counts["input"].explicit_bounds[:3] == (1, 4, 16)


async def test_what_is_said_is_recorded_nowhere(
    client: AsyncOpenAI, telemetry: Telemetry, chat: dict[str, Any]
) -> None:
    secret = "what nobody should see"
    completion = await client.chat.completions.create(
        **{**chat, "messages": [{"role": "user", "content": secret}]}, user=secret
    )
    text = telemetry.span.to_json() + repr(telemetry.metrics())
    assert secret not in text
    assert "sk-test" not in text
    assert str(completion.choices[0].message.content) not in text


async def test_a_stream(client: AsyncOpenAI, telemetry: Telemetry, chat: dict[str, Any]) -> None:
    stream = await client.chat.completions.create(**chat, stream=True, stream_options={"include_usage": True}, n=2)
    assert telemetry.spans == []
    events = [event async for event in stream]
    attributes = telemetry.span.attributes
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.request.choice.count"] == 2
    assert attributes["gen_ai.response.id"] == events[0].id
    assert attributes["gen_ai.response.finish_reasons"] == ("stop", "stop")
    assert attributes["gen_ai.usage.output_tokens"] == events[-1].usage.completion_tokens  # type: ignore[union-attr]
    assert 0 < attributes["gen_ai.response.time_to_first_chunk"] < 5
    metrics = telemetry.metrics()
    (first,) = metrics["gen_ai.client.operation.time_to_first_chunk"]
    assert first.sum == attributes["gen_ai.response.time_to_first_chunk"]
    (duration,) = metrics["gen_ai.client.operation.duration"]
    assert first.sum <= duration.sum
    assert len(metrics["gen_ai.client.token.usage"]) == 2


async def test_a_stream_that_is_left(client: AsyncOpenAI, telemetry: Telemetry, chat: dict[str, Any]) -> None:
    async with await client.chat.completions.create(**chat, stream=True):
        pass
    assert telemetry.span.status.status_code is StatusCode.UNSET
    assert "gen_ai.usage.output_tokens" not in telemetry.span.attributes


async def test_a_stream_that_breaks(
    client: AsyncOpenAI, telemetry: Telemetry, server: Server, chat: dict[str, Any], sse: Any, chunk: Any
) -> None:
    server.reply_with("/chat/completions", sse([chunk("a")], done=False), content_type="text/event-stream")
    with pytest.raises(APIConnectionError):
        async for _ in await client.chat.completions.create(**chat, stream=True):
            pass
    assert telemetry.span.attributes["error.type"] == "APIConnectionError"
    assert telemetry.span.status.status_code is StatusCode.ERROR


async def test_responses(client: AsyncOpenAI, telemetry: Telemetry) -> None:
    response = await client.responses.create(model="gpt-4o", input="hi", max_output_tokens=1000, stream=True)
    last: Any = [event async for event in response][-1]
    attributes = telemetry.span.attributes
    assert telemetry.span.name == "chat gpt-4o"
    assert attributes["openai.api.type"] == "responses"
    assert attributes["gen_ai.request.max_tokens"] == 1000
    assert attributes["gen_ai.usage.input_tokens"] == last.response.usage.input_tokens
    assert attributes["gen_ai.response.finish_reasons"] == ("completed",)


async def test_embeddings(client: AsyncOpenAI, telemetry: Telemetry) -> None:
    await client.embeddings.create(model="text-embedding-3-small", input="a", dimensions=8)
    attributes = telemetry.span.attributes
    assert telemetry.span.name == "embeddings text-embedding-3-small"
    assert attributes["gen_ai.embeddings.dimension.count"] == 8
    assert attributes["gen_ai.request.encoding_formats"] == ("base64",)
    assert "gen_ai.usage.output_tokens" not in attributes
    (point,) = telemetry.metrics()["gen_ai.client.token.usage"]
    assert point.attributes["gen_ai.token.type"] == "input"


async def test_other_calls_are_nothing(client: AsyncOpenAI, telemetry: Telemetry, chat: dict[str, Any]) -> None:
    await client.models.list()
    async for _ in client.chat.completions.list():
        pass
    with pytest.raises(OpenAIError):
        await client.files.retrieve("file-none")
    assert telemetry.spans == []
    assert telemetry.metrics() == {}


async def test_retries_and_errors(
    client: AsyncOpenAI, telemetry: Telemetry, server: Server, chat: dict[str, Any]
) -> None:
    server.fault(status=500, headers=SOON)
    await client.chat.completions.create(**chat)
    (event,) = telemetry.span.events
    assert event.name == "aiopenai.retry"
    assert event.attributes["error.type"] == "InternalServerError"
    assert 0 < event.attributes["aiopenai.retry.wait"] < 0.01
    assert telemetry.span.status.status_code is StatusCode.UNSET
    telemetry.exporter.clear()
    server.fault(status=400)
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(**chat)
    assert telemetry.span.attributes["error.type"] == "BadRequestError"
    assert telemetry.span.status.description == str(caught.value)
    points = telemetry.metrics()["gen_ai.client.operation.duration"]
    assert [point.attributes.get("error.type") for point in points] == [None, "BadRequestError"]


async def test_the_callers_span_is_the_parent(
    client: AsyncOpenAI, telemetry: Telemetry, chat: dict[str, Any], server: Server
) -> None:
    tracer = telemetry.tracers.get_tracer("test")
    with tracer.start_as_current_span("outer") as outer:
        await asyncio.gather(*(client.chat.completions.create(**chat) for _ in range(3)))
        async for _ in await client.chat.completions.create(**chat, stream=True):
            pass
        with OpenAI(api_key="k", base_url=server.base_url) as blocking:
            telemetry.instrument(blocking)
            # In a thread whose own loop runs, as in a notebook. The server is in this thread, so nobody answers.
            with pytest.raises(APIConnectionError):
                blocking.chat.completions.create(**chat, timeout=0.05, max_retries=0)
    inner = [span for span in telemetry.spans if span.name != "outer"]
    assert len(inner) == 5
    assert {span.parent.span_id for span in inner if span.parent} == {outer.get_span_context().span_id}


def test_blocking(telemetry: Telemetry, chat: dict[str, Any]) -> None:
    tracer = telemetry.tracers.get_tracer("test")
    with Server() as server, OpenAI(api_key="k", base_url=server.base_url) as client:
        telemetry.instrument(client)
        with tracer.start_as_current_span("outer") as outer:
            client.chat.completions.create(**chat)
            for _ in client.with_options(max_retries=0).chat.completions.create(**chat, stream=True):
                pass
    *inner, last = telemetry.spans
    assert last.name == "outer"
    assert [span.name for span in inner] == ["chat gpt-4o"] * 2
    assert {span.parent.span_id for span in inner if span.parent} == {outer.get_span_context().span_id}
    assert "gen_ai.response.time_to_first_chunk" in (inner[1].attributes or {})


async def test_once(client: AsyncOpenAI, telemetry: Telemetry, chat: dict[str, Any]) -> None:
    telemetry.instrument(client)
    copy = client.with_options(max_retries=0)
    telemetry.instrument(copy)
    await copy.chat.completions.create(**chat)
    assert len(telemetry.spans) == 1
    otel.uninstrument(client)
    otel.uninstrument(client)
    await client.chat.completions.create(**chat)
    assert len(telemetry.spans) == 1
    assert client._hooks is None


def test_without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("opentelemetry", "opentelemetry.trace", "opentelemetry.metrics"):
        monkeypatch.setitem(sys.modules, name, None)
    client = OpenAI(api_key="k")
    with pytest.raises(OpenAIError, match=r"pip install 'aiopenai\[otel\]'"):
        otel.instrument(client)
    assert client.hooks == ()
