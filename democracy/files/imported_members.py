"""The members that the ids of a file mean, and those that are made because nobody bears an id yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import transaction

from democracy import eventlog, ledger
from democracy.database import bulk
from democracy.errors import InvalidInput
from democracy.files import lengths
from democracy.files.bulk_writing import add_community, add_members, with_a_manager
from democracy.files.malformed import Malformed
from democracy.files.new_community import NewMember
from democracy.files.progress import Progress
from democracy.files.unfinished_imports import refuse_unfinished
from democracy.ledger import Recording, contents
from democracy.models import Community, Membership
from democracy.services import validation


@dataclass(frozen=True)
class KnownMember:
    pk: int
    has_left: bool
    is_anonymous: bool


class KnownMembers:
    """Present and former members, by their names in files: the id they came with, handle, e-mail address."""

    def __init__(self, community: Community) -> None:
        self.file_ids: dict[str, KnownMember] = {}
        self._handles: dict[str, KnownMember] = {}
        self._addresses: dict[str, KnownMember] = {}
        self._file_ids_in_any_case: set[str] = set()
        self._sign_in: set[int] = set()
        rows = Membership.objects.filter(community=community)
        columns = rows.values_list("pk", "left_at", "is_anonymous", "file_id", "user__handle", "user__email")
        for pk, left_at, is_anonymous, file_id, handle, email in columns:
            member = KnownMember(pk, left_at is not None, is_anonymous)
            if file_id:
                self.file_ids[file_id] = member
                self._file_ids_in_any_case.add(file_id.casefold())
            self._handles[handle] = member
            if email:
                self._addresses[email] = member
                self._sign_in.add(pk)

    def find(self, file_id: str, place: str) -> KnownMember | None:
        """Find the member that an id means; None if it means nobody.

        Raises Malformed where it may mean one or the other, and where the member has left.
        """
        member = self.file_ids.get(file_id)
        handle = self._handles.get(file_id.removeprefix("@").casefold())
        address = self._addresses.get(file_id.casefold())
        # Handles of imported people were made up from their names; those of people who sign in are their own.
        if member and handle and handle != member and handle.pk in self._sign_in:
            raise Malformed(place, f"{file_id!r} is the id of one member and the handle of another: use another id.")
        member = member or handle or address
        if member is None and file_id.casefold() in self._file_ids_in_any_case:
            raise Malformed(place, f"{file_id!r} is nearly the id of a member: write it with the same capitals.")
        if member is not None and member.has_left:
            raise Malformed(place, f"{file_id!r} has left the community.")
        return member


def by_number(file_id: str) -> tuple[int, int, str]:
    """Make a sort key that puts ids which are numbers first, as numbers, and the others after them."""
    return (0, int(file_id), file_id) if file_id.isascii() and file_id.isdecimal() else (1, 0, file_id)


def community_name(name: str) -> str:
    """Check and clean the name of a community. Raises InvalidInput."""
    cleaned = validation.line(name, field="community")
    if len(cleaned) > lengths.COMMUNITY_NAME:
        raise InvalidInput(f"A community's name has at most {lengths.COMMUNITY_NAME} characters.", field="community")
    return cleaned


def is_address(file_id: str) -> bool:
    """Whether the id is an e-mail address, which is nobody's name or id: these are shown to all."""
    return "@" in file_id[1:]


@contextmanager
def adding_to(name: str) -> Iterator[tuple[Recording, bool]]:
    """Open a recording of the community of this name, which is made if it is missing; say whether it was."""
    with bulk.large_cache(), transaction.atomic():
        community = Community.objects.filter(name__iexact=name).first()
        is_new = community is None
        if community is not None:
            refuse_unfinished(community)
        else:
            community = add_community(name)
            transaction.on_commit(lambda: eventlog.community_created(eventlog.SYSTEM, name), robust=True)
        with ledger.recording(community.pk) as recording:
            if is_new:
                recording.add(contents.community_change(community))
            yield recording, is_new


def new_member(file_id: str) -> NewMember:
    return NewMember(file_id, f"Member {file_id}" if file_id.isdecimal() else file_id)


def make_members(
    recording: Recording, members: Sequence[NewMember], *, is_new: bool, progress: Progress
) -> dict[str, int]:
    """Add these members and return their numbers by their ids; in a new community the first of them manages it."""
    return add_members(recording, with_a_manager(members) if is_new else members, progress=progress)


def free_ids(wanted: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Keep the ids that nobody bears, and make the others longer until nobody does."""
    used = set(taken)
    free = []
    for file_id in wanted:
        number, longer = 1, file_id
        while longer in used:
            number += 1
            ending = f"-{number}"
            longer = file_id[: lengths.ID - len(ending)] + ending
        used.add(longer)
        free.append(longer)
    return free
