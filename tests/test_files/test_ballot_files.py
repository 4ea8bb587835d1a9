"""Reading files of ballots: choices, voters and stars, whoever wrote the file; and refusing what may be else."""

from __future__ import annotations

import codecs

import pytest

from democracy.files.ballot_columns import Layout
from democracy.files.ballot_files import BallotFile, names_in, read_ballots
from democracy.files.csv_tables import read_table
from democracy.files.decoding import decode_spreadsheet, decode_unicode
from democracy.files.malformed import Malformed

Shown = tuple[str, list[tuple[str, tuple[str, ...]]], list[tuple[str, tuple[int | None, ...]]]]


def shown(file: BallotFile) -> Shown:
    """Layout, races with their choices, and ballots with their voters."""
    return (
        file.layout.value,
        [(race.title, race.choices) for race in file.races],
        [(ballot.voter, ballot.stars) for ballot in file.ballots],
    )


def refusal(text: str, **named: str) -> str:
    with pytest.raises(Malformed) as caught:
        read(text, **named)
    return str(caught.value)


def read(text: str, *, id_column: str = "", choices: str = "", exclude: str = "") -> BallotFile:
    return read_ballots(text, id_column=id_column, choices=names_in(choices), excluded=names_in(exclude))


ONE = [("", ("Ann", "Bob"))]
BALLOTS = [("v1", (5, 0)), ("v2", (None, 3))]


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("voterID,voteTime,pollID,Ann,Bob\nv1,t,p,5,0\nv2,t,p,,3\n", Layout.STAR_VOTE),
        ("v,t,p,Ann,Bob\nv1,t,p,5,0\nv2,t,p,,3\n", Layout.STAR_VOTE),
        ("Poll,Time,Ann,Voter,Bob\np,t,5,v1,0\np,t,,v2,3\n", Layout.STAR_VOTE),
        ("ballot_id,precinct,Ann,Bob\nv1,3,5,0\nv2,2,,3\n", Layout.BETTER_VOTING),
        ("ballot_id,Ann,Bob\nv1,5,0\nv2,,3\n", Layout.BETTER_VOTING),
        ("ballot_id,Race!!Ann,Race!!Bob\nv1,5,0\nv2,,3\n", Layout.BETTER_VOTING),
        ("Timestamp,Voter ID,Rate [Ann],Rate [Bob],Why?\n1,v1,5,0,a\n2,v2,,3,b\n", Layout.GOOGLE_FORMS),
        ("Member;Ann;Bob\nv1;5;0\nv2;;3\n", Layout.SHEET),
        ("id\tname\tAnn\tBob\nv1\tx\t5\t0\nv2\ty\t\t3\n", Layout.SHEET),
        ("Name,Ann,Bob\nv1,5,0\nv2,,3\n", Layout.SHEET),
        ("HANDLE,Ann,Bob,Comments\nv1,5,0,ok\nv2,,3,\n", Layout.SHEET),
    ],
)
def test_the_header_says_what_the_columns_hold(text, layout):
    assert shown(read(text)) == (layout.value, ONE, BALLOTS)


def test_columns_can_be_named_where_the_words_do_not_tell():
    text = 'Wer,Ann,Bob,Age,"Cyd, jr"\nv1,5,0,3,1\nv2,,3,4,2\n'
    assert "no column says whose ballot a row is" in refusal(text)
    assert shown(read(text, id_column="wer", choices="Ann,Bob")) == (Layout.SHEET.value, ONE, BALLOTS)
    assert read(text, id_column="1", choices='Bob,"Cyd, jr"').races[0].choices == ("Bob", "Cyd, jr")
    assert [voter for voter, _ in shown(read(text, choices="Ann,Bob"))[2]] == ["", ""]
    assert read(text, choices="Ann,Bob").passed_over == ("column 'Wer'", "column 'Age'", "column 'Cyd, jr'")
    assert "no column is called 'Dan', which --choices names" in refusal(text, choices="Ann,Dan")
    assert "no column is called 'Dan', which --id-column names" in refusal(text, id_column="Dan")


def test_who_votes_is_a_person_before_a_ballot_and_never_a_guess():
    assert read("id,voter,Ann,Bob\n1,v1,5,0\n2,v2,,3\n").voter_column == "voter"
    assert "'Voter ID' and 'username' may both say" in refusal("Voter ID,username,Ann,Bob\nv1,x,5,0\n")
    assert read("Voter ID,username,Ann,Bob\nv1,x,5,0\n", id_column="username").ballots[0].voter == "x"


def test_races_are_apart():
    text = "ballot_id,precinct,Mayor!!Ann,Mayor!!Bob,Council!!Ann,Council!!Dee\nb1,,5,4,0,3\n"
    races = [("Mayor", ("Ann", "Bob")), ("Council", ("Ann", "Dee"))]
    file = read(text)
    assert shown(file)[1:] == (races, [("b1", (5, 4, 0, 3))])
    assert [list(file.of_race(race)) for race in file.races] == [[(5, 4)], [(0, 3)]]
    forms = "Timestamp,Mayor? [Ann],Mayor? [Bob],Park? [Yes [both]],Park? [No]\n1,5,4,0,3\n"
    assert shown(read(forms))[1] == [("Mayor?", ("Ann", "Bob")), ("Park?", ("Yes [both]", "No"))]
    assert "belongs to no race" in refusal("ballot_id,Mayor!!Ann,Mayor!!Bob,Cyd\nb1,5,4,0\n")
    assert "race 'B' has 1 choices" in refusal("ballot_id,A!!Ann,A!!Bob,B!!Cyd\nb1,5,4,0\n")
    assert "a race of ranks" in refusal("ballot_id,precinct,Ann,Bob,overvote_rank,has_duplicate_rank\nb1,,1,2,,\n")
    # Marks that are part of a title.
    assert read("Voter,Yes!!,No\nv,5,4\n").races[0].choices == ("Yes!!", "No")
    assert read("Voter,Ann [Green],Bob [Red]\nv,5,4\n").races[0].choices == ("Ann [Green]", "Bob [Red]")


def test_compact_rows_stand_for_many_ballots():
    file = read("Ann,Bob,Cyd\n3:5,3,4\n1: ,0,0\n0,0,1\n")
    stars = [(5, 3, 4)] * 3 + [(None, 0, 0), (0, 0, 1)]
    assert shown(file) == (Layout.COMPACT.value, [("", ("Ann", "Bob", "Cyd"))], [("", each) for each in stars])
    for text in ("Ann,Bob\n0:5,3\n", "Ann,Bob\n2000000:5,3\n", "Ann,Bob\n2:6,3\n", "34:5,3\n2:1,1\n"):
        assert refusal(text)


def test_blank_is_unrated_and_a_row_of_blanks_abstains():
    file = read("Voter,Ann,Bob\nv1,,\n,,\n\nv2,0,\n")
    assert shown(file)[2] == [("v1", (None, None)), ("v2", (0, None))]
    assert file.passed_over == ("1 empty rows",)


@pytest.mark.parametrize("cell", ["5", "5.0", "5.000000", '"5,0"', '"5,00"', " 5 ", "\u00a05"])
def test_stars_as_programs_write_them(cell):
    assert read(f"Voter,Ann,Bob\nv,{cell},0\n").ballots[0].stars == (5, 0)


@pytest.mark.parametrize(
    "cell",
    ["6", "-1", "4.5", "5.", '"5,000"', "5000", "\u0665", "\uff15", "x", "-", "n/a", "5 stars", "1e0", "05", "+5"],
)
def test_other_cells_are_refused_by_line_and_column(cell):
    assert "line 3, column 'Ann': stars are whole numbers from 0 to 5" in refusal(f"Voter,Ann,Bob\nv,1,0\nw,{cell},0\n")


@pytest.mark.parametrize(
    "word", ["Average", "TOTAL", "Summe", "Promedio", "Weight", "Sum of stars", "Rank", "score", "#", "Nr."]
)
def test_summary_columns_are_refused_unless_excluded(word):
    text = f"Voter,Ann,Bob,{word}\nv1,5,0,5\nv2,,3,3\n"
    assert f"line 1, column 4: {word!r} looks like a sum, a weight or a row's number" in refusal(text)
    assert shown(read(text, exclude=word)) == shown(read(text, choices="Ann,Bob")) == (Layout.SHEET.value, ONE, BALLOTS)


@pytest.mark.parametrize("word", ["Average", "TOTAL:", "Sum", "Durchschnitt", "Moyenne", "Weight"])
def test_summary_rows_are_refused_unless_excluded(word):
    text = f"Voter,Time,Poll,Ann,Bob\nv1,t,p,5,0\nv2,t,p,,3\n{word},,,5,3\n"
    assert f"line 4: {word!r} looks like a sum" in refusal(text)
    assert shown(read(text, exclude=word))[2] == BALLOTS
    assert "no column and no row 'Means'" in refusal(text, exclude=f"{word},Means")


def test_a_column_of_stars_is_never_dropped_for_its_title():
    assert "'Time' holds stars and may be a choice" in refusal("Voter,Time,Money\nv,5,4\nw,,1\n")
    assert read("Voter,Time,Money\nv,5,4\n", choices="Time,Money").ballots[0].stars == (5, 4)
    assert "'Precinct' holds stars" in refusal("Voter,Ann,Precinct,Bob\nv,5,4,1\n")


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Agenda&notes", "Agenda&notes"),
        ("Terms&copy", "Terms&copy"),
        ("Q&A &amp; more", "Q&A & more"),
        ("Ai Cora&ccedil;&atilde;o", "Ai Coração"),
        ("&quot;B&quot; &#65; &#x42;", '"B" A B'),
        ("&notanentity; &notit;", "&notanentity; &notit;"),
        ("&amp;quot;", "&quot;"),
    ],
)
def test_entities_end_with_a_semicolon(written, title):
    assert read(f'Voter,"{written}",Other\nv,1,2\n').races[0].choices == (title, "Other")


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b;c\n1,2\n", ","),
        ("a;b,c\n1;2\n", ";"),
        ('"a;b",c\n1,2\n', ","),
        ('a,"b &quot;x&quot;"\n', ","),
        ("a\tb,c\n1\t2\n", "\t"),
        ("sep=|\na|b,c\n1|2\n", "|"),
        ('"sep=;"\r\na;b,c\r\n', ";"),
        ("SEP=,\na;x,b\n1,2\n", ","),
    ],
)
def test_the_separator_is_the_one_that_cuts_the_table(text, separator):
    table = read_table(text)
    assert (table.separator, len(table.header.cells)) == (separator, 2)


@pytest.mark.parametrize("text", ["", "\n\n", "a b c\n", "a,b;c\n1\n", "sep=x\naxb\n", 'a,"b\n', "a|b\n1|2\n"])
def test_a_table_without_a_certain_separator_is_refused(text):
    with pytest.raises(Malformed):
        read_table(text)


def test_lines_are_those_of_the_file():
    table = read_table('sep=;\n\na;"b\nc"\n1;"2\n3"\n\n4;5\n')
    assert [(row.line, row.cells) for row in (table.header, *table.rows)] == [
        (3, ("a", "b\nc")),
        (5, ("1", "2\n3")),
        (8, ("4", "5")),
    ]
    assert [row.line for row in read_table("a,b\r1,2\r3,4\r").rows] == [2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Voter,Ann,Bob\nann,1,2\nann,1,2\n", "line 3: 'ann' has a ballot already, on line 2."),
        ("Voter,Ann,Bob\nann,1,2\nAnn,1,2\n", "line 3: 'Ann' is nearly 'ann' on line 2"),
        ("Voter,Ann,Bob\nZoe\u0308,1,2\nZo\u00eb,1,2\n", "line 3: 'Zo\u00eb' has a ballot already"),
        ("Voter,Ann,Bob\n,1,2\n", "line 2, column 1: a voter id has"),
        ("Voter,Ann,Bob\nv,1\n", "line 2: 2 cells, not 3 as in the header."),
        ("Voter,Ann,Bob\nv,1,2,3\n", "line 2: 4 cells, not 3 as in the header."),
        ("Voter,Ann,ann\nv,1,2\n", "line 1, column 3: there is a choice 'ann' already."),
        ("Voter,Ann,A&amp;B,A&B\nv,1,2,3\n", "there is a choice 'A&B' already."),
        ("v1,t,p,5,4\nv2,t,p,5,4\n", "no column says whose ballot a row is"),
        ("voterID,voteTime,pollID\nv,t,p\n", "line 1: there is no column with a choice."),
        ("Ann,Bob\n5,4\n", "no column says whose ballot a row is"),
        ("name,handle,kind,role,counted,tags,comment,A,B\nx,x,shown,voter,yes,,,1,2\n", "column 'kind'"),
        ("name,handle,kind,role,counted,tags,comment,A,B\nx,x,cast,king,yes,,,1,2\n", "column 'role'"),
        ("name,handle,kind,role,counted,tags,comment,A,B\nx,x,cast,voter,yes,,,1.5,2\n", "column 'A'"),
        ('name,handle,kind,role,counted,tags,comment,A,B\nx,x,cast,voter,yes,"a,,b",,1,2\n', "column 'tags'"),
    ],
)
def test_what_is_wrong_is_named_by_line_and_column(text, message):
    assert message in refusal(text)


class TestText:
    @pytest.mark.parametrize(
        ("mark", "codec", "encoding"),
        [
            (b"", "utf-8", "UTF-8"),
            (codecs.BOM_UTF8, "utf-8", "UTF-8"),
            (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
            (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
            (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
            (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
        ],
    )
    def test_the_mark_says_how_it_is_encoded(self, mark, codec, encoding):
        for decode in (decode_unicode, decode_spreadsheet):
            text = decode(mark + "Zoë,Bob".encode(codec))
            assert (text.text, text.encoding) == ("Zoë,Bob", encoding)

    def test_only_spreadsheets_may_be_in_windows_1252(self):
        text = decode_spreadsheet("Zoë – 5 €".encode("cp1252"))
        assert (text.text, text.encoding) == ("Zoë – 5 €", "Windows-1252")
        with pytest.raises(Malformed, match="line 2: this is not UTF-8 text"):
            decode_unicode("a\rZoë".encode("cp1252"))

    def test_damaged_utf_8_is_not_taken_for_windows_1252(self):
        with pytest.raises(Malformed, match="line 2: this is not UTF-8 text"):
            decode_spreadsheet("Zoë\nÅsa".encode() + b"\xe9\n")
        assert decode_spreadsheet("„Groß“, „Zoë“".encode("cp1252")).text == "„Groß“, „Zoë“"
        with pytest.raises(Malformed, match="line 2: this is not UTF-8 text"):
            decode_spreadsheet(b"a\n\x81\n")

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"PK\x03\x04x", "a workbook or an archive"),
            (b"\xd0\xcf\x11\xe0x", "an old Excel workbook"),
            (b"\x1f\x8bx", "compressed"),
            (b"a\nb\0c", "line 2: there is a NUL"),
            ("a\nb".encode("utf-16-le"), "line 1: there is a NUL"),
            (codecs.BOM_UTF8 + b"a\nZo\xeb", "line 2: this is not UTF-8 text"),
            (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"\xff", "line 2: this is not UTF-16 text"),
        ],
    )
    def test_what_is_no_text_is_refused_with_what_to_do(self, data, message):
        for decode in (decode_unicode, decode_spreadsheet):
            with pytest.raises(Malformed) as caught:
                decode(data)
            assert message in str(caught.value)
