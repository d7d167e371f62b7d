"""Rounds and turns: starts the processes, alternates the turns A B A B and collects the samples."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import process
from .clients import CLIENTS
from .process import Child, ChildError, Cores
from .rows import Plan, Row
from .stats import Sample

# The slowest turns take half a minute; a longer one hangs.
_PATIENCE = 120.0

_SCRIPT = """\
import os, sys, time
if sys.argv[1] != "None": os.sched_setaffinity(0, {int(sys.argv[1])})
sys.modules["numpy"] = None
URL = sys.argv[3]
cpu = time.process_time(); wall = time.perf_counter()
exec(sys.argv[2])
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


@dataclass
class RowResult:
    """The samples of a row: one entry per client and turn, None for a failed turn; and the errors."""

    row: Row
    samples: dict[str, list[Sample | None]]
    errors: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Results:
    """The input of a report."""

    plan: Plan
    cores: Cores
    server_loop: str
    rows: tuple[RowResult, ...]


Progress = Callable[[str], None]


async def run(rows: Sequence[Row], plan: Plan, progress: Progress = lambda text: None) -> Results:
    """Measures `rows` by `plan`. A client that fails is skipped for the rest of that row."""
    cores = process.choose_cores()
    results = [RowResult(row, {client: [] for client in plan.clients_of(row)}) for row in rows]
    results = [result for result in results if result.samples]
    async with await Child.start("benchmarks.server", core=cores.server) as server:
        hello = await server.receive(_PATIENCE)
        for number in range(1, plan.rounds + 1):
            progress(f"round {number} of {plan.rounds}")
            measured = _Round(plan, cores, int(hello["port"]), int(hello["tls_port"]))
            try:
                for result in results:
                    if turns := plan.turns_of(result.row, number):
                        progress(f"  {result.row.title}")
                        for _ in range(turns):
                            for name, samples in result.samples.items():
                                samples.append(await measured.turn(name, result))
            finally:
                await measured.stop()
    return Results(plan, cores, str(hello["loop"]), tuple(results))


class _Round:
    """The processes of a round, each started at the first turn of its client."""

    def __init__(self, plan: Plan, cores: Cores, port: int, tls_port: int) -> None:
        self._plan = plan
        self._cores = cores
        self._urls = (f"http://127.0.0.1:{port}/v1", f"https://127.0.0.1:{tls_port}/v1")
        self._workers: dict[tuple[str, bool], Child] = {}
        self._broken: dict[str, str] = {}

    async def turn(self, name: str, result: RowResult) -> Sample | None:
        """Runs one turn of one client; returns None and notes an error in `result` if it fails."""
        if name in result.errors:
            return None
        row = result.row
        try:
            if row.driver == "script":
                return await self._script(row.scripts[name])
            if name in self._broken:
                raise ChildError(self._broken[name])
            if row.fresh:
                async with await self._start(name, row.tls) as worker:
                    return await self._ask(worker, row)
            worker = self._workers.get((name, row.tls)) or await self._start(name, row.tls)
            # A child that reports an error can take further turns; it is dropped only if it hangs or ends.
            self._workers[name, row.tls] = worker
            return await self._ask(worker, row)
        except ChildError as exc:
            result.errors[name] = str(exc)
            if (ended := self._workers.get((name, row.tls))) is not None and ended.lost:
                del self._workers[name, row.tls]
                await ended.stop()
            return None

    async def stop(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))

    async def _start(self, name: str, tls: bool) -> Child:
        plain, secure = self._urls
        worker = await Child.start(
            CLIENTS[name].worker,
            name,
            *("--base-url", secure if tls else plain, "--control", plain),
            core=self._cores.client,
            trusting=process.CERTIFICATE if tls else None,
        )
        try:
            await worker.receive(_PATIENCE)
        except ChildError as exc:
            self._broken[name] = str(exc)
            await worker.stop()
            raise
        return worker

    async def _ask(self, worker: Child, row: Row) -> Sample:
        turn = {
            "driver": row.driver,
            "operation": row.operation,
            "model": row.model,
            "concurrency": row.concurrency,
            "seconds": self._plan.seconds if row.seconds is None else row.seconds,
            "loop": row.loop,
            "least": row.least,
            "per": row.per,
            "count": row.count // self._plan.shorter if row.driver == "soak" else row.count,
        }
        answer = await worker.ask(turn, _PATIENCE)
        return Sample(answer["calls"], answer["wall"], answer["cpu"], answer["more"])

    async def _script(self, script: str) -> Sample:
        proc = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _SCRIPT,
            str(self._cores.client),
            script,
            self._urls[0],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=process.environment(),
        )
        try:
            out, err = await asyncio.wait_for(proc.communicate(), _PATIENCE)
        except asyncio.TimeoutError:
            proc.kill()
            await proc.wait()
            raise ChildError(f"a script was not done within {_PATIENCE:g} s") from None
        if proc.returncode != 0:
            last = err.decode(errors="replace").strip().rpartition("\n")[2]
            raise ChildError(last or f"exit code {proc.returncode}")
        wall, cpu = out.split()
        return Sample(1, float(wall), float(cpu))
