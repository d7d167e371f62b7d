"""aiohttp by hand: the usual code, and the same with every option of the session tuned."""

from __future__ import annotations

import base64
import io
import json
from array import array
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from benchmarks import answers

from . import ClientError
from .wire import Committed, TextDelta, decode_chunk, decode_completion, decode_event, encode


class Naive:
    """``session.post(json=...)`` and ``await response.json()``, lines of a stream one by one.

    The limit of connections is lifted: with the default of 100 a fan-out queues inside aiohttp.
    """

    def __init__(self, base_url: str) -> None:
        self._url = base_url
        self._headers = {"Authorization": "Bearer sk-bench"}
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def _ask(self, path: str, body: dict[str, Any] | None, method: str = "POST") -> Any:
        async with self._session.request(method, self._url + path, json=body, headers=self._headers) as response:
            if response.status != 200:
                raise ClientError(f"{response.status}: {await response.text()}")
            return await response.json()

    async def chat(self, model: str = answers.MODEL) -> str:
        reply = await self._ask("/chat/completions", answers.question(model))
        text: str = reply["choices"][0]["message"]["content"]
        return text

    async def upload(self) -> str:
        reply = await self._ask("/chat/completions", {"model": answers.MODEL, "messages": answers.images()})
        text: str = reply["choices"][0]["message"]["content"]
        return text

    async def logprobs(self) -> int:
        reply = await self._ask("/chat/completions", answers.question(answers.LONG))
        return len(reply["choices"][0]["logprobs"]["content"])

    async def _embed(self, encoding: str) -> Any:
        body = {"model": "text-embedding-3-small", "input": answers.INPUTS, "encoding_format": encoding}
        return [item["embedding"] for item in (await self._ask("/embeddings", body))["data"]]

    async def embed_floats(self) -> int:
        return sum(len(vector) for vector in await self._embed("float"))

    async def embed_lists(self) -> int:
        return sum(len(array("f", base64.b64decode(vector)).tolist()) for vector in await self._embed("base64"))

    async def embed_buffers(self) -> int:
        return sum(len(array("f", base64.b64decode(vector))) for vector in await self._embed("base64"))

    async def respond(self) -> int:
        reply = await self._ask("/responses", {"model": answers.MODEL, "input": "How are you today? " * 10})
        return len(reply["output"])

    async def list_files(self) -> int:
        return len((await self._ask("/files", None, "GET"))["data"])

    async def agent_loop(self) -> int:
        reply = await self._ask("/responses", {"model": answers.MODEL, "input": "Begin."})
        for _ in range(answers.AGENT_CALLS - 1):
            body = {"model": answers.MODEL, "input": "Go on.", "previous_response_id": reply["id"]}
            reply = await self._ask("/responses", body)
        return answers.AGENT_CALLS if len(reply["output"]) == answers.OUTPUT_ITEMS else 0

    async def stream(self, model: str = answers.MODEL) -> int:
        characters = 0
        body = answers.question(model, stream=True)
        async with self._session.post(self._url + "/chat/completions", json=body, headers=self._headers) as response:
            if response.status != 200:
                raise ClientError(f"{response.status}: {await response.text()}")
            async for line in response.content:
                line = line.strip()
                if line.startswith(b"data: ") and line != b"data: [DONE]":
                    text = json.loads(line[6:])["choices"][0]["delta"].get("content")
                    if text:
                        characters += len(text)
        return characters

    async def _socket(self) -> aiohttp.ClientWebSocketResponse:
        if self._sockets:
            return self._sockets.pop()
        return await self._session.ws_connect(self._url + "/realtime?model=gpt-realtime", headers=self._headers)

    async def socket_events(self, model: str = answers.MODEL) -> int:
        characters = 0
        websocket = await self._socket()
        await websocket.send_json({"type": "response.create", "response": {"metadata": {"model": model}}})
        async for message in websocket:
            event = json.loads(message.data)
            if event["type"] == "response.output_text.delta":
                characters += len(event["delta"])
            elif event["type"] == "response.done":
                break
        self._sockets.append(websocket)
        return characters

    async def socket_appends(self) -> int:
        websocket = await self._socket()
        for _ in range(answers.APPENDS):
            await websocket.send_json({"type": "input_audio_buffer.append", "audio": answers.AUDIO})
        await websocket.send_json({"type": "input_audio_buffer.commit"})
        event = await websocket.receive_json()
        self._sockets.append(websocket)
        return int(event["item_id"])

    async def close(self) -> None:
        for websocket in self._sockets:
            await websocket.close()
        await self._session.close()


class Tuned:
    """aiohttp without cookies and redirects, with prebuilt URL and headers, msgspec, and streams split in batches."""

    def __init__(self, base_url: str) -> None:
        self._url = URL(base_url + "/chat/completions")
        self._socket_url = URL(base_url + "/realtime?model=gpt-realtime")
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
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []

    async def _ask(self, body: bytes | io.BytesIO) -> str:
        async with self._session.post(self._url, data=body, headers=self._headers, allow_redirects=False) as response:
            reply = await response.read()
            if response.status != 200:
                raise ClientError(f"{response.status}: {reply[:200]!r}")
        return decode_completion(reply).choices[0].message.content or ""

    async def chat(self, model: str = answers.MODEL) -> str:
        return await self._ask(encode(answers.question(model)))

    async def upload(self) -> str:
        # aiohttp asks for a file object above this many bytes.
        return await self._ask(io.BytesIO(encode({"model": answers.MODEL, "messages": answers.images()})))

    async def stream(self, model: str = answers.MODEL) -> int:
        characters = 0
        rest = b""
        async with self._session.post(
            self._url, data=encode(answers.question(model, stream=True)), headers=self._headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise ClientError(f"{response.status}: {(await response.read())[:200]!r}")
            # The body is read past [DONE] to its end: only then does the connection return to the pool.
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    if event == b"data: [DONE]":
                        continue
                    text = decode_chunk(event[6:]).choices[0].delta.content
                    if text:
                        characters += len(text)
        return characters

    async def _socket(self) -> aiohttp.ClientWebSocketResponse:
        if self._sockets:
            return self._sockets.pop()
        return await self._session.ws_connect(self._socket_url, headers=self._headers, max_msg_size=0)

    async def socket_events(self, model: str = answers.MODEL) -> int:
        characters = 0
        websocket = await self._socket()
        question = {"type": "response.create", "response": {"metadata": {"model": model}}}
        await websocket.send_frame(encode(question), aiohttp.WSMsgType.TEXT)
        async for message in websocket:
            event = decode_event(message.data)
            if type(event) is TextDelta:
                characters += len(event.delta)
            else:
                break
        self._sockets.append(websocket)
        return characters

    async def socket_appends(self) -> int:
        websocket = await self._socket()
        for _ in range(answers.APPENDS):
            event = {"type": "input_audio_buffer.append", "audio": answers.AUDIO}
            await websocket.send_frame(encode(event), aiohttp.WSMsgType.TEXT)
        await websocket.send_frame(encode({"type": "input_audio_buffer.commit"}), aiohttp.WSMsgType.TEXT)
        committed = decode_event((await websocket.receive()).data)
        assert isinstance(committed, Committed)
        self._sockets.append(websocket)
        return int(committed.item_id)

    async def close(self) -> None:
        for websocket in self._sockets:
            await websocket.close()
        await self._session.close()
