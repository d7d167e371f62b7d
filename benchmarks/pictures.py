"""SVG pictures of a report: cost per call by concurrency, per streamed chunk, and per event of websockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

CALLS: Final = "cost-per-call.svg"
CHUNKS: Final = "cost-per-chunk.svg"
EVENTS: Final = "cost-per-event.svg"

# Of middle brightness, as all ink here: pictures have no background, and stand on white and on dark pages.
_COLOURS: Final = {
    "aiopenai": "#e64980",
    "tuned": "#1c7ed6",
    "naive": "#1098ad",
    "openai": "#7950f2",
    "openai-aiohttp": "#9775fa",
    "liter-llm": "#e8590c",
    "oxide": "#f08c00",
    "node": "#2f9e44",
    "bare": "#868e96",
}
_INK: Final = "#7d858d"
# Smallest ratio of the heights of two labels, on a logarithmic scale.
_APART: Final = 1.3
# The packages whose versions a picture names.
_CAPTIONED: Final = ("aiopenai", "openai", "aiohttp", "msgspec", "liter-llm", "openai-oxide", "openai for node")
_CALL_ROWS: Final = ("chat-1", "chat-100", "chat-1000")
_CHUNK_ROWS: Final = (("stream", "one stream"), ("streams-200", "200 streams at once"))
_EVENT_ROWS: Final = (
    ("socket-events", "text received"),
    ("socket-appends", "audio sent"),
    ("sockets-200", "200 websockets at once"),
)


def draw(document: dict[str, Any], folder: Path) -> list[Path]:
    """Draws the pictures for which the document has figures, and returns the files written.

    Raises ImportError if matplotlib is missing.
    """
    import matplotlib as mpl

    # SVG opens no window. A fixed salt gives the same file for the same figures; text stays text.
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "aiopenai", "svg.fonttype": "none", "font.family": "sans-serif"})
    mpl.rcParams.update({f"{part}.color": _INK for part in ("text", "xtick", "ytick")})
    mpl.rcParams.update({"axes.edgecolor": _INK, "axes.labelcolor": _INK})
    caption = _caption(document["environment"])
    rows = {row["name"]: row for row in document["rows"]}
    written: list[Path] = []
    if all(name in rows for name in _CALL_ROWS):
        written.append(_calls(rows, folder / CALLS, caption))
    # A stream of the rows has 1,000 chunks; the rows of websockets count events.
    for name, shown, part, parts in (
        (CHUNKS, _CHUNK_ROWS, "streamed chunk", 1_000),
        (EVENTS, _EVENT_ROWS, "event of a websocket", 1),
    ):
        if any(row in rows for row, _ in shown):
            title = f"CPU of the client per {part}, microseconds (less is better)"
            written.append(_points(rows, shown, parts, _figure(title, caption), folder / name))
    return written


def _cpu(row: dict[str, Any], client: str) -> float | None:
    figure = row["clients"].get(client, {"figures": {}})["figures"].get("cpu")
    return None if figure is None else figure["median"]


def _title(rows: dict[str, Any], client: str) -> str:
    title: str = next(row["clients"][client]["title"] for row in rows.values() if client in row["clients"])
    return title


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _caption(environment: dict[str, Any]) -> str:
    """Returns the interpreter, the machine and the versions of the packages shown."""
    versions = environment["versions"]
    packages = ", ".join(f"{name} {versions[name]}" for name in _CAPTIONED if name in versions)
    return f"{environment['python']}, {environment['processor']}, {environment['cpus']} cores; {packages}"


def _figure(title: str, caption: str) -> tuple[Any, Any]:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.4), layout="constrained")
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontsize=11)
    figure.supxlabel(caption, x=0.01, horizontalalignment="left", fontsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return path


def _calls(rows: dict[str, Any], path: Path, caption: str) -> Path:
    figure, axes = _figure("CPU of the client per chat call, microseconds (less is better)", caption)
    labels: list[tuple[float, float, str]] = []
    for client, colour in _COLOURS.items():
        points = [
            (rows[name]["concurrency"], cost) for name in _CALL_ROWS if (cost := _cpu(rows[name], client)) is not None
        ]
        if not points:
            continue
        ours = client == "aiopenai"
        axes.plot(*zip(*points, strict=True), color=colour, marker="o", linewidth=3 if ours else 1.5)
        last, cost = points[-1]
        labels.append((last, cost, client))
    for last, cost, height, client in _apart(labels):
        axes.annotate(
            f"{_title(rows, client)}  {_number(cost)}",
            (last * 1.25, height),
            verticalalignment="center",
            color=_COLOURS[client],
            fontsize=9,
            fontweight="bold" if client == "aiopenai" else "normal",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([rows[name]["concurrency"] for name in _CALL_ROWS], ["1", "100", "1,000"])
    axes.minorticks_off()
    axes.set_xlim(0.8, 60_000)
    axes.set_xlabel("calls at once, logarithmic scale", loc="left")
    axes.set_ylabel("microseconds, logarithmic scale")
    axes.yaxis.set_major_formatter(lambda value, _: _number(value))
    return _save(figure, path)


def _apart(labels: list[tuple[float, float, str]]) -> Iterator[tuple[float, float, float, str]]:
    """Yields the labels (place, cost, client) from the lowest up, each with a height that keeps it readable."""
    below: dict[float, float] = {}
    for last, cost, client in sorted(labels):
        height = max(cost, below.get(last, 0.0) * _APART)
        below[last] = height
        yield last, cost, height, client


def _points(
    rows: dict[str, Any], rows_shown: tuple[tuple[str, str], ...], parts: int, canvas: tuple[Any, Any], path: Path
) -> Path:
    """Draws a point for each client of some rows; a figure of a row covers `parts` chunks or events."""
    figure, axes = canvas
    names: list[str] = []
    position = 0
    for row_name, title in rows_shown:
        row = rows.get(row_name)
        costs = [] if row is None else [(client, _cpu(row, client)) for client in _COLOURS]
        shown = [(client, cost / parts) for client, cost in costs if cost is not None]
        for client, cost in sorted(shown, key=lambda item: item[1]):
            ours = client == "aiopenai"
            # Points and not bars: a logarithmic axis has no zero for a bar to stand on.
            axes.plot(cost, position, color=_COLOURS[client], marker="o", markersize=9 if ours else 6)
            axes.annotate(
                _number(cost),
                (cost, position),
                (8, 0),
                textcoords="offset points",
                verticalalignment="center",
                fontsize=9,
                fontweight="bold" if ours else "normal",
            )
            names.append(f"{title}: {_title(rows, client)}")
            position += 1
    axes.set_yticks(range(position), names, fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", color=_INK, linewidth=0.4, alpha=0.5)
    axes.set_xscale("log")
    axes.set_xlabel("microseconds, logarithmic scale", loc="left")
    axes.margins(x=0.1)
    axes.xaxis.set_major_formatter(lambda value, _: _number(value))
    return _save(figure, path)
