"""Counters of Prometheus from hooks. Needs prometheus-client."""

import asyncio

from prometheus_client import Counter, Histogram, generate_latest

from aiopenai import AsyncOpenAI
from aiopenai.hooks import CallInfo, Hooks

CALLS = Counter("llm_calls", "Calls by their end", ["model", "outcome"])
RETRIES = Counter("llm_retries", "Attempts that failed and were repeated", ["model", "reason"])
TOKENS = Counter("llm_tokens", "Tokens by their kind", ["model", "kind"])
SECONDS = Histogram("llm_seconds", "Whole time of a call", ["model"], buckets=[0.1, 0.3, 1, 3, 10, 30, 100])
FIRST = Histogram("llm_first_event_seconds", "Time to the first event of a stream", ["model"])


class PrometheusHooks(Hooks):
    """Counts calls. The labels have few values: no ids, no prompts, no paths with ids."""

    def on_retry(self, call: CallInfo) -> None:
        RETRIES.labels(call.model, type(call.error).__name__).inc()

    def on_response(self, call: CallInfo) -> None:
        if not call.stream:
            self._count(call, "ok")

    def on_stream_first_event(self, call: CallInfo) -> None:
        FIRST.labels(call.model).observe(call.first_event_after or 0.0)

    def on_stream_end(self, call: CallInfo) -> None:
        self._count(call, "ok")

    def on_error(self, call: CallInfo) -> None:
        self._count(call, type(call.error).__name__)

    def _count(self, call: CallInfo, outcome: str) -> None:
        CALLS.labels(call.model, outcome).inc()
        SECONDS.labels(call.model).observe(call.elapsed)
        TOKENS.labels(call.model, "input").inc(call.input_tokens or 0)
        TOKENS.labels(call.model, "output").inc(call.output_tokens or 0)


async def main() -> None:
    async with AsyncOpenAI(hooks=PrometheusHooks()) as client:
        await client.responses.create(model="gpt-4o-mini", input="Describe the Danube.")
        async with await client.responses.create(model="gpt-4o-mini", input="And the Nile?", stream=True) as stream:
            async for _ in stream:
                pass
    # A service has `prometheus_client.start_http_server(9000)` here.
    for line in generate_latest().decode().splitlines():
        if line.startswith("llm_") and "_bucket" not in line and "_created" not in line:
            print(line)


if __name__ == "__main__":
    asyncio.run(main())
