"""Pictures of people, drawn from their public handle. All anonymous members share one."""

from __future__ import annotations

import hashlib

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# Backgrounds on which white letters have a contrast of at least 4.5, each with a lighter tone for the disc.
GROUNDS = (
    ("#3549b5", "#5063cc"),
    ("#7a3fb0", "#9059c2"),
    ("#a8326f", "#b8528a"),
    ("#b03a3a", "#bd5757"),
    ("#9a4d12", "#ac662f"),
    ("#7a5c00", "#8e7121"),
    ("#4d6b12", "#628028"),
    ("#1f6f43", "#38835a"),
    ("#0f6c6c", "#2b8080"),
    ("#15658f", "#337aa1"),
    ("#4a5568", "#626d80"),
    ("#6b4a3a", "#805f50"),
)
# Positions of the lighter disc in the drawing of 40 x 40.
_PLACES = ((0, 0), (40, 0), (0, 40), (40, 40), (20, 44), (20, -4), (-4, 20), (44, 20))

_ANONYMOUS = mark_safe(
    '<circle cx="20" cy="20" r="20" fill="#667085"/><circle cx="20" cy="16" r="6.5" fill="#fff"/>'
    '<path d="M8 33.5c1.2-7 5.6-10.5 12-10.5s10.8 3.5 12 10.5A20 20 0 0 1 8 33.5z" fill="#fff"/>'
)


def avatar(handle: str, *, size: int) -> SafeString:
    """Return a picture of `size` pixels for this handle; for "", the one that anonymous members share.

    It is decoration beside a name: assistive technology skips it.
    """
    return format_html(
        '<svg class="avatar" width="{0}" height="{0}" viewBox="0 0 40 40" aria-hidden="true">{1}</svg>',
        size,
        _drawing(handle) if handle else _ANONYMOUS,
    )


def _drawing(handle: str) -> SafeString:
    digest = hashlib.sha256(handle.encode()).digest()
    ground, tone = GROUNDS[digest[0] % len(GROUNDS)]
    x, y = _PLACES[digest[1] % len(_PLACES)]
    # A nested drawing clips its content; a clip path would need an id that is unique on the page.
    return format_html(
        '<circle cx="20" cy="20" r="20" fill="{}"/><circle cx="{}" cy="{}" r="{}" fill="{}"/>'
        '<text x="20" y="26" text-anchor="middle" font-size="16" font-weight="650" fill="#fff">{}</text>',
        ground,
        x,
        y,
        18 + digest[2] % 10,
        tone,
        initials(handle),
    )


def initials(handle: str) -> str:
    """Return the letters of a picture: MA for "mary_ann", BO for "bob"."""
    words = [word for word in handle.split("_") if word]
    letters = words[0][0] + words[1][0] if len(words) > 1 else handle.strip("_")[:2]
    return letters.upper()
