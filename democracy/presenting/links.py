"""The address of a shared link, and the code by which phones read it."""

from __future__ import annotations

import segno
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from democracy.models import InvitationLink


def address_of(link: InvitationLink) -> str:
    """The whole address of a link, as people type it."""
    return settings.SITE_URL + reverse("invitation-link", args=[link.token])


def qr_code(link: InvitationLink) -> SafeString:
    """A link as a QR code, an SVG that takes the width which the page gives it."""
    code = segno.make_qr(address_of(link), error="m")
    svg = code.svg_inline(omitsize=True, border=4, dark="#000", light="#fff")
    return mark_safe(svg)
