"""Rows that an import writes in bulk, as the ledger tells of them: models would take ten times as long to make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple


class MembershipRow(NamedTuple):
    """A membership of somebody who has just joined. `pk` and `user_id` are known already."""

    pk: int
    community_id: int
    user_id: int
    role: str
    is_manager: bool
    is_anonymous: bool
    joined_at: datetime
    file_id: str
    left_at: None = None
    was_removed: bool = False


class FollowingRow(NamedTuple):
    follower_id: int
    followee_id: int
    tags: Sequence[str]
    order: int
    created_at: datetime


class BallotRow(NamedTuple):
    pk: int
    decision_id: int
    membership_id: int
    tags: Sequence[str]
    comment: str
    abstain: bool
    is_anonymous: bool
    cast_at: datetime
