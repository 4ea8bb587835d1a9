"""Every way of solving a loop gives what plain fractions give."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lengths import times
from tests.test_verify.bundles import bundle, read, verifier

WAYS = {
    "fractions": {},
    "elimination with decimals": {"EXACT_LOOP": 1},
    "iteration": {"EXACT_LOOP": 1, "ELIMINATION_STEPS": 0},
    "elimination after all": {"EXACT_LOOP": 1, "ELIMINATION_STEPS": 0, "CHECKS": 0},
    "nothing in fractions": {"EXACT_LOOP": 1, "ELIMINATION_STEPS": 0, "EXACT_BITS": 0},
}


Stars = dict[str, tuple[int, ...]]
Tags = dict[str, frozenset[str]]


def staged_with_tags(record) -> tuple[Stars, Tags]:
    village = read(record)
    ballots = verifier.stage(village, village.decisions[0])
    named = {village.members[member]: ballot for member, ballot in ballots.items()}
    return {name: row.microstars for name, row in named.items()}, {name: row.tags for name, row in named.items()}


def staged(record) -> Stars:
    return staged_with_tags(record)[0]


def staged_by(way: str, record, stage=staged) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WAYS[way].items():
            patch.setattr(verifier, name, value)
        return stage(record)


def by_definition(cast: Stars, tagged: Tags, follows: dict[tuple[str, str], frozenset[str]]) -> tuple[Stars, Tags]:
    """Repeat the rule of tags until nothing changes, then solve the whole system densely by Gauss and Jordan."""
    tags = dict(tagged)
    while True:
        active = [(a, b) for (a, b), on in follows.items() if a not in cast and b in tags and (not on or on & tags[b])]
        found = {
            a: frozenset().union(*(tags[b] & (follows[a, b] or tags[b]) for x, b in active if x == a))
            for a, _ in active
        }
        if tags == (tags := tagged | found):
            break
    unknown = sorted(found)
    rows = solved([equation(a, unknown, [b for x, b in active if x == a], cast) for a in unknown])
    stars = {a: tuple(round(number * 1_000_000) for number in row[-2:]) for a, row in zip(unknown, rows, strict=True)}
    return stars | {a: tuple(number * 1_000_000 for number in ballot) for a, ballot in cast.items()}, tags


def equation(member: str, unknown: list[str], asked: list[str], cast: Stars) -> list[Fraction]:
    """The member's stars, so often as it asks, less those of the unknown it asks: the sum of the ballots it asks."""
    known = [sum(cast[b][c] for b in asked if b in cast) for c in range(2)]
    return [Fraction(len(asked) * (member == b) - (b in asked)) for b in unknown] + [Fraction(n) for n in known]


def solved(rows: list[list[Fraction]]) -> list[list[Fraction]]:
    for n in range(len(rows)):
        pivot = next(m for m in range(n, len(rows)) if rows[m][n])
        rows[n], rows[pivot] = rows[pivot], rows[n]
        rows[n] = [number / rows[n][n] for number in rows[n]]
        for m in range(len(rows)):
            if m != n and rows[m][n]:
                rows[m] = [x - rows[m][n] * y for x, y in zip(rows[m], rows[n], strict=True)]
    return rows


@st.composite
def communities(draw):
    names = [f"m{n}" for n in range(draw(st.integers(2, 12)))]
    some_tags = st.frozensets(st.sampled_from("xyz"), max_size=draw(st.sampled_from([0, 2])))
    pairs = [(a, b) for a in names for b in names if a != b]
    follows = draw(st.dictionaries(st.sampled_from(pairs), some_tags, max_size=40))
    cast = draw(st.dictionaries(st.sampled_from(names), st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=4))
    return cast, {a: draw(some_tags) for a in cast}, follows


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=times(50, long=150), deadline=None)
@given(community=communities())
def test_a_community_is_staged_as_the_rules_say(way, community):
    cast, tags, follows = community
    record = bundle(
        {a: {"c1": stars[0], "c2": stars[1], "tags": sorted(tags[a])} for a, stars in cast.items()},
        [f"{a} > {b}: {','.join(on)}" if on else f"{a} > {b}" for (a, b), on in follows.items()],
        choices=["c1", "c2"],
    )
    assert staged_by(way, record, staged_with_tags) == by_definition(cast, tags, follows)


def ring(size: int) -> dict:
    """A loop that everyone leaves now and then, to one of five ballots."""
    around = [f"r{n} > r{(n + 1) % size}" for n in range(size)]
    across = [f"r{n} > r{(n * n + 3) % size}" for n in range(0, size, 2) if (n * n + 3) % size not in {n, n + 1}]
    out = [f"r{n} > v{(n // 10) ** 2 % 7 % 5}" for n in range(0, size, 10)]
    votes = {f"v{n}": {"c1": n, "c2": 5 - n, "c3": n * n % 6} for n in range(5)}
    return bundle(votes, around + across + out, choices=["c1", "c2", "c3"])


@pytest.mark.parametrize("way", ["elimination with decimals", "iteration"])
def test_loops_of_three_hundred_give_the_same_as_in_fractions(monkeypatch, way):
    record = ring(300)
    numbers = staged_by(way, record)
    assert numbers == staged(record)
    monkeypatch.setattr(verifier, "EXACT_LOOP", 300)
    assert numbers == staged(record)
    assert len({numbers[f"r{n}"] for n in range(300)}) > 100  # not all alike


@pytest.mark.parametrize("way", WAYS)
def test_a_loop_that_is_left_once_in_a_million_million_million_steps_is_exact(way):
    size = 60  # from each member one step on, or back to the beginning; out at both ends
    around = [f"r{n} > r{n + 1}" for n in range(size - 1)] + [f"r{n} > r0" for n in range(1, size)]
    record = bundle({"C": {"c1": 5}, "D": {"c1": 0}}, [*around, f"r{size - 1} > C", "r30 > D"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verifier, "EXACT_LOOP", size)
        exact = staged(record)
    assert staged_by(way, record) == exact
    assert exact["r0"] < exact["r59"]  # the ends differ, so it is not one constant


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("first", "third"), [({"C": 3, "E": 3}, 7_812), ({"C": 5, "E": 4}, 23_438)])
def test_half_a_microstar_is_rounded_to_even_from_both_sides(way, first, third):
    # M is (C + E) / 2, halved until B = M / 3 has half a microstar: 1/128 of a star, or 3/128.
    halvings = 7 if first["C"] == first["E"] else 6
    chain = ["M0 > C", "M0 > E"] + [line for n in range(halvings) for line in (f"M{n + 1} > M{n}", f"M{n + 1} > D")]
    loop = ["A > B", "B > A", f"A > M{halvings}", "B > D"]
    record = bundle({name: {"c1": stars} for name, stars in first.items()} | {"D": {"c1": 0}}, chain + loop)
    numbers = staged_by(way, record)
    assert numbers["B"] == (third,)


@pytest.mark.parametrize("way", ["_iterate", "_eliminate_decimals"])
@settings(max_examples=times(30, long=60), deadline=None)
@given(data=st.data())
def test_an_inexact_solution_is_as_close_as_it_claims(way, data):
    size = data.draw(st.integers(2, 30))
    others = [[n for n in range(size) if n != position] for position in range(size)]
    inside = [data.draw(st.lists(st.sampled_from(rest), unique=True, max_size=4)) for rest in others]
    leavers = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=3))
    rows = []
    for position in range(size):
        around = {*inside[position], (position + 1) % size}
        ballots = [data.draw(st.integers(0, 5_000_000)) for _ in range(2)]
        out = (ballots, data.draw(st.integers(1, 9)), 0) if position in leavers else None
        rows.append(verifier.Row(sorted(around), out[1] if out else 0, out))
    exact = verifier._solve_exactly(rows, 2, 0)
    close = getattr(verifier, way)(rows, 2, 0, *([10**9] if way == "_eliminate_decimals" else []))
    for value, other in zip(close, exact, strict=True):
        assert value.error < 2**30
        for number, true in zip(value.numerators, other.numerators, strict=True):
            distance = abs(Fraction(number, value.denominator) - Fraction(true, other.denominator))
            assert distance <= Fraction(value.error, 2**128) + Fraction(other.error, 2**128)


def test_a_loop_too_slow_for_iteration_is_not_passed_off_as_solved(monkeypatch):
    size = 60
    rows = [verifier.Row([n + 1, 0] if n else [1], 0, None) for n in range(size - 1)]
    rows.append(verifier.Row([0], 1, ([5_000_000], 1, 0)))
    rows[30] = verifier.Row([31, 0], 1, ([0], 1, 0))
    monkeypatch.setattr(verifier, "CHECKS", 20)
    with pytest.raises(verifier.TooLong):
        verifier._iterate(rows, 1, 0)
