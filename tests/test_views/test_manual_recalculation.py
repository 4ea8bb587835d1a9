"""Managers ask for a recalculation: who may, what they are told, and that a thread does it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.models import Community, Decision, LedgerEntry, Membership
from democracy.recalculation import recalculate_community
from tests import factories
from tests.recalculation import live_recalculation, until_current
from tests.test_views.browsing import as_, nothing_written, text, told

__all__ = ["live_recalculation"]

STARTED = "Recalculation started - results will update shortly"


@pytest.fixture
def scene(db: None) -> tuple[Community, dict[str, Membership], Decision]:
    community, members = factories.community("voter", "lobbyist", "hidden", "gone")
    manager = members["manager"].user
    services.update_membership(manager, members["lobbyist"].pk, role=Membership.Role.LOBBYIST)
    services.set_anonymity(members["hidden"].user, community.pk, anonymous=True)
    services.leave_community(members["gone"].user, community.pk)
    decision = factories.decision(community, manager)
    factories.vote(members["voter"], decision, Ash=5)
    recalculate_community(community.pk)
    decision.refresh_from_db()
    return community, members, decision


def address(community: Community, decision: Decision) -> str:
    return reverse("recalculate_results", args=(community.pk, decision.pk))


def requests_of(decision: Decision) -> int:
    return LedgerEntry.objects.filter(decision=decision, kind=LedgerEntry.Kind.RECALCULATION).count()


def test_a_manager_is_told_that_it_started_and_comes_back_to_the_page(scene) -> None:
    community, members, decision = scene
    response = as_(members["manager"].user).post(address(community, decision))
    assert (response.status_code, response["Location"], told(response)) == (
        302,
        reverse("decision", args=(community.pk, decision.pk)),
        [STARTED],
    )
    assert requests_of(decision) == 1
    decision.refresh_from_db()
    assert decision.is_stale


def test_from_the_results_page_a_manager_comes_back_to_it(scene) -> None:
    community, members, decision = scene
    response = as_(members["manager"].user).post(address(community, decision), {"place": "results"})
    assert response["Location"] == reverse("decision-results", args=(community.pk, decision.pk))


def test_htmx_gets_the_panel_with_the_spinner_and_the_message(scene) -> None:
    community, members, decision = scene
    response = as_(members["manager"].user).post(
        address(community, decision), headers={"HX-Request": "true", "HX-Target": "decision-status"}
    )
    page = text(response)
    assert response.status_code == 200
    assert page.startswith('<div class="stack tight" id="decision-panel">')
    assert "Calculating results..." in page
    assert f">{STARTED}</p>" in page
    assert 'hx-swap-oob="innerHTML:#messages"' in page


@pytest.mark.parametrize("who", ["voter", "lobbyist", "hidden", "gone", "stranger"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_whoever_is_no_manager_is_refused_and_nothing_is_written(scene, who: str, headers: dict[str, str]) -> None:
    community, members, decision = scene
    user: User = factories.person("sue") if who == "stranger" else members[who].user
    client = as_(user)
    with nothing_written():
        assert client.post(address(community, decision), headers=headers).status_code == 403


def test_a_manager_of_another_community_is_refused(scene) -> None:
    community, _, decision = scene
    _, others = factories.community()
    client = as_(others["manager"].user)
    with nothing_written():
        assert client.post(address(community, decision)).status_code == 403


def test_a_visitor_is_asked_to_sign_in(scene) -> None:
    community, _, decision = scene
    with nothing_written():
        response = as_(None).post(address(community, decision))
    assert (response.status_code, response["Location"].startswith(reverse("sign-in"))) == (302, True)


def test_what_does_not_exist_is_not_found(scene) -> None:
    community, members, decision = scene
    other, others = factories.community()
    elsewhere = factories.decision(other, others["manager"].user)
    client = as_(members["manager"].user)
    missing = 10**9
    with nothing_written():
        assert [
            client.post(reverse("recalculate_results", args=ids)).status_code
            for ids in ((missing, decision.pk), (community.pk, missing), (community.pk, elsewhere.pk))
        ] == [404, 404, 404]


def test_it_cannot_be_asked_for_by_a_link(scene) -> None:
    community, members, decision = scene
    with nothing_written():
        assert as_(members["manager"].user).get(address(community, decision)).status_code == 405


def test_a_form_from_elsewhere_is_refused(scene) -> None:
    from django.test import Client

    community, members, decision = scene
    client = Client(enforce_csrf_checks=True)
    client.force_login(members["manager"].user, backend="accounts.backends.SignInLinkBackend")
    with nothing_written():
        assert client.post(address(community, decision)).status_code == 403


def test_a_final_result_and_a_draft_are_refused_with_a_reason(scene) -> None:
    community, members, decision = scene
    draft = factories.draft(community, members["manager"].user)
    factories.close(decision, at=timezone.now() - timedelta(minutes=1))
    with nothing_written():
        answers = [as_(members["manager"].user).post(address(community, one)) for one in (decision, draft)]
    assert [(answer.status_code, told(answer)) for answer in answers] == [
        (302, ["This decision is closed; its result is final."]),
        (302, ["A draft has no result to calculate."]),
    ]


def test_only_managers_see_the_button_and_only_while_voting_is_open(scene) -> None:
    community, members, decision = scene
    shown = {
        who: f'action="{address(community, decision)}"'
        in text(as_(members[who].user).get(reverse("decision-results", args=(community.pk, decision.pk))))
        for who in ("manager", "voter", "lobbyist")
    }
    assert shown == {"manager": True, "voter": False, "lobbyist": False}
    factories.close(decision)
    page = as_(members["manager"].user).get(reverse("decision", args=(community.pk, decision.pk)))
    assert address(community, decision) not in text(page)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("live_recalculation")
def test_a_thread_calculates_it() -> None:
    community, members = factories.community("ada")
    decision = factories.decision(community, members["manager"].user)
    factories.vote(members["ada"], decision, Ash=5)
    until_current(decision)
    first = decision.last_calculated
    as_(members["manager"].user).post(address(community, decision))
    until_current(decision)
    assert decision.last_calculated > first
