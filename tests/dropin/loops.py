"""Frameworks with one client in several event loops in turn, in drop-in mode: the reference's clients work in one only.

    python -m tests.dropin.loops FRAMEWORK

Prints the answers as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

LOOPS = 4


def langchain(url: str) -> Callable[[], Awaitable[Any]]:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="sk-test")

    async def call() -> Any:
        whole = "".join([str(each.content) async for each in model.astream("hello")])
        return [whole, (await model.ainvoke("hello")).content]

    return call


def agents(url: str) -> Callable[[], Awaitable[Any]]:
    from agents import Agent, OpenAIResponsesModel, Runner, set_tracing_disabled
    from openai import AsyncOpenAI

    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=url, api_key="sk-test")
    agent = Agent("a", model=OpenAIResponsesModel(model="gpt-4o-mini", openai_client=client))

    async def call() -> Any:
        return (await Runner.run(agent, "hello")).final_output

    return call


def instructor(url: str) -> Callable[[], Awaitable[Any]]:
    import instructor as library
    from openai import AsyncOpenAI

    from tests.dropin.samples import City

    client: Any = library.from_openai(AsyncOpenAI(base_url=url, api_key="sk-test"))
    messages = [{"role": "user", "content": "hello"}]

    async def call() -> Any:
        found = await client.chat.completions.create(model="gpt-4o-mini", messages=messages, response_model=City)
        return found.model_dump()

    return call


def pydantic_ai(url: str) -> Callable[[], Awaitable[Any]]:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=url, api_key="sk-test")))

    async def call() -> Any:
        return (await agent.run("hello")).output

    return call


def llama_index(url: str) -> Callable[[], Awaitable[Any]]:
    from llama_index.llms.openai import OpenAI

    model = OpenAI(model="gpt-4o-mini", api_base=url, api_key="sk-test")

    async def call() -> Any:
        return (await model.acomplete("hello")).text

    return call


def main(name: str) -> None:
    import aiopenai.dropin  # noqa: F401 - the switch
    from aiopenai.testing import Server

    with Server(answer="all flows") as server:
        call = globals()[name](server.base_url)
        answers = [asyncio.run(call()) for _ in range(LOOPS)]  # type: ignore[arg-type]
    sys.stdout.write("\n" + json.dumps(answers) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
