"""Maple Court, a condominium whose board has to replace the roof. Members only."""

from __future__ import annotations

from datetime import datetime, timedelta

from democracy import services
from democracy.demo.following_lists import followings
from democracy.demo.opinions import ballots
from democracy.demo.people import account, neighbour
from democracy.files.imported_community import Made
from democracy.files.new_community import NewBallot, NewChoice, NewClarification, NewCommunity, NewDecision
from democracy.models import Membership

NAME = "Maple Court"


def community(now: datetime) -> NewCommunity:
    return NewCommunity(
        name=NAME,
        description="Fourteen flats, one roof. The owners of Maple Court decide on repairs, rules and the garden.",
        members=[
            account("mei_tanaka", is_manager=True),
            account("samuel_brandt"),
            account("amara_okafor"),
            *map(
                neighbour,
                (
                    "Edith Larsen",
                    "Bruno Keller",
                    "Salma Idrissi",
                    "Patrick O'Dowd",
                    "Irene Papadakis",
                    "Viktor Holm",
                    "Renu Sharma",
                    "Luc Moreau",
                    "Teresa Vidal",
                    "Henk Visser",
                ),
            ),
            neighbour("Judith Stone", is_anonymous=True),
        ],
        followings=followings(
            [
                ("samuel_brandt", "bruno_keller", ["repairs"]),
                ("samuel_brandt", "amara_okafor", ["budget"]),
                ("edith_larsen", "salma_idrissi", []),
                ("salma_idrissi", "bruno_keller", ["repairs"]),
                ("viktor_holm", "edith_larsen", []),
                ("renu_sharma", "amara_okafor", ["budget"]),
                ("luc_moreau", "teresa_vidal", ["garden"]),
                ("henk_visser", "viktor_holm", ["repairs"]),
            ]
        ),
        decisions=[_garden(now), _roof(now)],
    )


def _roof(now: datetime) -> NewDecision:
    opens = now - timedelta(days=5)
    return NewDecision(
        id="roof",
        title="Which roof should we build?",
        description="The roof leaks above flats 12 and 14. Three firms have made an offer; patching it once more is "
        "possible, too.",
        choices=[
            NewChoice("tiles", "Clay tiles", "As it is today. 96,000, lasts 60 years."),
            NewChoice("metal", "Standing-seam metal", "Lighter, louder in the rain. 84,000, lasts 45 years."),
            NewChoice("green", "Green roof", "Plants on a membrane. 118,000 less a grant of 20,000."),
            NewChoice("patch", "Patch it once more", "12,000, for two years perhaps."),
        ],
        opens_at=opens,
        closes_at=now + timedelta(days=16),
        topics=["repairs", "budget"],
        clarifications=[
            NewClarification(
                "The grant for a *green* roof is promised in writing. All three firms can begin in April.",
                at=opens + timedelta(days=1),
            )
        ],
        ballots=[
            *ballots(
                ["mei_tanaka", "amara_okafor", "bruno_keller", "irene_papadakis", "teresa_vidal", "judith_stone"],
                [
                    (2, {"tiles": 5, "metal": 3, "green": 2, "patch": 0}),
                    (2, {"tiles": 2, "metal": 4, "green": 5, "patch": 0}),
                ],
                tags=["repairs", "budget"],
                between=(opens, now - timedelta(hours=4)),
                seed=11,
                comments={
                    "bruno_keller": "Thirty years a roofer: metal is right at this pitch, tiles are prettier.",
                    "amara_okafor": "With the grant, green costs 2,000 more than tiles and saves that in two years.",
                },
                fixed={
                    "bruno_keller": {"tiles": 4, "metal": 5, "green": 1, "patch": 0},
                    "amara_okafor": {"tiles": 3, "metal": 2, "green": 5, "patch": 0},
                },
            ),
            NewBallot("patrick_o'dowd", {"patch": 5, "metal": 1}, ["budget"], cast_at=now - timedelta(days=1)),
        ],
    )


def _garden(now: datetime) -> NewDecision:
    opens, closes = now - timedelta(days=75), now - timedelta(days=61)
    return NewDecision(
        id="garden",
        title="What shall grow in the courtyard?",
        choices=[
            NewChoice("roses", "Roses"),
            NewChoice("vegetables", "Vegetables"),
            NewChoice("lawn", "Lawn, as it is"),
        ],
        opens_at=opens,
        closes_at=closes,
        ballots=ballots(
            ["mei_tanaka", "teresa_vidal", "irene_papadakis", "patrick_o'dowd", "edith_larsen", "judith_stone"],
            [(2, {"roses": 4, "vegetables": 5, "lawn": 1}), (1, {"roses": 3, "vegetables": 0, "lawn": 5})],
            tags=["garden"],
            between=(opens, closes),
            seed=12,
        ),
    )


def happen_today(made: Made, now: datetime) -> None:
    """Do what happens today, through the usual commands: the manager invites, and shows a result to everybody."""
    manager = Membership.objects.get(pk=made.members["mei_tanaka"]).user
    roof = made.decisions["roof"].pk
    # Nobody's address; no mail leaves.
    tenant = services.Invitee("flat-9@maple-court.example", "Olga Reyes", tags=("repairs",))
    services.invite(manager, made.community.pk, [tenant], decision_id=roof, send=False)
    services.create_invitation_link(manager, made.community.pk, decision_id=roof, max_uses=14)
    services.publish_result(manager, made.decisions["garden"].pk)
