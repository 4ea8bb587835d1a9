"""The picture that goes with a link to a decision: its question and, where they are told, the best choices.

Drawn by Pillow in the site's own font, which has the Latin letters. A text in other letters is left out of the picture;
it stands beside it, as the link's title.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.contrib.staticfiles import finders
from PIL import Image, ImageDraw, ImageFont

from democracy.presenting.numbers import stars_text
from democracy.presenting.results import ChoiceRow
from democracy.presenting.sharing import Shared

# The size that sites which show previews ask for.
WIDTH, HEIGHT = 1200, 630
_MARGIN = 72
_GROUND, _TEXT, _MUTED, _ACCENT, _STAR, _TRACK = "#ffffff", "#17202e", "#525d6f", "#3149c0", "#f4b10b", "#e4e8ef"
_FONTS = (
    "vendor/public-sans/public-sans-latin-wght-normal.woff2",
    "vendor/public-sans/public-sans-latin-ext-wght-normal.woff2",
)
_MOST_CHOICES = 4
# Each takes some 40 KB.
_KEPT = 64
_LACKING = "\uffff"
Pen = ImageDraw.ImageDraw


@dataclass(frozen=True)
class Drawn:
    """The texts and bars of a picture. `bars`: label, stars, share of the most there could be, whether it is first."""

    community: str
    title: str
    status: str
    turnout: str
    bars: tuple[tuple[str, str, float, bool], ...] = ()


def picture_of(shared: Shared) -> bytes:
    """A PNG of 1200 x 630. It is drawn anew only when something on it changes."""
    rows = shared.outcome.by_stars[:_MOST_CHOICES] if shared.outcome is not None and shared.outcome.winner else ()
    drawn = Drawn(
        shared.decision.community.name,
        shared.title,
        shared.status,
        shared.turnout,
        tuple((_label(row), stars_text(row.average), row.share, row.is_winner) for row in rows),
    )
    return _painted(drawn)


def _label(row: ChoiceRow) -> str:
    return drawable(row.choice.title) or f"Choice {row.choice.position + 1}"


@lru_cache(_KEPT)
def _painted(drawn: Drawn) -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), _GROUND)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, WIDTH, 14), fill=_ACCENT)
    _brand(pen, drawn)
    lines = 2 if drawn.bars else 4
    bottom = _title(pen, drawable(drawn.title) or "A decision on CrowdVote", lines=lines)
    if drawn.bars:
        _bars(pen, drawn.bars, top=bottom + 28)
    _write(pen, (_MARGIN, HEIGHT - 100), drawn.status, size=28, weight=600)
    _write(pen, (_MARGIN, HEIGHT - 62), drawn.turnout, size=26, colour=_MUTED)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _brand(pen: Pen, drawn: Drawn) -> None:
    pen.rounded_rectangle((_MARGIN, 52, _MARGIN + 52, 104), radius=12, fill=_ACCENT)
    pen.polygon(_star(_MARGIN + 26, 79, 19), fill="#ffffff")
    _write(pen, (_MARGIN + 70, 60), "CrowdVote", size=30, weight=700)
    start = _MARGIN + 70 + _length("CrowdVote", 30, 700) + 28
    name = _fitted(drawable(drawn.community), 30, 500, WIDTH - _MARGIN - start)
    _write(pen, (start, 60), name, size=30, weight=500, colour=_MUTED)


def _star(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """The ten corners of a star."""
    corners = []
    for number in range(10):
        angle, reach = math.pi * (number / 5 - 0.5), radius if number % 2 == 0 else radius * 0.45
        corners.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return corners


def _title(pen: Pen, title: str, *, lines: int) -> int:
    """Write the question in at most so many lines. Returns where the last one ends."""
    size = 60
    wrapped = _wrapped(title, size, 750, WIDTH - 2 * _MARGIN)
    if len(wrapped) > lines:
        size = 46
        wrapped = _wrapped(title, size, 750, WIDTH - 2 * _MARGIN)
    if len(wrapped) > lines:
        wrapped[lines - 1] = f"{wrapped[lines - 1]} {wrapped[lines]}"
    top = 136
    for line in wrapped[:lines]:
        _write(pen, (_MARGIN, top), _fitted(line, size, 750, WIDTH - 2 * _MARGIN), size=size, weight=750)
        top += round(size * 1.18)
    return top


def _bars(pen: Pen, bars: Sequence[tuple[str, str, float, bool]], *, top: int) -> None:
    step = (HEIGHT - 118 - top) // max(len(bars), 3)
    start, end = _MARGIN + 330, WIDTH - _MARGIN - 120
    for number, (label, value, share, is_first) in enumerate(bars):
        y, weight = top + number * step, 700 if is_first else 500
        height = min(34, step - 12)
        text = y + height // 2 - 18
        _write(pen, (_MARGIN, text), _fitted(label, 28, weight, 300), size=28, weight=weight)
        pen.rounded_rectangle((start, y, end, y + height), radius=8, fill=_TRACK)
        if share > 0:
            width = max(round(share * (end - start)), 16)
            pen.rounded_rectangle((start, y, start + width, y + height), radius=8, fill=_ACCENT if is_first else _MUTED)
        _write(pen, (end + 24, text), value, size=28, weight=weight)
        pen.polygon(_star(end + 24 + _length(value, 28, weight) + 22, y + height // 2, 14), fill=_STAR)


# --- Text -------------------------------------------------------------------------------------------------------------


@lru_cache
def _fonts(size: int, weight: int) -> tuple[ImageFont.FreeTypeFont, ...]:
    fonts = []
    for name in _FONTS:
        path = finders.find(name)
        assert isinstance(path, str)
        font = ImageFont.truetype(path, size)
        font.set_variation_by_axes([weight])
        fonts.append(font)
    return tuple(fonts)


@lru_cache(4_096)
def _font_of(sign: str) -> int | None:
    """The number of the font that has this sign; None where both would draw the box that stands for a lacking one."""
    for number, font in enumerate(_fonts(28, 500)):
        if sign.isspace() or bytes(font.getmask(sign)) != bytes(font.getmask(_LACKING)):
            return number
    return None


def drawable(text: str) -> str:
    """The text without the signs that the fonts lack; "" where letters are among these."""
    kept = []
    for sign in " ".join(text.split()):
        if _font_of(sign) is not None:
            kept.append(sign)
        elif sign.isalnum():
            return ""
    return " ".join("".join(kept).split())


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Split a text into pieces that one font has."""
    piece, number = "", 0
    for sign in text:
        of_sign = _font_of(sign) or 0
        if piece and of_sign != number:
            yield number, piece
            piece = ""
        piece, number = piece + sign, of_sign
    if piece:
        yield number, piece


def _length(text: str, size: int, weight: int) -> float:
    fonts = _fonts(size, weight)
    return sum(fonts[number].getlength(piece) for number, piece in _pieces(text))


def _write(
    pen: Pen, place: tuple[float, float], text: str, *, size: int, weight: int = 500, colour: str = _TEXT
) -> None:
    x, y = place
    fonts = _fonts(size, weight)
    for number, piece in _pieces(text):
        pen.text((x, y), piece, font=fonts[number], fill=colour)
        x += fonts[number].getlength(piece)


def _wrapped(text: str, size: int, weight: int, width: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _length(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _fitted(text: str, size: int, weight: int, width: float) -> str:
    """The text, cut with an ellipsis where it is too long."""
    if _length(text, size, weight) <= width:
        return text
    while text and _length(f"{text}…", size, weight) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
