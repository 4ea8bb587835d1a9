"""A community that is one chain of followings, from the file to the result and out again."""

from __future__ import annotations

import pytest

from democracy import recalculation
from democracy.models import Decision
from graph.activity import NARROW
from tests.staged import stored
from tests.test_commands.running import exported, made_decisions, run, write
from tests.test_verify.bundles import bundle, differences

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("length", [NARROW, NARROW + 1, 100, 2 * NARROW, 2 * NARROW + 1])
def test_a_chain_is_calculated_exported_and_calculated_again(length: int, tmp_path) -> None:  # type: ignore[no-untyped-def]
    chain = [f"m{number} > m{number + 1}" for number in range(length)]
    record = bundle({f"m{length}": {"c1": 5, "c2": 2}}, chain, choices=["c1", "c2"])
    for moment in ("opens_at", "closes_at"):  # open for a week from now
        record["decisions"][0].pop(moment, None)
    decision = made_decisions(run("import_community", write(tmp_path, record)))["d1"]
    for arguments in ((), ("--from-scratch",)):
        run("recalculate", "--decision", decision.pk, *arguments)
        decision.refresh_from_db()
        assert decision.calculation_status == Decision.CalculationStatus.CURRENT
        ballots = stored(decision).values()
        assert sorted(ballot.kind for ballot in ballots) == ["cast"] + ["inherited"] * length
        assert len({ballot.microstars for ballot in ballots}) == 1
        assert differences(exported(decision)) == []
    assert recalculation.recalculate_community(decision.community_id)
