"""Riverside, a large generated community in which most people follow somebody and few vote themselves."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from democracy.demo.following_lists import followings
from democracy.demo.opinions import ballots
from democracy.demo.people import account, named
from democracy.files.new_community import NewChoice, NewCommunity, NewDecision, NewMember
from democracy.models import Community

NAME = "Riverside Assembly"
MEMBERS, FOLLOWINGS, BALLOTS = 2_000, 10_000, 400
_TOPICS = ("energy", "housing", "water", "transport")
_FIRST = named("Ada Bela Cem Dora Emre Fay Gus Hedy Ilan Juno Kai Lena Milo Nuri Orla Pavel Quin Rhea Sven Tova")
_LAST = named("Adler Brook Castro Dahl Eriksen Flores Grant Hale Ito Jansen Klein Lopez Marino Novak Owusu Park Rossi")


def community(now: datetime) -> NewCommunity:
    chance = random.Random(2_000)
    people = [f"r{number}" for number in range(1, MEMBERS + 1)]
    voters = chance.sample(people, BALLOTS)
    return NewCommunity(
        name=NAME,
        description=f"{MEMBERS:,} generated members, {FOLLOWINGS:,} followings: what delegation does at scale.",
        visibility=Community.Visibility.PUBLIC,
        joining=Community.Joining.OPEN,
        members=[
            account("rosa_delgado", is_manager=True),
            account("theo_lindqvist"),
            *(NewMember(person, f"{chance.choice(_FIRST)} {chance.choice(_LAST)}") for person in people),
        ],
        followings=followings([("theo_lindqvist", "r1", []), *_followings(chance, people)]),
        decisions=[
            _decision(now, "energy", "How shall Riverside heat in ten years?", voters, seed=21),
            _decision(now, "water", "Who may swim in the reservoir?", voters[: BALLOTS // 2], seed=22),
        ],
    )


def _followings(chance: random.Random, people: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Draw random followings that prefer popular members: few are followed by many, many by none."""
    pairs: dict[tuple[str, str], None] = {}
    drawn = list(people)
    while len(pairs) < FOLLOWINGS:
        follower, followee = chance.choice(people), chance.choice(drawn)
        if follower != followee and (follower, followee) not in pairs:
            pairs[follower, followee] = None
            drawn.append(followee)
    for follower, followee in pairs:
        yield follower, followee, sorted(chance.sample(_TOPICS, chance.choice((0, 0, 1, 2))))


def _decision(now: datetime, topic: str, title: str, voters: list[str], *, seed: int) -> NewDecision:
    opens = now - timedelta(days=9)
    titles = {
        "energy": ("Heat from the river", "Geothermal wells", "Wood from our forest", "Each house for itself"),
        "water": ("Everybody, all summer", "Everybody at weekends", "Club members only", "Nobody"),
    }[topic]
    ids = ["a", "b", "c", "d"]
    camps = [(3.0, (5, 4, 1, 0)), (2.5, (2, 5, 3, 1)), (1.5, (0, 2, 5, 2)), (1.0, (0, 0, 2, 5))]
    return NewDecision(
        id=topic,
        title=title,
        choices=[NewChoice(choice, name) for choice, name in zip(ids, titles, strict=True)],
        opens_at=opens,
        closes_at=now + timedelta(days=60),
        ballots=ballots(
            voters,
            [(share, dict(zip(ids, stars, strict=True))) for share, stars in camps],
            tags=[topic],
            # Few different moments, because each one takes a transaction of ledger entries.
            between=(now - timedelta(hours=6), now - timedelta(hours=6)),
            seed=seed,
        ),
    )
