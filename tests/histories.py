"""Random histories of a small community over all commands, and its inputs read from the tables."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.errors import DomainError
from democracy import access, services
from democracy.models import (
    Application,
    Ballot,
    Community,
    Decision,
    Following,
    LedgerEntry,
    Membership,
)
from tests import factories

TAGS = ("budget", "parks", "roads")
Contents = dict[str, Any]


def at(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="microseconds") if moment else None


def contents(of: Community) -> Contents:
    """Read everything that the ledger speaks of from the tables: content by subject."""
    row = Community.objects.get(pk=of.pk)
    found: Contents = {
        "community": {
            "name": row.name,
            "description": row.description,
            "visibility": row.visibility,
            "auto_approve": row.joining == Community.Joining.OPEN,
            "created": at(row.created_at),
            **({"joining": "invited"} if row.joining == Community.Joining.INVITED else {}),
        }
    }
    for member in Membership.objects.filter(community=of):
        found[f"membership:{member.pk}"] = {
            "user": member.user_id,
            "active": member.left_at is None,
            "role": member.role,
            "manager": member.is_manager,
            "anonymous": member.is_anonymous,
            "removed": member.was_removed,
            "joined": at(member.joined_at),
            "left": at(member.left_at),
            "file_id": member.file_id,
        }
    for one in Application.objects.filter(community=of):
        found[f"application:{one.pk}"] = {
            "user": one.user_id,
            "status": one.status,
            "message": one.message,
            "created": at(one.created_at),
            "decided": at(one.decided_at),
            "decided_by": one.decided_by_id,
            **({"link": one.link_id} if one.link_id else {}),
        }
    for edge in Following.objects.filter(follower__community=of):
        found[f"following:{edge.follower_id}:{edge.followee_id}"] = {
            "follower": edge.follower_id,
            "followee": edge.followee_id,
            "tags": edge.tags,
            "order": edge.order,
            "created": at(edge.created_at),
        }
    for decision in Decision.objects.filter(community=of):
        times = {
            "created": decision.created_at,
            "published": decision.published_at,
            "opens_at": decision.opens_at,
            "closes_at": decision.closes_at,
        }
        found[f"decision:{decision.pk}"] = {
            "title": decision.title,
            "description": decision.description,
            "results_visibility": decision.results_visibility,
            **{name: at(moment) for name, moment in times.items()},
            "lot_seed": decision.lot_seed,
            "file_id": decision.file_id,
            "choices": list(decision.choices.values("id", "title", "description", "lot", "file_id")),
            "clarifications": [{"at": at(one.at), "text": one.text} for one in decision.clarifications.all()],
            **({"topics": decision.topics} if decision.topics else {}),
            **({"pinned": True} if decision.is_pinned else {}),
            **({"reminder_hours": decision.reminder_hours} if decision.reminder_hours != 24 else {}),
        }
        if decision.called_off_at:
            called_off = {"at": at(decision.called_off_at), "reason": decision.called_off_reason}
            found[f"decision:{decision.pk}"]["called_off"] = called_off
    for ballot in Ballot.objects.filter(decision__community=of):
        found[f"ballot:{ballot.decision_id}:{ballot.membership_id}"] = {
            "stars": {str(choice): stars for choice, stars in ballot.votes.values_list("choice", "stars")},
            "tags": ballot.tags,
            "abstain": ballot.abstain,
            "comment": ballot.comment,
            "anonymous": ballot.is_anonymous,
            "cast": at(ballot.cast_at),
        }
        if ballot.is_anonymous:
            name = access.pseudonym(ballot.decision_id, ballot.membership_id)
            found[f"ballot:{ballot.decision_id}:{ballot.membership_id}"]["pseudonym"] = name.lower().replace(" ", "-")
    return found


def replayed(of: Community) -> Contents:
    """Read the newest content of every subject that still exists from the ledger alone."""
    newest: Contents = {}
    for entry in LedgerEntry.objects.filter(community=of).exclude(kind="recalculation").order_by("revision"):
        newest[entry.subject] = entry.after
    return {subject: content for subject, content in newest.items() if content is not None}


class History:
    """A manager, eight people and two open decisions. `step` makes somebody do something, or be refused."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.community, members = factories.community(*[f"p{number}" for number in range(8)])
        self.manager = members["manager"].user
        self.people = [members[f"p{number}"] for number in range(8)]
        self.decisions = [factories.decision(self.community, self.manager) for _ in range(2)]
        self.drafts = [factories.draft(self.community, self.manager)]
        # Actions that change results come more often.
        self._steps: list[Callable[[], object]] = [
            *[self._vote] * 5,
            *[self._follow] * 6,
            *[self._unfollow] * 2,
            *[self._leave, self._return] * 2,
            self._abstain,
            self._tag,
            self._withdraw,
            self._role,
            self._anonymity,
            self._right,
            self._recalculate,
            self._edit,
            self._clarify,
            self._draft,
            self._pin,
            self._end,
            self._apply,
        ]

    def step(self) -> None:
        with suppress(DomainError):  # people try what they may not do, too
            self.random.choice(self._steps)()

    def steps(self, number: int) -> None:
        for _ in range(number):
            self.step()

    def _somebody(self) -> Membership:
        return self.random.choice(self.people)

    def _tags(self) -> list[str]:
        return self.random.sample(TAGS, self.random.choice([0, 0, 1, 1, 2]))

    def _decision(self) -> Decision:
        return self.random.choice(self.decisions)

    def _vote(self) -> None:
        decision = self._decision()
        rated = self.random.sample(list(decision.choices.all()), self.random.randint(1, 3))
        stars = {choice.pk: self.random.randint(0, 5) for choice in rated}
        services.cast_ballot(self._somebody().user, decision.pk, stars=stars, tags=self._tags())

    def _abstain(self) -> None:
        services.cast_ballot(self._somebody().user, self._decision().pk, stars={}, abstain=True, comment="no")

    def _tag(self) -> None:
        services.tag_ballot(self._somebody().user, self._decision().pk, tags=self._tags())

    def _withdraw(self) -> None:
        services.withdraw_ballot(self._somebody().user, self._decision().pk)

    def _follow(self) -> None:
        services.follow(self._somebody().user, self._somebody().pk, tags=self._tags())

    def _unfollow(self) -> None:
        edges = list(Following.objects.filter(follower__community=self.community).order_by("pk"))
        if edges:
            edge = self.random.choice(edges)
            services.unfollow(edge.follower.user, edge.followee_id)

    def _leave(self) -> None:
        member = self._somebody()
        if self.random.random() < 0.3:
            services.remove_member(self.manager, member.pk)
        else:
            services.leave_community(member.user, self.community.pk)

    def _return(self) -> None:
        for application in Application.objects.filter(community=self.community, status="pending").order_by("pk"):
            services.decide_application(self.manager, application.pk, approve=True)
        former = Membership.objects.filter(community=self.community, left_at__isnull=False).order_by("pk")
        if former:
            services.apply_to_community(self.random.choice(list(former)).user, self.community.pk)

    def _role(self) -> None:
        role = self.random.choice(Membership.Role.values)
        services.update_membership(self.manager, self._somebody().pk, role=role)

    def _right(self) -> None:
        services.update_membership(self.manager, self._somebody().pk, is_manager=self.random.random() < 0.5)

    def _anonymity(self) -> None:
        anonymous = self.random.random() < 0.5
        services.set_anonymity(self._somebody().user, self.community.pk, anonymous=anonymous, confirmed=True)

    def _recalculate(self) -> None:
        services.request_recalculation(self.manager, self._decision().pk)

    def _edit(self) -> None:
        services.update_community(self.manager, self.community.pk, description=f"{self.random.random()}")
        later = timezone.now() + timedelta(days=self.random.randint(7, 99))
        services.update_decision(self.manager, self._decision().pk, closes_at=later)

    def _clarify(self) -> None:
        services.add_clarification(self.manager, self._decision().pk, text=f"{self.random.random()}")

    def _draft(self) -> None:
        if len(self.decisions) < 4 and self.random.random() < 0.3:
            self.decisions.append(services.publish_decision(self.manager, self.drafts[-1].pk))
            self.drafts.append(factories.draft(self.community, self.manager))
        names = self.random.sample(["Ash", "Birch", "Cedar", "Elm", "Oak"], 3)
        choices = [services.ChoiceInput(name) for name in names]
        services.update_decision(self.manager, self.drafts[-1].pk, choices=choices, topics=self._tags())
        services.update_decision(self.manager, self._decision().pk, reminder_hours=self.random.choice([0, 24, 48]))

    def _pin(self) -> None:
        services.pin_decision(self.manager, self._decision().pk, pinned=self.random.random() < 0.5)

    def _end(self) -> None:
        if len(self.decisions) > 2:
            services.call_off(self.manager, self.decisions.pop().pk, reason=f"{self.random.random()}")
        services.copy_decision(self.manager, self._decision().pk)
        services.delete_draft(self.manager, self.drafts.pop().pk)
        self.drafts.append(factories.draft(self.community, self.manager))

    def _apply(self) -> None:
        application = services.apply_to_community(factories.person(), self.community.pk, message="Hello")
        self.people.append(factories.member_of(self.community, application.user))
