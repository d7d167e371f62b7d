"""Results as a table for people and as one JSON document for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from .clients import CLIENTS
from .rows import SUBJECT, Budget, Plan
from .runner import Results, RowResult
from .stats import Spread, ratios, spread

_PACKAGES: Final = ("aiopenai", "aiohttp", "msgspec", "openai", "pydantic", "httpx2", "tenacity", "uvloop")


def environment() -> dict[str, Any]:
    """Machine, interpreter and the versions that matter; a package that is not installed is left out."""
    versions: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "versions": versions,
    }


def verdict(result: RowResult, budget: Budget) -> tuple[float, bool] | None:
    """The value that `budget` looks at and whether it holds; None when either side has no figures."""
    subject = result.samples.get(SUBJECT, [])
    if budget.rival is None:
        times = spread([sample.wall_us for sample in subject if sample is not None])
        return None if times is None else (times.median, times.median < budget.limit)
    rival = result.samples.get(budget.rival, [])
    if budget.measure == "throughput":
        factor = ratios(rival, subject, "wall")
        return None if factor is None else (factor.median, factor.median >= budget.limit)
    factor = ratios(subject, rival, "wall")
    return None if factor is None else (factor.median, factor.median < budget.limit)


def _text(budget: Budget) -> str:
    if budget.rival is None:
        return f"{budget.measure} < {budget.limit:g} us"
    sign = ">=" if budget.measure == "throughput" else "<"
    return f"{budget.measure} {sign} {budget.limit:g} x {CLIENTS[budget.rival].title}"


def as_json(results: Results) -> dict[str, Any]:
    """The results with every sample. Times are microseconds per operation, ratios the rival's over aiopenai's."""
    return {
        "environment": environment(),
        "plan": asdict(results.plan),
        "cores": results.cores._asdict(),
        "server_loop": results.server_loop,
        "rows": [_row_json(result) for result in results.rows],
    }


def _row_json(result: RowResult) -> dict[str, Any]:
    row = result.row
    subject = result.samples.get(SUBJECT, [])
    clients: dict[str, Any] = {}
    for name, samples in result.samples.items():
        taken = [sample for sample in samples if sample is not None]
        clients[name] = {
            "title": CLIENTS[name].title,
            "error": result.errors.get(name),
            "wall_us": _spread_json(spread([sample.wall_us for sample in taken])),
            "cpu_us": _spread_json(spread([sample.cpu_us for sample in taken])),
            "ratio": {
                clock: _spread_json(ratios(samples, subject, clock)) for clock in ("wall", "cpu") if name != SUBJECT
            },
            "samples": [None if sample is None else asdict(sample) for sample in samples],
        }
    budgets: list[dict[str, Any]] = []
    for budget in row.budgets:
        value = verdict(result, budget)
        budgets.append(
            {
                **asdict(budget),
                "text": _text(budget),
                "value": None if value is None else value[0],
                "passed": None if value is None else value[1],
            }
        )
    return {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "concurrency": row.concurrency,
        "clients": clients,
        "budgets": budgets,
    }


def _spread_json(value: Spread | None) -> dict[str, float] | None:
    return None if value is None else {"median": value.median, "low": value.low, "high": value.high}


def as_text(results: Results) -> str:
    """The table."""
    return "\n".join([*_preamble(results), *(line for result in results.rows for line in _row_text(result))])


def _preamble(results: Results) -> Iterable[str]:
    env = environment()
    plan: Plan = results.plan
    pinned = results.cores.client is not None
    where = f"client on core {results.cores.client}, server on core {results.cores.server}" if pinned else "not pinned"
    yield f"aiopenai benchmarks: {plan.rounds} rounds, {plan.seconds:g} s a turn, {where}"
    yield f"{env['python']}, {env['platform']}, {env['cpus']} cores; server loop: {results.server_loop or 'none'}"
    yield ", ".join(f"{package} {version}" for package, version in env["versions"].items())
    yield "medians; busy = client CPU / wall; ratios = time of the client / time of aiopenai, turn by turn (quartiles)"


def _row_text(result: RowResult) -> Iterable[str]:
    row = result.row
    subject = result.samples.get(SUBJECT, [])
    turns = max((len(samples) for samples in result.samples.values()), default=0)
    yield ""
    yield f"{row.title}  ({turns} turns)"
    yield (f"  {'':26}{'us/' + row.unit:>12}{'CPU us':>11}{'per second':>12}{'busy':>6}   {'wall ratio':<24}CPU ratio")
    for name, samples in result.samples.items():
        taken = [sample for sample in samples if sample is not None]
        wall = spread([sample.wall_us for sample in taken])
        cpu = spread([sample.cpu_us for sample in taken])
        title = CLIENTS[name].title
        if wall is None or cpu is None:
            yield f"  {title:<26}no figures: {result.errors.get(name, 'not run')}"
            continue
        line = (
            f"  {title:<26}{wall.median:>12,.1f}{cpu.median:>11,.1f}{1e6 / wall.median:>12,.1f}"
            f"{cpu.median / wall.median:>6.0%}"
        )
        if name != SUBJECT:
            line += f"   {_ratio(ratios(samples, subject, 'wall')):<24}{_ratio(ratios(samples, subject, 'cpu'))}"
        yield line.rstrip()
        if name in result.errors:
            yield f"  {'':26}then failed: {result.errors[name]}"
    for budget in row.budgets:
        value = verdict(result, budget)
        mark = "----" if value is None else "PASS" if value[1] else "FAIL"
        seen = "no figures" if value is None else f"{value[0]:.2f}"
        yield f"  [{mark}] {_text(budget)}: {seen}"


def _ratio(value: Spread | None) -> str:
    return "-" if value is None else f"{value.median:.2f} ({value.low:.2f} - {value.high:.2f})"
