"""Blocks: a mapping by member that is cheap to change without changing it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from graph.blocks import Blocks, Draft

MEMBERS = st.integers(-600, 1_600)


@given(st.dictionaries(MEMBERS, st.text()), st.lists(st.tuples(MEMBERS, st.none() | st.text()), max_size=20))
def test_a_later_mapping_holds_what_a_dictionary_would_and_the_earlier_stays(
    start: dict[int, str], changes: list[tuple[int, str | None]]
) -> None:
    blocks, after = Blocks(start.items()), dict(start)
    draft = Draft(blocks)
    for member, value in changes:
        assert draft.get(member) == after.get(member)
        if value is None:
            assert draft.pop(member) == after.pop(member, None)
        else:
            draft.set(member, value)
            after[member] = value
    later = draft.done()
    assert (dict(later), len(later)) == (after, len(after))
    assert (dict(blocks), len(blocks)) == (start, len(start))
    assert all((member in later) == (member in after) for member in range(-600, 1_600))


def test_blocks_that_do_not_differ_are_shared() -> None:
    blocks = Blocks((member, str(member)) for member in range(2_000))
    draft = Draft(blocks)
    draft.set(3, "three")
    later = draft.done()
    shared = [later._blocks[number] is blocks._blocks[number] for number in blocks._blocks]
    assert shared == [False, True, True, True]


def test_nothing_but_a_member_is_in_it() -> None:
    assert "1" not in Blocks({1: "one"}.items())
