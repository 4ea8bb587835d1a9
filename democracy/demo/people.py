"""People whose accounts visitors may use in the demo, from the start page. Each is in several communities."""

from __future__ import annotations

from democracy.files.new_community import NewMember

# By handle: names. The communities give them roles.
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
    """Return one of the accounts as a member, with its handle as its id in the community."""
    return NewMember(id=handle, name=ACCOUNTS[handle], handle=handle, is_demo=True, **fields)  # type: ignore[arg-type]


def neighbour(name: str, **fields: object) -> NewMember:
    """Return a member whom nobody can sign in as, with the name in lower case as the id."""
    return NewMember(id=name.lower().replace(" ", "_"), name=name, **fields)  # type: ignore[arg-type]


def named(ids: str) -> list[str]:
    """Return the ids or names that are written in one line."""
    return ids.split()
