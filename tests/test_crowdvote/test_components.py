"""Template tags and filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import engines
from django.template.loader import render_to_string
from django.test import RequestFactory
from hypothesis import assume, given
from hypothesis import strategies as st

from crowdvote.pages import avatars
from crowdvote.pages.icons import PATHS
from crowdvote.templatetags import crowdvote_ui as ui

HANDLES = st.from_regex(r"[a-z0-9_]{2,40}", fullmatch=True)


def rendered(source: str, path: str = "/", **context: object) -> str:
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    return engines["django"].from_string("{% load crowdvote_ui %}" + source).render(context, request)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (#rrggbb) by the formula of WCAG 2.2."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


class TestNumbers:
    @pytest.mark.parametrize(
        ("microstars", "text"),
        [(0, "0"), (5_000_000, "5"), (2_500_000, "2.5"), (3_333_333, "3.33"), (1_666_667, "1.67"), (4_999, "0"),
         (5_001, "0.01"), (4_999_999, "5"), (None, "–"), (8_018_000_000, "8,018")],
    )  # fmt: skip
    def test_microstars_read_as_stars(self, microstars, text):
        assert ui.as_stars(microstars) == text

    @pytest.mark.parametrize(
        ("share", "text"),
        [(0, "0%"), (1, "100%"), (0.125, "12%"), (0.5, "50%"), (0.001, "<1%"), (0.999, ">99%"), (None, "–")],
    )
    def test_only_nothing_reads_as_0_and_only_all_as_100_percent(self, share, text):
        assert ui.percent(share) == text

    def test_long_numbers_are_grouped(self):
        assert [ui.grouped(number) for number in (0, 999, 6539, None)] == ["0", "999", "6,539", "–"]

    def test_a_share_of_nothing_is_none(self):
        assert (ui.share_of(1, 4), ui.share_of(0, 0)) == (0.25, 0.0)


class TestStarsAndBars:
    @pytest.mark.parametrize(("microstars", "width"), [(0, "0.00"), (5_000_000, "120.00"), (3_333_333, "80.00")])
    def test_stars_are_filled_as_far_as_the_number_says(self, microstars, width):
        shown = ui.stars(microstars)
        assert f'<svg width="{width}" height="24">' in shown
        assert f"<b>{ui.as_stars(microstars)}</b>" in shown

    @pytest.mark.parametrize(("share", "width"), [(0, "0.00%"), (0.824, "82.40%"), (1, "100.00%"), (1.2, "100.00%")])
    def test_a_bar_is_as_long_as_its_share(self, share, width):
        assert f'<rect class="fill" width="{width}"' in ui.bar(share)

    def test_the_runoff_line_is_where_half_of_those_with_a_preference_are(self):
        shown = ui.runoff_bar(6, 4, 2)
        assert '<rect class="side-a" width="50.00%"' in shown
        assert '<rect class="side-b" x="66.67%" width="33.33%"' in shown
        assert 'x1="41.67%" x2="41.67%"' in shown

    def test_without_a_preference_there_is_no_line(self):
        assert "majority" not in ui.runoff_bar(0, 0, 7)

    @given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
    def test_whoever_is_ahead_reaches_the_line(self, ahead, behind, equal):
        assume(ahead + behind)
        shown = ui.runoff_bar(ahead, behind, equal)
        reached = float(re.search(r'side-a" width="([\d.]+)%', shown)[1])
        line = float(re.search(r'x1="([\d.]+)%', shown)[1])
        assert reached == pytest.approx(line, abs=0.011) or (reached > line) == (ahead > behind)

    def test_a_rating_without_a_value_is_not_rated_and_zero_is_a_rating(self):
        def chosen(value: int | None) -> list[str]:
            page = rendered('{% include "components/_rating.html" with name="c" legend="Ash" %}', value=value)
            return re.findall(r'value="(\d?)" checked', page)

        assert [chosen(None), chosen(0), chosen(5)] == [[""], ["0"], ["5"]]

    def test_a_rating_offers_all_seven_answers_by_name(self):
        page = rendered('{% include "components/_rating.html" with name="c" legend="Ash" value=None %}')
        assert re.findall(r'aria-label="([^"]+)"', page) == [
            "0 stars", "1 star", "2 stars", "3 stars", "4 stars", "5 stars", "Not rated"
        ]  # fmt: skip


class TestAvatars:
    @given(HANDLES)
    def test_everybody_has_their_own_always(self, handle):
        assert avatars.avatar(handle, size=32) == avatars.avatar(handle, size=32)
        assert len(avatars.initials(handle)) <= 2

    def test_all_anonymous_members_share_one_that_says_nothing(self):
        assert "<text" not in ui.avatar("", 32)
        assert ui.avatar("", 32) == ui.avatar("", 32) != ui.avatar("ann", 32)

    @pytest.mark.parametrize(("handle", "letters"), [("mary_ann", "MA"), ("bob", "BO"), ("__", ""), ("_x", "X")])
    def test_it_bears_the_initials_of_the_handle(self, handle, letters):
        assert avatars.initials(handle) == letters

    def test_its_letters_can_be_read_on_every_ground(self):
        faint = [ground for ground, _ in avatars.GROUNDS if contrast("#ffffff", ground) < 4.5]
        assert faint == []


class TestTimes:
    NOON = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("form", "text"),
        [("datetime", "24 Nov 2026, 12:30 UTC"), ("date", "24 Nov 2026"), ("time", "12:30 UTC"),
         ("relative", "24 Nov 2026, 12:30 UTC"), ("countdown", "24 Nov 2026, 12:30 UTC")],
    )  # fmt: skip
    def test_without_scripts_it_is_in_utc(self, form, text):
        assert ui.when(self.NOON, form) == (
            f'<time datetime="2026-11-24T12:30:00+00:00" data-time="{form}">{text}</time>'
        )

    def test_whatever_zone_it_comes_in(self):
        tokyo = self.NOON.astimezone(timezone(timedelta(hours=9)))
        assert ui.when(tokyo) == ui.when(self.NOON)

    def test_never_is_said_so(self):
        assert ">never<" in ui.when(None)


class TestLinks:
    def test_a_page_that_is_not_there_is_left_out(self):
        assert rendered('{% nav_link "no-such-page" "X" %}{% address "no-such-page" as url %}[{{ url }}]') == "[]"

    @pytest.mark.parametrize(
        ("path", "mark"), [("/docs/", ' aria-current="page"'), ("/docs/more/", ' aria-current="true"'), ("/", "")]
    )
    def test_the_navigation_marks_where_the_reader_is(self, path, mark):
        assert rendered('{% nav_link "docs" "How" %}', path) == f'<li><a href="/docs/"{mark}>How</a></li>'

    def test_the_way_to_a_page_ends_with_the_page(self):
        shown = rendered('{% breadcrumb name "/a/" "Here" %}', name="A & B")
        assert '<li><a href="/a/">A &amp; B</a></li><li aria-current="page">Here</li>' in shown

    def test_other_pages_keep_the_rest_of_the_address(self):
        shown = rendered('{% page_link 3 "Next" %}', "/x/?q=a%26b&page=2")
        assert 'href="?q=a%26b&amp;page=3"' in shown

    @pytest.mark.parametrize(
        ("query", "state", "next_sort"),
        [("", "none", "name"), ("?sort=name", "ascending", "-name"), ("?sort=-name", "descending", "name"),
         ("?sort=kind&page=4", "none", "name")],
    )  # fmt: skip
    def test_a_column_sorts_one_way_and_then_the_other_from_the_first_page(self, query, state, next_sort):
        shown = rendered('{% sort_header "name" "Name" %}', f"/x/{query}")
        assert f'aria-sort="{state}"' in shown
        assert f'href="?sort={next_sort}"' in shown

    def test_columns_may_be_numbered(self):
        shown = rendered("{% sort_header 2 'Two' %}", "/x/?sort=2")
        assert ('aria-sort="ascending"' in shown, 'href="?sort=-2"' in shown) == (True, True)


def test_every_icon_is_one_drawing_and_says_its_meaning_only_if_it_has_one():
    assert all(re.fullmatch(r"M[\dMLHVCSQTAZmlhvcsqtaz .-]+", path) for path in PATHS.values())
    assert 'aria-hidden="true"' in ui.icon("star")
    assert 'role="img" aria-label="A &amp; B"' in ui.icon("star", "A & B")


HOSTILE = "<img src=x onerror=alert(1)>\"'&"


@pytest.mark.parametrize(
    ("component", "context"),
    [
        ("_rating", {"name": "c", "legend": HOSTILE, "description": HOSTILE, "value": 1}),
        ("_bar_row", {"label": HOSTILE, "value": HOSTILE, "share": 0.5, "note": HOSTILE}),
        ("_runoff", {"winner": HOSTILE, "runner_up": HOSTILE, "ahead": 2, "behind": 1, "equal": 0}),
        ("_tags", {"tags": [HOSTILE]}),
        ("_tags_field", {"value": HOSTILE, "suggestions": [HOSTILE], "error": HOSTILE}),
        ("_text_field", {"name": "n", "label": HOSTILE, "value": HOSTILE, "error": HOSTILE, "hint": HOSTILE}),
        ("_person", {"name": HOSTILE, "handle": HOSTILE, "note": HOSTILE, "url": HOSTILE}),
        ("_tree", {"nodes": [{"name": HOSTILE, "handle": HOSTILE, "share": HOSTILE, "note": HOSTILE}]}),
        ("_messages", {"messages": [HOSTILE]}),
        ("_empty", {"title": HOSTILE, "text": HOSTILE, "url": HOSTILE, "action": HOSTILE}),
    ],
)
def test_what_people_wrote_is_text_wherever_it_is_shown(component, context):
    shown = render_to_string(f"components/{component}.html", context)
    assert "&lt;img" in shown
    assert "<img" not in shown
    assert 'onerror=alert(1)>"' not in shown


def test_no_template_of_ours_has_scripts_or_styles_inline(settings):
    templates = [
        path
        for app in ("accounts", "crowdvote", "democracy")
        for path in (settings.BASE_DIR / app / "templates").rglob("*.html")
        # Mails load no style sheet.
        if path.parent.name != "mail"
    ]
    assert templates
    inline = re.compile(r"<style|\sstyle\s*=|<script(?![^>]*\ssrc=)(?![^>]*json)|\son[a-z]+=|javascript:")
    assert [path.name for path in templates if inline.search(path.read_text())] == []
