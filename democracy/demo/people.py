"""The people one can enter the demo as, from the start page. They are members of several of its communities."""

from __future__ import annotations

from democracy.files.new_community import NewMember

# Handle and name; what they are is said where they are members.
ACCOUNTS = {
    "rosa_delgado": "Rosa Delgado",
    "theo_lindqvist": "Theo Lindqvist",
    "amara_okafor": "Amara Okafor",
    "ines_carvalho": "Inês Carvalho",
    "gideon_marsh": "Gideon Marsh",
    "mei_tanaka": "Mei Tanaka",
    "samuel_brandt": "Samuel Brandt",
}


def account(handle: str, **fields: object) -> NewMember:
    """One of the accounts as a member; its id in the community is its handle."""
    return NewMember(id=handle, name=ACCOUNTS[handle], handle=handle, is_demo=True, **fields)  # type: ignore[arg-type]


def neighbour(name: str, **fields: object) -> NewMember:
    """Somebody who is only there to be followed, read and counted; the id is the name in lower case."""
    return NewMember(id=name.lower().replace(" ", "_"), name=name, **fields)  # type: ignore[arg-type]


def named(ids: str) -> list[str]:
    """The ids of several members, written in one line."""
    return ids.split()
