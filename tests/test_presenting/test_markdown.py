"""Texts as people write them, with links, lists and emphasis, and never anything that does something."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from democracy.presenting.markdown import as_html, as_plain

REL = 'rel="nofollow noopener noreferrer ugc"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("One\ntwo\n\nthree", "<p>One<br>\ntwo</p>\n<p>three</p>"),
        ("- **a**\n- *b*", "<ul>\n<li><strong>a</strong></li>\n<li><em>b</em></li>\n</ul>"),
        ("2. b\n3. c", '<ol start="2">\n<li>b</li>\n<li>c</li>\n</ol>'),
        ("[here](https://e.org/a)", f'<p><a href="https://e.org/a" {REL}>here</a></p>'),
        ("See (https://e.org/a_b_c).", f'<p>See (<a href="https://e.org/a_b_c" {REL}>https://e.org/a_b_c</a>).</p>'),
        ("# No, *no* heading", "<p># No, <em>no</em> heading</p>"),
        ("5 * 3 < 20 & so", "<p>5 * 3 &lt; 20 &amp; so</p>"),
        ("<b>bold</b><script>x()</script>", "<p>&lt;b&gt;bold&lt;/b&gt;&lt;script&gt;x()&lt;/script&gt;</p>"),
        ("[x](javascript:x())", "<p>[x](javascript:x())</p>"),
        ("![seen](https://e.org/p.png)", f'<p>!<a href="https://e.org/p.png" {REL}>seen</a></p>'),
    ],
)
def test_a_few_signs_are_read_and_the_rest_stays_as_typed(text: str, html: str) -> None:
    assert as_html(text).strip() == html


def test_words_alone_have_a_line_for_each_paragraph_and_item() -> None:
    assert as_plain("**Roads** & [parks](https://e.org)\n\n- a\n- <b>\n\n> said") == "Roads & parks\n- a\n- <b>\nsaid"


SIGNS = ["<", ">", "[", "](", ")", "*", "javascript:", "https://e", '"', "\n", "onload=", "&#60;", "a"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SIGNS)))
@example(["<", "a", "javascript:", ">"])
@example(["[", "](", ">", "javascript:", ")"])
def test_whatever_is_typed_only_a_few_elements_come_of_it(parts: list[str]) -> None:
    elements = re.findall(r"<([^>]*)>", as_html("".join(parts)))
    for element in elements:
        # A link with an address of another kind loses it, and leads nowhere.
        assert re.fullmatch(
            rf'/?(p|br|strong|em|ul|ol|li|blockquote|a)|ol start="\d+"|a( href="(https?:|mailto:)?[^"]*")? {REL}',
            element,
        )
        for address in re.findall(r'href="([^"]*)"', element):
            assert urlsplit(unescape(address)).scheme in {"", "http", "https", "mailto"}
