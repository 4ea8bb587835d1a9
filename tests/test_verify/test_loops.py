"""Every way of solving a loop gives what plain fractions give."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    rows = []
    for a in unknown:
        asked = [b for x, b in active if x == a]
        known = [sum(cast[b][c] for b in asked if b in cast) for c in range(2)]
        rows.append([Fraction(len(asked) * (a == b) - (b in asked)) for b in unknown] + [Fraction(n) for n in known])
    for n in range(len(rows)):
        pivot = next(m for m in range(n, len(rows)) if rows[m][n])
        rows[n], rows[pivot] = rows[pivot], rows[n]
        rows[n] = [number / rows[n][n] for number in rows[n]]
        for m in range(len(rows)):
            if m != n and rows[m][n]:
                rows[m] = [x - rows[m][n] * y for x, y in zip(rows[m], rows[n], strict=True)]
    stars = {a: tuple(round(number * 1_000_000) for number in row[-2:]) for a, row in zip(unknown, rows, strict=True)}
    return stars | {a: tuple(number * 1_000_000 for number in ballot) for a, ballot in cast.items()}, tags


@st.composite
def communities(draw):
    names = [f"m{n}" for n in range(draw(st.integers(2, 12)))]
    some_tags = st.frozensets(st.sampled_from("xyz"), max_size=draw(st.sampled_from([0, 2])))
    pairs = [(a, b) for a in names for b in names if a != b]
    follows = draw(st.dictionaries(st.sampled_from(pairs), some_tags, max_size=40))
    cast = draw(st.dictionaries(st.sampled_from(names), st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=4))
    return cast, {a: draw(some_tags) for a in cast}, follows


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=150, deadline=None)
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


def test_half_a_microstar_in_a_loop_counts_as_half_in_each_way_of_solving():
    halving = ["M1 > C", "M1 > D"] + [line for n in range(2, 8) for line in (f"M{n} > M{n - 1}", f"M{n} > D")]
    loop = ["A > B", "B > A", "B > M7"]
    record = bundle({"C": {"c1": 3}, "D": {"c1": 0}}, halving + loop)
    answers = {way: (staged_by(way, record)["A"], staged_by(way, record)["B"]) for way in WAYS}
    assert answers == dict.fromkeys(WAYS, ((23_438,), (23_438,)))
