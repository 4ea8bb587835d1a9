"""Charts: numbers turned into coordinates of an SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 12, 12, 12
# A line of more points than pixels shows no more, and loads slowly.
MOST_POINTS = 240


@dataclass(frozen=True)
class Line:
    """One series, in the colour `number`. `dots` are the ends of the line, or its only point."""

    name: str
    number: int
    points: str
    dots: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Tick:
    at: str
    text: str


@dataclass(frozen=True)
class LineChart:
    """A chart of `WIDTH` x `HEIGHT` from the moment `first` to `last`; `baseline`, `left`, `right` bound the plot."""

    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    first: datetime
    last: datetime
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    baseline: int = HEIGHT - _BOTTOM


def thinned(rows: Sequence[int], most: int = MOST_POINTS) -> list[int]:
    """Thin rows out to at most so many, evenly spread, the first and the last among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(step * (len(rows) - 1) / (most - 1))] for step in range(most)]


def line_chart(
    names: Mapping[int, str], times: Sequence[datetime], values: Sequence[Sequence[float]], *, highest: int
) -> LineChart:
    """Draw lines that hold each value until the next one, as results do.

    `names`: by the number of a line's colour; `values[line][point]`: from 0 to `highest`.
    """
    first, span = times[0], (times[-1] - times[0]) or timedelta(seconds=1)
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    # A single result is in the middle.
    xs = [_LEFT + (plot_width * (time - first) / span if len(times) > 1 else plot_width / 2) for time in times]

    def y(value: float) -> float:
        return _TOP + plot_height * (1 - value / highest)

    lines = []
    for (number, name), series in zip(names.items(), values, strict=True):
        corners: list[str] = []
        for at, (x, value) in enumerate(zip(xs, series, strict=True)):
            if at:
                corners.append(f"{x:.1f},{y(series[at - 1]):.1f}")
            corners.append(f"{x:.1f},{y(value):.1f}")
        dots = ((f"{xs[-1]:.1f}", f"{y(series[-1]):.1f}"),)
        lines.append(Line(name, number, " ".join(corners), dots))
    ticks = tuple(Tick(f"{y(value):.1f}", str(value)) for value in range(highest + 1))
    return LineChart(tuple(lines), ticks, times[0], times[-1])
