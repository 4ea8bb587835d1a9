"""Staged ballots compared and stored where one vote changes half of them, and read; in CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from democracy.benchmarks import networks, towns
from democracy.benchmarks.figures import Figure
from democracy.database import bulk
from democracy.models import Decision
from democracy.models.packed import squeeze
from democracy.reading.staged_ballots import read_columns, staged_ballot
from democracy.recalculation import blocks
from democracy.recalculation.staging import StagedDecision
from graph import STAR, Participation, StagedColumns, star, tally

_CHOICES = 5
_TIMES = 5
_ROWS = "bench_staged_rows"
_KEY = ("decision_id", "membership_id")


def store_many_changed_ballots(scale: float) -> Iterator[Figure]:
    """Measure storing, and reading, beside rows of the same ballots and beside the bytes that must move."""
    count = int(100_000 * scale)
    chance = np.random.default_rng(5)
    decision = towns.store("blocks", networks.uniform(10, 20, choices=_CHOICES)).decision
    former, latter = _stagings(chance, count)
    blocks.write(decision, blocks.compare(decision, former), 1)
    _make_rows(decision, former)
    changed = len(blocks.compare(decision, latter))

    def there_and_back() -> None:
        for staging in (latter, former):
            with transaction.atomic():
                blocks.write(decision, blocks.compare(decision, staging), 1)

    def rows_there_and_back() -> None:
        for staging in (latter, former):
            with transaction.atomic():
                _write_rows(decision, staging)

    assert former.columns is not None
    stars = former.columns.microstars
    took = _cpu_of(_TIMES, there_and_back) / 2
    yield Figure(
        "blocks",
        f"{changed:,} of {count:,} staged ballots changed: compared and stored",
        took * 1e3,
        "ms",
        target="150 ms",
        reached=took <= 0.15 if scale == 1 else None,
        baseline=_cpu_of(1, rows_there_and_back) / 2 * 1e3,
        baseline_is="a row for each",
        note=f"{_cpu_of(_TIMES, lambda: squeeze(stars)) * 1e3:.3g} ms to compress the microstars alone",
    )
    yield Figure(
        "blocks",
        f"all of {count:,} staged ballots read",
        _cpu_of(_TIMES, lambda: read_columns(decision, _CHOICES)) * 1e3,
        "ms",
        baseline=_cpu_of(_TIMES, _read_rows) * 1e3,
        baseline_is="a row for each",
    )
    yield Figure(
        "blocks",
        f"the ballot of one member of {count:,} read",
        _cpu_of(_TIMES, lambda: staged_ballot(decision.pk, count // 2)) * 1e3,
        "ms",
    )


def _cpu_of(times: int, action: Callable[[], object]) -> float:
    """Run the action several times; return the shortest time that it took on the processor."""
    found = []
    for _ in range(times):
        start = time.process_time()
        action()
        found.append(time.process_time() - start)
    return min(found)


def _stagings(chance: np.random.Generator, count: int) -> tuple[StagedDecision, StagedDecision]:
    """Make two stagings: one ballot in five is cast; of the others, half differ between the two."""
    whole = chance.integers(0, 6, (count, _CHOICES)) * STAR
    shares = chance.integers(0, 5 * STAR + 1, (count, _CHOICES))
    cast = chance.random(count) < 0.2
    stars = np.where(cast[:, None], whole, shares).astype(np.int32)
    columns = StagedColumns(
        list(range(1, count + 1)),
        ["cast" if one else "inherited" for one in cast.tolist()],
        stars,
        [frozenset()] * count,
        np.ones(count, np.bool_),
    )
    moved = stars.copy()
    moved[~cast & (chance.random(count) < 0.5), 0] += 1
    result = star(tally(stars[:0]), range(1, _CHOICES + 1), Participation(0, 0, 0, 0, 0, 0, 0))
    former = StagedDecision(1, tuple(range(_CHOICES)), result, {}, columns, frozenset())
    return former, replace(former, columns=replace(columns, microstars=moved))


# --- Rows for comparison ----------------------------------------------------------------------------------------------


def _make_rows(decision: Decision, staging: StagedDecision) -> None:
    binary = "bytea" if connection.vendor == "postgresql" else "blob"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE {_ROWS} (decision_id bigint, membership_id bigint, kind varchar(10), "
            f"microstars {binary}, tags text, is_counted boolean, PRIMARY KEY (decision_id, membership_id))"
        )
    with transaction.atomic():
        _write_rows(decision, staging)


def _write_rows(decision: Decision, staging: StagedDecision) -> None:
    """Read what is there, and write the rows that differ."""
    assert staging.columns is not None
    there: dict[int, bytes] = dict(_read_rows())
    rows = zip(staging.columns.members, staging.columns.kinds, map(_packed, staging.columns.microstars), strict=True)
    columns = (*_KEY, "kind", "microstars", "tags", "is_counted")
    changed = ((decision.pk, one, kind, stars, "[]", True) for one, kind, stars in rows if there.get(one) != stars)
    bulk.insert(_ROWS, columns, changed, key=_KEY)


def _packed(stars: npt.NDArray[np.int32]) -> bytes:
    return stars.tobytes()


def _read_rows() -> list[tuple[int, bytes]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT membership_id, microstars FROM {_ROWS}")
        return [(member, bytes(stars)) for member, stars in cursor.fetchall()]
