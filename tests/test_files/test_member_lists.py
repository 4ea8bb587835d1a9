"""Lists of people to invite: read by their header, or as pasted addresses, and refused line by line."""

from __future__ import annotations

import pytest

from democracy.errors import FaultyLines
from democracy.files.malformed import Malformed
from democracy.files.member_lists import read_member_list


def people(text: str) -> list[tuple[str, str, str, bool, int]]:
    return [(one.address, one.name, one.role, one.is_manager, one.line) for one in read_member_list(text).people]


def faults(text: str) -> list[str]:
    with pytest.raises(FaultyLines) as caught:
        read_member_list(text)
    return [one.message for one in caught.value.parts]


def test_a_table_is_read_by_its_header_whatever_the_order_and_language() -> None:
    text = "Flat;E-Mail;Vorname;Nachname;Role;Manager\n3;a@x.de;Ann;Bee;;ja\n;;;;;\n4;b@x.de;Ben;;Lobbyist;no\n"
    assert people(text) == [("a@x.de", "Ann Bee", "voter", True, 2), ("b@x.de", "Ben", "lobbyist", False, 4)]
    assert read_member_list(text).passed_over == ("Flat",)


@pytest.mark.parametrize("title", ["tags to follow", "Topics", "tags_to_follow"])
def test_topics_to_follow_stand_in_one_cell(title: str) -> None:
    text = f'address,{title}\na@x.org,"budget, Parks"\nb@x.org,roads; budget\nc@x.org,\n'
    found = read_member_list(text)
    assert [one.tags for one in found.people] == [("budget", "Parks"), ("roads", "budget"), ()]
    assert found.passed_over == ()


@pytest.mark.parametrize(
    "text",
    [
        "a@x.org\r\nAnn Bee <b@x.org>\r\n\r\nc@x.org",
        'a@x.org; "Bee, Ann" <b@x.org>, c@x.org',
        "a@x.org\nAnn Bee\tb@x.org\nc@x.org",
        "address\na@x.org\nAnn Bee <b@x.org>\nc@x.org",
    ],
)
def test_addresses_alone_need_no_header(text: str) -> None:
    assert [address for address, *_ in people(text)] == ["a@x.org", "b@x.org", "c@x.org"]
    assert people(text)[1][1] in {"Ann Bee", "Bee, Ann"}


def test_every_line_that_cant_be_read_is_named() -> None:
    assert faults("address,role,manager\na@x.org,boss,\n,,\nb@x.org,,perhaps\n,voter,\n") == [
        "Line 2: “boss” is no role: write voter or lobbyist.",
        "Line 4: “perhaps” does not say who is a manager: write yes or no.",
        "Line 5: there is no e-mail address.",
    ]
    assert faults("a@x.org\nAnn Bee\nb@x.org")[0] == "Line 2: “Ann Bee” is not an e-mail address."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" \n", "empty"),
        ("name,flat\nAnn,3\n", "names no column of e-mail addresses"),
        ("Ann Bee\n", "names no column of e-mail addresses"),
        ("email,mail\na@x.org,b@x.org\n", "may both be the address"),
        ("address,name\n", "nobody below the header"),
    ],
)
def test_a_list_that_cant_be_read_is_refused_as_a_whole(text: str, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        read_member_list(text)
    assert reason in caught.value.message
