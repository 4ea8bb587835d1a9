from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.text import clean_name, ended, single_line

any_text = st.text(st.characters(exclude_categories=()))


@given(any_text)
def test_a_single_line_is_one_whatever_it_was_made_from(text):
    line = single_line(text)
    assert len(line.splitlines()) <= 1
    unsafe = {unicodedata.category(character) for character in line if character not in "\u200c\u200d"}
    assert unsafe.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    assert line.encode("utf-8").decode() == line
    assert single_line(line) == line


@given(any_text)
def test_a_clean_name_is_clean(text):
    name = clean_name(text)
    assert name == " ".join(single_line(name).split())


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_what_people_write_stays_as_it_is(text):
    assert single_line(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\nc", "a b  c"),
        ("a\u2028b\u2029c\x85d\x0be", "a b c d e"),
        ("\x1b[31;1mred\x1b[0m \x9b2Jgone", "red gone"),
        ("\x1b]0;title\x07", "]0;title"),
        ("safe\u202etxt.exe\u2066\u2069", "safetxt.exe"),
        ("co\u00adop\ufefferate", "cooperate"),
        ("a\ud800b", "a\ufffdb"),
        ("[INFO] 'x' \\n", "[INFO] 'x' \\n"),
    ],
)
def test_examples(text, line):
    assert single_line(text) == line


@pytest.mark.parametrize(
    ("text", "expected"), [("Larch Lane", "Larch Lane."), ("Larch e. V.", "Larch e. V."), ("Yes!", "Yes!"), ("", ".")]
)
def test_a_sentence_that_may_end_with_a_name_has_one_full_stop(text: str, expected: str) -> None:
    assert ended(text) == expected
