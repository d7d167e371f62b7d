"""Chaos: sockets cut at random while both sides send. No message is delivered twice, and none is lost silently."""

from __future__ import annotations

import asyncio
import json
import os
import random
from typing import Any

from aiopenai import AsyncOpenAI
from aiopenai.errors import WebSocketConnectionClosedError

from .conftest import Peer, Scripted

# 200 in the suite; 2,000 with the environment variable.
CUTS = int(os.environ.get("AIOPENAI_CHAOS_CUTS", "200"))


async def test_cut_sockets_deliver_each_message_once_or_report_it() -> None:
    heard: list[int] = []
    told: list[int] = []
    dice = random.Random(5)
    numbers = iter(range(10**9))

    async def script(peer: Peer) -> None:
        for _ in range(dice.randrange(4)):
            number = next(numbers)
            told.append(number)
            await peer.say(json.dumps({"type": "told", "number": number}))
        for _ in range(dice.randrange(4)):
            message = await peer.socket.receive(timeout=5)
            if not isinstance(message.data, str):
                break
            heard.append(json.loads(message.data)["number"])
        if len(server.requests) > CUTS:
            await peer.end(1000)
        elif dice.random() < 0.5:
            peer.cut()
        else:
            await peer.end(dice.choice([1001, 1011, 1012]))

    queued: list[int] = []
    attempted: list[int] = []
    received: list[int] = []
    unsent: list[int] = []
    async with Scripted(script) as server, AsyncOpenAI(api_key="k", base_url=server.base_url) as client:
        manager = client.realtime.connect(
            model="m", on_reconnecting=lambda _: None, max_retries=10**6, initial_delay=1e-6, max_delay=1e-6
        )
        connection: Any = await manager.enter()

        async def send() -> None:
            number = 0
            while True:
                number += 1
                waits = connection._is_reconnecting
                try:
                    await connection.send({"type": "x", "number": number})
                except WebSocketConnectionClosedError:
                    # Reported to its sender, or handed to the socket that broke.
                    unsent.append(number)
                else:
                    (queued if waits else attempted).append(number)
                await asyncio.sleep(0)
                if dice.random() < 0.5:
                    await asyncio.sleep(0.0005)

        sending = asyncio.ensure_future(send())
        try:
            async for event in connection:
                received.append(event.number)
        except WebSocketConnectionClosedError as error:
            unsent += [json.loads(message)["number"] for message in error.unsent_messages]
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await connection.close()
    assert len(server.requests) == CUTS + 1
    # In order, and never twice.
    assert heard == sorted(set(heard))
    assert received == sorted(set(received))
    assert set(received) <= set(told)
    assert set(heard) <= {*queued, *attempted, *unsent}
    # A number is in one of the lists: no send ends without a word.
    assert not {*queued, *attempted} & {*heard} & {*unsent}
    assert len(queued) + len(attempted) > CUTS
