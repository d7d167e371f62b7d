"""The comparison of a run with the committed results.

Ratios are compared, not times: times depend on the machine. Rows and clients missing from either run are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

# Ratios vary by a tenth between runs; a loss counts above this share of the committed ratio.
TOLERANCE: Final = 0.15


class Loss(NamedTuple):
    """A ratio to a rival that is worse than the committed one."""

    row: str
    client: str
    measure: str
    then: float
    now: float

    def __str__(self) -> str:
        return (
            f"{self.row}: {self.measure} of {self.client} was {self.then:.2f} x aiopenai's and is {self.now:.2f} x "
            f"({self.now / self.then - 1:+.0%})"
        )


def losses(now: dict[str, Any], then: dict[str, Any], tolerance: float = TOLERANCE) -> list[Loss]:
    """Returns the ratios of `now` that are worse than those of `then` by more than `tolerance`.

    Both arguments are documents of reports.
    """
    before = {row["name"]: row for row in then["rows"]}
    return [
        loss
        for row in now["rows"]
        if row["name"] in before
        for loss in _of_row(row, before[row["name"]])
        if loss.now < loss.then * (1 - tolerance)
    ]


def compared(now: dict[str, Any], then: dict[str, Any]) -> int:
    """Returns the number of ratios that both documents have: a comparison of nothing proves nothing."""
    before = {row["name"]: row for row in then["rows"]}
    return sum(len([*_of_row(row, before[row["name"]])]) for row in now["rows"] if row["name"] in before)


def _of_row(row: dict[str, Any], before: dict[str, Any]) -> Iterator[Loss]:
    measure = row["measures"][0]
    for name, client in row["clients"].items():
        then = before["clients"].get(name, {"ratios": {}})["ratios"].get(measure)
        now = client["ratios"].get(measure)
        if then is not None and now is not None:
            yield Loss(row["name"], name, measure, then["median"], now["median"])
        elif then is not None and row["clients"][row["subject"]]["error"] is not None:
            # A subject that failed is the greatest loss.
            yield Loss(row["name"], name, measure, then["median"], 0.0)
