"""Followings from an edge list."""

from __future__ import annotations

import pytest

from democracy import ledger, services
from democracy.models import Community, Following, Membership
from tests import factories
from tests.rules import entries
from tests.test_commands.running import made_community, refused, run, said, town_of, write

pytestmark = pytest.mark.django_db


def followings(of: Community) -> set[tuple[str, str, tuple[str, ...]]]:
    rows = Following.objects.filter(follower__community=of).select_related("follower", "followee")
    return {(row.follower.file_id, row.followee.file_id, tuple(row.tags)) for row in rows}


def ids(of: Community) -> list[str]:
    return [row.file_id for row in Membership.objects.filter(community=of).order_by("pk")]


@pytest.mark.parametrize(
    "text",
    [
        "1 2 .8\n2 10 1\n",
        "1\t2\t.8\n2\t10\t1\n",
        "1,2,.8\n2,10,1\n",
        "# a comment\n\nfrom to weight since note\n1 2 .8 2001 x\n2 10 1.0 2002 y\n",
        "source,target,weight\r\n1 , 2 , 0.80\r\n2,10,1\r\n",
    ],
)
def test_columns_stand_apart_in_several_ways(tmp_path, text):
    village = made_community(run("import_followings", write(tmp_path, text), "--community", "V", "--tag-by-weight"))
    assert followings(village) == {("1", "2", ("0.8",)), ("2", "10", ("1",))}
    assert ids(village) == ["1", "2", "10"]


def test_two_columns_need_no_weight_and_may_have_a_header(tmp_path):
    village = made_community(run("import_followings", write(tmp_path, "from to\nann bob\n"), "--community", "V"))
    assert followings(village) == {("ann", "bob", ())}


def test_a_first_line_that_is_no_header_counts(tmp_path):
    village = made_community(run("import_followings", write(tmp_path, "ann bob\n"), "--community", "V"))
    assert followings(village) == {("ann", "bob", ())}


def test_what_is_passed_over_is_counted_and_its_ids_are_members(tmp_path):
    file = write(tmp_path, "% no edge\n1 1 1\n2 3 -1\n4 5 1\n4 5 .6\n")
    message = said("import_followings", file, "--community", "V", "--tag-by-weight")
    assert message.splitlines() == [
        "5 members made; 1 followings made or changed; 1 self-loops skipped; 1 negative weights skipped; "
        "1 repeated pairs, the last of which counts; 1 comment lines passed over",
        "read as: spaces between columns; no header: line 2 says that '1' follows '1'",
    ]
    village = Community.objects.get(name="V")
    assert ids(village) == ["1", "2", "3", "4", "5"]
    assert followings(village) == {("4", "5", ("0.6",))}


def test_the_ledger_has_one_entry_for_each_thing_and_no_fault(tmp_path):
    village = made_community(run("import_followings", write(tmp_path, "1 2\n2 3\n"), "--community", "V"))
    assert [entry.kind for entry in entries(village)] == ["community"] + ["membership"] * 3 + ["following"] * 2
    assert list(ledger.faults(village)) == []


def test_the_first_member_of_a_new_community_manages_it_and_cannot_sign_in(tmp_path):
    village = made_community(run("import_followings", write(tmp_path, "1 2\n"), "--community", "V"))
    first, second = Membership.objects.filter(community=village).select_related("user").order_by("pk")
    assert (first.is_manager, second.is_manager) == (True, False)
    assert (first.user.email, first.user.handle, first.user.has_usable_password()) == (None, "member_1", False)


def test_a_second_import_adds_and_changes_tags_and_leaves_the_rest(tmp_path):
    run("import_followings", write(tmp_path, "1 2 .8\n1 3 1\n"), "--community", "V", "--tag-by-weight")
    village = Community.objects.get(name="V")
    before = village.revision
    again = write(tmp_path, "1 2 .6\n1 3 1\n3 4 1\n")
    assert run("import_followings", again, "--community", "v", "--tag-by-weight") == [f"community {village.pk}"]
    assert followings(village) == {("1", "2", ("0.6",)), ("1", "3", ("1",)), ("3", "4", ("1",))}
    assert [entry.subject.split(":")[0] for entry in entries(village, after=before)] == [
        "membership",
        "following",
        "following",
    ]
    assert list(ledger.faults(Community.objects.get(pk=village.pk))) == []


def test_the_same_import_twice_changes_nothing(tmp_path):
    file = write(tmp_path, "1 2 .8\n")
    run("import_followings", file, "--community", "V", "--tag-by-weight")
    before = entries(Community.objects.get(name="V"))
    run("import_followings", file, "--community", "V", "--tag-by-weight")
    assert entries(Community.objects.get(name="V")) == before


def test_handles_that_are_taken_are_not_given_again(tmp_path):
    factories.person("member_1")
    village = made_community(run("import_followings", write(tmp_path, "1 2\n"), "--community", "V"))
    handles = Membership.objects.filter(community=village).order_by("pk").values_list("user__handle", flat=True)
    assert list(handles) == ["member_1_2", "member_2"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", (), "There is no line with two ids."),
        ("1 2\n3\n", (), "line 2: two ids are needed"),
        ("1 2 1\n3 4 much\n", (), "line 2: the weight 'much' is not a number."),
        ("1 2 nan\n", (), "line 1: the weight 'nan' is not a number."),
        ("1 2 1e400\n", (), "line 1: the weight '1e400' is not a number."),
        ("1 2 1\n3 4\n", ("--tag-by-weight",), "line 2: there is no weight"),
        ("1,,1\n2,3,1\n", (), "line 1: an id has 1 to 80"),
        ("1 2\n" + "x" * 81 + " 2\n", (), "line 2: an id has 1 to 80"),
        ("nobody knows\n1 2\n", (), "line 1: this may be a header or a following"),
        ("\n".join(f"1 {n}" for n in range(2, 1003)), (), "line 1001: '1' would follow more than 1,000 members."),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line_and_nothing_is_written(tmp_path, text, options, message):
    with refused(message):
        run("import_followings", write(tmp_path, text), "--community", "V", *options)


def test_a_thousand_followings_are_the_most(tmp_path):
    text = "\n".join(f"1 {n}" for n in range(2, 1002))
    village = made_community(run("import_followings", write(tmp_path, text), "--community", "V"))
    assert len(followings(village)) == 1_000


def test_text_that_is_not_utf_8_is_named_by_its_line(tmp_path):
    file = tmp_path / "input"
    file.write_bytes(b"1 2\n3 \xff\n")
    with refused("line 2: this is not UTF-8 text: save the file as UTF-8"):
        run("import_followings", file, "--community", "V")


def test_ids_are_those_of_members_or_their_handles_and_others_become_members(tmp_path):
    town, members = town_of("ann", "bob")
    run("import_followings", write(tmp_path, "from,to\nann,@Bob\ncyd,ann\n"), "--community", town.name)
    ann, bob = members["ann"], members["bob"]
    cyd = Membership.objects.get(community=town, file_id="cyd")
    rows = Following.objects.filter(follower__community=town).values_list("follower", "followee")
    assert set(rows) == {(ann.pk, bob.pk), (cyd.pk, ann.pk)}


def test_an_address_means_the_member_who_has_it_and_makes_nobody(tmp_path):
    town, members = town_of("ann", "bob")
    run("import_followings", write(tmp_path, "ANN@example.org,bob\n"), "--community", town.name)
    rows = Following.objects.filter(follower__community=town).values_list("follower", "followee")
    assert set(rows) == {(members["ann"].pk, members["bob"].pk)}
    with refused("line 2: 'cyd@example.org' is an e-mail address and no member's"):
        run("import_followings", write(tmp_path, "bob,ann\nann,cyd@example.org\n"), "--community", town.name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bob,ann\nBob,cyd\n", "line 2: 'Bob' and 'bob' are the same member."),
        ("ann,bob\nbob,X1\n", "line 2: 'X1' is nearly the id of a member"),
    ],
)
def test_an_id_that_may_be_somebody_elses_is_refused(tmp_path, text, message):
    town, members = town_of("ann", "bob")
    Membership.objects.filter(pk=members["manager"].pk).update(file_id="x1")
    with refused(message):
        run("import_followings", write(tmp_path, text), "--community", town.name)


def test_an_id_that_is_one_members_and_the_handle_of_another_who_signs_in_is_refused(tmp_path):
    town, members = town_of("ann", "bob")
    Membership.objects.filter(pk=members["ann"].pk).update(file_id="bob")
    with refused("line 1: 'bob' is the id of one member and the handle of another"):
        run("import_followings", write(tmp_path, "bob 1\n"), "--community", town.name)


def test_columns_can_be_named(tmp_path):
    file = write(tmp_path, "von wem,an wen,seit,wie sehr\na,b,2001,.8\n")
    named = ("--from-column", "an wen", "--to-column", 1, "--weight-column", "wie sehr")
    village = made_community(run("import_followings", file, "--community", "V", "--tag-by-weight", *named))
    assert followings(village) == {("b", "a", ("0.8",))}


def test_how_the_file_was_read_is_told(tmp_path):
    lines = said("import_followings", write(tmp_path, "id;to;from\n1;a;b\n"), "--community", "V").splitlines()
    assert lines[1:] == [
        "read as: semicolons between columns; line 1 is a header: 'from' follows 'to'",
        "columns passed over: id",
    ]


def test_a_graph_is_read_by_its_own_rules(tmp_path):
    file = write(tmp_path, "digraph { a -> b [weight=2]; c; a -> a [weight=1] }")
    message = said("import_followings", file, "--community", "V", "--tag-by-weight")
    assert message.splitlines()[1] == "read as: DOT: an arc goes from who follows to who is followed"
    village = Community.objects.get(name="V")
    assert followings(village) == {("a", "b", ("2",))}
    assert ids(village) == ["a", "b", "c"]


def test_a_missing_file_is_refused(tmp_path):
    with refused("No such file"):
        run("import_followings", tmp_path / "none", "--community", "V")


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\x00b"])
def test_a_community_needs_a_fitting_name(tmp_path, name):
    with refused("community: "):
        run("import_followings", write(tmp_path, "1 2\n"), "--community", name)


def test_nobody_follows_somebody_anonymous_or_gone(tmp_path):
    run("import_followings", write(tmp_path, "1 2\n3 1\n"), "--community", "V")
    second, third = Membership.objects.filter(file_id__in=("2", "3")).order_by("file_id").select_related("user")
    services.set_anonymity(second.user, second.community_id, anonymous=True, confirmed=True)
    services.leave_community(third.user, third.community_id)
    with refused("line 1: '2' cannot be followed."):
        run("import_followings", write(tmp_path, "1 2\n"), "--community", "V")
    with refused("line 2: '3' has left the community."):
        run("import_followings", write(tmp_path, "2 1\n3 1\n"), "--community", "V")
