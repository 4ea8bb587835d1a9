"""Numbers into coordinates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from democracy.presenting import charts


@given(st.lists(st.integers(), max_size=700), st.integers(2, 50))
def test_a_thinned_line_keeps_its_ends_its_order_and_its_size(rows: list[int], most: int) -> None:
    places = charts.thinned(range(len(rows)), most)
    assert len(places) == min(len(rows), most)
    assert places == sorted(set(places))
    assert places[:1] + places[-1:] == list(range(len(rows)))[:1] + list(range(len(rows)))[-1:]


def test_a_line_holds_each_value_until_the_next() -> None:
    first = datetime(2026, 5, 1, tzinfo=UTC)
    times = [first + timedelta(hours=hours) for hours in (0, 1, 2)]
    chart = charts.line_chart({1: "Ash", 2: "Birch"}, times, [[0, 5, 5], [5, 0, 0]], highest=5)
    left, right, top, bottom = float(chart.left), float(chart.right), 12.0, float(chart.baseline)
    middle = (left + right) / 2
    corners = [[tuple(map(float, corner.split(","))) for corner in line.points.split()] for line in chart.lines]
    assert corners == [
        [(left, bottom), (middle, bottom), (middle, top), (right, top), (right, top)],
        [(left, top), (middle, top), (middle, bottom), (right, bottom), (right, bottom)],
    ]
    assert [(line.name, line.number) for line in chart.lines] == [("Ash", 1), ("Birch", 2)]
    assert [tick.text for tick in chart.ticks] == ["0", "1", "2", "3", "4", "5"]
    assert (chart.first, chart.last) == (times[0], times[2])
