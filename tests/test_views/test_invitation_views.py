"""The pages of invitations: managers invite, print and look; others come in."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from democracy import services
from democracy.files.member_lists import read_member_list
from democracy.models import Community, Decision, Invitation, Membership
from democracy.models.invitations import token_of
from democracy.notices import sending
from democracy.services import Invitee
from tests import factories
from tests.test_views.browsing import as_, nothing_written, text, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def house() -> tuple[Community, User, Decision]:
    community, members = factories.community("ann", name="Maple Court")
    manager = members["manager"].user
    services.update_community(manager, community.pk, joining="invited")
    return community, manager, factories.decision(community, manager, title="Which tree?")


def page(community: Community, name: str = "community-invitations", *more: object) -> str:
    return reverse(name, args=[community.pk, *more])


def invited(house: tuple[Community, User, Decision], address: str = "new@example.org", **fields: object) -> str:
    """Invite somebody, and return the address of their link."""
    community, manager, decision = house
    services.invite(manager, community.pk, [Invitee(address, **fields)], decision_id=decision.pk)
    return reverse("invitation", args=[token_of(Invitation.objects.get(address=address).key)])


def test_a_manager_pastes_addresses_or_gives_a_file_and_sees_who_is_invited(house) -> None:
    community, manager, decision = house
    client = as_(manager)
    assert f'<option value="{decision.pk}" selected>Which tree?</option>' in text(client.get(page(community)))
    pasted = client.post(page(community), {"people": "Ann <a@x.org>\nb@x.org", "decision_id": decision.pk})
    assert told(pasted) == ["2 people are invited."]
    file = SimpleUploadedFile("list.csv", "E-Mail;Name;Flat\nb@x.org;Bo;1\nc@x.org;Cleo;2\n".encode("utf-16"))
    uploaded = client.post(page(community), {"file": file})
    assert told(uploaded)[1:] == [
        "1 person is invited. 1 had been invited before and got no second mail.",
        "These columns of the list were not read: Flat.",
    ]
    shown = text(client.get(page(community) + "?q=cleo"))
    assert ("c@x.org" in shown, "a@x.org" in shown) == (True, False)


@pytest.mark.parametrize(
    ("people", "error"),
    [
        ("", "Give addresses here, or choose a file, but not both."),
        ("address,role\na@x.org,boss\nb@x.org,king", "Line 3: “king” is no role: write voter or lobbyist."),
        ("a@x.org\nb@", "Line 2: “b@” is not an e-mail address."),
        ("name,flat\nAnn,3", "line 1: the first line names no column of e-mail addresses."),
    ],
)
def test_what_is_wrong_with_a_list_is_said_beside_it(house, people: str, error: str) -> None:
    community, manager, _ = house
    with nothing_written():
        response = as_(manager).post(page(community), {"people": people})
    assert (response.status_code, error in text(response)) == (400, True)


def test_nobody_else_invites(house) -> None:
    community, manager, _ = house
    services.invite(manager, community.pk, [Invitee("a@x.org")])
    row, link = Invitation.objects.get(), services.create_invitation_link(manager, community.pk)
    member = Membership.objects.get(community=community, is_manager=False).user
    with nothing_written():
        for address in (
            page(community),
            page(community, "invitation-link-create"),
            page(community, "invitation-link-revoke", link.pk),
            page(community, "invitation-resend", row.pk),
            page(community, "invitation-revoke", row.pk),
        ):
            assert as_(member).post(address, {"people": "b@x.org"}).status_code == 403
            assert as_(None).post(address).status_code == 302
        assert as_(member).get(page(community, "invitation-poster", link.pk)).status_code == 403
    other, others = factories.community()
    assert as_(others["manager"].user).post(page(other, "invitation-revoke", row.pk)).status_code == 404


def test_the_example_of_a_list_can_be_read_and_no_label_says_optional(house) -> None:
    community, manager, _ = house
    answer = as_(manager).get(page(community))
    example = re.search(r'id="example-list">(.*?)</pre>', answer.content.decode(), re.DOTALL)
    assert example is not None
    found = read_member_list(unescape(example[1]))
    assert [(one.address, one.role, one.is_manager, tuple(one.tags)) for one in found.people] == [
        ("mary@example.org", "voter", True, ()),
        ("olga@example.org", "voter", False, ("roof", "budget")),
        ("counsel@example.org", "lobbyist", False, ()),
    ]
    form, _, _ = answer.content.decode().partition('id="links"')
    assert "(optional)" not in form
    assert f'<a href="{page(community, "community-manage")}">Manage</a>' in text(answer)


def test_taking_an_invitation_back_asks_first_and_an_empty_list_says_no_more_than_it_knows(house) -> None:
    community, manager, _ = house
    client = as_(manager)
    assert "Nobody is on the list." in text(client.get(page(community)))
    services.invite(manager, community.pk, [Invitee("a@x.org")])
    revoke = page(community, "invitation-revoke", Invitation.objects.get().pk)
    assert f'href="{revoke}"' in text(client.get(page(community)))
    with nothing_written():
        assert "Take the invitation to a@x.org back?" in text(client.get(revoke))
    assert told(client.post(revoke)) == ["The invitation to a@x.org was taken back."]
    assert Invitation.objects.get().revoked_at is not None


def test_whoever_was_only_listed_is_sent_a_first_mail(house) -> None:
    community, manager, _ = house
    services.invite(manager, community.pk, [Invitee("listed@x.org")], send=False)
    assert "Send<span" in text(as_(manager).get(page(community)))
    sent = as_(manager).post(page(community, "invitation-resend", Invitation.objects.get().pk))
    assert told(sent) == ["A link is on its way to listed@x.org."]
    assert "Send again<span" in text(as_(manager).get(page(community)))


def test_who_has_no_name_on_the_list_is_told_that_one_is_made_up(house) -> None:
    address, client = invited(house), as_(None)
    assert "a made-up name, such as member_4821" in text(client.get(address))
    client.post(address)
    assert client.get("/profile/").context["user"].handle.startswith("member_")
    assert "managers of communities that invited it" in text(client.get("/profile/"))


def test_one_press_on_the_mails_link_joins_signs_in_and_shows_the_question(house) -> None:
    community, _, decision = house
    services.update_community(house[1], community.pk, description="We plant **trees**.")
    address, client = invited(house, name="Mary Ann"), as_(None)
    with nothing_written():
        opened = client.get(address)
    assert [said in text(opened) for said in ("Maple Court", "Which tree?", "<strong>trees</strong>")] == [True] * 3
    assert (opened["Referrer-Policy"], opened["X-Robots-Tag"]) == ("strict-origin", "noindex")
    assert "<strong>Mary Ann</strong> (@mary_ann)" in text(opened)
    pressed = client.post(address)
    assert pressed["Location"] == page(community, "decision", decision.pk)
    landed = client.get(pressed["Location"])
    assert (landed.context["user"].name, landed.context["user"].handle) == ("Mary Ann", "mary_ann")
    assert landed.status_code == 200
    assert 'name="choice-' in text(landed)
    # Whoever opens the mail again gets where it leads, or a way to sign in.
    assert client.get(address)["Location"] == page(community, "decision", decision.pk)
    again = as_(None).get(address)
    assert (again.status_code, "Send a sign-in link to new@example.org" in text(again)) == (410, True)
    assert as_(None).post(address).status_code == 410
    assert as_(None).get(reverse("invitation", args=["made-up"])).status_code == 410


@pytest.mark.parametrize("name", ["", "Mary Ann"])
def test_from_the_mail_to_a_cast_ballot_it_takes_two_presses_and_the_stars(house, name: str) -> None:
    _, _, decision = house
    invited(house, name=name)
    sending.deliver_mails()
    link = re.search(r"http://\S+", mail.outbox[-1].body)[0]
    client = as_(None)
    joined = client.post(urlsplit(link).path, follow=True)
    form = joined.context["form"]
    stars = {rating["name"]: "4" for rating in form.ratings()}
    assert [path for path, _ in joined.redirect_chain] == [page(house[0], "decision", decision.pk)]
    cast = client.post(page(house[0], "vote_submit", decision.pk), stars, follow=True)
    assert "<strong>You voted.</strong> You can change your ballot until" in text(cast)


def test_somebody_who_is_signed_in_as_another_is_told_so(house) -> None:
    stranger = factories.person("sam_smith")
    shown = text(as_(stranger).get(invited(house)))
    assert ("(@sam_smith)" in shown, "sent to new@example.org" in shown) == (True, True)


def test_an_invited_address_that_signs_in_by_itself_finds_the_door_open(house) -> None:
    community, _, _ = house
    ann = factories.person("ann_bee")
    assert "by invitation only" in text(as_(ann).get(page(community, "community")))
    invited(house, "ann_bee@example.org")
    assert "A manager invited your address, ann_bee@example.org." in text(as_(ann).get(page(community, "community")))
    as_(ann).post(page(community, "own-invitation"))
    assert Membership.objects.filter(community=community, user=ann).exists()


def test_a_shared_link_leads_through_signing_in_and_back(house) -> None:
    community, manager, decision = house
    made = as_(manager).post(page(community, "invitation-link-create"), {"decision_id": decision.pk, "max_uses": "5"})
    assert made["Location"] == page(community) + "#links"
    link = community.invitation_links.get()
    address, client = reverse("invitation-link", args=[link.token]), as_(None)
    assert f'<input type="hidden" name="next" value="{address}">' in text(client.get(address))
    stranger = factories.person("sam_smith")
    client.force_login(stranger, backend="accounts.backends.SignInLinkBackend")
    assert client.post(address)["Location"] == page(community, "decision", decision.pk)
    as_(manager).post(page(community, "invitation-link-revoke", link.pk))
    assert as_(factories.person()).get(address).status_code == 410


def test_all_who_wait_are_mailed_again_with_one_press(house) -> None:
    community, manager, _ = house
    invited(house)
    client, again = as_(manager), page(community, "invitations-resend")
    shown = text(client.get(page(community)))
    assert (again in shown, "Possible from <time" in shown) == (True, True)
    assert "more than an hour ago" in text(client.post(again, follow=True))
    Invitation.objects.update(sent_at=timezone.now() - timedelta(hours=2))
    assert "Possible from" not in text(client.get(page(community)))
    assert told(client.post(again))[-1] == "New links are on their way to 1 person. The old ones have ended."
    with nothing_written():
        assert as_(community.memberships.get(user__name__startswith="Ann").user).post(again).status_code == 403


def test_whoever_was_invited_with_topics_in_mind_is_led_to_follow_on_them(house) -> None:
    community, manager, _ = house
    client = as_(None)
    address = invited(house, tags=("budget", "roof"))
    assert "Will be asked to follow somebody on these topics: budget, roof" in text(as_(manager).get(page(community)))
    landed = client.post(address, follow=True)
    hint = "You may want to follow somebody on budget, roof:"
    assert hint not in text(landed), "the question comes first"
    submit = page(community, "vote_submit", house[2].pk)
    stars = {rating["name"]: "4" for rating in landed.context["form"].ratings()}
    voted = text(client.post(submit, stars, follow=True))
    assert f'{hint} <a href="{page(community, "community-members")}">choose whom among the members</a>.' in voted
    assert hint not in text(client.post(submit, stars, follow=True)), "it is said once"
    manages = community.memberships.get(is_manager=True)
    assert 'value="budget, roof"' in text(client.get(page(community, "follow_user", manages.pk)))


def test_a_poster_has_the_question_the_address_and_its_code(house) -> None:
    community, manager, decision = house
    link = services.create_invitation_link(manager, community.pk, decision_id=decision.pk)
    shown = text(as_(manager).get(page(community, "invitation-poster", link.pk)))
    assert f"http://localhost:8000/join/{link.token}/" in shown
    assert ("<h1>Which tree?</h1>" in shown, "<svg" in shown, "data-prints hidden>Print<" in shown) == (
        True,
        True,
        True,
    )


class TestTheWayToAClosedPage:
    """An address that somebody may not see yet leads through joining, and back to it."""

    @pytest.fixture
    def club(self) -> tuple[Community, User, Decision]:
        community, members = factories.community(name="Chess Club")
        manager = members["manager"].user
        services.update_community(manager, community.pk, joining="request", visibility="members")
        return community, manager, factories.decision(community, manager)

    def test_a_stranger_is_led_to_the_door_whatever_lies_behind_it(self, club, stranger: User) -> None:
        community, _, decision = club
        door = page(community, "community")
        for pk in (decision.pk, 10**9):
            address = page(community, "decision", pk)
            assert as_(stranger).get(address)["Location"] == f"{door}?next={address.replace('/', '%2F')}"
        assert as_(stranger).get(reverse("decision", args=[10**9, decision.pk])).status_code == 404
        assert as_(stranger).post(page(community, "vote_submit", decision.pk)).status_code == 404
        assert as_(stranger).get(page(community, "decision-export", decision.pk)).status_code == 404
        assert as_(None).get(address)["Location"].startswith("/sign-in/?next=")

    def test_whoever_is_let_in_goes_on_to_where_they_were_going(self, club, stranger: User) -> None:
        community, manager, decision = club
        client, wanted = as_(stranger), page(community, "decision", decision.pk)
        door = client.get(wanted)["Location"]
        shown = text(client.get(door))
        assert "sees your e-mail" not in shown
        assert f"will see your e-mail address, {stranger.email}" in shown
        assert f'<input type="hidden" name="next" value="{wanted}">' in shown
        applied = client.post(page(community, "community-apply"), {"message": "", "next": wanted})
        assert applied["Location"] == door
        assert "You applied" in text(client.get(door))
        application = stranger.applications.get()
        assert stranger.email in text(as_(manager).get(page(community, "community-manage")))
        services.decide_application(manager, application.pk, approve=True)
        assert client.get(door)["Location"] == wanted
        assert client.get(wanted).status_code == 200

    def test_it_leads_nowhere_else(self, club) -> None:
        community, manager, _ = club
        for elsewhere in ("https://evil.example/", "//evil.example/", "javascript:x"):
            assert as_(manager).get(page(community, "community"), {"next": elsewhere}).status_code == 200

    @pytest.fixture
    def stranger(self) -> User:
        return factories.person("sam_smith")


def test_no_mail_leaves_but_through_the_outbox(house) -> None:
    invited(house)
    assert mail.outbox == []
