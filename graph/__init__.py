"""The engine: staging, tally and explanation of ballots on a delegation graph. Pure; no Django."""

from graph.calculation import Calculation
from graph.delegation import DelegationGraph
from graph.tally import Totals, star, tally
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
    "star",
    "tally",
]
