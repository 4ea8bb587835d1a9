"""The privacy page: who runs the site, and the promise of docs/privacy.md."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_PROMISE = settings.BASE_DIR / "docs" / "privacy.md"
_SCROLLS = '<div class="table-scroll" tabindex="0" role="region" aria-label="Who sees what">'


@cache
def promise() -> SafeString:
    """Return the promise as HTML, without its title. It is a document of ours: nothing in it comes from people."""
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(_PROMISE.read_text(encoding="utf-8"))
    # The title is a heading of three tokens: the page has its own.
    html = markdown.renderer.render(_without_links_to_files(tokens[3:]), markdown.options, {})
    # It stands under a heading of the page, and an empty cell is the heading of nothing.
    html = html.replace("h2>", "h3>").replace("<th></th>", "<td></td>")
    html = html.replace("<table>", f"{_SCROLLS}<table>").replace("</table>", "</table></div>")
    return mark_safe(html)


def _without_links_to_files(tokens: list[Token]) -> list[Token]:
    """Take away links to other documents, which the site does not serve; their words stay."""
    for token in tokens:
        kept, is_open = [], True
        for child in token.children or []:
            if child.type == "link_open":
                is_open = not str(child.attrs.get("href", "")).endswith(".md")
            if is_open or child.type not in {"link_open", "link_close"}:
                kept.append(child)
        token.children = kept if token.children else token.children
    return tokens


def contact_address() -> str:
    """Return the address that the operator's contact leads to: of a page or of mail; "" for one that is just told."""
    contact = settings.OPERATOR_CONTACT
    if contact.startswith(("https://", "http://")):
        return contact
    return f"mailto:{contact}" if "@" in contact and " " not in contact else ""
