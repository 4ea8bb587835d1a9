"""One word, one idea: each word is defined once, in the glossary, and every word that needs it is there."""

from __future__ import annotations

from collections import Counter

from tests.test_documents.reading import DOCS, documents, name, rows

GLOSSARY = DOCS / "glossary.md"
HEADER = "| word | meaning |"
# Words by which code, pages, documents and API call things.
WORDS = """
    community, membership, member, voter, lobbyist, manager, decision, choice, ballot, cast ballot, inherited
    ballot, staged ballot, stars, microstars, tag, following, follower, followee, delegation graph, delegator,
    delegate, active following, source, weight, influence, staging, score round, finalist, automatic runoff,
    preference, tie-break, lot, ledger, revision, stale, current, run, wake-up, sweep, result, final, interim, roll,
    network, owner, caster, to vote, calculation, snapshot, what if, event log, viewer, commitment, receipt, checkpoint,
    urn, pseudonym, claim, lease, fence, job, relay, outcome, change, activity, handle, hash
"""


def defined() -> list[str]:
    return [word.strip() for row in rows(GLOSSARY, HEADER) for word in row[0].split(",")]


def test_each_word_is_defined_once() -> None:
    assert [word for word, times in Counter(map(str.casefold, defined())).items() if times > 1] == []


def test_each_definition_stands_for_one_word() -> None:
    meanings = Counter(row[1] for row in rows(GLOSSARY, HEADER))
    assert [meaning for meaning, times in meanings.items() if times > 1] == []


def test_the_words_that_everything_is_called_by_are_there() -> None:
    wanted = {" ".join(word.split()) for word in WORDS.split(",")}
    assert wanted - set(defined()) == set()


def test_no_other_document_defines_words() -> None:
    assert [name(path) for path in documents() if HEADER in path.read_text()] == [name(GLOSSARY)]
