"""What is measured, as data. A new row is a new entry here; a new client is an entry in `clients`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Workload = Literal["chat", "stream", "construct", "import"]

SUBJECT: Final = "aiopenai"


@dataclass(frozen=True)
class Budget:
    """A limit for `SUBJECT`, judged on the median.

    ``throughput``: operations per second, at least `limit` times those of `rival`. ``time``: wall clock per operation,
    under `limit` times that of `rival`, or under `limit` microseconds when there is no rival.
    """

    measure: Literal["throughput", "time"]
    limit: float
    rival: str | None = None

    def __post_init__(self) -> None:
        if self.measure == "throughput" and self.rival is None:
            raise ValueError("a throughput budget needs a rival")


@dataclass(frozen=True)
class Row:
    """One line of the comparison: `clients` do `workload`, `concurrency` at once.

    `unit` names one operation. A round gives at most `max_turns` turns; a quick run leaves `slow` clients out.
    """

    name: str
    title: str
    workload: Workload
    clients: tuple[str, ...]
    unit: str = "call"
    concurrency: int = 1
    budgets: tuple[Budget, ...] = ()
    max_turns: int = 99
    slow: frozenset[str] = frozenset()


_CHAT_CLIENTS: Final = (SUBJECT, "tuned", "naive", "openai", "bare")

ROWS: Final[tuple[Row, ...]] = (
    Row("chat-1", "chat, one at a time", "chat", _CHAT_CLIENTS),
    Row(
        "chat-100",
        "chat, 100 at once",
        "chat",
        _CHAT_CLIENTS,
        concurrency=100,
        budgets=(Budget("throughput", 0.85, "tuned"), Budget("throughput", 9, "openai")),
    ),
    # The reference needs seconds for one wave of 1,000: a quick run cannot afford it.
    Row(
        "chat-1000",
        "chat, 1,000 at once",
        "chat",
        _CHAT_CLIENTS,
        concurrency=1_000,
        max_turns=1,
        slow=frozenset({"openai"}),
    ),
    Row(
        "stream",
        "stream of 1,000 chunks",
        "stream",
        (SUBJECT, "tuned", "naive", "openai"),
        unit="stream",
        budgets=(Budget("throughput", 0.6, "tuned"), Budget("throughput", 25, "openai")),
    ),
    Row(
        "construct",
        "a second client",
        "construct",
        (SUBJECT, "openai"),
        unit="client",
        budgets=(Budget("time", 200),),
        max_turns=2,
    ),
    Row(
        "import",
        "import and first client",
        "import",
        (SUBJECT, "tuned", "openai"),
        unit="process",
        budgets=(Budget("time", 1.25, "tuned"),),
        slow=frozenset({"openai"}),
    ),
)

# What a program of each kind has to execute before its first request.
_CLIENT_ARGUMENTS: Final = "api_key='sk-bench', base_url='http://127.0.0.1:9/v1'"
IMPORTS: Final[dict[str, str]] = {
    SUBJECT: f"import aiopenai; aiopenai.AsyncOpenAI({_CLIENT_ARGUMENTS})",
    "openai": f"import openai; openai.AsyncOpenAI({_CLIENT_ARGUMENTS})",
    "tuned": "import aiohttp, msgspec",
}


@dataclass(frozen=True)
class Plan:
    """How much is measured: `rounds` of fresh processes, `turns` per row and round, `seconds` a turn.

    `imports` is the number of interleaved runs of the import row, each in a process of its own.
    """

    rounds: int
    turns: int
    seconds: float
    imports: int
    quick: bool = False

    def turns_of(self, row: Row) -> int:
        return min(row.max_turns, self.turns)

    def clients_of(self, row: Row) -> tuple[str, ...]:
        return tuple(client for client in row.clients if not (self.quick and client in row.slow))


QUICK: Final = Plan(rounds=2, turns=3, seconds=0.15, imports=7, quick=True)
FULL: Final = Plan(rounds=5, turns=3, seconds=0.5, imports=15)
