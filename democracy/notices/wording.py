"""The words of a notice: a title, sentences, and the page that it leads to. Mails say the same as lists, without stars.

A notice's words come from the rows as they are when it is read, so it never says more than its reader may see then.
The only stars are those that the reader inherits. None names anybody but a followee through whom they moved or who is
gone, in the same words whether they left or became anonymous.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format

from democracy.models import Decision, Notice
from democracy.models.invitations import token_of
from democracy.notices.kinds import Kind


@dataclass(frozen=True)
class Words:
    """A notice in words. `button` says what opening `path` is for; `path` is an address on this site."""

    title: str
    text: str
    path: str
    button: str


def words(notice: Notice) -> Words:
    """Say a notice to its reader on the site. Its community and decision, with its choices, are loaded."""
    return _words(notice, with_stars=True)


def words_of_mail(notice: Notice) -> Words:
    """Say a notice as `words` does, without stars: mails pass many hands."""
    return _words(notice, with_stars=False)


def _words(notice: Notice, *, with_stars: bool) -> Words:
    if notice.kind == Kind.INVITED:
        return _invitation(notice)
    if notice.kind == Kind.HIDDEN:
        return _moderation(notice)
    if notice.decision is not None:
        return _of_decision(notice, notice.decision, with_stars=with_stars)
    return _of_community(notice)


def _invitation(notice: Notice) -> Words:
    community, question = notice.community, notice.decision
    assert community is not None
    who = notice.data["by"] or f"A manager of {community.name}"
    once = "One press lets you in and signs you in. The link is yours alone: it works once, for 30 days."
    path = reverse("invitation", args=[token_of(notice.data["key"])])
    if question is None:
        title = f"{who} invites you to {community.name}"
        return Words(title, f"{title}, where people decide together. {once}", path, "Join")
    return Words(
        f"{community.name}: {question.title}",
        f"{who} invites you to {community.name}, to vote on “{question.title}”. You can vote until "
        f"{_moment(question)}. {once}",
        path,
        "Join and see the question",
    )


# What was hidden, by the subject of the moderation and the place of the text.
_HIDDEN = {
    ("community", ""): "the community {community}",
    ("community", "name"): "the name of your community",
    ("community", "description"): "the description of {community}",
    ("decision", "title"): "the question of a decision in {community}",
    ("decision", "description"): "the description of “{question}” in {community}",
    ("decision", "choice"): "the text of a choice of “{question}” in {community}",
    ("decision", "clarification"): "a clarification of “{question}” in {community}",
    ("decision", "called_off"): "the reason for which “{question}” in {community} was called off",
    ("ballot", "comment"): "your comment on “{question}” in {community}",
}


def _moderation(notice: Notice) -> Words:
    """Say what an operator has hidden, and why. What was hidden is not repeated."""
    community, decision, data = notice.community, notice.decision, notice.data
    assert community is not None
    question = decision.title if decision is not None else ""
    what = _HIDDEN[data["of"], data["place"]].format(community=community.name, question=question)
    if decision is not None:
        path = reverse("decision", args=[decision.community_id, decision.pk])
    else:
        path = reverse("community", args=[community.pk])
    if data["ended"]:
        return Words(
            f"Shown again: {decision or community}", f"The site's operator shows {what} again.", path, "Look at it"
        )
    return Words(
        f"Hidden by the site's operator: {decision or community}",
        f"The site's operator has hidden {what}. The reason: {data['reason']}",
        path,
        "Look at it",
    )


def _moved(decision: Decision, data: Mapping[str, Any], *, with_stars: bool) -> str:
    """Say what moved in an inherited ballot, such as: Through Bo, your 4 for “Park” is now a 1."""
    through = f"Through {data['name']}" if "name" in data else "Through people you follow"
    if "choice" not in data:
        return f"{through}, what you inherit has changed."
    choice = next(f"“{one.title}”" for one in decision.choices.all() if one.pk == data["choice"])
    before, after = _stars(data["from"]), _stars(data["to"])
    if not with_stars or before == after:
        return f"{through}, what you inherit for {choice} has changed."
    return f"{through}, your {before} for {choice} is now a {after}."


def _stars(microstars: int) -> str:
    """Stars with one decimal at most: people read whether they agree, and find the exact number on the page."""
    return f"{microstars / 1_000_000:.1f}".removesuffix(".0")


def _of_decision(notice: Notice, decision: Decision, *, with_stars: bool) -> Words:
    path = reverse("decision", args=[decision.community_id, decision.pk])
    community, question = decision.community.name, f"“{decision.title}”"
    until = f"until {_moment(decision)}"
    match notice.kind:
        case Kind.OPENED:
            return Words(
                f"You can vote now: {decision.title}",
                f"{community} decides on {question}. You can vote {until}.",
                path,
                "Look and vote",
            )
        case Kind.CLARIFIED:
            return Words(
                f"Clarified: {decision.title}",
                f"In {community}, {_added(notice, decision)}You can change your ballot {until}.",
                path,
                "Read it",
            )
        case Kind.CALLED_OFF:
            return Words(
                f"Called off: {decision.title}",
                f"{community} does not decide on {question} after all. There will be no result. The page says why.",
                path,
                "Read why",
            )
        case Kind.CLOSES_SOON:
            why = "Reminder" if notice.data.get("asked_for") else "Closes soon"
            return Words(
                f"{why}: {decision.title}",
                f"You have not voted on {question} in {community} yet. You can vote {until}.",
                path,
                "Vote",
            )
        case Kind.FOLLOWED:
            people = int(notice.data["followers"])
            follow = "1 person follows you" if people == 1 else f"{people} people follow you"
            return Words(
                f"{follow}: {decision.title}",
                f"{follow} in {community}, and you have not voted on "
                f"{question}. If you vote, those who do not vote themselves may get your ballot. You can vote "
                f"{until}.",
                path,
                "Vote",
            )
        case Kind.INHERITED_MOVED:
            return Words(
                f"Your inherited ballot has changed: {decision.title}",
                f"{_moved(decision, notice.data, with_stars=with_stars)} It is your ballot on {question} in "
                f"{community} unless you vote yourself. You can vote {until}.",
                path,
                "Look at it",
            )
        case Kind.RESULT:
            results = reverse("decision-results", args=[decision.community_id, decision.pk])
            return Words(
                f"The result is there: {decision.title}",
                f"{community} has voted on {question}. {_won(decision)} This is the final result.",
                results,
                "See the result",
            )
        case _:
            return Words(
                f"Not calculated: {decision.title}",
                f"The result of {question} in {community} could not be "
                "calculated. It will be tried again. If that does not help, ask whoever runs this site.",
                path,
                "Look at it",
            )


def _added(notice: Notice, decision: Decision) -> str:
    """Say what a clarification added. Notices from before it was kept which one it is say only that there is one."""
    number, texts = notice.data.get("clarification"), [one.text for one in decision.clarifications.all()]
    if number is None or number >= len(texts):
        return f"something was added to “{decision.title}”. "
    return f"this was added to “{decision.title}”:\n\n{texts[number]}\n\n"


def _won(decision: Decision) -> str:
    """Say which choice won by the final result, which everybody may see who may see the decision."""
    finals = [one for one in decision.snapshots.all() if one.is_final]
    winner = max(finals, key=lambda one: one.revision).read_result().winner if finals else None
    title = next((one.title for one in decision.choices.all() if one.pk == winner), None)
    return f"“{title}” has won." if title is not None else "No choice has won."


def _of_community(notice: Notice) -> Words:
    community = notice.community
    assert community is not None
    page = reverse("community", args=[community.pk])
    match notice.kind:
        case Kind.APPLICATION_DECIDED if notice.data["approved"]:
            return Words(
                f"Welcome to {community.name}",
                f"You are a member of {community.name} now. You can vote in its decisions.",
                page,
                "Look around",
            )
        case Kind.APPLICATION_DECIDED:
            return Words(
                f"Your application to {community.name}",
                f"A manager of {community.name} has decided not to let you in.",
                page,
                "See the community",
            )
        case Kind.APPLICATION_WAITING:
            manage = reverse("community-manage", args=[community.pk])
            return Words(
                f"Somebody wants to join {community.name}",
                f"An application to join {community.name} waits for a manager to decide on it.",
                manage,
                "Decide on it",
            )
        case Kind.NEW_FOLLOWER:
            return Words(
                f"You have a new follower in {community.name}",
                f"Somebody follows you in {community.name} now. If they do not vote themselves, they may get your "
                "ballot.",
                reverse("followings"),
                "See who follows you",
            )
        case _:
            return Words(
                f"You lost somebody you follow in {community.name}",
                f"{notice.data['name']} has left {community.name} or can't be followed there any more, so you get no "
                "ballot from them. Vote yourself, or follow somebody else.",
                reverse("followings"),
                "See whom you follow",
            )


def _moment(decision: Decision) -> str:
    assert decision.closes_at is not None
    return f"{date_format(decision.closes_at, 'l, j F Y, H:i')} UTC"
