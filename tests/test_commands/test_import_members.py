"""Lists of people, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from democracy.models import Invitation, Notice
from tests.test_commands.running import refused, run, town_of, write

pytestmark = pytest.mark.django_db


def test_a_list_becomes_invitations_and_mails_are_sent_on_request(tmp_path: Path) -> None:
    town, _ = town_of("ann_bee")
    file = write(tmp_path, "address,name,manager\nann_bee@example.org,Ann,\nb@x.org,Bo,yes\nc@x.org,,\n")
    assert run("import_members", file, "--community", town.name.upper()) == [
        "listed 2, mailed 0, waiting already 0, members already 1"
    ]
    rows = Invitation.objects.order_by("address")
    assert [(row.address, row.name, row.is_manager, row.state) for row in rows] == [
        ("b@x.org", "Bo", True, "listed"),
        ("c@x.org", "", False, "listed"),
    ]
    assert not Notice.objects.exists()
    assert [run("import_members", file, "--community", town.name, "--invite") for _ in range(2)] == [
        ["listed 0, mailed 2, waiting already 0, members already 1"],
        ["listed 0, mailed 0, waiting already 2, members already 1"],
    ]
    assert sorted(Notice.objects.values_list("address", flat=True)) == ["b@x.org", "c@x.org"]


def test_a_faulty_list_names_its_lines_and_writes_nothing(tmp_path: Path) -> None:
    town, _ = town_of()
    file = write(tmp_path, "address,role\na@x.org,\nb@,\nc@x.org,\n@,\n")
    with refused("Line 3: “b@” is not an e-mail address. Line 5: “@” is not an e-mail address."):
        run("import_members", file, "--community", town.name)
    with refused("There is no community named “Nowhere”."):
        run("import_members", write(tmp_path, "a@x.org"), "--community", "Nowhere")


def test_faults_of_all_kinds_are_named_at_once_and_in_order(tmp_path: Path) -> None:
    town, _ = town_of()
    people = "a@x.org,,\nb@,,\na@x.org,,\nc@x.org,boss,\nd@x.org,,maybe\n"
    with refused(
        "Line 3: “b@” is not an e-mail address. Line 4: a@x.org is there twice, first on line 2. "
        "Line 5: “boss” is no role: write voter or lobbyist. "
        "Line 6: “maybe” does not say who is a manager: write yes or no."
    ):
        run("import_members", write(tmp_path, f"address,role,manager\n{people}"), "--community", town.name)
