"""An auditor's desk for the tests of the verifier."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from democracy import services
from democracy.management import foreground
from tests import factories, rules
from tests.rules import Clock
from tests.test_verify.desks import Desk


@pytest.fixture(scope="module")
def written(module_rows: None, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A public community with named, anonymous and inherited ballots, calculated."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch)
        community, members = rules.new_community("ada", "ben", "cleo", "dora", "eve")
        services.update_community(members["manager"].user, community.pk, visibility="public")
        for handle in ("dora", "eve"):
            services.set_anonymity(members[handle].user, community.pk, anonymous=True)
        factories.follow(members["ben"], members["ada"], "parks")
        factories.follow(members["eve"], members["ada"])
        decision = factories.decision(community, members["manager"].user)
        factories.vote(members["ada"], decision, ["parks"], Ash=5, Birch=2)
        factories.vote(members["cleo"], decision, Cedar=4)
        factories.vote(members["dora"], decision, Birch=5)
        services.add_clarification(members["manager"].user, decision.pk, text="Only trees.")
        clock.advance(minutes=1)
        assert not foreground.calculate(community.pk, patience=60).failed
        desk = Desk(tmp_path_factory.mktemp("desk"), None, community, members, decision, clock)
        desk.export()
        desk.fetch()
        desk.receipt("ada")
        desk.receipt("dora")
    return desk


@pytest.fixture
def desk(
    written: Desk, db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    """Return the desk as it was written; time stands still there."""
    clock = Clock(monkeypatch)
    clock.set(written.clock.now)
    community, members, decision, files = copy.deepcopy(
        (written.community, written.members, written.decision, written.files)
    )
    return Desk(tmp_path, capsys, community, members, decision, clock, files)
