"""Many people who vote at the same moment: no error, no lost vote, and the same result as from scratch."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

from django.db import connection

from democracy import services
from democracy.benchmarks import networks, towns
from democracy.benchmarks.figures import Figure, percentile
from democracy.benchmarks.live import scheduler
from democracy.models import Ballot, Decision, DecisionSnapshot, Vote
from democracy.services.calculation import result_content
from democracy.services.inputs import current_inputs
from graph import Calculation

_PATIENCE = 60.0


def concurrent_voters(scale: float) -> Iterator[Figure]:
    number = max(50, int(500 * min(1.0, scale * 4)))
    made = networks.preferential(number * 2, number * 4, cast=0.0)
    town = towns.store("voters", made)
    chance = random.Random(7)
    wanted = {n: networks.stars(chance, made.choices) for n in range(1, number + 1)}
    times: dict[int, float] = {}
    errors: list[str] = []
    together = threading.Barrier(number + 1)

    def vote(voter: int) -> None:
        stars = dict(zip((choice.pk for choice in town.choices), wanted[voter], strict=True))
        together.wait()
        start = time.perf_counter()
        try:
            services.cast_ballot(town.memberships[voter - 1].user, town.decision.pk, stars=stars)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
        finally:
            times[voter] = time.perf_counter() - start
            connection.close()

    with scheduler():
        threads = [threading.Thread(target=vote, args=(voter,)) for voter in wanted]
        for thread in threads:
            thread.start()
        together.wait()
        start = time.perf_counter()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - start
        until_current(town.decision)

    lost = sum(stored_stars(town, voter) != stars for voter, stars in wanted.items())
    equal = equals_from_scratch(town)
    yield Figure(
        "voters",
        f"{number:,} voters at once: errors and lost votes",
        len(errors) + lost,
        "",
        target="none, and the result from scratch",
        reached=not errors and not lost and equal,
        note=f"{number / took:.0f} votes/s, p50 {percentile(list(times.values()), 50):.1f} s, "
        f"slowest {max(times.values()):.1f} s; "
        f"the result {'equals' if equal else 'DIFFERS FROM'} a calculation from scratch"
        + (f"; first error: {errors[0]}" if errors else ""),
    )


def until_current(decision: Decision) -> None:
    deadline = time.monotonic() + _PATIENCE
    while Decision.objects.get(pk=decision.pk).calculation_status != Decision.CalculationStatus.CURRENT:
        if time.monotonic() > deadline:
            raise TimeoutError("the decision did not become current")
        time.sleep(0.05)


def stored_stars(town: towns.StoredTown, voter: int) -> tuple[int, ...]:
    ballot = Ballot.objects.filter(decision=town.decision, membership=town.memberships[voter - 1]).first()
    votes = dict(Vote.objects.filter(ballot=ballot).values_list("choice_id", "stars")) if ballot else {}
    return tuple(votes.get(choice.pk, -1) for choice in town.choices)


def equals_from_scratch(town: towns.StoredTown) -> bool:
    """Whether the stored result is that of a calculation from nothing but the inputs."""
    snapshot = DecisionSnapshot.objects.filter(decision=town.decision).first()
    inputs = current_inputs(town.community.pk, [town.decision.pk])
    one = inputs.decisions[town.decision.pk]
    calculation = Calculation.from_scratch(inputs.graph(), lots=one.lots, ballots=one.ballots)
    return snapshot is not None and snapshot.result == result_content(calculation.result, one.choices)
