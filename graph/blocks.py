"""Blocks: a mapping by member that is cheap to change without changing it.

A plain dictionary of a million members takes a tenth of a second to copy for one that joins. Here members are kept in
blocks of neighbouring numbers: a later mapping copies the list of blocks and those that differ, and shares the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from graph.values import Member

_Value = TypeVar("_Value")

# A block holds members who differ in these lowest bits alone.
_BITS = 9


class Blocks(Mapping[Member, _Value]):
    """A mapping that never changes; see `Draft`. Members are in order of their blocks, then of being added."""

    __slots__ = ("_blocks", "_size")

    def __init__(self, items: Iterable[tuple[Member, _Value]] = ()) -> None:
        blocks: dict[int, dict[Member, _Value]] = {}
        for member, value in items:
            block = blocks.get(member >> _BITS)
            if block is None:
                block = blocks[member >> _BITS] = {}
            block[member] = value
        self._blocks = blocks
        self._size = sum(map(len, blocks.values()))

    def __getitem__(self, member: Member) -> _Value:
        return self._blocks[member >> _BITS][member]

    def __contains__(self, member: object) -> bool:
        return isinstance(member, int) and member in self._blocks.get(member >> _BITS, ())

    def __iter__(self) -> Iterator[Member]:
        for block in self._blocks.values():
            yield from block

    def __len__(self) -> int:
        return self._size


class Draft(Generic[_Value]):
    """A mapping in the making, at first as `start`, which stays as it is."""

    def __init__(self, start: Blocks[_Value]) -> None:
        self._blocks = start._blocks.copy()
        self._size = start._size
        self._own: set[int] = set()

    def get(self, member: Member) -> _Value | None:
        return self._blocks.get(member >> _BITS, {}).get(member)

    def set(self, member: Member, value: _Value) -> None:
        block = self._writable(member)
        self._size += member not in block
        block[member] = value

    def pop(self, member: Member) -> _Value | None:
        """Take a member out; return the value, None if there was none."""
        if self.get(member) is None:
            return None
        self._size -= 1
        return self._writable(member).pop(member)

    def done(self) -> Blocks[_Value]:
        """Make the mapping. The draft is of no further use."""
        made: Blocks[_Value] = Blocks()
        made._blocks, made._size = self._blocks, self._size
        return made

    def _writable(self, member: Member) -> dict[Member, _Value]:
        number = member >> _BITS
        if number not in self._own:
            self._own.add(number)
            self._blocks[number] = self._blocks.get(number, {}).copy()
        return self._blocks[number]
