"""Reading edge lists: who follows whom, whoever wrote the file; and refusing where nobody could tell."""

from __future__ import annotations

import unicodedata

import pytest

from democracy.files.edge_columns import Wanted
from democracy.files.edge_lists import read_edge_list
from democracy.files.malformed import Malformed


def pairs(text: str, **wanted: str) -> list[tuple[str, str]]:
    return list(read_edge_list(text, wanted=Wanted(**wanted)).edges)


def tagged(text: str, **wanted: str) -> dict[tuple[str, str], tuple[str, ...]]:
    edges = read_edge_list(text, wanted=Wanted(**wanted), tag_by_weight=True).edges
    return {pair: edge.tags for pair, edge in edges.items()}


def refusal(text: str, **wanted: str) -> str:
    with pytest.raises(Malformed) as caught:
        read_edge_list(text, wanted=Wanted(**wanted))
    return str(caught.value)


# Each head names the follower first and the followee second.
HEADS = [
    ("from", "to"),
    ("From", "To"),
    ("source", "target"),
    ("Source_ID", "Target_ID"),
    ("src", "dst"),
    ("src", "dest"),
    ("FromNodeId", "ToNodeId"),
    ("FROM NODE", "TO NODE"),
    ("from_user", "to_user"),
    ("u", "v"),
    ("follower", "followee"),
    ("follower_id", "followee_id"),
    ("Follower", "Following"),
    ("follower", "followed"),
    ("follower_id", "user_id"),
    ("user", "follows"),
    ("USER", "FOLLOWS"),
    ("member", "trusts"),
    ("voter", "delegate"),
    ("voter_id", "delegate_id"),
    ("voter", "trustee"),
    ("member", "proxy"),
    ("person", "delegates to"),
    ("name", "representative"),
    ("delegator", "delegate"),
    ("delegator", "member"),
    ("trustor", "trustee"),
    ("truster", "trusted"),
    ("rater", "ratee"),
    ("who", "whom"),
    ("sender", "receiver"),
    ("von", "nach"),
    ("Quelle", "Ziel"),
    ("origen", "destino"),
]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(("follower", "followee"), HEADS)
def test_a_header_is_read_for_its_meaning_in_any_order_and_among_others(follower, followee, separator):
    def read(*rows: tuple[str, ...]) -> list[tuple[str, str]]:
        return pairs("".join(separator.join(row) + "\n" for row in rows))

    assert read((follower, followee), ("a", "b")) == [("a", "b")]
    assert read((followee, follower), ("a", "b")) == [("b", "a")]
    assert read((f'"{followee}"', f'"{follower}"'), ('"a"', '"b"')) == [("b", "a")]
    row = ("since", followee, "weight", follower, "note")
    assert read(row, ("2001", "b", "1", "a", "x")) == [("a", "b")]


@pytest.mark.parametrize(
    "head",
    [
        "head,tail",
        "parent,child",
        "node1,node2",
        "user1,user2",
        "user,friend",
        "user,followers",
        "user,represents",
        "from,from,to",
        "id,user,follows",
        "follower,since",
        "source,user",
        "subject,predicate,object",
        "name,id",
        "i,j",
        "x,y",
        "entrepreneur,investor",
        "Person A,Person B",
        "Kunde,Berater",
        "from,source,to",
    ],
)
def test_a_header_that_leaves_open_who_follows_whom_is_refused(head):
    width = head.count(",") + 1
    assert refusal(f"{head}\n{','.join('abc'[:width])}\n").startswith("line 1: ")
    # The same columns, named.
    first, second = head.split(",")[:2]
    if head.split(",").count(first) == 1:
        assert pairs(f"{head}\n{','.join('abc'[:width])}\n", follower=second, followee=first) == [("b", "a")]


def test_a_first_line_is_a_following_where_it_is_like_the_others():
    assert pairs("ann bob\n") == [("ann", "bob")]
    assert pairs("ann bob\ncyd dan\n") == [("ann", "bob"), ("cyd", "dan")]
    assert pairs("Bartholomew,bo\nbo,cy\n") == [("Bartholomew", "bo"), ("bo", "cy")]
    assert pairs("user1,user22\nuser3,user14\n") == [("user1", "user22"), ("user3", "user14")]
    assert pairs("supercalifragilistic bo 1\na b 1\n")[0] == ("supercalifragilistic", "bo")
    assert pairs("7 8\nx y\n")[0] == ("7", "8")


def test_a_first_line_that_may_be_either_is_refused():
    assert "this may be a header or a following" in refusal("nominator nominated\na b\n")
    assert "'to' is an id, too" in refusal("from,to\nto,bob\n")
    assert "'v' is an id, too" in refusal("u v\nv w\n")
    assert "may be a header" in refusal("a b note\nc d 1\n")
    assert pairs("from to\nfrom to\n", follower="from", followee="to") == [("from", "to")]


def test_the_weight_is_found_by_its_word():
    assert tagged("to,weight,from\na,.5,b\n") == {("b", "a"): ("0.5",)}
    assert tagged("u v w\n1 2 3\n") == {("1", "2"): ("3",)}
    assert tagged("from,to,strong\na,b,2\n", weight="strong") == {("a", "b"): ("2",)}
    assert tagged("6,2,4,1289\n7,2,5,1290\n", follower="2", followee="1", weight="3")["2", "6"] == ("4",)
    with pytest.raises(Malformed, match="line 2: there is no weight"):
        tagged("from,to,strong\na,b,2\n")


def test_a_negative_weight_that_is_not_known_as_one_is_refused():
    assert "line 3: -1 may be a negative weight" in refusal("from,to,feeling\na,b,1\nb,c,-1\n")
    found = read_edge_list("from,to,feeling\na,b,1\nb,c,-1\n", wanted=Wanted(weight="feeling"))
    assert (list(found.edges), found.negative) == ([("a", "b")], 1)


def test_a_column_that_may_limit_the_followings_is_refused_unless_those_that_count_are_named():
    text = "from,to,topic\na,b,roads\n"
    assert "'topic' may limit the followings" in refusal(text)
    assert pairs(text, follower="from", followee="to") == [("a", "b")]


def test_columns_without_a_header_are_refused_unless_they_are_numbered():
    assert "4 columns without a header" in refusal("1 10 20 1\n2 20 30 1\n")
    assert pairs("1 10 20 1\n2 20 30 1\n", follower="2", followee="3") == [("10", "20"), ("20", "30")]
    assert "columns, not 2" in refusal("from,to\na,b,c\n")
    assert "columns, not" in refusal("a b 1\nb c\n")
    assert "columns only" in refusal("a b\nb c\n", follower="1", followee="3")
    assert "1 column only" in refusal("a,\nb,\n", follower="1", followee="5")


@pytest.mark.parametrize(
    "wanted", [{"follower": "0", "followee": "1"}, {"follower": "1", "followee": "2", "weight": "0"}]
)
def test_columns_are_numbered_from_1_with_a_header_or_without(wanted: dict[str, str]) -> None:
    """Check that 0 is no number of a column: it would be the last one, and turn every following around."""
    assert "there are 3 columns only, numbered from 1" in refusal("a b 1\nb c 2\n", **wanted)
    assert "no column is called '0'" in refusal("follower followee weight\na b 1\n", **wanted)


def test_one_column_does_not_say_both_ends_with_a_header_or_without() -> None:
    same = "the same column says who follows and who is followed"
    for text in ("a b\nb c\n", "from to\na b\n"):
        assert same in refusal(text, follower="1", followee="1")
    assert "which --from-column names" in refusal("from,to\na,b\n", follower="nobody")


def test_trailing_empty_columns_are_none():
    assert pairs("from,to,,\na,b,,\n") == [("a", "b")]
    assert pairs("a;b;;\nb;c;;\n") == [("a", "b"), ("b", "c")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann;Bob Ray\nBob Ray;Cyd\n", [("Ann", "Bob Ray"), ("Bob Ray", "Cyd")]),
        ("Ann Lee,Bob Ray\nBob Ray,Cyd Ox\n", [("Ann Lee", "Bob Ray"), ("Bob Ray", "Cyd Ox")]),
        ("Ann Lee\tBob\nBob\tCyd\n", [("Ann Lee", "Bob"), ("Bob", "Cyd")]),
        ("1\t2 .5\n2 3\t1\n", [("1", "2"), ("2", "3")]),
        ("1 2\t.5\n2 3\t1\n", [("1", "2"), ("2", "3")]),
        ("\t1\t2\n\t2\t3\n", [("1", "2"), ("2", "3")]),
        ("a\tb\t\nb\tc\t1\n", [("a", "b"), ("b", "c")]),
        ("1,  2\n2 , 3\n", [("1", "2"), ("2", "3")]),
        ('"Ann Lee" bob\nbob "Ann Lee"\n', [("Ann Lee", "bob"), ("bob", "Ann Lee")]),
        ('"#budget" ann\nann "#budget"\n', [("#budget", "ann"), ("ann", "#budget")]),
        ("sep=;\nAnn;Bob\nBob;Cyd\n", [("Ann", "Bob"), ("Bob", "Cyd")]),
        ("sep=|\nAnn|Bob\nBob|Cyd\n", [("Ann", "Bob"), ("Bob", "Cyd")]),
        ("a b\rb c\r", [("a", "b"), ("b", "c")]),
        ("a b\r\nb c\r\n", [("a", "b"), ("b", "c")]),
        ("O'Brien d'Arc\nd'Arc [bot]\n", [("O'Brien", "d'Arc"), ("d'Arc", "[bot]")]),
        ("ann@example.org,bob@example.org\n", [("ann@example.org", "bob@example.org")]),
    ],
)
def test_the_separator_is_the_one_that_cuts_all_lines(text, expected):
    assert pairs(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"from":"a","to":"b"}\n',
        '[["a","b"],["b","c"]]\n',
        "a|b\nb|c\n",
        "a -> b\nb -> c\n",
        "1 -> 2\n2 -> 3\n",
        "1 → 2\n2 → 3\n",
        "(1, 2)\n(2, 3)\n",
        "('a', 'b')\n('b', 'c')\n",
        "'a','b'\n'b','c'\n",
        "“a”,“b”\n“b”,“c”\n",
        "a->b\nb->c\n",
        "1: 2 3\n2: 3 4\n",
        "1 follows 2\n3 follows 4\n",
        "from,to,2020\na,b,1\n",
        "1 2 3 4\n2 3\n3 1 2\n",
        "a,b;c\nb,c;d\n",
        "a,b\nb;c\n",
        "a,b c,d\n",
        '"Lee, Ann","Ray, Bob"\n"Ray, Bob","Ox, Cyd"\n',
        'a"b c\nc d\n',
        "{a} {b}\n",
        "a,b\n\u200bb,c\n",
        "1 2,3\n2 3,4\n",
        "x\n",
        ",,\n",
        "\n \n",
        "# only a comment\n",
        "from,to\n",
        "Ann 5,Bob 6\nBob 6,Cyd 7\n\n1 2",
        'a b "1,000"\n',
        "a b 1_000\n",
        "`a` `b`\n`b` `c`\n",
        "from,to\na,b\nsource,target\nc,d\n",
        "a,b\nb,a\nto,from\nc,d\n",
        "a b 1,500\n",
        "a b 1.234,5\n",
        "<html><body>a b</body></html>",
        'a,"b\nb",c\n',
        "sep=x\na b\n",
    ],
)
def test_what_cannot_be_read_with_certainty_is_refused(text):
    assert refusal(text)


def test_a_refusal_names_the_line_and_what_to_do():
    assert refusal("a b\nc;d e\n") == (
        "line 2: 'c;d' is no id: it has a separator, quote or brace in it. Between the columns of a file stand spaces, "
        "tabs, commas or semicolons: one of them."
    )
    assert refusal("1,2\n3\n").startswith("line 2: two ids are needed: from and to, with spaces, tabs, commas")
    assert "may be thousands" in refusal('a b "1,000"\n')


def test_decimal_commas_are_decimals():
    assert tagged("a b 0,8\nb c 0,6\n") == {("a", "b"): ("0.8",), ("b", "c"): ("0.6",)}
    assert tagged("a;b;0,80\nb;c;1,0\n") == {("a", "b"): ("0.8",), ("b", "c"): ("1",)}
    assert tagged('from,to,weight\na,b,"0,125"\n') == {("a", "b"): ("0.125",)}


def test_comments_are_counted_and_one_that_may_be_an_id_is_told():
    found = read_edge_list("#budget alice\n#roads bob\nalice #budget\n% x\n")
    assert (list(found.edges), found.comments) == ([("alice", "#budget")], 3)
    assert found.remarks == [
        "'#budget' is an id, but lines that begin with # were passed over as comments: quote the ids on them if they "
        "are followings"
    ]


def test_a_comment_may_name_the_columns_as_in_snaps_files():
    snap = "# Directed graph\n# Nodes: 3 Edges: 2\n# {}\n1\t2\n2\t3\n"
    assert pairs(snap.format("FromNodeId\tToNodeId")) == [("1", "2"), ("2", "3")]
    assert pairs(snap.format("ToNodeId\tFromNodeId")) == [("2", "1"), ("3", "2")]
    assert pairs(snap.format("ToNodeId\tFromNodeId"), follower="1", followee="2") == [("1", "2"), ("2", "3")]


def test_ids_are_composed_and_one_that_differs_in_capitals_is_told():
    name = "Zoë"
    found = read_edge_list(f"{unicodedata.normalize('NFD', name)} bob\n{name} Bob\n")
    assert set(found.edges) == {(name, "bob"), (name, "Bob")}
    assert found.remarks == ["2 ids differ from another only in capitals"]


class TestFormatsOfTheirOwn:
    def test_konect(self):
        konect = "% {} posweighted\n% 2 3 3\n1\t2\t0.8\t1082040961\n2\t3\t1\t1082040962\n"
        found = read_edge_list(konect.format("asym"), tag_by_weight=True)
        assert (found.ids, found.comments) == ({"1", "2", "3"}, 2)
        assert [(pair, edge.tags) for pair, edge in found.edges.items()] == [
            (("1", "2"), ("0.8",)),
            (("2", "3"), ("1",)),
        ]
        assert "line 1: here an edge has no direction" in refusal(konect.format("sym"))
        assert refusal(konect.format("bip"))

    def test_matrix_market(self):
        matrix = "%%MatrixMarket matrix coordinate {} {}\n% made up\n{}\n1 2 0.5\n2 3 0.5\n"
        assert pairs(matrix.format("real", "general", "3 3 2")) == [("1", "2"), ("2", "3")]
        pattern = "%%MatrixMarket matrix coordinate pattern general\n3 3 1\n1 2\n"
        assert pairs(pattern) == [("1", "2")]
        for what in (
            ("real", "symmetric", "3 3 2"),
            ("complex", "general", "3 3 2"),
            ("real", "general", "3 4 2"),
            ("real", "general", "3 3 5"),
            ("real", "general", "3 3"),
        ):
            assert refusal(matrix.format(*what)).startswith("line ")
        assert refusal("%%MatrixMarket matrix array real general\n1 1\n5\n")

    def test_dimacs(self):
        dimacs = "c comment here\np sp 3 2\na 1 2 5\na 2 3 5\n"
        found = read_edge_list(dimacs)
        assert (list(found.edges), found.ids, found.comments) == ([("1", "2"), ("2", "3")], {"1", "2", "3"}, 1)
        assert "no direction" in refusal("p edge 3 1\ne 1 2\n")
        assert "the file says 2 entries and has 1" in refusal("p sp 3 2\na 1 2 5\n")
        assert "an arc is" in refusal("p sp 3 1\n1 2 5\n")

    def test_gephi_says_where_edges_have_no_direction(self):
        gephi = "Source,Target,Type,Id,Label,Weight\na,b,{},0,,2\n"
        assert tagged(gephi.format("Directed")) == {("a", "b"): ("2",)}
        assert "line 2: here an edge has no direction" in refusal(gephi.format("Undirected"))

    GRAPHML = (
        '<?xml version="1.0" encoding="UTF-16"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        '<key id="w" for="edge" attr.name="weight" attr.type="double"/><graph edgedefault="directed">'
        '<node id="a"/><node id="b"/><node id="c"/>'
        '<edge source="a" target="b"><data key="w">0.5</data></edge></graph></graphml>'
    )

    @pytest.mark.parametrize(
        "text",
        [
            GRAPHML,
            'Creator "somebody"\ngraph [ directed 1\n node [ id 1 label "a" ] node [ id 2 label "b" ]'
            '\n node [ id 3 label "c" ] edge [ source 1 target 2 weight 0.5 ] ]\n',
            'graph\n[\n directed 1 node [ id "a" ] node [ id "b" ] node [ id "c" ] '
            'edge [ source "a" target "b" value 0.5 ] ]',
            '% made up\n*Vertices 3\n1 "a"\n2 "b"\n3 "c"\n*Arcs\n1 2 0.5\n',
            'digraph g { a -> "b" [weight=0.5]; c }',
            "// made up\nstrict digraph\n{\n a -> b [weight=0.5]\n c\n}\n",
        ],
    )
    def test_graphs_have_arcs_and_members_without_any(self, text):
        found = read_edge_list(text, tag_by_weight=True)
        assert (found.ids, {pair: edge.tags for pair, edge in found.edges.items()}) == (
            {"a", "b", "c"},
            {("a", "b"): ("0.5",)},
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (GRAPHML.replace("directed", "undirected"), "no direction"),
            (GRAPHML[:200], "line 2: this is not GraphML"),
            (GRAPHML.replace("<graphml", "<!DOCTYPE x [<!ENTITY y 'z'>]><graphml"), "entities"),
            ("<gexf></gexf>", "line 1: this is XML, but not GraphML"),
            ('graph [ node [ id 1 label "a" ] node [ id 2 label "b" ] edge [ source 1 target 2 ] ]', "no direction"),
            ('graph [ directed 1 node [ id 1 label "a" ] node [ id 2 label "a" ] ]', "cannot be read as GML"),
            ("graph [ directed 1 node ( ]", "cannot be read as GML"),
            ('*Vertices 2\n1 "a"\n2 "b"\n*Edges\n1 2\n', "line 4: of Pajek"),
            ('*Vertices 2\n1 "a"\n2 "a"\n*Arcs\n1 2\n', "number of vertices"),
            ("graph { a -- b }", "no direction"),
            ("digraph { a -> b", "line 1: this is not DOT"),
            ("digraph { subgraph x { a -> b } }", "subgraph"),
            ("digraph { a -> b } digraph { c -> d }", "more than one graph"),
            ("digraph { a:left -> b }", "port"),
            ('digraph { "a,b" -> c }', "is no id"),
            ("digraph { a -> b [dir=back] }", "turns its arrow"),
            ('digraph { edge [dir="none"]; a -> b }', "turns its arrow"),
        ],
    )
    def test_what_a_reader_would_drop_unsaid_is_refused(self, text, message):
        assert message in refusal(text)
