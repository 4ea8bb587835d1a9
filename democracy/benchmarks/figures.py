"""Figures: a measured value, its baseline, and whether it reaches its target."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    notes = [f"{one.case}, {one.what}: {one.note}" for one in figures if one.note]
    return "\n".join([_in_columns([head, *rows]), *([""] if notes else []), *notes])


def _in_columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Set rows in columns below the first, their head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines)


@dataclass(frozen=True)
class EarlierRun:
    """The figures of an earlier run, by case and what they are of: value and unit."""

    scale: float
    values: Mapping[tuple[str, str], tuple[float, str]]


def read_run(file: Path) -> EarlierRun:
    """Read what `bench --json` wrote. Raises ValueError that says what is wrong with it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        values = {(one["case"], one["what"]): (float(one["value"]), str(one["unit"])) for one in content["figures"]}
        return EarlierRun(float(content["scale"]), values)
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: this was not written by `bench --json`") from error


def compared(figures: Sequence[Figure], earlier: EarlierRun) -> str:
    """Set the figures beside those of an earlier run, with the ratio of now to then, for reading."""
    rows = []
    for one in figures:
        then, unit = earlier.values.get((one.case, one.what), (None, one.unit))
        is_same = then is not None and unit == one.unit
        ratio = f"{_number(one.value / then)}x" if is_same and then else ""
        rows.append(
            (
                one.case,
                one.what,
                f"{_number(one.value)} {one.unit}",
                f"{_number(then)} {unit}" if is_same and then is not None else "not measured",
                ratio,
            )
        )
    return _in_columns([("case", "figure", "now", "then", "ratio"), *rows])


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
