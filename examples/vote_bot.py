"""Votes in every open decision in which you have not voted, by words in the titles of the choices.

python vote_bot.py https://vote.example.org/graphql/ solar=5 bicycle=4 parking=0

The token of whoever votes is in the environment, as CROWDVOTE_TOKEN. A choice gets the stars of the first word that its
title has; decisions in which no title has any of the words are left alone, so that you inherit there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from crowdvote_client.sync import (
    CastVoteInput,
    Client,
    MyOpenDecisionsMeOpenDecisionsEdgesNode,
    StarsInput,
)


def rule(text: str) -> tuple[str, int]:
    """Read a word and its stars, such as `solar=5`."""
    word, separator, stars = text.rpartition("=")
    if not separator or not word or stars not in {"0", "1", "2", "3", "4", "5"}:
        raise argparse.ArgumentTypeError(f"{text!r} is no word with 0 to 5 stars, such as solar=5")
    return word.casefold(), int(stars)


def decisions_without_my_vote(site: Client) -> Iterator[MyOpenDecisionsMeOpenDecisionsEdgesNode]:
    """Yield them page by page."""
    after = None
    while True:
        me = site.my_open_decisions(voted=False, first=50, after=after)
        if me is None:
            sys.exit("The token is nobody's: set CROWDVOTE_TOKEN.")
        yield from (edge.node for edge in me.open_decisions.edges)
        if not me.open_decisions.page_info.has_next_page:
            return
        after = me.open_decisions.page_info.end_cursor


def ratings(decision: MyOpenDecisionsMeOpenDecisionsEdgesNode, rules: list[tuple[str, int]]) -> list[StarsInput]:
    """Return the stars of the choices whose titles have one of the words."""
    rated = []
    for choice in decision.choices:
        stars = next((stars for word, stars in rules if word in choice.title.casefold()), None)
        if stars is not None:
            rated.append(StarsInput(choiceId=choice.id, stars=stars))
    return rated


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", help="the address of the API, which ends with /graphql/")
    parser.add_argument("rules", nargs="+", type=rule, metavar="WORD=STARS")
    given = parser.parse_args()
    faults = 0
    with Client(given.address, {"Authorization": f"Bearer {os.environ.get('CROWDVOTE_TOKEN', '')}"}) as site:
        # The whole list first: voting shortens it.
        for decision in list(decisions_without_my_vote(site)):
            stars = ratings(decision, given.rules)
            if not stars:
                print(f"left alone: {decision.title}")
                continue
            vote = site.cast_vote(CastVoteInput(decisionId=decision.id, stars=stars))
            faults += bool(vote.errors)
            said = "; ".join(error.message for error in vote.errors) or "voted"
            print(f"{said}: {decision.title}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
