"""Chaos: sockets cut at random while both sides send.

No message is delivered twice. A cut loses only what was on its way: the last messages that were written to a socket.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
from typing import Any

import pytest

from aiopenai.errors import WebSocketConnectionClosedError

from .conftest import Both, Peer, Scripted

# 150 in the suite; 2,000 with the environment variable.
CUTS = int(os.environ.get("AIOPENAI_CHAOS_CUTS", "150"))


async def collect(both: Both, connection: Any, into: list[int]) -> None:
    """Puts the number of each event into a list, until the end of the connection."""
    if not both.blocking:
        async for event in connection:
            into.append(event.number)
        return

    def read() -> None:
        for event in connection:
            into.append(event.number)

    await asyncio.to_thread(read)


@pytest.mark.timeout(240)
async def test_cut_sockets_deliver_each_message_once_and_in_order(both: Both) -> None:
    # By connection: what the server heard, and what it told.
    heard: list[list[int]] = []
    told: list[list[int]] = []
    before_close: list[list[int]] = []
    dice = random.Random(5)
    numbers = iter(range(10**9))

    async def script(peer: Peer) -> None:
        hears: list[int] = []
        tells: list[int] = []
        heard.append(hears)
        told.append(tells)
        for _ in range(dice.randrange(4)):
            number = next(numbers)
            tells.append(number)
            await peer.say(json.dumps({"type": "told", "number": number}))
        for _ in range(dice.randrange(4)):
            message = await peer.socket.receive(timeout=5)
            if not isinstance(message.data, str):
                break
            hears.append(json.loads(message.data)["number"])
        last = len(server.requests) > CUTS
        if not last and dice.random() < 0.5:
            peer.cut()
            return
        if not peer.socket.closed:
            before_close.append(tells)
        await peer.end(1000 if last else dice.choice([1001, 1011, 1012]))

    queued: list[int] = []
    attempted: list[int] = []
    received: list[int] = []
    unsent: list[int] = []
    async with Scripted(script) as server:
        manager = both.client(server).realtime.connect(
            model="m", on_reconnecting=lambda _: None, max_retries=10**6, initial_delay=1e-6, max_delay=1e-6
        )
        connection: Any = await both(manager.enter)
        over = False

        async def send() -> None:
            number = 0
            while not over:
                number += 1
                waits = connection._is_reconnecting
                try:
                    await both(connection.send, {"type": "x", "number": number})
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
            await collect(both, connection, received)
        except WebSocketConnectionClosedError as error:
            unsent += [json.loads(message)["number"] for message in error.unsent_messages]
        over = True
        await sending
        await both(connection.close)
    assert len(server.requests) == CUTS + 1
    accepted = {*queued, *attempted}
    assert queued
    assert len(accepted) > CUTS
    # In order, and never twice.
    arrived = list(itertools.chain(*heard))
    assert arrived == sorted(set(arrived))
    assert received == sorted(set(received))
    assert set(received) <= set(itertools.chain(*told))
    assert set(arrived) <= {*accepted, *unsent}
    # What was queued and is reported as unsent was not sent.
    assert not accepted & {*arrived} & {*unsent}
    # Of what was written to one socket, the end alone can be lost.
    assert any(len(hears) > 2 for hears in heard)
    for hears in filter(None, heard):
        assert accepted.intersection(range(hears[0], hears[-1])) <= {*hears}
    for tells in told:
        count = len({*tells} & {*received})
        assert {*tells[:count]} <= {*received}
    # Nothing before a close frame is, also on a socket that closed before the queue was sent.
    assert before_close
    assert set(itertools.chain(*before_close)) <= set(received)
