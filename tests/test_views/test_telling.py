"""Telling others of results: published ones, previews, pictures, embeds; and what they never show."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from democracy import services
from democracy.errors import PermissionDenied, PublicAlready, ResultNotFinal
from democracy.models import Community, Decision, LedgerEntry, PublishedResult
from democracy.presenting import pictures
from democracy.presenting.sharing import shared, shared_with_everybody
from democracy.reading import ledger_feed
from democracy.recalculation import audits, recalculate_community
from tests import factories, rules
from tests.test_graphql.api import ask, id_of
from tests.test_views.browsing import as_, nothing_written, text

pytestmark = pytest.mark.django_db


class Scene:
    """Ada gives Ash 5 stars with a comment, Ben gives Birch 4, Cleo follows Ada."""

    def __init__(self, visibility: str = Community.Visibility.MEMBERS, **fields: Any) -> None:
        self.community, self.members = factories.community("ada", "ben", "cleo", visibility=visibility)
        self.manager = self.members["manager"].user
        self.decision = factories.decision(self.community, self.manager, **fields)
        factories.vote(self.members["ada"], self.decision, tags=["yard"], Ash=5)
        factories.vote(self.members["ben"], self.decision, Birch=4)
        factories.follow(self.members["cleo"], self.members["ada"])
        self.calculate()

    def calculate(self) -> None:
        recalculate_community(self.community.pk)
        self.decision.refresh_from_db()

    def close(self) -> None:
        factories.close(self.decision, at=timezone.now() + timedelta(microseconds=1))
        self.calculate()

    def address(self, name: str, **query: str) -> str:
        return reverse(name, args=(self.community.pk, self.decision.pk), query=query)

    def get(self, name: str, who: str | None = None) -> Any:
        return as_(self.members[who].user if who else None).get(self.address(name))

    def publish(self) -> PublishedResult:
        return services.publish_result(self.manager, self.decision.pk)


def public(**fields: Any) -> Scene:
    return Scene(Community.Visibility.PUBLIC, **fields)


@pytest.fixture
def closed() -> Scene:
    scene = Scene()
    scene.close()
    return scene


def policy(response: Any) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


# --- A result at an address of its own --------------------------------------------------------------------------------


def test_a_manager_publishes_a_result_which_keeps_its_address(closed: Scene) -> None:
    assert as_(None).get(reverse("published-result", args=("guessed",))).status_code == 404
    page = as_(closed.manager).post(closed.address("result-publish"), follow=True)
    published = PublishedResult.objects.get(decision=closed.decision)
    assert f"{settings.SITE_URL}/results/{published.token}/" in text(page)
    assert len(published.token) == 32
    with nothing_written():
        assert closed.publish() == published
    shown = as_(None).get(reverse("published-result", args=(published.token,)))
    assert (shown.status_code, shown["X-Robots-Tag"], shown["Cache-Control"]) == (200, "noindex", "private, no-store")
    assert shown.context["outcome"].title == "Winner: Ash"
    # Everything else of the community stays closed to visitors.
    names = ("decision", "decision-results", "decision-ballots", "decision-export", "decision-csv", "decision-embed")
    assert {name: closed.get(name).status_code for name in names} == dict.fromkeys(names[:-1], 302) | {
        "decision-embed": 404
    }


def test_a_published_result_shows_neither_people_nor_ballots_nor_where_they_are(closed: Scene) -> None:
    token = closed.publish().token
    for what in ("", "embed/"):
        page = as_(None).get(f"/results/{token}/{what}").content.decode()
        assert [member for member in closed.members.values() if member.user.handle in page] == []
        assert [member for member in closed.members.values() if member.user.name in page] == []
        assert re.findall(r"/communities/\d+", page) == []
        assert "yard" not in page


def test_a_withdrawn_result_is_gone_for_good(closed: Scene) -> None:
    token = closed.publish().token
    as_(closed.manager).post(closed.address("result-withdraw"))
    with nothing_written():
        services.withdraw_result(closed.manager, closed.decision.pk)
    again = closed.publish().token
    assert [as_(None).get(f"/results/{token}/{what}").status_code for what in ("", "embed/", "picture.png")] == [
        404
    ] * 3
    assert as_(None).get(f"/results/{again}/").status_code == 200


def test_publishing_and_withdrawing_stand_in_the_history_without_the_address(closed: Scene) -> None:
    before = rules.revision(closed.community)
    published = closed.publish()
    services.withdraw_result(closed.manager, closed.decision.pk)
    ada = closed.members["ada"].user
    items = ledger_feed.feed_after(ada, closed.community, before, first=9)
    who, what = f"@{closed.manager.handle}", f"“{closed.decision.title}”"
    assert [item.sentence for item in items] == [
        f"{who} published the result of {what} at an address of its own.",
        f"{who} withdrew the published result of {what}.",
    ]
    assert [item.kind for item in items] == [LedgerEntry.Kind.PUBLICATION] * 2
    assert not LedgerEntry.objects.filter(after__icontains=published.token).exists()


def test_an_audit_compares_published_results_with_the_ledger(closed: Scene) -> None:
    published = closed.publish()
    assert _faults(closed.community) == []
    PublishedResult.objects.filter(pk=published.pk).update(published_at=published.published_at + timedelta(days=1))
    name = f"the published result of decision {closed.decision.pk}"
    assert _faults(closed.community) == [f"{name} is not as the ledger says: published"]
    PublishedResult.objects.filter(pk=published.pk)._raw_delete("default")
    assert _faults(closed.community) == [f"{name} stands in the ledger and not in the tables"]


def _faults(community: Community) -> list[str]:
    """The faults of published results: the scene's closing is in no ledger."""
    community.refresh_from_db()
    return [fault for fault in audits.faults(community) if fault.startswith("the published result")]


def test_only_final_results_of_members_only_decisions_are_published() -> None:
    scene, everybodys = Scene(), public()
    with rules.refused(ResultNotFinal):
        scene.publish()
    everybodys.close()
    with rules.refused(PublicAlready):
        everybodys.publish()
    scene.close()
    with rules.refused(PermissionDenied):
        services.publish_result(scene.members["ada"].user, scene.decision.pk)
    with nothing_written():
        assert as_(scene.members["ada"].user).post(scene.address("result-publish")).status_code == 403
        elsewhere = reverse("result-publish", args=(everybodys.community.pk, scene.decision.pk))
        assert as_(everybodys.manager).post(elsewhere).status_code == 404


def test_the_results_page_offers_it_to_managers_and_tells_members(closed: Scene) -> None:
    offer = 'action="' + closed.address("result-publish")
    assert (
        offer in text(closed.get("decision-results", "manager")),
        offer in text(closed.get("decision-results", "ada")),
    ) == (
        True,
        False,
    )
    token = closed.publish().token
    for who in ("manager", "ada"):
        page = text(closed.get("decision-results", who))
        assert (token in page, offer in page) == (True, False)
        assert (closed.address("result-withdraw") in page) == (who == "manager")


# --- Previews, pictures, embeds ---------------------------------------------------------------------------------------


def meta(page: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:property|name)="((?:og:|twitter:|description)[\w:]*)" content="([^"]*)"', page))


def test_a_public_decision_has_a_preview_and_a_members_only_one_has_none(closed: Scene) -> None:
    scene = public(title="Which <tree>?")
    said = meta(scene.get("decision").content.decode())
    assert said["og:title"] == "Which &lt;tree&gt;?"
    assert said["og:url"] == f"{settings.SITE_URL}{scene.address('decision')}"
    assert said["og:description"] == said["description"]
    assert "Ahead right now: Ash" in said["og:description"]
    assert said["og:image"].startswith(f"{settings.SITE_URL}{scene.address('decision-picture')}?v=")
    assert meta(closed.get("decision", "ada").content.decode()) == {}


@pytest.mark.parametrize("visibility", [Decision.Visibility.AFTER_CLOSE, Decision.Visibility.BATCHED])
def test_while_ballots_are_hidden_nothing_that_leaves_the_site_has_numbers(visibility: str) -> None:
    scene = public(results_visibility=visibility)
    for one in ("ada", "ben", "cleo", "manager"):
        factories.vote(scene.members[one], scene.decision, Cedar=5)
    scene.calculate()
    hidden = shared_with_everybody(scene.decision.pk)
    assert (hidden.outcome, hidden.snapshot, hidden.turnout) == (None, None, "")
    assert hidden.result == "The result is shown after voting has closed."
    before = pictures.picture_of(hidden)
    embed = text(scene.get("decision-embed"))
    assert [word for word in ("Ash", "Birch", "Cedar", "Ahead", "voters") if word in embed] == []
    scene.close()
    told = shared_with_everybody(scene.decision.pk)
    assert told.outcome is not None
    assert told.result.startswith("Winner: Cedar. ")
    assert pictures.picture_of(told) != before


def test_a_picture_is_the_same_until_something_on_it_changes() -> None:
    scene = public()
    first = scene.get("decision-picture")
    assert (first["Content-Type"], first["Cache-Control"]) == ("image/png", "public, max-age=60")
    image = Image.open(io.BytesIO(first.content))
    assert (image.size, image.format) == ((1200, 630), "PNG")
    pictures._painted.cache_clear()
    assert scene.get("decision-picture").content == first.content
    address = shared(scene.decision).picture
    for one in ("ada", "ben", "cleo"):
        factories.vote(scene.members[one], scene.decision, Birch=5)
    scene.calculate()
    assert scene.get("decision-picture").content != first.content
    assert shared(scene.decision).picture != address


def test_letters_that_the_font_lacks_are_left_to_the_words_beside_the_picture() -> None:
    assert pictures.drawable("Łódź  „Große“ Café – 5 €") == "Łódź „Große“ Café – 5 €"
    assert pictures.drawable("Pizza 🍕 night") == "Pizza night"
    assert pictures.drawable("投票しましょう") == ""
    scene = public(title="投票しましょう")
    assert scene.get("decision-picture").status_code == 200


def test_long_texts_stay_in_the_picture() -> None:
    assert pictures._length(pictures._fitted("W" * 200, 28, 500, 300), 28, 500) <= 300
    choices = [f"{letter} {'very long choice ' * 10}" for letter in "ABCDE"]
    community, members = factories.community(visibility=Community.Visibility.PUBLIC)
    decision = factories.decision(community, members["manager"].user, *choices, title="Long " * 39)
    assert len(pictures.picture_of(shared(decision))) > 1_000


def test_only_embeds_may_stand_in_frames_of_others_and_they_run_nothing() -> None:
    scene = public()
    scene.close()
    embed = scene.get("decision-embed")
    assert (policy(embed)["frame-ancestors"], policy(embed)["script-src"], "X-Frame-Options" in embed) == (
        "*",
        "'none'",
        False,
    )
    assert "<script" not in embed.content.decode()
    assert (embed["Cache-Control"], embed.headers.get("Vary"), embed.cookies) == ("public, max-age=60", None, {})
    results = scene.get("decision-results")
    assert (policy(results)["frame-ancestors"], results["X-Frame-Options"]) == ("'none'", "DENY")
    published = Scene()
    published.close()
    page = Client().get(f"/results/{published.publish().token}/")
    assert (policy(page)["frame-ancestors"], page["X-Frame-Options"]) == ("'none'", "DENY")


def test_an_embed_is_the_same_for_everybody_and_never_shows_what_a_visitor_may_not_see(closed: Scene) -> None:
    assert [closed.get("decision-embed", who).status_code for who in (None, "ada", "manager")] == [404] * 3
    scene = public()
    assert scene.get("decision-embed").content == scene.get("decision-embed", "manager").content
    draft = factories.draft(scene.community, scene.manager)
    address = reverse("decision-embed", args=(scene.community.pk, draft.pk))
    assert as_(scene.manager).get(address).status_code == 404


def described(address: str, **more: str) -> Any:
    return Client().get(reverse("oembed"), {"url": address, **more})


def test_oembed_describes_pages_of_public_and_published_results(closed: Scene) -> None:
    scene = public(title='A "quoted" question')
    page = scene.get("decision").content.decode()
    (link,) = re.findall(r'<link rel="alternate" type="application/json\+oembed" href="([^"]*)"', page)
    found = Client().get(link.replace("&amp;", "&")).json()
    assert (found["type"], found["version"], found["title"]) == ("rich", "1.0", 'A "quoted" question')
    assert f'src="{settings.SITE_URL}{scene.address("decision-embed")}"' in found["html"]
    assert ElementTree.fromstring(found["html"]).get("title") == 'A "quoted" question'
    small = described(f"{settings.SITE_URL}{scene.address('decision-results')}", maxwidth="300", maxheight="200").json()
    assert (small["width"], small["height"], "thumbnail_url" in small) == (300, 200, False)
    token = closed.publish().token
    assert token in described(f"{settings.SITE_URL}/results/{token}/").json()["html"]


def test_oembed_describes_nothing_else(closed: Scene) -> None:
    site = settings.SITE_URL
    addresses = ["", "nonsense", "https://example.org/communities/1/", f"{site}/", f"{site}/results/guessed/"]
    addresses.append(f"{site}{closed.address('decision-results')}")
    assert [described(address).status_code for address in addresses] == [404] * len(addresses)
    assert described(f"{site}/", format="xml").status_code == 501


# --- The API ----------------------------------------------------------------------------------------------------------


def test_the_api_publishes_and_tells_members_the_address(closed: Scene) -> None:
    done = ask(
        closed.manager,
        "mutation($id: ID!) { publishResult(decisionId: $id) { address errors { code } } }",
        id=id_of(closed.decision),
    )["publishResult"]
    token = PublishedResult.objects.get().token
    assert done == {"address": f"{settings.SITE_URL}/results/{token}/", "errors": []}
    query = "query($id: ID!) { decision(id: $id) { publishedResultAddress } }"
    seen = ask(closed.members["ada"].user, query, id=id_of(closed.decision))
    assert seen["decision"] == {"publishedResultAddress": done["address"]}
