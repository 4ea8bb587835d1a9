"""The history: searched, narrowed, entry by entry, as a file; and what it tells whom."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import AsyncClient
from django.urls import reverse

from accounts.models import User
from democracy import services
from democracy.ledger import signing
from democracy.models import Community, Decision, LedgerEntry, Membership
from democracy.reading import ledger_feed
from tests import factories, rules
from tests.test_verify.bundles import VERIFIER, verifier
from tests.test_views.browsing import as_, queries, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def town() -> tuple[Community, dict[str, Membership], Decision]:
    """Ada voted by name, ben under a pseudonym, cleo in a decision that hides its ballots."""
    community, members = rules.new_community("ada", "ben", "cleo")
    manager = members["manager"].user
    services.update_community(manager, community.pk, visibility="public")
    services.set_anonymity(members["ben"].user, community.pk, anonymous=True)
    decision = factories.decision(community, manager, title="Which tree?")
    factories.vote(members["ada"], decision, ["parks"], Ash=5)
    factories.vote(members["ben"], decision, Birch=5)
    hidden = factories.decision(community, manager, title="Where?", results_visibility="after_close")
    factories.vote(members["cleo"], hidden, Ash=1)
    return community, members, decision


Town = tuple[Community, dict[str, Membership], Decision]


def found(user: User | None, community: Community, **query: Any) -> list[str]:
    context = as_(user).get(reverse("community-ledger", args=[community.pk]), query).context
    return [item.sentence for item in context["items"]]


def entry(user: User | None, community: Community, revision: int) -> str:
    return text(as_(user).get(reverse("ledger-entry", args=[community.pk, revision])))


def test_it_is_searched_for_what_can_be_read_in_it_and_nothing_else(town: Town) -> None:
    community, members, _ = town
    ada, ben, cleo = (members[name].user for name in ("ada", "ben", "cleo"))
    assert found(None, community, q=ada.handle.upper()) == [
        f"@{ada.handle} voted in “Which tree?”.",
        f"@{ada.handle} joined.",
    ]
    assert found(None, community, q=ben.handle) == []
    assert found(None, community, q=cleo.handle) == [f"@{cleo.handle} joined."]
    assert found(cleo, community, q="voted in “Where") == [f"@{cleo.handle} voted in “Where?”."]
    assert found(None, community, q="#1") == [f"@{members['manager'].user.handle} founded the community."]
    row = LedgerEntry.objects.filter(community=community, membership=members["cleo"]).latest("revision")
    for words in (row.hash, row.hash[:8], row.commitment):
        assert found(None, community, q=words) == ["A ballot was cast, changed or withdrawn."]
    assert "A ballot was cast, changed or withdrawn." in found(None, community, q=str(row.revision))
    # What only the whole entry says finds nothing: neither the salt nor the contents.
    for words in (row.salt, "abstain", str(row.time.minute) + ":"):
        assert found(None, community, q=words) == []


def test_narrowed_to_a_decision_that_hides_its_ballots_it_tells_of_none(town: Town) -> None:
    community, members, decision = town
    hidden = Decision.objects.get(title="Where?")
    everybody = {None, members["ada"].user, members["manager"].user}
    for viewer in everybody:
        assert [one for one in found(viewer, community, decision=hidden.pk) if "allot" in one] == []
    assert found(members["cleo"].user, community, decision=hidden.pk)[0].endswith("voted in “Where?”.")
    assert len(found(None, community, decision=decision.pk, kind="ballot")) == 2
    assert found(None, community, decision=10**9) == []


def test_a_search_goes_on_where_it_stopped(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    community, members, _ = town
    monkeypatch.setattr(ledger_feed, "_CHUNK", 3)
    monkeypatch.setattr(ledger_feed, "_SEARCHED", 6)
    client, page = as_(None), reverse("community-ledger", args=[community.pk])
    handle, sentences, before = members["ada"].user.handle, [], ""
    while before is not None:
        context = client.get(page, {"q": handle, "before": before}).context
        sentences += [item.sentence for item in context["items"]]
        before = context["older"]
    assert sentences == found(None, community, q=handle) or len(sentences) == 2
    assert sentences == [f"@{handle} voted in “Which tree?”.", f"@{handle} joined."]


def test_each_entry_has_a_page_with_whole_hashes_and_what_was_before_and_after(town: Town) -> None:
    community, members, _ = town
    row = LedgerEntry.objects.filter(community=community, membership=members["ada"]).latest("revision")
    page = entry(None, community, row.revision)
    before = LedgerEntry.objects.get(community=community, revision=row.revision - 1).hash
    for value, name in (
        (row.hash, "hash"),
        (before, "previous-hash"),
        (row.commitment, "commitment"),
        (row.salt, "salt"),
    ):
        assert f'<code class="hash" id="{name}">{value}</code>' in page
        assert f'data-copies="{name}" hidden' in page
    assert "<strong>Ash: 5</strong>" in page
    assert '{"' not in page.split("</head>")[1].replace('{"X-CSRFToken"', "")
    assert as_(None).get(reverse("ledger-entry", args=[community.pk, 10**6])).status_code == 302
    assert as_(members["ada"].user).get(reverse("ledger-entry", args=[community.pk, 10**6])).status_code == 404


def test_a_closed_entry_shows_its_chain_and_the_hour_alone(town: Town) -> None:
    community, members, _ = town
    rows = LedgerEntry.objects.filter(community=community, kind="ballot").order_by("revision")
    for row, owner in zip(rows[1:], (members["ben"], members["cleo"]), strict=True):
        for viewer in (None, members["ada"].user, members["manager"].user):
            page = entry(viewer, community, row.revision)
            assert row.hash in page
            assert row.commitment in page
            assert f"{row.time:%H}:… UTC" in page
            for secret in (row.salt, owner.user.handle, "Stars", "Before and after", row.time.isoformat(), "nonymous "):
                assert secret not in page.split("</header>")[-1], secret
        assert row.salt in entry(owner.user, community, row.revision)


def test_questions_keep_the_words_that_stood_then(town: Town) -> None:
    community, members, _ = town
    manager = members["manager"].user
    later = factories.decision(
        community,
        manager,
        title="Where do we hold?",
        opens_at=members["ada"].joined_at.replace(year=2100),
        closes_at=members["ada"].joined_at.replace(year=2101),
    )
    services.request_recalculation(manager, later.pk)
    services.update_decision(manager, later.pk, title="Where do we NOT hold?")
    services.add_clarification(manager, later.pk, text="The party.")
    services.request_recalculation(manager, later.pk)
    assert found(None, community, decision=later.pk)[:5] == [
        f"@{manager.handle} asked for a recalculation of “Where do we NOT hold?”.",
        f"@{manager.handle} clarified “Where do we NOT hold?”: “The party.”",
        f"@{manager.handle} renamed “Where do we hold?” to “Where do we NOT hold?”.",
        f"@{manager.handle} asked for a recalculation of “Where do we hold?”.",
        f"@{manager.handle} published “Where do we hold?”.",
    ]


@pytest.mark.django_db(transaction=True)
async def test_the_file_is_sent_as_it_is_read_and_the_verifier_takes_it(town: Town) -> None:
    community, *_ = town
    response = await AsyncClient().get(reverse("ledger-download", args=[community.pk]))
    assert response["Content-Disposition"] == f'attachment; filename="ledger-{community.pk}.jsonl"'
    pieces = [piece.decode() async for piece in response.streaming_content]  # type: ignore[attr-defined]
    read = verifier.ledger_of("".join(pieces).splitlines())
    assert (len(pieces), verifier.check_ledger(read)) == (2, [])


def test_the_file_has_opened_what_its_reader_may_open(town: Town) -> None:
    community, members, _ = town
    opened = {}
    for name, viewer in (("visitor", None), *((name, members[name].user) for name in ("ben", "cleo", "manager"))):
        response = as_(viewer).get(reverse("ledger-download", args=[community.pk]))
        rows = [json.loads(line) for line in b"".join(response.streaming_content).decode().splitlines()[1:]]  # type: ignore[attr-defined]
        opened[name] = {row["revision"] for row in rows if "salt" in row}
        closed = [row for row in rows if "salt" not in row]
        assert all(row.keys() == {"revision", "commitment", "hash", "kind", "hour", "decision"} for row in closed)
        assert all(row["hour"].endswith(":00:00.000000+00:00") for row in closed)
    of = {row.membership_id: row.revision for row in LedgerEntry.objects.filter(community=community, kind="ballot")}
    assert opened["ben"] - opened["visitor"] >= {of[members["ben"].pk]}
    assert opened["cleo"] - opened["visitor"] == {of[members["cleo"].pk]}
    assert {of[members[name].pk] for name in ("ben", "cleo")}.isdisjoint(opened["manager"])
    assert opened["visitor"] < opened["manager"]


def test_it_takes_as_many_queries_for_many_entries_as_for_few(town: Town) -> None:
    community, members, decision = town
    client, page = as_(members["ada"].user), reverse("community-ledger", args=[community.pk])
    client.get(page)
    few = queries(client, page)
    for stars in range(5):
        factories.vote(members["cleo"], decision, Ash=stars)
        factories.vote(members["ben"], decision, Ash=stars)
    assert queries(client, page) == few


def test_the_verifier_and_the_key_are_there_for_everybody() -> None:
    response = as_(None).get(reverse("verifier"))
    assert (response.content, response["Content-Disposition"]) == (
        VERIFIER.read_bytes(),
        'attachment; filename="crowdvote_verify.py"',
    )
    key = as_(None).get("/.well-known/crowdvote-key")
    assert (key.content.decode(), key["Content-Type"]) == (f"{signing.public_key()}\n", "text/plain; charset=utf-8")
    assert signing.public_key() in text(as_(None).get(reverse("docs")))


def test_a_checkpoint_can_be_kept_by_whoever_may_read_the_history(town: Town) -> None:
    community, members, _ = town
    services.update_community(members["manager"].user, community.pk, visibility="members")
    page = reverse("community-checkpoint", args=[community.pk])
    assert as_(factories.person()).get(page).status_code == 404
    ada = as_(members["ada"].user)
    assert page in text(ada.get(reverse("community-ledger", args=[community.pk])))
    found = ada.get(page).json()
    assert (found["revision"], found["key"]) == (rules.revision(community), signing.public_key())
    assert verifier.check_checkpoint(verifier._checkpoint(found, "checkpoint")) == []
