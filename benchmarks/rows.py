"""The measurements as data. A new row is a new entry here; a new client is an entry in `clients`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from . import answers
from .clients import Operation

Loop = Literal["asyncio", "uvloop"]
Driver = Literal["lanes", "flood", "paced", "scheduled", "heavy", "construct", "first", "memory", "soak", "script"]

SUBJECT: Final = "aiopenai"


@dataclass(frozen=True)
class Budget:
    """A limit for the subject of a row, checked on the median of one measure (`stats.UNITS`).

    - ``faster``: the figure of the rival is at least `limit` times that of the subject.
    - ``within``: the figure of the subject is at most `limit` times that of the rival.
    - ``under``: the figure of the subject is at most `limit`; there is no rival.
    """

    kind: Literal["faster", "within", "under"]
    limit: float
    measure: str
    rival: str | None = None

    def __post_init__(self) -> None:
        if (self.rival is None) is not (self.kind == "under"):
            raise ValueError("a rival belongs to a ratio, and only there")


def faster(limit: float, rival: str, measure: str = "cpu") -> Budget:
    return Budget("faster", limit, measure, rival)


def within(limit: float, rival: str, measure: str = "cpu") -> Budget:
    return Budget("within", limit, measure, rival)


def under(limit: float, measure: str) -> Budget:
    return Budget("under", limit, measure)


@dataclass(frozen=True)
class Row:
    """One line of the comparison: `clients` make `operation` with `model` under `driver` (see drivers.py).

    - `measures`: the figures shown; the first one is the subject of the row.
    - `per`: the number of units (`unit`) in one operation.
    - `concurrency` and `least`: the number of lanes, and the least number of operations of each.
    - `count` and `seconds`: the operations of "paced", "scheduled" and "soak", and the time over which the first two
      spread them.
    - `fresh`: each turn gets a new process.
    - `turns`: turns per round. A quick run makes at most one of a row with `once`, and skips `slow` clients.
    """

    name: str
    title: str
    clients: tuple[str, ...]
    driver: Driver = "lanes"
    operation: Operation = "chat"
    model: str = answers.MODEL
    measures: tuple[str, ...] = ("cpu", "wall")
    unit: str = "call"
    concurrency: int = 1
    loop: Loop = "asyncio"
    tls: bool = False
    budgets: tuple[Budget, ...] = ()
    subject: str = SUBJECT
    turns: int = 1
    once: bool = False
    slow: frozenset[str] = frozenset()
    fresh: bool = False
    least: int = 10
    per: int = 1
    count: int = 0
    seconds: float | None = None
    scripts: Mapping[str, str] = field(default_factory=dict[str, str])


_REFERENCE: Final = ("openai", "openai-aiohttp")
_CHAT: Final = (SUBJECT, "tuned", "naive", *_REFERENCE, "liter-llm", "oxide", "node", "bare")
_BELOW_LITER: Final = (faster(1, "liter-llm", "p50"), faster(1, "liter-llm"))
_SOCKET: Final = (SUBJECT, "tuned", "naive", "openai", "bare")
_SLOW: Final = frozenset({"openai", "openai-aiohttp"})

_SDK_ANSWER: Final = """\
import asyncio
from {module} import AsyncOpenAI
async def main():
    async with AsyncOpenAI(api_key="sk-bench", base_url=URL) as client:
        reply = await client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "hi"}}])
        assert reply.choices[0].message.content
asyncio.run(main())
"""
_NAIVE_ANSWER: Final = """\
import asyncio, aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
        async with session.post(URL + "/chat/completions", json=body) as response:
            assert response.status == 200
            reply = await response.json()
            assert reply["choices"][0]["message"]["content"]
asyncio.run(main())
"""


def _paced_streams(
    name: str, suffix: str, loop: Loop, clients: tuple[str, ...], budgets: tuple[Budget, ...], slow: frozenset[str]
) -> Row:
    return Row(
        name,
        f"200 streams, an event every {answers.PACE_SECONDS * 1000:.0f} ms in each{suffix}",
        clients,
        driver="paced",
        operation="stream",
        model=answers.PACED,
        measures=("cpu", "p50", "p99"),
        unit="chunk",
        concurrency=200,
        loop=loop,
        budgets=budgets,
        least=1,
        per=answers.PACED_CHUNKS,
        count=200,
        # The starts are spread over one interval, so that the events of all streams alternate evenly.
        seconds=answers.PACE_SECONDS,
        once=True,
        slow=slow,
    )


def _reply(name: str, title: str, operation: Operation, *budgets: Budget) -> Row:
    return Row(name, title, (SUBJECT, "naive", "openai"), operation=operation, budgets=budgets, least=3, once=True)


ROWS: Final[tuple[Row, ...]] = (
    Row(
        "chat-1",
        "chat, one at a time",
        _CHAT,
        measures=("wall", "cpu", "p50", "p99"),
        slow=frozenset({"openai-aiohttp", "oxide", "node"}),
        budgets=(
            faster(8, "openai", "wall"),
            faster(1.5, "naive", "wall"),
            within(1.5, "bare", "wall"),
            *_BELOW_LITER,
        ),
        turns=2,
    ),
    Row(
        "chat-100",
        "chat, 100 at once",
        _CHAT,
        measures=("cpu", "wall", "p50", "p99"),
        concurrency=100,
        budgets=(
            faster(25, "openai"),
            faster(18, "openai-aiohttp"),
            faster(2.3, "naive"),
            within(1.8, "bare"),
            *_BELOW_LITER,
        ),
        turns=2,
        least=5,
        slow=frozenset({"oxide", "node"}),
    ),
    Row(
        "chat-100-uvloop",
        "chat, 100 at once, all on uvloop",
        (SUBJECT, "tuned", "naive", "bare"),
        concurrency=100,
        loop="uvloop",
        budgets=(faster(3, "naive"), within(2.3, "bare")),
        slow=frozenset({"tuned"}),
    ),
    # The first and the last wave are in lockstep, which costs some clients a third more than steady work.
    # The reference needs seconds for each wave: there is time for three.
    Row(
        "chat-1000",
        "chat, 1,000 at once",
        (SUBJECT, "tuned", "naive", *_REFERENCE, "bare"),
        concurrency=1_000,
        budgets=(faster(40, "openai"), faster(14, "openai-aiohttp"), faster(2.3, "naive"), within(3.5, "bare")),
        least=3,
        once=True,
        slow=_SLOW,
    ),
    Row(
        "chat-100-tls",
        "chat over TLS, 100 at once",
        (SUBJECT, "tuned", "naive", *_REFERENCE, "bare"),
        concurrency=100,
        tls=True,
        budgets=(faster(20, "openai"), faster(1.8, "naive")),
        least=5,
        slow=_SLOW | {"tuned"},
    ),
    Row(
        "flood",
        "10,000 at once on defaults, answers after 50 ms",
        (SUBJECT, "naive", "bare"),
        driver="flood",
        model=answers.SLOW,
        measures=("cpu", "wall", "errors"),
        concurrency=10_000,
        budgets=(under(0, "errors"), faster(1.5, "naive")),
        once=True,
        slow=frozenset({"bare"}),
    ),
    Row(
        "paced-calls",
        "chat, 300 calls a second, each on time",
        (SUBJECT, "tuned", "naive", "openai", "openai-aiohttp"),
        driver="paced",
        measures=("p50", "p99", "cpu"),
        concurrency=20,
        count=450,
        seconds=1.5,
        once=True,
        slow=_SLOW | {"tuned"},
    ),
    Row(
        "stream",
        "stream of 1,000 chunks",
        (SUBJECT, "tuned", "naive", *_REFERENCE, "liter-llm", "node", "bare"),
        operation="stream",
        unit="stream",
        budgets=(faster(45, "openai"), faster(3.5, "naive"), within(1.4, "bare")),
        slow=frozenset({"openai-aiohttp", "liter-llm", "node"}),
        least=3,
    ),
    Row(
        "streams-200",
        "200 streams of 1,000 chunks at once",
        (SUBJECT, "tuned", "naive", "openai", "bare"),
        operation="stream",
        unit="stream",
        concurrency=200,
        budgets=(faster(35, "openai"), faster(3, "naive")),
        least=1,
        once=True,
        slow=frozenset({"openai", "naive"}),
    ),
    _paced_streams(
        "paced-200",
        "",
        "asyncio",
        (SUBJECT, "tuned", "naive", "openai", "bare"),
        budgets=(faster(3.2, "openai"), faster(1.1, "naive")),
        slow=frozenset({"tuned", "openai", "bare"}),
    ),
    _paced_streams(
        "paced-200-uvloop",
        ", all on uvloop",
        "uvloop",
        (SUBJECT, "naive"),
        budgets=(faster(1.5, "naive"),),
        slow=frozenset({SUBJECT, "naive"}),
    ),
    Row(
        "socket-events",
        "text deltas received on one websocket",
        _SOCKET,
        operation="socket_events",
        unit="event",
        budgets=(faster(10, "openai"), within(1.4, "tuned")),
        least=50,
        per=answers.SOCKET_EVENTS,
        once=True,
        slow=frozenset({"openai", "naive"}),
    ),
    Row(
        "socket-appends",
        "audio of 20 ms sent on one websocket",
        _SOCKET,
        operation="socket_appends",
        unit="append",
        budgets=(faster(10, "openai"), within(1.4, "tuned")),
        least=2,
        per=answers.APPENDS,
        once=True,
        slow=frozenset({"openai", "naive"}),
    ),
    Row(
        "sockets-200",
        f"200 websockets, an event every {answers.PACE_SECONDS * 1000:.0f} ms in each",
        _SOCKET,
        driver="paced",
        operation="socket_events",
        model=answers.PACED,
        measures=("cpu", "p50", "p99"),
        unit="event",
        concurrency=200,
        budgets=(faster(1.7, "openai"), within(1.4, "tuned")),
        least=1,
        per=answers.PACED_CHUNKS,
        count=200,
        seconds=answers.PACE_SECONDS,
        once=True,
        slow=frozenset({"naive", "openai", "bare"}),
    ),
    Row(
        "agent-loop",
        "an agent's 20 calls, 30 ms per loaded context; aiopenai over a pool of websockets",
        (SUBJECT, "naive", "openai"),
        operation="agent_loop",
        measures=("wall", "cpu"),
        unit="loop",
        budgets=(faster(5, "openai", "wall"),),
        least=1,
        once=True,
    ),
    _reply(
        "embed-floats",
        "64 embeddings of 1,536, sent as decimals",
        "embed_floats",
        faster(25, "openai"),
        faster(2.2, "naive"),
    ),
    _reply(
        "embed-lists",
        "64 embeddings of 1,536, sent as base64, made lists",
        "embed_lists",
        faster(3, "openai"),
        faster(2, "naive"),
    ),
    _reply(
        "embed-buffers",
        "64 embeddings of 1,536, sent as base64, made arrays",
        "embed_buffers",
        faster(5, "openai"),
    ),
    _reply("responses-20", "responses.create with 20 output items", "respond", faster(15, "openai")),
    _reply("files-100", "files.list of 100", "list_files", faster(15, "openai")),
    Row(
        "logprobs",
        "one reply with 32,000 log probabilities",
        (SUBJECT, "naive", "openai"),
        operation="logprobs",
        budgets=(faster(15, "openai"), under(15_000, "cpu")),
        least=1,
        once=True,
    ),
    # Encoding alone is no fair rival: the system copies 24 MB into the socket for every client.
    Row(
        "upload",
        "a request of 24 MB of images as base64",
        (SUBJECT, "tuned", "naive", "openai", "bare", "sent", "encode"),
        driver="heavy",
        operation="upload",
        measures=("cpu", "wall", "blocked"),
        budgets=(within(1.3, "sent"), under(20, "blocked")),
        once=True,
        slow=frozenset({"naive", "openai", "bare"}),
    ),
    Row(
        "import",
        "import of the client",
        (SUBJECT, "aiohttp", "openai"),
        driver="script",
        measures=("wall", "cpu"),
        unit="process",
        budgets=(faster(5, "openai", "wall"), under(110_000, "wall"), within(0.33, "aiohttp", "wall")),
        turns=2,
        slow=frozenset({"openai"}),
        scripts={
            SUBJECT: "from aiopenai import AsyncOpenAI",
            "aiohttp": "import aiohttp",
            "openai": "from openai import AsyncOpenAI",
        },
    ),
    Row(
        "first-answer",
        "import, first client and first answer",
        (SUBJECT, "aiohttp", "openai"),
        driver="script",
        measures=("wall", "cpu"),
        unit="process",
        budgets=(within(1.05, "aiohttp", "wall"),),
        slow=frozenset({"openai"}),
        scripts={
            SUBJECT: _SDK_ANSWER.format(module="aiopenai"),
            "aiohttp": _NAIVE_ANSWER,
            "openai": _SDK_ANSWER.format(module="openai"),
        },
    ),
    Row(
        "first-client",
        "the first client",
        (SUBJECT, "openai"),
        driver="first",
        measures=("wall", "cpu"),
        unit="client",
        budgets=(faster(100, "openai", "wall"),),
        fresh=True,
    ),
    Row(
        "construct",
        "a second client",
        (SUBJECT, "openai"),
        driver="construct",
        measures=("wall", "cpu"),
        unit="client",
        budgets=(under(120, "wall"),),
        once=True,
    ),
    Row(
        "memory",
        "memory per 1,000 calls in flight",
        (SUBJECT, "tuned", "naive", *_REFERENCE, "bare"),
        driver="memory",
        unit="1,000 calls",
        model=answers.HELD,
        measures=("rss",),
        concurrency=1_000,
        budgets=(within(0.28, "openai", "rss"), within(0.75, "naive", "rss"), within(2.4, "bare", "rss")),
        once=True,
        slow=_SLOW | {"tuned"},
        fresh=True,
    ),
    Row(
        "blocking-1",
        "blocking client, one thread",
        ("aiopenai-blocking", "openai-blocking", SUBJECT),
        measures=("wall", "cpu", "p50"),
        budgets=(faster(6, "openai-blocking", "wall"), within(1.5, SUBJECT, "wall")),
        subject="aiopenai-blocking",
        turns=2,
    ),
    Row(
        "blocking-32",
        "blocking client, 32 threads",
        ("aiopenai-blocking", "openai-blocking"),
        measures=("cpu", "wall", "p50"),
        concurrency=32,
        budgets=(faster(18, "openai-blocking"),),
        subject="aiopenai-blocking",
        least=5,
        once=True,
    ),
    Row(
        "blocking-stream",
        "blocking client, stream of 1,000 chunks",
        ("aiopenai-blocking", "openai-blocking"),
        operation="stream",
        unit="stream",
        budgets=(faster(30, "openai-blocking"),),
        subject="aiopenai-blocking",
        least=3,
        once=True,
    ),
    Row(
        "soak",
        "200,000 calls and 2,000 streams, 1% cancelled, 1% failing",
        (SUBJECT,),
        driver="soak",
        measures=("growth", "sockets", "left", "cpu"),
        # The sockets in use, not the bound of a hundred lanes.
        budgets=(under(5, "growth"), under(100, "sockets"), under(0, "left")),
        count=200_000,
        once=True,
        fresh=True,
    ),
)


@dataclass(frozen=True)
class Plan:
    """The extent of a run: `rounds` of fresh processes, `turns` times those of a row, `seconds` per turn.

    A quick run gives each row exactly `turns` turns. `shorter` divides the count of "soak", which has a single turn.
    """

    rounds: int
    turns: int
    seconds: float
    shorter: int = 1
    quick: bool = False

    def turns_of(self, row: Row, number: int) -> int:
        """Returns the number of turns of `row` in round `number`, from 1."""
        if row.driver == "soak":
            return int(number == 1)
        if self.quick:
            return 1 if row.once else self.turns
        return self.turns * row.turns

    def clients_of(self, row: Row) -> tuple[str, ...]:
        clients = tuple(client for client in row.clients if not (self.quick and client in row.slow))
        return clients if row.subject in clients else ()


QUICK: Final = Plan(rounds=1, turns=2, seconds=0.08, shorter=100, quick=True)
FULL: Final = Plan(rounds=5, turns=1, seconds=0.3)
