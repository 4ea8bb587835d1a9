"""Collections in one form, so that two of them can be compared line by line.

# Note [Pseudonyms renamed]
A pseudonym is drawn with a secret, so its letters say nothing, and neither does a list sorted by them. Each is renamed
by everything that is told of it, anywhere. Pseudonyms with equal tellings get equal names. So transcripts are equal
exactly if a renaming makes them so: whatever ties a pseudonym to a person, a moment, a place in a list or another
pseudonym is told of it, and tells two worlds apart.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.test.html import Element, parse_html

_PSEUDONYM = re.compile(r"([Aa]nonymous[ -]|\ba-)([0-9a-f]{8,64})\b")
_DIGEST = re.compile(r"\b[0-9a-f]{12,128}\b")
# Parts that differ between any two answers.
_VOLATILE = (
    (re.compile(r"\b(?=\w*[g-zG-Z])[A-Za-z0-9]{64}\b"), "(CSRF token)"),
    (re.compile(r"\b\d+\.\d seconds"), "(some) seconds"),
    # The place in a list, base64 of "place:7".
    (re.compile(r"cGxhY2U6[A-Za-z0-9_-]+=*"), "(place)"),
    # The values at which a page ended, encrypted.
    (re.compile(r"\brow\.[A-Za-z0-9_-]{64,}=*"), "(cursor)"),
    # The secret of an invitation's link.
    (re.compile(r"(?<=/join/)[0-9a-z]{16}\b"), "(link)"),
    # The number of a notice, base64 of "Notice:7".
    (re.compile(r"Tm90aWNlO[A-Za-z0-9_-]+=*|(?<=/notices/)\d+"), "(notice)"),
)
# Lines of anonymous members are written to the log without order.
_UNORDERED = re.compile(r"(VOTE_[A-Z]+|MEMBERSHIP_CHANGE)\W.*\bAnonymous\b(?! [0-9a-f]{8})", re.DOTALL)
# The end of a part, so that equal texts are equal parts.
_END = "</>"
_SHOWN = 40


@dataclass(frozen=True, eq=False)
class Part:
    """A part of an answer: an element of a page, a value of JSON, a line; and its parts in their order."""

    label: str
    parts: tuple[Part, ...] = ()

    @cached_property
    def has_order(self) -> bool:
        return not _UNORDERED.search(self.text)

    @cached_property
    def text(self) -> str:
        return "\n".join([self.label, *(part.text for part in self.parts), _END])

    @cached_property
    def pseudonyms(self) -> frozenset[str]:
        return frozenset(_pseudonyms(self.label)).union(*(part.pseudonyms for part in self.parts))


@dataclass
class Transcript:
    """Everything that somebody collected, by its source."""

    surfaces: list[tuple[str, Part]] = field(default_factory=list)

    @cached_property
    def plain(self) -> dict[str, str]:
        """Return the texts of surfaces without anything to rename."""
        found: defaultdict[str, list[Part]] = defaultdict(list)
        for surface, part in self.surfaces:
            found[surface].append(part)
        texts = {surface: "\n".join([surface, *(part.text for part in parts)]) for surface, parts in found.items()}
        return {
            surface: text for surface, text in texts.items() if not _PSEUDONYM.search(text) and not _DIGEST.search(text)
        }

    def add(self, surface: str, content: Part | str | Any) -> None:
        """Add what was found at `surface`, which says when and where in words.

        A content that is not yet a part is text, or the value of a JSON text.
        """
        if isinstance(content, str):
            content = of_text(content)
        self.surfaces.append((surface, content if isinstance(content, Part) else of_value(content)))

    def lines(self, *, leaving_out: Set[str]) -> dict[str, list[str]]:
        """Return lines by surface, without anything that is drawn at random."""
        told = [(surface, part) for surface, part in self.surfaces if surface not in leaving_out]
        names = _names(told)
        digests: dict[str, str] = {}

        def rename(text: str) -> str:
            text = _PSEUDONYM.sub(lambda found: found[1] + names[found[2]], text)
            return _DIGEST.sub(lambda found: digests.setdefault(found[0][:12], f"(digest {len(digests) + 1})"), text)

        found: defaultdict[str, list[str]] = defaultdict(list)
        for surface, part in told:
            renamed = _rendered(part, lambda text: _PSEUDONYM.sub(_by(names), text), is_sorted=_is_sorted(surface))
            found[rename(surface)] += renamed
        return {surface: [rename(line) for line in found[surface]] for surface in sorted(found)}


def differences(first: Transcript, second: Transcript) -> dict[str, str]:
    """Return the first lines that differ, by surface. Nothing for equal transcripts."""
    alike = {surface for surface, text in first.plain.items() if second.plain.get(surface) == text}
    ones, others = first.lines(leaving_out=alike), second.lines(leaving_out=alike)
    found = {}
    for surface in sorted(ones.keys() | others.keys()):
        one, other = ones.get(surface), others.get(surface)
        if one != other:
            found[surface] = _difference(one, other)
    return found


def in_words(found: dict[str, str]) -> str:
    """Describe the first difference for a developer, with its surroundings, and list the other places."""
    if not found:
        return "no difference"
    surface, first = next(iter(found.items()))
    others = "".join(f"\n  {other}" for other in [*found][1:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    rest = f"\nThese differ, too:{others}{more}" if others else ""
    return f"The two worlds can be told apart.\n{surface}\n{first}{rest}"


def _difference(one: list[str] | None, other: list[str] | None) -> str:
    if one is None or other is None:
        return "is there in one world only"
    lines = difflib.unified_diff(one, other, "one world", "the other", n=4, lineterm="")
    shown = [line for _, line in zip(range(_SHOWN), lines, strict=False)]
    return "\n".join(shown)


# --- Into parts -------------------------------------------------------------------------------------------------------


def of_html(text: str) -> Part:
    """Parse a page. Elements have their attributes, which are as readable as their texts."""
    return _of_element(parse_html(_steady(text)))


def _of_element(element: Element | str) -> Part:
    if isinstance(element, str):
        return Part(" ".join(element.split()))
    attributes = "".join(f" {name}" if value is None else f' {name}="{value}"' for name, value in element.attributes)
    children = (_of_element(child) for child in element.children if not isinstance(child, str) or child.strip())
    return Part(f"<{element.name or ''}{attributes}>", tuple(children))


def of_value(value: Any) -> Part:
    """Convert the value of a JSON text. The keys of objects have no order."""
    match value:
        case dict():
            return Part("{}", tuple(_named(key, of_value(value[key])) for key in sorted(value)))
        case list() | tuple():
            return Part("[]", tuple(of_value(item) for item in value))
        case _:
            return Part(_steady(json.dumps(value, ensure_ascii=False)))


def _named(key: str, value: Part) -> Part:
    return Part(f"{key}: {value.label}", value.parts)


def of_text(text: str) -> Part:
    return Part("text", tuple(Part(line) for line in _steady(text).splitlines()))


def of_json(text: str) -> Part:
    return of_value(json.loads(text))


def of_csv(text: str) -> Part:
    return of_value(list(csv.reader(io.StringIO(text))))


def _steady(text: str) -> str:
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text


# --- Pseudonyms -------------------------------------------------------------------------------------------------------


def _pseudonyms(text: str) -> list[str]:
    return [found[2] for found in _PSEUDONYM.finditer(text)]


def _names(surfaces: Sequence[tuple[str, Part]]) -> dict[str, str]:
    """Return a new name for each pseudonym, by what is told of it. See Note [Pseudonyms renamed]."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for surface, part in surfaces:
        for pseudonym in dict.fromkeys(_pseudonyms(surface)):
            told[pseudonym].append(_blind(pseudonym, [surface, *_rendered(part, str)]))
        for pseudonym, lines in _told(part):
            told[pseudonym].append(_blind(pseudonym, [surface, *lines]))
    in_order = sorted(told, key=lambda pseudonym: sorted(told[pseudonym]))
    return {pseudonym: f"number {number}" for number, pseudonym in enumerate(in_order, start=1)}


def _told(part: Part) -> Iterator[tuple[str, list[str]]]:
    """Return the largest parts that speak of one pseudonym alone, and single lines that speak of several."""
    if len(part.pseudonyms) == 1:
        yield next(iter(part.pseudonyms)), _rendered(part, str)
        return
    for pseudonym in dict.fromkeys(_pseudonyms(part.label)):
        yield pseudonym, [part.label]
    for child in part.parts:
        if child.pseudonyms:
            yield from _told(child)


def _blind(pseudonym: str, lines: Iterable[str]) -> str:
    """Return what is told of a pseudonym, without the letters of this and other ones."""

    def word(found: re.Match[str]) -> str:
        return found[1] + ("(itself)" if found[2] == pseudonym else "(another)")

    return _DIGEST.sub("(digest)", _PSEUDONYM.sub(word, "\n".join(lines)))


def _by(names: dict[str, str]) -> Callable[[re.Match[str]], str]:
    return lambda found: f"{found[1]}{names[found[2]]}"


def _is_sorted(surface: str) -> bool:
    """Tell whether somebody asked for an order of their own: by the ballots' content, or backwards."""
    return "sort=" in surface


def _rendered(part: Part, rename: Callable[[str], str], depth: int = 0, *, is_sorted: bool = False) -> list[str]:
    """Render the part as lines. Neighbours in the order of their pseudonyms are put in the order of their contents."""
    lines = [f"{'  ' * depth}{rename(part.label)}"]
    for run in _runs(part.parts, is_sorted=is_sorted):
        rendered = [_rendered(child, rename, depth + 1, is_sorted=is_sorted) for child in run]
        if len(run) > 1:
            rendered.sort(key=lambda child: _DIGEST.sub("(digest)", "\n".join(child)))
        lines += (line for child in rendered for line in child)
    return lines


def _runs(parts: Sequence[Part], *, is_sorted: bool) -> Iterator[Sequence[Part]]:
    """Group the parts: neighbours that each speak of one pseudonym, in the order of these, form a group."""
    start = 0
    while start < len(parts):
        stop = start + 1
        while stop < len(parts) and _in_order(parts[stop - 1], parts[stop], is_sorted=is_sorted):
            stop += 1
        yield parts[start:stop]
        start = stop


def _in_order(one: Part, next_one: Part, *, is_sorted: bool) -> bool:
    if not one.has_order and not next_one.has_order:
        return True
    if len(one.pseudonyms) != 1 or len(next_one.pseudonyms) != 1:
        return False
    return is_sorted or max(one.pseudonyms) <= max(next_one.pseudonyms)
