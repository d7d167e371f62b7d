"""browser-use: its model class."""

from __future__ import annotations

import os
from typing import Any

os.environ.update(ANONYMIZED_TELEMETRY="false", BROWSER_USE_SETUP_LOGGING="false")
from browser_use.llm.messages import SystemMessage, UserMessage
from browser_use.llm.openai.chat import ChatOpenAI

from tests.dropin.samples import City

NEEDS = "browser_use"
_HELLO = [SystemMessage(content="Be brief."), UserMessage(content="hello to all")]


async def chat(url: str) -> Any:
    return await ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="sk-test").ainvoke(_HELLO)


async def structured(url: str) -> Any:
    return await ChatOpenAI(model="gpt-4o-mini", base_url=url, api_key="sk-test").ainvoke(_HELLO, output_format=City)
