#!/usr/bin/env python3
"""Calculate the decisions of a CrowdVote bundle again and say whether the file tells the truth about them.

How to use it (Python 3.11 or later; nothing to install, nothing to configure, no network):

    python3 verify/crowdvote_verify.py FILE [FILE...]         verify; - reads standard input
    python3 verify/crowdvote_verify.py --calculate FILE       print what the file should say, as JSON

Exit codes: 0 everything agrees; 1 something differs (the first 20 differences of each decision are listed: where, what
the file says, what was calculated); 2 a file can't be read or is malformed (the place is named).

It shares no code with the engine that made the result. It stages the ballots (who inherits what from whom) with exact
fractions, rounds once, counts them by STAR voting and compares every number, name and tag of `result` and `staged`.

What an OK proves: from the members, followings, ballots and lots written in the file, the rules lead to exactly this
result and these staged ballots. Where the file says how lots were drawn, that they were drawn so.
What it doesn't prove: that the members, followings and ballots in the file are those people gave (compare your own, and
the ledger's hash with one you trust), that nobody is missing, who an anonymous member is, or that `revision`, `final`
and the times are true: they are only checked for contradictions.

How exact it is. Loops of followings are systems of linear equations. Small ones, and whatever has no loops, are
calculated with fractions as long as these stay short. The rest is calculated in microstars scaled by 2**128 with a
bound of the error (see `_iterate` and `_eliminate_decimals`). A number that can't be told from the middle between two
microstars, within 2**-90 of one or within that bound, counts as that middle and is rounded to the even side.
"""

import argparse
import decimal
import hashlib
import heapq
import json
import math
import re
import sys
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

RULES = "star-2026/1"
MICRO = 1_000_000
FIVE_STARS = 5 * MICRO
EVERYTHING = -1  # the bit mask of a following without tags

SHOWN = 20  # differences listed for one decision
EXACT_LOOP = 40  # members of a loop up to which it is solved in fractions
EXACT_BITS = 512  # length of a denominator up to which a value stays a fraction
ELIMINATION_STEPS = 400_000  # effort up to which a larger loop is solved by elimination rather than iteration
SWEEPS = 8  # of an iteration, between checks
CHECKS = 250  # after which an iteration gives up
SCALE = 128
ONE = 1 << SCALE
CLOSE_TO_HALF = 1 << (SCALE - 90)

Record = dict[str, Any]
Kind = TypeVar("Kind")


class Malformed(Exception):
    """The file isn't a bundle; the text names the place."""


# --- Reading ----------------------------------------------------------------------------------------------------------


class Ballot(NamedTuple):
    """A ballot as cast: stars 0..5 in the order of the decision's choices, and its tags."""

    stars: tuple[int, ...]
    tags: frozenset[str]
    abstain: bool


class Following(NamedTuple):
    """Two positions in the list of members; no tags means everything."""

    follower: int
    followee: int
    tags: frozenset[str]


@dataclass(frozen=True)
class Decision:
    """What a decision's result rests on; `ballots` by position of the member, `place` as errors name it."""

    place: str
    id: str
    choices: tuple[str, ...]
    lots: tuple[int, ...]
    ballots: dict[int, Ballot]
    record: Record


@dataclass(frozen=True)
class Bundle:
    """A community with its decisions; `voters` says of each member whether it is counted."""

    members: tuple[str, ...]
    voters: tuple[bool, ...]
    followings: tuple[Following, ...]
    decisions: tuple[Decision, ...]
    record: Record


def _at(place: str, key: str) -> str:
    """Name a field: `decisions[0].id`; keys that aren't plain words in brackets."""
    if not re.fullmatch(r"[\w-]+", key):
        return f"{place}[{json.dumps(key)}]"
    return f"{place}.{key}" if place else key


_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}


def _expect(value: object, kind: type[Kind], place: str) -> Kind:
    if type(value) is not kind:  # not isinstance: true is no number here
        raise Malformed(f"{place}: should be {_NAMES[kind]}")
    return value


def _take(record: Record, key: str, kind: type[Kind], place: str, default: Kind | None = None) -> Kind:
    if key not in record:
        if default is None:
            raise Malformed(f"{_at(place, key)}: missing")
        return default
    return _expect(record[key], kind, _at(place, key))


def _records(record: Record, key: str, place: str) -> list[tuple[str, Record]]:
    items = _take(record, key, list, place)
    here = _at(place, key)
    return [(f"{here}[{n}]", _expect(item, dict, f"{here}[{n}]")) for n, item in enumerate(items)]


def _member(record: Record, key: str, place: str, positions: dict[str, int]) -> int:
    name = _take(record, key, str, place)
    if name not in positions:
        raise Malformed(f"{_at(place, key)}: no such member: {name}")
    return positions[name]


def _identifiers(rows: Iterable[tuple[str, Record]], what: str) -> dict[str, int]:
    positions: dict[str, int] = {}
    for place, row in rows:
        name = _take(row, "id", str, place)
        if not name:
            raise Malformed(f"{place}.id: is empty")
        if name in positions:
            raise Malformed(f"{place}.id: second {what} with this id: {name}")
        positions[name] = len(positions)
    return positions


def normal_tag(text: str) -> str:
    """Return the one form of a tag: Unicode NFKC, case-folded, inner white space collapsed, trimmed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _tags(record: Record, place: str) -> frozenset[str]:
    here = _at(place, "tags")
    tags = [
        normal_tag(_expect(tag, str, f"{here}[{n}]")) for n, tag in enumerate(_take(record, "tags", list, place, []))
    ]
    if "" in tags:
        raise Malformed(f"{here}[{tags.index('')}]: is empty")
    return frozenset(tags)


def _ballot(record: Record, place: str, choices: dict[str, int]) -> Ballot:
    given = _take(record, "stars", dict, place, {})
    stars = [0] * len(choices)
    for choice, value in given.items():
        here = _at(f"{place}.stars", choice)
        if choice not in choices:
            raise Malformed(f"{here}: no such choice")
        if type(value) is not int or not 0 <= value <= 5:
            raise Malformed(f"{here}: should be a whole number from 0 to 5")
        stars[choices[choice]] = value
    abstain = _take(record, "abstain", bool, place, False)
    if abstain and any(stars):
        raise Malformed(f"{place}: abstains and gives stars")
    return Ballot(tuple(stars), _tags(record, place), abstain)


def _decision(record: Record, place: str, members: dict[str, int]) -> Decision:
    rows = _records(record, "choices", place)
    choices = _identifiers(rows, "choice")
    lots: list[int] = []
    for here, row in rows:
        lot = _take(row, "lot", int, here)
        if not 1 <= lot <= len(rows) or lot in lots:
            raise Malformed(f"{here}.lot: lots should be the numbers 1 to {len(rows)}, each once")
        lots.append(lot)
    ballots: dict[int, Ballot] = {}
    for here, row in _records(record, "ballots", place):
        member = _member(row, "member", here, members)
        if member in ballots:
            raise Malformed(f"{here}: second ballot of member {row['member']}")
        ballots[member] = _ballot(row, here, choices)
    for here, row in _records(record, "staged", place) if "staged" in record else ():
        _take(row, "member", str, here)
        _take(row, "microstars", dict, here)
        _tags(row, here)
    _take(record, "result", dict, place, {})
    return Decision(place, _take(record, "id", str, place), tuple(choices), tuple(lots), ballots, record)


def _followings(record: Record, members: dict[str, int]) -> tuple[Following, ...]:
    seen: set[tuple[int, int]] = set()
    followings = []
    for place, row in _records(record, "followings", ""):
        pair = _member(row, "follower", place, members), _member(row, "followee", place, members)
        if pair[0] == pair[1]:
            raise Malformed(f"{place}: member {row['follower']} follows itself")
        if pair in seen:
            raise Malformed(f"{place}: second following from {row['follower']} to {row['followee']}")
        seen.add(pair)
        followings.append(Following(*pair, _tags(row, place)))
    return tuple(followings)


def read_bundle(text: str) -> Bundle:
    """Read a bundle. Raises Malformed."""

    def unique(pairs: list[tuple[str, Any]]) -> Record:
        record = dict(pairs)
        if len(record) < len(pairs):
            twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
            raise Malformed(f"not a bundle: an object has the key {json.dumps(twice)} twice")
        return record

    def no_number(name: str) -> None:
        raise Malformed(f"not JSON: {name}")

    try:
        record = json.loads(text, object_pairs_hook=unique, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None
    if type(record) is not dict or record.get("format") != "crowdvote-bundle":
        raise Malformed('format: should be "crowdvote-bundle"')
    if _take(record, "version", int, "") != 1:
        raise Malformed("version: should be 1")
    _take(_take(record, "community", dict, ""), "name", str, "community")
    ledger = _take(record, "ledger", dict, "", {})
    _take(ledger, "revision", int, "ledger", 0)
    rows = _records(record, "members", "")
    members = _identifiers(rows, "member")
    roles = [_take(row, "role", str, place, "voter") for place, row in rows]
    for (place, _), role in zip(rows, roles, strict=True):
        if role not in {"voter", "lobbyist"}:
            raise Malformed(f'{place}.role: should be "voter" or "lobbyist"')
    followings = _followings(record, members)
    decisions = _records(record, "decisions", "")
    _identifiers(decisions, "decision")
    return Bundle(
        tuple(members),
        tuple(role == "voter" for role in roles),
        followings,
        tuple(_decision(row, place, members) for place, row in decisions),
        record,
    )


# --- Staging ----------------------------------------------------------------------------------------------------------


class Staged(NamedTuple):
    """A ballot ready for counting: kind is cast, inherited or abstained; microstars in the order of the choices."""

    kind: str
    microstars: tuple[int, ...]
    tags: frozenset[str]


class Value(NamedTuple):
    """Microstars by choice: numerators over one denominator; exact, or within error / 2**128 of the exact value."""

    numerators: tuple[int, ...]
    denominator: int
    error: int


def stage(bundle: Bundle, decision: Decision) -> dict[int, Staged]:
    """Return the staged ballot of each member that has one, by position of the member."""
    ballots = decision.ballots
    bits: dict[str, int] = {}
    for ballot in ballots.values():
        for tag in ballot.tags:
            bits.setdefault(tag, 1 << len(bits))
    active, tags = _activate(bundle, ballots, bits)
    values = {
        member: Value(tuple(stars * MICRO for stars in ballot.stars), 1, 0)
        for member, ballot in ballots.items()
        if not ballot.abstain
    }
    # A component comes after all that its members follow outside it.
    for component in _components(active):
        if len(component) == 1:
            values[component[0]] = _mean([values[followee] for followee in active[component[0]]])
        else:
            values.update(zip(component, _solve_loop(component, active, values), strict=True))
    names = {mask: tag for tag, mask in bits.items()}
    sets: dict[int, frozenset[str]] = {}
    staged: dict[int, Staged] = {}
    for member in range(len(bundle.members)):
        if member in ballots:
            ballot = ballots[member]
            kind = "abstained" if ballot.abstain else "cast"
            staged[member] = Staged(kind, tuple(stars * MICRO for stars in ballot.stars), ballot.tags)
        elif member in values:
            mask = tags[member]
            if mask not in sets:
                sets[mask] = frozenset(tag for bit, tag in names.items() if bit & mask)
            staged[member] = Staged("inherited", rounded(values[member]), sets[mask])
    return staged


def _activate(
    bundle: Bundle, ballots: dict[int, Ballot], bits: dict[str, int]
) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Find the active followings, from the cast ballots outwards until nothing is added: the least fixed point.

    Returns the active followees of each inheriting member, and the tags (as bits) of each member that has a ballot.
    """
    followers: dict[int, list[tuple[int, int]]] = {}
    candidates = []
    for following in bundle.followings:
        if following.follower not in ballots:
            wanted = sum(bits.get(tag, 0) for tag in following.tags) if following.tags else EVERYTHING
            candidates.append((following.follower, following.followee, wanted))
            followers.setdefault(following.followee, []).append((following.follower, wanted))
    tags = {member: sum(bits[tag] for tag in ballot.tags) for member, ballot in ballots.items() if not ballot.abstain}
    waiting = deque(tags)
    queued = set(tags)
    while waiting:
        followee = waiting.popleft()
        queued.discard(followee)
        carried = tags[followee]
        for follower, wanted in followers.get(followee, ()):
            shared = carried & wanted
            if not shared and wanted != EVERYTHING:
                continue
            before = tags.get(follower)
            if before is None or shared & ~before:
                tags[follower] = shared | (before or 0)
                if follower not in queued:
                    queued.add(follower)
                    waiting.append(follower)
    active: dict[int, list[int]] = {}
    for follower, followee, wanted in candidates:
        if followee in tags and (wanted == EVERYTHING or tags[followee] & wanted):
            active.setdefault(follower, []).append(followee)
    return active, tags


def _components(active: dict[int, list[int]]) -> list[list[int]]:
    """Return the strongly connected components, followees before followers (Tarjan 1972, without recursion)."""
    low: dict[int, int] = {}  # the number of a member in order of discovery, lowered to the lowest it reaches
    number: dict[int, int] = {}
    open_members: list[int] = []
    depth: dict[int, int] = {}  # position of the open ones in open_members
    components: list[list[int]] = []
    for start in active:
        path = [] if start in number else [(start, iter((start,)))]  # asked by itself, to be met like any other
        while path:
            member, rest = path[-1]
            for followee in rest:
                if followee not in active:  # has a cast ballot
                    continue
                if followee not in number:
                    number[followee] = low[followee] = len(number)
                    depth[followee] = len(open_members)
                    open_members.append(followee)
                    path.append((followee, iter(active[followee])))
                    break
                if followee in depth:
                    low[member] = min(low[member], number[followee])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[member])
                if low[member] == number[member] and member in depth:
                    first = depth[member]
                    components.append(open_members[first:])
                    for closed in components[-1]:
                        del depth[closed]
                    del open_members[first:]
    return components


def _total(values: Sequence[Value]) -> tuple[list[int], int, int]:
    """Add values: numerators, denominator, and the largest error of any of them."""
    denominator = math.lcm(*(value.denominator for value in values))
    scaled = (
        value.numerators
        if value.denominator == denominator
        else [numerator * (denominator // value.denominator) for numerator in value.numerators]
        for value in values
    )
    return [sum(column) for column in zip(*scaled, strict=True)], denominator, max(value.error for value in values)


def _value(numerators: Sequence[int], denominator: int, error: int) -> Value:
    """Make a value: in lowest terms where that is exact and short, else in units of 2**-128, off by one more."""
    if not error:
        common = math.gcd(denominator, *numerators)
        if (denominator // common).bit_length() <= EXACT_BITS:
            return Value(tuple(numerator // common for numerator in numerators), denominator // common, 0)
    scaled = tuple((2 * numerator * ONE + denominator) // (2 * denominator) for numerator in numerators)
    return Value(scaled, ONE, error + 1)


def _mean(values: Sequence[Value]) -> Value:
    if len(values) == 1:
        return values[0]
    numerators, denominator, error = _total(values)
    return _value(numerators, denominator * len(values), error)


def rounded(value: Value) -> tuple[int, ...]:
    """Round to whole microstars, half to even."""
    whole = []
    for numerator in value.numerators:
        quotient, rest = divmod(numerator, value.denominator)
        beyond_half = 2 * rest - value.denominator
        if abs(beyond_half) <= 2 * (max(value.error, CLOSE_TO_HALF) if value.error else 0):
            whole.append(quotient + quotient % 2)
        else:
            whole.append(quotient + (beyond_half > 0))
    return tuple(whole)


# --- Loops ------------------------------------------------------------------------------------------------------------


class TooLong(Exception):
    """A way to solve a loop takes more effort than it was given."""


class Row(NamedTuple):
    """One member of a loop: whom of the loop it follows, how many outside, and the sum of these (None where nobody)."""

    inside: list[int]
    outside: int
    total: tuple[list[int], int, int] | None


def _solve_loop(component: list[int], active: dict[int, list[int]], values: dict[int, Value]) -> list[Value]:
    """Solve the equations of one strongly connected component: each member is the mean of whom it follows."""
    positions = {member: position for position, member in enumerate(component)}
    rows = []
    for member in component:
        inside = [positions[followee] for followee in active[member] if followee in positions]
        outside = [values[followee] for followee in active[member] if followee not in positions]
        rows.append(Row(inside, len(outside), _total(outside) if outside else None))
    choices = next(len(row.total[0]) for row in rows if row.total)
    inherited_error = max(row.total[2] for row in rows if row.total)
    if len(rows) <= EXACT_LOOP:
        return _solve_exactly(rows, choices, inherited_error)
    try:
        return _eliminate_decimals(rows, choices, inherited_error, ELIMINATION_STEPS)
    except TooLong:  # many of its members follow many others
        pass
    try:
        return _iterate(rows, choices, inherited_error)
    except TooLong:  # it lets go of its members very slowly
        return _eliminate_decimals(rows, choices, inherited_error, math.inf)


def _solve_exactly(rows: list[Row], choices: int, error: int) -> list[Value]:
    def quotient(numerator: int, denominator: int) -> Fraction:
        return Fraction(numerator, denominator)

    values = []
    for solution in _eliminate(rows, choices, quotient, math.inf):
        denominator = math.lcm(*(number.denominator for number in solution))
        numerators = [number.numerator * (denominator // number.denominator) for number in solution]
        values.append(_value(numerators, denominator, error))
    return values


def _eliminate_decimals(rows: list[Row], choices: int, error: int, steps: float) -> list[Value]:
    """Solve by elimination with 100 decimal digits. Raises TooLong.

    `_eliminate` never subtracts, so the relative error of a solution is at most a small multiple of n**3 units of the
    last digit, however slowly the loop lets go of its members (O'Cinneide 1993, on entrywise perturbation of Markov
    chains): for a million members 80 digits are right, and one unit of 2**-128 in 5,000,000 needs 46.
    """

    def quotient(numerator: int, denominator: int) -> decimal.Decimal:
        return decimal.Decimal(numerator) / decimal.Decimal(denominator)

    context = decimal.Context(prec=100, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, rounding=decimal.ROUND_HALF_EVEN)
    with decimal.localcontext(context):
        return [
            Value(tuple(int((number * ONE).to_integral_value()) for number in solution), ONE, error + 1)
            for solution in _eliminate(rows, choices, quotient, steps)
        ]


def _eliminate(rows: list[Row], choices: int, quotient: Callable[[int, int], Any], steps: float) -> list[list[Any]]:
    """Solve a loop member by member, those with the fewest neighbours first. Raises TooLong after so many steps.

    To remove a member, whoever follows it follows its followees instead, with its weight shared among them. What then
    follows itself is dropped: asking again is no answer. (State reduction of a Markov chain; Grassmann, Taksar and
    Heyman 1985.) A member's weights are kept with its number of answers outside, so nothing is ever subtracted.
    """
    one, zero = quotient(1, 1), quotient(0, 1)
    weights = [dict.fromkeys(row.inside, one) for row in rows]
    outside = [quotient(row.outside, 1) for row in rows]
    sums = [
        [quotient(numerator, row.total[1]) for numerator in row.total[0]] if row.total else [zero] * choices
        for row in rows
    ]
    followers: list[set[int]] = [set() for _ in rows]
    for position, row in enumerate(rows):
        for followee in row.inside:
            followers[followee].add(position)
    cheapest = [(len(followers[position]) * len(weights[position]), position) for position in range(len(rows))]
    heapq.heapify(cheapest)
    removed: list[tuple[int, Any]] = []
    gone = bytearray(len(rows))
    taken = 0
    while cheapest:
        cost, member = heapq.heappop(cheapest)
        if gone[member]:
            continue
        if cost != len(followers[member]) * len(weights[member]):
            heapq.heappush(cheapest, (len(followers[member]) * len(weights[member]), member))
            continue
        taken += len(followers[member]) * (len(weights[member]) + choices)
        if taken > steps:
            raise TooLong
        gone[member] = 1
        whole = sum(weights[member].values(), outside[member])
        removed.append((member, whole))
        for followee in weights[member]:
            followers[followee].discard(member)
        for follower in followers[member]:
            shares = weights[follower]
            factor = shares.pop(member) / whole
            for followee, weight in weights[member].items():
                if followee != follower:
                    shares[followee] = shares.get(followee, zero) + factor * weight
                    followers[followee].add(follower)
            outside[follower] += factor * outside[member]
            sums[follower] = [a + factor * b if b else a for a, b in zip(sums[follower], sums[member], strict=True)]
            heapq.heappush(cheapest, (len(followers[follower]) * len(shares), follower))
        for followee in weights[member]:
            heapq.heappush(cheapest, (len(followers[followee]) * len(weights[followee]), followee))
    solutions: list[list[Any]] = [[]] * len(rows)
    for member, whole in reversed(removed):
        solution = sums[member]
        for followee, weight in weights[member].items():
            solution = [a + weight * b for a, b in zip(solution, solutions[followee], strict=True)]
        solutions[member] = [number / whole for number in solution]
    return solutions


def _iterate(rows: list[Row], choices: int, error: int) -> list[Value]:
    """Solve by repeated averaging in whole numbers (unit 2**-128), until the solution is proven close. Raises TooLong.

    All choices of a member are lanes of one long integer, so that one addition adds them all; multiplying by
    2**shift // k and masking divides each lane by k, a little too low.

    Before every few sweeps each equation is checked. How far the solution can be off is at most what the worst equation
    lacks times the expected number of steps out of the loop. Lane 0 holds that number (unit 2**-100), with 1 added per
    step: where each of its equations holds to one half, twice its maximum is a bound (the matrix is an M-matrix).
    Then all members are moved together by what the equations lack in total, which averaging alone would take as many
    sweeps for as the loop holds its members steps.
    """
    most = max(len(row.inside) + row.outside for row in rows)
    bits = SCALE + 24 + most.bit_length()  # the sum of a lane; 5,000,000 < 2**23
    shift, width, highest = bits, 2 * bits, 1 << (SCALE + 23)
    lane = (1 << bits) - 1
    lanes = [width * number for number in range(choices + 1)]
    mask = sum(lane << place for place in lanes)
    fixed, followed = [], []
    for row in rows:
        followed.append(len(row.inside) + row.outside)
        packed = followed[-1] << 100
        if row.total:
            numerators, denominator, _ = row.total
            packed += sum(
                number * ONE // denominator << place for number, place in zip(numerators, lanes[1:], strict=True)
            )
        fixed.append(packed)
    order = [(n, fixed[n], rows[n].inside, (1 << shift) // followed[n]) for n in _outwards(rows)]
    leaving = sum(row.outside for row in rows)
    numbers = [0] * len(rows)
    for _ in range(CHECKS):
        lacking = []  # of each equation by lane: the sum it asks for, less what stands there
        for position, packed, inside, _ in sorted(order):
            total, own = packed + sum(numbers[followee] for followee in inside), numbers[position]
            lacking.append([(total >> place & lane) - followed[position] * (own >> place & lane) for place in lanes])
        if all(lacks[0] <= k << 99 for lacks, k in zip(lacking, followed, strict=True)):
            steps = 2 * (max(own & lane for own in numbers) >> 100) + 2
            worst = (
                max(max(map(abs, lacks[1:]), default=0) // k for lacks, k in zip(lacking, followed, strict=True)) + 2
            )
            if worst * steps < CLOSE_TO_HALF >> 8:
                return [
                    Value(tuple(own >> place & lane for place in lanes[1:]), ONE, error + worst * steps)
                    for own in numbers
                ]
        moves = [
            (place, sum(column) // leaving) for place, column in zip(lanes, zip(*lacking, strict=True), strict=True)
        ]
        numbers = [
            sum(min(max((own >> place & lane) + move, 0), highest) << place for place, move in moves) for own in numbers
        ]
        for _ in range(SWEEPS):
            for position, packed, inside, inverse in order:
                total = packed
                for followee in inside:
                    total += numbers[followee]
                numbers[position] = (total * inverse >> shift) & mask
    raise TooLong


def _outwards(rows: list[Row]) -> list[int]:
    """Order a loop by the distance from where it is left: what is known spreads in one sweep."""
    followers: list[list[int]] = [[] for _ in rows]
    for position, row in enumerate(rows):
        for followee in row.inside:
            followers[followee].append(position)
    order = [position for position, row in enumerate(rows) if row.outside]
    seen = set(order)
    for position in order:
        for follower in followers[position]:
            if follower not in seen:
                seen.add(follower)
                order.append(follower)
    return order


# --- Tally ------------------------------------------------------------------------------------------------------------


class Count:
    """The counted ballots of a decision, added up; choices by position."""

    def __init__(self, ballots: Iterable[tuple[int, ...]], choices: int) -> None:
        self.ballots = 0
        self.scores = [0] * choices
        self.fives = [0] * choices
        self.preferences = [[0] * choices for _ in range(choices)]
        for microstars, times in Counter(ballots).items():
            self.ballots += times
            for first, stars in enumerate(microstars):
                self.scores[first] += times * stars
                self.fives[first] += times * (stars == FIVE_STARS)
                preferred = self.preferences[first]
                for second, other in enumerate(microstars):
                    if stars > other:
                        preferred[second] += times


class TieBreaks:
    """Breaks ties, keeping the record of each one broken."""

    def __init__(self, decision: Decision, count: Count) -> None:
        self.decision = decision
        self.count = count
        self.records: list[Record] = []

    def _record(self, where: str, kind: str, tied: list[int], numbers: Sequence[int] | dict[int, int]) -> None:
        ids = self.decision.choices
        best = min if kind == "lot" else max
        won = best(tied, key=lambda choice: numbers[choice])
        self.records.append(
            {
                "round": where,
                "kind": kind,
                "choices": [ids[choice] for choice in self.by_lot(tied)],
                "won": ids[won],
                "numbers": {ids[choice]: numbers[choice] for choice in tied},
            }
        )

    def by_lot(self, choices: Iterable[int]) -> list[int]:
        """Return the choices, lowest lot first."""
        return sorted(choices, key=lambda choice: self.decision.lots[choice])

    def for_one_place(self, tied: list[int]) -> list[int]:
        """Decide between choices of one score for one place among the finalists: the one, as a list."""
        if len(tied) == 2:
            first, second = tied
            preferred = self.count.preferences
            if preferred[first][second] != preferred[second][first]:
                numbers = {first: preferred[first][second], second: preferred[second][first]}
                self._record("score", "head_to_head", tied, numbers)
                return [max(tied, key=lambda choice: numbers[choice])]
        return self.by_place(tied, 1)

    def by_place(self, tied: list[int], places: int) -> list[int]:
        """Fill the places one by one: most five-star ballots, then the lowest lot."""
        chosen: list[int] = []
        for _ in range(places):
            rest = [choice for choice in tied if choice not in chosen]
            most = max(self.count.fives[choice] for choice in rest)
            best = [choice for choice in rest if self.count.fives[choice] == most]
            if len(best) == 1:
                self._record("score", "five_star", rest, self.count.fives)
            else:
                self._record("score", "lot", best, self.decision.lots)
            chosen.append(self.by_lot(best)[0])
        return chosen

    def finalists(self) -> list[int]:
        """Return the two finalists, higher score first."""
        scores = self.count.scores
        chosen: list[int] = []
        for score in sorted(set(scores), reverse=True):
            tied = [choice for choice in range(len(scores)) if scores[choice] == score]
            places = 2 - len(chosen)
            if len(tied) <= places:
                chosen += self.by_lot(tied)
            elif places == 1:
                chosen += self.for_one_place(tied)
            elif places:
                chosen += self.by_place(tied, places)
        return chosen

    def winner(self, finalists: list[int]) -> int:
        """Return the winner of the automatic runoff."""
        first, second = finalists
        for_first, for_second = self.count.preferences[first][second], self.count.preferences[second][first]
        if for_first != for_second:
            return first if for_first > for_second else second
        for kind, numbers in (("score", self.count.scores), ("five_star", self.count.fives)):
            if numbers[first] != numbers[second]:
                self._record("runoff", kind, finalists, numbers)
                return max(finalists, key=lambda choice: numbers[choice])
        self._record("runoff", "lot", finalists, self.decision.lots)
        return self.by_lot(finalists)[0]


def tally(bundle: Bundle, decision: Decision, staged: dict[int, Staged]) -> Record:
    """Count staged ballots by STAR voting and return the `result` of a bundle, without `revision` and `final`."""
    ids = decision.choices
    voters = [member for member in range(len(bundle.members)) if bundle.voters[member]]
    kinds = Counter(staged[member].kind if member in staged else "none" for member in voters)
    counted = (staged[m].microstars for m in voters if m in staged and staged[m].kind != "abstained")
    count = Count(counted, len(ids))
    ties = TieBreaks(decision, count)
    finalists: list[int] = []
    winner = runner_up = reason = None
    runoff: Record = {"for": {}, "equal": 0}
    if not count.ballots:
        reason = "no_ballots"
    elif len(ids) < 2:
        reason = "one_choice"
    else:
        finalists = first, second = ties.finalists()
        winner = ties.winner(finalists)
        runner_up = first if winner == second else second
        votes = {first: count.preferences[first][second], second: count.preferences[second][first]}
        runoff = {"for": {ids[n]: votes[n] for n in finalists}, "equal": count.ballots - sum(votes.values())}
    return {
        "rules": RULES,
        "winner": None if winner is None else ids[winner],
        "runner_up": None if runner_up is None else ids[runner_up],
        "reason": reason,
        "finalists": [ids[choice] for choice in finalists],
        "scores": dict(zip(ids, count.scores, strict=True)),
        "preferences": {
            ids[first]: {ids[second]: number for second, number in enumerate(row) if second != first}
            for first, row in enumerate(count.preferences)
        },
        "runoff": runoff,
        "tie_breaks": ties.records,
        "participation": {
            "eligible": len(voters),
            **{kind: kinds[kind] for kind in ("cast", "inherited", "abstained", "none")},
            "lobbyists": sum(
                not ballot.abstain for member, ballot in decision.ballots.items() if not bundle.voters[member]
            ),
            "counted": count.ballots,
        },
    }


# --- Comparing --------------------------------------------------------------------------------------------------------


def _show(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."


class Differences(list[str]):
    """What the file says wrongly, one line each."""

    def says(self, place: str, given: object, calculated: object) -> None:
        """Note a difference."""
        self.append(f"{place}: the file says {_show(given)}, calculated {_show(calculated)}")

    def compare(self, given: object, calculated: object, place: str, *, optional: Sequence[str] = ()) -> None:
        """Compare a value or, key by key and item by item, an object or a list."""
        if isinstance(calculated, dict) and isinstance(given, dict):
            for key, value in calculated.items():
                if key in given:
                    self.compare(given[key], value, _at(place, key), optional=optional)
                elif key not in optional:
                    self.append(f"{_at(place, key)}: missing, calculated {_show(value)}")
        elif isinstance(calculated, list) and isinstance(given, list):
            for number, (one, other) in enumerate(zip(given, calculated, strict=False)):
                self.compare(one, other, f"{place}[{number}]", optional=optional)
            for number in range(len(given), len(calculated)):
                self.append(f"{place}[{number}]: missing, calculated {_show(calculated[number])}")
            for number in range(len(calculated), len(given)):
                self.append(f"{place}[{number}]: the file says {_show(given[number])}, calculated nothing")
        elif type(given) is not type(calculated) or given != calculated:  # 1, 1.0 and true are three things
            self.says(place, given, calculated)

    def extra(self, given: object, calculated: Record, place: str) -> None:
        """Note the names in an object that shouldn't be there; for objects whose keys are ids."""
        if isinstance(given, dict):
            for key, value in given.items():
                if key not in calculated:
                    self.append(f"{_at(place, key)}: the file says {_show(value)}, calculated nothing")


def _compare_result(differences: Differences, bundle: Bundle, decision: Decision, calculated: Record) -> None:
    place = f"{decision.place}.result"
    given: Record = decision.record["result"]
    differences.compare(given, calculated, place, optional=("reason", "numbers"))
    for key in ("scores", "preferences"):
        differences.extra(given.get(key), calculated[key], f"{place}.{key}")
    for choice, row in calculated["preferences"].items():
        if isinstance(given.get("preferences"), dict):
            differences.extra(given["preferences"].get(choice), row, _at(f"{place}.preferences", choice))
    if isinstance(given.get("runoff"), dict):
        differences.extra(given["runoff"].get("for"), calculated["runoff"]["for"], f"{place}.runoff.for")
    records = given.get("tie_breaks")
    for number, record in enumerate(records if isinstance(records, list) else ()):
        if isinstance(record, dict) and number < len(calculated["tie_breaks"]):
            numbers = calculated["tie_breaks"][number]["numbers"]
            differences.extra(record.get("numbers"), numbers, f"{place}.tie_breaks[{number}].numbers")
    _check_claims(differences, bundle, decision)


def _check_claims(differences: Differences, bundle: Bundle, decision: Decision) -> None:
    """Look for contradictions in what can't be calculated: the result's revision and whether it is final."""
    given: Record = decision.record["result"]
    place = f"{decision.place}.result"
    revision, final = given.get("revision"), given.get("final")
    latest = bundle.record.get("ledger", {}).get("revision")
    if type(revision) is not int or revision < 0:
        differences.append(f"{place}.revision: should be a whole number, is {_show(revision)}")
    elif latest is not None and revision > latest:
        differences.append(f"{place}.revision: is {revision}, after the ledger's {latest}")
    if type(final) is not bool:
        differences.append(f"{place}.final: should be true or false, is {_show(final)}")
    elif final:
        status = decision.record.get("status")
        if isinstance(status, str) and status.lower() in {"draft", "open"}:
            differences.append(f"{place}.final: is true, but the decision is {status}")
        closed, exported = _time(decision.record.get("closes_at")), _time(bundle.record.get("exported_at"))
        if closed and exported and closed > exported:
            differences.append(f"{place}.final: is true, but the decision closed after the export")


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time and time.tzinfo else None


def _compare_staged(differences: Differences, bundle: Bundle, decision: Decision, staged: dict[int, Staged]) -> None:
    positions = {name: position for position, name in enumerate(bundle.members)}
    seen: set[int] = set()
    for number, row in enumerate(decision.record["staged"]):
        place = f"{decision.place}.staged[{number}]"
        member = positions.get(row["member"])
        if member is None or member not in staged:
            differences.append(f"{place}: the file has a ballot of {_show(row['member'])}, calculated none")
            continue
        if member in seen:
            differences.append(f"{place}: second staged ballot of {_show(row['member'])}")
        seen.add(member)
        expected = staged[member]
        microstars = dict(zip(decision.choices, expected.microstars, strict=True))
        differences.compare(row.get("kind"), expected.kind, f"{place}.kind")
        differences.compare(row["microstars"], microstars, f"{place}.microstars")
        differences.extra(row["microstars"], microstars, f"{place}.microstars")
        tags = frozenset(normal_tag(tag) for tag in row.get("tags", ()))
        if tags != expected.tags and (tags or expected.kind != "abstained"):
            differences.says(f"{place}.tags", sorted(tags), sorted(expected.tags))
    shows_abstentions = any(staged[member].kind == "abstained" for member in seen)
    for member, ballot in staged.items():
        if member not in seen and (shows_abstentions or ballot.kind != "abstained"):
            name = _show(bundle.members[member])
            differences.append(f"{decision.place}.staged: no ballot of {name}, calculated {ballot.kind}")


def _check_lots(differences: Differences, decision: Decision) -> bool:
    """Draw the lots again where the file says how; returns whether it does."""
    if decision.record.get("lots_from") != "sha256":
        return False
    place = f"{decision.place}.lot_ids"
    ids = _take(decision.record, "lot_ids", dict, decision.place)
    poll = _take(ids, "decision", str, place)
    written = _take(ids, "choices", dict, place)
    names = [_take(written, choice, str, f"{place}.choices") for choice in decision.choices]
    hashes = [hashlib.sha256(f"{poll}:{name}".encode(errors="surrogatepass")).hexdigest() for name in names]
    for number, lot in enumerate(decision.lots):
        rank = 1 + sum(other < hashes[number] for other in hashes)
        differences.compare(lot, rank, f"{decision.place}.choices[{number}].lot")
    return True


# --- The command ------------------------------------------------------------------------------------------------------


def verify(bundle: Bundle, decision: Decision) -> tuple[Differences, str]:
    """Compare a decision's `result` and `staged` with what is calculated: the differences, and a line for none.

    Raises Malformed where either is missing.
    """
    for key in ("result", "staged"):
        if key not in decision.record:
            raise Malformed(
                f"{decision.place}.{key}: missing, nothing to verify (--calculate prints what it should be)"
            )
    staged = stage(bundle, decision)
    calculated = tally(bundle, decision, staged)
    differences = Differences()
    drawn = _check_lots(differences, decision)
    _compare_result(differences, bundle, decision, calculated)
    _compare_staged(differences, bundle, decision, staged)
    people = calculated["participation"]
    winner = (
        f"winner {calculated['winner']}" if calculated["winner"] is not None else f"no winner ({calculated['reason']})"
    )
    return differences, (
        f"{winner}; {people['counted']} ballots counted ({people['cast']} cast, {people['inherited']} inherited); "
        f"{len(decision.record['staged'])} staged ballots checked; lots {'drawn again' if drawn else 'taken as given'}"
    )


def calculate(bundle: Bundle, decision: Decision) -> Record:
    """Return a decision's id with the `result` and `staged` a bundle should have for it.

    `revision` and `final` can't be calculated: they are the file's own, else the ledger's revision and false.
    """
    staged = stage(bundle, decision)
    given: Record = decision.record.get("result", {})
    claims = {
        "revision": given.get("revision", bundle.record.get("ledger", {}).get("revision")),
        "final": given.get("final", False),
    }
    rows = [
        {
            "member": bundle.members[member],
            "kind": ballot.kind,
            "microstars": dict(zip(decision.choices, ballot.microstars, strict=True)),
            "tags": sorted(ballot.tags),
        }
        for member, ballot in staged.items()
    ]
    return {"id": decision.id, "result": {**claims, **tally(bundle, decision, staged)}, "staged": rows}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _verify_file(name: str, bundle: Bundle) -> int:
    if not bundle.decisions:
        raise Malformed("decisions: empty, nothing to verify")
    code = 0
    for decision in bundle.decisions:
        differences, summary = verify(bundle, decision)
        if not differences:
            _say(f"OK {name} {decision.place} {decision.id}: {summary}")
            continue
        code = 1
        _say(f"DIFFERS {name} {decision.place} {decision.id}: {len(differences)} differences")
        for line in differences[:SHOWN]:
            _say(f"  {line}")
        if len(differences) > SHOWN:
            _say(f"  ... and {len(differences) - SHOWN} more")
    return code


def _run(name: str, *, only_calculate: bool) -> int:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        bundle = read_bundle(data.decode("utf-8-sig"))
        if not only_calculate:
            return _verify_file(name, bundle)
        decisions = [calculate(bundle, decision) for decision in bundle.decisions]
        _say(json.dumps({"decisions": decisions}, indent=1))
    except OSError as error:
        sys.stderr.write(f"{name}: can't be read: {error.strerror}\n")
    except UnicodeDecodeError:
        sys.stderr.write(f"{name}: not UTF-8 text\n")
    except Malformed as error:
        sys.stderr.write(f"{name}: {error}\n")
    else:
        return 0
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify or calculate the files named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(description="Calculate the decisions of CrowdVote bundles again and compare.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a bundle (JSON), or - for standard input")
    parser.add_argument("--calculate", action="store_true", help="print what the file should say instead of comparing")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names in any script, on any terminal
    return max(_run(name, only_calculate=options.calculate) for name in options.files)


if __name__ == "__main__":
    sys.exit(main())
