"""Sentences about results and ballots: pure functions of titles, names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from democracy.presenting.numbers import count_text, percent_text, share_text, stars_text

# Nobody reads a sentence with more sources.
_MOST_SOURCES = 6


def listed(parts: Sequence[str]) -> str:
    """ "A, B and C"."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


# --- Who sees a ballot ------------------------------------------------------------------------------------------------


def audience_sentence(community: str, *, is_public: bool, is_live: bool, is_anonymous: bool) -> str:
    """Say who will see a ballot, when, and with which name, before it is cast."""
    who = "Everybody, signed in or not," if is_public else f"All members of {community}"
    if not is_public and not is_anonymous:
        who += ", and those who run this site,"
    name = "under a pseudonym; only you know that it is yours" if is_anonymous else "with your name"
    if not is_live:
        when = "They see them once voting has closed. Until then nobody but you does: no manager and no operator."
    else:
        when = "They see them as soon as you vote."
        if is_anonymous:
            when += " Somebody who watches the totals meanwhile may guess which ballot is yours."
    return f"{who} will see your stars, tags and comment {name}. {when}"


LIVE_AND_ANONYMOUS = (
    "This community has anonymous voters. With live results somebody who watches the totals while one person votes can "
    "work out that ballot. In steps each ballot has at least four others to hide among; after closing, all of them."
)


# --- After a change ---------------------------------------------------------------------------------------------------
# Pages and the API say these alike.

VOTE_RECORDED = "Vote recorded!"
FOLLOWING_UPDATED = (
    "Following updated! Keep an eye on decision results as they recalculate based on your new delegation."
)
RECALCULATION_STARTED = "Recalculation started - results will update shortly"
RECALCULATED = "Results are being recalculated - watch the live stats panel for updates."
_NEXT_RESULT = {
    "batched": "A result is shown whenever five members have voted or changed their vote.",
    "after_close": "Results are shown only after voting has closed.",
}


def next_result_sentence(results_visibility: str) -> str:
    """Tell somebody who changed a ballot when a result will show it."""
    return _NEXT_RESULT.get(results_visibility, RECALCULATED)


def welcome_sentence(community: str) -> str:
    """Welcome somebody who has joined."""
    return f"Welcome to {community}! Your participation will be reflected in all active decision results."


LIVE_AND_ANONYMOUS = (
    "This community has anonymous voters. With live results somebody who watches the totals while one person votes can "
    "work out that ballot. In steps each ballot has at least four others to hide among; after closing, all of them."
)


def turnout_sentence(number: int, *, is_exact: bool) -> str:
    """Say how many have voted; where that is not exact, at least that many."""
    if is_exact:
        return f"{count_text(number, 'ballot has', 'ballots have')} been cast."
    return f"At least {number:,} ballots have been cast." if number else "Fewer than five ballots have been cast."


def turnout_in_short(number: int, *, is_exact: bool) -> str:
    """ "12 voted", in a list."""
    if is_exact:
        return f"{number:,} voted"
    return f"at least {number:,} voted" if number else "fewer than five voted"


# --- Where a ballot comes from ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SourceWords:
    """A cast ballot that another rests on: its owner's `name`, its `share` and its `stars` for one choice (None: not
    shown); `via`: the people between; `tags`: those on which the first of them is followed.
    """

    name: str
    share: Fraction | float
    stars: int | None
    via: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def source_text(source: SourceWords) -> str:
    """ "one third from Cy through Di (2), on budget"."""
    through = f" through {', then '.join(source.via)}" if source.via else ""
    topics = f", on {listed(source.tags)}" if source.tags else ""
    stars = f" ({stars_text(source.stars)})" if source.stars is not None else ""
    return f"{share_text(source.share)} from {source.name}{through}{stars}{topics}"


def sources_sentence(
    microstars: int, sources: Sequence[SourceWords], *, others: int = 0, others_share: Fraction | float = 0
) -> str:
    """ "3.67: one third from Ann (5), one third from Bo (4), one third from Cy through Di (2), on budget".

    `others` more sources, not given, have `others_share` together.
    """
    shown = sources if len(sources) + others <= _MOST_SOURCES else sources[: _MOST_SOURCES - 1]
    parts = [source_text(source) for source in shown]
    rest = sources[len(shown) :]
    if rest or others:
        share = float(sum(source.share for source in rest) + others_share)
        parts.append(f"{percent_text(share)} from {count_text(len(rest) + others, 'other', 'others')}")
    return f"{stars_text(microstars)}: {', '.join(parts)}"


# --- A ballot that somebody inherits ----------------------------------------------------------------------------------


def inherited_sentence(titles: Sequence[str], microstars: Sequence[int]) -> str:
    """ "You inherit a ballot that gives “Oak” the most stars (4.5)."."""
    best = _best(microstars)
    if not best:
        return "You inherit a ballot that gives no stars."
    names = listed([quoted(titles[place]) for place in best])
    return f"You inherit a ballot that gives {names} the most stars ({stars_text(max(microstars))})."


def moved_sentence(titles: Sequence[str], before: Sequence[int], after: Sequence[int]) -> str:
    """Say how an inherited ballot moved: the choice that moved most, and which one was best rated before if another is
    now; "" where it is as it was.
    """
    most = max(range(len(titles)), key=lambda place: abs(after[place] - before[place]))
    if before[most] == after[most]:
        return ""
    went = f"{quoted(titles[most])} went from {stars_text(before[most])} to {stars_text(after[most])} stars"
    were = _best(before)
    if were == _best(after):
        return f"{went}."
    if not were:
        return f"{went}; before, it gave no stars."
    names = listed([quoted(titles[place]) for place in were])
    return f"{went}; before, {names} had the most."


def _best(microstars: Sequence[int]) -> list[int]:
    """The places of the best rated choices; none where all have 0 stars."""
    most = max(microstars, default=0)
    return [place for place, number in enumerate(microstars) if number == most] if most else []


# --- Results ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunoffWords:
    """The runoff between the winner and the runner-up: ballots that prefer one, the other and neither, and the stars of
    each in all (microstars).
    """

    winner: str
    runner_up: str
    ahead: int
    behind: int
    equal: int
    winner_score: int
    runner_up_score: int


def quoted(title: str) -> str:
    """A choice in a sentence: “No” and “Leave it as it is” would read as part of it otherwise."""
    return f"“{title}”"


def outcome_title(winner: str | None, *, is_final: bool) -> str:
    if winner is None:
        return "No winner" if is_final else "No winner yet"
    return f"Winner: {winner}" if is_final else f"Ahead right now: {winner}"


def no_winner_sentence(reason: str | None, *, is_final: bool) -> str:
    """Say why there is no winner."""
    if reason == "one_choice":
        return "There is only one choice, so there is nothing to decide between."
    if is_final:
        return "Nobody rated the choices, so nothing was decided."
    return "Nobody has rated the choices yet. The first ballot changes that."


def runoff_sentence(runoff: RunoffWords) -> str:
    """Tell the runoff in plain words."""
    winner, runner_up = quoted(runoff.winner), quoted(runoff.runner_up)
    if not runoff.ahead and not runoff.behind:
        return f"No ballot prefers one of the two best rated to the other: all rate {winner} and {runner_up} the same."
    if runoff.ahead == runoff.behind:
        start = (
            f"Between the two best rated, as many ballots prefer {winner} as prefer {runner_up}: {runoff.ahead:,} each"
        )
    else:
        ahead = count_text(runoff.ahead, "ballot prefers", "ballots prefer")
        behind = count_text(runoff.behind, "prefers", "prefer") if runoff.behind else "none prefers"
        start = f"Between the two best rated, {ahead} {winner} and {behind} {runner_up}"
    if not runoff.equal:
        return f"{start}."
    return f"{start}; {count_text(runoff.equal, 'rates', 'rate')} both the same."


def left_out_sentence(followers: int, tags: Sequence[str]) -> str:
    """Say how many followers no longer inherit a ballot without these tags."""
    who = "1 member follows" if followers == 1 else f"{followers:,} members follow"
    they = "does" if followers == 1 else "do"
    topics = listed([quoted(tag) for tag in tags])
    return (
        f"{who} you on topics that your ballot would no longer bear ({topics}), and {they} not inherit it then. "
        "Put the tags back, or save it all the same."
    )


def upset_sentence(runoff: RunoffWords) -> str:
    """Say why the choice with the most stars did not win; "" where it did, or where both have as many."""
    if runoff.winner_score >= runoff.runner_up_score:
        return ""
    return (
        f"{quoted(runoff.runner_up)} has more stars in all ({stars_text(runoff.runner_up_score)} against "
        f"{stars_text(runoff.winner_score)}). But when only these two are left, more people prefer "
        f"{quoted(runoff.winner)}. That decides: each ballot then counts once, for the one that it rates higher."
    )


def tie_break_text(
    round_: str, kind: str, titles: Sequence[str], won: str, numbers: Sequence[int], *, rivals: int = 0
) -> str:
    """Tell a tie-break that was used: the tied choices, and what decided with which numbers.

    `titles` and `numbers` belong together. `rivals`: how many choices had the score that was tied, in the score round.
    """
    tied_ones = [quoted(title) for title in titles]
    names = listed(tied_ones)
    shown = stars_text if kind == "score" else "{:,}".format
    pairs = listed([f"{one} {shown(number)}" for one, number in zip(tied_ones, numbers, strict=True)])
    if round_ == "runoff":
        start, end = f"As many ballots prefer {tied_ones[0]} as prefer {tied_ones[1]}", f"so {quoted(won)} wins."
        tied = {"score": start, "five_star": f"{start}, and both have as many stars"}.get(
            kind, f"{start}; both have as many stars and as many ballots that give five"
        )
    else:
        end = f"so {quoted(won)} went into the runoff."
        room = "only one of them" if len(titles) == 2 else "not all of them"
        tied = f"{names} have as many stars as each other, and {room} could go into the runoff"
        if rivals == 2 and kind != "head_to_head":
            tied = f"{tied}; as many ballots prefer the one as the other"
        if kind == "lot":
            tied = f"{tied}; as many ballots give five stars to each"
    decides = {
        "head_to_head": "Ballots that prefer one to the other",
        "score": "Stars in all",
        "five_star": "Ballots that give five stars",
        "lot": "The lot decides; it was drawn before anyone voted, for everybody to see (the lowest goes first)",
    }[kind]
    return f"{tied}. {decides}: {pairs}; {end}"


def margin_sentence(least: int, enough: int, counted: int, runner_up: str) -> str:
    """Say how many ballots the result is away from another one.

    `least`: so many would at least have to be different; `enough`: so many are enough.
    """
    other = quoted(runner_up)
    if counted == 1:
        return f"There is only one ballot: had it been different, {other} could have won."
    if least == enough:
        return f"If {count_text(least, 'ballot')} of the {counted:,} had been different, {other} could have won."
    if least == 1:
        return f"{enough:,} different ballots of the {counted:,} would be enough for {other} to win, perhaps fewer."
    return (
        f"At least {count_text(least, 'ballot')} of the {counted:,} would have to be different before another choice "
        f"could win; {enough:,} different ones would be enough for {other}."
    )
