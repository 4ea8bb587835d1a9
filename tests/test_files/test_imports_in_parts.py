"""A large community is imported in parts, and however often it is interrupted, it becomes what it would have been."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from accounts.models import User
from democracy.access import communities_known_to
from democracy.files import imported_bundle, imported_community, progress
from democracy.files.progress import Progress
from democracy.models import Community, Decision, LedgerEntry, NoticeCursor, UnfinishedImport
from democracy.notices.reader import read_ledgers
from democracy.recalculation import audits
from tests import factories, histories, rules
from tests.test_commands.running import made_community, made_decisions, refused, run, said, write

pytestmark = pytest.mark.django_db

STEP = 5


class Stopped(BaseException):
    """A killed process: it leaves what its last transaction left."""


def town(**changes: Any) -> dict[str, Any]:
    """A community with names that repeat, an anonymous member, and decisions that closed, are open, were called off."""
    members: list[dict[str, Any]] = [{"id": f"m{n}", "name": f"Ann {n % 3}"} for n in range(12)]
    members[5]["anonymous"] = True
    ballots = [{"member": f"m{number}", "stars": {"c1": number % 6}, "tags": ["a"]} for number in range(7)]
    choices = [{"id": "c1", "title": "Ash"}, {"id": "c2", "title": "Birch"}]
    past = {"opens_at": "2026-01-01T00:00:00Z", "closes_at": "2026-01-08T00:00:00Z"}
    called_off = {"reason": "No more trees.", "at": "2026-02-02T00:00:00Z"}
    return {
        "format": "crowdvote-bundle",
        "version": 2,
        "community": {"name": "Town"},
        "members": members,
        "followings": [{"follower": f"m{number}", "followee": "m0"} for number in (1, 2, 3, 4, 6, 7, 8, 9)],
        "decisions": [
            {"id": "past", "title": "Trees", "choices": choices, "ballots": ballots, **past},
            {"id": "now", "title": "Paths", "choices": choices, "ballots": ballots[:3]},
            {
                "id": "off",
                "title": "Lamps",
                "choices": choices,
                "ballots": ballots[3:],
                "opens_at": "2026-02-01T00:00:00Z",
                "closes_at": "2036-02-08T00:00:00Z",
                "called_off": called_off,
            },
        ],
        **changes,
    }


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (imported_community, imported_bundle):
        monkeypatch.setattr(module, "STEP", STEP)


@pytest.fixture
def bystander() -> Iterator[None]:
    """Another community, of whose rows none changes."""
    other, members = factories.community("ada")
    factories.vote(members["ada"], factories.decision(other, members["manager"].user), Ash=5)
    before = rules.written(other)
    yield
    assert rules.written(other) == before


def stopped(file: Path, part: int = 4) -> Community:
    """Begin an import that is stopped in the part of this number, when everything but its commit is done."""
    hide, parts = imported_bundle._hide, iter(range(-1, part + 1))

    def hide_and_stop(community: Community) -> None:
        hide(community)
        if next(parts) == part:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imported_bundle, "_hide", hide_and_stop)
        with pytest.raises(Stopped):
            run("import_community", file)
    unfinished = UnfinishedImport.objects.get()
    assert unfinished.parts == part
    return unfinished.community


def imported(file: Path) -> Community:
    return made_community(run("import_community", file))


def portrait(of: Community) -> list[tuple[Any, ...]]:
    """The ledger by the file's ids, without the community's name, times, and what chance gives."""
    members = {row.pk: row.file_id for row in of.memberships.all()}
    people = {row.user_id: row.file_id for row in of.memberships.all()}
    decisions = {row.pk: row for row in Decision.objects.filter(community=of)}
    choices = {str(row.pk): row.file_id for one in decisions.values() for row in one.choices.all()}

    def told(key: str, value: Any) -> Any:
        match key:
            case "user":
                return people[value]
            case "follower" | "followee":
                return members[value]
            case "stars":
                return {choices[choice]: stars for choice, stars in value.items()}
            case "choices":
                return [choice["file_id"] for choice in value]
            case "called_off":
                return value["reason"]
            case "name" | "lot_seed" | "pseudonym" | "created" | "cast" | "joined" | "published":
                return value is not None
            case "opens_at" | "closes_at":
                return value[:4]
        return value

    return [
        (
            entry.revision,
            entry.kind,
            members.get(entry.membership_id),
            decisions[entry.decision_id].file_id if entry.decision_id else None,
            {key: told(key, value) for key, value in entry.after.items()},
        )
        for entry in LedgerEntry.objects.filter(community=of).order_by("revision")
    ]


PARTS = 9


@pytest.mark.parametrize("part", range(PARTS))
def test_an_import_that_was_stopped_in_any_part_goes_on_to_the_same_end(
    bystander: None, tmp_path: Path, part: int
) -> None:
    whole = imported(write(tmp_path, town(community={"name": "Whole"})))
    file = write(tmp_path, town())
    unfinished = stopped(file, part)
    lines = run("import_community", file)
    made = made_community(lines)
    assert made == unfinished
    assert portrait(made) == portrait(whole)
    assert list(made_decisions(lines)) == ["past", "off", "now"]
    assert not UnfinishedImport.objects.exists()
    assert list(audits.faults(made)) == []
    assert histories.contents(made) == histories.replayed(made)
    fields = ("published_at", "input_revision", "stale_since", "title", "called_off_at")
    pair = [list(Decision.objects.filter(community=one).order_by("pk").values(*fields)) for one in (made, whole)]
    for one, other in zip(*pair, strict=True):
        assert one["input_revision"] == other["input_revision"]
        assert one["title"] == "Paths" or one == other
    handles = [list(one.memberships.order_by("pk").values_list("user__name", "user__handle")) for one in (made, whole)]
    assert len({handle for names in handles for _, handle in names}) == 24
    assert [name for name, _ in handles[0]] == [name for name, _ in handles[1]]


@pytest.mark.parametrize("part", [0, 4, PARTS - 1])
def test_nobody_sees_a_community_that_is_not_whole_and_nothing_of_it_is_calculated(
    client: Client, tmp_path: Path, part: int
) -> None:
    file = write(tmp_path, town(community={"name": "Town", "visibility": "public"}))
    community = stopped(file, part)
    assert community.pk not in communities_known_to(factories.person()).values_list("pk", flat=True)
    assert client.get(f"/communities/{community.pk}/").status_code == client.get("/communities/0/").status_code
    run("recalculate", "--all")
    assert not Decision.objects.filter(community=community, calculated_revision__gt=0).exists()
    assert not Decision.objects.open(timezone.now()).filter(community=community).exists()
    read_ledgers()
    assert run("import_community", file)[0] == f"community {community.pk}"
    assert client.get(f"/communities/{community.pk}/").status_code == 200
    run("recalculate", "--all")
    shown = Decision.objects.filter(community=community, called_off_at=None)
    assert shown.filter(calculated_revision__gt=0).count() == 2


def test_a_ledger_that_is_not_whole_is_not_checked_and_that_is_said(tmp_path: Path) -> None:
    community = stopped(write(tmp_path, town()))
    assert run("verify_ledger") == []
    assert f"community {community.pk} “Town”: being imported" in said("verify_ledger")


def test_what_opens_when_it_is_imported_opens_at_the_first_try(tmp_path: Path) -> None:
    file = write(tmp_path, town())
    stopped(file, part=1)
    began = UnfinishedImport.objects.get().started_at
    decision = made_decisions(run("import_community", file))["now"]
    assert (decision.opens_at, decision.closes_at) == (began, began + timedelta(days=7))


def test_the_reader_of_ledgers_need_not_read_what_was_imported(tmp_path: Path) -> None:
    made = imported(write(tmp_path, town()))
    assert NoticeCursor.objects.get(community=made).revision == made.revision


def test_another_file_of_the_same_name_is_refused_until_the_first_is_discarded(bystander: None, tmp_path: Path) -> None:
    before = (rules.written(), User.objects.count())
    stopped(write(tmp_path, town()))
    other = write(tmp_path, town(description="another"))
    with refused("An import of “Town” has not ended."):
        run("import_community", other)
    run("import_community", "--discard", "TOWN")
    assert (rules.written(), User.objects.count()) == before
    assert not UnfinishedImport.objects.exists()
    assert list(audits.missing_communities()) == []
    assert list(audits.faults(imported(other))) == []


def test_only_what_is_unfinished_can_be_discarded(tmp_path: Path) -> None:
    imported(write(tmp_path, town()))
    with refused("There is no unfinished import of a community with this name."):
        run("import_community", "--discard", "Town")
    with refused("Give a file, or --discard NAME."):
        run("import_community")


def test_nothing_else_is_imported_into_a_community_that_is_not_whole(tmp_path: Path) -> None:
    stopped(write(tmp_path, town()))
    edges, ballots = tmp_path / "edges.txt", tmp_path / "ballots.csv"
    edges.write_text("x y\n")
    ballots.write_text("voter,Ash,Birch\nx,1,2\n")
    with refused("An import of “Town” has not ended."):
        run("import_followings", edges, "--community", "Town")
    with refused("An import of “Town” has not ended."):
        run("import_ballots", ballots, "--community", "Town", "--title", "Trees")


def test_of_two_processes_with_the_same_file_one_gives_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write(tmp_path, town())
    stopped(file)
    show, lines = imported_bundle._show, []

    def other_goes_first(community: Community) -> None:
        monkeypatch.setattr(imported_bundle, "_claim", claim)
        lines.extend(run("import_community", file))

    claim = imported_bundle._claim

    def late(row: UnfinishedImport, number: int) -> None:
        other_goes_first(row.community)
        claim(row, number)

    monkeypatch.setattr(imported_bundle, "_claim", late)
    # The other process is played inside the first one's transaction, and is undone with it.
    with pytest.raises(CommandError, match="Another process goes on with this import"):
        run("import_community", file)
    assert (show, len(lines)) == (imported_bundle._show, 4)
    assert list(audits.faults(imported(file))) == []


def test_a_small_community_is_one_transaction(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = town(members=town()["members"][:3], followings=[], decisions=[])
    monkeypatch.setattr(UnfinishedImport.objects, "create", None)
    made = imported(write(tmp_path, small))
    assert (made.is_hidden, UnfinishedImport.objects.count(), made.revision) == (False, 0, 4)


def test_progress_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    file = write(tmp_path, town())
    stopped(file, part=2)
    lines = said("import_community", file).splitlines()
    assert lines[0] == "going on with the import that was stopped"
    counts = [int(line.split()[0]) for line in lines[1:]]
    assert counts == sorted(counts)
    assert lines[-1] == "34 of 34 rows"
    silent: list[str] = []
    monkeypatch.setattr(progress, "_EVERY", 1e9)
    told = Progress(silent.append, total=2)
    told.wrote(2)
    assert silent == []


def test_bad_input_in_a_large_file_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    bundle = town()
    bundle["decisions"][2]["ballots"] = [{"member": f"m{number}", "stars": {f"c{number}": 1}} for number in (1, 2, 3)]
    with refused("decisions[2].ballots[2].stars.c3: no such choice."):
        run("import_community", write(tmp_path, bundle))
    bundle = town()
    bundle["followings"].append(bundle["followings"][2])
    with refused("followings[8]: 'm3' follows 'm0' twice."):
        run("import_community", write(tmp_path, bundle))
