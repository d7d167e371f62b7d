"""openai-guardrails."""

from __future__ import annotations

from typing import Any

from guardrails import GuardrailsAsyncOpenAI, GuardrailsOpenAI

NEEDS = "guardrails.client"
_HELLO: Any = [{"role": "user", "content": "hello to all"}]
# Before the call: a guardrail beside it races with the request.
_CONFIG: Any = {
    "version": 1,
    "pre_flight": {"version": 1, "guardrails": [{"name": "Keyword Filter", "config": {"keywords": ["nuclear"]}}]},
}


def chat(url: str) -> Any:
    client = GuardrailsOpenAI(config=_CONFIG, base_url=url, api_key="sk-test")
    found = client.chat.completions.create(model="gpt-4o-mini", messages=_HELLO)
    return [found.llm_response, found.guardrail_results.tripwires_triggered]


async def chat_async(url: str) -> Any:
    client = GuardrailsAsyncOpenAI(config=_CONFIG, base_url=url, api_key="sk-test")
    found = await client.chat.completions.create(model="gpt-4o-mini", messages=_HELLO)
    return [found.llm_response, found.guardrail_results.tripwires_triggered]


async def stream_async(url: str) -> Any:
    client = GuardrailsAsyncOpenAI(config=_CONFIG, base_url=url, api_key="sk-test")
    stream = await client.chat.completions.create(model="gpt-4o-mini", messages=_HELLO, stream=True)
    return [each.llm_response if hasattr(each, "llm_response") else each async for each in stream]


async def responses_async(url: str) -> Any:
    client = GuardrailsAsyncOpenAI(config=_CONFIG, base_url=url, api_key="sk-test")
    return (await client.responses.create(model="gpt-4o-mini", input="hello")).llm_response


async def tripwire_async(url: str) -> Any:
    client = GuardrailsAsyncOpenAI(config=_CONFIG, base_url=url, api_key="sk-test")
    try:
        await client.responses.create(model="gpt-4o-mini", input="nuclear")
    except Exception as error:
        return type(error).__name__
