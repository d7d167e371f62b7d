"""portkey-ai, which vendors the reference and takes parts of it."""

from __future__ import annotations

from typing import Any

from portkey_ai import AsyncPortkey, Portkey

NEEDS = "portkey_ai"
_HELLO: Any = [{"role": "user", "content": "hello to all"}]


def chat(url: str) -> Any:
    return Portkey(base_url=url, api_key="k").chat.completions.create(model="gpt-4o-mini", messages=_HELLO)


async def chat_async(url: str) -> Any:
    client = AsyncPortkey(base_url=url, api_key="k")
    return await client.chat.completions.create(model="gpt-4o-mini", messages=_HELLO)
