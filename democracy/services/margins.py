"""How many ballots would have to be different for another choice to win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# One ballot can bring one choice this much nearer to another: from 5 and 0 stars to 0 and 5, in microstars.
_SWING = 10_000_000


@dataclass(frozen=True)
class Margin:
    """With fewer than `least` ballots changed the winner stays the same, whatever they say; `enough` changed ones can
    make the runner-up win.
    """

    least: int
    enough: int


def margin(result: Mapping[str, Any]) -> Margin | None:
    """The margin of a stored result; None without a winner.

    Another choice wins by beating the winner in the runoff, which takes turning the winner's lead over it (by 2 for
    each ballot changed) and reaching the runoff; or by winning a runoff that the winner does not reach. Each of these
    is a bound from below. Changing one ballot more than half of the lead from "winner first" to "five stars for the
    runner-up" makes the runner-up win: it only gains stars by that, so it stays in the runoff. (Where nobody prefers
    the winner, a tie-break decided, and one ballot can turn it.)
    """
    winner, runner_up = result["winner"], result["runner_up"]
    if winner is None:
        return None
    scores, preferences = result["scores"], result["preferences"]
    ways = [_ballots(scores[winner] - _second(scores, without=winner), _SWING)] if len(scores) > 2 else []
    for other in scores.keys() - {winner}:
        lead = preferences[winner][other] - preferences[other][winner]
        ways.append(max(_ballots(lead, 2), _ballots(_second(scores, without=other) - scores[other], _SWING)))
    enough = (preferences[winner][runner_up] - preferences[runner_up][winner]) // 2 + 1
    return Margin(least=min(*ways, enough), enough=enough)


def _second(scores: Mapping[str, int], *, without: str) -> int:
    """The second highest score among the other choices: what it takes to be in the runoff. Two choices: nothing."""
    others = sorted((score for choice, score in scores.items() if choice != without), reverse=True)
    return others[1] if len(others) > 1 else 0


def _ballots(gap: int, each: int) -> int:
    """How many ballots it takes at least to close a gap (or one, for a tie-break), when one closes at most `each`."""
    return max(1, -(-gap // each))
