"""Rounds and turns: starts the processes, hands out turns A B A B, collects the samples."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import process
from .process import Child, ChildError, Cores
from .rows import IMPORTS, Plan, Row
from .stats import Sample

# The slowest turn, 1,000 lanes of the reference, takes about 45 s; only something stuck takes this long.
_PATIENCE = 180.0

_IMPORT_CODE = """\
import os, sys, time
if sys.argv[1] != "None": os.sched_setaffinity(0, {int(sys.argv[1])})
cpu = time.process_time(); wall = time.perf_counter()
exec(sys.argv[2])
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


@dataclass
class RowResult:
    """The samples of a row: per client one entry a turn, None where that turn failed; and why."""

    row: Row
    samples: dict[str, list[Sample | None]]
    errors: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Results:
    """Everything a report needs."""

    plan: Plan
    cores: Cores
    server_loop: str
    rows: tuple[RowResult, ...]


Progress = Callable[[str], None]


async def run(rows: Sequence[Row], plan: Plan, progress: Progress = lambda text: None) -> Results:
    """Measure `rows` by `plan`. A client that fails is left out of the rest of that row; the others go on."""
    cores = process.choose_cores()
    results = [RowResult(row, {client: [] for client in plan.clients_of(row)}) for row in rows]
    turns = [result for result in results if result.row.workload != "import"]
    server_loop = ""
    if turns:
        server = await Child.start("benchmarks.server", *_core(cores.server))
        try:
            hello = await server.receive(_PATIENCE)
            server_loop = str(hello["loop"])
            base_url = f"http://127.0.0.1:{hello['port']}/v1"
            for number in range(1, plan.rounds + 1):
                progress(f"round {number} of {plan.rounds}")
                await _round(turns, plan, cores, base_url, progress)
        finally:
            await server.stop()
    for result in results:
        if result.row.workload == "import":
            progress(result.row.title)
            await _imports(result, plan, cores)
    return Results(plan, cores, server_loop, tuple(results))


def _core(core: int | None) -> tuple[str, ...]:
    return () if core is None else ("--core", str(core))


async def _round(results: Sequence[RowResult], plan: Plan, cores: Cores, base_url: str, progress: Progress) -> None:
    names = dict.fromkeys(name for result in results for name in result.samples)
    workers: dict[str, Child] = {}
    broken: dict[str, str] = {}
    try:
        for name in names:
            workers[name] = await Child.start("benchmarks.worker", name, "--base-url", base_url, *_core(cores.client))
        for name in names:
            try:
                await workers[name].receive(_PATIENCE)
            except ChildError as exc:
                broken[name] = str(exc)
        for result in results:
            progress(f"  {result.row.title}")
            result.errors.update({name: broken[name] for name in result.samples if name in broken})
            for _ in range(plan.turns_of(result.row)):
                for name, samples in result.samples.items():
                    samples.append(await _turn(workers[name], name, result, plan.seconds))
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers.values()))


async def _turn(worker: Child, name: str, result: RowResult, seconds: float) -> Sample | None:
    if name in result.errors:
        return None
    row = result.row
    turn = {"workload": row.workload, "concurrency": row.concurrency, "seconds": seconds}
    try:
        answer = await worker.ask(turn, _PATIENCE + seconds)
    except ChildError as exc:
        result.errors[name] = str(exc)
        return None
    return Sample(answer["calls"], answer["wall"], answer["cpu"])


async def _imports(result: RowResult, plan: Plan, cores: Cores) -> None:
    # The first pass writes the byte code and warms the file cache; its figures are dropped.
    for number in range(plan.imports + 1):
        for name, samples in result.samples.items():
            sample = None
            if name not in result.errors:
                try:
                    sample = await _import(IMPORTS[name], cores.client)
                except ChildError as exc:
                    result.errors[name] = str(exc)
            if number:
                samples.append(sample)


async def _import(statement: str, core: int | None) -> Sample:
    proc = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _IMPORT_CODE,
        str(core),
        statement,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=process.environment(),
    )
    try:
        out, err = await asyncio.wait_for(proc.communicate(), _PATIENCE)
    except asyncio.TimeoutError:
        proc.kill()
        await proc.wait()
        raise ChildError(f"{statement}: not done within {_PATIENCE:g} s") from None
    if proc.returncode != 0:
        last = err.decode(errors="replace").strip().rpartition("\n")[2]
        raise ChildError(last or f"exit code {proc.returncode}")
    wall, cpu = out.split()
    return Sample(1, float(wall), float(cpu))
