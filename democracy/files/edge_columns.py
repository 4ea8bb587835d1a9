"""The meaning of the columns in an edge list, by the words of its header: who follows, who is followed, how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from accounts.text import whole_number
from democracy.files.header_words import named_column, plain_word, words
from democracy.files.malformed import Malformed

# A part in a relation, clear beside a plain "user" or "member", too.
_FOLLOWER = words("""
    follower followedby delegator delegating delegatedby truster trustor trustedby principal grantor
    supporter rater citing subscriber fan
""")
_FOLLOWED = words("""
    followee followed follows following delegate delegates delegated delegateto delegatesto delegatedto
    trustee trusted trusts proxy representative agent grantee leader supports ratee rated cited idol
    candidate votesfor whom wen
""")
# The ends of an arrow, clear only as a pair.
_FROM = words("from source src sender origin von quelle de desde origen origem")
_TO = words("to target tgt dst dest destination receiver recipient nach ziel para hacia destino vers")
_PERSON = words("voter user member person people name id node handle account uid userid who wer")
_WEIGHT = words("weight trust rating score level value strength sign amount gewicht peso poids")
# Titles that do not say which end they are. The arc of a graph runs from tail to head, of a triple from head to tail.
_UNCLEAR = words("""
    head tail parent child friend friends followers followees delegators trustees represents edge vertex
    label type key index subject object predicate ego alter
""")
# A following that ended, or is on some topics only, is not one on everything.
_LIMITS = words("topic topics tag tags area scope issue active status ended endedat revoked deleted expires until")
_MEANINGS = {
    "follower": _FOLLOWER,
    "followed": _FOLLOWED,
    "from": _FROM,
    "to": _TO,
    "weight": _WEIGHT,
    "person": _PERSON,
    "unclear": _UNCLEAR,
}
# What is put beside such words: from_node_id, to user, follower name. The longest first, for some begin or end others.
_BESIDES = sorted(
    words("""
        account accounts handle member members number numbers person persons people user users
        vertex vertices voter voters node nodes name id ids no
    """),
    key=lambda word: (-len(word), word),
)


@dataclass(frozen=True)
class Wanted:
    """Columns that whoever imports names, by title or number from 1; empty: the words decide."""

    follower: str = ""
    followee: str = ""
    weight: str = ""

    @property
    def is_said(self) -> bool:
        return bool(self.follower and self.followee)

    @property
    def by_title(self) -> bool:
        """Whether a title is named, so that there is a header."""
        return any(name and not name.isdecimal() for name in (self.follower, self.followee, self.weight))


WORDS_DECIDE = Wanted()


@dataclass(frozen=True)
class EdgeColumns:
    """Places of the columns; `titles`: those of the header, none without one."""

    follower: int
    followee: int
    weight: int | None
    titles: tuple[str, ...] = ()

    def others(self, width: int) -> list[int]:
        return [at for at in range(width) if at not in (self.follower, self.followee, self.weight)]


def named_columns(titles: Sequence[str], wanted: Wanted, place: str) -> EdgeColumns | None:
    """Find the columns that a header's words, or else `wanted`, name.

    None where no cell is a word for a column, and `wanted` names no title.

    Raises Malformed where the words leave open who follows whom.
    """
    says = _meanings(titles)
    if not (wanted.by_title or any(says)):
        return None
    follower, followee = _named_ends(titles, says, wanted, place)
    _refuse_limits(titles, wanted, place)
    weight = _place(titles, wanted.weight, "--weight-column", place)
    if weight is None:
        weights = [at for at, title in enumerate(titles) if says[at] == "weight" or plain_word(title) == "w"]
        weights = [at for at in weights if at not in (follower, followee)]
        if len(weights) > 1:
            raise Malformed(place, f"{_list(titles, weights)} may all be the weight: name it with --weight-column.")
        weight = weights[0] if weights else None
    return EdgeColumns(follower, followee, weight, tuple(titles))


def _named_ends(titles: Sequence[str], says: Sequence[str], wanted: Wanted, place: str) -> tuple[int, int]:
    """Find the columns that say who follows and who is followed. Raises Malformed."""
    follower = _place(titles, wanted.follower, "--from-column", place)
    followee = _place(titles, wanted.followee, "--to-column", place)
    if follower is None or followee is None:
        ends = _ends(says, place, titles)
        follower = ends[0] if follower is None else follower
        followee = ends[1] if followee is None else followee
    return _two_ends(follower, followee, place)


def _refuse_limits(titles: Sequence[str], wanted: Wanted, place: str) -> None:
    """Raises Malformed where a column may say that followings ended, or are on some topics only."""
    limit = next((title for title in titles if plain_word(title) in _LIMITS), None)
    if limit is not None and not wanted.is_said:
        raise Malformed(
            place,
            f"{limit!r} may limit the followings, which would all be on everything: leave the column out, or name "
            "those that count with --from-column and --to-column. A bundle can have followings on topics.",
        )


def names_an_end(titles: Sequence[str]) -> bool:
    """Whether a cell is a word for who follows or who is followed, as in a header, or in "1 follows 2"."""
    return not {"follower", "followed", "from", "to"}.isdisjoint(_meanings(titles))


def names_both_ends(titles: Sequence[str]) -> bool:
    """Whether a cell is a word for who follows, and another for who is followed."""
    says = set(_meanings(titles))
    return not says.isdisjoint({"follower", "from"}) and not says.isdisjoint({"followed", "to"})


def numbered_columns(wanted: Wanted, place: str, *, width: int) -> EdgeColumns:
    """Number columns without a header: from, to, weight, unless `wanted` numbers them.

    Raises Malformed where there is no column of such a number, or one says both who follows and who is followed.
    """

    def at(written: str, default: int) -> int:
        number = whole_number(written) if written else default
        if written and (number is None or not 1 <= number <= width):
            columns = "is 1 column" if width == 1 else f"are {width} columns"
            raise Malformed(place, f"there {columns} only, numbered from 1.")
        return (number or default) - 1

    weight = at(wanted.weight, 3) if wanted.weight or (width > 2 and not wanted.is_said) else None
    return EdgeColumns(*_two_ends(at(wanted.follower, 1), at(wanted.followee, 2), place), weight)


def _two_ends(follower: int, followee: int, place: str) -> tuple[int, int]:
    if follower == followee:
        raise Malformed(place, "the same column says who follows and who is followed.")
    return follower, followee


def _place(titles: Sequence[str], wanted: str, option: str, place: str) -> int | None:
    if not wanted:
        return None
    return named_column(wanted, {at: [title] for at, title in enumerate(titles)}, option, place, numbered=len(titles))


def _ends(says: Sequence[str], place: str, titles: Sequence[str]) -> tuple[int, int]:
    def places(*meanings: str) -> list[int]:
        return [at for at, meaning in enumerate(says) if meaning in meanings]

    from_, to, people = places("follower", "from"), places("followed", "to"), places("person")
    if len(from_) == 1 and len(to) == 1:
        return from_[0], to[0]
    if not from_ and len(people) == 1 and places("followed") == to and len(to) == 1:
        return people[0], to[0]
    if not to and len(people) == 1 and places("follower") == from_ and len(from_) == 1:
        return from_[0], people[0]
    raise Malformed(
        place,
        f"this looks like a header ({_list(titles, range(len(titles)))}) that leaves open who follows whom: name the "
        "columns with --from-column and --to-column; or, if it is a following, put a line `from to` before it.",
    )


def _meanings(titles: Sequence[str]) -> list[str]:
    """Find each title's meaning, a key of `_MEANINGS` or nothing. The letters u and v are the ends only together."""
    keys = [plain_word(title) for title in titles]
    letters = {"u": "from", "v": "to"} if {"u", "v"} <= set(keys) else {}
    return [letters.get(key) or _meaning(key) for key in keys]


def _meaning(key: str) -> str:
    while key:
        for meaning, known in _MEANINGS.items():
            if key in known:
                return meaning
        shorter = [key.removesuffix(end) for end in _BESIDES if key.endswith(end)]
        shorter += [key.removeprefix(end) for end in _BESIDES if key.startswith(end)]
        key = shorter[0] if shorter else ""
    return ""


def _list(titles: Sequence[str], places: Iterable[int]) -> str:
    return ", ".join(repr(titles[at]) for at in places)
