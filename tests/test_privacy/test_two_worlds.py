"""The law: two worlds that differ in what is nobody's business are the same to everybody else."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from democracy.models import Community
from tests.test_privacy.adversaries import ACTS, KINDS, Watch, live
from tests.test_privacy.transcripts import differences, in_words
from tests.test_privacy.worlds import (
    ANONYMOUS,
    CHOICES,
    HELPERS,
    HIDDEN,
    KNOWN,
    MEMBERS,
    SHOWN,
    Cast,
    Content,
    Town,
    swapped,
)

pytestmark = pytest.mark.django_db

# `make privacy` draws so many worlds, each watched by one kind of people, who look at everything.
WORLDS = int(os.environ.get("EVERY_WORLD") or 0)
many_worlds = pytest.mark.skipif(not WORLDS, reason="takes minutes; make privacy runs it")
law = settings(
    deadline=None,
    database=None,
    max_examples=WORLDS or 1,
    # A smaller example would cost hundreds of worlds; the first difference says enough.
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
TAGS = ("budget", "parks", "roads")

tags = st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(lambda found: tuple(sorted(found)))
rated = st.tuples(*(st.integers(0, 5) for _ in CHOICES))
contents = st.builds(Content, rated, tags) | st.builds(Content, st.just(()), tags)
secrets = st.integers(0, 10**6).map(lambda number: f"a secret of fifty letters or more, so that it is long {number}")
visibilities = st.sampled_from([*Community.Visibility.values])


@st.composite
def followings(draw: st.DrawFn) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Ann has four followers; the anonymous follow somebody, too; and some more."""
    pairs = [*((helper, "ann") for helper in MEMBERS[2:6]), ("xena", "ann"), ("yuri", "ben"), ("zoe", "cleo")]
    more = st.tuples(st.sampled_from(MEMBERS), st.sampled_from((*KNOWN, "mia"))).filter(lambda pair: pair[0] != pair[1])
    pairs += draw(st.lists(more, max_size=4))
    return tuple((follower, followee, draw(tags)) for follower, followee in dict.fromkeys(pairs))


def numbered(ballots: list[Cast]) -> tuple[Cast, ...]:
    """No ballot is cast twice as it was: that would be no event."""
    return tuple(
        Cast(one.who, one.where, one.content and Content(one.content.stars, one.content.tags, f"no. {number}"))
        for number, one in enumerate(ballots)
    )


Drawn = tuple[Town, tuple[Cast, ...], tuple[Cast, ...]]


@st.composite
def swaps(draw: st.DrawFn) -> Drawn:
    """A town, and ballots in every decision; those of Xena and Yuri are exchanged in some."""
    cast = [Cast(who, title, draw(contents)) for title in SHOWN for who in ("ann", "zoe") if draw(st.booleans())]
    town = Town(draw(secrets), draw(visibilities), draw(followings()), numbered(cast))
    theirs = [Cast(who, title, draw(contents)) for title in SHOWN for who in ("xena", "yuri")]
    ballots = numbered(draw(st.permutations(theirs)))
    where = draw(st.sets(st.sampled_from(SHOWN), min_size=1))
    return town, ballots, swapped(ballots, frozenset(where))


@st.composite
def hidden(draw: st.DrawFn) -> Drawn:
    """A town, and ballots in the decisions that hide them: others cast others at the same moments.

    In each, at most four people, so that a batch is published in neither world (what it publishes is shown to all).
    """
    shown = [Cast(who, "live", draw(contents)) for who in KNOWN if draw(st.booleans())]
    in_batch = [Cast(who, title, draw(contents)) for title in HIDDEN for who in ("mia", *HELPERS)]
    town = Town(draw(secrets), draw(visibilities), draw(followings()), numbered([*shown, *in_batch]))
    places = draw(st.lists(st.sampled_from(HIDDEN), min_size=2, max_size=4))
    voters = st.sampled_from((*KNOWN, *ANONYMOUS))
    one = numbered([Cast(draw(voters), title, draw(contents)) for title in places])
    other = numbered([Cast(draw(voters), title, draw(contents)) for title in places])
    return town, one, other


_FAILURE = re.compile(r"^ *5\d\d |Internal error|KeyError|TypeError|ValueError")
SECRET = "a secret of fifty letters or more, so that it is long"
FOLLOWINGS = (
    *((helper, "ann", ()) for helper in HELPERS),
    ("xena", "ann", ("roads",)),
    ("yuri", "ben", ()),
    ("zoe", "cleo", ("parks",)),
    ("eve", "ben", ("budget",)),
)
ONE, OTHER = Content((5, 0, 2), ("roads",), "One."), Content((1, 4, 0), (), "The other.")


def two_at_once() -> Drawn:
    """Xena votes before Yuri, everywhere; in two decisions of three their ballots are exchanged. In the hidden ones
    Ann, who has four followers, votes in one world, and Ben in the other; likewise Xena and Yuri.
    """
    known = [Cast(who, title, Content((3, 1, 4), ("roads",), who)) for title in SHOWN for who in ("ann", "ben", "zoe")]
    before = [Cast(who, title, Content((3, 1, 4), (), who)) for title in HIDDEN for who in ("mia", *HELPERS)]
    town = Town(SECRET, Community.Visibility.PUBLIC, FOLLOWINGS, (*known, *before))
    shown = tuple(Cast(who, title, one) for title in SHOWN for who, one in (("xena", ONE), ("yuri", OTHER)))
    one = tuple(Cast(who, title, ONE) for title in HIDDEN for who in ("ann", "xena"))
    other = tuple(Cast(who, title, OTHER) for title in HIDDEN for who in ("ben", "yuri"))
    return town, (*shown, *one), (*swapped(shown, frozenset({"live", "over"})), *other)


def assert_same(kind: str, drawn: Drawn, *, is_final: bool) -> None:
    town, ballots, others = drawn
    watch = Watch(kind, ACTS[kind], is_thorough=bool(WORLDS))
    first = live(town, ballots, watch, is_final=is_final)
    second = live(town, others, watch, is_final=is_final)
    found = differences(first, second)
    assert not found, in_words(found)
    failed = [
        surface
        for surface, lines in first.lines.items()
        # The source of the verifier names errors.
        if any(map(_FAILURE.search, lines)) and not surface.endswith("crowdvote_verify.py")
    ]
    assert not failed, f"Alike in both worlds, but it failed: {failed}"


def test_all_others_together_learn_nothing_of_anonymous_or_hidden_ballots() -> None:
    """Both laws at once, on one pair of worlds: what the suite has the time for."""
    assert_same("all of them", two_at_once(), is_final=True)


@many_worlds
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_else_learns_which_of_two_anonymous_members_wrote_which_ballot(kind: str) -> None:
    @law
    @given(swaps())
    def holds(drawn: Drawn) -> None:
        assert_same(kind, drawn, is_final=True)

    holds()


@many_worlds
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_learns_anything_of_ballots_that_are_hidden_now(kind: str) -> None:
    @law
    @given(hidden())
    def holds(drawn: Drawn) -> None:
        assert_same(kind, drawn, is_final=False)

    holds()


@many_worlds
def test_a_ballot_by_name_that_is_another_is_seen_wherever_ballots_are_shown() -> None:
    # Else the law would hold because nobody looks, or because a process keeps what it knew of the world before.
    town, ballots, _ = two_at_once()
    others = Town(town.secret, town.visibility, town.followings, (Cast("ann", "live", OTHER), *town.ballots[1:]))
    watch = Watch("manager")
    found = differences(*(live(one, ballots[:2], watch, is_final=False) for one in (town, others)))
    decision = "/communities/1/decisions/1"
    pages = ("ballots/", "ballots.csv", "results/", "history/", "")
    seen = {f"in the end: mia: page {decision}/{page}" for page in pages}
    assert seen <= found.keys(), sorted(seen - found.keys())
    assert any("query decision" in surface and "ballots" in surface for surface in found)
    assert any("subscription decisionResult" in surface for surface in found)
