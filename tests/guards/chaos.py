"""Many calls and streams at once against a server that misbehaves: `chaos(...)` checks the end of each.

Each caller gets the answer to its own request, a typed error, or the cancellation that was asked for. Nothing else may
happen, nothing is left, and the client works afterwards. The seed decides what is asked of the server and when calls
are cancelled.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from aiopenai import AsyncOpenAI, OpenAIError, Timeout
from tests.guards import server as manners
from tests.guards.residue import clean, new_loop, on_transport
from tests.guards.server import ChaosServer, content_of, pieces_of

__all__ = ["Chaos", "chaos"]

# Stalls last for as long as the read limit.
LIMITS = Timeout(connect=10.0, read=0.4, write=0.4, pool=None)
AT_ONCE = 100
UPLOAD = bytes(range(256)) * 1_200


class Chaos:
    """A run of calls on one client; `counts` has their ends by kind."""

    def __init__(self, client: AsyncOpenAI, seed: int) -> None:
        self._client = client
        self._rest = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    async def run(self, calls: int, streams: int) -> None:
        """Makes so many calls and streams, and a tenth as many uploads."""
        work = ["call"] * calls + ["stream"] * streams + ["upload"] * (streams // 2)
        self._rest.shuffle(work)
        plans = iter([(f"{kind}-{number}", kind, *self._plan(kind)) for number, kind in enumerate(work)])

        async def worker() -> None:
            for name, kind, manner, cancel_after in plans:
                await self._one(name, kind, manner, cancel_after)

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    def _plan(self, kind: str) -> tuple[str, float | None]:
        """Returns the manners of the server for each attempt, and when the caller gives up."""
        rest = self._rest
        if kind == "upload":
            return rest.choice(list(manners.UPLOADS)), rest.random() * 0.02 if rest.random() < 0.1 else None
        benign, hostile = (
            (manners.BENIGN_CALLS, manners.HOSTILE_CALLS)
            if kind == "call"
            else (manners.BENIGN_STREAMS, manners.HOSTILE_STREAMS)
        )
        attempts = [rest.choice(list(hostile if rest.random() < 0.4 else benign)) for _ in range(3)]
        if kind == "call" and rest.random() < 0.9:
            # Stalls take time, and are drawn less often.
            attempts = ["busy" if name.startswith("stall") else name for name in attempts]
        return ",".join(attempts), rest.random() ** 2 * 0.05 if rest.random() < 0.15 else None

    async def _one(self, name: str, kind: str, manner: str, cancel_after: float | None) -> None:
        task = asyncio.ensure_future(getattr(self, f"_{kind}")(name, manner))
        told = False
        if cancel_after is not None:
            await asyncio.wait([task], timeout=cancel_after)
            told = task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            self.counts["cancelled"] += 1
            if not told:
                self.wrong.append(f"{name} ({manner}): cancelled without being told")
            return
        if told:
            self.wrong.append(f"{name} ({manner}): the cancellation was lost")
        error = task.exception()
        if error is None:
            self.counts[f"{kind} answered"] += 1
        else:
            self.counts[f"{kind}: {type(error).__name__}"] += 1
            if not isinstance(error, OpenAIError):
                self.wrong.append(f"{name} ({manner}): {error!r}")
            elif "refused: " in str(error) and f"refused: {name}" not in str(error):
                self.wrong.append(f"{name} ({manner}): has the refusal of another: {error}")

    def _check(self, name: str, found: object, due: object) -> None:
        if found != due:
            self.wrong.append(f"{name}: {found!r} instead of {due!r}")

    async def _call(self, name: str, manner: str) -> None:
        reply = await self._client.chat.completions.create(**asked(name, manner))
        self._check(name, (reply.id, reply.choices[0].message.content), (name, content_of(name)))

    async def _stream(self, name: str, manner: str) -> None:
        pieces: list[str] = []
        try:
            async with await self._client.chat.completions.create(**asked(name, manner), stream=True) as stream:
                async for chunk in stream:
                    self._check(name, chunk.id, name)
                    if content := chunk.choices[0].delta.content:
                        pieces.append(content)
        except OpenAIError as error:
            partial = getattr(error, "partial", None)
            self._check(name, pieces, pieces_of(name)[: len(pieces)])
            self._check(name, partial and partial.text, "".join(pieces) if partial else partial)
            raise
        self._check(name, pieces, pieces_of(name))

    async def _upload(self, name: str, manner: str) -> None:
        headers = {"x-name": name, "x-manners": manner}
        reply = await self._client.files.create(file=("a.txt", UPLOAD), purpose="batch", extra_headers=headers)
        self._check(name, reply.id, name)


def asked(name: str, manner: str = "whole") -> dict[str, Any]:
    """The arguments of a chat call that asks for manners of the server."""
    return {"model": "m", "messages": [{"role": "user", "content": name}], "user": manner}


async def afterwards(client: AsyncOpenAI) -> None:
    """Asserts that a client works."""
    for _ in range(3):
        names = [f"after-{number}" for number in range(30)]
        replies = await asyncio.gather(
            *(client.with_options(timeout=30.0).chat.completions.create(**asked(name)) for name in names)
        )
        assert [reply.id for reply in replies] == names


def chaos(seed: int, calls: int, streams: int, *, transport: str, loop: str, **options: Any) -> Counter[str]:
    """Makes the run of a seed and asserts its outcome; returns how its calls ended."""

    async def run(server: ChaosServer) -> Counter[str]:
        async with AsyncOpenAI(
            api_key="k", base_url=server.base_url, timeout=LIMITS, max_retries=2, **options
        ) as client:
            course = Chaos(client, seed)
            await course.run(calls, streams)
            await afterwards(client)
        assert not course.wrong, course.wrong[:10]
        return course.counts

    async def checked() -> Counter[str]:
        async with clean():
            with ChaosServer(seed) as server:
                counts = await run(server)
        assert not server.faults, server.faults[:3]
        return counts

    own = new_loop(loop)
    asyncio.set_event_loop(own)
    try:
        with on_transport(transport):
            counts = own.run_until_complete(checked())
            own.run_until_complete(own.shutdown_asyncgens())
            own.run_until_complete(own.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        own.close()
    # Most of what can be answered is; otherwise the run would check nothing.
    assert counts["call answered"] > 0.5 * calls
    assert counts["stream answered"] > 0.3 * streams
    return counts
