"""The engine: staging, tally and explanation of ballots on a delegation graph. Pure; no Django."""

from graph.calculation import Calculation
from graph.delegation import DelegationGraph
from graph.margin import Margin, margin_bounds, margin_of_victory
from graph.tally import Totals, count_cast, star, tally
from graph.values import (
    FIVE_STARS,
    RULES,
    STAR,
    CastBallot,
    FollowingRemoved,
    FollowingSet,
    GraphChange,
    Member,
    MemberRemoved,
    MemberSet,
    Participation,
    Result,
    Source,
    StagedBallot,
    StagedColumns,
    TieBreak,
)

__all__ = [
    "FIVE_STARS",
    "RULES",
    "STAR",
    "Calculation",
    "CastBallot",
    "DelegationGraph",
    "FollowingRemoved",
    "FollowingSet",
    "GraphChange",
    "Margin",
    "Member",
    "MemberRemoved",
    "MemberSet",
    "Participation",
    "Result",
    "Source",
    "StagedBallot",
    "StagedColumns",
    "TieBreak",
    "Totals",
    "count_cast",
    "margin_bounds",
    "margin_of_victory",
    "star",
    "tally",
]
