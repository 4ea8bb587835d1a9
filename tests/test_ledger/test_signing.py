"""The site's key, made once at first need and readable by its owner alone, and its signatures."""

from __future__ import annotations

import os
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import Settings

from democracy import ledger
from democracy.ledger import checkpoints, signing
from democracy.models import Ballot, Checkpoint, Vote
from tests import factories, rules


@pytest.fixture
def fresh(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR, settings.SIGNING_KEY = tmp_path, ""
    return tmp_path / "signing-key"


def test_the_key_is_made_at_first_need_for_its_owner_alone_and_kept(fresh: Path) -> None:
    before = os.umask(0)
    try:
        public = signing.public_key()
    finally:
        os.umask(before)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert [path.name for path in fresh.parent.iterdir()] == ["signing-key"]
    signing._private_key.cache_clear()
    assert signing.public_key() == public


def test_of_many_that_need_it_at_once_all_have_the_same(fresh: Path) -> None:
    found: set[str] = set()
    start = threading.Barrier(8)

    def need() -> None:
        start.wait()
        # As in a process that has not read it yet.
        found.add(signing._kept_key(fresh))

    threads = [threading.Thread(target=need) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {fresh.read_text()}


def test_a_key_that_is_given_is_taken_and_none_is_made(fresh: Path, settings: Settings) -> None:
    # RFC 8032, section 7.1, test 1.
    settings.SIGNING_KEY = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    assert signing.public_key() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert signing.sign(b"").startswith("e5564300c360ac729086e2cc806e828a")
    assert not fresh.exists()


def test_a_signature_is_of_its_message_and_key() -> None:
    key, signature = signing.public_key(), signing.sign(b"yes")
    assert signing.is_signed(b"yes", key=key, signature=signature)
    for message, by, said in ((b"no", key, signature), (b"yes", "00" * 32, signature), (b"yes", key, "zz")):
        assert not signing.is_signed(message, key=by, signature=said)


@pytest.mark.django_db
def test_a_checkpoint_is_kept_every_hour_of_change(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = rules.Clock(monkeypatch)
    clock.set(clock.now.replace(minute=5) + timedelta(hours=1))
    community, _ = rules.new_community("ada")

    def kept() -> list[int]:
        rows = Checkpoint.objects.filter(community=community).order_by("revision")
        assert all(map(checkpoints.is_genuine, rows))
        assert all(row.hash == ledger.hash_at(community.pk, row.revision) for row in rows)
        return [row.revision for row in rows]

    first = kept()
    assert len(first) == 1
    clock.advance(minutes=54)
    factories.join(community, factories.person())
    assert kept() == first
    clock.advance(minutes=1)
    factories.join(community, factories.person())
    begun = [*first, rules.revision(community)]
    assert kept() == begun
    clock.advance(minutes=59)
    factories.join(community, factories.person())
    assert kept() == begun


@pytest.mark.django_db
def test_no_checkpoint_is_kept_of_an_entry_that_is_still_written_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = rules.Clock(monkeypatch)
    community, members = rules.new_community("ada")
    decision = factories.decision(community, members["manager"].user)
    clock.advance(hours=2)
    with transaction.atomic():
        ballot = Ballot.objects.create(decision=decision, membership=members["ada"])
        for choice in decision.choices.all():
            Vote.objects.create(ballot=ballot, choice=choice, stars=4)
    for row in Checkpoint.objects.filter(community=community):
        assert row.hash == ledger.hash_at(community.pk, row.revision)
