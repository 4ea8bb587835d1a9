"""When a fault run does what: the same for a seed, every kind in its share, over the whole time."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.nemesis import Kind, schedule

KILLS = {Kind.KILL_WORKER, Kind.KILL_WEB, Kind.KILL_POSTGRES, Kind.KILL_REDIS, Kind.KILL_BACKEND}


def test_a_seed_says_all():
    plans = [schedule(seed, seconds=60, kills=20, workers=True) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


@pytest.mark.parametrize("kills", [10, 20, 50])
def test_there_are_as_many_kills_as_asked_for_and_every_kind_of_fault(kills):
    planned = schedule(3, seconds=100, kills=kills, workers=True)
    kinds = Counter(kind for _, kind in planned)
    assert sum(kinds[kind] for kind in KILLS) == kills
    assert kinds.keys() == set(Kind)
    times = [at for at, _ in planned]
    assert times == sorted(times)
    assert 0 <= times[0] < 100 / len(times)
    assert 100 - 2 * 100 / len(times) < times[-1] < 100


def test_where_web_processes_calculate_it_is_them_that_are_hit():
    kinds = Counter(kind for _, kind in schedule(3, seconds=100, kills=20, workers=False))
    assert not kinds.keys() & {Kind.KILL_WORKER, Kind.END_WORKER, Kind.FREEZE_WORKER}
    assert (kinds[Kind.KILL_WEB], kinds[Kind.FREEZE_WEB]) == (11, 4)
