"""The law: two worlds that differ in private matters are the same to everybody else."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

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
    MOMENT,
    NEVER_SHOWN,
    SHOWN,
    Cast,
    Content,
    Town,
    swapped,
)

pytestmark = pytest.mark.django_db

# The number of pairs that `make privacy` draws. One kind of people watches each, and looks at everything.
WORLDS = int(os.environ.get("EVERY_WORLD") or 0)
many_worlds = pytest.mark.skipif(not WORLDS, reason="takes minutes; make privacy runs it")
law = settings(
    deadline=None,
    database=None,
    max_examples=WORLDS or 1,
    # Shrinking would cost hundreds of worlds; the first difference says enough.
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
TAGS = ("budget", "parks", "roads")

tags = st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(lambda found: tuple(sorted(found)))
rated = st.tuples(*(st.integers(0, 5) for _ in CHOICES))
contents = st.builds(Content, rated, tags) | st.builds(Content, st.just(()), tags)
moments = st.integers(1, int(MOMENT.total_seconds()) - 1)
secrets = st.integers(0, 10**6).map(lambda number: f"a secret of fifty letters or more, so that it is long {number}")
visibilities = st.sampled_from([*Community.Visibility.values])


@st.composite
def followings(draw: st.DrawFn) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Give Ann four followers. Xena and Yuri follow the same people; then add some more."""
    pairs = [*((helper, "ann") for helper in HELPERS), ("xena", "cleo"), ("yuri", "cleo"), ("zoe", "ben")]
    others = [who for who in MEMBERS if who not in {"xena", "yuri"}]
    more = st.tuples(st.sampled_from(others), st.sampled_from((*KNOWN, "mia"))).filter(lambda pair: pair[0] != pair[1])
    pairs += draw(st.lists(more, max_size=4))
    return tuple((follower, followee, draw(tags)) for follower, followee in dict.fromkeys(pairs))


def numbered(ballots: list[Cast]) -> tuple[Cast, ...]:
    """Number the ballots so that none is cast twice alike: that would be no event."""
    return tuple(
        replace(one, content=one.content and replace(one.content, comment=f"no. {number}"))
        for number, one in enumerate(ballots)
    )


Drawn = tuple[Town, tuple[Cast, ...], tuple[Cast, ...]]


@st.composite
def swaps(draw: st.DrawFn) -> Drawn:
    """Draw a town and ballots in every decision. Xena and Yuri exchange some of theirs, at other moments of an hour.

    In one decision that has closed when people look, one of the two may vote alone. Both follow Cleo, so the other
    inherits the same whoever that is.
    """
    cast = [Cast(who, title, draw(contents)) for title in SHOWN for who in ("ann", "zoe") if draw(st.booleans())]
    cast.append(Cast("cleo", "over", Content(draw(rated), TAGS)))
    town = Town(draw(secrets), draw(visibilities), draw(followings()), numbered(cast))
    alone = draw(st.sampled_from(("xena", "yuri", None)))
    voters = {title: ("xena", "yuri") if alone is None or title != "over" else (alone,) for title in SHOWN}
    theirs = [Cast(who, title, draw(contents)) for title in SHOWN for who in voters[title]]
    ballots = numbered(draw(st.permutations(theirs)))
    where = draw(st.sets(st.sampled_from(SHOWN), min_size=1))
    return town, at_moments(draw, ballots), at_moments(draw, swapped(ballots, frozenset(where)))


def at_moments(draw: st.DrawFn, ballots: Sequence[Cast]) -> tuple[Cast, ...]:
    return tuple(replace(one, after=draw(moments)) for one in ballots)


@st.composite
def hidden(draw: st.DrawFn) -> Drawn:
    """Draw a town and ballots in decisions that hide them. Different people vote at the same moments.

    At most four people vote in each, so neither world publishes a batch, which everybody would see.
    """
    shown = [Cast(who, "live", draw(contents)) for who in KNOWN if draw(st.booleans())]
    # Abstentions hide nobody. A batch of five is published before the worlds part.
    early = draw(st.sampled_from((("mia", *HELPERS), ("mia",))))
    in_batch = [Cast(who, title, Content(draw(rated), draw(tags))) for title in (*HIDDEN, NEVER_SHOWN) for who in early]
    town = Town(draw(secrets), draw(visibilities), draw(followings()), numbered([*shown, *in_batch]))
    anywhere = st.sampled_from((*HIDDEN, NEVER_SHOWN))
    places = draw(st.lists(anywhere, min_size=2, max_size=3 if early == ("mia",) else 4))
    voters = st.sampled_from((*KNOWN, *ANONYMOUS))
    one = numbered([Cast(draw(voters), title, draw(contents)) for title in places])
    other = numbered([Cast(draw(voters), title, draw(contents)) for title in places])
    return town, at_moments(draw, one), at_moments(draw, other)


_FAILURE = re.compile(r"^ *5\d\d |Internal error|KeyError|TypeError|ValueError", re.MULTILINE)
SECRET = "a secret of fifty letters or more, so that it is long"
FOLLOWINGS = (
    *((helper, "ann", ()) for helper in HELPERS),
    ("xena", "cleo", ("roads",)),
    ("yuri", "cleo", ()),
    ("zoe", "ben", ("parks",)),
    ("eve", "ben", ("budget",)),
)
ONE, OTHER = Content((5, 0, 2), ("roads",), "One."), Content((1, 4, 0), (), "The other.")
# It bears a tag that no ballot bears in the other world: lists of tags must not tell of it.
ONE_HIDDEN = replace(ONE, tags=("meadow", "roads"))


def two_at_once() -> Drawn:
    """Xena votes before Yuri, and in one of two decisions their ballots are exchanged. In a third, one of them votes
    and the other inherits, the same whoever it is.

    In the hidden decisions Ann, who has four followers, votes in one world and Ben in the other; likewise Xena and
    Yuri. One of these has published a batch, and three of Ann's followers have not voted: with her and Xena, five.
    """
    known = [Cast(who, title, Content((3, 1, 4), ("roads",), who)) for title in SHOWN for who in ("ann", "ben", "zoe")]
    known.append(Cast("cleo", "over", Content((3, 1, 4), ("roads",), "cleo")))
    early = {"hidden": ("mia", *HELPERS), "batched": ("mia", "eve", "cleo", "zoe", HELPERS[0])}
    before = [Cast(who, title, Content((3, 1, 4), (), who)) for title in HIDDEN for who in early[title]]
    town = Town(SECRET, Community.Visibility.PUBLIC, FOLLOWINGS, (*known, *before))
    both = [Cast(who, title, one) for title in ("live", "other") for who, one in (("xena", ONE), ("yuri", OTHER))]
    shown = (*both, Cast("xena", "over", ONE))
    one = tuple(Cast(who, title, ONE_HIDDEN) for title in (*HIDDEN, NEVER_SHOWN) for who in ("ann", "xena"))
    other = tuple(Cast(who, title, OTHER) for title in (*HIDDEN, NEVER_SHOWN) for who in ("ben", "yuri"))
    later = tuple(replace(ballot, after=70) for ballot in (*swapped(shown, frozenset({"live", "over"})), *other))
    return town, (*shown, *one), later


def assert_same(kind: str, drawn: Drawn, *, is_final: bool) -> None:
    town, ballots, others = drawn
    watch = Watch(kind, ACTS[kind], is_thorough=bool(WORLDS))
    first = live(town, ballots, watch, is_final=is_final)
    second = live(town, others, watch, is_final=is_final)
    found = differences(first, second)
    assert not found, in_words(found)
    failed = [
        surface
        for surface, part in first.surfaces
        # The verifier's source contains names of errors.
        if _FAILURE.search(part.text) and not surface.endswith("crowdvote_verify.py")
    ]
    assert not failed, f"Alike in both worlds, but it failed: {failed}"


# It lives through a town twice, which takes a busy machine minutes.
@pytest.mark.timeout(900)
def test_all_others_together_learn_nothing_of_anonymous_or_hidden_ballots() -> None:
    """Both laws at once, on one pair of worlds, because the suite has time for one."""
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
    # Otherwise the law might hold because nobody looks, or because a process remembers the previous world.
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
