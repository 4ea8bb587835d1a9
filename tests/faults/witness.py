"""A record of what happened in the database, kept by the database.

# Note [A witness of its own]
That no two runs overlapped is not taken from what CrowdVote says of itself. Triggers in the run's own database write
down every change of a claim and every stored calculation, in the transaction that made it: what was rolled back is not
there, and since the writers of a claim exclude each other, the order of the records is the order of the events.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.faults.cluster import Cluster, CommandFailed
from tests.faults.history import Content
from tests.faults.process import PROJECT
from tests.faults.state import ClaimWritten, DecisionState, Entry, FinalState, ResultStored, Shown, StagedBallot
from tests.faults.town import Question, Town, key_of
from tests.faults.watchers import content_of

# Exports the decisions that its arguments name into the files of their numbers, and says what stood in the way, which
# choices they have, and which staged ballots are stored.
_EXPORT = """
import json, sys
import django
django.setup()
from django.core.management import CommandError, call_command
from democracy.models import Choice, StagedBlock

def export(pk):
    try:
        call_command("export_decision", pk, "--output", f"{sys.argv[1]}/decision-{pk}.json")
    except CommandError as error:
        return str(error)

def staged(pk):
    for block in StagedBlock.objects.filter(decision=pk):
        columns = block.columns()
        for one in map(columns.ballot, range(len(columns))):
            yield one.member, [one.kind, one.microstars, sorted(one.tags), one.is_counted, one.is_anonymous]

print(json.dumps({
    pk: {
        "complaint": export(pk),
        "choices": list(Choice.objects.filter(decision=pk).values_list("pk", flat=True)),
        "staged": dict(staged(pk)),
    }
    for pk in sys.argv[2:]
}))
"""
_VERIFIER = PROJECT / "verify" / "crowdvote_verify.py"
_TRIGGERS = """
    CREATE TABLE witnessed (
        id bigserial PRIMARY KEY, transaction bigint NOT NULL, at timestamptz NOT NULL,
        writer text NOT NULL DEFAULT current_setting('application_name'), community bigint NOT NULL,
        fence bigint, holder text, expires_at timestamptz, decision bigint, revision bigint, final boolean
    );
    CREATE FUNCTION witness_claim() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO witnessed (transaction, at, community, fence, holder, expires_at)
        VALUES (txid_current(), clock_timestamp(), NEW.community_id, NEW.fence, NEW.holder, NEW.expires_at);
        RETURN NULL;
    END $$;
    CREATE TRIGGER witness_claim AFTER INSERT OR UPDATE ON democracy_calculationclaim
        FOR EACH ROW EXECUTE FUNCTION witness_claim();
    CREATE FUNCTION witness_result() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO witnessed (transaction, at, community, decision, revision, final)
        VALUES (txid_current(), clock_timestamp(), NEW.community_id, NEW.id, NEW.calculated_revision,
                NEW.closes_at <= clock_timestamp());
        RETURN NULL;
    END $$;
    CREATE TRIGGER witness_result AFTER UPDATE OF calculated_revision ON democracy_decision
        FOR EACH ROW EXECUTE FUNCTION witness_result();
"""
_WITNESSED = """
    SELECT transaction, extract(epoch FROM at)::float8, writer, community, fence, holder,
           extract(epoch FROM expires_at)::float8, decision, revision, final
    FROM witnessed ORDER BY id
"""
# What the registers have nothing of, or another way.
_LEFT_OUT = "'{cast,created,anonymous,pseudonym}'::text[]"
_BALLOTS = """
    SELECT b.decision_id, b.membership_id, b.tags, b.abstain, b.comment,
           coalesce(jsonb_object_agg(v.choice_id::text, v.stars) FILTER (WHERE v.id IS NOT NULL), '{}')
    FROM democracy_ballot b LEFT JOIN democracy_vote v ON v.ballot_id = b.id
    GROUP BY b.id
"""
_FOLLOWINGS = 'SELECT follower_id, followee_id, tags, "order" FROM democracy_following'
_MEMBERSHIPS = "SELECT id, user_id, left_at IS NULL, role, is_anonymous FROM democracy_membership"
_ENTRIES = f"""
    SELECT community_id, subject, revision, CASE kind
               WHEN 'membership' THEN jsonb_build_object(
                   'active', after->'active', 'role', after->'role', 'anonymous', after->'anonymous')
               ELSE after - {_LEFT_OUT} END,
           hash, extract(epoch FROM time)::float8, coalesce(after->>'pseudonym', '')
    FROM democracy_ledgerentry
    WHERE kind IN ('ballot', 'following', 'membership') ORDER BY community_id, revision
"""
# The age of the oldest ballot that no result reflects yet.
_LAG = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.time)), 0)::float8
    FROM democracy_decision d
    JOIN democracy_ledgerentry e
      ON e.community_id = d.community_id AND e.decision_id = d.id AND e.revision > d.calculated_revision
    WHERE e.kind = 'ballot' AND d.calculated_revision < d.input_revision AND d.closes_at > now()
"""
_UNFINISHED = """
    SELECT count(*) FROM democracy_decision d WHERE CASE
        WHEN d.closes_at > now() THEN d.calculated_revision < d.input_revision
        ELSE NOT EXISTS (SELECT FROM democracy_decisionsnapshot s WHERE s.decision_id = d.id AND s.is_final)
    END
"""


class Witness:
    """Reads a cluster's database, past CrowdVote."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.lags: list[float] = []
        self._began: dict[int, int] = {}

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.cluster.postgres.url, connect_timeout=2, autocommit=True)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._connect() as connection:
            return connection.execute(query).fetchall()

    def take_place(self) -> None:
        with self._connect() as connection:
            connection.execute(_TRIGGERS)

    def begin(self) -> None:
        """From here on entries are the run's."""
        self._began = dict(self._rows("SELECT id, revision FROM democracy_community"))

    async def measure(self, until: Callable[[], bool]) -> None:
        """Measure the age of the oldest uncounted ballot, twice a second, whenever the database answers."""
        while not until():
            try:
                ((lag,),) = await asyncio.to_thread(self._rows, _LAG)
                self.lags.append(lag)
            except psycopg.OperationalError:
                pass
            await asyncio.sleep(0.5)

    def is_finished(self) -> bool:
        """Every decision is current, and the closed ones have their final results."""
        try:
            return self._rows(_UNFINISHED) == [(0,)]
        except psycopg.OperationalError:
            return False

    def newest(self, decision: Question) -> tuple[Shown, str] | None:
        """The newest result with its content."""
        return max(self._snapshots(decision).items(), default=None)

    def state(self, towns: Sequence[Town]) -> FinalState:
        memberships = self._rows(_MEMBERSHIPS)
        of_before = {member.pk for town in towns for member in town.members}
        keys = {pk: key_of(user, pk if pk in of_before else 0) for pk, user, *_ in memberships}
        before: dict[str, Entry] = {}
        entries = []
        for community, subject, revision, after, digest, time, pseudonym in self._rows(_ENTRIES):
            entry = Entry(_register(subject, keys), revision, after, digest, time, pseudonym)
            if revision <= self._began[community]:
                before[entry.subject] = entry
            else:
                entries.append(entry)
        decisions = [(town, decision) for town in towns for decision in town.decisions]
        numbers = [str(decision.pk) for _, decision in decisions]
        told = json.loads(self.cluster.program(_EXPORT, str(self.cluster.directory), *numbers))
        bearers = {(entry.parts[1], entry.pseudonym): entry.parts[2] for entry in entries if entry.pseudonym}
        return FinalState(
            entries,
            {_register(subject, keys): content for subject, content in self._contents()}
            | {
                f"membership:{keys[pk]}": {"active": active, "role": role, "anonymous": anonymous}
                for pk, _, active, role, anonymous in memberships
            },
            before,
            list(self._ledger_faults()),
            [
                self._decision(town, decision, told[str(decision.pk)], _Names(town, keys, bearers))
                for town, decision in decisions
            ],
            list(self._runs()),
        )

    def _runs(self) -> Iterator[ClaimWritten | ResultStored]:
        names = {str(pid): process.name for process in self.cluster.processes for pid in process.pids}
        for transaction, at, writer, community, fence, holder, expires_at, *stored in self._rows(_WITNESSED):
            if fence is None:
                yield ResultStored(transaction, at, writer, community, *stored)
            else:
                process = names[holder.split(":")[1]] if holder else ""
                yield ClaimWritten(transaction, at, writer, community, fence, holder, process, expires_at)

    def _contents(self) -> Iterator[tuple[str, Content]]:
        for decision, member, tags, abstain, comment, stars in self._rows(_BALLOTS):
            content = {"stars": stars, "tags": tags, "abstain": abstain, "comment": comment}
            yield f"ballot:{decision}:{member}", content
        for follower, followee, tags, order in self._rows(_FOLLOWINGS):
            content = {"follower": follower, "followee": followee, "tags": tags, "order": order}
            yield f"following:{follower}:{followee}", content

    def _ledger_faults(self) -> Iterator[str]:
        try:
            self.cluster.manage("verify_ledger")
        except CommandFailed as error:
            yield str(error)

    def _decision(self, town: Town, question: Question, told: dict[str, Any], names: _Names) -> DecisionState:
        file = self.cluster.directory / f"decision-{question.pk}.json"
        ((input_revision, calculated_revision, closed_at, visibility),) = self._rows(
            "SELECT input_revision, calculated_revision, "
            "CASE WHEN closes_at <= now() THEN extract(epoch FROM closes_at)::float8 END, results_visibility "
            f"FROM democracy_decision WHERE id = {question.pk}"
        )
        complaints, exported = [], None
        if told["complaint"] is not None:
            # While ballots are hidden they are not exported.
            if closed_at is not None or visibility == "live":
                complaints.append(f"not exported: {told['complaint']}")
        else:
            verified = subprocess.run(
                [sys.executable, "-I", _VERIFIER, file], check=False, capture_output=True, text=True, timeout=300
            )
            if verified.returncode:
                complaints.append(verified.stdout + verified.stderr)
            exported = dict(_exported(json.loads(file.read_text()), names, question))
        return DecisionState(
            question.pk,
            town.pk,
            input_revision,
            calculated_revision,
            self._snapshots(question),
            exported,
            complaints,
            closed_at,
            visibility,
            told["choices"],
            {
                names.keys[int(pk)]: StagedBallot(kind, tuple(microstars), frozenset(tags), counted, anonymous)
                for pk, (kind, microstars, tags, counted, anonymous) in told["staged"].items()
            },
        )

    def _snapshots(self, question: Question) -> dict[Shown, str]:
        rows = self._rows(
            f"SELECT is_final, revision, result FROM democracy_decisionsnapshot WHERE decision_id = {question.pk}"
        )
        return {Shown(final, revision): content_of(_as_told(result, question)) for final, revision, result in rows}


def _as_told(result: dict[str, Any], question: Question) -> dict[str, Any]:
    """A stored result as the API tells it, as far as `content_of` looks."""
    winner = result["winner"]
    return {
        "winner": winner and {"id": question.choices[int(winner)]},
        "scores": [
            {"choice": {"id": question.choices[int(pk)]}, "score": score} for pk, score in result["scores"].items()
        ],
        "participation": result["participation"],
    }


@dataclass(frozen=True)
class _Names:
    """The names of people: `keys` by membership, `bearers` by decision and pseudonym."""

    town: Town
    keys: dict[int, str]
    bearers: dict[tuple[str, str], str]

    def key(self, name: str, question: Question) -> str:
        """The person whom an exported bundle calls this: by pseudonym, the file's id, or the membership's number."""
        bearer = self.bearers.get((str(question.pk), name))
        return bearer or self.keys[self.town.names.get(name) or int(name)]


def _register(subject: str, keys: dict[int, str]) -> str:
    """Name people in a subject of the ledger by their keys."""
    kind, *ids = subject.split(":")
    people = ids[1:] if kind == "ballot" else ids
    return ":".join([kind, *ids[: len(ids) - len(people)], *(keys[int(pk)] for pk in people)])


def _exported(bundle: dict[str, Any], names: _Names, question: Question) -> Iterator[tuple[str, Content]]:
    (decision,) = bundle["decisions"]
    for ballot in decision["ballots"]:
        stars = {str(question.choice_names[name]): count for name, count in ballot["stars"].items()}
        content = {"stars": stars, "tags": ballot.get("tags", []), "abstain": ballot.get("abstain", False)}
        yield f"ballot:{question.pk}:{names.key(ballot['member'], question)}", content
