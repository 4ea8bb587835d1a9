"""Downloads of a site, held against one another by the verifier: ledgers, receipts, checkpoints, results."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from democracy import services
from democracy.ledger import checkpoints
from democracy.management import foreground
from democracy.models import Community, Membership
from tests import factories
from tests.rules import Clock
from tests.test_verify.bundles import bundle, verifier
from tests.test_verify.desks import Desk, closed, recalculated, rechained

pytestmark = pytest.mark.django_db

# RFC 8032, section 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_signatures_are_those_of_the_standard(key: str, message: str, signature: str) -> None:
    parts = [bytes.fromhex(part) for part in (key, message, signature)]
    assert verifier.is_signed(*parts)
    for number, part in enumerate(parts):
        for at in {0, len(part) // 2, len(part) - 1} if part else ():
            wrong = bytearray(part)
            wrong[at] ^= 1
            assert not verifier.is_signed(*parts[:number], bytes(wrong), *parts[number + 1 :])
    # The same signature with the order of the group added to its scalar is none.
    scalar = int.from_bytes(parts[2][32:], "little") + verifier.ORDER
    assert not verifier.is_signed(parts[0], parts[1], parts[2][:32] + scalar.to_bytes(32, "little"))


def test_everything_together_agrees_and_says_what_was_compared(desk: Desk) -> None:
    code, said = desk.check()
    assert (code, said.count("OK "), "DIFFERS" in said) == (0, said.count("\n") - 1, False), said
    assert "1 taken as given: 1 of anonymous members, 0 that rest on theirs; lots drawn again; question signed" in said
    assert "4 named members, 1 followings and 2 named ballots are the ledger's" in said
    for handle in ("ada", "dora"):
        assert f"{handle}.json in {desk.folder}/bundle.json decisions[0]: this ballot is counted there" in said


def test_what_is_told_of_an_anonymous_ballot_says_neither_whose_nor_what_nor_when(desk: Desk) -> None:
    entries = [row for row in desk.files["ledger.jsonl"][1:] if row.get("kind") == "ballot"]
    (entry,) = entries
    assert entry.keys() == {"revision", "commitment", "hash", "kind", "hour", "decision"}
    assert entry["hour"].endswith(":00:00.000000+00:00")
    own = desk.fetch(desk.members["dora"].user, name="own.jsonl")[entry["revision"]]
    assert own["content"]["membership"] == desk.members["dora"].pk


def test_a_result_alone_is_checked_with_its_signatures(desk: Desk) -> None:
    code, said = desk.check("bundle.json")
    assert code == 0
    assert "is this the site's key?" in said
    key = desk.files["bundle.json"]["checkpoint"]["key"]
    assert desk.check("bundle.json", more=("--key", key))[0] == 0
    code, said = desk.check("bundle.json", more=("--key", "11" * 32))
    assert (code, "checkpoint.key: the file says" in said) == (1, True)


def test_with_a_key_nothing_unsigned_is_taken(desk: Desk) -> None:
    unsigned = copy.deepcopy(desk.files["bundle.json"])
    key = unsigned.pop("checkpoint")["key"]
    code, said = desk.check(files={"bundle.json": unsigned}, more=("--key", key))
    assert (code, "checkpoint: missing, so that nothing in it is signed with that key" in said) == (1, True)


def test_a_checkpoint_of_another_moment_than_the_file_is_found(desk: Desk) -> None:
    forged = copy.deepcopy(desk.files["bundle.json"])
    forged["ledger"]["hash"] = "ab" * 32
    code, said = desk.check(files={"bundle.json": forged})
    assert (code, "ledger.hash: the file says" in said) == (1, True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("opens_at", "2020-01-01T00:00:00+00:00"),
        ("closes_at", "2020-01-01T00:00:00+00:00"),
        ("results_visibility", "batched"),
    ],
)
def test_times_and_visibility_are_the_ledgers(desk: Desk, key: str, value: str) -> None:
    forged = copy.deepcopy(desk.files["bundle.json"])
    forged["decisions"][0][key] = value
    code, said = desk.check(files={**desk.files, "bundle.json": forged})
    assert (code, f"decisions[0].{key}: the file says" in said and "the ledger never" in said) == (1, True)


def test_a_final_result_has_every_entry_from_before_the_closing(desk: Desk) -> None:
    early = copy.deepcopy(desk.files["bundle.json"])
    services.cast_ballot(
        desk.members["cleo"].user, desk.decision.pk, stars={desk.decision.choices.all()[0].pk: 1}, comment="Changed."
    )
    late = desk.receipt("cleo")
    desk.clock.advance(days=30)
    desk.fetch()
    # What stood before, said to be the end of it.
    early["decisions"][0]["result"]["final"] = True
    early["decisions"][0]["status"] = "closed"
    early["exported_at"] = "2100-01-01T00:00:00+00:00"
    files = {"bundle.json": early, "ledger.jsonl": desk.files["ledger.jsonl"]}
    code, said = desk.check(files=files)
    assert (code, f"entry {late['revision']} is from before the closing, and not in it" in said) == (1, True)
    code, said = desk.check(files={"bundle.json": early, "cleo.json": late})
    assert (code, "the result is final, and the ballot is newer" in said) == (1, True)


def test_ballots_under_pseudonyms_have_entries(desk: Desk) -> None:
    assert "1 of its entries on ballots are closed" in desk.check()[1]
    forged = copy.deepcopy(desk.files["bundle.json"])
    [hidden] = {row["member"] for row in forged["decisions"][0]["ballots"] if row["member"].startswith("anonymous")}
    forged["members"].append({**forged["members"][0], "id": "anonymous-000000000000", "name": "X", "anonymous": True})
    [row] = [row for row in forged["decisions"][0]["ballots"] if row["member"] == hidden]
    forged["decisions"][0]["ballots"].append({**row, "member": "anonymous-000000000000"})
    code, said = desk.check(files={**desk.files, "bundle.json": forged})
    assert (code, "2 under pseudonyms, by the ledger's entries there are at most 1" in said) == (1, True)


def test_no_ballot_is_given_where_nobody_is_anonymous(desk: Desk) -> None:
    made = bundle({"c": {"A": 5}}, ["g > c"], choices="AB")
    made["version"] = 2
    forged = {"member": "g", "kind": "inherited", "microstars": {"A": 0, "B": 5_000_000}, "tags": [], "given": True}
    made["decisions"][0]["staged"] = [forged]
    read = verifier.read_bundle(json.dumps(made))
    calculated = verifier.calculate(read, read.decisions[0])
    rows = [row for row in calculated["staged"] if row["member"] != "g"]
    made["decisions"][0] |= {"result": calculated["result"], "staged": [*rows, forged]}
    code, said = desk.check(files={"bundle.json": made})
    assert (code, "is given a ballot, and nobody on whom it can rest" in said) == (1, True)


@pytest.mark.parametrize(
    ("followings", "least", "most"),
    [([], 1_000_000, 3_000_000), (["g > c"], 3_000_000, 4_000_000), (["g > c: parks"], 1_000_000, 3_000_000)],
)
def test_a_named_ballot_that_is_given_is_a_mean_of_those_whom_its_owner_may_follow(
    desk: Desk, followings: list[str], least: int, most: int
) -> None:
    """One of them at least is given, too: else it could be calculated."""
    for stars in (least - 2, least, most, most + 2):
        made = bundle({"c": {"A": 5}}, followings, choices="AB", bystanders=["g", "h", "i"])
        made["version"] = 2
        for member in made["members"]:
            member["anonymous"] = member["id"] in "hi"
        given = [
            {"member": name, "kind": "inherited", "microstars": {"A": count, "B": 0}, "tags": [], "given": True}
            for name, count in (("g", stars), ("h", 1_000_000), ("i", 3_000_000))
        ]
        made["decisions"][0]["staged"] = given
        read = verifier.read_bundle(json.dumps(made))
        calculated = verifier.calculate(read, read.decisions[0])
        rows = [row for row in calculated["staged"] if row["member"] == "c"]
        made["decisions"][0] |= {"result": calculated["result"], "staged": [*rows, *given]}
        code, said = desk.check(files={"bundle.json": made})
        assert (code, "on whom it can rest" in said) == ((0, False) if least <= stars <= most else (1, True)), said


def test_a_ballot_under_a_pseudonym_is_a_voters(desk: Desk) -> None:
    """Else it would stand there and not be counted."""
    forged = copy.deepcopy(desk.files["bundle.json"])
    pseudonym = desk.files["dora.json"]["content"]["after"]["pseudonym"]
    next(row for row in forged["members"] if row["id"] == pseudonym)["role"] = "lobbyist"
    recalculated(forged)
    code, said = desk.check("dora.json", "bundle.json", files={**desk.files, "bundle.json": forged})
    assert (code, "is no voter under a pseudonym" in said, "is counted there" in said) == (1, True, False), said


# --- What somebody might do to a bundle -------------------------------------------------------------------------------

Change = Callable[[Any], None]


def swap_lots(bundle: Any) -> None:
    one, other = bundle["decisions"][0]["choices"][:2]
    one["lot"], other["lot"] = other["lot"], one["lot"]


def swap_lots_with_invented_ids(bundle: Any) -> None:
    swap_lots(bundle)
    decision = bundle["decisions"][0]
    wanted = [choice["lot"] for choice in decision["choices"]]
    for start in range(1_000, 11_000):
        ids = list(range(start, start + len(wanted)))
        hashes = [hashlib.sha256(f"{decision['lot_seed']}:{number}".encode()).hexdigest() for number in ids]
        if [1 + sum(other < one for other in hashes) for one in hashes] == wanted:
            names = [choice["id"] for choice in decision["choices"]]
            decision["ledger_ids"]["choices"] = dict(zip(names, ids, strict=True))
            return


def rename_for_invented_ids(bundle: Any) -> None:
    """Swap lots as well, and call the choices by the invented ids everywhere."""
    swap_lots_with_invented_ids(bundle)
    ids = bundle["decisions"][0]["ledger_ids"]["choices"]
    names = {old: f"new{number}" for old, number in ids.items()}
    text = json.dumps(bundle)
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    for new in names.values():
        text = text.replace(f'"{new}"', f'"{new[3:]}"')
    bundle.clear()
    bundle.update(json.loads(text))


def without_seed(bundle: Any) -> None:
    swap_lots(bundle)
    del bundle["decisions"][0]["lot_seed"]


def swap_titles(bundle: Any) -> None:
    one, other = bundle["decisions"][0]["choices"][:2]
    one["title"], other["title"] = other["title"], one["title"]


def other_question(bundle: Any) -> None:
    bundle["decisions"][0]["title"] += " NOT"


def no_clarification(bundle: Any) -> None:
    bundle["decisions"][0]["clarifications"] = []


FORGED_QUESTIONS = [
    swap_lots,
    swap_lots_with_invented_ids,
    rename_for_invented_ids,
    without_seed,
    swap_titles,
    other_question,
    no_clarification,
]


@pytest.mark.parametrize("forge", FORGED_QUESTIONS)
@pytest.mark.parametrize("together", [False, True], ids=["alone", "with its ledger and no signature"])
def test_another_question_other_choices_and_other_lots_are_found(desk: Desk, forge: Change, together: bool) -> None:
    files = copy.deepcopy(desk.files)
    forge(files["bundle.json"])
    if together:
        # Whoever takes the signatures away is found by the ledger.
        files["bundle.json"]["decisions"][0].pop("signature")
        code, said = desk.check("bundle.json", "ledger.jsonl", files=files)
        assert "  decisions[0]" in said.split("ledger.jsonl:")[-1] or "can't be compared" in said
    else:
        code, said = desk.check("bundle.json", files=files)
    assert code in {1, 2}, said


def other_stars(bundle: Any) -> None:
    ballot = next(row for row in bundle["decisions"][0]["ballots"] if not row["member"].startswith("anon"))
    ballot["stars"] = {choice: 5 - stars for choice, stars in ballot["stars"].items()}


def other_tags(bundle: Any) -> None:
    next(row for row in bundle["decisions"][0]["ballots"] if row["tags"])["tags"] = ["roads"]


def dropped_ballot(bundle: Any) -> None:
    ballots = bundle["decisions"][0]["ballots"]
    ballots.remove(next(row for row in ballots if not row["member"].startswith("anon")))


def invented_ballot(bundle: Any) -> None:
    decision = bundle["decisions"][0]
    voted = {row["member"] for row in decision["ballots"]}
    free = next(row["member"] for row in bundle["ledger_members"] if row["member"] not in voted)
    decision["ballots"].append({"member": free, "stars": {decision["choices"][0]["id"]: 5}})


def invented_member(bundle: Any) -> None:
    bundle["members"].append({"id": "x", "name": "X", "role": "voter"})


def dropped_members(bundle: Any) -> None:
    voted = {row["member"] for row in bundle["decisions"][0]["ballots"]}
    gone = {row["member"] for row in bundle["ledger_members"]} - voted
    for key, name in (("members", "id"), ("ledger_members", "member"), ("followings", "follower")):
        bundle[key] = [row for row in bundle[key] if row[name] not in gone]


def other_role(bundle: Any) -> None:
    next(row for row in bundle["members"] if not row["anonymous"])["role"] = "lobbyist"


def dropped_following(bundle: Any) -> None:
    bundle["followings"].clear()


def turned_following(bundle: Any) -> None:
    row = bundle["followings"][0]
    row["follower"], row["followee"] = row["followee"], row["follower"]


def invented_inheritor(bundle: Any) -> None:
    """Invent counted members who follow somebody that voted."""
    voter = next(row["member"] for row in bundle["decisions"][0]["ballots"] if not row["member"].startswith("anon"))
    for number in range(5):
        bundle["members"].append({"id": f"x{number}", "name": "X", "role": "voter", "anonymous": False})
        bundle["ledger_members"].append({"member": f"x{number}", "membership": 900_000 + number})
        bundle["followings"].append({"follower": f"x{number}", "followee": voter, "tags": []})


def invented_pseudonyms(bundle: Any) -> None:
    decision = bundle["decisions"][0]
    for number in range(5):
        name = f"anonymous-00000000000{number}"
        bundle["members"].append({"id": name, "name": "X", "role": "voter", "anonymous": True})
        stars = {choice["id"]: 5_000_000 for choice in decision["choices"]}
        decision["staged"].append({"member": name, "kind": "inherited", "microstars": stars, "tags": [], "given": True})


def dropped_inheritor(bundle: Any) -> None:
    gone = bundle["followings"][0]["follower"]
    for key, name in (("members", "id"), ("ledger_members", "member"), ("followings", "follower")):
        bundle[key] = [row for row in bundle[key] if row[name] != gone]


def inheritor_under_a_pseudonym(bundle: Any) -> None:
    """Replace a member by a pseudonym, which inherits whatever the file says."""
    gone = bundle["followings"][0]["follower"]
    dropped_inheritor(bundle)
    invented_pseudonyms(bundle)
    decision = bundle["decisions"][0]
    decision["staged"] = [row for row in decision["staged"] if row["member"] != gone]
    for rows, name in ((bundle["members"], "id"), (decision["staged"], "member")):
        rows[:] = [row for row in rows if not row[name].startswith("anonymous-0000") or row[name].endswith("0")]


@pytest.mark.parametrize(
    "forge",
    [
        *(invented_inheritor, invented_pseudonyms, dropped_inheritor, inheritor_under_a_pseudonym),
        *(other_stars, other_tags, dropped_ballot, invented_ballot, invented_member, dropped_members, other_role),
        *(dropped_following, turned_following),
    ],
)
def test_inputs_that_are_not_the_ledgers_are_found_though_the_result_fits(desk: Desk, forge: Change) -> None:
    files = copy.deepcopy(desk.files)
    forge(files["bundle.json"])
    recalculated(files["bundle.json"])
    assert desk.check("bundle.json", files=files)[0] == 0
    code, said = desk.check("bundle.json", "ledger.jsonl", files=files)
    assert (code, "DIFFERS" in said) == (1, True), said


# --- Ledgers, receipts, checkpoints -----------------------------------------------------------------------------------


def test_every_changed_part_of_a_ledger_file_is_found(desk: Desk) -> None:
    desk.community.refresh_from_db()
    files = {"ledger.jsonl": desk.files["ledger.jsonl"]}
    opened = next(number for number, row in enumerate(files["ledger.jsonl"]) if row.get("content", {}).get("after"))

    def forged(change: Change) -> int:
        wrong = copy.deepcopy(files)
        change(wrong["ledger.jsonl"])
        return desk.check("ledger.jsonl", files=wrong)[0]

    def other_entry(key: str) -> Change:
        return lambda rows: rows[opened].update({key: "0" * 64 if key != "revision" else 99})

    changes: dict[str, Change] = {
        "commitment": other_entry("commitment"),
        "hash": other_entry("hash"),
        "revision": other_entry("revision"),
        "salt": other_entry("salt"),
        "time": lambda rows: rows[opened].update(time="2020-01-01T00:00:00.000000+00:00"),
        "content": lambda rows: rows[opened]["content"]["after"].update(forged=1),
        "removed": lambda rows: rows.pop(opened),
        "cut off": lambda rows: rows.pop(),
        "swapped": lambda rows: rows.append(rows.pop(-2)),
        "community": lambda rows: rows[0]["community"].update(id=77),
        "checkpoint": lambda rows: rows[0]["checkpoint"].update(revision=1),
        "signature": lambda rows: rows[0]["checkpoint"].update(signature="0" * 128),
    }
    assert forged(lambda rows: None) == 0
    assert {name for name, change in changes.items() if forged(change) == 0} == set()


def test_a_ledger_written_anew_needs_the_key_and_then_contradicts_what_others_keep(desk: Desk) -> None:
    files = copy.deepcopy(desk.files)
    rows = files["ledger.jsonl"]
    next(row for row in rows if row.get("content", {}).get("kind") == "ballot")["content"]["after"]["comment"] = (
        "forged"
    )
    rechained(rows)
    code, said = desk.check("ledger.jsonl", files=files)
    assert (code, "checkpoint.signature: not that of its key" in said) == (1, True)
    # With the site's own key, it is one history that nobody can tell from the true one ...
    said_by_site = rows[0]["checkpoint"]
    signed = checkpoints.signed(
        said_by_site["community"],
        said_by_site["revision"],
        said_by_site["hash"],
        Community.objects.get(pk=desk.community.pk).created_at,
    )
    rows[0]["checkpoint"] = checkpoints.content(signed)
    assert desk.check("ledger.jsonl", files=files)[0] == 0
    # ... but for those who kept a receipt, a result, a checkpoint or an older ledger.
    files |= {"old.jsonl": desk.files["ledger.jsonl"], "checkpoint.json": desk.files["bundle.json"]["checkpoint"]}
    for kept in ("ada.json", "dora.json", "bundle.json", "old.jsonl", "checkpoint.json"):
        assert desk.check("ledger.jsonl", kept, files=files)[0] == 1, kept


def test_an_older_ledger_is_the_beginning_of_a_newer_one(desk: Desk) -> None:
    desk.files["old.jsonl"] = desk.files["ledger.jsonl"]
    factories.vote(desk.members["ben"], desk.decision, Ash=1)
    desk.fetch()
    code, said = desk.check()
    assert (code, "old.jsonl: one history" in said) == (0, True), said


def test_an_older_ledger_need_not_reach_as_far_as_the_result(desk: Desk) -> None:
    desk.files["old.jsonl"] = desk.files["ledger.jsonl"]
    factories.vote(desk.members["ben"], desk.decision, Ash=1)
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    desk.export()
    assert desk.check("bundle.json", "old.jsonl")[0] == 1
    desk.fetch()
    code, said = desk.check("bundle.json", "old.jsonl", "ledger.jsonl")
    assert (code, "named ballots are the ledger's" in said) == (0, True), said


def test_managers_whose_ledger_names_the_anonymous_find_the_same(desk: Desk) -> None:
    desk.fetch(desk.members["manager"].user)
    code, said = desk.check()
    assert (code, "named ballots are the ledger's" in said) == (0, True), said


def close_ballots_of(rows: list[Any], member: Membership) -> None:
    for at, row in enumerate(rows):
        content = row.get("content", {})
        if (content.get("kind"), content.get("membership")) == ("ballot", member.pk):
            rows[at] = closed(row)


def test_a_ballot_whose_entry_somebody_closed_is_found_by_whoever_kept_what_opens_it(desk: Desk) -> None:
    files = copy.deepcopy(desk.files)
    close_ballots_of(files["ledger.jsonl"], desk.members["ada"])
    forged = files["bundle.json"]["decisions"][0]
    [ada] = [
        row["member"] for row in files["bundle.json"]["ledger_members"] if row["membership"] == desk.members["ada"].pk
    ]
    forged["ballots"] = [row for row in forged["ballots"] if row["member"] != ada]
    recalculated(files["bundle.json"])
    assert desk.check("bundle.json", "ledger.jsonl", files=files)[0] == 0
    for kept in ("ada.json", "old.jsonl"):
        with_it = {**files, "old.jsonl": desk.files["ledger.jsonl"][:-1]}
        code, said = desk.check("bundle.json", "ledger.jsonl", kept, files=with_it)
        where = f"bundle.json in {desk.folder}/ledger.jsonl: 1 differences"
        assert (code, where in said) == (1, True), said


def test_an_entry_closed_between_two_of_one_ballot_is_found(desk: Desk) -> None:
    factories.vote(desk.members["ada"], desk.decision, Ash=1)
    rows = desk.fetch()
    first = next(at for at, row in enumerate(rows) if row.get("content", {}).get("kind") == "ballot")
    rows[first] = closed(rows[first])
    code, said = desk.check("ledger.jsonl")
    assert (code, "before: an entry on this ballot is not opened" in said) == (1, True), said


@pytest.mark.parametrize("hour", [None, "2020-01-01T00:00:00.000000+00:00", "2100-01-01T00:00:00.000000+00:00", 7])
def test_the_hour_of_a_closed_entry_fits_to_those_around_it(desk: Desk, hour: Any) -> None:
    rows = desk.fetch()
    entry = next(row for row in rows[:-1] if row.get("kind") == "membership")
    entry["hour"] = hour
    code, said = desk.check("ledger.jsonl")
    assert (code, "hour: " in said or "time: earlier" in said) == (1, True), said


def test_a_newer_ledger_that_ends_before_an_older_checkpoint_is_found(desk: Desk) -> None:
    files = copy.deepcopy(desk.files)
    files["kept.json"] = files["bundle.json"]["checkpoint"]
    rows = files["ledger.jsonl"] = files["ledger.jsonl"][:-1]
    signed = checkpoints.signed(
        desk.community.pk, len(rows) - 1, rows[-1]["hash"], Clock(pytest.MonkeyPatch()).now.replace(year=2100)
    )
    rows[0]["checkpoint"] = checkpoints.content(signed)
    assert desk.check("ledger.jsonl", files=files)[0] == 0
    code, said = desk.check("ledger.jsonl", "kept.json", files=files)
    assert (code, "the ledger, signed later, has" in said) == (1, True), said


def test_a_receipt_that_is_not_the_ledgers_or_not_counted_is_found(desk: Desk) -> None:
    for path, other in (("salt", "0"), ("commitment", "0" * 64), ("hash", "0" * 64), ("previous_hash", "0" * 64)):
        files = copy.deepcopy(desk.files)
        files["ada.json"][path] = other
        assert desk.check("ada.json", files=files)[0] == 1, path
    factories.vote(desk.members["ada"], desk.decision, Ash=1)
    files = {**desk.files, "ada.json": desk.receipt("ada")}
    code, said = desk.check("ada.json", "ledger.jsonl", files=files)
    assert (code, "none with number" in said) == (1, True)
    code, said = desk.check("ada.json", "bundle.json", files=files)
    assert (code, "the ballot is newer than this result" in said) == (0, True)
    files = copy.deepcopy(desk.files)
    pseudonym = files["dora.json"]["content"]["after"]["pseudonym"]
    ballot = next(row for row in files["bundle.json"]["decisions"][0]["ballots"] if row["member"] == pseudonym)
    ballot["stars"] = {choice: 5 - stars for choice, stars in ballot["stars"].items()}
    recalculated(files["bundle.json"])
    code, said = desk.check("dora.json", "bundle.json", files=files)
    assert (code, "the receipt is for stars" in said) == (1, True), said


def test_a_receipt_of_another_history_contradicts_a_checkpoint_of_its_revision(desk: Desk) -> None:
    """Whoever has no key can make one up that opens, with a checkpoint that the site signed."""
    receipt = desk.receipt("dora")
    receipt["content"]["after"]["comment"] = "forged"
    receipt["commitment"] = verifier.commitment({key: receipt[key] for key in ("salt", "content", "time")})
    at = receipt["checkpoint"]["revision"]
    for revision in (at, at + 1, at + 2):
        receipt["revision"] = revision
        receipt["hash"] = verifier.chain_hash(receipt["previous_hash"], revision, receipt["commitment"])
        code, said = desk.check("dora.json")
        words = f"the hash at revision {at}" if revision < at + 2 else f"revision: is {revision}, after"
        assert (code, words in said) == (1, True), said
    receipt["checkpoint"]["community"] += 1
    assert "content.community: the file says" in desk.check("dora.json")[1]


def test_a_hash_is_looked_up(desk: Desk) -> None:
    hash = desk.files["dora.json"]["hash"]
    code, said = desk.check("ledger.jsonl", more=(hash,))
    assert (code, f"OK {hash}: entry {desk.files['dora.json']['revision']} of" in said) == (0, True)
    code, said = desk.check("ledger.jsonl", more=("ab" * 32,))
    assert (code, "no entry of the given ledgers has this hash" in said) == (1, True)


def test_nothing_that_a_file_says_reaches_the_terminal_as_it_is(desk: Desk) -> None:
    evil = "d\x1b[2K\r\x07OK\nOK \u202e\u2028"
    seen = set()

    def said(change: Change) -> None:
        files = copy.deepcopy(desk.files)
        change(files)
        for names in ([], ["bundle.json"], ["ledger.jsonl"], ["ada.json", "ledger.jsonl"]):
            seen.add(desk.check(*names, files=files)[0])
            text = desk.said
            assert all(character.isprintable() or character == "\n" for character in text), text
            starts = ("OK ", "DIFFERS ", "NOTE ", "  ", str(desk.folder))
            assert all(line.startswith(starts) for line in text.splitlines())

    said(lambda files: files["bundle.json"]["decisions"][0].update(id=evil))
    said(lambda files: files["bundle.json"]["decisions"][0]["ballots"][0].update(member=evil))
    said(lambda files: files["bundle.json"]["members"][0].update(id=evil))
    said(lambda files: files["bundle.json"]["decisions"][0]["choices"][0].update(title=evil))
    said(lambda files: files["bundle.json"]["checkpoint"].update(time=evil, key=evil))
    said(lambda files: files["ledger.jsonl"][0]["checkpoint"].update(time=evil))
    said(lambda files: files["ledger.jsonl"][3].update(commitment=evil, hash=evil))
    said(lambda files: files["ada.json"].update(hash=evil))
    assert seen == {0, 1, 2}


def test_a_ballot_that_is_given_is_taken_as_it_stands_and_hands_nothing_on() -> None:
    made = bundle({"c": {"A": 5}}, ["g > c", "f > g"], choices="AB")
    made["version"] = 2
    given = {"member": "g", "kind": "inherited", "microstars": {"A": 1, "B": 2}, "tags": [], "given": True}
    made["decisions"][0]["staged"] = [given]
    read = verifier.read_bundle(json.dumps(made))
    staged = {row["member"]: row["microstars"] for row in verifier.calculate(read, read.decisions[0])["staged"]}
    assert staged == {"c": {"A": 5_000_000, "B": 0}, "g": {"A": 1, "B": 2}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "cast"}, "only one inherited ballot"),
        ({"member": "c"}, "only one inherited ballot"),
        ({"microstars": {"A": 1}}, "should be a whole number from 0 to 5000000 for each choice"),
        ({"microstars": {"A": 1, "B": 5_000_001}}, "should be a whole number from 0 to 5000000 for each choice"),
        ({"microstars": {"A": 1, "B": True}}, "should be a whole number from 0 to 5000000 for each choice"),
        ({"tags": ["roads"]}, "those of an anonymous member are not told"),
    ],
)
def test_what_can_not_be_given_is_refused(change: dict[str, Any], message: str) -> None:
    made = bundle({"c": {"A": 5}}, choices="AB", bystanders=["g"])
    made["version"] = 2
    next(row for row in made["members"] if row["id"] == "g")["anonymous"] = True
    given = {"member": "g", "kind": "inherited", "microstars": {"A": 1, "B": 2}, "tags": [], "given": True}
    made["decisions"][0]["staged"] = [given | change]
    with pytest.raises(verifier.Malformed, match=message):
        verifier.read_bundle(json.dumps(made))


def test_a_following_of_an_anonymous_member_is_refused() -> None:
    made = bundle({"c": {"A": 5}}, ["g > c"], choices="AB")
    made["version"] = 2
    next(row for row in made["members"] if row["id"] == "g")["anonymous"] = True
    with pytest.raises(verifier.Malformed, match="an anonymous member follows nobody"):
        verifier.read_bundle(json.dumps(made))


@pytest.mark.parametrize(
    "line",
    [
        '{"revision": 1, "revision": 2}',
        '{"revision": NaN, "commitment": "", "hash": ""}',
        '{"revision": 1e400, "commitment": "", "hash": ""}',
        "[" * 100_000,
        '{"revision": %s, "commitment": "", "hash": ""}' % ("9" * 5_000),
        '{"revision": true, "commitment": "", "hash": ""}',
        "{}",
    ],
)
def test_what_is_no_ledger_is_refused_with_the_line(desk: Desk, line: str) -> None:
    path = desk.folder / "broken.jsonl"
    path.write_text(json.dumps(desk.files["ledger.jsonl"][0]) + "\n" + line, encoding="utf-8")
    assert verifier.main([str(path)]) == 2
    assert "line 2" in desk.capsys.readouterr().err


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_whoever_has_become_anonymous_since_makes_nothing_differ_for_any_reader(desk: Desk, closed: bool) -> None:
    cleo = desk.members["cleo"]
    factories.follow(cleo, desk.members["ben"], "secret")
    factories.follow(desk.members["ada"], cleo, "secret")
    if closed:
        assert desk.decision.closes_at is not None
        desk.clock.set(desk.decision.closes_at)
    desk.clock.advance(minutes=1)
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    services.set_anonymity(cleo.user, desk.community.pk, anonymous=True, confirmed=True)
    desk.clock.advance(minutes=1)
    assert not foreground.calculate(desk.community.pk, patience=60).failed
    desk.export()
    for reader in (None, *(desk.members[handle].user for handle in ("manager", "ben", "cleo"))):
        desk.fetch(reader)
        assert desk.check("bundle.json", "ledger.jsonl")[0] == 0, desk.said
