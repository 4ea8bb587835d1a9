"""A town with bad words in it, an operator who hides them, and what the verifier says of its files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from democracy import access, services
from democracy.files import bundle_writer
from democracy.models import Choice, Decision, Moderation
from democracy.reading.receipts import ledger_file
from tests import factories
from tests.test_verify.bundles import verifier
from tests.towns import Town

VISITOR = AnonymousUser()
BAD = "Zounds"
WHY = "It insults a neighbour."
NOTICE = f"Hidden by the site's operator: {WHY}"


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.org", name="Root", handle="root")


def opened(town: Town) -> Town:
    """Everybody may read it. Most texts have bad words, and so have two comments; Dan is anonymous."""
    services.update_community(town.manager, town.community.pk, visibility="public", description=f"{BAD}, neighbours")
    services.set_anonymity(town.dan.user, town.community.pk, anonymous=True)
    town.decision = factories.decision(
        town.community, town.manager, f"{BAD} oak", "Birch", title=f"{BAD} trees", description=f"On {BAD}"
    )
    services.add_clarification(town.manager, town.decision.pk, text=f"{BAD}: clarified")
    for member in (town.ada, town.dan):
        comment(town, member, f"{BAD}, says one")
    factories.vote(town.ben, town.decision, Birch=3)
    return town


@pytest.fixture
def open_town(town: Town) -> Town:
    return opened(town)


def comment(town: Town, member: Any, words: str, *, stars: int = 5) -> services.RecordedBallot:
    choice = Choice.objects.filter(decision=town.decision)[1]
    return services.cast_ballot(member.user, town.decision.pk, stars={choice.pk: stars}, comment=words)


def ledger_of(town: Town, viewer: Any = VISITOR) -> list[str]:
    town.community.refresh_from_db()
    return "".join(ledger_file(viewer, town.community)).splitlines()


def bundle_of(town: Town) -> Any:
    return json.loads("".join(bundle_writer.export(Decision.objects.get(pk=town.decision.pk))))


def verified(town: Town, bundle: Any, *viewers: Any) -> list[str]:
    """Return what the verifier has against a bundle and a ledger as a visitor gets them."""
    ledger = verifier.ledger_of(ledger_of(town, *viewers))
    read = verifier.read_bundle(json.dumps(bundle))
    return [
        *verifier.check_ledger(ledger),
        *verifier.check_bundle_in_ledger(read, ledger.kept())[0],
        *verifier.verify(read, read.decisions[0])[0],
    ]


def hide_everything_bad(root: User, town: Town) -> list[Moderation]:
    choice = Choice.objects.filter(decision=town.decision)[0]
    pseudonym = access.pseudonym(town.decision.pk, town.dan.pk)
    places = ("title", "description", f"choice:{choice.pk}:title", "clarification:1")
    return [
        services.hide_community_text(root, town.community.pk, place="description", reason=WHY),
        *(services.hide_decision_text(root, town.decision.pk, place=place, reason=WHY) for place in places),
        services.hide_comment(root, town.decision.pk, by=f"@{town.ada.user.handle}", reason=WHY),
        services.hide_comment(root, town.decision.pk, by=pseudonym, reason=WHY),
    ]
