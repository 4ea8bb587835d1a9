"""Telling others of results: published ones, previews, pictures, embeds; and what they never show."""

from __future__ import annotations

import copy
import io
import re
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from icalendar import Calendar
from PIL import Image

from democracy import services
from democracy.errors import PermissionDenied, PublicAlready, ResultNotFinal
from democracy.ledger import signing
from democracy.models import Community, Decision, LedgerEntry, PublishedResult
from democracy.presenting import pictures
from democracy.presenting.sharing import shared, shared_with_everybody
from democracy.reading import ledger_feed
from democracy.recalculation import audits, recalculate_community
from democracy.views import reports
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


@pytest.fixture(scope="module")
def written(module_rows: None) -> Scene:
    scene = Scene()
    scene.close()
    return scene


@pytest.fixture
def closed(written: Scene, db: None) -> Scene:
    return copy.deepcopy(written)


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


@pytest.mark.parametrize("what", ["", "embed/", "picture.png", "report/"])
def test_no_search_engine_keeps_a_published_result(closed: Scene, what: str) -> None:
    answer = as_(None).get(f"/results/{closed.publish().token}/{what}")
    assert (answer.status_code, answer["X-Robots-Tag"]) == (200, "noindex")


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


# --- Reports, calendars, feeds ----------------------------------------------------------------------------------------


def test_a_report_has_everything_that_a_board_files(closed: Scene) -> None:
    page = text(closed.get("decision-report", "ada"))
    result = f"{settings.SITE_URL}{closed.address('decision-results')}"
    context = closed.get("decision-report", "ada").context
    said = [
        f"<p>{closed.community.name}</p>",
        f"<h1>{closed.decision.title}</h1>",
        "<strong>Winner: Ash.</strong> Between the two best rated, 2 ballots prefer “Ash” and 1 prefers “Birch”.",
        "STAR voting (star-2026/1)",
        '<tr><th scope="row">voted themselves</th><td class="number">2</td></tr>',
        '<tr><th scope="row">voted through people they follow</th><td class="number">1</td></tr>',
        '<th scope="row">prefer Ash</th><td class="number">2</td>',
        "There was no tie to break.",
        closed.decision.lot_seed,
        context["checkpoint"].hash,
        context["checkpoint"].signature,
        f">{result}</code>",
        'src="data:image/svg+xml',
    ]
    assert [one for one in said if one not in page] == []
    assert closed.get("decision-report").status_code == 302


def test_a_report_shows_what_was_written_as_the_page_does() -> None:
    scene = public(description="The city gave us **4,000 euros**.")
    services.add_clarification(scene.manager, scene.decision.pk, text="- with *water*")
    page = text(scene.get("decision-report"))
    assert "<strong>4,000 euros</strong>" in page
    assert "<em>water</em></li>" in page


def test_a_report_has_the_ballots_as_a_table_on_request(closed: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    handles = [f"@{closed.members[one].user.handle}" for one in ("ada", "ben", "cleo")]
    without = text(closed.get("decision-report", "manager"))
    assert [handle for handle in handles if handle in without] == []
    address = closed.address("decision-report", ballots="1")
    found = re.findall(r'<span class="muted">(@\w+)</span></th><td>(\w+)</td>', text(as_(closed.manager).get(address)))
    assert found == list(zip(handles, ("cast", "cast", "inherited"), strict=True))
    monkeypatch.setattr(reports, "MOST_BALLOTS", 2)
    assert "There are 3 ballots, too many for paper" in text(as_(closed.manager).get(address))


def test_the_report_of_a_published_result_shows_nothing_more_than_that(closed: Scene) -> None:
    token = closed.publish().token
    page = as_(None).get(f"/results/{token}/report/?ballots=1").content.decode()
    assert "Winner: Ash" in page
    assert [one.user.handle for one in closed.members.values() if one.user.handle in page] == []
    assert re.findall(r"/communities/\d+", page) == []
    assert as_(None).get("/results/guessed/report/").status_code == 404


def test_a_report_while_ballots_are_hidden_has_no_numbers_but_the_turnout_in_steps() -> None:
    scene = public(results_visibility=Decision.Visibility.AFTER_CLOSE)
    page = text(as_(None).get(scene.address("decision-report", ballots="1")))
    assert "There is no result to show yet. Fewer than five ballots have been cast." in page
    assert [word for word in ("Turnout", "First round", "All ballots", "Checkpoint") if word in page] == []
    draft = factories.draft(scene.community, scene.manager)
    assert as_(scene.manager).get(reverse("decision-report", args=(scene.community.pk, draft.pk))).status_code == 404


def events(response: Any) -> list[tuple[str, datetime, str]]:
    calendar = Calendar.from_ical(response.content)
    return [(str(one["summary"]), one.decoded("dtstart"), str(one["url"])) for one in calendar.walk("VEVENT")]


def versions(response: Any) -> list[tuple[int, datetime]]:
    """By what programs tell a newer form of each event from an older one."""
    found = Calendar.from_ical(response.content).walk("VEVENT")
    assert [one.decoded("dtstamp") for one in found] == [one.decoded("last-modified") for one in found]
    return [(int(str(one["sequence"])), one.decoded("dtstamp")) for one in found]


def test_a_calendar_has_openings_and_closings_of_what_one_may_see(closed: Scene) -> None:
    scene = public(title="Trees; which, where?")
    factories.draft(scene.community, scene.manager)
    response = as_(scene.manager).get(reverse("community-calendar", args=(scene.community.pk,)))
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    page = f"{settings.SITE_URL}{scene.address('decision')}"
    expected = [
        ("Voting opens: Trees; which, where?", scene.decision.opens_at.replace(microsecond=0), page),
        ("Voting closes: Trees; which, where?", scene.decision.closes_at.replace(microsecond=0), page),
    ]
    assert events(response) == expected
    assert events(scene.get("decision-calendar")) == expected
    closings = [str(one["uid"]) for one in Calendar.from_ical(response.content).walk("VEVENT")]
    later = scene.decision.closes_at + timedelta(days=1)
    assert versions(response) == [(0, scene.decision.published_at.replace(microsecond=0))] * 2
    services.add_clarification(scene.manager, scene.decision.pk, text="Only trees.")
    assert scene.get("decision-calendar").content == scene.get("decision-calendar").content
    assert versions(scene.get("decision-calendar")) == versions(response), "no calendar shows clarifications"
    for number, closes_at in enumerate([later - timedelta(hours=1), later], start=1):
        services.update_decision(scene.manager, scene.decision.pk, closes_at=closes_at)
        moved_at = scene.community.ledger_entries.latest("revision").time.replace(microsecond=0)
        assert versions(scene.get("decision-calendar")) == [(number, moved_at)] * 2
    moved = Calendar.from_ical(scene.get("decision-calendar").content).walk("VEVENT")
    assert [str(one["uid"]) for one in moved] == closings
    assert moved[1].decoded("dtstart") == later.replace(microsecond=0)
    private = reverse("community-calendar", args=(closed.community.pk,))
    assert [as_(user).get(private).status_code for user in (None, closed.members["ada"].user, scene.manager)] == [
        302,
        200,
        404,
    ]


def test_a_feed_without_entries_has_not_changed_since_somebody_last_looked(closed: Scene) -> None:
    """Of a members-only community, which has none."""
    seen = as_(closed.manager).get(reverse("public-feed")).content
    assert (b"<updated>1970-01-01T00:00:00+00:00</updated>" in seen, b"<entry>" in seen) == (True, False)


def test_the_feed_has_public_decisions_and_results_once_they_are_final(closed: Scene) -> None:
    open_one, over = public(title="Open <one>"), public(title="Closed one")
    over.close()
    hidden = factories.draft(open_one.community, open_one.manager)
    response = as_(open_one.manager).get(reverse("public-feed"))
    assert response["Content-Type"].startswith("application/atom+xml")
    atom = {"a": "http://www.w3.org/2005/Atom"}
    entries = ElementTree.fromstring(response.content).findall("a:entry", atom)
    told = [[one.findtext(f"a:{name}", namespaces=atom) for name in ("title", "summary")] for one in entries]
    assert [title for title, _ in told] == ["Closed one", "Open <one>"]
    assert [("Winner: Ash" in said, "Ash" in said) for _, said in told] == [(True, True), (False, False)]
    links = [one.find("a:link", atom).get("href") for one in entries]
    assert links == [
        f"{settings.SITE_URL}{scene.address(page)}"
        for scene, page in ((over, "decision-results"), (open_one, "decision"))
    ]
    assert hidden.title not in response.content.decode()
    of_one = as_(None).get(reverse("community-feed", args=(over.community.pk,))).content.decode()
    assert ("Closed one" in of_one, "Open &lt;one" in of_one) == (True, False)
    assert as_(closed.manager).get(reverse("community-feed", args=(closed.community.pk,))).status_code == 404


@pytest.mark.parametrize("visibility", ["live", "after_close"])
def test_what_leaves_the_site_says_that_a_decision_was_called_off_and_no_result(visibility: str) -> None:
    scene = public(results_visibility=visibility)
    page = scene.address("decision")
    services.call_off(scene.manager, scene.decision.pk, reason="No money.")
    scene.decision.refresh_from_db()
    said = f"Called off on {timezone.now():%-d %B %Y}. There is no result."
    assert (shared(scene.decision).outcome, shared(scene.decision).status) == (None, said)
    feed = as_(None).get(reverse("public-feed")).content.decode()
    assert (said in feed, "Ash" in feed, f"{settings.SITE_URL}{page}" in feed) == (True, False, True)
    assert f"<updated>{scene.decision.called_off_at:%Y-%m-%dT%H:%M:%S}" in feed
    embed = text(scene.get("decision-embed"))
    assert (said in embed, "Ash" in embed) == (True, False)
    told = Calendar.from_ical(scene.get("decision-calendar").content).walk("VEVENT")
    assert [(str(one["summary"]), str(one["status"])) for one in told] == [
        (f"Voting opens: {scene.decision.title}", "CONFIRMED"),
        (f"Called off: {scene.decision.title}", "CANCELLED"),
    ]


def test_nobody_publishes_the_result_of_a_decision_that_was_called_off(closed: Scene) -> None:
    scene = Scene()
    services.call_off(scene.manager, scene.decision.pk, reason="No money.")
    factories.close(scene.decision)
    with nothing_written(), pytest.raises(ResultNotFinal):
        scene.publish()
    assert "no result to publish" in text(as_(scene.manager).get(scene.address("decision-results")))
    assert closed.publish().decision == closed.decision


def test_the_api_tells_the_addresses_of_all_this(closed: Scene) -> None:
    query = """query($c: ID!, $d: ID!) { community(id: $c) { calendarAddress feedAddress }
      decision(id: $d) { embedAddress reportAddress calendarAddress } }"""
    scene = public()

    def of(one: Scene) -> Any:
        return ask(one.manager, query, c=id_of(one.community), d=id_of(one.decision))

    site = settings.SITE_URL
    everybodys, members_only = of(scene), of(closed)
    place = f"{site}/communities/{scene.community.pk}"
    assert everybodys["community"] == {
        "calendarAddress": f"{place}/calendar.ics",
        "feedAddress": f"{place}/decisions.atom",
    }
    assert everybodys["decision"] == {
        f"{name}Address": f"{site}{scene.address(f'decision-{name}')}" for name in ("embed", "report", "calendar")
    }
    assert (members_only["community"]["feedAddress"], members_only["decision"]["embedAddress"]) == (None, None)
    token = closed.publish().token
    assert of(closed)["decision"]["embedAddress"] == f"{site}/results/{token}/embed/"


# --- Checking ---------------------------------------------------------------------------------------------------------


def test_three_steps_lead_to_ones_ballot_and_receipt_the_files_and_the_program(closed: Scene) -> None:
    files = f"decision-{closed.decision.pk}.json ledger-{closed.community.pk}.jsonl"
    receipt = closed.address("decision-receipt")
    for who, has_receipt in (("ada", True), ("cleo", False)):
        page = text(closed.get("decision-results", who))
        steps = re.search(r'id="verify".*?</ol>', page)[0]
        links = [closed.address("decision-ballots"), closed.address("decision-export"), reverse("verifier")]
        links.append(reverse("ledger-download", args=(closed.community.pk,)))
        assert [link for link in links if f'href="{link}"' not in steps] == []
        command = f"python3 crowdvote_verify.py {files}"
        command += f" receipt-{closed.decision.pk}.json" if has_receipt else ""
        assert f">{command} --key {signing.public_key()}</code>" in steps
        assert (f'href="{receipt}"' in steps) == has_receipt


def test_the_api_is_offered_at_the_foot_of_pages_alone() -> None:
    page = text(as_(None).get(reverse("docs")))
    header, footer = re.search(r"<header.*?</header>", page)[0], re.search(r'<footer class="site-footer".*', page)[0]
    address = f'href="{reverse("graphql")}"'
    assert (address in header, address in footer) == (False, True)


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
