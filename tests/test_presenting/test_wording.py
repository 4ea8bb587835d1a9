"""Ballots and results in words."""

from __future__ import annotations

from fractions import Fraction

import pytest

from democracy.presenting import wording
from democracy.presenting.wording import RunoffWords, SourceWords
from graph import STAR


def test_an_inherited_ballot_is_explained_in_one_sentence() -> None:
    third = Fraction(1, 3)
    sources = [
        SourceWords("Ann", third, 5 * STAR),
        SourceWords("Bo", third, 4 * STAR),
        SourceWords("Cy", third, 2 * STAR, via=("Di",), tags=("budget",)),
    ]
    assert (
        wording.sources_sentence(3_666_667, sources)
        == "3.67: one third from Ann (5), one third from Bo (4), one third from Cy through Di (2), on budget"
    )


def test_a_chain_and_several_tags_are_named_in_order() -> None:
    source = SourceWords("Cy", Fraction(1), 4 * STAR, via=("Di", "Ed"), tags=("budget", "roads"))
    assert wording.source_text(source) == "all from Cy through Di, then Ed (4), on budget and roads"


def test_where_ballots_are_hidden_the_stars_of_the_sources_are_not_said() -> None:
    assert wording.source_text(SourceWords("Cy", Fraction(1, 2), None, via=("Di",))) == "half from Cy through Di"


def test_of_many_sources_the_lightest_are_counted_together() -> None:
    sources = [SourceWords(name, Fraction(1, 10), STAR) for name in "ABCDEFGH"]
    assert (
        wording.sources_sentence(STAR, sources, others=4, others_share=Fraction(1, 5))
        == "1: one tenth from A (1), one tenth from B (1), one tenth from C (1), one tenth from D (1), "
        "one tenth from E (1), 50% from 7 others"
    )


def test_six_sources_are_all_named() -> None:
    sources = [SourceWords(name, Fraction(1, 6), STAR) for name in "ABCDEF"]
    assert wording.sources_sentence(STAR, sources).count("one sixth from") == 6


@pytest.mark.parametrize(
    ("before", "after", "inherited", "moved"),
    [
        ((4, 1), (4, 1), "“Ash” the most stars (4)", ""),
        ((4, 1), (2, 1), "“Ash” the most stars (2)", "“Ash” went from 4 to 2 stars."),
        ((4, 1), (4, 5), "“Birch” the most stars (5)", "“Birch” went from 1 to 5 stars; before, “Ash” had the most."),
        (
            (3, 3),
            (3, 2),
            "“Ash” the most stars (3)",
            "“Birch” went from 3 to 2 stars; before, “Ash” and “Birch” had the most.",
        ),
        (
            (0, 0),
            (2, 2),
            "“Ash” and “Birch” the most stars (2)",
            "“Ash” went from 0 to 2 stars; before, it gave no stars.",
        ),
        ((1, 0), (0, 0), "no stars", "“Ash” went from 1 to 0 stars; before, “Ash” had the most."),
    ],
)
def test_what_one_inherits_and_how_it_moved(
    before: tuple[int, ...], after: tuple[int, ...], inherited: str, moved: str
) -> None:
    titles, now = ("Ash", "Birch"), [stars * STAR for stars in after]
    assert wording.inherited_sentence(titles, now) == f"You inherit a ballot that gives {inherited}."
    assert wording.moved_sentence(titles, [stars * STAR for stars in before], now) == moved


def runoff(ahead: int, behind: int, equal: int = 0, scores: tuple[int, int] = (20, 18)) -> RunoffWords:
    return RunoffWords("Ash", "Birch", ahead, behind, equal, scores[0] * STAR, scores[1] * STAR)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (runoff(25, 14), "Between the two best rated, 25 ballots prefer “Ash” and 14 prefer “Birch”."),
        (
            runoff(2, 1, 1),
            "Between the two best rated, 2 ballots prefer “Ash” and 1 prefers “Birch”; 1 rates both the same.",
        ),
        (
            runoff(1, 0, 1200),
            "Between the two best rated, 1 ballot prefers “Ash” and none prefers “Birch”; 1,200 rate both the same.",
        ),
        (
            runoff(0, 0, 2),
            "No ballot prefers one of the two best rated to the other: all rate “Ash” and “Birch” the same.",
        ),
        (runoff(3, 3), "Between the two best rated, as many ballots prefer “Ash” as prefer “Birch”: 3 each."),
    ],
)
def test_the_runoff_is_one_sentence(said: RunoffWords, sentence: str) -> None:
    assert wording.runoff_sentence(said) == sentence


def test_a_top_scorer_who_lost_is_explained_and_nobody_else() -> None:
    upset = wording.upset_sentence(runoff(9, 8, scores=(18, 20)))
    assert upset.startswith("“Birch” has more stars in all (20 against 18). But when only these two are left,")
    assert (wording.upset_sentence(runoff(9, 8)), wording.upset_sentence(runoff(9, 8, scores=(20, 20)))) == ("", "")


def test_final_and_interim_winners_sound_different() -> None:
    assert [
        wording.outcome_title("Ash", is_final=True),
        wording.outcome_title("Ash", is_final=False),
        wording.outcome_title(None, is_final=True),
        wording.outcome_title(None, is_final=False),
    ] == ["Winner: Ash", "Ahead right now: Ash", "No winner", "No winner yet"]


def test_why_there_is_no_winner() -> None:
    assert [
        wording.no_winner_sentence("no_ballots", is_final=True),
        wording.no_winner_sentence("no_ballots", is_final=False),
        wording.no_winner_sentence("one_choice", is_final=False),
    ] == [
        "Nobody rated the choices, so nothing was decided.",
        "Nobody has rated the choices yet. The first ballot changes that.",
        "There is only one choice, so there is nothing to decide between.",
    ]


@pytest.mark.parametrize(
    ("tie", "rivals", "sentence"),
    [
        (
            ("score", "head_to_head", ["Ash", "Birch"], "Ash", [5, 3]),
            2,
            "“Ash” and “Birch” have as many stars as each other, and only one of them could go into the runoff. "
            "Ballots that prefer one to the other: “Ash” 5 and “Birch” 3; so “Ash” went into the runoff.",
        ),
        (
            ("score", "five_star", ["Ash", "Birch"], "Ash", [4, 2]),
            2,
            "“Ash” and “Birch” have as many stars as each other, and only one of them could go into the runoff; as "
            "many ballots prefer the one as the other. Ballots that give five stars: “Ash” 4 and “Birch” 2; so "
            "“Ash” went into the runoff.",
        ),
        (
            ("score", "five_star", ["Ash", "Birch", "Cedar"], "Ash", [4, 2, 2]),
            3,
            "“Ash”, “Birch” and “Cedar” have as many stars as each other, and not all of them could go into the "
            "runoff. Ballots that give five stars: “Ash” 4, “Birch” 2 and “Cedar” 2; so “Ash” went into the runoff.",
        ),
        (
            # Of three that were tied, the two that are left: of those nobody asked who prefers which.
            ("score", "lot", ["Cedar", "Birch"], "Cedar", [1, 3]),
            3,
            "“Cedar” and “Birch” have as many stars as each other, and only one of them could go into the runoff; "
            "as many ballots give five stars to each. The lot decides; it was drawn before anyone voted, for "
            "everybody to see (the lowest goes first): “Cedar” 1 and “Birch” 3; so “Cedar” went into the runoff.",
        ),
        (
            ("runoff", "score", ["Ash", "Birch"], "Ash", [20 * STAR, 18_500_000]),
            0,
            "As many ballots prefer “Ash” as prefer “Birch”. Stars in all: “Ash” 20 and “Birch” 18.5; so “Ash” wins.",
        ),
        (
            ("runoff", "five_star", ["Ash", "Birch"], "Ash", [2, 1]),
            0,
            "As many ballots prefer “Ash” as prefer “Birch”, and both have as many stars. Ballots that give five "
            "stars: “Ash” 2 and “Birch” 1; so “Ash” wins.",
        ),
        (
            ("runoff", "lot", ["Birch", "Ash"], "Birch", [1, 3]),
            0,
            "As many ballots prefer “Birch” as prefer “Ash”; both have as many stars and as many ballots that give "
            "five. The lot decides; it was drawn before anyone voted, for everybody to see (the lowest goes first): "
            "“Birch” 1 and “Ash” 3; so “Birch” wins.",
        ),
    ],
)
def test_every_tie_break_is_told_with_its_numbers(tie: tuple, rivals: int, sentence: str) -> None:
    assert wording.tie_break_text(*tie, rivals=rivals) == sentence


def test_the_margin_says_what_is_certain() -> None:
    assert [wording.margin_sentence(least, enough, 1200, "Birch") for least, enough in [(3, 3), (2, 5), (1, 5)]] == [
        "If 3 ballots of the 1,200 had been different, “Birch” could have won.",
        "At least 2 ballots of the 1,200 would have to be different before another choice could win; 5 different ones "
        "would be enough for “Birch”.",
        "5 different ballots of the 1,200 would be enough for “Birch” to win, perhaps fewer.",
    ]


def test_the_margin_of_a_single_ballot_is_said_without_counting() -> None:
    only = "There is only one ballot: had it been different, “Birch” could have won."
    assert wording.margin_sentence(1, 1, 1, "Birch") == only
