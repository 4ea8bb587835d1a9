"""Figures: a measured value, its baseline, and whether it reaches its target."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """A measurement: `value` in `unit`. `baseline`: the plain way of the same run, in the same unit, and what it is.

    `reached`: None where there is no target, or where the run is too small to tell.
    """

    case: str
    what: str
    value: float
    unit: str
    target: str = ""
    reached: bool | None = None
    baseline: float | None = None
    baseline_is: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The number of times that the baseline costs more."""
        return None if self.baseline is None or not self.value else self.baseline / self.value


def seconds(action: Callable[[], T]) -> tuple[float, T]:
    """Run the action; return how long it took, and what it gave."""
    start = time.perf_counter()
    given = action()
    return time.perf_counter() - start, given


def best_of(times: int, action: Callable[[], Any]) -> float:
    """Run the action several times; return the shortest time: its cost where nothing else interferes."""
    return min(seconds(action)[0] for _ in range(times))


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least this many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """Set the figures in columns, for reading."""
    head = ("case", "figure", "value", "baseline", "ratio", "target", "")
    rows = [
        (
            one.case,
            one.what,
            f"{_number(one.value)} {one.unit}",
            "" if one.baseline is None else f"{_number(one.baseline)} {one.unit} ({one.baseline_is})",
            "" if one.ratio is None else f"{_number(one.ratio)}x",
            one.target,
            {True: "ok", False: "MISSED", None: ""}[one.reached],
        )
        for one in figures
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    lines.insert(1, "-" * len(lines[0]))
    notes = [f"{one.case}, {one.what}: {one.note}" for one in figures if one.note]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
