"""Tags: one form for all spellings of a topic."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from democracy.errors import InvalidTag
from democracy.tags import normalise_tag, normalise_tags


def form(text: str) -> str | None:
    try:
        return normalise_tag(text)
    except InvalidTag:
        return None


@pytest.mark.parametrize(
    "spelling", ["budget", "Budget", " budget ", "BUDGET", "\tbudget\n", "Ｂｕｄｇｅｔ", "𝐛𝐮𝐝𝐠𝐞𝐭", "　budget"]
)
def test_all_spellings_of_a_tag_are_one(spelling: str) -> None:
    assert normalise_tag(spelling) == "budget"


@pytest.mark.parametrize(
    ("spelling", "tag"),
    [
        ("Straße", "strasse"),
        ("public \u00a0\n transport", "public transport"),
        ("CAFE\u0301", "café"),
        ("ﬁsh", "fish"),
        ("Σίσυφος", "σίσυφοσ"),
        ("5 ½", "5 1⁄2"),
        ("公園", "公園"),
    ],
)
def test_a_tag_is_nfkc_case_folded_and_its_white_space_collapsed(spelling: str, tag: str) -> None:
    assert normalise_tag(spelling) == tag


def test_a_tag_has_1_to_50_characters_counted_in_its_one_form() -> None:
    assert (normalise_tag("x"), len(normalise_tag(f" {'x' * 50} "))) == ("x", 50)
    assert len(normalise_tag("ß" * 25)) == 50
    for text in ("", " \t\u3000", "x" * 51, "ß" * 26):
        with pytest.raises(InvalidTag):
            normalise_tag(text)


@pytest.mark.parametrize("text", ["a,b", ",", "a，b", "a\x00b", "a\x1bb", "a\u200bb", "\u202eab", "\ud800"])
def test_commas_in_any_width_and_invisible_characters_are_refused(text: str) -> None:
    with pytest.raises(InvalidTag):
        normalise_tag(text)


def test_tags_are_sorted_without_repetition() -> None:
    assert normalise_tags(["roads", " Budget", "ROADS", "budget"]) == ["budget", "roads"]
    assert normalise_tags([]) == []


def test_at_most_twenty_different_ones() -> None:
    twenty = [f"tag {number:02}" for number in range(20)]
    assert normalise_tags([*twenty, "TAG 07"]) == twenty
    with pytest.raises(InvalidTag):
        normalise_tags([*twenty, "tag 20"])


@given(st.text(max_size=60))
def test_the_form_of_a_tag_is_its_own_form(text: str) -> None:
    tag = form(text)
    if tag is not None:
        assert normalise_tag(tag) == tag
        assert 1 <= len(tag) <= 50
        assert tag == " ".join(tag.split())
        assert "," not in tag
        assert unicodedata.is_normalized("NFKC", tag)


@given(st.text(min_size=1, max_size=20))
def test_case_width_and_surrounding_space_make_no_difference(text: str) -> None:
    same = {form(text.casefold()), form(f"  {text}\n"), form(unicodedata.normalize("NFKC", text))}
    assert same == {form(text)}


@given(st.lists(st.text(max_size=8), max_size=25))
def test_neither_order_nor_repetition_of_tags_matters(texts: list[str]) -> None:
    def forms(these: list[str]) -> list[str] | None:
        try:
            return normalise_tags(these)
        except InvalidTag:
            return None

    assert forms(texts) == forms([*reversed(texts), *texts])
