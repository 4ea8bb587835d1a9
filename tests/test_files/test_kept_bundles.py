"""Bundles to download: written once for everybody, and anew as soon as anything in them may be different."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from accounts import services as account_services
from democracy import services
from democracy.files import bundle_writer, kept_bundles
from democracy.files.bundle_writer import NothingToExport
from democracy.models import Decision
from democracy.recalculation import recalculate_community
from tests import factories
from tests.rules import Clock
from tests.towns import Town, new_town

pytestmark = pytest.mark.django_db


def text_of(town: Town) -> str:
    decision = Decision.objects.get(pk=town.decision.pk)
    return b"".join(kept_bundles.bundle_of(decision).pieces()).decode()


def without_times(text: str) -> dict[str, object]:
    return {key: value for key, value in json.loads(text).items() if key not in {"exported_at", "checkpoint"}}


def written(town: Town) -> dict[str, object]:
    """The bundle as the writer writes it now."""
    return without_times("".join(bundle_writer.export(Decision.objects.get(pk=town.decision.pk))))


def test_one_bundle_is_for_everybody_until_something_changes(town: Town) -> None:
    factories.vote(town.ada, town.decision, Ash=5)
    elsewhere = new_town("eve")
    for one in (town, elsewhere):
        recalculate_community(one.community.pk)
    other = kept_bundles.bundle_of(elsewhere.decision)
    changes: tuple[Callable[[], object], ...] = (
        lambda: factories.vote(town.ben, town.decision, Birch=3),
        lambda: recalculate_community(town.community.pk),
        lambda: factories.follow(town.cleo, town.ada),
        lambda: services.set_anonymity(town.dan.user, town.community.pk, anonymous=True),
        lambda: services.update_community(town.manager, town.community.pk, description="Another one."),
        lambda: services.add_clarification(town.manager, town.decision.pk, text="By rail."),
        lambda: services.call_off(town.manager, town.decision.pk, reason="Rain."),
    )
    for change in changes:
        kept = text_of(town)
        assert (text_of(town), without_times(kept)) == (kept, written(town))
        change()
        assert text_of(town) != kept
    assert kept_bundles.bundle_of(elsewhere.decision) is other
    account_services.update_profile(town.ada.user, name="Somebody else")
    assert "Somebody else" in text_of(town)


def test_a_decision_that_closes_is_written_anew(town: Town, clock: Clock) -> None:
    recalculate_community(town.community.pk)
    assert json.loads(text_of(town))["decisions"][0]["status"] == "open"
    clock.advance(days=8)
    with pytest.raises(NothingToExport):
        text_of(town)
    recalculate_community(town.community.pk)
    assert json.loads(text_of(town))["decisions"][0]["result"]["final"] is True


def test_a_file_is_read_while_a_newer_one_takes_its_place(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_bundles, "_PIECE", 100)
    monkeypatch.setattr(kept_bundles._kept, "most", 1)
    recalculate_community(town.community.pk)
    before = text_of(town)
    reading: Iterator[bytes] = kept_bundles.bundle_of(town.decision).pieces()
    first = next(reading)
    factories.vote(town.ada, town.decision, Ash=5)
    recalculate_community(town.community.pk)
    assert text_of(town) != before
    assert (len(first), (first + b"".join(reading)).decode()) == (100, before)


@pytest.mark.parametrize(
    "name", ['}, {"id": ', "x}, {", 'a\\"}, {"id": "b', "}, {“id”", '{"member": ', '"}, {"follower": "']
)
def test_names_that_look_like_rows_stay_names(town: Town, name: str) -> None:
    changed = account_services.update_profile(town.ada.user, name=name).name
    factories.follow(town.ben, town.ada)
    factories.vote(town.ada, town.decision, ["roads"], Ash=5)
    recalculate_community(town.community.pk)
    text = "".join(bundle_writer.export(Decision.objects.get(pk=town.decision.pk)))
    read = json.loads(text)
    assert changed in {member["name"] for member in read["members"]}
    rows = [line for line in text.splitlines() if line.startswith('{"id": ')]
    members, choices = len(read["members"]), len(read["decisions"][0]["choices"])
    assert len(rows) == members + choices + 1  # and the decision itself
