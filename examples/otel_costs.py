"""OpenTelemetry with the cost of each call. Needs `aiopenai[otel]` and opentelemetry-sdk."""

import asyncio

from opentelemetry.metrics import Counter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from aiopenai import AsyncOpenAI
from aiopenai.otel import instrument

# Dollars for a million tokens, read and written.
PRICES = {"gpt-4o-mini": (0.15, 0.60), "gpt-4o": (2.50, 10.00)}


class CostProcessor(SpanProcessor):
    """Adds the cost of each call to a counter. A span has model and tokens by the conventions for generative AI."""

    def __init__(self, dollars: Counter) -> None:
        self.dollars = dollars

    def on_end(self, span: ReadableSpan) -> None:
        found = span.attributes or {}
        model = str(found.get("gen_ai.request.model"))
        read, written = (int(str(found.get(f"gen_ai.usage.{kind}_tokens", 0))) for kind in ("input", "output"))
        price_read, price_written = PRICES.get(model, (0.0, 0.0))
        cost = (read * price_read + written * price_written) / 1e6
        self.dollars.add(cost, {"model": model})
        print(f"{span.name}: {read} tokens read, {written} written, ${cost:.7f}")


async def main() -> None:
    # A service has exporters here, such as those of OTLP.
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    spans = TracerProvider()
    spans.add_span_processor(CostProcessor(meters.get_meter("costs").create_counter("app.llm.cost", "USD")))
    async with AsyncOpenAI() as client:
        instrument(client, tracer_provider=spans, meter_provider=meters)
        await asyncio.gather(
            client.responses.create(model="gpt-4o-mini", input="Describe the Danube."),
            client.responses.create(model="gpt-4o", input="Describe the Nile."),
        )
    data = reader.get_metrics_data()
    for scope in data.resource_metrics[0].scope_metrics if data else ():
        for metric in scope.metrics:
            print(metric.name, len(metric.data.data_points), "series")


if __name__ == "__main__":
    asyncio.run(main())
