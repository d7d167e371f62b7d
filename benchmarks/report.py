"""The results as one JSON document, and that document as text and as Markdown."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from . import node_worker
from .clients import CLIENTS
from .rows import Budget
from .runner import Results, RowResult
from .stats import UNITS, Spread, measured, ratios

Document = dict[str, Any]

_PACKAGES: Final = (
    "aiopenai",
    "aiohttp",
    "msgspec",
    "tenacity",
    "multidict",
    "yarl",
    "openai",
    "pydantic",
    "httpx2",
    "jiter",
    "uvloop",
    "liter-llm",
    "openai-oxide",
)
# Above this CPU share in percent the server may be the limit, although it has its own core.
_BUSY: Final = 85
_PATH = re.compile(r"(?<![\w:/.])/(?:[\w.@+-]+/)+[\w.@+-]*")
# The columns of the Markdown table with their clients; the last column takes all others.
_COLUMNS: Final = (("openai", "openai-blocking"), ("openai-aiohttp",), ("naive",), ("tuned",), ("bare",))
_PER_OPERATION: Final = {"wall", "cpu", "p50", "p99"}


def environment() -> dict[str, Any]:
    """Returns the machine, the interpreter and the versions of the installed packages that matter."""
    versions: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if (version := node_worker.version()) is not None:
        versions["openai for node"] = version
    if "aiopenai" not in versions:  # in a checkout the package has no metadata
        from aiopenai.version import __version__

        versions["aiopenai"] = __version__
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found is not None else platform.processor()


def verdict(result: RowResult, budget: Budget) -> tuple[float, bool] | None:
    """Returns the value that `budget` limits and whether the budget holds; None if a side has no figures."""
    subject = result.samples.get(result.row.subject, [])
    if budget.rival is None:
        value = measured(subject, budget.measure)
        return None if value is None else (value.median, value.median <= budget.limit)
    rival = result.samples.get(budget.rival, [])
    if budget.kind == "faster":
        factor = ratios(rival, subject, budget.measure)
        return None if factor is None else (factor.median, factor.median >= budget.limit)
    factor = ratios(subject, rival, budget.measure)
    return None if factor is None else (factor.median, factor.median <= budget.limit)


def _text(budget: Budget) -> str:
    if budget.rival is None:
        return f"{budget.measure} <= {shown(budget.limit, budget.measure)}"
    title = _title(budget.rival)
    if budget.kind == "faster":
        return f"{budget.measure} of {title} >= {budget.limit:g} x"
    return f"{budget.measure} <= {budget.limit:g} x {title}"


def _title(client: str) -> str:
    # A script, such as the import of aiohttp, is not a client and has no title.
    return CLIENTS[client].title if client in CLIENTS else client


def as_document(results: Results, *, samples: bool = False) -> Document:
    """Returns the results as a document; `samples` adds every turn.

    A ratio divides the figure of the rival by that of the subject, turn by turn.
    """
    return {
        "environment": environment(),
        "plan": asdict(results.plan),
        "cores": results.cores._asdict(),
        "server_loop": results.server_loop,
        "rows": [_row(result, samples) for result in results.rows],
    }


def _row(result: RowResult, with_samples: bool) -> Document:
    row = result.row
    subject = result.samples.get(row.subject, [])
    clients: dict[str, Any] = {}
    for name, samples in result.samples.items():
        error = result.errors.get(name)
        clients[name] = {
            "title": _title(name),
            # Messages of clients may contain paths of this machine; the results are published.
            "error": None if error is None else _PATH.sub("...", error),
            "turns": sum(sample is not None for sample in samples),
            "figures": _spreads({measure: measured(samples, measure) for measure in (*row.measures, "server")}),
            "ratios": {}
            if name == row.subject
            else _spreads({measure: ratios(samples, subject, measure) for measure in row.measures}),
        }
        if with_samples:
            clients[name]["samples"] = [None if sample is None else asdict(sample) for sample in samples]
    budgets: list[Document] = []
    for budget in row.budgets:
        value = verdict(result, budget)
        budgets.append(
            {
                **asdict(budget),
                "text": _text(budget),
                "value": None if value is None else round(value[0], 4),
                "passed": None if value is None else value[1],
            }
        )
    return {
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "per": row.per,
        "concurrency": row.concurrency,
        "subject": row.subject,
        "measures": list(row.measures),
        "clients": clients,
        "budgets": budgets,
    }


def _spreads(values: dict[str, Spread | None]) -> dict[str, dict[str, float]]:
    return {
        name: {"median": round(value.median, 4), "low": round(value.low, 4), "high": round(value.high, 4)}
        for name, value in values.items()
        if value is not None
    }


# Text and Markdown

_HOW_TO_READ: Final = (
    "Written by `python -m benchmarks`. Each cell: the median, and how many times aiopenai's it is (the median of the "
    "ratios of neighbouring turns, quartiles in brackets). CPU is the client's own."
)


def shown(value: float, measure: str) -> str:
    """Returns a figure with its unit; times get the unit that needs the fewest digits."""
    unit = UNITS[measure]
    if unit == "us" and abs(value) >= 1e6:
        value, unit = value / 1e6, "s"
    elif unit == "us" and abs(value) >= 1e4:
        value, unit = value / 1e3, "ms"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}" if unit not in ("sockets", "errors") else f"{value:,.0f}"


def _heading(document: Document) -> Iterator[str]:
    env, plan, cores = document["environment"], document["plan"], document["cores"]
    kind = "quick run" if plan["quick"] else "full run"
    where = (
        "not pinned"
        if cores["client"] is None
        else f"client on core {cores['client']}, server ({document['server_loop']}) on core {cores['server']}"
    )
    yield f"{kind}: {plan['rounds']} rounds of fresh processes, {plan['seconds']:g} s a turn, {where}"
    yield f"{env['python']}, {env['platform']}, {env['processor']}, {env['cpus']} cores"
    yield ", ".join(f"{package} {version}" for package, version in env["versions"].items())


def as_text(document: Document) -> str:
    """Returns the whole document as text, one block per row."""
    lines = [
        *_heading(document),
        "medians; (ratio to the subject, turn by turn, with quartiles); cpu is the client's; numpy is kept from all",
        *(line for row in document["rows"] for line in _row_text(row)),
    ]
    return "\n".join(lines)


def _row_text(row: Document) -> Iterator[str]:
    yield ""
    yield f"{row['title']}  [{row['name']}, per {row['unit']}]"
    for client in row["clients"].values():
        cells: list[str] = []
        for measure in row["measures"]:
            if (figure := client["figures"].get(measure)) is not None:
                cell = f"{measure} {shown(figure['median'], measure)}"
                if (ratio := client["ratios"].get(measure)) is not None:
                    cell += f" ({ratio['median']:.2f}; {ratio['low']:.2f}-{ratio['high']:.2f})"
                cells.append(f"{cell:<36}  ")
        error = "" if client["error"] is None else f"no more figures: {client['error']}"
        yield f"  {client['title']:<26}{''.join(cells)}{error}".rstrip()
        busy = client["figures"].get("server")
        if busy is not None and busy["median"] > _BUSY:
            yield f"  {'':26}the server was busy for {busy['median']:.0f}% of the time and may have been the limit"
    for budget in row["budgets"]:
        yield f"  [{_mark(budget)}] {budget['text']}: {_value(budget)}"


def _mark(budget: Document) -> str:
    return "----" if budget["passed"] is None else "PASS" if budget["passed"] else "FAIL"


def _value(budget: Document) -> str:
    value = budget["value"]
    if value is None:
        return "no figures"
    return shown(value, budget["measure"]) if budget["rival"] is None else f"{value:.2f}"


def as_markdown(document: Document) -> str:
    """Returns a table of main measures, a table of budgets, and the environment."""
    titles = [_title(names[0]) for names in _COLUMNS]
    placed = {name for names in _COLUMNS for name in names}
    lines = [
        "# Benchmarks",
        "",
        _HOW_TO_READ,
        "",
        *(f"- {line}" for line in _heading(document)),
        "",
        f"| | measure | aiopenai | {' | '.join(titles)} | others |",
        f"|---|---|---|{'---|' * len(titles)}---|",
    ]
    for row in document["rows"]:
        measure, subject = row["measures"][0], row["subject"]
        others = [name for name in row["clients"] if name not in placed and name != subject]
        cells = [
            row["title"],
            f"{measure} per {row['unit']}" if measure in _PER_OPERATION else measure,
            _cell(row["clients"][subject], measure),
            *(_cell(next(filter(None, map(row["clients"].get, names)), None), measure) for names in _COLUMNS),
            "; ".join(f"{_title(name)}: {_cell(row['clients'][name], measure)}" for name in others),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## Budgets", "", *missed(document), "", "| row | budget | seen | |", "|---|---|---|---|"]
    lines += [
        f"| {row['title']} | {budget['text']} | {_value(budget)} | {_mark(budget)} |"
        for row in document["rows"]
        for budget in row["budgets"]
    ]
    return "\n".join(lines) + "\n"


def missed(document: Document) -> list[str]:
    """Returns a line for each budget that does not hold, and one line if all hold."""
    lines = [
        f"- {row['title']}: {budget['text']}; seen {_value(budget)}"
        for row in document["rows"]
        for budget in row["budgets"]
        if budget["passed"] is False
    ]
    return ["Missed in this run:", "", *lines] if lines else ["All budgets hold in this run."]


def _cell(client: Document | None, measure: str) -> str:
    if client is None:
        return ""
    figure, ratio = client["figures"].get(measure), client["ratios"].get(measure)
    if figure is None:
        return "-"
    text = shown(figure["median"], measure)
    if ratio is not None:
        text += f" **{ratio['median']:.2f}** ({ratio['low']:.2f}-{ratio['high']:.2f})"
    return text
