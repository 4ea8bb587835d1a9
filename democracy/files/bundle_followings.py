"""The followings in a bundle, in order of the ids in the file: sorted as arrays, since there can be a million."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import numpy as np

from democracy.files.json_pieces import TextRows, as_text
from democracy.models import Following
from democracy.models.staged_ballots import Integers

_ROWS = 10_000


def following_rows(
    community_id: int,
    followings: Mapping[tuple[int, int], frozenset[str]],
    named: Sequence[int],
    silent: Collection[int],
    ids: Sequence[str],
) -> TextRows:
    """The followings between members who are named, in order of their ids.

    `named`: the members, in that order; `ids`: theirs; `silent`: those of them of whom is not told whom they follow.
    """
    size = len(named)
    if not size:
        return TextRows(iter(()))
    pairs = np.fromiter(chain.from_iterable(followings), np.int64, 2 * len(followings)).reshape(-1, 2)
    told = _numbers(pairs[~np.isin(pairs[:, 0], list(silent))], named)
    rows = Following.objects.filter(follower__community=community_id).values_list("follower_id", "followee_id", "order")
    stored = np.fromiter(chain.from_iterable(rows.iterator(_ROWS)), np.int64).reshape(-1, 3)
    orders = dict(zip(_numbers(stored[:, :2], named).tolist(), stored[:, 2].tolist(), strict=True))
    place = {pk: number for number, pk in enumerate(named)}
    tagged = {
        place[follower] * size + place[followee]: as_text(sorted(tags))
        for (follower, followee), tags in followings.items()
        if tags and follower in place and followee in place
    }

    texts = [*map(as_text, ids)]

    def row(number: int) -> str:
        ends = f'"follower": {texts[number // size]}, "followee": {texts[number % size]}'
        order = f', "order": {orders[number]}' if number in orders else ""
        return f'{{{ends}, "tags": {tagged.get(number, "[]")}{order}}}'

    return TextRows(map(row, np.sort(told[told >= 0]).tolist()))


def _numbers(pairs: Integers, named: Sequence[int]) -> Integers:
    """A number for each pair of members who are named, by which such pairs are in order; -1 for others."""
    members = np.array(named, dtype=np.int64)
    by_member = np.argsort(members)
    found = np.searchsorted(members, pairs, sorter=by_member)
    places = by_member[np.minimum(found, len(members) - 1)]
    are_named = (members[places] == pairs).all(axis=1)
    return np.where(are_named, places[:, 0] * len(members) + places[:, 1], -1)
