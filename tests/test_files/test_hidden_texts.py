"""Bundles and texts that an operator hides: what a file has in their place, and that no honest file is accused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from democracy import access, services
from democracy.recalculation import recalculate_community
from tests.hiding import BAD, NOTICE, WHY, bundle_of, comment, hide_everything_bad, opened, verified
from tests.rules import Clock
from tests.towns import Town, new_town

pytestmark = pytest.mark.django_db

Forge = Callable[[Town, Any], None]


@pytest.fixture(scope="module")
def written(module_rows: None) -> Town:
    """The town with a result from before anything is hidden."""
    town = opened(new_town("ada", "ben", "cleo", "dan"))
    recalculate_community(town.community.pk)
    return town


@pytest.fixture
def calculated(written: Town, db: None) -> Town:
    return copy.deepcopy(written)


def hide(root: User, town: Town, place: str) -> Any:
    if place == "comment":
        return services.hide_comment(root, town.decision.pk, by=town.ada.user.handle, reason=WHY)
    if place == "community":
        return services.hide_community_text(root, town.community.pk, place="description", reason=WHY)
    place = place.format(choice=town.decision.choices.all()[0].pk)
    return services.hide_decision_text(root, town.decision.pk, place=place, reason=WHY)


def ballot_of(town: Town, bundle: Any, name: str) -> Any:
    number = getattr(town, name).pk
    member = next(one["member"] for one in bundle["ledger_members"] if one["membership"] == number)
    return next(one for one in bundle["decisions"][0]["ballots"] if one["member"] == member)


def say(town: Town, bundle: Any, place: str, words: str) -> None:
    """Write other words at a place of a file."""
    decision = bundle["decisions"][0]
    match place:
        case "comment":
            ballot_of(town, bundle, "ada")["comment"] = words
        case "community":
            bundle["community"]["description"] = words
        case "clarification:1":
            decision["clarifications"][0]["text"] = words
        case "choice:{choice}:title":
            decision["choices"][0]["title"] = words
        case _:
            decision[place] = words


PLACES = ("comment", "community", "title", "description", "clarification:1", "choice:{choice}:title")


def said(differences: list[str]) -> list[str]:
    """Leave out that the site did not sign other words, which is so of all that it did not write."""
    return [one for one in differences if ".signature: " not in one]


def test_a_file_has_stand_ins_and_no_hidden_text_though_its_result_is_older(calculated: Town, root: User) -> None:
    hide_everything_bad(root, calculated)
    # Newer than the result, and than what is hidden.
    services.add_clarification(calculated.manager, calculated.decision.pk, text="Said later")
    bundle = bundle_of(calculated)
    assert BAD not in json.dumps(bundle)
    (decision,) = bundle["decisions"]
    assert bundle["community"]["description"] == NOTICE
    assert (decision["title"], decision["description"], decision["choices"][0]["title"]) == (NOTICE, NOTICE, NOTICE)
    assert [one["text"] for one in decision["clarifications"]] == [NOTICE]
    assert ballot_of(calculated, bundle, "ada")["comment"] == NOTICE
    assert "comment" not in ballot_of(calculated, bundle, "ben")
    assert verified(calculated, bundle) == []


@pytest.mark.parametrize("place", PLACES)
def test_a_file_from_before_one_text_was_hidden_is_not_accused(calculated: Town, root: User, place: str) -> None:
    """Nothing of it changed in between."""
    early = bundle_of(calculated)
    assert BAD in json.dumps(early)
    assert verified(calculated, early) == []
    hide(root, calculated, place)
    assert verified(calculated, early) == []


def test_a_file_from_before_everything_was_hidden_is_not_accused(calculated: Town, root: User) -> None:
    early = bundle_of(calculated)
    hide_everything_bad(root, calculated)
    assert verified(calculated, early) == []
    services.add_clarification(calculated.manager, calculated.decision.pk, text="Said later")
    services.call_off(calculated.manager, calculated.decision.pk, reason=f"{BAD}, enough")
    services.hide_decision_text(root, calculated.decision.pk, place="called_off", reason=WHY)
    assert verified(calculated, early) == []


def test_a_file_from_before_a_clarification_and_a_hidden_title_is_not_accused(calculated: Town, root: User) -> None:
    early = bundle_of(calculated)
    services.add_clarification(calculated.manager, calculated.decision.pk, text="Said later")
    hide(root, calculated, "title")
    assert verified(calculated, early) == []
    forged = copy.deepcopy(early)
    forged["decisions"][0]["clarifications"][0]["text"] = "Another"
    assert any("clarifications" in one for one in said(verified(calculated, forged)))
    forged = copy.deepcopy(early)
    forged["decisions"][0]["choices"][1]["description"] = "Another"
    assert any("choices" in one for one in said(verified(calculated, forged)))


@pytest.mark.parametrize("place", PLACES)
def test_a_file_of_any_moment_agrees_with_a_text_that_was_hidden_and_shown_again(
    calculated: Town, root: User, place: str
) -> None:
    files = [bundle_of(calculated)]
    made = hide(root, calculated, place)
    files.append(bundle_of(calculated))
    services.show_again(root, made.pk)
    files.append(bundle_of(calculated))
    recalculate_community(calculated.community.pk)
    files.append(bundle_of(calculated))
    assert [BAD in json.dumps(one) for one in files] == [True] * 4
    assert [verified(calculated, one) for one in files] == [[], [], [], []]


@pytest.mark.parametrize("place", PLACES)
def test_other_words_than_the_stand_in_are_found_in_a_file_from_after_the_hiding(
    calculated: Town, root: User, clock: Clock, place: str
) -> None:
    hide(root, calculated, place)
    clock.advance(minutes=2)
    bundle = bundle_of(calculated)
    assert verified(calculated, bundle) == []
    say(calculated, bundle, place, f"{BAD}, never said")
    assert said(verified(calculated, bundle))


@pytest.mark.parametrize("place", PLACES)
def test_with_everything_hidden_other_words_are_found_in_a_file_from_after_it(
    calculated: Town, root: User, clock: Clock, place: str
) -> None:
    hide_everything_bad(root, calculated)
    clock.advance(minutes=2)
    bundle = bundle_of(calculated)
    say(calculated, bundle, place, f"{BAD}, never said")
    assert said(verified(calculated, bundle))


@pytest.mark.parametrize("place", PLACES)
def test_a_text_that_nobody_hid_is_compared_in_a_file_from_before(calculated: Town, root: User, place: str) -> None:
    early = bundle_of(calculated)
    hide(root, calculated, "title" if place == "comment" else "comment")
    say(calculated, early, place, "Another")
    assert said(verified(calculated, early))


def test_no_more_texts_are_let_pass_than_were_hidden(calculated: Town, root: User) -> None:
    """The moderation of the title is closed, as it left the description: it says no more than that it is one."""
    early = bundle_of(calculated)
    hide(root, calculated, "title")
    hide(root, calculated, "description")
    assert verified(calculated, early) == []
    say(calculated, early, "choice:{choice}:title", "Another")
    assert any("choices" in one for one in said(verified(calculated, early)))


def test_ballots_are_compared_though_a_comment_was_hidden_later(calculated: Town, root: User) -> None:
    early = bundle_of(calculated)
    hide(root, calculated, "comment")
    ballot = ballot_of(calculated, early, "ada")
    ballot["stars"] = dict.fromkeys(ballot["stars"], 1)
    assert any("ballots" in one for one in verified(calculated, early))


def test_a_comment_that_changed_after_the_hiding_is_that_of_the_files_revision(calculated: Town, root: User) -> None:
    hide(root, calculated, "comment")
    comment(calculated, calculated.ada, "Sorry.")
    older = bundle_of(calculated)
    recalculate_community(calculated.community.pk)
    newer = bundle_of(calculated)
    assert [verified(calculated, one) for one in (older, newer)] == [[], []]
    assert ballot_of(calculated, newer, "ada")["comment"] in {"Sorry.", NOTICE}


def test_whoever_wrote_a_hidden_comment_has_a_ledger_that_agrees_with_every_file(calculated: Town, root: User) -> None:
    """Their own ledger opens the entry with their words."""
    files = [bundle_of(calculated)]
    hide(root, calculated, "comment")
    files.append(bundle_of(calculated))
    assert [verified(calculated, one, calculated.ada.user) for one in files] == [[], []]


def test_a_hidden_comment_under_a_pseudonym_is_in_no_file(calculated: Town, root: User) -> None:
    pseudonym = access.pseudonym(calculated.decision.pk, calculated.dan.pk)
    early = bundle_of(calculated)
    services.hide_comment(root, calculated.decision.pk, by=pseudonym, reason=WHY)
    late = bundle_of(calculated)
    for one in (early, late):
        hidden = [row for row in one["decisions"][0]["ballots"] if row["member"].startswith("anonymous")]
        assert [row.get("comment") for row in hidden] == [None]
        assert verified(calculated, one) == []
