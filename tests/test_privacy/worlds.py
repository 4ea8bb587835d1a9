"""A town in which some vote under their names and some without, and the script of what happens there.

Ann, Ben and Cleo vote under their names; Xena, Yuri and Zoe under pseudonyms. Mia manages. Eve and her four helpers are
ordinary members. The town has decisions of every visibility. Root operates the site and belongs to nobody.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.test import Client, TestCase

from accounts.models import User
from democracy import ledger, recalculation, services
from democracy.models import Choice, Community, Decision, Membership
from democracy.notices.sending import deliver_mails, notice_changes
from tests.test_privacy import processes

START = datetime(2026, 3, 2, 9, 10, tzinfo=UTC)
# The time of everything that goes with one ballot.
MOMENT = timedelta(minutes=3, seconds=8)
CHOICES = ("Ash", "Birch", "Cedar")
HELPERS = ("hal", "han", "hed", "huw")
KNOWN = ("ann", "ben", "cleo")
ANONYMOUS = ("xena", "yuri", "zoe")
MEMBERS = ("mia", "eve", *HELPERS, *KNOWN, *ANONYMOUS)
# Title, visibility of results, days until it closes. When people last look, the one of a day has closed.
DECISIONS = (
    ("live", Decision.Visibility.LIVE, 7),
    ("other", Decision.Visibility.LIVE, 7),
    ("over", Decision.Visibility.AFTER_CLOSE, 1),
    ("hidden", Decision.Visibility.AFTER_CLOSE, 7),
    ("batched", Decision.Visibility.BATCHED, 7),
    # A manager calls it off, if one of those who watch is a manager.
    ("dropped", Decision.Visibility.AFTER_CLOSE, 7),
)
SHOWN = ("live", "other", "over")
HIDDEN = ("hidden", "batched")
NEVER_SHOWN = "dropped"


@dataclass(frozen=True)
class Content:
    """The content of a ballot; without stars it abstains."""

    stars: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True)
class Cast:
    """One act: cast or change a ballot or, without content, withdraw it.

    `after`: seconds after signing in, less than MOMENT.
    """

    who: str
    where: str
    content: Content | None
    after: int = 1


@dataclass(frozen=True)
class Town:
    """The common part of two worlds: members, followings and decisions, and what happens before the worlds part."""

    secret: str = "a secret"
    visibility: str = Community.Visibility.PUBLIC
    # Follower, followee, tags.
    followings: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    ballots: tuple[Cast, ...] = ()


@dataclass
class World:
    """A town that is lived in."""

    town: Town
    clock: processes.Clock
    community: Community
    people: dict[str, User]
    members: dict[str, Membership]
    decisions: dict[str, Decision]
    draft: Decision
    choices: dict[str, list[Choice]]
    clients: dict[str, Client] = field(default_factory=dict)

    def client(self, who: str) -> Client:
        """Return somebody's browser; that of "visitor" is signed in nowhere."""
        if who not in self.clients:
            self.clients[who] = Client(raise_request_exception=False)
            if who != "visitor":
                self.sign_in(who)
        return self.clients[who]

    def sign_in(self, who: str) -> None:
        self.client_for_signing_in(who).force_login(self.people[who], backend="accounts.backends.SignInLinkBackend")

    def client_for_signing_in(self, who: str) -> Client:
        return self.clients.setdefault(who, Client(raise_request_exception=False))

    def cast(self, event: Cast, *, present: Sequence[str] = ()) -> None:
        """Cast soon after signing in, so that a reader of the log sees the two together. `present` people sign in too.

        Whenever it is cast, the hour is the same, and so is the time when it is over.
        """
        if self.clock.now.hour != (self.clock.now + MOMENT).hour:
            self.clock.now += MOMENT
        moment = self.clock.now
        with committing():
            for who in present or (event.who,):
                self.sign_in(who)
        self.clock.now = moment + timedelta(seconds=event.after)
        decision, user = self.decisions[event.where], self.people[event.who]
        with committing():
            if event.content is None:
                services.withdraw_ballot(user, decision.pk)
            else:
                services.cast_ballot(
                    user,
                    decision.pk,
                    stars={
                        choice.pk: n for choice, n in zip(self.choices[event.where], event.content.stars, strict=False)
                    },
                    tags=event.content.tags,
                    comment=event.content.comment,
                    abstain=not event.content.stars,
                )
        self.clock.now = moment + MOMENT

    def calculate(self) -> None:
        with committing():
            recalculation.recalculate_community(self.community.pk)
            notice_changes()
        self.clock.now += timedelta(seconds=2)

    def mails(self, readers: Sequence[str]) -> list[EmailMultiAlternatives]:
        """Deliver what is due, and return the mails of these people, in the order in which they leave."""
        mail.outbox.clear()
        with committing():
            while deliver_mails() is not None:
                pass
        addresses = [self.people[who].email for who in readers if who in self.people]
        return [one for one in mail.outbox if isinstance(one, EmailMultiAlternatives) and one.to[0] in addresses]

    def do(self, command: Callable[..., Any], who: str, *args: Any, **kwargs: Any) -> None:
        """Run somebody's command and calculate."""
        with committing():
            command(self.people[who], *args, **kwargs)
        self.clock.now += timedelta(minutes=1)
        self.calculate()

    def become_anonymous(self) -> None:
        with committing():
            for who in ANONYMOUS:
                services.set_anonymity(self.people[who], self.community.pk, anonymous=True, confirmed=True)
        self.clock.now += MOMENT
        self.calculate()


@contextmanager
def committing() -> Iterator[None]:
    """Run what waits for the commit at the end of this block: the test's own transaction never commits."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        yield


@contextmanager
def world(town: Town) -> Iterator[World]:
    """Create the town before anybody is anonymous, and undo everything at the end."""
    clock = processes.Clock(START)
    with _apart(town, clock), _undone():
        processes.count_from_one_again()
        yield _made(town, clock)


def kept(town: Town, *, is_anonymous: bool = False) -> World:
    """Create the town for `again`: its rows stay as long as their module keeps them (`module_rows`)."""
    clock = processes.Clock(START)
    with _apart(town, clock):
        processes.count_from_one_again()
        one = _made(town, clock)
        if is_anonymous:
            one.become_anonymous()
            one.calculate()
    return one


@contextmanager
def again(one: World) -> Iterator[World]:
    """Go on in a kept world, whatever others did in it, and undo everything at the end."""
    one = copy.deepcopy(one)
    with _apart(one.town, one.clock), _undone():
        yield one


@contextmanager
def _apart(town: Town, clock: processes.Clock) -> Iterator[None]:
    """Let the town have a process, a secret and a time of its own."""
    with processes.nothing_kept(), processes.settings(town.secret), processes.seeds(), clock.ruling():
        yield


@contextmanager
def _undone() -> Iterator[None]:
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def _made(town: Town, clock: processes.Clock) -> World:
    names = (*MEMBERS, "stranger")
    people = {name: User.objects.create(email=f"{name}@example.org", handle=name, name=name.title()) for name in names}
    people["root"] = User.objects.create_superuser("root@example.org", name="Root", handle="root")
    with committing():
        community = services.create_community(
            people["mia"], name="Town", visibility=town.visibility, joining="open", description="A town"
        )
        with ledger.recording(community.pk):
            for name in MEMBERS[1:]:
                Membership.objects.create(community=community, user=people[name])
        members = {row.user.handle: row for row in community.memberships.select_related("user")}
        for follower, followee, tags in town.followings:
            services.follow(people[follower], members[followee].pk, tags=tags)
        decisions = {title: _decided(people["mia"], community, title, shown, days) for title, shown, days in DECISIONS}
        draft = _drafted(people["mia"], community, "draft", Decision.Visibility.LIVE, 9)
    clock.now += timedelta(minutes=5)
    choices = {title: list(decision.choices.all()) for title, decision in decisions.items()}
    return World(town, clock, community, people, members, decisions, draft, choices)


def _drafted(manager: User, community: Community, title: str, shown: str, days: int) -> Decision:
    return services.create_decision(
        manager,
        community.pk,
        title=f"The {title} one",
        choices=[services.ChoiceInput(choice) for choice in CHOICES],
        closes_at=START + timedelta(days=days),
        results_visibility=shown,
    )


def _decided(manager: User, community: Community, title: str, shown: str, days: int) -> Decision:
    return services.publish_decision(manager, _drafted(manager, community, title, shown, days).pk)


def swapped(ballots: Sequence[Cast], where: frozenset[str]) -> tuple[Cast, ...]:
    """Return the script with Xena's and Yuri's ballots exchanged in these decisions, at the same moments.

    If one of them votes alone, the other does so instead.
    """
    last = {(one.who, one.where): at for at, one in enumerate(ballots)}
    found = list(ballots)
    for title in where:
        xena, yuri = last.get(("xena", title)), last.get(("yuri", title))
        if xena is not None and yuri is not None:
            found[xena] = replace(ballots[xena], content=ballots[yuri].content)
            found[yuri] = replace(ballots[yuri], content=ballots[xena].content)
        elif xena is not None:
            found[xena] = replace(ballots[xena], who="yuri")
        elif yuri is not None:
            found[yuri] = replace(ballots[yuri], who="xena")
    return tuple(found)
