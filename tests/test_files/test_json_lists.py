"""A JSON object whose lists stay in the text gives what a plain reader gives, and refuses what that refuses."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from democracy.files.json_lists import JsonList, parse
from democracy.files.malformed import Malformed

texts = st.text('ab"\\{[,é😀\n', max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(["members", "decisions", "x"]), values, max_size=3)


def plain(value: Any) -> Any:
    """The value with lists for all that is read later."""
    match value:
        case JsonList():
            return list(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return value


@given(objects, st.sampled_from([None, 1, "\t"]))
def test_every_object_is_read_as_it_was_written(value: dict[str, Any], indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    found = parse(f"\n {text}\r\n", deep=("decisions",))
    assert plain(found) == value
    # Going through a list a second time reads it once more.
    assert plain(found) == value


@given(objects, st.integers(0, 200), st.sampled_from(['"', "}", "]", ",", ":", "", "\\", "1"]))
def test_a_damaged_text_is_refused_where_a_plain_reader_refuses_it(value: Any, at: int, damage: str) -> None:
    text = json.dumps(value)
    at = min(at, len(text) - 1)
    damaged = text[:at] + damage + text[at + 1 :]
    try:
        json.loads(damaged, object_pairs_hook=list)
        is_right = damaged.startswith("{")
    except ValueError:
        is_right = False
    with nullcontext() if is_right else pytest.raises(Malformed):
        try:
            parse(damaged, deep=("decisions",))
        except Malformed as error:
            # The plain reader takes the last of two values of a key.
            if not is_right or "twice" not in str(error):
                raise


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, 2', "line 1, column 12: this is not JSON: Expecting ',' delimiter."),
        ('{"a": [\n1,]}', "line 2, column 3: this is not JSON: Expecting value."),
        ('{"a": 1,}', "line 1, column 9: this is not JSON: Expecting property name enclosed in double quotes."),
        ('{"a" 1}', "line 1, column 6: this is not JSON: Expecting ':' delimiter."),
        ('{"a": []} x', "line 1, column 11: this is not JSON: Extra data."),
        ('{"decisions": [{"ballots": [{"a": 1, "a": 2}]}]}', "An object has the key 'a' twice."),
        ('{"decisions": [{"b": [], "b": []}]}', "An object has the key 'b' twice."),
        ('{"members": [Infinity]}', "Infinity is no number of JSON."),
        (f'{{"members": [{"9" * 5_000}]}}', "A number has more digits than any number in a bundle."),
        ('{"members": ' + "[" * 100_000, "This is nested too deeply to be a bundle."),
        ("", "line 1, column 1: this is not JSON: Expecting value."),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text, deep=("decisions",))
    assert str(caught.value) == message
