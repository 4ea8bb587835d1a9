"""Compares a community with a roll in CSV, and invites who is in the roll and not yet known.

python sync_roll.py https://vote.example.org/graphql/ ID roll.csv            # says what it would do
python sync_roll.py https://vote.example.org/graphql/ ID roll.csv --invite   # does it

The roll has a column `address` and may have a column `name`. ID is the id of the community in the API.
The token of a manager is in the environment, as CROWDVOTE_TOKEN. Nobody is removed: who is a member and not in the roll
is named, so that a manager can decide. A member who came without an invitation has no address that a manager could see.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from crowdvote_client.sync import Client, InviteeInput, InviteMembersInput

NO_MANAGER = "There is no such community, or the token in CROWDVOTE_TOKEN is none of its managers'."


def read_roll(path: Path) -> dict[str, str]:
    """Return the names in a roll by address, in small letters."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if "address" not in (rows.fieldnames or ()):
            sys.exit(f"{path} has no column called address.")
        found = {(row["address"] or "").strip().lower(): (row.get("name") or "").strip() for row in rows}
    return {address: name for address, name in found.items() if address}


def invitations(site: Client, community_id: str) -> Iterator[tuple[str, str | None]]:
    """Yield the addresses that are invited, each with the id of the member whom it brought."""
    after = None
    while True:
        community = site.invitations(community_id, after=after)
        if community is None:
            sys.exit(NO_MANAGER)
        for edge in community.invitations.edges:
            yield edge.node.address.lower(), edge.node.member.id if edge.node.member else None
        if not community.invitations.page_info.has_next_page:
            return
        after = community.invitations.page_info.end_cursor


def members(site: Client, community_id: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of the members, each with name and handle."""
    after = None
    while True:
        community = site.members(community_id, after=after)
        if community is None:
            sys.exit(NO_MANAGER)
        for edge in community.members.edges:
            yield edge.node.id, f"{edge.node.name} ({edge.node.handle})"
        if not community.members.page_info.has_next_page:
            return
        after = community.members.page_info.end_cursor


def invite(site: Client, community_id: str, people: dict[str, str]) -> int:
    """Invite these people, all or none, and return the exit code."""
    invitees = [InviteeInput(address=address, name=name) for address, name in people.items()]
    # A long list takes longer than the client would wait.
    done = site.invite_members(InviteMembersInput(communityId=community_id, people=invitees), timeout=60)
    for error in done.errors:
        print(f"{error.field}: {error.message}", file=sys.stderr)
    if not done.errors:
        print(f"Invited {done.invited}; {done.already_members} were members already.")
    return 1 if done.errors else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address", help="the address of the API, which ends with /graphql/")
    parser.add_argument("community", help="the community's id in the API")
    parser.add_argument("roll", type=Path, help="a CSV with the columns address and, if you like, name")
    parser.add_argument("--invite", action="store_true", help="invite; without it, only say who would be invited")
    given = parser.parse_args()
    roll = read_roll(given.roll)
    with Client(given.address, {"Authorization": f"Bearer {os.environ.get('CROWDVOTE_TOKEN', '')}"}) as site:
        invited = dict(invitations(site, given.community))
        new = {address: name for address, name in roll.items() if address not in invited}
        addresses = {member_id: address for address, member_id in invited.items() if member_id}
        for address in new:
            print(f"not yet known: {address}")
        for member_id, name in members(site, given.community):
            if member_id not in addresses:
                print(f"a member without an invitation: {name}")
            elif addresses[member_id] not in roll:
                print(f"a member, not in the roll: {name}, {addresses[member_id]}")
        if given.invite and new:
            return invite(site, given.community, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
