"""The benchmark runs on a database of its own, and reports its findings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from democracy.benchmarks import QUICK, bundle_files, counting, incremental, large, ledgers, many, networks
from democracy.benchmarks.figures import Figure, compared, percentile, read_run, table
from democracy.management.commands import bench
from democracy.models import Following
from tests import servers
from tests.test_commands.running import made_community, made_decisions, run

CASES = [
    ledgers.verified,
    counting.scratch,
    counting.staging,
    counting.ballots,
    incremental.one_vote,
    incremental.other_changes,
]


def test_it_measures_in_a_database_of_its_own_and_writes_table_and_json(tmp_path):
    file, data = tmp_path / "figures.json", tmp_path / "data"
    only = [part for case in ("stored", "requests", "voters") for part in ("--only", case)]
    environment = servers.environment(data, DATABASE_URL="sqlite:////nowhere/at/all")
    done = subprocess.run(
        [sys.executable, "manage.py", "bench", "--members", "1000", *only, "--json", str(file)],
        cwd=Path(__file__).resolve().parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text())
    assert [figure["case"] for figure in written["figures"]] == ["stored"] * 2 + ["requests"] * 5 + ["voters"]
    assert all(0 < figure["baseline"] < figure["value"] for figure in written["figures"][2:7])
    assert [figure["value"] for figure in written["figures"][7:]] == [0]
    assert "voters at once over HTTP: errors and lost votes" in done.stdout
    assert not (data / "crowdvote.sqlite3").exists()


def test_the_shell_says_where_the_real_data_is_and_nothing_else():
    names = ["CROWDVOTE_DEBOUNCE", "CROWDVOTE_SHARED_DATA", "DATABASE_URL", "REDIS_URL", "PATH"]
    assert [name for name in names if not bench._decides(name)] == ["CROWDVOTE_SHARED_DATA", "PATH"]


@pytest.mark.parametrize("case", CASES)
def test_a_small_run_judges_no_target_that_needs_the_size(case):
    figures = list(case(QUICK / 10))
    assert figures
    assert {figure.reached for figure in figures} == {None}


@pytest.mark.django_db
@pytest.mark.parametrize("case", [many.decisions, many.communities])
def test_a_small_run_with_a_database_judges_none_either(case):
    figures = list(case(QUICK / 100))
    assert figures
    assert {figure.reached for figure in figures} == {None}


@pytest.mark.parametrize("shape", networks.SHAPES)
def test_networks_have_the_size_they_are_asked_for_and_are_the_same_each_time(shape):
    town = networks.SHAPES[shape](1_000, 2_000)
    assert abs(len(town.followings) - 2_000) < 60
    assert len(set(town.followings)) == len(town.followings)
    assert all(a != b and 1 <= a <= 1_000 and 1 <= b <= 1_000 for a, b in town.followings)
    assert len(town.ballots) == 200
    assert networks.SHAPES[shape](1_000, 2_000) == town


@pytest.mark.django_db
def test_a_made_up_community_can_be_imported_from_a_file(tmp_path):
    town = networks.preferential(40, 80)
    bundle_files.write(town, tmp_path / "town.json")
    lines = run("import_community", tmp_path / "town.json")
    community, decision = made_community(lines), made_decisions(lines)[bundle_files.DECISION]
    assert community.memberships.count() == 40
    assert Following.objects.filter(follower__community=community).count() == len(town.followings)
    cast = {ballot.membership.file_id: ballot for ballot in decision.ballots.select_related("membership")}
    assert cast.keys() == {f"m{voter}" for voter in town.ballots}
    for voter, ballot in town.ballots.items():
        stars = cast[f"m{voter}"].votes.order_by("choice__lot").values_list("stars", flat=True)
        assert tuple(stars) == ballot.stars


def test_a_step_tells_what_its_process_said_and_took_and_fails_with_its_error():
    step = large.run([sys.executable, "-c", "print('done'); held = bytearray(200 << 20)"])
    assert step.output == "done\n"
    assert step.memory > 200 << 20
    assert 0 < step.seconds < 60
    assert 0 < step.processor < 60
    with pytest.raises(RuntimeError, match="ValueError: no such town"):
        large.run([sys.executable, "-c", "raise ValueError('no such town')"])


def test_sizes_and_servers_that_cannot_be_are_refused():
    with pytest.raises(CommandError, match="--members: at least"):
        run("bench", "--members", 10)
    with pytest.raises(CommandError, match="not allowed with argument"):
        run("bench", "--members", 10_000, "--quick")
    with pytest.raises(CommandError, match="--redis goes with --database"):
        run("bench", "--redis", "redis://127.0.0.1:1/0")
    with pytest.raises(CommandError, match="invalid choice: 'nothing'"):
        run("bench", "--only", "nothing")
    pytest.importorskip("psycopg")
    with pytest.raises(CommandError, match="--database: "):
        run("bench", "--database", "postgres://nobody@127.0.0.1:1/nowhere")


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 5), (95, 10), (99, 10), (100, 10)])
def test_a_percentile_is_one_of_the_values(percent, value):
    assert percentile(list(range(10, 0, -1)), percent) == value


def test_the_table_says_what_was_missed():
    lines = table(
        [
            Figure("a", "fast", 0.5, "s", target="1 s", reached=True, baseline=5.0, baseline_is="plain"),
            Figure("b", "slow", 200, "ms", target="100 ms", reached=False, note="why"),
        ]
    ).splitlines()
    assert [line.split() for line in lines[2:4]] == [
        ["a", "fast", "0.5", "s", "5", "s", "(plain)", "10x", "1", "s", "ok"],
        ["b", "slow", "200", "ms", "100", "ms", "MISSED"],
    ]
    assert lines[-1] == "b, slow: why"


def test_a_real_network_is_read_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("CROWDVOTE_SHARED_DATA", str(tmp_path))
    assert networks.real("few.txt", cast=1) is None
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "few.txt").write_text("# made up\n10 7 0.8\n10,9\n7 9 0\n9 9\n7 9 1\n")
    town = networks.real("few.txt", cast=1)
    assert town is not None
    assert (town.members, town.followings, sorted(town.ballots)) == (3, [(1, 2), (3, 1), (3, 2)], [1, 2, 3])


NOW = [
    Figure("requests", "castVote", 6.0, "ms"),
    Figure("requests", "a page", 3.0, "ms"),
    Figure("tally", "1,000 ballots", 2.0, "s"),
]


def test_a_run_is_set_beside_an_earlier_one_figure_by_figure(tmp_path):
    then = [{"case": "requests", "what": "castVote", "value": 12, "unit": "ms"}]
    then += [{"case": "requests", "what": "gone", "value": 1, "unit": "ms"}]
    then += [{"case": "tally", "what": "1,000 ballots", "value": 2_000, "unit": "ms"}]
    (tmp_path / "then.json").write_text(json.dumps({"scale": 1, "figures": then}))
    head, _, *lines = compared(NOW, read_run(tmp_path / "then.json")).splitlines()
    assert [re.split(" {2,}", line) for line in (head, *lines)] == [
        ["case", "figure", "now", "then", "ratio"],
        ["requests", "castVote", "6 ms", "12 ms", "0.5x"],
        ["requests", "a page", "3 ms", "not measured"],
        ["tally", "1,000 ballots", "2 s", "not measured"],
    ]


@pytest.mark.parametrize("text", ["", "7", "[]", '{"figures": []}', '{"scale": 1, "figures": [{"case": "a"}]}'])
def test_what_no_run_has_written_is_refused_before_anything_is_measured(tmp_path, text):
    file = tmp_path / "then.json"
    with pytest.raises(CommandError, match=r"then\.json: No such file"):
        run("bench", "--compare", file)
    file.write_text(text)
    with pytest.raises(CommandError, match=r"then\.json: this was not written by `bench --json`"):
        run("bench", "--compare", file)


def test_a_run_of_another_size_is_not_compared(tmp_path):
    file = tmp_path / "then.json"
    file.write_text(json.dumps({"scale": QUICK, "figures": []}))
    with pytest.raises(CommandError, match="measured with 5,000 members, not 100,000"):
        run("bench", "--compare", file)
