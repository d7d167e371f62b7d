"""aiohttp by hand: as most people write it, and with every option of the session tuned."""

from __future__ import annotations

import json

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from benchmarks import answers

from . import ClientError
from .wire import decode_chunk, decode_completion, encode

_PATH = "/chat/completions"


class Naive:
    """``session.post(json=...)`` and ``await response.json()``, lines of a stream one by one.

    The connection limit is lifted, as everybody who fans out has had to learn.
    """

    def __init__(self, base_url: str) -> None:
        self._url = base_url + _PATH
        self._headers = {"Authorization": "Bearer sk-bench"}
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def chat(self) -> str:
        async with self._session.post(self._url, json=answers.question(), headers=self._headers) as response:
            if response.status != 200:
                raise ClientError(f"{response.status}: {await response.text()}")
            reply = await response.json()
        text: str = reply["choices"][0]["message"]["content"]
        return text

    async def stream(self) -> int:
        characters = 0
        body = answers.question(stream=True)
        async with self._session.post(self._url, json=body, headers=self._headers) as response:
            if response.status != 200:
                raise ClientError(f"{response.status}: {await response.text()}")
            async for line in response.content:
                line = line.strip()
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                    if text:
                        characters += len(text)
        return characters

    async def close(self) -> None:
        await self._session.close()


class Tuned:
    """No cookies, no redirects, prebuilt URL and headers, msgspec both ways, a stream split by batches."""

    def __init__(self, base_url: str) -> None:
        self._url = URL(base_url + _PATH)
        self._headers = CIMultiDict(
            {
                "Authorization": "Bearer sk-bench",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": "handwritten/1",
            }
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=600),
        )

    async def chat(self) -> str:
        async with self._session.post(
            self._url, data=encode(answers.question()), headers=self._headers, allow_redirects=False
        ) as response:
            body = await response.read()
            if response.status != 200:
                raise ClientError(f"{response.status}: {body[:200]!r}")
        return decode_completion(body).choices[0].message.content or ""

    async def stream(self) -> int:
        characters = 0
        rest = b""
        async with self._session.post(
            self._url, data=encode(answers.question(stream=True)), headers=self._headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise ClientError(f"{response.status}: {(await response.read())[:200]!r}")
            # Read to the end of the body, past [DONE]: only then does the connection go back to the pool.
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    text = decode_chunk(event[6:]).choices[0].delta.content
                    if text:
                        characters += len(text)
        return characters

    async def close(self) -> None:
        await self._session.close()
