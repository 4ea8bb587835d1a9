#!/usr/bin/env python3
"""Check what a CrowdVote site says: results, its ledger, receipts and checkpoints, alone and against one another.

How to use it (Python 3.11 or later; nothing to install, nothing to configure, no network):

    python3 crowdvote_verify.py FILE [FILE...]         check each file, and all against one another; - is standard input
    python3 crowdvote_verify.py FILE... HASH           the same, and look for an entry with this hash in the ledger
    python3 crowdvote_verify.py --key KEY FILE...      everything has to be signed with this public key (hexadecimal)
    python3 crowdvote_verify.py --calculate FILE       print what a result should say, as JSON

A FILE is what a site gives to download: a result with everything it rests on ("bundle"), a community's ledger, a
receipt, or a checkpoint. Give together what you have: the result and the ledger, your receipts, ledgers and checkpoints
of last month. Which is which, the files say themselves.

Exit codes: 0 everything agrees; 1 something differs (the first 20 differences are listed: where, what the file says,
what was found); 2 a file can't be read or is malformed (the place is named).

It shares no code with CrowdVote. It stages the ballots (who inherits what from whom) with exact fractions, rounds once,
counts them by STAR voting and compares every number, name and tag of `result` and `staged`.

What an OK proves of a bundle: from the members, followings, ballots and lots written in the file, the rules lead to
exactly this result and these staged ballots, except those that it says it took as given: they rest on followings of
anonymous members, which no file tells. Where the lots have a seed, that they were drawn from it.
Of a ledger: no entry was changed, removed or put in behind another since its checkpoint was signed, and what is opened
is what was recorded then. Of a receipt: that this is what the entry says, and, with a ledger or a checkpoint of its
revision, that it stands there; with a bundle, that its ballot is the one there under that name or pseudonym. Of a
bundle with its ledger: that community, question, choices with their descriptions, lots, roles, followings, and ballots
with their comments of all who bear names are those of the ledger, as far as the ledgers and receipts that you give open
it. Of two checkpoints or ledgers: that one history goes on from the other.
What it doesn't prove: that accounts belong to different people, who an anonymous member is, or, of a bundle without its
ledger, that its members, followings and ballots are those people gave, and that nobody is missing; that a member is
called what the bundle says (a ledger has numbers, no names); who manages, the order of followings, and the moment of
the export; of ballots under pseudonyms, that they are what was cast and that none is missing or invented, which their
owners' receipts show: one of them with many entries looks like many of them; that nobody invented whoever inherits
under a pseudonym; of a closed entry, that it had to be closed, or when in its hour it was written.
Whoever has the key can sign anything: compare the key with the one that other people got from the site, and the
checkpoints with theirs.

How exact it is. Loops of followings are systems of linear equations. Small ones, and whatever has no loops, are
calculated with fractions as long as these stay short. The rest is calculated in microstars scaled by 2**128 with a
bound of the error (see `_iterate` and `_eliminate_decimals`). A number that can't be told from the middle between two
microstars, within 2**-90 of one or within that bound, counts as that middle and is rounded to the even side.
"""

import argparse
import copy
import decimal
import hashlib
import heapq
import json
import math
import re
import shutil
import sys
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple, TextIO, TypeVar

RULES = "star-2026/1"
VERSIONS = (1, 2)  # of bundles
GENESIS = "0" * 64  # stands before a ledger's first entry
MICRO = 1_000_000
FIVE_STARS = 5 * MICRO
CLOCKS_DIFFER = timedelta(minutes=1)  # at most, those of a site's machines
EVERYTHING = -1  # the bit mask of a following without tags

_is_hash = re.compile("[0-9a-f]{64}").fullmatch
_is_word = re.compile(r"[\w-]+").fullmatch
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
Words = dict[str, Any]  # texts by their place, as moderations name it
Kind = TypeVar("Kind")


class Malformed(Exception):
    """The file isn't what it should be; the text names the place."""


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
    """A decision with all that its result rests on; `ballots` by position of the member, `place` as errors name it.

    `given`: the staged ballots that can't be calculated from the file.
    """

    place: str
    id: str
    choices: tuple[str, ...]
    lots: tuple[int, ...]
    ballots: dict[int, Ballot]
    given: "dict[int, Staged]"
    record: Record


@dataclass(frozen=True)
class Checkpoint:
    """A site's signed word that a ledger had this hash at this revision. `place`: where it stands."""

    place: str
    community: int
    revision: int
    hash: str
    time: str
    key: str
    signature: str


@dataclass(frozen=True)
class Bundle:
    """A community with its decisions; `voters` and `anonymous` say of each member whether it is counted, and whether it
    goes by a pseudonym; `numbers` has the positions of the others by the numbers under which the ledger knows them.
    """

    members: tuple[str, ...]
    voters: tuple[bool, ...]
    anonymous: tuple[bool, ...]
    followings: tuple[Following, ...]
    decisions: tuple[Decision, ...]
    numbers: dict[int, int]
    checkpoint: Checkpoint | None
    record: Record


def _at(place: str, key: str) -> str:
    """Name a field: `decisions[0].id`; keys that aren't plain words in brackets."""
    if not _is_word(key):
        return f"{place}[{json.dumps(key)}]"
    return f"{place}.{key}" if place else key


_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}


def _expect(value: object, kind: type[Kind], place: str) -> Kind:
    if type(value) is not kind:  # not isinstance: true is no number here
        raise Malformed(f"{place}: should be {_NAMES[kind]}")
    return value


def _take(record: Record, key: str, kind: type[Kind], place: str, default: Kind | None = None) -> Kind:
    value = record.get(key, default)
    if type(value) is kind:  # most are, and to put the place into words takes longer than all else
        return value
    if key not in record:
        raise Malformed(f"{_at(place, key)}: missing")
    return _expect(value, kind, _at(place, key))


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


def _given(
    rows: list[tuple[str, Record]],
    ballots: dict[int, Ballot],
    choices: dict[str, int],
    members: dict[str, int],
    anonymous: Sequence[bool],
) -> "dict[int, Staged]":
    """The staged ballots that a bundle gives without what they rest on."""
    given: dict[int, Staged] = {}
    for here, row in rows:
        if not _take(row, "given", bool, here, False):
            continue
        member = _member(row, "member", here, members)
        if member in ballots or member in given or _take(row, "kind", str, here) != "inherited":
            raise Malformed(f"{here}.given: only one inherited ballot of a member can be given")
        stars = _take(row, "microstars", dict, here)
        if stars.keys() != choices.keys() or not all(type(n) is int and 0 <= n <= FIVE_STARS for n in stars.values()):
            raise Malformed(f"{here}.microstars: should be a whole number from 0 to {FIVE_STARS} for each choice")
        tags = _tags(row, here)
        if tags and anonymous[member]:
            raise Malformed(f"{here}.tags: those of an anonymous member are not told")
        given[member] = Staged("inherited", tuple(stars[choice] for choice in choices), tags)
    return given


def called_off(record: Record) -> bool:
    """Tell whether a decision in a bundle was called off, so that it has no result. Raises Malformed."""
    if record.get("called_off") is None:
        return False
    _take(record, "called_off", dict, str(record.get("id")))
    return True


def _decision(record: Record, place: str, members: dict[str, int], anonymous: Sequence[bool], version: int) -> Decision:
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
        _take(row, "comment", str, here, "")
    staged = _records(record, "staged", place) if "staged" in record else []
    for here, row in staged:
        _take(row, "member", str, here)
        _take(row, "microstars", dict, here)
        _tags(row, here)
    if called_off(record):
        _take(record["called_off"], "reason", str, f"{place}.called_off")
        if record.get("result") is not None or staged:
            raise Malformed(f"{place}: was called off, and has a result or staged ballots")
    else:
        _take(record, "result", dict, place, {})
    for key in ("title", "lot_seed", "signature"):
        _take(record, key, str, place, "")
    given = _given(staged, ballots, choices, members, anonymous) if version > 1 else {}
    return Decision(place, _take(record, "id", str, place), tuple(choices), tuple(lots), ballots, given, record)


def _followings(record: Record, members: dict[str, int], hidden: Sequence[bool]) -> tuple[Following, ...]:
    seen: set[tuple[int, int]] = set()
    followings = []
    for place, row in _records(record, "followings", ""):
        pair = _member(row, "follower", place, members), _member(row, "followee", place, members)
        if pair[0] == pair[1]:
            raise Malformed(f"{place}: member {row['follower']} follows itself")
        if pair in seen:
            raise Malformed(f"{place}: second following from {row['follower']} to {row['followee']}")
        if hidden[pair[0]] or hidden[pair[1]]:
            raise Malformed(f"{place}: an anonymous member follows nobody, and nobody them, in a file")
        seen.add(pair)
        followings.append(Following(*pair, _tags(row, place)))
    return tuple(followings)


class _Twice(Exception):
    """An object has this key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> Record:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise _Twice(next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1))
    return record


def _no_number(name: str) -> None:
    raise Malformed(f"not JSON: {name}")


# Made once, as what writes canonical JSON: a ledger has a million lines.
_read_json = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number).decode


def parse(text: str, what: str = "bundle") -> Record:
    """Read a JSON object, in which no key stands twice and every number is one of JSON. Raises Malformed."""
    if text.startswith("\ufeff"):
        raise Malformed("not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)")
    try:
        record = _read_json(text)
    except _Twice as error:
        raise Malformed(f"not a {what}: an object has the key {json.dumps(error.args[0])} twice") from None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None
    if type(record) is not dict:
        raise Malformed(f'format: should be "crowdvote-{what}"')
    return record


def read_bundle(text: str) -> Bundle:
    """Read a bundle. Raises Malformed."""
    return bundle_of(parse(text))


def bundle_of(record: Record) -> Bundle:
    """Take a bundle's JSON object. Raises Malformed."""
    if record.get("format") != "crowdvote-bundle":
        raise Malformed('format: should be "crowdvote-bundle"')
    version = _take(record, "version", int, "")
    if version not in VERSIONS:
        raise Malformed("version: should be 1 or 2")
    _take(_take(record, "community", dict, ""), "name", str, "community")
    ledger = _take(record, "ledger", dict, "", {})
    _take(ledger, "revision", int, "ledger", 0)
    rows = _records(record, "members", "")
    members = _identifiers(rows, "member")
    roles = [_take(row, "role", str, place, "voter") for place, row in rows]
    for (place, _), role in zip(rows, roles, strict=True):
        if role not in {"voter", "lobbyist"}:
            raise Malformed(f'{place}.role: should be "voter" or "lobbyist"')
    anonymous = [_take(row, "anonymous", bool, place, False) for place, row in rows]
    # Older files tell those followings of anonymous members that count.
    followings = _followings(record, members, anonymous if version > 1 else [False] * len(rows))
    decisions = _records(record, "decisions", "")
    _identifiers(decisions, "decision")
    return Bundle(
        tuple(members),
        tuple(role == "voter" for role in roles),
        tuple(anonymous),
        followings,
        tuple(_decision(row, place, members, anonymous, version) for place, row in decisions),
        _numbers(record, members, anonymous),
        _checkpoint(record["checkpoint"], "checkpoint") if "checkpoint" in record else None,
        record,
    )


def _numbers(record: Record, members: dict[str, int], anonymous: Sequence[bool]) -> dict[int, int]:
    numbers: dict[int, int] = {}
    known: set[int] = set()
    for place, row in _records(record, "ledger_members", "") if "ledger_members" in record else ():
        member, number = _member(row, "member", place, members), _take(row, "membership", int, place)
        if number in numbers or member in known or anonymous[member]:
            raise Malformed(f"{place}: should be another number for each member who bears a name")
        numbers[number] = member
        known.add(member)
    return numbers


def _checkpoint(record: object, place: str) -> Checkpoint:
    row = _expect(record, dict, place)
    texts = [_take(row, key, str, place) for key in ("hash", "time", "key", "signature")]
    return Checkpoint(place, _take(row, "community", int, place), _take(row, "revision", int, place), *texts)


class Entry(NamedTuple):
    """A ledger entry; `opened`: salt, content and time, where the file has them; `told`: else its kind, hour and, if
    need be, decision, for which nothing vouches.
    """

    revision: int
    commitment: str
    hash: str
    opened: Record | None
    told: Record


@dataclass(frozen=True)
class Ledger:
    """A community's ledger, as much as its reader may know of it.

    `entries`: read from the file each time, so that they need not be kept; `chain`: what was seen when they were read.
    """

    community: int
    checkpoint: Checkpoint
    entries: Iterable[Entry]
    chain: "Chain"

    def __len__(self) -> int:
        """Return the number of its entries."""
        return len(self.chain.hashes)

    def hash_at(self, revision: int) -> str | None:
        """Return the hash of an entry; None where there is none."""
        if not 0 <= revision <= len(self):
            return None
        return self.chain.hashes[revision - 1] if revision else GENESIS

    def kept(self) -> "KeptLedger":
        """Return it with all its entries at hand."""
        return KeptLedger(self.community, self.checkpoint, tuple(self.entries), self.chain)

    def entry_at(self, revision: int) -> Entry:
        """Return the entry that stands at a revision from 1 on."""
        return next(islice(self.entries, revision - 1, None))


@dataclass(frozen=True)
class KeptLedger(Ledger):
    """A ledger with all its entries at hand, to compare a bundle with them."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Receipt:
    """A voter's receipt for a ballot."""

    entry: Entry
    previous_hash: str
    checkpoint: Checkpoint | None


def _entry(row: Record, place: str) -> Entry:
    opened: Record | None = None
    told: Record = {}
    if "salt" in row:
        content, inside = _take(row, "content", dict, place), _at(place, "content")
        opened = {"salt": _take(row, "salt", str, place), "content": content, "time": _take(row, "time", str, place)}
        for key in ("kind", "subject"):
            _take(content, key, str, inside)
        for key in ("before", "after"):
            if content.get(key) is not None:
                _take(content, key, dict, inside)
    else:
        told = {key: row[key] for key in ("kind", "hour", "decision") if key in row}
    revision = _take(row, "revision", int, place)
    return Entry(revision, _take(row, "commitment", str, place), _take(row, "hash", str, place), opened, told)


class Entries:
    """The entries in the lines of a ledger file, read one after the other whenever they are asked for."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def _rows(self) -> Iterator[tuple[str, str]]:
        """The places of the lines with something in them, and the lines; the first is the ledger's header."""
        return ((f"line {number}", line) for number, line in enumerate(self._lines, start=1) if line.strip())

    def header(self) -> tuple[str, Record]:
        """Return the place of the header, and the header. Raises Malformed."""
        place, first = next(self._rows(), ("line 1", ""))
        return place, parse(first, "ledger")

    def __iter__(self) -> Iterator[Entry]:
        """Read them. Raises Malformed."""
        for place, line in islice(self._rows(), 1, None):
            try:
                yield _entry(parse(line, "ledger"), place)
            except Malformed as error:
                raise Malformed(f"{place}: {error}" if not str(error).startswith(place) else str(error)) from None


def ledger_of(lines: Iterable[str]) -> Ledger:
    """Read a ledger file, an object a line, and check its chain meanwhile. The lines are asked for more than once.

    Raises Malformed.
    """
    entries = Entries(lines)
    place, header = entries.header()
    if _take(header, "version", int, place) != 1:
        raise Malformed(f"{place}.version: should be 1")
    community = _take(_take(header, "community", dict, place), "id", int, _at(place, "community"))
    checkpoint = _checkpoint(header.get("checkpoint"), "checkpoint")
    chain = Chain(community)
    for entry in entries:
        try:
            chain.add(entry)
        except Malformed as error:
            raise Malformed(f"entry {entry.revision}: {error}") from None
    return Ledger(community, checkpoint, entries, chain)


def receipt_of(row: Record) -> Receipt:
    """Take a receipt's JSON object. Raises Malformed."""
    if _take(row, "version", int, "") != 1:
        raise Malformed("version: should be 1")
    checkpoint = _checkpoint(row["checkpoint"], "checkpoint") if "checkpoint" in row else None
    return Receipt(_entry(row, ""), _take(row, "previous_hash", str, ""), checkpoint)


# --- Hashes and signatures --------------------------------------------------------------------------------------------


_in_order = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Record) -> bytes:
    """Write JSON as RFC 8785 does (keys in order, no spaces); there are no fractions in it."""
    return _in_order(value).encode(errors="surrogatepass")


def commitment(opened: Record) -> str:
    """Return what binds an entry's salt, content and time."""
    return hashlib.sha256(canonical(opened)).hexdigest()


def chain_hash(previous: str, revision: int, commitment: str) -> str:
    """Return what binds an entry to all before it."""
    return hashlib.sha256(f"{previous}:{revision}:{commitment}".encode(errors="surrogatepass")).hexdigest()


P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z (RFC 8032, 5.1.4)


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, point: Point) -> Point:
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = _add(total, point)
        point = _add(point, point)
        number >>= 1
    return total


def _same(one: Point, other: Point) -> bool:
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


def _point(data: bytes) -> Point | None:
    """Decode a point (RFC 8032, 5.1.3)."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (not x and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether this is the Ed25519 signature of the message under a public key (RFC 8032, 5.1.7)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    owner, commitment = _point(key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if owner is None or commitment is None or scalar >= ORDER or BASE is None:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return _same(_times(scalar, BASE), _add(commitment, _times(challenge, owner)))


def _is_signed_with(key: str, message: bytes, signature: str) -> bool:
    try:
        return is_signed(bytes.fromhex(key), message, bytes.fromhex(signature))
    except ValueError:
        return False


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
    active, tags = _activate(bundle, ballots, decision.given, bits)
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
        elif member in decision.given:
            staged[member] = decision.given[member]
        elif member in values:
            mask = tags[member]
            if mask not in sets:
                sets[mask] = frozenset(tag for bit, tag in names.items() if bit & mask)
            staged[member] = Staged("inherited", rounded(values[member]), sets[mask])
    return staged


def _activate(
    bundle: Bundle, ballots: dict[int, Ballot], given: Container[int], bits: dict[str, int]
) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Find the active followings, from the cast ballots outwards until nothing is added: the least fixed point.

    Returns the active followees of each inheriting member, and the tags (as bits) of each member that has a ballot.
    """
    followers: dict[int, list[tuple[int, int]]] = {}
    candidates = []
    for following in bundle.followings:
        if following.follower not in ballots and following.follower not in given:
            wanted = sum(bits.get(tag, 0) for tag in following.tags) if following.tags else EVERYTHING
            candidates.append((following.follower, following.followee, wanted))
            followers.setdefault(following.followee, []).append((following.follower, wanted))
    tags = {member: sum(bits[tag] for tag in ballot.tags) for member, ballot in ballots.items() if not ballot.abstain}
    _spread(tags, followers)
    active: dict[int, list[int]] = {}
    for follower, followee, wanted in candidates:
        if followee in tags and (wanted == EVERYTHING or tags[followee] & wanted):
            active.setdefault(follower, []).append(followee)
    return active, tags


def _spread(tags: dict[int, int], followers: dict[int, list[tuple[int, int]]]) -> None:
    """Hand tags (as bits) on to followers, in place, until nobody receives any more."""
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
    followers = [set(positions) for positions in _followers(rows)]
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
    return _substituted(removed, weights, sums)


def _substituted(
    removed: list[tuple[int, Any]], weights: list[dict[int, Any]], sums: list[list[Any]]
) -> list[list[Any]]:
    """Solve for the members that were removed, each with the sum of its weights, the last one first."""
    solutions: list[list[Any]] = [[]] * len(weights)
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
    followed = [len(row.inside) + row.outside for row in rows]
    fixed = [_packed(row, lanes) for row in rows]
    order = [(n, fixed[n], rows[n].inside, (1 << shift) // followed[n]) for n in _outwards(rows)]
    leaving = sum(row.outside for row in rows)
    numbers = [0] * len(rows)
    for _ in range(CHECKS):
        lacking = []  # of each equation by lane: the sum it asks for, less what stands there
        for position, packed, inside, _ in sorted(order):
            total, own = packed + sum(numbers[followee] for followee in inside), numbers[position]
            lacking.append([(total >> place & lane) - followed[position] * (own >> place & lane) for place in lanes])
        off = _bound(lacking, followed, max(own & lane for own in numbers))
        if off is not None and off < CLOSE_TO_HALF >> 8:
            return [Value(tuple(own >> place & lane for place in lanes[1:]), ONE, error + off) for own in numbers]
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


def _packed(row: Row, lanes: list[int]) -> int:
    """Put into lanes all that a member's sum has from outside: 1 per followee in lane 0, its total in the others."""
    packed = (len(row.inside) + row.outside) << 100
    if row.total:
        numerators, denominator, _ = row.total
        packed += sum(number * ONE // denominator << place for number, place in zip(numerators, lanes[1:], strict=True))
    return packed


def _bound(lacking: list[list[int]], followed: list[int], most: int) -> int | None:
    """Bound how far a solution can be off whose equations lack this, by lane; `most` is the largest number in lane 0.

    None where lane 0 is not near enough to prove anything.
    """
    if any(lacks[0] > k << 99 for lacks, k in zip(lacking, followed, strict=True)):
        return None
    steps = 2 * (most >> 100) + 2
    worst = max(max(map(abs, lacks[1:]), default=0) // k for lacks, k in zip(lacking, followed, strict=True)) + 2
    return worst * steps


def _followers(rows: list[Row]) -> list[list[int]]:
    """List the followers of each member of a loop, by position."""
    followers: list[list[int]] = [[] for _ in rows]
    for position, row in enumerate(rows):
        for followee in row.inside:
            followers[followee].append(position)
    return followers


def _outwards(rows: list[Row]) -> list[int]:
    """Order a loop by the distance from where it is left: what is known spreads in one sweep."""
    followers = _followers(rows)
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
        "participation": _participation(bundle, decision, staged, voters),
    }


def _participation(bundle: Bundle, decision: Decision, staged: dict[int, Staged], voters: list[int]) -> Record:
    kinds = Counter(staged[member].kind if member in staged else "none" for member in voters)
    lobbyists = [ballot for member, ballot in decision.ballots.items() if not bundle.voters[member]]
    return {
        "eligible": len(voters),
        **{kind: kinds[kind] for kind in ("cast", "inherited", "abstained", "none")},
        "lobbyists": sum(not ballot.abstain for ballot in lobbyists),
        "counted": kinds["cast"] + kinds["inherited"],
    }


# --- Comparing --------------------------------------------------------------------------------------------------------


def _show(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "..."


class Differences(list[str]):
    """The wrong statements of a file, one line each."""

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
        if closed and _signed_before(bundle, closed):
            differences.append(f"{place}.final: is true, but its checkpoint was signed before the decision closed")


def _signed_before(bundle: Bundle, moment: datetime) -> bool:
    """Whether the site signed the bundle's checkpoint before a moment: what it rests on may have gone on since."""
    signed = _time(bundle.checkpoint.time) if bundle.checkpoint is not None else None
    return signed is not None and signed < moment


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


def _check_lots(differences: Differences, bundle: Bundle, decision: Decision) -> bool:
    """Draw the lots again where the file says from what; returns whether it does."""
    if bundle.record["version"] == 1:
        return _check_older_lots(differences, decision)
    seed = decision.record.get("lot_seed", "")
    if not seed:
        return False
    if not re.fullmatch("[0-9a-f]{64}", seed):
        raise Malformed(f"{decision.place}.lot_seed: should be 64 hexadecimal digits")
    ids = _ledger_ids(decision)
    hashes = [hashlib.sha256(f"{seed}:{number}".encode()).hexdigest() for number in ids]
    for number, lot in enumerate(decision.lots):
        rank = 1 + sum(other < hashes[number] for other in hashes)
        differences.compare(lot, rank, f"{decision.place}.choices[{number}].lot")
    return True


def _ledger_id(decision: Decision) -> object:
    """Return the number of a decision in the ledger."""
    ids = decision.record.get("ledger_ids")
    return ids.get("decision") if isinstance(ids, dict) else None


def _ledger_ids(decision: Decision) -> list[int]:
    """Return the numbers of the choices in the ledger, in their order. Raises Malformed."""
    place = f"{decision.place}.ledger_ids"
    written = _take(_take(decision.record, "ledger_ids", dict, decision.place), "choices", dict, place)
    ids = [_take(written, choice, int, f"{place}.choices") for choice in decision.choices]
    if len(set(ids)) < len(ids) or len(written) > len(ids):
        raise Malformed(f"{place}.choices: should be another number for each choice")
    return ids


def _check_older_lots(differences: Differences, decision: Decision) -> bool:
    """Check the lots of files of version 1, which had no seed."""
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


def question(bundle: Bundle, decision: Decision) -> bytes:
    """Return what the site signs of a decision in a bundle: what people were asked."""
    record, checkpoint = decision.record, bundle.checkpoint
    keys = ("ledger_ids", "title", "description", "clarifications", "lot_seed")
    asked = {key: record[key] for key in keys if key in record}
    choice_keys = ("id", "title", "description", "lot")
    choices = [{key: choice.get(key) for key in choice_keys} for choice in record["choices"]]
    return b"crowdvote-question " + canonical(
        {**asked, "community": checkpoint.community if checkpoint else None, "choices": choices}
    )


def _check_question(differences: Differences, bundle: Bundle, decision: Decision) -> bool:
    """Whether the site signed the question; returns whether the file says so."""
    if bundle.checkpoint is None:
        return False
    signature = decision.record.get("signature", "")
    if not _is_signed_with(bundle.checkpoint.key, question(bundle, decision), signature):
        differences.append(
            f"{decision.place}.signature: not the site's for this question, with these choices, lots and clarifications"
        )
    return True


# --- Ledgers, receipts and checkpoints --------------------------------------------------------------------------------


def check_checkpoint(checkpoint: Checkpoint, key: str = "") -> Differences:
    """Check a checkpoint's signature; `key`: the one it has to be of."""
    differences = Differences()
    vouched = {name: getattr(checkpoint, name) for name in ("community", "revision", "hash", "time")}
    if not _is_signed_with(checkpoint.key, b"crowdvote-checkpoint " + canonical(vouched), checkpoint.signature):
        differences.append(f"{checkpoint.place}.signature: not that of its key for what it says")
    if key and checkpoint.key.lower() != key.lower():
        differences.append(f"{checkpoint.place}.key: the file says {_show(checkpoint.key)}, it should be {_show(key)}")
    return differences


class Hashes:
    """The hashes of a ledger's entries, 32 bytes each."""

    def __init__(self) -> None:
        self._digests = bytearray()
        self._others: dict[int, str] = {}  # what stands in the place of a hash and is none

    def __len__(self) -> int:
        return len(self._digests) // 32

    def __getitem__(self, number: int) -> str:
        """Return the hash of the entry with this number, from 0 on."""
        if number in self._others:
            return self._others[number]
        return self._digests[32 * number : 32 * number + 32].hex()

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def append(self, text: str) -> None:
        """Add the hash that the next entry says that it has."""
        if not _is_hash(text):
            self._others[len(self)] = text
            text = GENESIS
        self._digests += bytes.fromhex(text)


class Chain:
    """The check of a ledger's entries as they are read one after the other.

    Of an entry no more is kept than its hash and, of a ballot's newest, what it left. `opened`: how many are opened;
    `pseudonymous`: those of them that are on ballots without names.
    """

    def __init__(self, community: int) -> None:
        self.hashes = Hashes()
        self.opened = 0
        self.pseudonymous: list[Entry] = []
        self._differences = Differences()
        self._community = community
        self._previous, self._last = GENESIS, ""
        self._ballots: dict[str, tuple[int, str]] = {}  # entry and content, as JSON: a fourth of its memory
        self._closed: dict[str, set[int]] = {}
        self._gaps: list[tuple[int, str, range]] = []

    def add(self, entry: Entry) -> None:
        """Check the next entry. Raises Malformed."""
        number = len(self.hashes) + 1
        if entry.revision != number:
            self._differences.says(f"entry {number}.revision", entry.revision, number)
        expected = chain_hash(self._previous, number, entry.commitment)
        if entry.hash != expected:
            self._differences.says(f"entry {number}.hash", entry.hash, expected)
        self._previous = entry.hash
        self.hashes.append(entry.hash)
        if entry.opened is None:
            self._add_closed(entry, f"entry {number}")
        else:
            self._add_opened(entry, entry.opened, number)

    def _add_closed(self, entry: Entry, place: str) -> None:
        """Look at the hour that is told, within which it is; compared as texts, of which all are written alike."""
        hour = entry.told.get("hour")
        if not isinstance(hour, str) or _time(hour) is None:
            self._differences.append(f"{place}.hour: missing, and the entry is not opened")
        elif hour[:13] < self._last[:13]:
            self._differences.append(f"{place}.hour: earlier than that of an entry before it")
        else:
            self._last = max(self._last, hour)

    def _add_opened(self, entry: Entry, opened: Record, number: int) -> None:
        self.opened += 1
        content, kind = opened["content"], opened["content"]["kind"]
        if entry.commitment != (expected := commitment(opened)):
            self._differences.says(f"entry {number}.commitment", entry.commitment, expected)
        self._differences.compare(content.get("community"), self._community, f"entry {number}.community")
        if opened["time"] < self._last:
            self._differences.append(f"entry {number}.time: earlier than that of an entry before it")
        self._last = opened["time"]
        if kind == "ballot":
            self._add_ballot(content, number, f"entry {number}")
            if _pseudonym(content):
                self.pseudonymous.append(entry)
        elif kind == "moderation":
            _note_closed(self._closed, entry)
            for subject, left in _left_by_moderation(content):
                self._ballots[subject] = number, json.dumps(left)

    def _add_ballot(self, content: Record, number: int, place: str) -> None:
        """Whoever may know one entry on a ballot may know all: it keeps its name or pseudonym."""
        subject = content["subject"]
        known, left = self._ballots.get(subject, (0, "null"))
        if content.get("before") != json.loads(left):
            # But for those with a comment that was hidden, which may be told only later.
            self._gaps.append((len(self._differences), subject, range(known + 1, number)))
            self._differences.append(f"{place}.before: an entry on this ballot is not opened, or there is none")
        self._ballots[subject] = number, json.dumps(content.get("after"))
        _check_caster(self._differences, content, place)

    def differences(self) -> Differences:
        """Return what was found, once all entries were added."""
        excused = {
            at for at, subject, between in self._gaps if any(one in between for one in self._closed.get(subject, ()))
        }
        return Differences(line for at, line in enumerate(self._differences) if at not in excused)


def check_ledger(ledger: Ledger) -> Differences:
    """Check a ledger's chain up to its checkpoint, and every entry that is opened."""
    differences = ledger.chain.differences()
    differences.compare(ledger.checkpoint.community, ledger.community, "checkpoint.community")
    differences.compare(ledger.checkpoint.revision, len(ledger), "checkpoint.revision")
    differences.compare(ledger.checkpoint.hash, ledger.hash_at(len(ledger)), "checkpoint.hash")
    return differences


def _left_by_moderation(content: Record) -> list[tuple[str, Record]]:
    """Return the subject of a moderation with its whole content after it; nothing for other entries."""
    after = content.get("after")
    if content["kind"] != "moderation" or not isinstance(after, dict) or not after.get("leaves"):
        return []
    return [(_take(after, "of", str, "after"), _take(after, "leaves", dict, "after"))]


def _note_closed(closed: dict[str, set[int]], entry: Entry) -> None:
    """Add the entries that a moderation says are closed, since they have a text that was hidden, by subject."""
    content: Record = entry.opened["content"] if entry.opened is not None else {"kind": ""}
    for subject, _ in _left_by_moderation(content):
        numbers = _take(content["after"], "closes", list, "after", [])
        closed.setdefault(subject, set()).update(one for one in numbers if type(one) is int)
        # The entry before hides the text, so it has it, too.
        closed[subject].add(entry.revision - 1)


def _caster(content: Record) -> Record:
    """Return the ballot that an entry is about, as it was cast last: after the change, or before it was withdrawn."""
    ballot: Record = content.get("after") or content.get("before") or {}
    return ballot


def _pseudonym(content: Record) -> str:
    """Return the pseudonym that an entry on a ballot names, the member's id in the bundle; empty if it has a name."""
    ballot = _caster(content)
    return str(ballot.get("pseudonym", "")) if ballot.get("anonymous") else ""


def _check_caster(differences: Differences, content: Record, place: str) -> None:
    """Check that an entry on a ballot says of one member, by number or by pseudonym, that it is theirs."""
    subject = f"ballot:{content.get('decision')}:{content.get('membership')}"
    differences.compare(content["subject"], subject, f"{place}.subject")
    ballot = _caster(content)
    pseudonym = ballot.get("pseudonym")
    if not ballot.get("anonymous"):
        if pseudonym is not None:
            differences.append(f"{place}.pseudonym: {_show(pseudonym)}, for a ballot that bears a name")
    elif not isinstance(pseudonym, str) or not pseudonym:
        differences.append(f"{place}.pseudonym: missing, and the ballot bears no name")


def check_receipt(receipt: Receipt) -> Differences:
    """Check that a receipt opens its own entry."""
    differences = Differences()
    entry = receipt.entry
    if entry.opened is not None:
        differences.compare(entry.commitment, commitment(entry.opened), "commitment")
        differences.compare(entry.opened["content"]["kind"], "ballot", "content.kind")
        _check_caster(differences, entry.opened["content"], "content")
    differences.compare(entry.hash, chain_hash(receipt.previous_hash, entry.revision, entry.commitment), "hash")
    if receipt.checkpoint is not None:
        if entry.revision > receipt.checkpoint.revision:
            differences.append(f"revision: is {entry.revision}, after the checkpoint's {receipt.checkpoint.revision}")
        if entry.opened is not None:
            community = entry.opened["content"].get("community")
            differences.compare(community, receipt.checkpoint.community, "content.community")
    return differences


def check_receipt_at_checkpoint(receipt: Receipt, checkpoint: Checkpoint) -> Differences:
    """Compare a receipt's hashes with a checkpoint of its revision, or of the one before."""
    differences = Differences()
    community = receipt.checkpoint.community if receipt.checkpoint is not None else None
    if receipt.entry.opened is not None:
        community = receipt.entry.opened["content"].get("community")
    hashes = {receipt.entry.revision: receipt.entry.hash, receipt.entry.revision - 1: receipt.previous_hash}
    if checkpoint.community == community and checkpoint.revision in hashes:
        there = hashes[checkpoint.revision]
        differences.compare(there, checkpoint.hash, f"the hash at revision {checkpoint.revision}")
    return differences


def check_receipt_in_ledger(receipt: Receipt, ledger: Ledger) -> Differences:
    """Check that a receipt's entry stands in a ledger."""
    differences = Differences()
    entry = receipt.entry
    if not 0 < entry.revision <= len(ledger):
        differences.append(f"revision: the ledger has {len(ledger)} entries, none with number {entry.revision}")
        return differences
    there = ledger.entry_at(entry.revision)
    for key in ("commitment", "hash"):
        differences.compare(getattr(entry, key), getattr(there, key), key)
    return differences


def check_receipt_in_bundle(receipt: Receipt, bundle: Bundle, decision: Decision) -> tuple[Differences, str]:
    """Check that a receipt's ballot is the one that a bundle counts; with a line for that."""
    differences = Differences()
    assert receipt.entry.opened is not None
    content = receipt.entry.opened["content"]
    pseudonym = _pseudonym(content)
    position = _position(content, bundle)
    member = f"membership {_show(content.get('membership'))}" if not pseudonym else _show(pseudonym)
    if position is not None:
        member = _show(bundle.members[position])
        differences.compare(bundle.anonymous[position], bool(pseudonym), f"members[{position}].anonymous")
    given = decision.ballots.get(position) if position is not None else None
    recorded = _recorded_ballot(content.get("after"), decision)
    if given != recorded:
        differences.append(
            f"{decision.place}.ballots: {member} has {_ballot_words(given)} there, the receipt is for "
            f"{_ballot_words(recorded)}; was it changed since? Then take the newer receipt"
        )
    if position is None or given is None:
        return differences, "this ballot was withdrawn, and is not there"
    if bundle.voters[position] and not given.abstain:
        return differences, "this ballot is counted there"
    return differences, "this ballot stands there and is not counted: " + (
        "it abstains" if given.abstain else "a lobbyist's"
    )


def _position(content: Record, bundle: Bundle) -> int | None:
    """Find the member in a bundle whose ballot an entry is about."""
    if not _caster(content).get("anonymous"):
        return bundle.numbers.get(content.get("membership", 0))
    pseudonym = _pseudonym(content)
    return bundle.members.index(pseudonym) if pseudonym in bundle.members else None


def _recorded_ballot(content: Record | None, decision: Decision) -> Ballot | None:
    """Return the ballot in a ledger entry, with its stars in the order of the bundle's choices."""
    if content is None:
        return None
    stars = content.get("stars", {})
    ids = _ledger_ids(decision)
    abstain = bool(content.get("abstain"))
    tags = frozenset(normal_tag(str(tag)) for tag in content.get("tags", ()))
    return Ballot(tuple(stars.get(str(number), 0) for number in ids), tags, abstain)


def _ballot_words(ballot: Ballot | None) -> str:
    if ballot is None:
        return "no ballot"
    return "an abstention" if ballot.abstain else f"stars {list(ballot.stars)}, tags {_show(sorted(ballot.tags))}"


class Contents(NamedTuple):
    """The last content of each subject at a revision, as a ledger tells it, and the entry that does.

    `untold`: the subjects whose content then nothing tells, since a text of theirs was hidden later, when they had
    changed: of these it is the one that the moderation left.
    """

    last: dict[str, Record | None]
    entries: dict[str, int]
    untold: set[str]


def _contents_at(ledger: KeptLedger, revision: int) -> Contents:
    """Return the last content of each subject at a revision, as far as opened entries tell it.

    What a moderation left of a subject stands in for entries that are closed for it.
    """
    last: dict[str, Record | None] = {}
    known: dict[str, int] = {}
    untold: set[str] = set()
    closed: dict[str, set[int]] = {}
    for entry in ledger.entries:
        _note_closed(closed, entry)
    for entry in ledger.entries:
        if entry.opened is None:
            subject = _subject_told(entry)
            if subject in closed:
                closed[subject].add(entry.revision)
            continue
        content = entry.opened["content"]
        if entry.revision <= revision:
            last[content["subject"]], known[content["subject"]] = content.get("after"), entry.revision
        for subject, left in _left_by_moderation(content):
            since = [one for one in closed[subject] if known.get(subject, 0) < one < entry.revision - 1]
            if entry.revision <= revision:
                last[subject], known[subject] = left, entry.revision
            elif any(one <= revision for one in since):
                last[subject] = left
                if any(one > revision for one in since):
                    untold.add(subject)
                else:
                    known[subject] = entry.revision
    return Contents(last, known, untold)


def _subject_told(entry: Entry) -> str:
    """Return the subject of a closed entry, where its kind and decision tell it; empty for others."""
    kind, decision = entry.told.get("kind"), entry.told.get("decision")
    if kind == "decision" and decision is not None:
        return f"decision:{decision}"
    return "community" if kind == "community" else ""


class Moderations:
    """The texts that operators hid or showed again after a bundle's revision: where its words may be others.

    A bundle that was made before a text was hidden has the text, which no entry tells any more; one that was made
    later has the stand-in, though it may be of an earlier revision.
    """

    def __init__(self, bundle: Bundle, ledger: KeptLedger) -> None:
        revision = bundle.record.get("ledger", {}).get("revision", 0)
        newest: dict[str, Record] = {}
        # Those that are closed themselves, as they left another text that was hidden later: they tell no place.
        self._closed: Counter[object] = Counter()
        latest: datetime | None = None
        for entry in reversed(ledger.entries[revision:]):
            moments = [moment for moment in (_written(entry)[1], latest) if moment is not None]
            latest = min(moments, default=None)
            if entry.opened is not None:
                content = entry.opened["content"]
                if content["kind"] == "moderation":
                    newest.setdefault(content["subject"], content.get("after") or {})
            elif entry.told.get("kind") == "moderation" and (latest is None or self._is_from_before(bundle, latest)):
                self._closed[entry.told.get("decision")] += 1
        self._stand_ins: dict[tuple[object, object], set[object]] = {}
        self._unknown: set[tuple[object, object]] = set()
        for after in newest.values():
            place, hidden = (after.get("of"), after.get("place")), _time(after.get("hidden"))
            self._stand_ins.setdefault(place, set()).add(after.get("stand_in"))
            if after.get("ended") is None and (hidden is None or self._is_from_before(bundle, hidden)):
                self._unknown.add(place)

    @staticmethod
    def _is_from_before(bundle: Bundle, moment: datetime) -> bool:
        return bundle.checkpoint is None or _signed_before(bundle, moment + CLOCKS_DIFFER)

    def excused(self, subject: str, decision: object, given: Words, recorded: Words) -> Words:
        """Return the words that the file has instead of the ledger's, by place, where it may have them.

        `decision`: the number of the decision that the subject belongs to.
        """
        differing = [place for place, words in recorded.items() if given.get(place, words) != words]
        right = [
            place
            for place in differing
            if (subject, place) in self._unknown or given[place] in self._stand_ins.get((subject, place), ())
        ]
        if 0 < len(differing) - len(right) <= self._closed[decision]:
            self._closed[decision] -= len(differing) - len(right)
            right = differing
        return {place: given[place] for place in right}


def check_bundle_in_ledger(bundle: Bundle, ledger: KeptLedger) -> tuple[Differences, str]:
    """Compare a bundle's community, question, members, followings and ballots, as far as they bear names, with a
    ledger's; with a line that says how many.
    """
    differences = Differences()
    at = bundle.record.get("ledger", {}).get("revision", 0)
    there = ledger.hash_at(at)
    if there is None:
        differences.append(f"ledger.revision: the file is of revision {at}, the ledger has {len(ledger)} entries")
        return differences, ""
    differences.compare(bundle.record.get("ledger", {}).get("hash"), there, "ledger.hash")
    contents, moderations = _contents_at(ledger, at), Moderations(bundle, ledger)
    numbers = bundle.numbers
    for position in sorted({*range(len(bundle.members))} - {*numbers.values()}):
        if not bundle.anonymous[position]:
            differences.append(f"members[{position}]: has a name, and no number in ledger_members")
    _compare_community(differences, bundle, ledger, contents, moderations)
    _compare_members(differences, bundle, ledger, contents.last, at)
    followings = _compare_followings(differences, bundle, ledger, contents.last, numbers)
    ballots, hidden = 0, []
    for decision in bundle.decisions:
        _compare_question(differences, decision, contents, moderations)
        _compare_times(differences, bundle, decision, ledger)
        _count_followings(differences, bundle, decision, ledger, contents.last)
        ballots += _compare_ballots(differences, bundle, decision, contents, moderations)
        hidden.append(_count_hidden(differences, bundle, decision, ledger))
    summary = (
        f"question, lots, {len(numbers)} named members, {followings} followings and {ballots} named ballots are the "
        f"ledger's; names of members are not in it; {sum(one.closed for one in hidden)} of its entries on ballots are "
        "closed"
    )
    if ballots_hidden := sum(one.ballots for one in hidden):
        summary += (
            f": {ballots_hidden} ballots are under pseudonyms, and by the entries there can be up to "
            f"{sum(one.most for one in hidden)}; that none is invented or missing, only their owners' receipts show"
        )
    return differences, summary


def _compare_community(
    differences: Differences, bundle: Bundle, ledger: KeptLedger, contents: Contents, moderations: Moderations
) -> None:
    """Compare what the community is called, where its content is told."""
    recorded = contents.last.get("community")
    revision, known = bundle.record.get("ledger", {}).get("revision", 0), contents.entries.get("community", 0)
    closed = any(entry.told.get("kind") == "community" for entry in ledger.entries[known:revision])
    if recorded is None or closed or "community" in contents.untold:
        return
    keys = ("name", "description", "visibility")
    given = {key: bundle.record["community"][key] for key in keys if key in bundle.record["community"]}
    there = {key: recorded.get(key) for key in keys}
    there |= moderations.excused("community", None, given, there)
    for key, words in given.items():
        if words != there[key]:
            differences.append(f"community.{key}: the file says {_show(words)}, the ledger {_show(there[key])}")


def _number(text: str) -> int:
    """Read the number in a subject. Raises Malformed."""
    if not re.fullmatch("[0-9]{1,18}", text):
        raise Malformed(f"a subject in the ledger has {_show(text)} for a number")
    return int(text)


def _compare_members(
    differences: Differences, bundle: Bundle, ledger: KeptLedger, contents: dict[str, Record | None], revision: int
) -> None:
    """Compare those who bear names, and how many there can be whom the ledger does not name."""
    known: set[int] = set()
    missing: list[int] = []
    for subject, content in contents.items():
        kind, _, text = subject.partition(":")
        if kind != "membership" or content is None:
            continue
        number = _number(text)
        known.add(number)
        position = bundle.numbers.get(number)
        if position is None:
            if content.get("active"):
                missing.append(number)
        elif not content.get("active"):
            differences.append(f"members[{position}]: had left, says the ledger")
        else:
            role = "voter" if bundle.voters[position] else "lobbyist"
            differences.compare(role, content.get("role"), f"members[{position}].role")
    # Whoever was anonymous once may be in the file under a pseudonym; nobody else.
    once_anonymous = _once_anonymous(ledger)
    pseudonyms = sum(bundle.anonymous)
    if (gone := [number for number in missing if number not in once_anonymous]) or len(missing) > pseudonyms:
        names = ", ".join(map(str, (gone or missing)[:SHOWN]))
        differences.append(f"members: missing are the memberships {names} of the ledger")
    closed = sum(entry.told.get("kind") == "membership" for entry in ledger.entries[:revision])
    unnamed = pseudonyms + len(bundle.numbers.keys() - known)
    most = closed + len(once_anonymous & known - bundle.numbers.keys())
    if unnamed > most:
        differences.append(f"members: {unnamed} are not named in the ledger, which has room for {most} such")


def _once_anonymous(ledger: KeptLedger) -> set[int]:
    """Return the members who were anonymous at some time, as far as the ledger is opened."""
    found = set()
    for entry in ledger.entries:
        if entry.opened is not None and entry.opened["content"]["kind"] == "membership":
            content = entry.opened["content"]
            if any((content.get(key) or {}).get("anonymous") for key in ("before", "after")):
                found.add(_number(content["subject"].partition(":")[2]))
    return found


def _compare_followings(
    differences: Differences,
    bundle: Bundle,
    ledger: KeptLedger,
    contents: dict[str, Record | None],
    numbers: dict[int, int],
) -> int:
    """Compare the followings between members with names; return how many there are.

    Of somebody who has been anonymous the ledger may be closed where the file speaks, and the other way round.
    """
    recorded = {}
    for subject, content in contents.items():
        kind, *ends = subject.split(":")
        if kind == "following" and content is not None:
            pair = numbers.get(_number(ends[0])), numbers.get(_number(ends[-1]))
            if None not in pair:
                recorded[pair] = frozenset(normal_tag(str(tag)) for tag in content.get("tags", ()))
    unnamed = {numbers.get(number) for number in _ever_anonymous(ledger)}
    known = {position for number, position in numbers.items() if f"membership:{number}" in contents} - unnamed
    for number, following in enumerate(bundle.followings):
        pair = following.follower, following.followee
        if pair in recorded:
            if recorded.pop(pair) != following.tags:
                differences.append(f"followings[{number}].tags: the ledger has others")
        elif known.issuperset(pair):
            differences.append(f"followings[{number}]: not in the ledger")
    for follower, followee in recorded:
        if follower is not None and followee is not None and follower not in unnamed:
            names = _show(bundle.members[follower]), _show(bundle.members[followee])
            differences.append(f"followings: missing is the ledger's from {names[0]} to {names[1]}")
    return len(bundle.followings)


def _ever_anonymous(ledger: KeptLedger) -> set[int]:
    """Find the memberships of which some opened entry says that they were anonymous."""
    contents = [entry.opened["content"] for entry in ledger.entries if entry.opened is not None]
    return {
        _number(content["subject"].partition(":")[2])
        for content in contents
        if content.get("kind") == "membership"
        and any((content.get(when) or {}).get("anonymous") for when in ("before", "after"))
    }


def _compare_question(
    differences: Differences, decision: Decision, contents: Contents, moderations: Moderations
) -> None:
    record, place, number = decision.record, decision.place, _ledger_id(decision)
    subject = f"decision:{number}"
    if contents.last.get(subject) is None:
        differences.append(f"{place}.ledger_ids: the ledger opens no decision {_show(number)}")
        return
    recorded: Record = copy.deepcopy(contents.last[subject] or {})
    asked = ["title", "description", "clarifications", "lot_seed", "topics", "called_off"]
    if subject in contents.untold:
        # It may have been clarified or called off since, and before the first vote it may have got other words.
        recorded["clarifications"] = recorded.get("clarifications", [])[: len(record.get("clarifications", []))]
        asked = ["title", "description", "clarifications", "lot_seed"] if decision.ballots else ["lot_seed"]
    parts = _texts(recorded, [(row.get("id"), row) for row in recorded.get("choices", [])])
    words = {at: part.get(key) or "" for at, (part, key) in parts.items()}
    given = _texts(record, zip(_ledger_ids(decision), record["choices"], strict=True))
    said = {at: part.get(key) or "" for at, (part, key) in given.items()}
    for at, text in moderations.excused(subject, number, said, words).items():
        part, key = parts[at]
        part[key] = text
    # Both leave out what there is not: older ledgers know no topics.
    empty: Record = {"clarifications": [], "topics": [], "called_off": None}
    for key in asked:
        default: object = empty.get(key, "")
        if (one := record.get(key, default)) != (other := recorded.get(key, default)):
            differences.append(f"{_at(place, key)}: the file says {_show(one)}, the ledger {_show(other)}")
    rows = zip(_ledger_ids(decision), record["choices"], strict=True)
    keys = ("title", "description", "lot")
    given_choices = [[number, *(row.get(key) or "" for key in keys)] for number, row in rows]
    choices = [[row.get("id"), *(row.get(key) or "" for key in keys)] for row in recorded.get("choices", [])]
    if given_choices != choices:
        differences.append(
            f"{_at(place, 'choices')}: number, title, description or lot of one is not as the ledger has it: "
            f"{_show(given_choices)}; {_show(choices)}"
        )


def _texts(record: Record, choices: Iterable[tuple[object, Record]]) -> dict[str, tuple[Record, str]]:
    """Return the part of a question that has a text, and its key there, by the text's place."""
    found: dict[str, tuple[Any, str]] = {"title": (record, "title"), "description": (record, "description")}
    for number, row in choices:
        found |= {f"choice:{number}:{key}": (row, key) for key in ("title", "description")}
    for number, row in enumerate(record.get("clarifications") or [], start=1):
        found[f"clarification:{number}"] = row, "text"
    found["called_off"] = record.get("called_off"), "reason"
    return {place: (part, key) for place, (part, key) in found.items() if isinstance(part, dict)}


def _wordings(decision: Decision, ledger: KeptLedger) -> list[Record]:
    """Return all that the ledger says of a decision, one after the other."""
    subject = f"decision:{_ledger_id(decision)}"
    opened = [entry.opened["content"] for entry in ledger.entries if entry.opened is not None]
    told = [
        one for content in opened for one in ((content["subject"], content.get("after")), *_left_by_moderation(content))
    ]
    return [after for about, after in told if about == subject and after is not None]


def _compare_times(differences: Differences, bundle: Bundle, decision: Decision, ledger: KeptLedger) -> None:
    """Compare when voting opens and closes with the ledger, and a final result's revision with the last before."""
    record, recorded = decision.record, _wordings(decision, ledger)
    # The closing may have moved since the file was made, or since its result was calculated.
    for key in ("opens_at", "closes_at"):
        if _time(record.get(key)) not in {_time(one.get(key)) for one in recorded}:
            differences.append(f"{_at(decision.place, key)}: the file says {_show(record.get(key))}, the ledger never")
    if record.get("results_visibility") not in {one.get("results_visibility") for one in recorded}:
        said = _show(record.get("results_visibility"))
        differences.append(f"{_at(decision.place, 'results_visibility')}: the file says {said}, the ledger never")
    closes_at = _time(recorded[-1].get("closes_at")) if recorded else None
    if closes_at is None or called_off(record) or record["result"].get("final") is not True:
        return
    place = f"{decision.place}.result.final"
    if _time(record.get("closes_at")) != closes_at:
        differences.append(f"{place}: is true, but by the ledger the decision closes at {closes_at.isoformat()}")
    if _signed_before(bundle, closes_at):
        differences.append(f"{place}: is true, but its checkpoint was signed before the closing that the ledger names")
    within, left_out, _ = _around_closing(bundle, decision, ledger, closes_at)
    if within is not None:
        differences.append(f"{place}: entry {within.revision} is from after the closing, and in it")
    if left_out is not None:
        differences.append(f"{place}: entry {left_out.revision} is from before the closing, and not in it")


def _around_closing(
    bundle: Bundle, decision: Decision, ledger: KeptLedger, closes_at: datetime
) -> tuple[Entry | None, Entry | None, int]:
    """Return an entry in a final result that is surely from after the closing, one not in it that is surely from before
    it, and how many closed entries there are that can bear on the result and may be from before or after.
    """
    revision = bundle.record.get("ledger", {}).get("revision", 0)
    within = None
    for entry in ledger.entries[:revision][-1:]:
        earliest, _ = _written(entry)
        within = entry if earliest is not None and earliest >= closes_at else None
    unsure = 0
    for entry in ledger.entries[revision:]:
        earliest, latest = _written(entry)
        if earliest is None or latest is None:
            continue
        if earliest >= closes_at:
            break  # and so are all after it
        if latest < closes_at:
            return within, entry, unsure
        bears = entry.told.get("kind") in {"ballot", "membership", "following"}
        unsure += bears and entry.told.get("decision") in {None, _ledger_id(decision)}
    return within, None, unsure


def _written(entry: Entry) -> tuple[datetime | None, datetime | None]:
    """Return the earliest and the latest moment at which an entry was written: of a closed one, its hour is told."""
    if entry.opened is not None:
        time = _time(entry.opened["time"])
        return time, time
    hour = _time(entry.told.get("hour"))
    return hour, None if hour is None else hour + timedelta(hours=1, microseconds=-1)


class Hidden(NamedTuple):
    """Of a decision: the ballots under pseudonyms in a bundle, the ledger's closed entries on ballots, and how many
    such ballots these entries can be at most.
    """

    ballots: int
    closed: int
    most: int


def _count_hidden(differences: Differences, bundle: Bundle, decision: Decision, ledger: KeptLedger) -> Hidden:
    """Compare the number of ballots under pseudonyms with the entries on such.

    Entries that nothing opens may be one ballot each. Those that are opened tell which are one member's, and that
    one before them is, too, which nothing opens.
    """
    number = _ledger_id(decision)
    closed = unopened = 0
    newest: dict[str, Record | None] = {}
    for entry in ledger.entries[: bundle.record.get("ledger", {}).get("revision", 0)]:
        # Where the ledger was written before the decision showed its ballots, it tells of none in which decision.
        told = entry.told.get("kind") == "ballot" and entry.told.get("decision") in {None, number}
        closed += told
        if entry.opened is None:
            unopened += told
            continue
        content = entry.opened["content"]
        if content["kind"] == "ballot" and content.get("decision") == number and _caster(content).get("anonymous"):
            unopened -= content.get("before") != newest.get(content["subject"])
            newest[content["subject"]] = content.get("after")
    most = max(unopened, 0) + sum(ballot is not None for ballot in newest.values())
    ballots = sum(bundle.anonymous[position] for position in decision.ballots)
    if ballots > most:
        differences.append(
            f"{decision.place}.ballots: {ballots} under pseudonyms, by the ledger's entries there are at most {most}"
        )
    return Hidden(ballots, closed, most)


def _count_followings(
    differences: Differences, bundle: Bundle, decision: Decision, ledger: KeptLedger, contents: dict[str, Record | None]
) -> None:
    """Compare the number of given ballots with that of the followings that no file tells: each rests on one at least,
    unless it rests on another that bears a name.
    """
    followed = _active_followees(bundle, decision, decision.given)
    hidden = sum(bundle.anonymous[member] for member in decision.given)
    named = [member for member in decision.given if not bundle.anonymous[member]]
    first = sum(member not in followed for member in named)
    needed = hidden + max(first, bool(named))
    room = sum(
        entry.opened is None and entry.told.get("kind") == "following"
        for entry in ledger.entries[: bundle.record.get("ledger", {}).get("revision", 0)]
    )
    for subject, content in contents.items():
        kind, *ends = subject.split(":")
        if kind == "following" and content is not None:
            room += not bundle.numbers.keys() >= {_number(end) for end in ends}
    if needed > room:
        differences.append(
            f"{decision.place}.staged: {needed} followings at least are needed for what is given, the ledger has room "
            f"for {room}"
        )


def _compare_ballots(
    differences: Differences, bundle: Bundle, decision: Decision, contents: Contents, moderations: Moderations
) -> int:
    """Compare the ballots that bear names, with their comments, and those whose pseudonyms are opened; return how many
    bear names.
    """
    prefix = f"ballot:{_ledger_id(decision)}:"
    recorded = {}
    for subject, content in contents.last.items():
        if not subject.startswith(prefix) or content is None:
            continue
        if not content.get("anonymous"):
            recorded[_number(subject.removeprefix(prefix))] = content
        else:
            _compare_hidden(differences, bundle, decision, content)
    numbers = bundle.numbers
    positions = {position: number for number, position in numbers.items()}
    named = 0
    for (position, ballot), row in zip(decision.ballots.items(), decision.record["ballots"], strict=True):
        if position not in positions:
            continue
        number = positions[position]
        subject, content = f"{prefix}{number}", recorded.pop(number, None)
        if subject in contents.untold:
            continue
        named += 1
        expected = _recorded_ballot(content, decision)
        name = _show(bundle.members[position])
        if ballot != expected:
            differences.append(
                f"{decision.place}.ballots: {name} has {_ballot_words(ballot)}, the ledger {_ballot_words(expected)}"
            )
            continue
        said, comment = row.get("comment", ""), (content or {}).get("comment", "")
        moderated = moderations.excused(subject, _ledger_id(decision), {"comment": said}, {"comment": comment})
        if content is not None and said != moderated.get("comment", comment):
            differences.append(
                f"{decision.place}.ballots: {name} has the comment {_show(said)}, the ledger {_show(comment)}"
            )
    for number in recorded:
        member = contents.last.get(f"membership:{number}")
        if f"{prefix}{number}" not in contents.untold and (
            number in numbers or (member is not None and member.get("active"))
        ):
            differences.append(f"{decision.place}.ballots: missing is that of membership {number} in the ledger")
    return named


def _compare_hidden(differences: Differences, bundle: Bundle, decision: Decision, content: Record) -> None:
    """Compare a ballot under a pseudonym that a ledger or receipt opens."""
    position = _position({"after": content}, bundle)
    given = decision.ballots.get(position) if position is not None and bundle.anonymous[position] else None
    if given != (expected := _recorded_ballot(content, decision)):
        differences.append(
            f"{decision.place}.ballots: {_show(content.get('pseudonym'))} has {_ballot_words(given)}, the ledger "
            f"{_ballot_words(expected)}, unless a closed entry changed it"
        )


def unsure_of_closing(bundle: Bundle, ledger: KeptLedger) -> int:
    """Count the closed entries that a final result leaves out and that may be from before its closing."""
    unsure = 0
    for decision in bundle.decisions:
        recorded = _wordings(decision, ledger)
        closes_at = _time(recorded[-1].get("closes_at")) if recorded else None
        if closes_at is not None and (decision.record.get("result") or {}).get("final") is True:
            unsure += _around_closing(bundle, decision, ledger, closes_at)[2]
    return unsure


def check_bundle_at_checkpoint(bundle: Bundle, checkpoint: Checkpoint) -> Differences:
    """Look whether the ledger had gone on after a final result's revision, and voting was still open."""
    differences = Differences()
    revision, signed = bundle.record.get("ledger", {}).get("revision", 0), _time(checkpoint.time)
    if bundle.checkpoint is None or checkpoint.community != bundle.checkpoint.community or signed is None:
        return differences
    for decision in bundle.decisions:
        closes_at = _time(decision.record.get("closes_at"))
        final = (decision.record.get("result") or {}).get("final") is True
        if final and closes_at and checkpoint.revision > revision and signed < closes_at - CLOCKS_DIFFER:
            differences.append(
                f"{decision.place}.result.final: it is of revision {revision}, and before the closing there were "
                f"{checkpoint.revision} entries"
            )
    return differences


def check_pseudonyms(entries: Iterable[tuple[str, Entry]]) -> Differences:
    """Look whether two members' ballots bear one pseudonym: then one of them is not in the result, whatever its
    receipt says.
    """
    differences = Differences()
    casters: dict[tuple[object, object, str], tuple[str, Entry]] = {}
    for name, entry in entries:
        content = entry.opened["content"] if entry.opened is not None else {}
        if content.get("kind") != "ballot" or not (pseudonym := _pseudonym(content)):
            continue
        other_name, other = casters.setdefault(
            (content.get("community"), content.get("decision"), pseudonym), (name, entry)
        )
        if other.opened is not None and other.opened["content"]["subject"] != content["subject"]:
            differences.append(
                f"{_show(pseudonym)} is one member's in entry {other.revision} of {other_name}, and another's in entry "
                f"{entry.revision} of {name}"
            )
    return differences


def check_checkpoints(one: Checkpoint, other: Checkpoint) -> Differences:
    """Compare what can be compared of two checkpoints alone: those of one revision."""
    differences = Differences()
    if one.community == other.community and one.revision == other.revision:
        differences.compare(one.hash, other.hash, f"checkpoint at revision {one.revision}")
    return differences


def check_checkpoint_in_ledger(checkpoint: Checkpoint, ledger: Ledger) -> Differences:
    """Check that a checkpoint's history is a ledger's."""
    differences = Differences()
    there = ledger.hash_at(checkpoint.revision)
    if there is not None:
        differences.compare(checkpoint.hash, there, f"{checkpoint.place} at revision {checkpoint.revision}")
    elif checkpoint.time < ledger.checkpoint.time:
        differences.append(
            f"{checkpoint.place}: it vouches for {checkpoint.revision} entries; the ledger, signed later, has "
            f"{len(ledger)}"
        )
    return differences


def check_ledgers(one: Ledger, other: Ledger) -> Differences:
    """Check that one ledger goes on from the other."""
    differences = Differences()
    for revision, (mine, theirs) in enumerate(zip(one.chain.hashes, other.chain.hashes, strict=False), start=1):
        if mine != theirs:
            differences.append(f"entry {one.entry_at(revision).revision}: the two have another history from here on")
            break
    return differences


# --- The command ------------------------------------------------------------------------------------------------------


def verify(bundle: Bundle, decision: Decision) -> tuple[Differences, str]:
    """Compare a decision's `result` and `staged` with what is calculated: the differences, and a line for none.

    Raises Malformed where either is missing, unless the decision was called off.
    """
    if called_off(decision.record):
        return _verify_called_off(bundle, decision)
    for key in ("result", "staged"):
        if key not in decision.record:
            raise Malformed(
                f"{decision.place}.{key}: missing, nothing to verify (--calculate prints what it should be)"
            )
    staged = stage(bundle, decision)
    calculated = tally(bundle, decision, staged)
    differences = Differences()
    drawn = _check_lots(differences, bundle, decision)
    signed = _check_question(differences, bundle, decision)
    _compare_result(differences, bundle, decision, calculated)
    _compare_staged(differences, bundle, decision, staged)
    _check_given(differences, bundle, decision, staged)
    _check_origin(differences, bundle, decision)
    people = calculated["participation"]
    winner = (
        f"winner {calculated['winner']}" if calculated["winner"] is not None else f"no winner ({calculated['reason']})"
    )
    notes = [f"{winner}; {people['counted']} ballots counted ({people['cast']} cast, {people['inherited']} inherited)"]
    notes.append(f"{len(decision.record['staged']) - len(decision.given)} staged ballots checked")
    if decision.given:
        hidden = sum(bundle.anonymous[member] for member in decision.given)
        others = len(decision.given) - hidden
        notes.append(
            f"{len(decision.given)} taken as given: {hidden} of anonymous members, {others} that rest on theirs"
        )
    notes.append(f"lots {'drawn again' if drawn else 'taken as given'}")
    notes.append("question signed" if signed else "question, titles and numbers of the choices not signed by a site")
    return differences, "; ".join(notes)


def _verify_called_off(bundle: Bundle, decision: Decision) -> tuple[Differences, str]:
    """Check what a decision that was called off says of its lots, its question and its file."""
    differences = Differences()
    drawn = _check_lots(differences, bundle, decision)
    signed = _check_question(differences, bundle, decision)
    _check_origin(differences, bundle, decision)
    if decision.record.get("status") != "called_off":
        differences.append(f"{decision.place}.status: should be called_off, is {_show(decision.record.get('status'))}")
    notes = ["called off, so that there is no result to calculate", f"{len(decision.ballots)} ballots kept"]
    notes.append(f"lots {'drawn again' if drawn else 'taken as given'}")
    notes.append("question signed" if signed else "question, titles and numbers of the choices not signed by a site")
    return differences, "; ".join(notes)


def _check_given(differences: Differences, bundle: Bundle, decision: Decision, staged: dict[int, Staged]) -> None:
    """Look whether given ballots that bear names can be what is said: means of those whom their owners follow by name
    and of pseudonyms that inherit. Each rests on one of these, or on others that do: in a loop, too, somebody has to.
    """
    hidden = [ballot.microstars for member, ballot in decision.given.items() if bundle.anonymous[member]]
    in_order = [sorted(row[place] for row in hidden) for place in range(len(decision.choices))]
    followed = _active_followees(bundle, decision, staged)

    def misfits(member: int, fewest: int) -> list[str]:
        """Say what contradicts that a ballot rests on at least so many pseudonyms."""
        named = [staged[followee].microstars for followee in followed.get(member, ())]
        found = []
        for place, stars in enumerate(decision.given[member].microstars):
            means = _range_of_means([row[place] for row in named], in_order[place], fewest)
            if means is None:
                return ["a ballot, and nobody on whom it can rest"]
            # What is staged is rounded.
            if not means[0] - 1 <= stars <= means[1] + 1:
                between = f"{math.floor(means[0])} and {math.ceil(means[1])}"
                found.append(
                    f"{stars} for {_show(decision.choices[place])}; those on whom it can rest: between {between}"
                )
        return found

    given = [member for member in decision.given if not bundle.anonymous[member]]
    followers: dict[int, list[int]] = {}
    for follower, followees in followed.items():
        for followee in followees:
            followers.setdefault(followee, []).append(follower)
    reaching = [member for member in given if not misfits(member, 1)]
    reached = set(reaching)
    for member in reaching:
        for follower in followers.get(member, ()):
            if follower in decision.given and follower not in reached:
                reached.add(follower)
                reaching.append(follower)
    for member in given:
        rests_on_given = not decision.given.keys().isdisjoint(followed.get(member, ()))
        found = misfits(member, 0 if rests_on_given else 1)
        if not found and member not in reached:
            found = ["a ballot that rests on none of a pseudonym, nor do those whom its owner follows"]
        differences += [f"{decision.place}.staged: {_show(bundle.members[member])} is given {one}" for one in found]
        # It hands nothing on here, so nobody may be cut off from it.
        differences += [
            f"{decision.place}.staged: {_show(bundle.members[follower])} is given no ballot, and follows "
            f"{_show(bundle.members[member])}, who is"
            for follower in followers.get(member, ())
            if follower not in decision.given
        ]


def _active_followees(bundle: Bundle, decision: Decision, staged: dict[int, Staged]) -> dict[int, list[int]]:
    """Return whom each member without a cast ballot actively follows by name, those who are given included."""
    followed: dict[int, list[int]] = {}
    if decision.given:
        for following in bundle.followings:
            if following.follower not in decision.ballots and _is_active(following, staged):
                followed.setdefault(following.follower, []).append(following.followee)
    return followed


def _is_active(following: Following, staged: dict[int, Staged]) -> bool:
    followee = staged.get(following.followee)
    if followee is None or followee.kind == "abstained":
        return False
    return not following.tags or not followee.tags.isdisjoint(following.tags)


def _range_of_means(all_of: list[int], some_of: list[int], fewest: int) -> tuple[Fraction, Fraction] | None:
    """Return the least and the largest mean of all of the first numbers and of at least so many of the others.

    The others are in order. None where there is no mean.
    """
    if len(some_of) < fewest or not all_of + some_of:
        return None
    means = []
    for others, sign in ((some_of, 1), (some_of[::-1], -1)):
        total, count = sum(all_of), len(all_of)
        for number in others:
            if count >= max(1, len(all_of) + fewest) and sign * number * count >= sign * total:
                break
            total, count = total + number, count + 1
        means.append(Fraction(total, count))
    return means[0], means[1]


def _check_origin(differences: Differences, bundle: Bundle, decision: Decision) -> None:
    """Note a checkpoint that is of another moment than the file, and who votes under a pseudonym and is no voter."""
    checkpoint = bundle.checkpoint
    if checkpoint is not None and "ledger" in bundle.record:
        vouched = {"revision": checkpoint.revision, "hash": checkpoint.hash}
        differences.compare(bundle.record["ledger"], vouched, "ledger")
    for member, row in zip(decision.ballots, decision.record["ballots"], strict=True):
        if bundle.anonymous[member] and not bundle.voters[member]:
            differences.append(
                f"{decision.place}.ballots: {_show(bundle.members[member])} is no voter under a pseudonym"
            )
        if bundle.anonymous[member] and row.get("comment") and bundle.record["version"] > 1:
            differences.append(
                f"{decision.place}.ballots: {_show(bundle.members[member])} has a comment under a pseudonym"
            )


def calculate(bundle: Bundle, decision: Decision) -> Record:
    """Return a decision's id with the `result` and `staged` a bundle should have for it.

    `revision` and `final` can't be calculated: they are the file's own, else the ledger's revision and false.
    """
    staged = stage(bundle, decision)
    given: Record = decision.record.get("result") or {}
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


def plain(text: str) -> str:
    """Write what a file says so that a terminal shows it and does nothing else."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _say(line: str) -> None:
    sys.stdout.write(plain(line) + "\n")


def _complain(line: str) -> None:
    sys.stderr.write(plain(line) + "\n")


Content = Bundle | Ledger | Receipt | Checkpoint | str  # a text is a hash to look for


@dataclass(frozen=True)
class Document:
    """A file and what is in it."""

    name: str
    content: Content

    def checkpoints(self) -> Iterator[Checkpoint]:
        """The checkpoints that stand in it."""
        if isinstance(self.content, Checkpoint):
            yield self.content
        elif isinstance(self.content, Bundle | Ledger | Receipt) and self.content.checkpoint is not None:
            yield self.content.checkpoint


class Lines:
    """The lines of a file, from the first whenever they are asked for."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[str]:
        """Read them. Raises UnicodeDecodeError."""
        self._file.seek(0)
        return (line.removesuffix("\n") for line in self._file)


def _opened(name: str, files: ExitStack) -> TextIO:
    """Open a file; what comes through a pipe, which can't be read twice, is written down first. Raises OSError."""
    source = sys.stdin.buffer if name == "-" else files.enter_context(Path(name).open("rb"))  # noqa: SIM115
    if name == "-" or not source.seekable():
        copied = files.enter_context(TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(source, copied)
        source = copied
    return files.enter_context(TextIOWrapper(source, encoding="utf-8-sig", newline="\n"))


def read(name: str, files: ExitStack) -> Document:
    """Read a file by what it says that it is. Raises OSError, UnicodeDecodeError, Malformed.

    `files`: keeps ledgers open, which are read again when something is compared with them.
    """
    if re.fullmatch("[0-9a-fA-F]{64}", name) and not Path(name).exists():
        return Document(name, name.lower())
    file = _opened(name, files)
    lines = Lines(file)
    first = next(iter(lines), "")
    try:
        if '"crowdvote-ledger"' in first and parse(first).get("format") == "crowdvote-ledger":
            return Document(name, ledger_of(lines))
    except Malformed:
        for _ in lines:  # what is no text at all is said to be none
            pass
        raise
    file.seek(0)
    record = parse(file.read())
    match record.get("format"):
        case "crowdvote-receipt":
            return Document(name, receipt_of(record))
        case "crowdvote-checkpoint":
            return Document(name, _checkpoint(record, "checkpoint"))
        case "crowdvote-ledger":
            raise Malformed("a ledger file has an object a line")
        case _:
            return Document(name, bundle_of(record))


class Run:
    """One call of the command: says what agrees and what differs."""

    def __init__(self, documents: Sequence[Document], key: str) -> None:
        self.documents = documents
        self.key = key
        self.code = 0

    def _of(self, kind: type[Kind]) -> list[tuple[str, Kind]]:
        return [(one.name, one.content) for one in self.documents if isinstance(one.content, kind)]

    def report(self, what: str, differences: Differences, summary: str) -> None:
        """Say whether something agrees."""
        if not differences:
            if summary:
                _say(f"OK {what}: {summary}")
            return
        self.code = max(self.code, 1)
        _say(f"DIFFERS {what}: {len(differences)} differences")
        for line in differences[:SHOWN]:
            _say(f"  {line}")
        if len(differences) > SHOWN:
            _say(f"  ... and {len(differences) - SHOWN} more")

    def _compared(self, what: str, compare: Callable[[], tuple[Differences, str]]) -> None:
        """Report a comparison with contents of entries, in which a forger may have written anything."""
        try:
            self.report(what, *compare())
        except (Malformed, AttributeError, TypeError, ValueError) as error:
            self.report(what, Differences([f"can't be compared: {error}"]), "")

    def everything(self) -> int:
        """Check every file, and each against every other. Returns the exit code."""
        for name, bundle in self._of(Bundle):
            try:
                self._bundle(name, bundle)
            except Malformed as error:
                _complain(f"{name}: {error}")
                self.code = 2
        for name, ledger in self._of(Ledger):
            summary = f"{len(ledger)} entries, chained; {ledger.chain.opened} of them opened, each as it was committed"
            self.report(name, check_ledger(ledger), summary)
        for name, receipt in self._of(Receipt):
            state = "opens" if receipt.entry.opened else "is named, not opened"
            self.report(name, check_receipt(receipt), f"entry {receipt.entry.revision} {state}")
        self._signatures()
        self._against_ledgers()
        self._casters()
        self._receipts_in_bundles()
        return self.code

    def _bundle(self, name: str, bundle: Bundle) -> None:
        if not bundle.decisions:
            raise Malformed("decisions: empty, nothing to verify")
        for decision in bundle.decisions:
            differences, summary = verify(bundle, decision)
            self.report(f"{name} {decision.place} {decision.id}", differences, summary)

    def _signatures(self) -> None:
        everyone = [(one.name, checkpoint) for one in self.documents for checkpoint in one.checkpoints()]
        for document in self.documents if self.key else ():
            if isinstance(document.content, Bundle | Ledger | Receipt) and document.content.checkpoint is None:
                missing = Differences(["checkpoint: missing, so that nothing in it is signed with that key"])
                self.report(f"{document.name} checkpoint", missing, "")
        for name, checkpoint in everyone:
            summary = (
                f"signed at {checkpoint.time} for community {checkpoint.community} at revision {checkpoint.revision} "
                f"with key {checkpoint.key}"
            )
            self.report(f"{name} checkpoint", check_checkpoint(checkpoint, self.key), summary)
        for number, (name, one) in enumerate(everyone):
            for other_name, other in everyone[:number]:
                self.report(f"{name} and {other_name}", check_checkpoints(one, other), "")
        for receipt_name, receipt in self._of(Receipt):
            for name, checkpoint in everyone:
                found = check_receipt_at_checkpoint(receipt, checkpoint)
                self.report(f"{receipt_name} at the checkpoint of {name}", found, "")
        for bundle_name, bundle in self._of(Bundle):
            for name, checkpoint in everyone:
                found = check_bundle_at_checkpoint(bundle, checkpoint)
                self.report(f"{bundle_name} at the checkpoint of {name}", found, "")
        if everyone and not self.key:
            keys = {checkpoint.key for _, checkpoint in everyone}
            if len(keys) > 1:
                self.code = max(self.code, 1)
                _say(f"DIFFERS the files are signed with {len(keys)} different keys")
            else:
                _say("NOTE is this the site's key? Compare it with the one that it shows, or give that with --key")

    def _against_ledgers(self) -> None:
        ledgers = self._of(Ledger)
        for number, (name, ledger) in enumerate(ledgers):
            for other_name, other in ledgers[:number]:
                if ledger.community == other.community:
                    self.report(f"{name} and {other_name}", check_ledgers(ledger, other), "one history")
            for document in self.documents:
                for checkpoint in document.checkpoints():
                    if document.name != name and checkpoint.community == ledger.community:
                        found = check_checkpoint_in_ledger(checkpoint, ledger)
                        known = ledger.hash_at(checkpoint.revision) is not None
                        summary = "one history" if known else "newer than the ledger, not compared"
                        self.report(f"{document.name} checkpoint in {name}", found, summary)
            for other_name, receipt in self._of(Receipt):
                summary = f"entry {receipt.entry.revision} stands there"
                self.report(f"{other_name} in {name}", check_receipt_in_ledger(receipt, ledger), summary)
            for bundle_name, bundle in self._of(Bundle):
                if bundle.checkpoint is not None and bundle.checkpoint.community == ledger.community:
                    if self._is_long_enough(ledger, bundle):
                        completed = self._completed(ledger)
                        what = f"{bundle_name} in {name}"
                        self._compared(what, partial(check_bundle_in_ledger, bundle, completed))
                        self._compared(what, partial(self._note_closing, what, bundle, completed))
                else:
                    self.report(f"{bundle_name} in {name}", Differences(["not of the same community"]), "")
        for _, wanted in self._of(str):
            found_at = [
                (name, ledger.entry_at(revision))
                for name, ledger in ledgers
                for revision, one in enumerate(ledger.chain.hashes, start=1)
                if one == wanted
            ]
            differences = Differences([] if found_at else ["no entry of the given ledgers has this hash"])
            summary = ", ".join(f"entry {entry.revision} of {name}" for name, entry in found_at)
            self.report(wanted, differences, summary)

    def _note_closing(self, what: str, bundle: Bundle, ledger: KeptLedger) -> tuple[Differences, str]:
        if unsure := unsure_of_closing(bundle, ledger):
            _say(
                f"NOTE {what}: {unsure} closed entries that are not in this final result are from the hour of its "
                "closing and may be from before it; the receipts of those who voted then would show"
            )
        return Differences(), ""

    def _casters(self) -> None:
        """Look whether receipts and ledgers name one ballot for two members."""
        entries = [(name, entry) for name, ledger in self._of(Ledger) for entry in ledger.chain.pseudonymous]
        receipts = [(name, receipt.entry) for name, receipt in self._of(Receipt)]
        self._compared("pseudonyms", lambda: (check_pseudonyms([*entries, *receipts]), ""))
        ballots: dict[str, str] = {}
        for name, entry in receipts:
            if entry.opened is None:
                continue
            content = entry.opened["content"]
            first = ballots.setdefault(f"{content.get('community')} {content['subject']}", name)
            if first != name:
                _say(f"NOTE {first} and {name} are for one ballot, which is counted once: are they one person's?")

    def _is_long_enough(self, ledger: Ledger, bundle: Bundle) -> bool:
        """Whether a ledger reaches as far as a result; an older one need not where another does."""
        longest = max(len(one) for _, one in self._of(Ledger) if one.community == ledger.community)
        revision: int = bundle.record.get("ledger", {}).get("revision", 0)
        return len(ledger) >= min(revision, longest)

    def _completed(self, ledger: Ledger) -> KeptLedger:
        """Return a ledger with the entries that other files open of it; one closed in all stays closed."""
        kept = ledger.kept()
        closed = {entry.commitment for entry in kept.entries if entry.opened is None}
        others = [one.entries for _, one in self._of(Ledger) if one is not ledger]
        receipts = [receipt.entry for _, receipt in self._of(Receipt)]
        opened = {
            entry.commitment: entry.opened
            for entries in (kept.entries, *others, receipts)
            for entry in entries
            if entry.commitment in closed and entry.opened is not None and commitment(entry.opened) == entry.commitment
        }
        return replace(
            kept,
            entries=tuple(
                entry if entry.opened is not None else entry._replace(opened=opened.get(entry.commitment))
                for entry in kept.entries
            ),
        )

    def _receipts_in_bundles(self) -> None:
        for name, receipt in self._of(Receipt):
            opened = receipt.entry.opened
            for bundle_name, bundle in self._of(Bundle):
                for decision in bundle.decisions:
                    if (
                        opened is None
                        or bundle.checkpoint is None
                        or opened["content"].get("community") != bundle.checkpoint.community
                        or opened["content"].get("decision") != _ledger_id(decision)
                    ):
                        continue
                    what = f"{name} in {bundle_name} {decision.place}"
                    if receipt.entry.revision > bundle.record.get("ledger", {}).get("revision", 0):
                        if (decision.record.get("result") or {}).get("final") is True:
                            late = Differences(["the result is final, and the ballot is newer"])
                            self.report(what, late, "")
                        else:
                            _say(f"NOTE {what}: the ballot is newer than this result")
                    else:
                        self._compared(what, partial(check_receipt_in_bundle, receipt, bundle, decision))


def _calculate(documents: Sequence[Document]) -> None:
    for document in documents:
        if not isinstance(document.content, Bundle):
            raise Malformed(f"{document.name}: there is nothing to calculate in it")
        bundle = document.content
        decisions = [calculate(bundle, decision) for decision in bundle.decisions]
        sys.stdout.write(json.dumps({"decisions": decisions}, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check or calculate what is named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Check what a CrowdVote site says: results, ledgers, receipts and checkpoints."
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="what a site gives to download, - for standard input, or the hash of an entry to look for",
    )
    parser.add_argument("--key", default="", help="the site's public key, hexadecimal")
    parser.add_argument("--calculate", action="store_true", help="print what a bundle should say instead of comparing")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # names in any script, on any terminal
    with ExitStack() as files:
        documents, code = _read_all(options.files, files)
        try:
            if options.calculate:
                _calculate(documents)
                return code
        except Malformed as error:
            _complain(str(error))
            return 2
        return max(code, Run(documents, options.key).everything())


def _read_all(names: Iterable[str], files: ExitStack) -> tuple[list[Document], int]:
    """Read what can be read; say what can't, and return the exit code for that."""
    documents, code = [], 0
    for name in names:
        try:
            documents.append(read(name, files))
        except OSError as error:
            _complain(f"{name}: can't be read: {error.strerror}")
            code = 2
        except UnicodeDecodeError:
            _complain(f"{name}: not UTF-8 text")
            code = 2
        except Malformed as error:
            _complain(f"{name}: {error}")
            code = 2
    return documents, code


if __name__ == "__main__":
    sys.exit(main())
