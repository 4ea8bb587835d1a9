"""Markdown in what people write: links, lists, emphasis and quotations; everything else stays as it was typed.

A line break stays one, and an address is a link without further signs: most people know no Markdown. Headings,
pictures, tables and HTML are not read: a text has its place on a page, and no page asks another host.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_RULES = ["blockquote", "list", "paragraph", "emphasis", "link", "autolink", "newline", "escape", "entity"]
_reader = MarkdownIt("zero", {"breaks": True, "html": False}).enable(_RULES)
# A bare address, without the punctuation behind it; not one that is part of a link already.
_ADDRESS = re.compile(r"(?<![\w<\[\"'/])(?<!\]\()https?://[^\s<>\[\]()]*[^\s<>\[\]().,;:!?'\"]")
_TAGS = {"p", "br", "strong", "em", "ul", "ol", "li", "a", "blockquote"}
_cleaner = nh3.Cleaner(
    tags=_TAGS,
    generic_attribute_prefixes=set(),
    attributes={"a": {"href"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener noreferrer ugc",
)
_BLOCK_END = re.compile(r"</(?:p|ul|ol|blockquote)>|<br>")
_TAG = re.compile(r"<[^>]*>")
_EMPTY_LINES = re.compile(r"\n\s*\n+")


# Reading takes milliseconds where a text is all brackets, and a page has up to 50 choices.
@lru_cache(maxsize=256)
def as_html(text: str) -> SafeString:
    """The text as HTML that is safe to show."""
    # The cleaner decides alone what is safe, whatever the reader made of it.
    return mark_safe(_cleaner.clean(_read(text)))


def as_plain(text: str) -> str:
    """The words alone, for places where there are no links and lists: a line for each paragraph and item."""
    read = re.sub(r"<li>\s*(?:<p>)?", "- ", _cleaner.clean(_read(text)))
    words = html.unescape(_TAG.sub("", _BLOCK_END.sub("\n", read)))
    return _EMPTY_LINES.sub("\n", words).strip()


def _read(text: str) -> str:
    return str(_reader.render(_ADDRESS.sub(r"<\g<0>>", text)))
