"""News of things that one may not see: none. And what voters are told of what others will see."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.api import node_id
from accounts.models import User
from democracy import services
from democracy.models import Application, Ballot, Following, LedgerEntry, Membership, Notice
from tests.test_privacy import operations, surfaces
from tests.test_privacy.worlds import HIDDEN, Cast, Content, Town, World, world

pytestmark = pytest.mark.django_db
in_long_form = pytest.mark.skipif(not os.environ.get("EVERY_WORLD"), reason="the long form; make privacy runs it")

SECRET = "a secret of fifty letters or more, so that it is long"
NOWHERE = 7_654_321
# These sign somebody in or out.
_ASIDE = ("createApiToken", "requestSignInLink", "signIn", "signOut")

# Row numbers by kind.
Numbers = dict[str, int]
# Addresses contain numbers, also in links to sign in and come back.
_NUMBER = re.compile(r"(?<=/)\d+(?=/)")


def answers(client: Client, things: Numbers) -> Iterator[tuple[str, str]]:
    """Ask everything about these things, try everything with them, and return the answers; undone."""
    ids = {kind: [node_id(kind, pk)] for kind, pk in things.items()}
    # Things that do not exist have nothing further to ask for.
    questions = ((name, text) for name, text in operations.questions(ids) if ")." not in name)
    for name, text in itertools.chain(questions, operations.changes(ids)):
        if not name.startswith(_ASIDE):
            with transaction.atomic():
                found = surfaces.ask(client, text)
                transaction.set_rollback(True)
            yield name.partition("(")[0], str(found)
    numbers = {"community_id": "Community", "decision_id": "Decision", "membership_id": "Member"}
    numbers |= {"application_id": "Application", "invitation_id": "Invitation", "link_id": "InvitationLink"}
    numbers |= {"webhook_id": "Webhook", "notice_id": "Notice"}
    for address in surfaces.addresses({key: [things[kind]] for key, kind in numbers.items()}):
        shown = surfaces.answer(client.get(address)).text
        yield _NUMBER.sub("(it)", address), _NUMBER.sub("(it)", shown)


@pytest.mark.parametrize("who", ["visitor", pytest.param("eve", marks=in_long_form)])
def test_nobody_learns_whether_there_is_what_they_may_not_see(who: str) -> None:
    """A draft, an anonymous member, an application, an invitation, a link, a webhook, a notice: on pages, by queries,
    by trying to change them.
    """
    with world(Town(SECRET, "public")) as one:
        one.become_anonymous()
        one.do(services.update_community, "mia", one.community.pk, joining="request")
        one.do(services.apply_to_community, "stranger", one.community.pk)
        unseen = {"Decision": one.draft.pk, "Choice": one.draft.choices.all()[0].pk}
        unseen |= {"Member": one.members["xena"].pk, "Application": one.community.applications.get().pk}
        one.do(services.invite, "mia", one.community.pk, [services.Invitee("new@example.org")])
        one.do(services.create_invitation_link, "mia", one.community.pk)
        one.do(services.create_webhook, "mia", one.community.pk, url="https://example.org/", events=["decision.opened"])
        unseen |= {"Invitation": one.community.invitations.get().pk, "Webhook": one.community.webhooks.get().pk}
        unseen |= {"InvitationLink": one.community.invitation_links.get().pk}
        unseen |= {"Notice": Notice.objects.filter(person=one.people["mia"])[0].key}
        there = {"Community": one.community.pk, **unseen}
        nowhere = {"Community": one.community.pk, **dict.fromkeys(unseen, NOWHERE)}
        pairs = zip(answers(one.client(who), there), answers(one.client(who), nowhere), strict=True)
        assert [(name, found, instead) for (name, found), (_, instead) in pairs if found != instead] == []


def about(one: World, who: str, person: str) -> Iterator[tuple[str, str]]:
    """Return everything that somebody finds who looks for a person: in lists and, as an operator, on the person's
    pages.
    """
    pk = one.people[person].pk
    lists = [reverse(name, args=[one.community.pk]) for name in ("community-members", "community-ledger")]
    pages = []
    if who == "root":
        lists = [reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in _LISTED]
        pages = [reverse(f"admin:accounts_user_{page}", args=[pk]) for page in ("change", "delete", "history")]
    searches = [f"{address}?{asked}" for address in lists for asked in (f"q={person}", f"user={pk}", f"actor={pk}")]
    traces = re.compile(rf"{person}|=\b{pk}\b|/user/{pk}\b", re.IGNORECASE)
    for address in (*searches, *pages):
        shown = surfaces.answer(one.client(who).get(address)).text
        yield address.partition("?")[0], traces.sub("(who)", shown)


_LISTED = (User, Membership, Application, Following, Ballot, LedgerEntry)


@pytest.mark.parametrize("who", ["root", pytest.param("eve", marks=in_long_form)])
def test_nobody_learns_who_is_an_anonymous_member(who: str) -> None:
    """Two people look alike, of whom one is an anonymous member and has voted."""
    with world(Town(SECRET, "public")) as one:
        one.become_anonymous()
        one.cast(Cast("xena", "live", Content((5, 0, 2))), present=("xena", "stranger"))
        one.calculate()
        pairs = zip(about(one, who, "xena"), about(one, who, "stranger"), strict=True)
        assert [(name, found, instead) for (name, found), (_, instead) in pairs if found != instead] == []


@pytest.mark.parametrize("visibility", ["public", pytest.param("members", marks=in_long_form)])
def test_voters_are_told_before_they_vote_what_others_then_see(visibility: str) -> None:
    """Page and API say who will see the ballot, whether at once, and under which name."""
    with world(Town(SECRET, visibility)) as one:
        one.become_anonymous()
        told, seen = {}, {}
        for title in ("live", *HIDDEN):
            for who in ("ben", "xena"):
                told[title, who] = told_to(one, title, who)
                one.cast(Cast(who, title, Content((5, 0, 2), (), "")))
        one.calculate()
        at_once = {title: {who: names_seen(one, title, who) for who in ("visitor", "eve")} for title in one.decisions}
        one.clock.now = max(decision.closes_at for decision in one.decisions.values()) + timedelta(minutes=1)
        one.calculate()
        for title, who in told:
            in_the_end = {viewer: names_seen(one, title, viewer) for viewer in ("visitor", "eve")}
            is_named, is_hidden = who in in_the_end["eve"], "a pseudonym" in in_the_end["eve"]
            assert is_hidden, "Xena has voted everywhere"
            seen[title, who] = (
                "everybody" if in_the_end["visitor"] else "members",
                "by name" if is_named else "under a pseudonym",
                "at once" if at_once[title]["eve"] else "after closing",
            )
        assert told == seen


def told_to(one: World, title: str, who: str) -> tuple[str, str, str]:
    """Return what form and API say, alike, of who will see the ballot, under which name, and when."""
    decision = one.decisions[title]
    page = one.client(who).get(reverse("decision", args=[one.community.pk, decision.pk])).text
    form = " ".join(re.sub(r"<[^>]*>", " ", page.partition('id="voting"')[2]).split())
    asked = f'query {{ decision(id: "{node_id("Decision", decision.pk)}") {{ ballotAudience }} }}'
    sentence = surfaces.ask(one.client(who), asked)["data"]["decision"]["ballotAudience"]
    assert sentence in form.replace("&#x27;", "'")
    return (
        "everybody" if "Everybody, signed in or not," in sentence else "members",
        "by name" if "with your name" in sentence else "under a pseudonym",
        "at once" if "as soon as you vote" in sentence else "after closing",
    )


def names_seen(one: World, title: str, who: str) -> set[str]:
    """Return the names of ballots that somebody sees in a decision; "a pseudonym" for the others."""
    query = f'query {{ decision(id: "{node_id("Decision", one.decisions[title].pk)}") {{ {_VOTERS} }} }}'
    decision = surfaces.ask(one.client(who), query)["data"]["decision"]
    edges = ((decision or {}).get("ballots") or {"edges": []})["edges"]
    voters = [edge["node"]["voter"] for edge in edges]
    return {"a pseudonym" if voter["isAnonymous"] else voter["name"] for voter in voters}


_VOTERS = "ballots(first: 15) { edges { node { voter { name isAnonymous } } } }"
