"""The report of `aiopenai bench` as one HTML page, with pictures as inline SVG and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

__all__ = ["html_report"]

_COLOURS = ("#2563eb", "#d97706", "#dc2626", "#059669", "#7c3aed", "#0891b2")
_WIDTH, _HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 28, 40
_TICKS = 4
_CURVE_POINTS = 100
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1e293b; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; display: block; overflow: auto; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #e2e8f0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; margin: .5rem 0; }
.warning { background: #fef3c7; padding: .5rem 1rem; border-left: 4px solid #d97706; }
"""


class Line(NamedTuple):
    """One line of a picture: its name in the legend and its points."""

    name: str
    points: Sequence[tuple[float, float]]


def html_report(
    about: dict[str, Any], columns: Sequence[str], rows: Sequence[Sequence[str]], levels: Sequence[Any]
) -> str:
    """Returns the page. `levels` are pairs of a LoadLevel and its figures."""
    facts = "".join(f"<li>{escape(str(name))}: {escape(str(value))}</li>" for name, value in about.items())
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    limited = [figures["level"] for _, figures in levels if figures["client_is_limit"]]
    warning = (
        f'<p class="warning">The client is the limit at {escape(", ".join(limited))}: these times are its own.</p>'
        if limited
        else ""
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Load test</title><style>{_STYLE}</style>'
        f"</head><body><h1>Load test of {escape(str(about.get('server', '')))}</h1><ul>{facts}</ul>{warning}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{''.join(_pictures(levels))}{_errors(levels)}</body></html>\n"
    )


def _pictures(levels: Sequence[Any]) -> list[str]:
    loads = [float(figures["concurrency"] or figures["rate"]) for _, figures in levels]
    unit = "requests at a time" if levels[0][1]["concurrency"] else "requests per second"
    pictures: list[str] = []
    for field, title in (
        ("time_to_first_token_ms", "Time to first token, ms"),
        ("time_between_tokens_ms", "Time between tokens, ms"),
        ("latency_ms", "Whole latency, ms"),
    ):
        lines = [
            Line(
                share,
                [
                    (load, figures[field][share])
                    for load, (_, figures) in zip(loads, levels, strict=True)
                    if figures[field]
                ],
            )
            for share in ("p50", "p90", "p99")
        ]
        if len(levels) > 1 and lines[0].points:
            pictures.append(_picture(f"{title}, by {unit}", lines, x_title=unit))
    if len(levels) > 1:
        for field, title in (
            ("requests_per_second", "Requests per second"),
            ("tokens_per_second", "Tokens per second"),
        ):
            points = [(load, figures[field]) for load, (_, figures) in zip(loads, levels, strict=True)]
            pictures.append(_picture(f"{title}, by {unit}", [Line(title, points)], x_title=unit))
    for field, title in (("first", "time to first token"), ("total", "whole latency")):
        curves = [
            Line(level.name, _distribution([getattr(each, field) for each in level.samples if not each.error]))
            for level, _ in levels
        ]
        if any(curve.points for curve in curves):
            pictures.append(_picture(f"Distribution of the {title}: percent within ms", curves, x_title="ms"))
    return pictures


def _distribution(values: Sequence[float | None]) -> list[tuple[float, float]]:
    """Returns the points of a cumulative distribution, milliseconds and percent."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return []
    count = min(_CURVE_POINTS, len(ordered))
    places = [round(step * (len(ordered) - 1) / max(count - 1, 1)) for step in range(count)]
    return [(ordered[place] * 1e3, 100 * (place + 1) / len(ordered)) for place in places]


def _picture(title: str, lines: Sequence[Line], *, x_title: str) -> str:
    points = [point for line in lines for point in line.points]
    right = max(x for x, _ in points) or 1.0
    top = max(y for _, y in points) * 1.05 or 1.0

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return (
            _LEFT + x / right * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" font-size="11" font-family="sans-serif">',
        f'<title>{escape(title)}</title><text x="{_LEFT}" y="16" font-size="13">{escape(title)}</text>',
    ]
    for step in range(_TICKS + 1):
        x, y = place((right * step / _TICKS, top * step / _TICKS))
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e2e8f0"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{top * step / _TICKS:,.4g}</text>'
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{right * step / _TICKS:,.4g}</text>'
        )
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">{escape(x_title)}</text>')
    for number, line in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)]
        spots = [place(point) for point in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(spots) < _CURVE_POINTS // 4:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        legend = _HEIGHT - _BOTTOM - 8 - 14 * (len(lines) - 1 - number)
        parts.append(
            f'<text x="{_WIDTH - _RIGHT - 4}" y="{legend}" text-anchor="end" fill="{colour}">{escape(line.name)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _errors(levels: Sequence[Any]) -> str:
    rows = [
        f"<tr><td>{escape(kind)}</td><td>{escape(figures['level'])}</td><td>{error['count']:,}</td>"
        f"<td>{escape(error['reason'])}</td></tr>"
        for _, figures in levels
        for kind, error in figures["errors"].items()
    ]
    if not rows:
        return ""
    return (
        "<h2>Errors</h2><table><thead><tr><th>kind</th><th>level</th><th>number</th><th>first reason</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
